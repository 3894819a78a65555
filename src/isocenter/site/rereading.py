"""What the archive learnt to read since an image came, read from its stored header: a verb with its events.

It goes on where an earlier one was ended, however that was; one that came to its end begins anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from isocenter.govern.policy import Person, must
from isocenter.record import Event, Kind

if TYPE_CHECKING:
    from isocenter.record import Study
    from isocenter.store.blobs import Blobs
    from isocenter.store.database import Database
    from isocenter.store.journal import Journal
    from isocenter.store.rereading import Learnt

__all__ = ["Rereading", "reader"]

_EVERY = 1000  # images, after which the journal is told how far it has come


def reader() -> str:
    """What reads headers here: another one knows other values."""
    from isocenter import __version__
    from isocenter.dicom.facts import rows
    from isocenter.dicom.kept_sequences import kept_keys

    return hashlib.sha256(repr((__version__, rows(), sorted(kept_keys()))).encode()).hexdigest()[:16]


def record_of(data: bytes, digest: str) -> Study:
    """The record of one stored image."""
    from isocenter.dicom.header import read_header

    return read_header(data, digest=digest)


@dataclass(frozen=True)
class Rereading:
    """The headers of one archive.

    Args:
        read: the record of one image, from its bytes and their digest.
    """

    database: Database
    blobs: Blobs
    journal: Journal
    clock: Callable[[], datetime]
    read: Callable[[bytes, str], Study] = record_of

    def learn(
        self, *, who: Person, anew: bool = False, every: int = _EVERY,
        told: Callable[[str, int, int], None] = lambda words, done, of: None,
    ) -> Learnt:  # fmt: skip
        """Read the header of every stored image again and keep what is new; the archive goes on serving meanwhile.

        Args:
            anew: begin at the first study also where an earlier reading was ended.
            every: images, after which the journal is told how far it has come.
            told: progress: words, studies read, studies in all.

        Raises:
            Unavailable: disk or database said no; asked again, it goes on from there.
        """
        from isocenter.store.rereading import Learnt, learn

        must(who, "site")
        after = "" if anew else self.unfinished()
        done, kept = Learnt(after), 0
        for done, left in learn(self.database, self.blobs, self.read, after=after, who=who.name, clock=self.clock):
            told(done.study[-16:], done.studies, done.studies + left)
            if done.images - kept >= every and left:
                kept = done.images
                self._say(done, who, ended=False)
        self._say(done, who, ended=True)
        return done

    def again(self, study_uid: str, images: Collection[str], *, who: Person) -> int:
        """Read the headers of some images of one study again; of how many something new is known.

        Raises:
            Unavailable: disk or database said no.
        """
        from isocenter.store.rereading import learn_of

        return learn_of(
            self.database, self.blobs, self.read, study_uid, images, who=who.name, clock=self.clock
        )  # fmt: skip

    def unfinished(self) -> str:
        """The study behind which a reading by the same reader was ended; empty where none was."""
        last = self.journal.since(kinds=[Kind.HEADERS_READ], newest_first=True, limit=1)
        said = last[0].event.details if last else {"done": True, "reader": ""}
        return "" if said["done"] or said["reader"] != reader() else str(said["study"])

    def _say(self, done: Learnt, who: Person, *, ended: bool) -> None:
        said = {"reader": reader(), "study": done.study, "studies": done.studies, "images": done.images}
        said |= {"learnt": done.learnt, "unread": len(done.unread), "done": ended}
        self.journal.append(Event(Kind.HEADERS_READ, self.clock(), who.name, "", said))
