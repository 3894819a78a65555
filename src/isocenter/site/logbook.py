"""What the journal tells of each study's way through the department, kept level with it and small.

Figures of a department ask the same events again and again: when a study came, was opened, was signed. They are read
once, without what is large in them, and afterwards only what is new.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from isocenter.record import Event, Kind, Sealed
from isocenter.store.follower import Follower

if TYPE_CHECKING:
    from isocenter.store.journal import Journal

__all__ = ["KEPT", "Logbook"]

_KEEP = {  # what is needed of details that may be large: of arrivals nothing but when and where
    Kind.INSTANCES_RECEIVED: (),
    Kind.REPORT_SIGNED: ("calls", "report"),
    Kind.REPORT_AMENDED: ("report",),
}

KEPT = (
    Kind.STAMPED,
    Kind.INSTANCES_RECEIVED,
    Kind.READING_OPENED,
    Kind.OPINION_LOCKED,
    Kind.REPORT_DRAFTED,
    Kind.REPORT_SIGNED,
    Kind.REPORT_AMENDED,
    Kind.OUTCOME_KNOWN,
)
"""Events of which the figures are made."""


@dataclass
class Logbook:
    """Events by study, oldest first.

    Args:
        journal: what it is kept level with, also when another process writes.
        kinds: which events.
    """

    journal: Journal
    kinds: tuple[Kind, ...] = KEPT

    def __post_init__(self) -> None:
        self._kept = Follower[dict[str, list[Event]]](self.journal, self.kinds, dict, _kept)

    def by_subject(self) -> Mapping[str, Sequence[Event]]:
        """Study UID (or another subject) -> its events."""
        return self._kept.state(dict)

    def events(self) -> list[Event]:
        """All of them, oldest first."""
        many = [event for events in self.by_subject().values() for event in events]
        return sorted(many, key=_time)


def _kept(many: dict[str, list[Event]], page: Sequence[Sealed]) -> dict[str, list[Event]]:
    for sealed in page:
        event = sealed.event
        if (names := _KEEP.get(event.kind)) is not None:
            event = replace(event, details={n: event.details[n] for n in names if n in event.details})
        many.setdefault(event.subject, []).append(event)
    return many


def _time(event: Event) -> datetime:
    return event.time
