"""Alerts of a department: raised, climbing, ended; none lost by a kill, none late by a clock that is set.

Alerts are events of the journal; a rung is climbed by an event that is decided on the study's history, so that two
processes do not climb it twice. They grow old by a clock that never goes back: see `forward_clock`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from isocenter.errors import NotFound
from isocenter.govern.policy import HOUSE, Person, Role, must
from isocenter.govern.projects import unbound
from isocenter.reading import alerts
from isocenter.reading.alerts import Alert
from isocenter.reading.critical import Communication
from isocenter.reading.worklist import Waiting
from isocenter.record import Event, Kind, Sealed, Urgency
from isocenter.site.forward_clock import ForwardClock
from isocenter.store.follower import Follower

if TYPE_CHECKING:
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["Alerting"]

_ALERTS: Final = (Kind.ALERT_RAISED, Kind.ALERT_CLIMBED, Kind.ALERT_ACKNOWLEDGED)
_FLAGGED: Final = "raised by AI as what cannot wait; what it says is told after your opinion"


@dataclass
class Alerting:
    """The alerts of one archive, kept level with its journal.

    Args:
        raised: of the reading list what machines raised, as it is before any opinion: one that must not speak has
            raised nothing there, and one that may only raise has no words.
        holds: whether somebody may ask for a study by a verb.
    """

    index: Index
    journal: Journal
    clock: ForwardClock
    raised: Callable[[], Sequence[Waiting]] = tuple
    holds: Callable[[str, Person, str], bool] = lambda study_uid, who, verb: True

    def __post_init__(self) -> None:
        self._known = Follower[Mapping[str, Alert]](self.journal, alerts.KINDS, dict, alerts.fold)

    def raise_(
        self, study_uid: str, finding: str, level: int, *, identified: datetime, responsible: str, who: Person
    ) -> Alert:  # fmt: skip
        """A reader declares a finding actionable.

        Raises:
            NotFound: no such study. Refused: see `alerts.raised`.
        """
        must(who, "sign", study_uid)
        self.index.study(study_uid)
        event = alerts.raised(
            study_uid, finding, level, identified=identified, responsible=responsible, who=who.name, now=self.clock()
        )
        self.journal.append(event)
        return self._known.state()[str(event.details["id"])]

    def acknowledge(self, id: str, told: Communication, *, who: Person) -> None:
        """Somebody was told; the six fields are kept.

        Raises:
            NotFound: no such alert is open. Refused: a field is missing or wrong.
        """
        must(who, "sign")
        alert, now = self._known.state().get(id), self.clock()
        if alert is None or not self._is_for(alert, who, "sign"):
            raise NotFound("an alert of that id", "there never was one", "load the list again")

        def rule(history: Sequence[Sealed]) -> Sequence[Event]:
            return [alerts.acknowledge(alerts.fold({}, history).get(id), told, who.name, now)]

        self.journal.decide(alert.study, alerts.KINDS, rule)

    def open(self, *, who: Person, study_uid: str = "", glass: bool = True) -> list[dict[str, Any]]:
        """Alerts that nobody has answered for, the most urgent and oldest first; `glass` as of `all`."""
        must(who, "report", study_uid)
        many, now = alerts.open_ones(self._known.state()), self.clock()
        many = [a for a in many if (not study_uid or a.study == study_uid) and (glass or not alerts.is_glass(a))]
        mine = [a for a in many if self._is_for(a, who, "report")]
        return [alerts.plain(a, now - a.raised) for a in mine]

    def all(self, *, who: Person, state: str = "open", glass: bool = True) -> list[dict[str, Any]]:
        """Alerts of the whole department, each with its study as people name it.

        Args:
            state: "open" (the most urgent and oldest first), "ended" (the latest first) or "" for both, open ones
                first.
            glass: also broken glass that waits for its review. Who is asked about one is called elsewhere on the
                pages and acts on it there; a list of theirs that named it again would be a second call.
        """
        must(who, "report")
        known, now = {i: a for i, a in self._known.state().items() if self._is_for(a, who, "report")}, self.clock()
        if not glass:
            known = {i: a for i, a in known.items() if a.ended is not None or not alerts.is_glass(a)}
        ended = sorted((a for a in known.values() if a.ended is not None), key=lambda a: (a.ended, a.id), reverse=True)
        chosen = [*(alerts.open_ones(known) if state != "ended" else ()), *(ended if state != "open" else ())]
        return [{**alerts.plain(a, (a.ended or now) - a.raised), **self._study(a.study, who)} for a in chosen]

    def _is_for(self, alert: Alert, who: Person, verb: str) -> bool:
        """Whether somebody sees an alert: who holds its study; of a broken glass only who is asked about it, who may
        be outside of the project, and never the person who broke it."""
        if not alerts.is_glass(alert):
            return self.holds(alert.study, who, verb)
        if unbound(who):
            return True
        if who.of != "account" or who.name == alert.by:
            return False
        return who.name == alert.responsible or (who.role is Role.ADMIN and alert.rung == len(alert.ladder) - 1)

    def _study(self, uid: str, who: Person) -> dict[str, Any]:
        nothing = {"accession": "", "description": "", "modalities": [], "patient": ""}
        if not self.holds(uid, who, "report"):  # asked about a glass, and in another project
            return nothing
        try:
            study = self.index.study(uid)
        except NotFound:  # rejected since: the alert stays
            return nothing
        return {
            "accession": study.accession, "description": study.description, "modalities": list(study.modalities),
            "patient": study.patient.id,
        }  # fmt: skip

    def look(self) -> int:
        """Let every alert climb to the rung that its age asks for, and raise what a machine flagged and nobody read;
        how many steps that were."""
        now = self.clock.not_before(*(a.raised for a in alerts.open_ones(self._known.state())))
        steps = self._raise_unread(now)
        for alert in alerts.open_ones(self._known.state()):
            rung = alerts.due(alert, now - alert.raised)
            if rung > alert.rung:
                steps += self._climb(alert, rung, now)
        return steps

    def _climb(self, alert: Alert, rung: int, now: datetime) -> int:
        def rule(history: Sequence[Sealed]) -> Sequence[Event]:
            held = alerts.fold({}, history).get(alert.id)
            if held is None or held.ended is not None or held.rung >= rung:
                return []
            return [alerts.climb(alert, rung, HOUSE.name, now)]

        return len(self.journal.decide(alert.study, alerts.KINDS, rule))

    def _raise_unread(self, now: datetime) -> int:
        """What the list raises as what cannot wait, in studies that are here for longer than that and were not opened,
        or were left unsigned for as long; how many."""
        known = self._known.state()
        raised = 0
        for row in self.raised():
            flags = [r.finding for r in row.raises if r.level is Urgency.NOW]
            if not flags or row.state != "waiting" or now - row.arrived < alerts.LIMITS[1]:
                continue
            last = alerts.last_unread(known, row.study.uid)
            left = last.left if last is not None and last.ended is not None else None
            if left is not None and now - left < alerts.LIMITS[1]:
                continue
            found = "; ".join(dict.fromkeys(one for one in flags if one)) or _FLAGGED
            event = alerts.unread(row.study.uid, found, left or row.arrived, HOUSE.name, now, left)
            if str(event.details["id"]) not in known:
                raised += len(self.journal.decide(event.subject, _ALERTS, partial(_once, event)))
        return raised


def _once(event: Event, history: Sequence[Sealed]) -> Sequence[Event]:
    there = any(one.event.details.get("id") == event.details["id"] for one in history)
    return [] if there else [event]
