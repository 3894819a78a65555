"""The test cases behind a figure: listed where their study may be told of, counted where not, and each look written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from department_for_oversight import AI, CHIEF, ITO, LEE, RUIZ, department, uid
from isocenter.errors import Forbidden, NotFound, Refused
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.learn.answers import answers_of
from isocenter.learn.tested import counted, kept, laid
from isocenter.record import Instance, Kind, Patient, Series, Study
from isocenter.site.verbs import Site
from isocenter.store.intake import receive
from isocenter.store.tables import instance

SEALED = "t" * 64
READ, STUDIES, CASES = 6, 8, 24
"""Studies 1 to 6 are signed, 7 and 8 are here and unread; the other cases are in no archive."""

CHANGE = {"may_change": ["weights"], "protocol": {"shadow_cases": 3}, "impact": "earlier reads"}


def _rows() -> list[dict[str, Any]]:
    """Even cases have the disease; 2 and 4 are missed, 4 with the lower certainty; 1 and 7 are false alarms."""
    sure = {2: 0.3, 4: 0.1, 1: 0.9, 7: 0.8}
    return [
        {"name": f"MEIER {n}", "label": int(n % 2 == 0), "certainty": sure.get(n, 0.95 if n % 2 == 0 else 0.05)}
        for n in range(1, CASES + 1)
    ]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A model that was measured on a sealed test of 24 cases, eight of which are images of this archive."""
    with department(tmp_path, read=READ) as (site, _):
        for n in range(READ + 1, STUDIES + 1):
            image = Instance(f"{uid(n)}.1.1", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1", "", 1, 1, 8, 8, 1)
            record = Study(uid(n), Patient(f"P{n}"), series=(Series(f"{uid(n)}.1", "CT", 1, instances=(image,)),))
            receive(site.database, site.blobs, site.journal, [(b"image %d" % n, record)], "CT1", site.clock())
        yield site


def measure(site: Site, *, keeps: bool = True) -> None:
    said: dict[str, Any] = {"reason": "it is time", "who": CHIEF}
    model = site.gating.model(AI)
    rows = _rows()
    images = [hashlib.sha256(b"image %d" % n).hexdigest() for n in range(1, CASES + 1)]
    lines = kept(model, rows, answers_of(model, rows), images, {})
    site.gating.declare(AI, CHANGE, **said)
    site.gating.seal(AI, SEALED, **said)
    site.gating.look(AI, SEALED, **said)
    primary = {"value": 0.9, "low": 0.8, "high": 1}
    figures = {"metric": "auc", "n": CASES, "against": "", "primary": primary, "gaps": [], "errors": counted(lines)}
    site.gating.judged(AI, figures, lines if keeps else (), **said)


def told(site: Site, of: str, who: Person) -> tuple[list[str], int, int]:
    answer = site.evidencing.cases(AI, of, who=who)
    return [case["study"] for case in answer["cases"]], answer["n"], answer["elsewhere"]


def test_the_cases_of_a_figure_are_listed_where_their_study_is_signed_and_counted_elsewhere(site: Site) -> None:
    measure(site)
    errors = {"missed": 2, "false alarms": 2, "wrong": 4, "declined": 0}
    assert site.gating.told(AI, who=ITO)["judged"]["errors"] == errors
    assert told(site, "missed", CHIEF) == ([uid(4), uid(2)], 2, 0), "the one that it was surest of first"
    assert told(site, "false alarms", ITO) == ([uid(1)], 2, 1), "7 is here, and nobody has signed it"
    studies, n, elsewhere = told(site, "all", LEE)
    assert set(studies) == {uid(n) for n in range(1, READ + 1)} and (n, elsewhere) == (CASES, CASES - READ)
    case = site.evidencing.cases(AI, "missed", who=ITO)["cases"][0]
    assert (case["score"], case["declined"], case["date"], case["modalities"]) == (0.1, False, "2026-11-16", ["CT"])
    assert "case" not in case and "MEIER" not in str(case)


def test_what_the_asker_may_not_be_told_of_is_counted_and_not_named(site: Site) -> None:
    measure(site)
    site._disclosing.blinded = lambda who: frozenset({uid(2)} if who.name == "ruiz" else ())
    assert told(site, "missed", RUIZ) == ([uid(4)], 2, 1), "drawn for ruiz, who gives an own word first"
    site.projects.found("trial", "a trial", keeper="chief", who=CHIEF)
    site.projects.move(uid(4), "trial", reason="it belongs there", who=CHIEF)
    assert told(site, "missed", LEE) == ([uid(2)], 2, 1), "a study of another's project does not exist"
    site.projects.join("trial", "lee", Role.READER, who=CHIEF)
    assert told(site, "missed", LEE) == ([uid(4), uid(2)], 2, 0)


def test_each_look_at_single_cases_is_written_down_before_and_counted_beside_the_test(site: Site) -> None:
    measure(site)
    assert site.gating.told(AI, who=ITO)["opened"] == 0
    told(site, "missed", ITO)
    told(site, "all", ITO)
    (entry,) = site.journal.since(kinds=(Kind.TEST_CASES_OPENED,), limit=9)
    digest = site.gating.model(AI).digest
    assert (entry.event.who, entry.event.subject) == ("ito", AI)
    assert entry.event.details == {"role": "reader", "digest": digest, "test": SEALED}
    assert site.gating.told(AI, who=ITO)["opened"] == 1, "one entry for what one person sees within five minutes"
    seen = {s.event.subject for s in site.journal.since(kinds=(Kind.VIEWED,), who="ito", limit=99)}
    assert seen == {uid(n) for n in range(1, READ + 1)}
    told(site, "missed", LEE)
    assert site.gating.told(AI, who=ITO)["opened"] == 2
    assert site.gating.told(AI, who=ITO)["looks"] == 1, "the looks that measure are counted apart"

    def broken(*of: Any) -> None:
        raise OSError("the disk is full")

    object.__setattr__(site.evidencing, "opened", broken)
    with pytest.raises(OSError, match="full"):
        told(site, "missed", RUIZ)


def test_who_trains_sees_no_single_case_and_nobody_sees_what_was_not_kept(site: Site) -> None:
    for who in (Person("ray", Role.RESEARCHER), Person("ct", Role.SERVICE)):
        with pytest.raises(Forbidden):
            site.evidencing.cases(AI, who=who)
    with pytest.raises(NotFound, match="measured on no sealed test here"):
        site.evidencing.cases(AI, who=ITO)
    measure(site, keeps=False)
    with pytest.raises(NotFound, match="were not kept"):
        site.evidencing.cases(AI, who=ITO)
    with pytest.raises(NotFound, match="none of that name"):
        site.evidencing.cases("nonsense", who=ITO)
    assert not site.journal.since(kinds=(Kind.TEST_CASES_OPENED,), limit=9)


def test_a_figure_that_is_not_there_is_refused_and_is_no_look(site: Site) -> None:
    measure(site)
    with pytest.raises(Refused, match="no figure of this test"):
        site.evidencing.cases(AI, "everything", who=ITO)
    assert not site.journal.since(kinds=(Kind.TEST_CASES_OPENED,), limit=9)


def test_an_erased_image_is_no_case_any_more_and_the_kept_cases_survive_a_backup(site: Site, tmp_path: Path) -> None:
    measure(site)
    digest = site._disclosing.gates().of(site.gating.model(AI).digest).judged["cases"]
    site.keeping.backup(tmp_path / "copy", who=HOUSE)
    assert any(p.name.startswith(digest[4:]) or digest in p.as_posix() for p in (tmp_path / "copy").rglob("*"))
    site.database.write(lambda connection: connection.execute(instance.delete().where(instance.c.study_uid == uid(4))))
    assert told(site, "missed", CHIEF) == ([uid(2)], 2, 1)


def claims(site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch, rows: list[dict[str, Any]]) -> str:
    """The model as one whose training kept its cases, eight of which are images of this archive; their data."""
    data = folder / "learnt"
    data.mkdir()
    for n in range(1, CASES + 1):
        (data / f"MEIER {n}.dcm").write_bytes(b"image %d" % n)
    named = [{**row, "name": f"{row['name']}.dcm"} for row in rows]
    model = site.gating.model(AI)
    told = laid(folder, model.inputs, named, data)
    claimed = replace(model, evidence={**model.evidence, **told})
    monkeypatch.setattr(type(site.gating), "model", lambda self, name: claimed)
    monkeypatch.setattr(type(site.gating), "beside", lambda self, name: folder)
    return str(told["cases"]["data"])


def test_what_a_training_claims_opens_its_cases_and_is_no_look_at_a_sealed_test(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotFound, match="kept none"):
        site.evidencing.cases(AI, on="claimed", who=ITO)
    data = claims(site, tmp_path, monkeypatch, _rows())
    found = site.evidencing.cases(AI, "missed", on="claimed", who=ITO)
    assert [one["study"] for one in found["cases"]] == [uid(4), uid(2)] and found["test"] == data
    assert not site.journal.since(kinds=(Kind.TEST_CASES_OPENED,), limit=9)
    assert {s.event.subject for s in site.journal.since(kinds=(Kind.VIEWED,), who="ito", limit=9)} == {uid(2), uid(4)}
    with pytest.raises(Forbidden):
        site.evidencing.cases(AI, on="claimed", who=Person("ray", Role.RESEARCHER))
    site.gating.seal(AI, data, reason="it is time", who=CHIEF)
    site.evidencing.cases(AI, "missed", on="claimed", who=ITO)
    assert len(site.journal.since(kinds=(Kind.TEST_CASES_OPENED,), limit=9)) == 1, "sealed since: each look counts"


def test_cases_elsewhere_stand_as_predictions_in_pages_and_a_waiting_study_cannot_be_told_by_them(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims(site, tmp_path, monkeypatch, _rows())
    monkeypatch.setattr("isocenter.site.evidencing._PAGE", 10)
    pages = [site.evidencing.cases(AI, on="claimed", start=start, who=LEE) for start in (0, 10, 20)]
    assert [len(one["alone"]) for one in pages] == [10, 8, 0] and [len(one["cases"]) for one in pages] == [6, 0, 0]
    alone = [line for one in pages for line in one["alone"]]
    assert sum(line["right"] for line in alone) == 17, "7 is a false alarm"
    assert {frozenset(line) for line in alone} == {frozenset({"truth", "said", "score", "right", "declined"})}
    assert "MEIER" not in str(pages) and uid(7) not in str(pages) and uid(8) not in str(pages)


def test_predictions_of_fewer_than_ten_cases_elsewhere_are_withheld(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims(site, tmp_path, monkeypatch, _rows()[:STUDIES])
    found = site.evidencing.cases(AI, on="claimed", who=LEE)
    assert (found["n"], found["elsewhere"], found["alone"], found["withheld"]) == (8, 2, [], True)


def test_what_was_judged_here_is_kept_with_its_cases_and_the_newest_of_each_set_is_told(site: Site) -> None:
    model, data = site.gating.model(AI), "d" * 64
    images = [hashlib.sha256(b"image %d" % n).hexdigest() for n in range(1, CASES + 1)]
    lines = kept(model, _rows(), answers_of(model, _rows()), images, {})
    for n in (CASES, CASES + 1):
        site.gating.measure(model, data, {"n": n, "errors": counted(lines)}, lines, who=CHIEF)
    (told_of,) = site.gating.told(AI, who=ITO)["measured"]
    assert (told_of["n"], told_of["by"], told_of["data"]) == (CASES + 1, "chief", data)
    found = site.evidencing.cases(AI, "missed", on=data, who=ITO)
    assert [one["study"] for one in found["cases"]] == [uid(4), uid(2)]
    assert not site.journal.since(kinds=(Kind.TEST_CASES_OPENED,), limit=9)
    with pytest.raises(NotFound, match="not measured on these data"):
        site.evidencing.cases(AI, on="e" * 64, who=ITO)
    with pytest.raises(Forbidden):
        site.gating.measure(model, data, {}, lines, who=ITO)
