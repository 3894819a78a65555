"""Signed and told to nobody: open, then everybody's, then told; by the clock that is passed in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from isocenter.errors import NotFound, Refused
from isocenter.reading.critical import Communication
from isocenter.reading.escalation import WITHIN, Open, escalated, follow, overdue, tell
from isocenter.record import Event, Kind, Sealed

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LATER = NOON + WITHIN


def sealed(*events: Event) -> list[Sealed]:
    return [Sealed(n, "", event, "") for n, event in enumerate(events, 1)]


def signed(*findings: str, kind: Kind = Kind.REPORT_SIGNED, at: datetime = NOON) -> Event:
    left = [{"finding": one, "what": "Pneumothorax"} for one in findings]
    return Event(kind, at, "ito", "1.2", {"report": "r", "untold": "nobody answers", "critical": left})


def call(finding: str, **other: object) -> Communication:
    given: dict[str, object] = {
        "finding": finding, "identified": NOON, "communicator": "ito", "recipient": "Dr Lee, ward 3",
        "received": LATER, "method": "telephone",
    }  # fmt: skip
    return Communication(**(given | other))  # type: ignore[arg-type]


def test_it_is_open_until_somebody_was_told_of_each() -> None:
    held = follow({}, sealed(signed("a", "b")))
    assert held["1.2"] == Open("1.2", {"a": "Pneumothorax", "b": "Pneumothorax"}, "ito", NOON, "nobody answers")
    assert follow({}, sealed(signed())) == {}
    first = tell(held["1.2"], [call("a")], "lee", LATER)
    held = follow(held, sealed(first))
    assert set(held["1.2"].findings) == {"b"}
    assert follow(held, sealed(tell(held["1.2"], [call("b")], "lee", LATER))) == {}


def test_past_its_time_it_is_everybodys_once_and_an_amendment_does_not_begin_anew() -> None:
    held = follow({}, sealed(signed("a")))
    assert overdue(held.values(), LATER - timedelta(seconds=1)) == []
    (late,) = overdue(held.values(), LATER)
    asked = escalated(late, "isocenter", LATER)
    assert (asked.kind, asked.details["signed_by"]) == (Kind.CRITICAL_ESCALATED, "ito")
    held = follow(held, sealed(asked))
    assert held["1.2"].escalated == LATER
    amended = follow(held, sealed(signed("a", kind=Kind.REPORT_AMENDED, at=LATER)))["1.2"]
    assert (amended.signed, amended.escalated) == (NOON, LATER)
    assert follow(held, sealed(signed(kind=Kind.REPORT_AMENDED, at=LATER))) == {}, "the amendment says who was told"


def test_what_is_told_is_whole_and_of_something_open() -> None:
    held = follow({}, sealed(signed("a")))["1.2"]
    with pytest.raises(NotFound):
        tell(None, [call("a")], "lee", LATER)
    with pytest.raises(NotFound):
        tell(held, [call("b")], "lee", LATER)
    with pytest.raises(Refused, match="without recipient"):
        tell(held, [call("a", recipient=" ")], "lee", LATER)
    with pytest.raises(Refused):
        tell(held, [], "lee", LATER)
