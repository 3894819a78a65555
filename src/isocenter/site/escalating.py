"""Critical results that nobody was told of: which are open, who tells of one, and when everybody is asked.

What was told by an amendment of the report counts as told, and so does what was told after the signature without one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from isocenter.govern.policy import HOUSE, Person, must
from isocenter.reading import escalation
from isocenter.reading.critical import Communication
from isocenter.reading.escalation import Open
from isocenter.site.forward_clock import ForwardClock
from isocenter.site.preferring import Preferences
from isocenter.store.follower import Follower

if TYPE_CHECKING:
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["Escalating"]


@dataclass
class Escalating:
    """The open critical results of one archive, kept level with its journal.

    Args:
        clock: by which they grow old.
        holds: whether somebody may ask for a study by a verb.
    """

    index: Index
    journal: Journal
    preferences: Preferences
    clock: ForwardClock
    holds: Callable[[str, Person, str], bool] = lambda study_uid, who, verb: True

    def __post_init__(self) -> None:
        self._open = Follower[Mapping[str, Open]](self.journal, escalation.KINDS, dict, escalation.follow)

    def open(self, *, who: Person, study_uid: str = "") -> dict[str, Any]:
        """Signed studies with a critical finding that nobody was told of, the oldest first."""
        must(who, "report", study_uid)
        many = sorted(self._open.state().values(), key=lambda one: one.signed)
        now, within = self.clock.not_before(*(one.signed for one in many)), self.within()
        rows = [
            self._row(one, now, within)
            for one in many
            if (not study_uid or one.study == study_uid) and self.holds(one.study, who, "report")
        ]
        return {"within_min": within.total_seconds() / 60, "rows": rows}

    def tell(self, study_uid: str, told: Sequence[Communication], *, who: Person) -> None:
        """Somebody was told, after the signature.

        Raises:
            NotFound: nothing critical of this study is open. Refused: a field is empty or wrong.
        """
        must(who, "sign", study_uid)
        self.journal.append(escalation.tell(self._open.state().get(study_uid), told, who.name, self.clock()))

    def escalate(self) -> int:
        """Ask everybody for what is past its time, each once; how many that were."""
        waiting = [one for one in self._open.state().values() if one.escalated is None]
        now = self.clock.not_before(*(one.signed for one in waiting))
        late = escalation.overdue(waiting, now, self.within())
        if late:
            self.journal.append(*(escalation.escalated(one, HOUSE.name, now) for one in late))
        return len(late)

    def within(self) -> timedelta:
        """The time that the site allows."""
        minutes = self.preferences.site_wide().get("told_within_min")
        return escalation.WITHIN if minutes is None else timedelta(minutes=float(minutes))

    def _row(self, one: Open, now: datetime, within: timedelta) -> dict[str, Any]:
        study = self.index.study(one.study)
        return {
            "study": one.study, "accession": study.accession, "description": study.description,
            "modalities": list(study.modalities),
            "findings": [{"finding": t, "what": w} for t, w in one.findings.items()],
            "by": one.by, "signed": one.signed.isoformat(), "why": one.why,
            "late": now - one.signed >= within,
            "escalated": one.escalated.isoformat() if one.escalated else None,
        }  # fmt: skip
