"""What a house does by itself goes on after a fault, and does what is owed for people as their accounts are now."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from isocenter.errors import NotFound, Refused, Unavailable
from isocenter.govern.policy import Role
from isocenter.record import Event, Kind
from isocenter.settings import Settings
from isocenter.site.forward_clock import ForwardClock
from isocenter.store import Database, Journal
from isocenter.work import Work


def work_of(site: Any, tmp_path: Any) -> tuple[Work, list[Any]]:
    closing: list[Any] = []
    settings = Settings(folder=tmp_path)
    return Work(settings, site, lambda: datetime(2026, 1, 1, tzinfo=UTC), threading.Event(), closing), closing


def test_a_full_disk_ends_no_watch_and_closing_does(tmp_path: Any) -> None:
    looks, twice, done = [], threading.Event(), threading.Event()

    def full() -> None:
        looks.append("escalated")
        raise Unavailable("the journal", "the disk is full", "free some space")

    def lapse() -> None:
        done.set() if twice.is_set() else twice.set()

    site = SimpleNamespace(
        calls=SimpleNamespace(escalate=full), alerts=SimpleNamespace(look=full),
        forward=ForwardClock(lambda: datetime(2026, 1, 1, tzinfo=UTC)),
        working=SimpleNamespace(lapse=lapse),
    )  # fmt: skip
    work, closing = work_of(site, tmp_path)
    work.escalate(every_s=0.001)
    assert done.wait(20), "one fault ended the watch"
    assert len(looks) >= 4
    closing[0]()
    told = len(looks)
    assert not any(t.name == "escalation" for t in threading.enumerate()) and len(looks) == told


@pytest.mark.parametrize(
    ("row", "role"),
    [
        (None, Role.NONE),
        ({"disabled": True, "role": "reader"}, Role.NONE),
        ({"disabled": False, "role": "reader"}, Role.READER),
    ],
)
def test_a_study_is_fetched_for_somebody_as_their_account_is_now(row: Any, role: Role, tmp_path: Any) -> None:
    asked: list[Any] = []

    def carry_out(study: str, wanted: str, *, peer: str, who: Any) -> int:
        asked.append(who.role)
        raise NotFound(f"study '{study}'", "it is not of your project", "ask for it")

    given_up: list[str] = []
    fetching = SimpleNamespace(carry_out=carry_out, give_up=lambda *_, peer, why, name: given_up.append(name))
    site = SimpleNamespace(index=SimpleNamespace(person=lambda name: row), fetching=fetching)
    work, _ = work_of(site, tmp_path)
    assert work._fetch("1.2", "1.3", "PACS", "ana") == 0
    assert asked == [role] and given_up == ["ana"]


@pytest.mark.parametrize("fault", [Refused("the analysis 'thin'", "stopped by lee"), MemoryError("of a name^here")])
def test_a_run_for_research_that_does_not_come_about_is_told_to_whoever_asked(fault: Exception, tmp_path: Any) -> None:
    told: list[Any] = []

    def research(study: str, analysis: str, *, who: Any) -> Any:
        raise fault

    site = SimpleNamespace(
        index=SimpleNamespace(person=lambda name: {"disabled": False, "role": "reader"}), research=research,
        unresearched=lambda study, analysis, why, *, name: told.append((study, analysis, why, name)),
    )  # fmt: skip
    work, _ = work_of(site, tmp_path)
    if isinstance(fault, Refused):
        assert work._research("1.2", "thin", "ana") == 0
        assert told == [("1.2", "thin", str(fault), "ana")]
    else:
        with pytest.raises(MemoryError):
            work._research("1.2", "thin", "ana")
        assert told == [("1.2", "thin", "it failed: MemoryError", "ana")], "its words may hold what a file said"


def test_a_signed_report_is_not_computed_under_again(tmp_path: Any) -> None:
    state = {"state": "signed"}
    index = SimpleNamespace(reading=lambda study: state)
    site = SimpleNamespace(index=index, analyse=lambda study, **_: [1, 2], drawn_on=lambda study: {})
    work, _ = work_of(site, tmp_path)
    assert work._ask_again("1.2") == 0
    state["state"] = "open"
    assert work._ask_again("1.2") == 2


def test_the_images_on_which_a_study_was_drawn_are_analysed_again_once(tmp_path: Any) -> None:
    looked: list[str] = []

    def analyse(study: str, *, who: Any, told: Any) -> list[Any]:
        looked.append(study)
        return []

    drawn_on = {"2.1": {"1.1": "d" * 64}}
    work, _ = work_of(SimpleNamespace(analyse=analyse, drawn_on=lambda study: drawn_on.get(study, {})), tmp_path)
    work._jobs = jobs = work._promised("A")
    try:
        jobs.start(concurrency=1)
        for _ in range(2):  # the same outlines, asked for twice
            work.again("2.1")
            jobs.drain(30)
        assert looked == ["2.1", "1.1", "2.1"]
        drawn_on["2.1"]["1.1"] = "e" * 64  # more was drawn
        work.again("2.1")
        jobs.drain(30)
        assert looked[3:] == ["2.1", "1.1"]
    finally:
        jobs.close()


def test_how_far_the_analysis_of_a_study_has_come_is_known_while_it_runs(tmp_path: Any) -> None:
    half, go = threading.Event(), threading.Event()

    def analyse(study: str, *, who: Any, told: Any) -> list[Any]:
        for done, name in enumerate(("volumetry", "image_quality")):
            told(name, done, 2)
        half.set()
        assert go.wait(20)
        return []

    work, _ = work_of(SimpleNamespace(analyse=analyse, drawn_on=lambda study: {}), tmp_path)
    work._jobs = jobs = work._promised("A")
    try:
        jobs.start(concurrency=1)
        work.again("1.2")
        assert half.wait(30) and work.running() == {"1.2": 0.5}
        go.set()
        jobs.drain(30)
        assert work.running() == {}
        go.clear(), half.clear()
        work.again("1.2")  # the same once more is a job of another key
        assert half.wait(30) and work.running() == {"1.2": 0.5}
    finally:
        go.set()
        jobs.drain(30)
        jobs.close()


def test_the_end_of_the_journal_is_signed_as_it_grows_and_when_the_house_closes(
    tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(Database(f"sqlite:///{tmp_path}/a.sqlite"))
    site = SimpleNamespace(journal=journal, secret=lambda name: b"s" * 32)
    closing: list[Any] = []
    settings = Settings(folder=tmp_path, journal_ends=tmp_path / "away" / "ends")
    now = datetime(2026, 1, 1, tzinfo=UTC)
    stop = threading.Event()
    work = Work(settings, site, lambda: now, stop, closing)  # type: ignore[arg-type]
    journal.append(Event(Kind.IMAGES_SEEN, now, "ito", "1.2", {}))
    work.sign_ends(every_s=0.001)
    deadline = time.monotonic() + 20
    while not caplog.records:
        assert time.monotonic() < deadline, "a place that is not there is told"
    (tmp_path / "away").mkdir()
    while not (tmp_path / "away" / "ends").exists():
        assert time.monotonic() < deadline, "nothing was signed"
    journal.append(Event(Kind.IMAGES_SEEN, now, "ito", "1.2", {}))
    closing[0]()
    lines = (tmp_path / "away" / "ends").read_text().splitlines()
    assert [json.loads(line)["number"] for line in lines] == [1, 2] and len(caplog.records) == 1


def test_where_no_jobs_are_taken_nothing_waits(tmp_path: Any) -> None:
    work, _ = work_of(SimpleNamespace(), tmp_path)
    assert not work.begun and work.waiting() == 0 and work.ahead("1.2") is None and work.running() == {}
