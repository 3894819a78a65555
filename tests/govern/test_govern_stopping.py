"""One stops, another starts again; each refusal once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from isocenter.errors import NotFound, Refused, WrongState
from isocenter.govern.stopping import after, resume, stop
from isocenter.record import Event, Kind, Sealed

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def sealed(*events: Event) -> list[Sealed]:
    return [Sealed(n, "", event, "") for n, event in enumerate(events, 1)]


def test_one_person_stops_and_another_starts_again() -> None:
    event = stop({}, "brain_bleed", reason=" misses bleeds ", who="ito", now=NOON)
    stops = after({}, sealed(event))
    assert stops["brain_bleed"].sentence() == "stopped by ito, 2026-11-20 12:00 UTC: misses bleeds"
    with pytest.raises(WrongState, match="stopped by ito"):
        stop(stops, "brain_bleed", reason="again", who="lee", now=NOON)
    with pytest.raises(Refused, match="started again by ito"):
        resume(stops, "brain_bleed", reason="mended", who="ito", now=NOON)
    with pytest.raises(Refused, match="without a reason"):
        resume(stops, "brain_bleed", reason=" ", who="lee", now=NOON)
    again = resume(stops, "brain_bleed", reason="mended", who="lee", now=NOON, model="bleed_net")
    assert (again.details["stopped_by"], again.details["model"]) == ("ito", "bleed_net")
    assert after(stops, sealed(again)) == {}


def test_what_is_not_stopped_is_not_started_and_a_stop_says_why() -> None:
    with pytest.raises(NotFound):
        resume({}, "brain_bleed", reason="x", who="lee", now=NOON)
    with pytest.raises(Refused, match="without a reason"):
        stop({}, "brain_bleed", reason="", who="lee", now=NOON)
    other = Event(Kind.MODE_SET, NOON, "ito", "brain_bleed", {})
    assert after({}, sealed(other)) == {}
