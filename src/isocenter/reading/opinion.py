"""A reader's first opinion: what they say of a study before any machine is seen, locked with its time and digest.

It is kept for good beside what they sign in the end. The difference is what the machine changed, for better or worse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from isocenter.errors import Refused, WrongState
from isocenter.reading.disclosure import Mode, may_leave
from isocenter.reading.session import Reading, must_be_mine
from isocenter.record import Event, Finding, Kind, Result, Sealed, Verdict

__all__ = ["CERTAINTY", "Opinion", "lock", "locked", "typed", "typed_line"]

_LONGEST = 1000  # characters of the one line

CERTAINTY: Mapping[str, float] = {"possible": 0.5, "likely": 0.75, "certain": 0.95}
"""A person's certainty in three steps, and where each stands on the scale of analyses: an order, no probability."""


@dataclass(frozen=True)
class Opinion:
    """What a reader said of a study before they saw any machine.

    Args:
        study_uid: the study.
        by, locked: who said it, and when it was locked.
        nothing: the reader had nothing to report.
        line: one line in their own words.
        findings: as they stood when the opinion was locked.
        results: ids of the results that hold them.
        modes: analysis -> the mode in which it was read with.
        consulted: what colleagues said of the study had been read before; it is no opinion of one's own alone.
    """

    study_uid: str
    by: str
    locked: datetime
    nothing: bool = False
    line: str = ""
    findings: tuple[Finding, ...] = ()
    results: tuple[str, ...] = ()
    modes: Mapping[str, str] = field(default_factory=dict, hash=False)
    consulted: bool = False

    def follows(self, analysis: str, modes: Mapping[str, str]) -> bool:
        """Whether what an analysis says could be seen, or read in the words of colleagues, before it was locked.

        Args:
            modes: in which analyses are read with now, for an opinion that does not tell its own.
        """
        if self.consulted:
            return True
        told = self.modes.get(analysis) or modes.get(analysis)
        return told is not None and may_leave(Mode(told), locked=False)

    def details(self, digest: str) -> dict[str, Any]:
        """What the event says of it: enough to count by, nothing that was said."""
        return {"report": digest, "nothing": self.nothing, "findings": [f.tracking for f in self.findings]}


def lock(
    reading: Reading,
    own: Sequence[tuple[str, Result]],
    who: str,
    now: datetime,
    *,
    version: int,
    line: str = "",
    nothing: bool = False,
    modes: Mapping[str, str],
    consulted: bool = False,
) -> Opinion:
    """Lock the first opinion: it is not changed any more, and what machines say may be shown.

    Args:
        own: (id, Result) of what the reader has added so far.
        line: the opinion in one line.
        nothing: there is nothing to report.
        modes: analysis -> its mode in reading, for those that speak of the study.
        consulted: the reader has read what colleagues said of the study.

    Raises:
        WrongState: the study is not open with this reader, or their opinion is locked already.
        Conflict: another act came first.
        Refused: an opinion that says nothing, or that there is nothing and something.
    """
    if reading.locked is not None:
        raise WrongState(
            f"the first opinion of {who} was locked at {reading.locked:%H:%M:%S}",
            "a first opinion is given once",
            "correct the findings; both opinions are kept",
        )
    must_be_mine(reading, who, "lock", version)
    said = " ".join(line.split())
    findings = tuple(f for _, r in own for f in r.findings if f.verdict is not Verdict.STRUCK)
    if len(said) > _LONGEST:
        raise Refused(f"an opinion of {len(said)} characters", f"it has at most {_LONGEST}", "say it in one line")
    if any(not c.isprintable() for c in said):
        raise Refused("an opinion with control characters", "print would not take it", "remove them")
    if nothing and findings:
        raise Refused(
            f"nothing to report, and {len(findings)} findings",
            "it says two things",
            "strike the findings, or lock them",
        )
    if not (nothing or said or findings):
        raise Refused(
            "an opinion that says nothing",
            "whether you had looked could not be told",
            "add a finding, say it in a line, or say that there is nothing (key 0, or --nothing)",
        )
    ids = tuple(i for i, r in own if any(f in findings for f in r.findings))
    return Opinion(reading.study_uid, who, now, nothing, said, findings, ids, dict(sorted(modes.items())), consulted)


def locked(reading: Reading, opinion: Opinion, digest: str) -> Event:
    """The event of a locked opinion."""
    return Event(Kind.OPINION_LOCKED, opinion.locked, opinion.by, reading.study_uid, opinion.details(digest))


def typed(reading: Reading, line: str, who: str, now: datetime) -> Event:
    """The one line as it is being typed, so that it outlives a reload; it is no opinion before it is locked.

    Raises:
        WrongState: the study is not open with this reader, or their opinion is locked already.
        Refused: a line that is too long.
    """
    if reading.locked is not None or reading.state != "open" or reading.by != who:
        raise WrongState(
            "a line of a first opinion",
            "the opinion is locked" if reading.locked is not None else "the study is not open with you",
            "correct the findings, or take the study first",
        )
    if len(line) > _LONGEST:
        raise Refused(f"an opinion of {len(line)} characters", f"it has at most {_LONGEST}", "say it in one line")
    return Event(Kind.OPINION_TYPED, now, who, reading.study_uid, {"line": line})


def typed_line(newest_first: Sequence[Sealed]) -> str:
    """The line that was being typed, from one reader's entries on a study; empty where none was, or once it is locked.

    An entry whose words were erased has none.
    """
    for sealed in newest_first:
        if sealed.event.kind is Kind.OPINION_LOCKED:
            return ""
        if sealed.event.kind is Kind.OPINION_TYPED:
            return str(sealed.event.details.get("line", ""))
    return ""
