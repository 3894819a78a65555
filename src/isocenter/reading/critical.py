"""A critical result reaches a person who can act, and the record says so: six fields, or why it was not told yet.

The fields are those that accreditation asks of the communication of actionable findings (The Joint Commission
NPSG.02.03.01; ACR Actionable Reporting Work Group, Larson 2014): what was found, when it was identified, who told it,
who received it, when, and by which method. Read-back says that the receiver repeated it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from isocenter.errors import Refused, WrongState
from isocenter.record import Finding, Result, Urgency, Verdict

__all__ = ["METHODS", "Communication", "check", "critical", "left", "named", "whole"]

METHODS = ("in person", "telephone", "secure message", "video")
"""How a critical result may be told. What leaves no sign of having been received is none of them."""

_IN_WORDS = "121071"  # DCM "Finding": what a reader has put in words only


@dataclass(frozen=True)
class Communication:
    """That somebody was told of a critical finding.

    Args:
        finding: its tracking identity.
        identified: when it was seen; aware.
        communicator: who told it.
        recipient: who received it, and what they are to the patient.
        received: when they received it; aware.
        method: one of `METHODS`.
        read_back: the recipient repeated it.
    """

    finding: str
    identified: datetime
    communicator: str
    recipient: str
    received: datetime
    method: str
    read_back: bool = False


def critical(latest: Sequence[tuple[str, Result]], urgent: Collection[str] = ()) -> list[Finding]:
    """Findings that a person let stand and that may not wait: their analysis declares that they are for now, or the
    person says so, of what they found themselves too.

    Args:
        urgent: tracking identities of what the person says cannot wait.
    """
    stands = (Verdict.KEPT, Verdict.CHANGED)
    return [
        f
        for _, r in latest
        for f in r.findings
        if (r.urgency is Urgency.NOW and f.verdict in stands)
        or (f.tracking in urgent and f.verdict in (*stands, Verdict.ADDED))
    ]


def check(
    latest: Sequence[tuple[str, Result]], told: Sequence[Communication], *, untold: str, now: datetime,
    before: Collection[str] = (), urgent: Collection[str] = (),
) -> None:  # fmt: skip
    """Every critical finding was told, with all six fields, or it is said why it is not told yet.

    Args:
        untold: why somebody could not be told yet.
        before: findings of which an earlier version of the report says that they were told.
        urgent: findings of which the signer says that they cannot wait.

    Raises:
        WrongState: a critical finding was told to nobody and no reason is given.
        Refused: a field is empty, a time lies ahead or in the wrong order, the method is none, or what is said to be
            urgent does not stand in this study.
    """
    known = {f.tracking for _, r in latest for f in r.findings}
    if gone := sorted(set(urgent) - {f.tracking for f in critical(latest, urgent)}):
        raise Refused(f"the urgent finding '{gone[0]}'", "it is none that stands in this study", "name one that does")
    for one in told:
        whole(one, now)
        if one.finding not in known:
            raise Refused(
                f"a communication of finding '{one.finding}'",
                "the study has none of that name",
                "name a finding that stands in the study",
            )
    open_ones = left(latest, told, before=before, urgent=urgent)
    if open_ones and not untold.strip():
        raise WrongState(
            f"critical and told to nobody: {', '.join(named(f) for f in open_ones)}",
            "what cannot wait is told to a person, not only written down",
            "say who was told, when and how, or why nobody could be reached yet",
        )


def left(
    latest: Sequence[tuple[str, Result]], told: Sequence[Communication], *, before: Collection[str] = (),
    urgent: Collection[str] = (),
) -> list[Finding]:  # fmt: skip
    """Critical findings of which nobody was told."""
    known = {one.finding for one in told} | set(before)
    return [f for f in critical(latest, urgent) if f.tracking not in known]


def named(finding: Finding) -> str:
    """What a critical finding is called where it is asked for: its words, where nothing but words says what it is."""
    return finding.words if finding.what.code == _IN_WORDS and finding.words else str(finding.what)


def whole(one: Communication, now: datetime) -> None:
    """All six fields are there and their times make sense.

    Raises:
        Refused: a field is empty, a time lies ahead or in the wrong order, or the method is none.
    """
    empty = [n for n in ("finding", "communicator", "recipient", "method") if not str(getattr(one, n)).strip()]
    if empty:
        raise Refused(f"a communication without {', '.join(empty)}", "all six fields are asked for", "fill them in")
    if one.method not in METHODS:
        raise Refused(f"the method '{one.method}'", "it is none", f"take one of {', '.join(METHODS)}")
    if one.identified.tzinfo is None or one.received.tzinfo is None:
        raise Refused("a time without a zone", "it may be another hour", "give it with its zone")
    if not one.identified <= one.received <= now:
        raise Refused(
            f"identified {one.identified:%H:%M}, received {one.received:%H:%M}",
            "a result is received after it is identified, and not in the future",
            "correct the times",
        )
