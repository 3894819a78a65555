"""What is kept, kept elsewhere too: backups of the archive and their rehearsal, as verbs with their events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from isocenter.errors import Conflict, Refused
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

    def rehearse(
        self, source: Path, *, who: Person, told: Callable[[str, int, int], None] = lambda words, done, of: None
    ) -> Restored:
        """Restore a backup of this archive into a temporary folder and throw that away; whether it passed is an event.

        It passes when its chain is whole and its last entry is this journal's, when the index can be made from it, and
        when no file is missing or damaged.

        Raises:
            NotFound: no backup lies there. Conflict: it is one of another archive. Nothing is written down then.
            Refused: an entry or a result of it is damaged; that is written down.
        """
        from isocenter.store.backup import restore
        from isocenter.store.blobs import Blobs
        from isocenter.store.database import Database
        from isocenter.store.journal import Journal

        must(who, "site")
        with TemporaryDirectory(prefix="isocenter-rehearsal-") as scratch:
            database = Database(f"sqlite:///{scratch}/archive.sqlite")
            blobs = Blobs(f"{scratch}/blobs", keyring=self.blobs.keyring)
            try:
                done = restore(source, database, blobs, told=told)
                Journal(database, blobs).verify()
            except Refused as damage:
                self._rehearsed(who, passed=False, why=damage.what)
                raise
            finally:
                blobs.close()
                database.close()
        entry = next(iter(self.journal.since(done.entries - 1, limit=1)), None)
        if entry is None or entry.hash != done.hash:
            raise Conflict("a backup of another archive", "its last entry is not in this journal", "name one of this")
        said = {"entries": done.entries, "hash": done.hash, "files": done.blobs, "missing": len(done.missing)}
        self._rehearsed(who, passed=not done.missing, **said)
        return done

    def last(self, *, who: Person) -> dict[str, Any]:
        """When a backup was last made, and when one was last restored as a rehearsal and with what end; None: never."""
        must(who, "metrics")
        made, tested = (self._newest(kind) for kind in (Kind.BACKED_UP, Kind.BACKUP_REHEARSED))
        return {
            "made": made and made.time.isoformat(),
            "tested": tested and {"when": tested.time.isoformat(), "by": tested.who, **tested.details},
        }

    def _newest(self, kind: Kind) -> Event | None:
        told = self.journal.since(kinds=(kind,), limit=1, newest_first=True)
        return told[0].event if told else None

    def _rehearsed(self, who: Person, **said: Any) -> None:
        self.journal.append(Event(Kind.BACKUP_REHEARSED, self.clock(), who.name, "", said))

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
