"""What cannot wait is told to a person, with six fields, or it is said why not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from isocenter.errors import Refused, WrongState
from isocenter.reading.critical import Communication, check, critical
from isocenter.record import Finding, Origin, Outcome, Result, Urgency, Verdict, codes

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
BLEED = Finding(codes.LESION, 0.9, tracking="a", verdict=Verdict.KEPT)
TOLD = Communication("a", NOON - timedelta(minutes=9), "ito", "Dr Lee, ward 3", NOON, "telephone", True)


def latest(verdict: Verdict = Verdict.KEPT, urgency: Urgency = Urgency.NOW) -> list[tuple[str, Result]]:
    found = replace(BLEED, verdict=verdict)
    return [("r", Result("1", Outcome.FOUND, Origin("person", "ito"), NOON, findings=(found,), urgency=urgency))]


def test_what_a_person_let_stand_and_may_not_wait_is_critical() -> None:
    assert [f.tracking for f in critical(latest())] == ["a"]
    assert critical(latest(Verdict.CHANGED))
    for verdict in (Verdict.STRUCK, Verdict.UNDECIDED):
        assert critical(latest(verdict)) == []
    assert critical(latest(urgency=Urgency.SOON)) == []


def test_told_or_said_why_not_or_refused() -> None:
    check(latest(), [TOLD], untold="", now=NOON)
    check(latest(), [], untold="nobody answers", now=NOON)
    check(latest(), [], untold="", now=NOON, before=["a"])
    check(latest(Verdict.STRUCK), [], untold="", now=NOON)
    with pytest.raises(WrongState, match="critical and told to nobody: Lesion"):
        check(latest(), [], untold="  ", now=NOON)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"recipient": " "}, "without recipient"),
        ({"communicator": ""}, "without communicator"),
        ({"method": "shouting"}, "'shouting'"),
        ({"received": NOON - timedelta(minutes=10)}, "after it is identified"),
        ({"received": NOON + timedelta(minutes=1)}, "not in the future"),
        ({"identified": datetime(2026, 11, 20)}, "without a zone"),
        ({"finding": "z"}, "finding 'z'"),
    ],
)
def test_communications_that_are_not_whole_are_refused(change: Any, words: str) -> None:
    with pytest.raises(Refused, match=words):
        check(latest(), [replace(TOLD, **change)], untold="", now=NOON)
