"""One stops, another starts again; each refusal once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from isocenter.errors import NotFound, Refused, WrongState
from isocenter.govern.stopping import UNDO, after, explain, resume, stop, undo
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


def test_what_is_not_stopped_is_not_started() -> None:
    with pytest.raises(NotFound):
        resume({}, "brain_bleed", reason="x", who="lee", now=NOON)
    other = Event(Kind.MODE_SET, NOON, "ito", "brain_bleed", {})
    assert after({}, sealed(other)) == {}


def test_one_press_stops_and_its_reason_follows_once_by_who_pressed() -> None:
    stops = after({}, sealed(stop({}, "brain_bleed", reason="", who="ito", now=NOON)))
    assert stops["brain_bleed"].sentence().endswith("they have not said why yet")
    with pytest.raises(Refused, match="a reason by lee for what ito stopped"):
        explain(stops, "brain_bleed", reason="it errs", who="lee", now=NOON)
    with pytest.raises(Refused, match="without a reason"):
        explain(stops, "brain_bleed", reason=" ", who="ito", now=NOON)
    with pytest.raises(NotFound):
        explain({}, "brain_bleed", reason="it errs", who="ito", now=NOON)
    stops = after(stops, sealed(explain(stops, "brain_bleed", reason="it errs", who="ito", now=NOON)))
    assert (stops["brain_bleed"].reason, stops["brain_bleed"].when) == ("it errs", NOON)
    with pytest.raises(WrongState, match="its reason is recorded"):
        explain(stops, "brain_bleed", reason="another", who="ito", now=NOON)
    late = explain({**stops, "brain_bleed": stops["brain_bleed"].__class__("brain_bleed", "ito", NOON, "")},
                   "brain_bleed", reason="x", who="ito", now=NOON)  # fmt: skip
    assert after({}, sealed(late)) == {}, "a reason for what is running again stops nothing"


def test_a_slip_is_taken_back_within_five_seconds_by_who_pressed_and_by_nobody_else() -> None:
    stops = after({}, sealed(stop({}, "brain_bleed", reason="", who="ito", now=NOON, model="bleed_net")))
    with pytest.raises(Refused, match="ito's stop of brain_bleed, taken back by lee"):
        undo(stops, "brain_bleed", who="lee", now=NOON)
    for then in (NOON + UNDO + timedelta(seconds=1.1), NOON - timedelta(seconds=1)):
        with pytest.raises(Refused, match="5 seconds have passed"):
            undo(stops, "brain_bleed", who="ito", now=then)
    with pytest.raises(NotFound):
        undo({}, "brain_bleed", who="ito", now=NOON)
    back = undo(stops, "brain_bleed", who="ito", now=NOON + UNDO, model="bleed_net")
    assert back.kind is Kind.ANALYSIS_RESUMED and back.details["undone"] and back.details["model"] == "bleed_net"
    assert after(stops, sealed(back)) == {}
