"""How soon a person should look at a study, and why, from its results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from isocenter.forms import words
from isocenter.forms.text import latest
from isocenter.record import Outcome, Result, Urgency, Verdict

__all__ = ["Priority", "rank"]

_ORDER = (Urgency.NOW, Urgency.SOON, Urgency.TODAY, Urgency.ROUTINE)
_REQUESTED = {
    "STAT": (Urgency.NOW, "requested as STAT"),
    "HIGH": (Urgency.SOON, "requested as high priority"),
}


@dataclass(frozen=True)
class Priority:
    """A level with its reason in words; `finding` is the tracking identity behind it, empty where there is none."""

    level: Urgency
    why: str = ""
    finding: str = ""

    @property
    def order(self) -> int:
        """0 for the most urgent."""
        return _ORDER.index(self.level)


def rank(results: Sequence[Result], requested: str = "") -> Priority:
    """The most urgent level that a finding or the referrer asks for.

    Only findings that stand count: one that a person struck does not move the study, and a result that another
    replaces is not asked. A declined or empty result never makes a study less urgent than it was requested.

    Args:
        results: of one study.
        requested: Requested Procedure Priority of the study, where the header has one (STAT, HIGH, ...).

    >>> rank([], "STAT")
    Priority(level=<Urgency.NOW: 'now'>, why='requested as STAT', finding='')
    """
    level, why = _REQUESTED.get(requested.strip().upper(), (Urgency.ROUTINE, ""))
    best = (_ORDER.index(level), 0.0, Priority(level, why))
    for result in latest(results):
        if result.answer is not Outcome.FOUND:
            continue
        for finding in result.findings:
            if finding.verdict is Verdict.STRUCK or result.urgency is Urgency.ROUTINE:
                continue
            said = words.name_of(finding)
            if finding.certainty is not None:
                said += f", certainty {100 * finding.certainty:.0f} %"
            by = f"{result.origin.name} {result.origin.version}".strip()
            order = (_ORDER.index(result.urgency), -(finding.certainty or 0.0))
            if order < best[:2]:
                best = (*order, Priority(result.urgency, f"{said} ({by})", finding.tracking))
    return best[2]
