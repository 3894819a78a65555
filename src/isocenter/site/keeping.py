"""What is kept, kept elsewhere too: backups of the archive, as a verb with its event."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from isocenter.govern.policy import Person, must
from isocenter.record import Event, Kind

if TYPE_CHECKING:
    from isocenter.store.backup import BackedUp, Restored
    from isocenter.store.blobs import Blobs
    from isocenter.store.database import Database
    from isocenter.store.journal import Journal

__all__ = ["Keeping"]


@dataclass(frozen=True)
class Keeping:
    """Backups of one archive."""

    database: Database
    blobs: Blobs
    journal: Journal
    clock: Callable[[], datetime]

    def backup(
        self, to: Path, *, who: Person, told: Callable[[str, int, int], None] = lambda words, done, of: None
    ) -> BackedUp:
        """Bring the backup in a folder up to now; the archive goes on serving meanwhile.

        Raises:
            Conflict: the folder holds the backup of another archive.
            Unavailable: a disk said no.
        """
        from isocenter.store.backup import backup

        must(who, "site")
        done = backup(self.database, self.blobs, to, told=told)
        said = {"entries": done.entries, "hash": done.hash, "blobs": done.blobs, "new_blobs": done.new_blobs}
        event = Event(Kind.BACKED_UP, self.clock(), who.name, "", {**said, "damaged": len(done.damaged)})
        self.journal.append(event)
        return done

    def restore(
        self,
        source: Path,
        *,
        who: Person,
        entry: int | None = None,
        until: datetime | None = None,
        told: Callable[[str, int, int], None] = lambda words, done, of: None,
    ) -> Restored:
        """Fill this archive, which must be empty, from a backup: whole, up to an entry, or up to a time.

        Raises:
            NotFound, Refused, Conflict: as `isocenter.store.backup.restore`; nothing is restored then.
        """
        from isocenter.store.backup import restore

        must(who, "site")
        done = restore(source, self.database, self.blobs, entry=entry, until=until, told=told)
        said = {"entries": done.entries, "hash": done.hash, "of": done.of, "missing": len(done.missing)}
        self.journal.append(Event(Kind.RESTORED, self.clock(), who.name, "", said))
        return done
