"""One person stops an analysis everywhere; another starts it again. Who, when and why stands in the journal.

A stopped analysis is not run on any study, raises none on the worklist, and nothing of it leaves the house unconfirmed;
what it has said before carries the mark. Safer is one step, riskier is two people.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from isocenter.errors import NotFound, Refused, WrongState
from isocenter.record import Event, Kind, Sealed

__all__ = ["KINDS", "Stop", "after", "resume", "stop"]

KINDS = (Kind.ANALYSIS_STOPPED, Kind.ANALYSIS_RESUMED)
"""Events of which the stops are made; their subject is the analysis."""


@dataclass(frozen=True)
class Stop:
    """That an analysis is stopped: by whom, when, and why."""

    analysis: str
    by: str
    when: datetime
    reason: str

    def sentence(self) -> str:
        """In words, for whoever asks why nothing comes."""
        return f"stopped by {self.by}, {self.when:%Y-%m-%d %H:%M} UTC: {self.reason}"


def after(stops: Mapping[str, Stop], events: Iterable[Sealed]) -> dict[str, Stop]:
    """The stops as these events leave them: analysis -> its stop."""
    known = dict(stops)
    for sealed in events:
        event = sealed.event
        if event.kind is Kind.ANALYSIS_STOPPED:
            known[event.subject] = Stop(event.subject, event.who, event.time, str(event.details["reason"]))
        elif event.kind is Kind.ANALYSIS_RESUMED:
            known.pop(event.subject, None)
    return known


def stop(stops: Mapping[str, Stop], analysis: str, *, reason: str, who: str, now: datetime, model: str = "") -> Event:
    """Stop one analysis: one person and one act are enough.

    Args:
        model: by whose stop it stops, where a model was stopped.

    Raises:
        WrongState: it is stopped already.
        Refused: no reason is given.
    """
    if analysis in stops:
        raise WrongState(f"{analysis} is {stops[analysis].sentence()}", "it is stopped already")
    if not reason.strip():
        raise Refused("a stop without a reason", "whoever wonders why it is silent must find out", "say why")
    return Event(Kind.ANALYSIS_STOPPED, now, who, analysis, {"reason": reason.strip(), **_of(model)})


def resume(stops: Mapping[str, Stop], analysis: str, *, reason: str, who: str, now: datetime, model: str = "") -> Event:
    """Start it again: somebody else than who stopped it, with a reason.

    Raises:
        NotFound: it is not stopped.
        Refused: by the same person, or without a reason.
    """
    held = stops.get(analysis)
    if held is None:
        raise NotFound(f"a stop of {analysis}", "it is not stopped", "load the page again")
    if held.by == who:
        raise Refused(
            f"{analysis} stopped and started again by {who}", "what shows more of a machine takes two people",
            "ask somebody else to start it again",
        )  # fmt: skip
    if not reason.strip():
        raise Refused("starting it again without a reason", "it was stopped for one", "say what has changed")
    details = {"reason": reason.strip(), "stopped_by": held.by, "stopped": held.when.isoformat(), **_of(model)}
    return Event(Kind.ANALYSIS_RESUMED, now, who, analysis, details)


def _of(model: str) -> dict[str, str]:
    return {"model": model} if model else {}
