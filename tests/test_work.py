"""What a house does by itself goes on after a fault, and does what is owed for people as their accounts are now."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from isocenter.errors import NotFound, Unavailable
from isocenter.govern.policy import Role
from isocenter.settings import Settings
from isocenter.site.forward_clock import ForwardClock
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


def test_a_signed_report_is_not_computed_under_again(tmp_path: Any) -> None:
    state = {"state": "signed"}
    site = SimpleNamespace(index=SimpleNamespace(reading=lambda study: state), analyse=lambda study, who: [1, 2])
    work, _ = work_of(site, tmp_path)
    assert work._ask_again("1.2") == 0
    state["state"] = "open"
    assert work._ask_again("1.2") == 2


def test_where_no_jobs_are_taken_nothing_waits(tmp_path: Any) -> None:
    work, _ = work_of(SimpleNamespace(), tmp_path)
    assert not work.begun and work.waiting() == 0 and work.ahead("1.2") is None
