"""A critical result that was signed and told to nobody goes on asking: first its signer, past its time everybody.

Signing does not wait for a telephone that nobody answers; the report then says why nobody was told yet. From that
moment the result is open. When somebody is told it closes; when its time has passed first, it is escalated: once, in
the journal, and on every reader's list until somebody is told. The shipped time is an hour, the longest that the
category of immediate danger allows (ACR Actionable Reporting Work Group, Larson 2014: within minutes).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from isocenter.errors import NotFound, Refused
from isocenter.reading.critical import Communication, whole
from isocenter.record import Event, Kind, Sealed, to_plain

__all__ = ["KINDS", "WITHIN", "Open", "escalated", "follow", "overdue", "tell"]

WITHIN = timedelta(minutes=60)
"""Within which time after the signature somebody should have been told, until a site says otherwise."""

KINDS = (Kind.REPORT_SIGNED, Kind.REPORT_AMENDED, Kind.CRITICAL_TOLD, Kind.CRITICAL_ESCALATED)


@dataclass(frozen=True)
class Open:
    """A signed study with critical findings of which nobody was told.

    Args:
        findings: tracking identity -> what it is.
        by, signed: who signed it and when; aware.
        why: why nobody was told yet.
        escalated: when its time had passed and everybody was asked; None before.
    """

    study: str
    findings: Mapping[str, str]
    by: str
    signed: datetime
    why: str
    escalated: datetime | None = None


def follow(known: Mapping[str, Open], events: Iterable[Sealed]) -> dict[str, Open]:
    """What is open after these events: study -> what nobody was told of."""
    held = dict(known)
    for sealed in events:
        event = sealed.event
        if event.kind in (Kind.REPORT_SIGNED, Kind.REPORT_AMENDED):
            erased = "sealed" in event.details  # nobody could be told of what
            left = {str(c["finding"]): str(c["what"]) for c in event.details.get("critical", ()) if not erased}
            before = held.pop(event.subject, None)
            if left:
                signed = before.signed if before else event.time  # an amendment does not begin the time anew
                why, asked = str(event.details.get("untold", "")), before.escalated if before else None
                held[event.subject] = Open(event.subject, left, event.who, signed, why, asked)
        elif event.kind is Kind.CRITICAL_TOLD and event.subject in held:
            told = {one["finding"] for one in event.details["told"]}
            left = {t: w for t, w in held[event.subject].findings.items() if t not in told}
            if left:
                held[event.subject] = replace(held[event.subject], findings=left)
            else:
                del held[event.subject]
        elif event.kind is Kind.CRITICAL_ESCALATED and event.subject in held:
            held[event.subject] = replace(held[event.subject], escalated=event.time)
    return held


def overdue(known: Iterable[Open], now: datetime, within: timedelta = WITHIN) -> list[Open]:
    """Those whose time has passed, the oldest first."""
    return sorted((one for one in known if now - one.signed >= within), key=lambda one: one.signed)


def escalated(one: Open, who: str, now: datetime) -> Event:
    """That everybody is asked now."""
    details: dict[str, Any] = {"findings": dict(one.findings), "signed_by": one.by, "signed": one.signed.isoformat()}
    return Event(Kind.CRITICAL_ESCALATED, now, who, one.study, details)


def tell(one: Open | None, told: Sequence[Communication], who: str, now: datetime) -> Event:
    """That somebody was told after the signature.

    Raises:
        NotFound: nothing critical of this study is open, or none of these findings.
        Refused: a field of the communication is empty or wrong, or none is given.
    """
    if one is None:
        raise NotFound(
            "a critical result of this study that is open",
            "it was told, or never was critical",
            "nothing is left to do, or mark the finding as urgent",
        )
    if not told:
        raise Refused("a communication of nothing", "nobody was told", "name the finding and who was told")
    for each in told:
        whole(each, now)
        if each.finding not in one.findings:
            raise NotFound("an open critical finding of that name", "it was told already", "load the page again")
    return Event(Kind.CRITICAL_TOLD, now, who, one.study, {"told": [to_plain(each) for each in told]})
