"""What cannot wait is told to a person, with six fields, or it is said why not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from isocenter.errors import Refused, WrongState
from isocenter.reading.critical import Communication, check, critical
from isocenter.record import Code, Finding, Origin, Outcome, Result, Urgency, Verdict, codes

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


def test_a_person_says_of_what_they_found_themselves_that_it_cannot_wait() -> None:
    own = replace(
        latest(Verdict.ADDED, Urgency.ROUTINE)[0][1].findings[0], what=Code("121071", "DCM", "Finding"), words="Air"
    )
    said = [("r", replace(latest()[0][1], findings=(own,), urgency=Urgency.ROUTINE))]
    assert critical(said) == [] and critical(said, ["a"]) == [own]
    check(said, [], untold="", now=NOON)
    check(said, [TOLD], untold="", now=NOON, urgent=["a"])
    with pytest.raises(WrongState, match="critical and told to nobody: Air"):
        check(said, [], untold="", now=NOON, urgent=["a"])
    with pytest.raises(Refused, match="urgent finding 'b'"):
        check(said, [], untold="", now=NOON, urgent=["a", "b"])
    with pytest.raises(Refused, match="urgent finding 'a'"):
        check(latest(Verdict.STRUCK, Urgency.SOON), [], untold="", now=NOON, urgent=["a"])


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
