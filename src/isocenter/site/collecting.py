"""Entries of the journal on their way to the audit collector of the hospital (IHE ITI-20, DICOM PS3.15 A.6).

Every entry is owed to the collector, in order, from the first one on, and stays owed until a connection to it ended
well. How far that is stands in a mark, with the hash of the entry: where the archive was put back to an older copy, or
the journal is another one, everything is handed over anew. A collector may therefore hear an entry twice and never
misses one; number and hash in each message show which it is, and whether an entry here was changed later.

What a person typed stays here: a reason may name a patient, and what has left cannot be erased.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from isocenter import wholly
from isocenter.errors import IsocenterError
from isocenter.govern.policy import HOUSE
from isocenter.record import Event, Kind, Sealed
from isocenter.site.auditing import sentence

if TYPE_CHECKING:
    from isocenter.store.journal import Journal

__all__ = ["Collecting", "Tell"]

Tell = Callable[[Sequence[bytes]], None]
"""Gives messages to the collector; returns when it has read them all, and raises where that is not sure."""

_TOGETHER = 500


@dataclass
class Collecting:
    """What the collector has and what it is owed.

    Args:
        mark: file that holds how far it is; in memory only where there is none.
        here: name of this machine, as it stands in each message.
    """

    journal: Journal
    clock: Callable[[], datetime]
    mark: Path | None = None
    here: str = "-"
    _reached: str = field(default="", repr=False)
    _silent_since: datetime | None = field(default=None, repr=False)

    def begin(self, to: str) -> None:
        """Write down once that entries go to this collector from now on."""
        told = [s.event.details for s in self.journal.each(kinds=(Kind.AUDIT_EXPORTED,), newest_first=True)]
        if not any(one.get("form") == "syslog" and one.get("to") == to for one in told):
            said = {"form": "syslog", "to": to, "first": self._from() + 1}
            self.journal.append(Event(Kind.AUDIT_EXPORTED, self.clock(), HOUSE.name, "", said))

    def deliver(self, tell: Tell) -> int:
        """Hand over what is owed, some hundreds at once; how many entries that were.

        Raises:
            IsocenterError: as `tell`; what it was not sure of is owed still.
        """
        from isocenter.forms import audit

        done = 0
        while page := self.journal.since(self._from(), limit=_TOGETHER):
            try:
                tell([audit.syslog(one, sentence(one.event), host=self.here) for one in map(_sparing, page)])
            except IsocenterError:
                self._silent_since = self._silent_since or self.clock()
                raise
            self._silent_since = None
            self._write(f"{page[-1].number} {page[-1].hash}")
            done += len(page)
        return done

    def silent_s(self) -> float:
        """Seconds since the collector was first not reached; 0 where it was reached the last time."""
        return (self.clock() - self._silent_since).total_seconds() if self._silent_since else 0.0

    def _from(self) -> int:
        """Number of the last entry that the collector surely has."""
        number, _, hash = self._read().partition(" ")
        if not number.isdecimal() or not int(number):
            return 0
        found = self.journal.since(int(number) - 1, limit=1)
        return int(number) if found and (found[0].number, found[0].hash) == (int(number), hash) else 0

    def _read(self) -> str:
        if self.mark is not None and self.mark.exists():
            return self.mark.read_text("ascii")
        return self._reached

    def _write(self, reached: str) -> None:
        self._reached = reached
        if self.mark is not None:
            wholly.write(self.mark, reached, durable=False)


def _sparing(sealed: Sealed) -> Sealed:
    """An entry without what a person typed, and without the number of a patient."""
    event = sealed.event
    details = {**event.details, "reason": "(said here)"} if "reason" in event.details else event.details
    subject = "" if event.kind is Kind.PATIENT_TOLD else event.subject
    return replace(sealed, event=replace(event, details=details, subject=subject))
