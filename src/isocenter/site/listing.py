"""What waits to be read, kept level with the journal: only studies of which something was said since are read again.

A worklist is asked for every few seconds and hardly changes in between. The journal knows what did.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from isocenter.errors import IsocenterError
from isocenter.reading import worklist as lists
from isocenter.record import Kind, Outcome, Urgency

if TYPE_CHECKING:
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["Listing"]

_UNREAD: Mapping[str, Any] = {"state": "waiting", "by": "", "assigned": ""}  # nobody has opened it yet
_FEW = 200  # changed studies up to which they alone are read again
_SPEAK = (
    Kind.INSTANCES_RECEIVED,
    Kind.HEADERS_LEARNT,
    Kind.RESULT_MADE,
    Kind.READING_ASSIGNED,
    Kind.READING_OPENED,
    Kind.READING_CLOSED,
    Kind.REPORT_SIGNED,
    Kind.REPORT_AMENDED,
    Kind.OBJECTS_REJECTED,
    Kind.REJECTION_ENDED,
)
"""Events after which a row of the worklist may be another; their subject is the study."""


_ANYBODY = (Kind.PATIENTS_MERGED, Kind.STUDIES_MOVED, Kind.PATIENTS_UNDONE, Kind.STUDY_ERASED)
"""Events after which any row may name another patient, or nobody any more."""

_LOOKS = (
    Kind.QUERIED, Kind.VIEWED, Kind.IMAGES_SEEN, Kind.SIGNED_IN, Kind.SIGNED_OUT, Kind.SIGN_IN_REFUSED,
    Kind.TEST_CASES_OPENED, Kind.OPINION_TYPED, Kind.RESEARCH_RUN,
)  # fmt: skip
"""Events that tell only of a look, or of what no list reads. After any other kind an order is made anew."""
_MOST_QUEUES = 8  # of as many people, or questions


@dataclass
class Listing:
    """The rows of one archive's worklist, and the orders in which people asked for them last.

    Args:
        index: where they are read.
        journal: what tells that one has changed, also by another process.
    """

    index: Index
    journal: Journal

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._level = -1  # number of the last event that the rows know of
        self._rows: dict[str, lists.Waiting] = {}
        self._queues: OrderedDict[tuple[Hashable, ...], tuple[int, lists.Queue]] = OrderedDict()
        self._said: dict[str, lists.Said] = {}  # by digest of the result, which never changes

    def queue(
        self, asked: tuple[Hashable, ...], now: datetime, order: Callable[[list[lists.Waiting]], lists.Queue]
    ) -> lists.Queue:
        """A list as it was ordered for the same question, where nothing was said since that could change it; else anew.

        Args:
            asked: everything on which it depends beside the journal and the time: the person, their reach, the limits.
            now: aware; a queue is kept until the limit of a class comes near.
            order: makes the list of every study that waits.
        """
        head = self.journal.head()[0]  # first the number, then the list
        with self._lock:
            kept = self._queues.get(asked)
        if kept is not None and self._stands(kept[0], head) and (queue := kept[1].at(now)) is not None:
            self._keep(asked, head, kept[1])
            return queue
        queue = order(self.waiting())
        self._keep(asked, head, queue)
        return queue

    def _keep(self, asked: tuple[Hashable, ...], level: int, queue: lists.Queue) -> None:
        with self._lock:
            self._queues[asked] = (level, queue)
            self._queues.move_to_end(asked)
            while len(self._queues) > _MOST_QUEUES:
                self._queues.popitem(last=False)

    def _stands(self, level: int, head: int) -> bool:
        """Whether nothing but what changes no list was said between two entries of the journal."""
        if level == head:
            return True
        if head < level:  # the archive was put back to an older copy
            return False
        since = self.journal.since(level, limit=_FEW + 1)
        return len(since) <= _FEW and all(s.event.kind in _LOOKS for s in since)

    def waiting(self) -> list[lists.Waiting]:
        """Every study as it stands now."""
        with self._lock:
            # First the number, then the rows: what happens in between is read again the next time, and never missed.
            head = self.journal.head()[0]
            changed = self._changed(head)
            if changed is None:
                # In one question: between two pages a study that arrives again would change its place and be missed.
                self._rows = self._read(None)
            elif changed:
                for uid in changed:  # what was rejected whole is read no more
                    self._rows.pop(uid, None)
                self._rows.update(self._read(changed))
            self._level = head
            return list(self._rows.values())

    def of(self, study_uid: str) -> list[lists.Waiting]:
        """One study as it stands now; none where there is no such study."""
        return list(self._read([study_uid]).values())

    def _changed(self, head: int) -> list[str] | None:
        """Studies of which something was said since the rows were read; None where they are too many."""
        if self._level < 0 or head < self._level:
            return None
        if head == self._level:
            return []
        events = self.journal.since(self._level, kinds=(*_SPEAK, *_ANYBODY), limit=_FEW + 1)
        if any(s.event.kind in _ANYBODY for s in events):
            return None
        return None if len(events) > _FEW else sorted({s.event.subject for s in events})

    def _read(self, uids: Sequence[str] | None) -> dict[str, lists.Waiting]:
        heads, readings = self.index.result_heads(uids), self.index.readings(uids)
        rows = {}
        for study, modalities, instances in self.index.listed(uids):
            assert study.arrived is not None  # the index has it of every study
            each, reading = self._each(heads.get(study.uid, ())), readings.get(study.uid, _UNREAD)
            said = lists.together(each)
            rows[study.uid] = lists.Waiting(
                study, study.arrived, modalities, instances, reading["state"], reading["by"] or "",
                said.raises, said.ai, assigned=reading["assigned"], said=each,
            )  # fmt: skip
        return rows

    def _each(self, heads: Sequence[Mapping[str, Any]]) -> tuple[lists.Said, ...]:
        """What each analysis says of a study. Only what a person made or what is urgent is read, and that once."""
        said = []
        for head in heads:
            digest, urgent = head["digest"], head["urgency"] != Urgency.ROUTINE.value
            machine = head["origin"] == "machine"
            if machine and (head["outcome"] != Outcome.FOUND.value or not urgent):
                said.append(lists.Said(head["outcome"], (), head["name"]))
                continue
            if digest not in self._said:
                try:
                    self._said[digest] = lists.said(self.index.result(digest))
                except IsocenterError:  # a result that cannot be read raises nothing: the study keeps its plain place
                    said.append(lists.Said(head["outcome"], (), head["name"] if machine else ""))
                    continue
            said.append(self._said[digest])
        return tuple(one for one in said if one.analysis)  # a finding that a person made is nothing that AI says
