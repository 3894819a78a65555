"""Take back one's last act, until the signature. Nothing is erased: what was before is said once more.

The journal keeps the act and its undoing; `undoes` names the one by the other, so that an act is undone once and the
next step goes one further back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from isocenter.errors import Conflict, Refused
from isocenter.reading.session import Reading, must_be_mine
from isocenter.record import Event, Kind, Origin, Outcome, Result, Sealed

__all__ = ["Undone", "undo", "words"]


@dataclass(frozen=True)
class Undone:
    """What undoing gives: either a result to keep, or the digest of the draft before.

    Args:
        number: of the event that is undone.
        words: what it was, for the reader.
        result: what says once more what was before.
        report: the draft before; empty where there was none.
    """

    number: int
    words: str
    result: Result | None = None
    report: str = ""


def undo(
    reading: Reading,
    events: Sequence[Sealed],
    latest: Sequence[tuple[str, Result]],
    get: Callable[[str], Result],
    who: str,
    now: datetime,
    *,
    version: int,
) -> tuple[Undone, ...]:
    """Take back the last act that this reader did since they opened the study or locked their opinion.

    One answer to several measurements of a segment is one act, with an event for each result: all of it is taken back.

    Args:
        events: of the study, oldest first.
        latest: (id, Result) that stand now.
        get: a result by its digest, also one that was replaced.

    Raises:
        WrongState: the study is not open with this reader.
        Refused: nothing is left to undo. Nobody was faster, and nobody shall be told so.
        Conflict: another act came first, or stands on the one that would be undone.
    """
    must_be_mine(reading, who, "correct", version)
    act = _last(events, who)
    if answer := str(act.event.details.get("answer", "")):
        parts = [e for e in events if e.event.details.get("answer") == answer and e.event.who == who]
        return tuple(_one(part, events, latest, get, who, now) for part in parts)
    return (_one(act, events, latest, get, who, now),)


def words(act: Event) -> str:
    """What an act was, for the reader who takes it back."""
    if act.kind is Kind.REPORT_DRAFTED:
        return "words of the report"
    said = act.details.get("decision", {})
    return f"{said.get('verdict', 'decision')}: {said.get('what', 'finding')}"


def _one(
    act: Sealed,
    events: Sequence[Sealed],
    latest: Sequence[tuple[str, Result]],
    get: Callable[[str], Result],
    who: str,
    now: datetime,
) -> Undone:
    if act.event.kind is Kind.REPORT_DRAFTED:
        before = [e for e in events if e.number < act.number and e.event.kind in _DRAFTS]
        held = before[-1] if before and before[-1].event.kind is Kind.REPORT_DRAFTED else None
        return Undone(act.number, words(act.event), report=str(held.event.details["report"]) if held else "")
    digest = str(act.event.details["result"])
    head = _head(act, events, get)
    if head not in dict(latest):
        raise Conflict("something was decided on it since", "it would be lost", "load the findings again")
    return Undone(act.number, words(act.event), result=_before(get(digest), head, get, who, now))


_DRAFTS = (Kind.REPORT_DRAFTED, Kind.REPORT_SIGNED, Kind.REPORT_AMENDED)


def _last(events: Sequence[Sealed], who: str) -> Sealed:
    undone: set[int] = set()
    for sealed in reversed(events):
        event = sealed.event
        if event.kind in (Kind.READING_OPENED, Kind.OPINION_LOCKED) and event.who == who:
            break
        if event.who != who or event.kind not in (Kind.RESULT_MADE, Kind.REPORT_DRAFTED):
            continue
        if "undoes" in event.details:
            undone.add(int(event.details["undoes"]))
        elif sealed.number not in undone:
            return sealed
    raise Refused(
        "nothing is left to undo", "no act of yours stands since you opened the study or locked your opinion",
        "change the finding or the words themselves",
    )  # fmt: skip


def _head(act: Sealed, events: Sequence[Sealed], get: Callable[[str], Result]) -> str:
    """What stands in place of an act's result: itself, or the undoing of what was built on it since."""
    undone = {int(e.event.details["undoes"]) for e in events if "undoes" in e.event.details}
    head = str(act.event.details["result"])
    for later in (e for e in events if e.number > act.number and "result" in e.event.details):
        made = str(later.event.details["result"])
        if (later.number in undone or "undoes" in later.event.details) and get(made).replaces == head:
            head = made
    return head


def _before(result: Result, head: str, get: Callable[[str], Result], who: str, now: datetime) -> Result:
    if not result.replaces:  # a finding of the reader's own: it is as if it had not been added
        return Result(result.study_uid, Outcome.NONE, replace(result.origin, parameters={}), now, replaces=head)
    before = get(result.replaces)
    analysis, version, model = before.machine
    of = {"of": {"analysis": analysis, "version": version, "model": model}} if analysis else {}
    drawn = before.origin.parameters.get("drawn") if before.origin.kind == "person" else None
    parameters = {**of, **({"drawn": drawn} if drawn else {})}
    origin = Origin("person", who, parameters=parameters, unaided=result.origin.unaided)
    return replace(before, origin=origin, made=now, replaces=head)
