"""A cohort handed out by the page: planned, made, taken as one file, stopped, refused, and gone after a day."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.data import get_testdata_file

from isocenter.app import open_house
from isocenter.errors import Forbidden, LimitReached, NotFound, Refused, Unavailable, WrongState
from isocenter.govern.consent import Purpose
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.record import Kind
from isocenter.settings import Settings
from isocenter.site.hand_outs import KEPT, HandOuts
from isocenter.site.verbs import Site

LEE, ITO = Person("lee", Role.RESEARCHER), Person("ito", Role.RESEARCHER)
WHY = "a rare disease, EC-12"
PATIENTS = ("P1", "P2", "P3")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    house = open_house(Settings(folder=tmp_path / "archive"), make=True, apart=False)
    for number, patient in enumerate(PATIENTS, 1):
        ds = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
        ds.PatientID, ds.PatientName, ds.PatientAge, ds.PatientSex = patient, f"Quxley^{patient}", "041Y", "F"
        ds.StudyInstanceUID, ds.SeriesInstanceUID = f"1.2.{number}", f"1.2.{number}.1"
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"1.2.{number}.1.1"
        held = io.BytesIO()
        ds.save_as(held)
        list(house.site.receive([held.getvalue()], sender="CT", who=HOUSE))
        house.site.consents.give({"GRU": []}, patient=patient, issuer=ds.get("IssuerOfPatientID", ""), who=HOUSE)
    yield house.site
    house.close()


@pytest.fixture
def runs(site: Site, tmp_path: Path) -> Iterator[HandOuts]:
    made = HandOuts(site, lambda: site.clock(), base=tmp_path, workers=1)
    yield made
    made.close()


def frozen(site: Site) -> str:
    use = site.consents.use(Purpose.RESEARCH, who=HOUSE)
    return site.cohorts.freeze("three", "modality:CT", use=use, who=HOUSE)


def until(look: Callable[[], Any]) -> Any:
    end = time.monotonic() + 60
    while not (said := look()):
        assert time.monotonic() < end, "it did not end"
        threading.Event().wait(0.01)
    return said


def ended(runs: HandOuts, id: str, who: Person = LEE) -> dict[str, Any]:
    told: dict[str, Any] = until(
        lambda: state if (state := runs.state(id, who=who))["state"] in ("done", "refused") else None
    )
    return told


def test_what_would_leave_is_told_first_and_then_leaves_as_one_file(site: Site, runs: HandOuts, tmp_path: Path) -> None:
    id = frozen(site)
    site.consents.withdraw(patient="P3", issuer=site.index.study("1.2.3").patient.issuer, who=HOUSE)
    plan = runs.plan(id, Purpose.RESEARCH, who=LEE, ethics="EC-12")
    assert (plan["name"], plan["studies"], plan["of"], plan["people"], plan["before"]) == ("three", 2, 3, 2, [])
    assert [one["studies"] for one in plan["left_out"]] == [1] and "withdrawn" in plan["left_out"][0]["why"]
    assert not site.journal.since(kinds=(Kind.EXPORTED,)), "to ask records nothing"
    run = runs.begin(id, Purpose.RESEARCH, who=LEE, smallest_group=2, reason=WHY)
    assert runs.plan(id, Purpose.RESEARCH, who=LEE)["running"] == run["id"]
    told = ended(runs, run["id"])
    assert (told["state"], told["done"], told["of"]) == ("done", 2, 2), told["words"]
    assert [row["study"] for row in told["left"]] == ["1.2.3"]
    with zipfile.ZipFile(runs.file(run["id"], who=LEE)) as held:
        names = held.namelist()
        report = json.loads(held.read("report.json"))
        assert len([n for n in names if n.endswith(".dcm")]) == 2 and "studies.csv" in names
        assert not any(b"Quxley" in held.read(n) for n in names)
    assert report == told["report"] and report["risk"]["smallest_group"] == 2
    assert {s.event.subject for s in site.journal.since(kinds=(Kind.EXPORTED,))} == {"1.2.1", "1.2.2"}
    (before,) = runs.plan(id, Purpose.RESEARCH, who=ITO)["before"]
    assert (before["by"], before["studies"], before["smallest_group"]) == ("lee", 2, 2)
    with pytest.raises(NotFound):
        runs.state(run["id"], who=ITO)
    runs.remove(run["id"], who=LEE)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["archive"]


def test_a_refusal_is_told_and_leaves_nothing(site: Site, runs: HandOuts) -> None:
    id = frozen(site)
    run = runs.begin(id, Purpose.RESEARCH, who=LEE)
    told = ended(runs, run["id"])
    assert told["state"] == "refused" and "a group of 3 patients" in told["words"] and told["bytes"] is None
    with pytest.raises(WrongState, match="a hand-out that is refused"):
        runs.file(run["id"], who=LEE)
    assert not site.journal.since(kinds=(Kind.EXPORTED, Kind.COHORT_EXPORTED))
    again = runs.begin(id, Purpose.RESEARCH, who=LEE, reason="a rare disease, EC-12")
    assert ended(runs, again["id"])["state"] == "done"
    with pytest.raises(LimitReached, match="2 cohorts on their way"):
        runs.begin(id, Purpose.RESEARCH, who=LEE, reason=WHY)
    with pytest.raises(Refused, match="a smallest group of 1 without a reason"):
        runs.begin(id, Purpose.RESEARCH, who=LEE, smallest_group=1)


def test_copies_that_are_ready_go_as_soon_as_consent_to_one_of_them_is_withdrawn(site: Site, runs: HandOuts) -> None:
    id = frozen(site)
    run = runs.begin(id, Purpose.RESEARCH, who=LEE, smallest_group=2, reason=WHY)
    assert ended(runs, run["id"])["state"] == "done"
    held = runs.file(run["id"], who=LEE)
    site.consents.withdraw(patient="P3", issuer=site.index.study("1.2.3").patient.issuer, who=HOUSE)
    with pytest.raises(WrongState, match=r"Terms of use of 1 of the studies ended"):
        runs.file(run["id"], who=LEE)
    told = runs.state(run["id"], who=LEE)
    assert told["state"] == "refused" and told["report"] is None and not held.exists()
    runs.remove(run["id"], who=LEE)
    again = runs.begin(id, Purpose.RESEARCH, who=LEE, smallest_group=2, reason=WHY)
    assert ended(runs, again["id"])["done"] == 2
    held = runs.file(again["id"], who=LEE)
    site.consents.withdraw(patient="P2", issuer=site.index.study("1.2.2").patient.issuer, who=HOUSE)
    runs.expire()
    assert not held.exists(), "nobody has to ask for them"


def test_who_may_not_and_a_purpose_that_nobody_gave_begin_nothing(site: Site, runs: HandOuts, tmp_path: Path) -> None:
    id = frozen(site)
    for verb in (runs.plan, runs.begin):
        with pytest.raises(Forbidden):
            verb(id, Purpose.RESEARCH, who=Person("s", Role.SERVICE))
        with pytest.raises(NotFound):
            verb("0" * 64, Purpose.RESEARCH, who=LEE)
    for patient in PATIENTS:
        site.consents.withdraw(patient=patient, issuer=site.index.study("1.2.1").patient.issuer, who=HOUSE)
    assert runs.plan(id, Purpose.TRAINING, who=LEE)["studies"] == 0
    with pytest.raises(Refused, match="a cohort of nobody"):
        runs.begin(id, Purpose.TRAINING, who=LEE)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["archive"]


def test_what_is_stopped_while_copies_are_made_leaves_nothing_and_no_entry(
    site: Site, runs: HandOuts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, go_on, files = threading.Event(), threading.Event(), site._files

    def slow(study_uid: str, *given: Any) -> Iterator[Any]:
        reached.set()
        go_on.wait(20)
        yield from files(study_uid, *given)

    monkeypatch.setattr(site, "_files", slow)
    run = runs.begin(frozen(site), Purpose.RESEARCH, who=LEE, smallest_group=1, reason=WHY)
    assert reached.wait(20) and runs.state(run["id"], who=LEE)["state"] == "running"
    runs.remove(run["id"], who=LEE)
    go_on.set()
    runs.close()
    runs._pool.shutdown(wait=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["archive"]
    assert not site.journal.since(kinds=(Kind.EXPORTED, Kind.COHORT_EXPORTED))


@pytest.mark.parametrize("how", ["closed", "another role", "let go", "withdrawn"])
def test_who_loses_the_right_while_copies_are_made_has_none_and_no_entry(
    site: Site, runs: HandOuts, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    lee_works_here(site)
    lost, files = threading.Event(), site._files

    def last(study_uid: str, *given: Any) -> Iterator[Any]:
        yield from files(study_uid, *given)
        if study_uid != "1.2.3":
            return
        if how == "closed":
            site.change_person("lee", closed=True, who=HOUSE)
        elif how == "another role":
            site.change_person("lee", role=Role.PLANNER, who=HOUSE)
        elif how == "let go":
            site.projects.join("house", "lee", Role.NONE, who=HOUSE)
        else:
            site.consents.withdraw(patient="P1", issuer=site.index.study("1.2.1").patient.issuer, who=HOUSE)
        lost.set()

    monkeypatch.setattr(site, "_files", last)
    run = runs.begin(frozen(site), Purpose.RESEARCH, who=LEE, smallest_group=1, reason=WHY)
    told = ended(runs, run["id"])
    assert lost.is_set() and told["state"] == "refused" and told["bytes"] is None, told["words"]
    assert not site.journal.since(kinds=(Kind.EXPORTED, Kind.COHORT_EXPORTED))
    assert not list(runs._base.rglob("*.dcm"))


def test_copies_that_nobody_takes_go_after_a_day(site: Site, runs: HandOuts) -> None:
    run = runs.begin(frozen(site), Purpose.RESEARCH, who=LEE, smallest_group=1, reason=WHY)
    assert ended(runs, run["id"])["bytes"] > 0
    clock = site.clock
    site.clock = lambda: clock() + KEPT - timedelta(minutes=1)
    runs.expire()
    assert runs.state(run["id"], who=LEE)["state"] == "done"
    site.clock = lambda: clock() + 2 * KEPT
    runs.expire()
    with pytest.raises(NotFound):
        runs.state(run["id"], who=LEE)


def test_an_image_that_waits_for_a_person_leaves_once_they_have_looked(site: Site, runs: HandOuts) -> None:
    ds = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    study = site.index.study("1.2.1")
    ds.PatientID, ds.StudyInstanceUID, ds.SeriesInstanceUID = "P1", "1.2.1", "1.2.1.1"
    ds.PatientName, ds.PatientAge, ds.PatientSex = study.patient.name, "041Y", "F"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "1.2.1.1.2"
    ds.BurnedInAnnotation = "YES"
    held = io.BytesIO()
    ds.save_as(held)
    list(site.receive([held.getvalue()], sender="CT", who=HOUSE))
    id = frozen(site)
    first = ended(runs, runs.begin(id, Purpose.RESEARCH, who=LEE, smallest_group=1, reason=WHY)["id"])
    (waits,) = first["left"]
    assert (waits["object"], waits["of"], waits["kind"], waits["leaves"]) == (
        "1.2.1.1.2", "1.2.1", "review", "reviewed",
    )  # fmt: skip
    again = runs.begin(id, Purpose.RESEARCH, who=LEE, smallest_group=1, reason=WHY, reviewed=["1.2.1.1.2"])
    told = ended(runs, again["id"])
    assert told["left"] == [] and told["report"]["written"] == first["report"]["written"] + 1
    said = site.journal.since(subject="1.2.1", kinds=(Kind.EXPORTED,), newest_first=True)[0].event
    assert (said.who, said.details["reviewed"]) == ("lee", ["1.2.1.1.2"])


# ---- kept by a server, and found by the next ---------------------------------------------------------------------

_SERVER = """
import os, signal, sys, threading
from pathlib import Path
from isocenter.app import open_house
from isocenter.govern.consent import Purpose
from isocenter.govern.policy import Person, Role
from isocenter.settings import Settings
from isocenter.site.hand_outs import HandOuts

folder, cohort, when = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
site = open_house(Settings(folder=folder / "archive"), apart=False).site
die = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
if when == "reading":
    site._files = die
elif when == "told":  # the entries are in the journal, and the copies are not yet in their place
    whole = type(site)._write_down
    site._write_down = lambda *given: (whole(site, *given), die())
runs = HandOuts(site, site.clock, workers=1)
runs.keep(folder / "kept")
lee = Person("lee", Role.RESEARCHER)
runs.begin(cohort, Purpose.RESEARCH, who=lee, smallest_group=2, reason="a rare disease, EC-12")
threading.Event().wait(60)
"""


def lee_works_here(site: Site) -> None:
    site.add_person("lee", Role.RESEARCHER, "four quiet herons wade", who=HOUSE)


def next_server(site: Site, tmp_path: Path) -> HandOuts:
    made = HandOuts(site, lambda: site.clock(), base=tmp_path, workers=1)
    made.keep(tmp_path / "kept")
    return made


@pytest.mark.parametrize("when", ["reading", "told"])
def test_a_server_that_is_killed_goes_on_and_hands_nothing_out_twice(site: Site, tmp_path: Path, when: str) -> None:
    lee_works_here(site)
    id = frozen(site)
    died = subprocess.run([sys.executable, "-c", _SERVER, str(tmp_path), id, when], timeout=120, check=False)
    assert died.returncode == -signal.SIGKILL
    before = len(site.journal.since(kinds=(Kind.COHORT_EXPORTED,)))
    assert before == (1 if when == "told" else 0)
    runs = next_server(site, tmp_path)
    try:
        (run,) = (tmp_path / "kept").glob("[0-9a-f]*")
        told = ended(runs, run.name)
        assert told["state"] == "done", told["words"]
        with zipfile.ZipFile(runs.file(run.name, who=LEE)) as held:
            assert len([n for n in held.namelist() if n.endswith(".dcm")]) == 3 and "report.json" in held.namelist()
        subjects = [s.event.subject for s in site.journal.since(kinds=(Kind.EXPORTED,))]
        assert sorted(subjects) == ["1.2.1", "1.2.2", "1.2.3"], "each left once"
        (whole,) = site.journal.since(kinds=(Kind.COHORT_EXPORTED,))
        assert whole.event.details["run"] == run.name
        assert runs.plan(id, Purpose.RESEARCH, who=LEE)["running"] == run.name, "the page finds it again"
        runs.remove(run.name, who=LEE)
        assert not run.exists()
    finally:
        runs.close()


def test_what_is_ready_stays_over_a_restart_unless_consent_was_withdrawn_meanwhile(site: Site, tmp_path: Path) -> None:
    lee_works_here(site)
    id = frozen(site)
    first = next_server(site, tmp_path)
    run = first.begin(id, Purpose.RESEARCH, who=LEE, smallest_group=1, reason=WHY)["id"]
    assert ended(first, run)["state"] == "done"
    with pytest.raises(Unavailable, match="the hand-outs in"):  # only one server keeps them
        next_server(site, tmp_path)
    data = first.file(run, who=LEE).read_bytes()
    first.close()
    second = next_server(site, tmp_path)
    assert second.file(run, who=LEE).read_bytes() == data
    second.close()
    site.consents.withdraw(patient="P3", issuer=site.index.study("1.2.3").patient.issuer, who=HOUSE)
    third = next_server(site, tmp_path)
    with pytest.raises(WrongState, match=r"Terms of use of 1 of the studies ended"):
        third.file(run, who=LEE)
    assert not list((tmp_path / "kept").rglob("cohort.zip"))
    third.close()
    fourth = next_server(site, tmp_path)  # what is refused stays so, and says why
    assert "terms of use" in fourth.state(run, who=LEE)["words"].lower()
    fourth.close()
    assert len(site.journal.since(kinds=(Kind.COHORT_EXPORTED,))) == 1


def test_what_was_lost_or_is_no_longer_theirs_is_said_and_not_made_again(site: Site, tmp_path: Path) -> None:
    lee_works_here(site)
    id = frozen(site)
    first = next_server(site, tmp_path)
    run = first.begin(id, Purpose.RESEARCH, who=LEE, smallest_group=1, reason=WHY)["id"]
    assert ended(first, run)["state"] == "done"
    first.close()
    place = tmp_path / "kept" / run
    (place / "cohort.zip").unlink()  # somebody tidied up
    second = next_server(site, tmp_path)
    told = second.state(run, who=LEE)
    assert told["state"] == "refused" and "not on this server any more" in told["words"] and told["bytes"] is None
    second.close()
    told = json.loads((place / "asked.json").read_text())
    (place / "asked.json").write_text(json.dumps({**told, "state": "running"}))
    third = next_server(site, tmp_path)
    told = ended(third, run)
    assert told["state"] == "refused" and "hand the cohort out anew" in told["words"]
    third.close()
    assert len(site.journal.since(kinds=(Kind.COHORT_EXPORTED,))) == 1, "nothing was handed out again"
    (tmp_path / "kept" / "junk").mkdir()
    told = json.loads((place / "asked.json").read_text())
    (place / "asked.json").write_text(json.dumps({**told, "state": "waiting", "who": "nobody here"}))
    fourth = next_server(site, tmp_path)
    until(lambda: fourth._runs[run].state == "refused")
    assert "not signed in" in fourth._runs[run].words
    assert not (tmp_path / "kept" / "junk").exists(), "what tells nothing of itself goes"
    fourth.close()
