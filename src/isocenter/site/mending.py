"""Files that are not what was stored: who meets one says so once in the journal, and a scrub finds and mends them all.

A damaged file is a fault of the archive and of nobody who asks. It is told at once, by whoever met it, and stands as an
alarm (`Mending.damaged`) until a scrub has read it whole again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from isocenter.errors import IsocenterError
from isocenter.govern.policy import HOUSE, Person, must
from isocenter.record import Event, Kind

if TYPE_CHECKING:
    from isocenter.store.blobs import Blobs
    from isocenter.store.database import Database
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal
    from isocenter.store.scrubbing import Scrubbed

__all__ = ["Mending"]

_KINDS: Final = (Kind.DAMAGE_FOUND, Kind.SCRUBBED)
_MOST: Final = 1000  # digests that one event names
_log = logging.getLogger("isocenter.damage")


@dataclass
class Mending:
    """What is damaged in one archive, as far as anybody knows."""

    database: Database
    blobs: Blobs
    index: Index
    journal: Journal
    clock: Callable[[], datetime]

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._known: tuple[int, frozenset[str]] = 0, frozenset()
        self.blobs.watched = self.met

    def met(self, digest: str, what: str) -> None:
        """Somebody could not be given a stored file: the journal says so once, and the log. Raises nothing.

        Args:
            what: "changed", "missing" or "closed" (the key that opens it is not there).
        """
        try:
            with self._lock:
                if self.database.within or digest in self.damaged():
                    return  # whoever writes just now cannot write another entry: the next who reads it says so
                study, sop_uid = self.index.holding(digest)
                if what == "missing" and not study:
                    return  # nothing names it any more: it was erased while it was asked for
                told = {"digest": digest, "what": what, "instance": sop_uid}
                self.journal.append(Event(Kind.DAMAGE_FOUND, self.clock(), HOUSE.name, study, told))
            _log.error("stored file %s is %s: mend it with `isocenter scrub --copy FOLDER`", digest[:16], what)
        except IsocenterError as fault:
            why = type(fault).__name__
            _log.error("stored file %s is %s, and the journal took no word of it (%s)", digest[:16], what, why)

    def damaged(self) -> frozenset[str]:
        """Digests of the files that were found damaged and that no scrub has found whole or mended since."""
        last, news = self.journal.level(self._known[0], _KINDS)
        if news:
            found = set(self._known[1])
            for sealed in self.journal.each(self._known[0], kinds=_KINDS):
                told = sealed.event.details
                if sealed.event.kind is Kind.SCRUBBED:
                    mended_all = told["mended"] >= len(told["damaged"])  # of entries that are older than "left"
                    found = set(told.get("left", () if mended_all else told["damaged"]))
                else:
                    found.add(told["digest"])
            self._known = last, frozenset(found)
        return self._known[1]

    def scrub(
        self, *, who: Person, copy: str = "", told: Callable[[str, int, int], None] = lambda words, done, of: None
    ) -> Scrubbed:
        """Read every stored byte and hold it against its digest; put back from a copy what is damaged.

        Args:
            copy: folder or address of the blobs of a backup.
        """
        from isocenter.store import Blobs
        from isocenter.store.scrubbing import scrub

        must(who, "site")
        found = scrub(self.blobs, self.index, copy=Blobs(copy, keyring=self.blobs.keyring) if copy else None, told=told)
        said = {
            "files": found.files, "bytes": found.bytes, "damaged": [d.digest for d in found.damaged][:_MOST],
            "mended": len(found.damaged) - len(found.left), "left": [d.digest for d in found.left][:_MOST],
        }  # fmt: skip
        self.journal.append(Event(Kind.SCRUBBED, self.clock(), who.name, "", said))
        return found
