"""Files into the archive, batch by batch: one is read while one before it is written and another is indexed.

Reading (is the file whole, what does its header say, what is its digest) keeps a processor busy; keeping waits for the
disk most of its time, once for the files and once for the index. An import of a folder or of a long request does all
three at once, and holds at most four batches. They are indexed in their order, whichever is on disk first.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

from isocenter.errors import IsocenterError, Refused, Unavailable
from isocenter.govern.policy import Person, may, must
from isocenter.record import Event, Kind, Study
from isocenter.record.project import EVERYBODY, Reach
from isocenter.site.ledgering import tally
from isocenter.site.noting import heard, is_note
from isocenter.store.incoming import Incoming
from isocenter.store.intake import Stored, is_new, receive

if TYPE_CHECKING:
    from isocenter.dicom.checked import Checked
    from isocenter.site.projecting import Projects
    from isocenter.store.blobs import Blobs
    from isocenter.store.database import Database
    from isocenter.store.journal import Journal

__all__ = ["Receiving"]

_FILES, _BYTES = 32, 64 * 2**20  # of one batch
_KEEPERS = 2  # batches on their way to the disk: one is written while the one before it is indexed
Held = bytes | bytearray | Incoming
Given: TypeAlias = "Held | Checked"
Read = tuple[Held, Study] | Stored
"""A file with its record, or the refusal of one that is not whole."""


@dataclass(frozen=True)
class _Way:
    """How files come: where their new studies are at home, to which they may add, and of which notes may speak."""

    project: str = EVERYBODY
    reach: Reach | None = None
    heed: bool = False
    notes: Reach | None = None


class Unfinished(Unavailable):
    """Disk or database said no amid many files.

    Args:
        answers: of the files before that; they are durable. Nothing of the others is kept.
    """

    def __init__(self, failure: Unavailable, answers: Sequence[Stored]) -> None:
        super().__init__(failure.what, failure.why, failure.do)
        self.answers = tuple(answers)


@dataclass(frozen=True)
class Receiving:
    """How files come into one archive."""

    database: Database
    blobs: Blobs
    journal: Journal
    clock: Callable[[], datetime]
    projects: Projects | None = None

    def receive(self, files: Iterable[Given], *, sender: str, who: Person, project: str = "") -> list[Stored]:
        """`take`, where the policy lets this person store; into the project that is named, or by the sender's rule.

        Raises:
            Forbidden: it does not.
            NotFound: a project that it may not send to.
            Unavailable: as `take`.
        """
        must(who, "receive", sender)
        home, reach, notes = self.projects.arriving(who, project=project) if self.projects else (EVERYBODY, None, None)
        answers = self.take(files, sender, _Way(home, reach, may(who, "reject"), notes))
        told = tally(one.status for one in answers)
        if 1 < told["offered"] != told["stored"]:  # of one file nobody says how many there are to be
            self.journal.append(Event(Kind.BATCH_TAKEN, self.clock(), sender, "", told))
        return answers

    def take(self, files: Iterable[Given], sender: str, way: _Way | None = None) -> list[Stored]:
        """Take files in; those that this returns as stored or there are durable. One answer a file, in their order.

        Args:
            way: where new studies are at home, to which studies the sender may add, and whether what a rejection note
                among them asks is done before it is acknowledged.

        Raises:
            Unavailable: disk or database said no; what was kept before stays, and nothing is acknowledged.
        """
        way = way or _Way()
        batches = _batches(files)
        first = next(batches, [])
        second = next(batches, None)
        if second is None:
            return self._keep(self._read(first), sender, way)
        answers: list[Stored] = []
        with ThreadPoolExecutor(_KEEPERS, thread_name_prefix="receiving") as beside:
            going = deque([beside.submit(self._keep, self._read(first), sender, way)])
            try:
                for batch in chain([second], batches):
                    read = self._read(batch)
                    if len(going) == _KEEPERS:
                        answers += going.popleft().result()
                    going.append(beside.submit(self._keep, read, sender, way, going[-1].result))
                while going:
                    answers += going.popleft().result()
            except Unavailable as failure:  # those behind it wait for it, and fail with it
                raise Unfinished(failure, answers) from failure
        return answers

    def _keep(
        self, read: Sequence[Read], sender: str, way: _Way, turn: Callable[[], object] = lambda: None
    ) -> list[Stored]:
        """Keep a batch; `turn` returns when the one before it is indexed, and raises where that failed."""
        from isocenter.dicom.elements import same_object

        now = self.clock()
        if refused := [one.reason for one in read if isinstance(one, Stored)]:
            said: dict[str, Any] = {"count": len(refused), "reasons": sorted(set(refused))[:20]}
            if way.project not in ("", EVERYBODY):
                said["project"] = way.project
            self.journal.append(Event(Kind.INSTANCES_REJECTED, now, sender, "", said))
        good = [one for one in read if not isinstance(one, Stored)]
        kept = receive(
            self.database, self.blobs, self.journal, good, sender, now, same=same_object, measured=True,
            project=way.project, reach=way.reach, turn=turn,
        )  # fmt: skip
        for (given, record), stored in zip(good, kept, strict=True):
            if way.heed and is_note(record) and stored.status in ("stored", "there"):
                self._hear(bytes(given.data if isinstance(given, Incoming) else given), sender, now, way)
        taken = iter(kept)
        return [one if isinstance(one, Stored) else next(taken) for one in read]

    def _hear(self, data: bytes, sender: str, now: datetime, way: _Way) -> None:
        from isocenter.store.index import Index

        # A note that nobody can understand is an object like others, and rejects nothing.
        with contextlib.suppress(Refused):
            heard(Index(self.database, self.blobs), self.journal, data, sender=sender, now=now, may=self._may(way))

    def _read(self, batch: Sequence[Given]) -> list[Read]:
        if len(batch) < 2:
            return [_read_one(one, partial(self._digest, one) if isinstance(one, Incoming) else "") for one in batch]
        # A digest lets go of the interpreter, so one thread computes them while this one reads the headers.
        with ThreadPoolExecutor(1, thread_name_prefix="digests") as beside:
            digests = [_later(beside, one) for one in batch]
            return [_read_one(given, digest) for given, digest in zip(batch, digests, strict=True)]

    def _digest(self, incoming: Incoming, sop_uid: str) -> str:
        """The digest of an image that came alone. One that is new is kept from now on, beside what is left to do."""
        if incoming.may_go_on and is_new(self.database, sop_uid):
            self.blobs.go_on(incoming)
        return incoming.digest()

    def _may(self, way: _Way) -> Callable[[str], bool]:
        """Whether a note from this sender may speak of a study."""
        return lambda uid: (
            way.notes is None or (self.projects is not None and way.notes.holds(uid, self.projects.home(uid)))
        )


def _later(beside: Executor, given: Given) -> str | Callable[[str], str]:
    """What gives the digest of a file when its header was read; empty for one that has it."""
    if isinstance(given, Incoming):
        return lambda _: given.digest()
    if isinstance(given, bytes | bytearray):
        future = beside.submit(_sha256, given)
        return lambda _: future.result()
    return ""


def _read_one(given: Given, digest: str | Callable[[str], str]) -> Read:
    from isocenter.dicom.checked import Checked
    from isocenter.dicom.header import read_header

    if isinstance(given, Checked):
        return Stored("", "rejected", "", given.refusal) if given.study is None else (given.data, given.study)
    try:  # the whole file is checked first
        return given, read_header(given.data if isinstance(given, Incoming) else given, digest=digest)
    except IsocenterError as refusal:
        if isinstance(given, Incoming):
            given.drop()
        return Stored("", "rejected", "", str(refusal))


def _sha256(data: bytes | bytearray) -> str:
    return hashlib.sha256(data).hexdigest()


def _batches(files: Iterable[Given]) -> Iterator[list[Given]]:
    batch: list[Given] = []
    size = 0
    for given in files:
        batch.append(given)
        size += len(given if isinstance(given, bytes | bytearray) else given.data)
        if len(batch) >= _FILES or size >= _BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
