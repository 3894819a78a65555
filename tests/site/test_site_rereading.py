"""What an older reader did not take from headers is learnt from the stored files, whenever a reading is killed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
import sqlalchemy as sa
from pydicom.data import get_testdata_file
from rejecting_samples import ANNA, BERT, ITO, NOON, files, opened
from test_site_sealing import admitted, clear, law, sealable
from test_site_sealing import given as sent

import isocenter
from isocenter.analysis.need import Need
from isocenter.analysis.protocol import Answer, Yield
from isocenter.analysis.registry import Registry
from isocenter.dicom.header import read_header
from isocenter.errors import Forbidden
from isocenter.govern.policy import HOUSE
from isocenter.record import Event, Kind, Origin, Patient, Study, canonical, codes
from isocenter.site.rereading import Rereading
from isocenter.site.verbs import Site
from isocenter.store import rebuild, receive
from isocenter.store.tables import event, instance, series, study

HERE = Path(__file__).parent


def older(data: bytes) -> Study:
    """What a reader would have said that knew neither positions nor spacings, nor the accession number."""
    record = read_header(data)
    (one,) = record.series
    (image,) = one.instances
    unknown = {"ImagePositionPatient", "PixelSpacing", "SeriesDescription"}
    image = replace(image, facts={n: v for n, v in image.facts.items() if n not in unknown} | {"Mistaken": 1}, frames=0)
    facts = {name: value for name, value in one.facts.items() if name not in unknown}
    return replace(record, accession="", series=(replace(one, facts=facts, description="", instances=(image,)),))


def take(site: Site, some: list[bytes], record: Any = older) -> str:
    now = site.clock()
    receive(site.database, site.blobs, site.journal, [(one, record(one)) for one in some], "CT1", now)
    return read_header(some[0]).uid


def rows(site: Site) -> list[Any]:
    with site.database.read() as connection:
        return [sorted(map(tuple, connection.execute(sa.select(t))), key=repr) for t in (study, series, instance)]


def stored(site: Site) -> dict[str, bytes]:
    return {digest: site.blobs.get(digest) for digest in site.blobs.digests()}


def said(site: Site) -> list[Any]:
    return [s.event for s in site.journal.since(kinds=[Kind.HEADERS_LEARNT, Kind.HEADERS_READ])]


def test_what_is_learnt_is_what_a_new_archive_would_know(tmp_path: Path) -> None:
    some = [files(seed, patient=f"P{seed}", number=3) for seed in (7, 8)]
    with opened(tmp_path / "a") as site, opened(tmp_path / "b") as new:
        for one in some:
            take(site, one)
            take(new, one, read_header)
        before, level = stored(site), site.journal.head()[0]
        assert rows(site) != rows(new)
        uid = read_header(some[0][0]).uid
        assert "ImagePositionPatient" not in site.index.study(uid).series[0].instances[0].facts
        told: list[tuple[str, int, int]] = []
        done = site.rereading.learn(who=HOUSE, told=lambda *one: told.append(one))
        assert (done.studies, done.images, done.learnt, done.unread) == (2, 12, 12, [])
        assert [one[1:] for one in told] == [(1, 2), (2, 2)]
        assert rows(site) == rows(new) and stored(site) == before
        assert "ImagePositionPatient" in site.index.study(uid).series[0].instances[0].facts, "and at once"
        assert [e.kind for e in said(site)] == [Kind.HEADERS_LEARNT, Kind.HEADERS_LEARNT, Kind.HEADERS_READ]
        rebuild(site.database, site.blobs)
        assert rows(site) == rows(new) and site.journal.verify() == level + 3
        assert site.rereading.learn(who=HOUSE).learnt == 0, "nothing is new the second time"
        with pytest.raises(Forbidden):
            site.rereading.learn(who=ITO)


def test_what_was_rejected_while_headers_were_read_is_read_when_it_comes_back(tmp_path: Path) -> None:
    some = files(number=2)
    with opened(tmp_path / "a") as site, opened(tmp_path / "b") as new:
        uid = take(site, some)
        take(new, some, read_header)
        hidden = read_header(some[3]).series[0].instances[0].sop_uid
        gone = site.rejecting.reject(uid, code="113037", reason="blurred", instances=[hidden], who=ANNA)
        site.rereading.learn(who=HOUSE)
        site.rejecting.take_back(uid, gone["number"], reason="a mistake", who=ANNA)
        known = {i.sop_uid: i.facts for s in site.index.study(uid).series for i in s.instances}
        wanted = {i.sop_uid: i.facts for s in new.index.study(uid).series for i in s.instances}
        assert known[hidden] == wanted[hidden] and "ImagePositionPatient" in known[hidden]
        before = rows(site)
        rebuild(site.database, site.blobs)
        assert rows(site) == before and site.journal.verify()


class AnyCt:
    """An analysis of any CT that finds nothing."""

    name, version = "positions", "1"
    needs: ClassVar = {"image": Need(modality="CT")}
    yields = (Yield(what=codes.LESION),)

    def run(self, image: Any = None) -> Answer:
        return Answer.none()


def test_answers_from_older_headers_are_told_and_asked_again_but_not_what_a_person_corrected(tmp_path: Path) -> None:
    now = [NOON]
    ct = Path(str(get_testdata_file("CT_small.dcm", download=False))).read_bytes()

    def without(data: bytes) -> Study:
        record = read_header(data)
        (one,) = record.series
        image = replace(one.instances[0], facts={**one.instances[0].facts, "Mistaken": 1})
        return replace(record, series=(replace(one, instances=(image,)),))

    with opened(tmp_path / "a") as site:
        site.clock = lambda: now[0]
        object.__setattr__(site, "registry", Registry({"positions": AnyCt()}, {}))
        uid = take(site, [ct], without)
        known = site.known(uid)
        ((first, _),) = site.analyse(uid, who=HOUSE)
        assert site.analyse(uid, who=HOUSE)[0][0] == first and site.outdated(who=HOUSE) == {}
        now[0] += timedelta(minutes=1)
        assert site.rereading.learn(who=HOUSE).learnt == 1 and site.known(uid) != known
        assert site.outdated(who=HOUSE) == {uid: ["positions"]}
        with pytest.raises(Forbidden):
            site.outdated(who=ITO)
        now[0] += timedelta(minutes=1)
        ((second, result),) = site.analyse(uid, who=HOUSE)
        assert second != first and result.replaces == first and site.outdated(who=HOUSE) == {}
        assert site.analyse(uid, who=HOUSE)[0][0] == second, "asked once"
        mine = replace(result, origin=Origin("person", "ito"), replaces=second, made=now[0])
        digest = site.blobs.put(canonical(mine), of=uid)
        site.journal.append(Event(Kind.RESULT_MADE, now[0], "ito", uid, {"result": digest}))
        now[0] += timedelta(minutes=1)
        headers = Rereading(site.database, site.blobs, site.journal, site.clock, lambda data, digest: without(data))
        assert headers.learn(who=HOUSE, anew=True).learnt == 1
        assert site.outdated(who=HOUSE) == {} and site.analyse(uid, who=HOUSE)[0][0] == second


def test_it_is_killed_and_goes_on_where_it_was(tmp_path: Path) -> None:
    """Killed amid the second study, and at the very last image."""
    some = [files(seed, patient=f"P{seed}", number=1) for seed in (7, 8, 9)]
    with opened(tmp_path / "new") as new, opened(tmp_path / "old") as old:
        for one in some:
            take(new, one, read_header)
            take(old, one)
        wanted = rows(new)
    kills = (3, 6)
    for last in kills:
        shutil.copytree(tmp_path / "old", tmp_path / f"{last}")
    path = os.pathsep.join([str(HERE), str(Path(isocenter.__file__).parents[1])])
    child = subprocess.Popen(
        [sys.executable, str(HERE / "kill_rereader.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    asked = [f"{tmp_path / str(last)} {n}\n" for last in kills for n in (last, 0)]
    answers = [tuple(map(int, line.split())) for line in child.communicate("".join(asked), 60)[0].splitlines()]
    # A study has two images; those before the one at which it died are not read again.
    assert answers == [(-9, 3), (0, 4), (-9, 6), (0, 2)]
    for last in kills:
        with opened(tmp_path / f"{last}") as site:
            assert rows(site) == wanted
            learnt = [e.subject for e in said(site) if e.kind is Kind.HEADERS_LEARNT]
            assert sorted(learnt) == sorted({read_header(one[0]).uid for one in some}), "each study says it once"
            rebuild(site.database, site.blobs)
            assert rows(site) == wanted and site.journal.verify()


def test_what_people_corrected_stays_and_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    some = files(number=2)
    with opened(tmp_path) as site:
        uid = take(site, some)
        site.identities.move([uid], Patient("OTHER", "Roe^Ann"), reason="mixed up", who=ANNA)
        lost = read_header(some[1]).series[0].instances[0]
        hidden = read_header(some[3]).series[0].instances[0].sop_uid
        site.rejecting.reject(uid, code="113037", reason="blurred", instances=[hidden], who=ANNA)
        place = site.blobs.path(lost.digest)
        assert place is not None
        place.write_bytes(b"changed")
        done = site.rereading.learn(who=HOUSE)
        assert done.unread == [(uid, lost.sop_uid)] and done.images == 3
        now = site.index.study(uid)
        assert (now.patient.id, now.patient.name) == ("OTHER", "Roe^Ann")
        known = {i.sop_uid: i.facts for s in now.series for i in s.instances}
        assert hidden not in known and "ImagePositionPatient" not in known[lost.sop_uid]
        one = next(s for s in now.series if any(i.sop_uid == lost.sop_uid for i in s.instances))
        assert "PixelSpacing" not in one.facts, "a value that is not known of every image is said of none of the series"
        assert sum("PixelSpacing" in i.facts for i in one.instances) == 1
        before = rows(site)
        rebuild(site.database, site.blobs)
        assert rows(site) == before


def test_another_reader_and_an_ended_run_begin_at_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stop(Exception):
        pass

    def until(count: int) -> Any:
        def told(words: str, done: int, of: int) -> None:
            if done == count:
                raise Stop

        return told

    with opened(tmp_path) as site:
        uids = sorted(take(site, files(seed, patient=f"P{seed}", number=1)) for seed in (7, 8, 9))
        reading = Rereading(site.database, site.blobs, site.journal, lambda: NOON)
        with pytest.raises(Stop):
            reading.learn(who=HOUSE, every=1, told=until(3))
        assert reading.unfinished() == uids[1]
        monkeypatch.setattr("isocenter.__version__", "0.0.0")
        assert reading.unfinished() == "", "what another reader knows is asked of all"
        monkeypatch.undo()
        assert reading.learn(who=HOUSE, anew=True).studies == 3 and reading.unfinished() == ""


def test_of_a_sealed_study_the_journal_holds_it_sealed_and_loses_it_with_its_key(tmp_path: Path) -> None:
    def newer(data: bytes, digest: str) -> Study:
        record = read_header(data)
        (one,) = record.series
        return replace(record, series=(replace(one, facts={**one.facts, "NewlyRead": "CANARY"}),))

    with opened(tmp_path / "a") as site:
        sealable(site, tmp_path)
        admitted(site)
        site.sealing.seal("trial", who=ANNA)
        uid = sent(site)
        Rereading(site.database, site.blobs, site.journal, lambda: NOON, newer).learn(who=HOUSE)
        assert all(s.facts["NewlyRead"] == "CANARY" for s in site.index.study(uid).series)
        assert not clear(tmp_path / "a" / "blobs", b"CANARY")
        with site.database.read() as connection:
            assert "CANARY" not in repr(connection.execute(sa.select(event)).all())
        law(site)
        site.sealing.ask_erasure(uid, what="study", reason="withdrawn", who=ANNA)
        site.sealing.erase(uid, what="study", who=BERT)
        assert not clear(tmp_path / "a", b"CANARY")
        law(site)


def test_nobody_hears_by_it_of_what_they_may_not_see(tmp_path: Path) -> None:
    with opened(tmp_path) as site:
        site.projects.found("trial", "of others", who=HOUSE)
        some = files()
        told = [(one, older(one)) for one in some]
        receive(site.database, site.blobs, site.journal, told, "CT1", NOON, project="trial")
        site.rereading.learn(who=HOUSE)
        done = site.journal.since(kinds=[Kind.HEADERS_LEARNT, Kind.HEADERS_READ])
        assert [site.projects.hears(one, HOUSE) for one in done] == [True, True]
        assert [site.projects.hears(one, ITO) for one in done] == [False, False], "neither what is there nor how much"
