"""A project is sealed by one verb, what is here already with it; two persons destroy a key, and nothing can be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from rejecting_samples import ANNA, BERT, ITO, files, opened
from typer.testing import CliRunner

from fresh_database import fresh_database
from isocenter.app import open_house
from isocenter.cli import app
from isocenter.dicom.header import read_header
from isocenter.errors import Erased, Forbidden, NotFound, Refused, WrongState
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.record import Event, Kind, Origin, Outcome, Result, canonical
from isocenter.settings import Settings
from isocenter.site.verbs import Site
from isocenter.store import rebuild
from isocenter.store.backup import restore
from isocenter.store.keyring import Keyring
from isocenter.store.master_key import HeldKey, draw
from isocenter.store.tables import PROJECTION, event

MASTER = HeldKey(b"m" * 32)
NAME = b"CANARY"
WHO = (NAME, b"HOSTILE^MEMBER", b"19700102", b"1970-01-02")
SCANNER = Person("CT1", Role.SERVICE, "aet")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path / "a") as one:
        sealable(one, tmp_path)
        yield one


def sealable(site: Site, folder: Path) -> None:
    site.projects.found("trial", "a trial of sealed images", who=HOUSE)
    site.projects.rule("trial", SCANNER.name, who=HOUSE)
    site.blobs.keyring = Keyring(folder / "keys", MASTER, site.projects.home)


def admitted(site: Site, project: str = "trial") -> None:
    for name in ("anna", "bert"):
        joined(site, name, Role.ADMIN, project)


def joined(site: Site, name: str, role: Role, project: str = "trial") -> None:
    told = {"name": name, "of": "account", "role": role.value}
    site.journal.append(Event(Kind.PROJECT_JOINED, site.clock(), "isocenter", project, told))


def given(site: Site, seed: int = 7) -> str:
    some = files(seed, patient="CANARY")
    site.receive(some, sender="CT1", who=SCANNER)
    return read_header(some[0]).uid


def said_of(site: Site, study: str) -> str:
    """A result with a map, as an analysis leaves it."""
    held = site.blobs.put(b"CANARY map " * 99, of=study)
    made = Result(study, Outcome.NONE, Origin("machine", held, "1"), site.clock(), reasons=("CANARY",))
    digest = site.blobs.put(canonical(made), of=study)
    site.journal.append(Event(Kind.RESULT_MADE, site.clock(), "isocenter", study, {"result": digest}))
    return digest


def clear(folder: Path, *words: bytes) -> list[Path]:
    held = [(p, p.read_bytes().upper()) for p in folder.rglob("*") if p.is_file()]
    return [p for p, data in held if any(word in data for word in (words or (NAME,)))]


def law(site: Site) -> None:
    def dump() -> Any:
        with site.database.read() as connection:
            return {t.name: sorted(map(tuple, connection.execute(sa.select(t))), key=repr) for t in PROJECTION}

    before = dump()
    rebuild(site.database, site.blobs)
    assert dump() == before
    site.journal.verify()


def test_what_is_here_already_is_sealed_with_its_results_and_maps(site: Site, tmp_path: Path) -> None:
    study = given(site)
    digest = said_of(site, study)
    assert len(clear(tmp_path / "a" / "blobs")) == 6
    with pytest.raises(Forbidden):
        site.sealing.seal("trial", who=ITO)
    with pytest.raises(Refused, match="in no project"):
        site.sealing.seal("house", who=ANNA)
    with pytest.raises(NotFound, match="none of that name"):
        site.sealing.seal("trail", who=ANNA)
    done = site.sealing.seal("trial", who=ANNA)
    assert (done["studies"], done["files"], clear(tmp_path / "a" / "blobs")) == (1, 6, [])
    assert site.sealing.seal("trial", who=ANNA)["files"] == 0, "there is nothing left to do"
    assert site.index.result(digest).reasons == ("CANARY",) and site.mending.scrub(who=ANNA).damaged == []
    given(site, 8)
    assert clear(tmp_path / "a" / "blobs") == []
    assert site.sealing.rotate("trial", who=ANNA) == 2
    told = site.journal.since(kinds=(Kind.PROJECT_SEALED, Kind.KEY_ROTATED))
    assert [t.event.details.get("version") for t in told] == [1, 1, 2]
    law(site)


def test_two_persons_erase_a_study_and_no_backup_brings_it_back(site: Site, tmp_path: Path) -> None:
    admitted(site)
    site.sealing.seal("trial", who=ANNA)
    study, other = given(site), given(site, 8)
    said_of(site, study)
    site.keeping.backup(tmp_path / "copy", who=HOUSE)
    images = [i.digest for s in site.index.study(study).series for i in s.instances]
    with pytest.raises(Forbidden):
        site.sealing.ask_erasure(study, what="study", reason="withdrawn", who=ITO)
    with pytest.raises(Refused, match="persons"):
        site.sealing.ask_erasure(study, what="study", reason="withdrawn", who=HOUSE)
    with pytest.raises(WrongState, match="nobody asked"):
        site.sealing.erase(study, what="study", who=BERT)
    with pytest.raises(NotFound):
        site.sealing.ask_erasure("1.2.3", what="study", reason="withdrawn", who=ANNA)
    site.sealing.ask_erasure(study, what="study", reason="withdrawn", who=ANNA)
    with pytest.raises(Refused, match="four eyes"):
        site.sealing.erase(study, what="study", who=ANNA)
    assert {row.waiting.study.uid for row in site.worklist(who=ANNA)} == {study, other}
    done = site.sealing.erase(study, what="study", who=BERT)
    assert (done["keys"], done["studies"]) == (1, 1)
    assert {row.waiting.study.uid for row in site.worklist(who=ANNA)} == {other}, "a kept list names them no more"
    with pytest.raises(NotFound):
        site.index.study(study)
    assert site.index.results(study, replaced=True) == [] and site.index.study(other).uid == other
    stones = [r for r in rejected(site) if r["code"] == "erased"]
    assert {r["digest"] for r in stones} == set(images) and {r["item"] + r["above"] for r in stones} == {""}
    assert not any(digest in site.blobs for digest in images)
    again = site.sealing.erase(study, what="study", who=BERT)
    assert again["keys"] == 0, "after a crash it is called again"
    law(site)
    with opened(tmp_path / "b") as second:
        second.blobs.keyring = site.blobs.keyring
        restore(tmp_path / "copy", second.database, second.blobs)
        with pytest.raises(NotFound):
            second.blobs.get(images[0])
        rebuild(second.database, second.blobs)
        assert second.index.results(study) == [] and second.index.study(other).uid == other
    assert site.keeping.backup(tmp_path / "copy", who=HOUSE).forgotten == 6, "the next backup lets go of it"


def test_who_was_imaged_is_sealed_in_the_journal_and_gone_from_every_file_after_the_erasure(
    site: Site, tmp_path: Path
) -> None:
    admitted(site)
    site.sealing.seal("trial", who=ANNA)
    study = given(site)
    with site.database.read() as connection:
        told = " ".join(connection.execute(sa.select(event.c.details)).scalars())
    assert study in told and not any(word.decode() in told.upper() for word in WHO)
    patient = site.index.study(study).patient
    assert (patient.id, patient.name) == ("CANARY", "Hostile^Member"), "the index finds it"
    site.sealing.rotate("trial", who=ANNA)
    law(site)
    site.keeping.backup(tmp_path / "copy", who=HOUSE)
    assert clear(tmp_path / "a", *WHO) and not clear(tmp_path / "copy", *WHO)
    with opened(tmp_path / "b") as second:
        second.blobs.keyring = site.blobs.keyring
        restore(tmp_path / "copy", second.database, second.blobs)
        assert second.index.study(study) == site.index.study(study)
    site.sealing.ask_erasure(study, what="study", reason="withdrawn", who=ANNA)
    site.sealing.erase(study, what="study", who=BERT)
    assert not clear(tmp_path / "a", *WHO)
    law(site)
    assert [r["study_uid"] for r in rejected(site)] == [study] * len(rejected(site)) and rejected(site)


def test_the_same_on_postgresql_as_far_as_a_query_sees(tmp_path: Path) -> None:
    with fresh_database("postgres", tmp_path) as url, opened(tmp_path / "a", url) as site:
        sealable(site, tmp_path)
        admitted(site)
        site.sealing.seal("trial", who=ANNA)
        study = given(site)

        def told() -> str:
            with site.database.read() as connection:
                return repr([connection.execute(sa.select(t)).all() for t in (event, *PROJECTION)]).upper()

        assert all(word.decode() in told() for word in WHO[:2]), "the index finds it"
        site.sealing.ask_erasure(study, what="study", reason="withdrawn", who=ANNA)
        site.sealing.erase(study, what="study", who=BERT)
        assert study in told() and not any(word.decode() in told() for word in WHO)
        law(site)


def rejected(site: Site) -> list[dict[str, Any]]:
    table = next(t for t in PROJECTION if t.name == "rejected")
    with site.database.read() as connection:
        return [dict(row) for row in connection.execute(sa.select(table)).mappings()]


def test_a_project_is_erased_with_all_its_studies(site: Site, tmp_path: Path) -> None:
    admitted(site)
    site.sealing.seal("trial", who=ANNA)
    studies = [given(site, seed) for seed in (7, 8)]
    kept = [i.digest for uid in studies for s in site.index.study(uid).series for i in s.instances]
    place = next((tmp_path / "a" / "blobs").rglob(f"{kept[0]}.sealed"))
    raw = place.read_bytes()
    site.sealing.ask_erasure("trial", what="project", reason="the trial is over", who=ANNA)
    done = site.sealing.erase("trial", what="project", who=BERT)
    assert (done["keys"], done["studies"]) == (2, 2) and site.index.counts()["studies"] == 0
    place.write_bytes(raw)  # as somebody who kept a copy of the disk has it
    with pytest.raises(Erased):
        site.blobs.get(kept[0])
    with pytest.raises(Refused, match="destroyed"):
        given(site, 9)
    assert [p["erased"] for p in site.sealing.projects(who=ANNA)] == [True]
    law(site)


def test_without_its_master_key_an_archive_does_not_open_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, place = tmp_path / "archive", tmp_path / "else" / "key"
    done = CliRunner().invoke(app, ["master-key", str(place)])
    assert done.exit_code == 0 and f"file:{place}" in done.output
    monkeypatch.setenv("ISOCENTER_MASTER_KEY", f"file:{place}")
    monkeypatch.setenv("ISOCENTER_FOLDER", str(folder))
    some = tmp_path / "one.dcm"
    some.write_bytes(files()[0])
    held = open_house(Settings(), server=True)
    held.site.projects.found("trial", "a trial of sealed images", who=HOUSE)
    held.close()
    with pytest.raises(Refused, match="it would lie in the archive"):
        CliRunner().invoke(app, ["master-key", str(folder / "keys" / "master")], catch_exceptions=False)
    for words in (["receive", str(some)], ["seal", "trial"], ["seals"], ["rotate", "trial"]):
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
    monkeypatch.delenv("ISOCENTER_MASTER_KEY")
    for words in (["serve"], ["studies"]):
        done = CliRunner().invoke(app, words)
        assert isinstance(done.exception, Refused) and "the master key is missing" in str(done.exception)
    draw(tmp_path / "other")
    monkeypatch.setenv("ISOCENTER_MASTER_KEY", f"file:{tmp_path / 'other'}")
    done = CliRunner().invoke(app, ["serve"])
    assert isinstance(done.exception, Refused) and "is sealed with master key" in str(done.exception)
    monkeypatch.setenv("ISOCENTER_MASTER_KEY", f"file:{place}")
    new = tmp_path / "new"
    draw(new)
    done = CliRunner().invoke(app, ["change-master", f"file:{new}"])
    assert done.exit_code == 0, done.output
    monkeypatch.setenv("ISOCENTER_MASTER_KEY", f"file:{new}")
    assert CliRunner().invoke(app, ["studies"]).exit_code == 0


def sealed_pair(site: Site, monkeypatch: pytest.MonkeyPatch | None = None) -> str:
    """A study of the sealed trial, which moved to the sealed registry; killed in between where it can be patched."""
    site.projects.found("registry", "another sealed project", who=HOUSE)
    for project in ("trial", "registry"):
        admitted(site, project)
        site.sealing.seal(project, who=ANNA)
    study = given(site)
    said_of(site, study)
    if monkeypatch is None:
        site.projects.move(study, "registry", reason="it is of the registry", who=ANNA)
        return study
    with monkeypatch.context() as patch:
        patch.setattr(Keyring, "bring_home", killed)
        with pytest.raises(KeyboardInterrupt):
            site.projects.move(study, "registry", reason="it is of the registry", who=ANNA)
    return study


def killed(*_: Any) -> None:
    raise KeyboardInterrupt


def readable(site: Site, study: str) -> bool:
    kept = [i.digest for s in site.index.study(study).series for i in s.instances]
    return len(kept) == 4 and all(site.blobs.get(digest) for digest in kept)


def erased(site: Site, project: str) -> int:
    site.sealing.ask_erasure(project, what="project", reason="it is over", who=ANNA)
    return int(site.sealing.erase(project, what="project", who=BERT)["studies"])


@pytest.mark.parametrize("cut", [False, True])
def test_a_study_that_moved_outlives_the_project_that_it_left_and_goes_with_the_other(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: bool
) -> None:
    study = sealed_pair(site, monkeypatch if cut else None)
    assert site.projects.home(study) == "registry" and readable(site, study)
    keyring = Keyring(tmp_path / "keys", MASTER, site.projects.home)  # as another process sees it
    assert keyring.project_of(study) == ("trial" if cut else "registry")
    assert erased(site, "trial") == 0 and readable(site, study)
    assert len(site.index.results(study)) == 1 and keyring.project_of(study) == "registry"
    kept = {path: path.read_bytes() for path in (tmp_path / "a" / "blobs").rglob("*.sealed")}
    assert erased(site, "registry") == 1
    for path, raw in kept.items():  # as somebody who kept a copy of the disk has it
        path.write_bytes(raw)
        with pytest.raises(Erased):
            site.blobs.get(path.name.removesuffix(".sealed"))
    law(site)


def test_a_move_that_was_killed_is_finished_by_the_next_one(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    study = sealed_pair(site, monkeypatch)
    site.projects.move(study, "registry", reason="it is of the registry", who=ANNA)
    assert site.blobs.keyring is not None and site.blobs.keyring.project_of(study) == "registry"
    with pytest.raises(Refused, match="there already"):
        site.projects.move(study, "registry", reason="it is of the registry", who=ANNA)
    assert len(site.journal.since(kinds=(Kind.STUDY_HOMED,), subject=study)) == 2, "it arrived, and moved once"


def test_an_open_study_is_sealed_by_its_move_and_a_sealed_one_is_not_laid_open(site: Site, tmp_path: Path) -> None:
    admitted(site)
    site.sealing.seal("trial", who=ANNA)
    (some,) = {read_header(f).uid for f in files(9, patient="CANARY")}
    site.receive(files(9, patient="CANARY"), sender="CT2", who=Person("CT2", Role.SERVICE, "aet"))
    said_of(site, some)
    assert len(clear(tmp_path / "a" / "blobs")) == 6
    site.projects.move(some, "trial", reason="it is of the trial", who=ANNA)
    assert clear(tmp_path / "a" / "blobs") == [] and readable(site, some)
    with pytest.raises(Refused, match="does not lay open"):
        site.projects.move(some, "house", reason="it is not", who=ANNA)
    assert erased(site, "trial") == 1
    other = files(11)
    site.receive(other, sender="CT2", who=Person("CT2", Role.SERVICE, "aet"))
    with pytest.raises(Refused, match="destroyed"):
        site.projects.move(read_header(other[0]).uid, "trial", reason="it is of the trial", who=ANNA)


def test_the_key_of_a_project_is_not_destroyed_while_a_study_elsewhere_needs_it(site: Site) -> None:
    admitted(site)
    site.sealing.seal("trial", who=ANNA)
    study = given(site)  # moved by an edition that let it go where nothing is sealed
    told = {"project": "house", "was": "trial", "reason": "moved long ago"}
    site.journal.append(Event(Kind.STUDY_HOMED, site.clock(), "anna", study, told))
    site.sealing.ask_erasure("trial", what="project", reason="it is over", who=ANNA)
    with pytest.raises(Refused, match="still need it"):
        site.sealing.erase("trial", what="project", who=BERT)
    assert readable(site, study)


def test_nobody_erases_in_a_project_that_they_are_not_in(site: Site) -> None:
    joined(site, "anna", Role.ADMIN)
    joined(site, "bert", Role.READER)
    site.sealing.seal("trial", who=ANNA)
    study, carl = given(site), Person("carl", Role.ADMIN)
    for what, subject in (("study", study), ("project", "trial")):
        with pytest.raises(NotFound):
            site.sealing.ask_erasure(subject, what=what, reason="withdrawn", who=carl)
        site.sealing.ask_erasure(subject, what=what, reason="withdrawn", who=ANNA)
        with pytest.raises(NotFound):
            site.sealing.erase(subject, what=what, who=carl)
        with pytest.raises((Forbidden, NotFound)):
            site.sealing.erase(subject, what=what, who=BERT)
    assert readable(site, study)
