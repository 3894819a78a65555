"""One person stops an analysis everywhere; another starts it again. Who, when and why stands in the journal.

A stopped analysis is not run on any study, raises none on the worklist, and nothing of it leaves the house unconfirmed;
what it has said before carries the mark. Safer is one step, riskier is two people: a stop is one press, its reason may
follow, and for five seconds whoever pressed can take it back; after that it takes somebody else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from isocenter.errors import NotFound, Refused, WrongState
from isocenter.record import Event, Kind, Sealed

__all__ = ["KINDS", "UNDO", "Stop", "after", "explain", "resume", "stop", "undo"]

KINDS = (Kind.ANALYSIS_STOPPED, Kind.STOP_EXPLAINED, Kind.ANALYSIS_RESUMED)
"""Events of which the stops are made; their subject is the analysis."""

UNDO = timedelta(seconds=5)
"""How long whoever stopped something can take it back: enough for a slip of the finger, too little for a doubt."""

_ON_THE_WAY = timedelta(seconds=1)  # what is pressed in time may come a little later


@dataclass(frozen=True)
class Stop:
    """That an analysis is stopped: by whom, when, and why.

    Args:
        reason: empty while whoever stopped it has not said it.
        model: by whose stop it stopped, where a model was stopped.
    """

    analysis: str
    by: str
    when: datetime
    reason: str
    model: str = ""

    def told(self) -> dict[str, str]:
        """As pages get it."""
        return {"analysis": self.analysis, "by": self.by, "when": self.when.isoformat(), "reason": self.reason}

    def sentence(self) -> str:
        """In words, for whoever asks why nothing comes."""
        return f"stopped by {self.by}, {self.when:%Y-%m-%d %H:%M} UTC: {self.reason or 'they have not said why yet'}"


def after(stops: Mapping[str, Stop], events: Iterable[Sealed]) -> dict[str, Stop]:
    """The stops as these events leave them: analysis -> its stop."""
    known = dict(stops)
    for sealed in events:
        event = sealed.event
        if event.kind is Kind.ANALYSIS_STOPPED:
            said = str(event.details["reason"]), str(event.details.get("model", ""))
            known[event.subject] = Stop(event.subject, event.who, event.time, *said)
        elif event.kind is Kind.STOP_EXPLAINED:
            if event.subject in known:
                known[event.subject] = replace(known[event.subject], reason=str(event.details["reason"]))
        elif event.kind is Kind.ANALYSIS_RESUMED:
            known.pop(event.subject, None)
    return known


def stop(stops: Mapping[str, Stop], analysis: str, *, reason: str, who: str, now: datetime, model: str = "") -> Event:
    """Stop one analysis: one person and one act are enough.

    Args:
        reason: may follow (`explain`): nobody has to find words before a machine that errs is silent.
        model: by whose stop it stops, where a model was stopped.

    Raises:
        WrongState: it is stopped already.
    """
    if analysis in stops:
        raise WrongState(
            f"{analysis} is {stops[analysis].sentence()}",
            "it is stopped already",
            "nothing is left to do; another person can start it again",
        )
    return Event(Kind.ANALYSIS_STOPPED, now, who, analysis, {"reason": reason.strip(), **_of(model)})


def explain(
    stops: Mapping[str, Stop], analysis: str, *, reason: str, who: str, now: datetime, model: str = ""
) -> Event:
    """Say why it was stopped, once, as the person who stopped it.

    Raises:
        NotFound: it is not stopped.
        Refused: by another person, or in no words.
        WrongState: the reason stands already.
    """
    held = _held(stops, analysis)
    if held.by != who:
        raise Refused(f"a reason by {who} for what {held.by} stopped", "only they know why", f"ask {held.by}")
    if held.reason:
        raise WrongState(
            f"{analysis} is {held.sentence()}", "its reason is recorded, and stays", "nothing is left to do"
        )
    if not reason.strip():
        raise Refused("a stop without a reason", "whoever wonders why it is silent must find out", "say why")
    return Event(Kind.STOP_EXPLAINED, now, who, analysis, {"reason": reason.strip(), **_of(model)})


def undo(stops: Mapping[str, Stop], analysis: str, *, who: str, now: datetime, model: str = "") -> Event:
    """Take a stop back that one pressed by a slip: the same person, within five seconds.

    Raises:
        NotFound: it is not stopped.
        Refused: by another person, or later.
    """
    held = _held(stops, analysis)
    if held.by != who:
        raise Refused(
            f"{held.by}'s stop of {analysis}, taken back by {who}", "only who pressed it can say that it was a slip",
            "start it again with a reason",
        )  # fmt: skip
    if not timedelta() <= now - held.when <= UNDO + _ON_THE_WAY:
        raise Refused(
            f"{analysis} stopped and started again by {who}",
            f"{UNDO.seconds} seconds have passed, and what shows more of a machine takes two people",
            "ask somebody else to start it again",
        )  # fmt: skip
    details = {"reason": "taken back at once by who had stopped it", "undone": True}
    return Event(Kind.ANALYSIS_RESUMED, now, who, analysis, {**details, **_since(held), **_of(model)})


def resume(stops: Mapping[str, Stop], analysis: str, *, reason: str, who: str, now: datetime, model: str = "") -> Event:
    """Start it again: somebody else than who stopped it, with a reason.

    Raises:
        NotFound: it is not stopped.
        Refused: by the same person, or without a reason.
    """
    held = _held(stops, analysis)
    if held.by == who:
        raise Refused(
            f"{analysis} stopped and started again by {who}", "what shows more of a machine takes two people",
            "ask somebody else to start it again",
        )  # fmt: skip
    if not reason.strip():
        raise Refused("starting it again without a reason", "it was stopped for one", "say what has changed")
    return Event(Kind.ANALYSIS_RESUMED, now, who, analysis, {"reason": reason.strip(), **_since(held), **_of(model)})


def _held(stops: Mapping[str, Stop], analysis: str) -> Stop:
    if analysis not in stops:
        raise NotFound(f"a stop of {analysis}", "it is not stopped", "load the page again")
    return stops[analysis]


def _since(held: Stop) -> dict[str, str]:
    return {"stopped_by": held.by, "stopped": held.when.isoformat()}


def _of(model: str) -> dict[str, str]:
    return {"model": model} if model else {}
