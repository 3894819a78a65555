"""What waits to be read, kept level with the journal: only studies of which something was said since are read again.

A worklist is asked for every few seconds and hardly changes in between. The journal knows what did.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
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


_ANYBODY = (Kind.PATIENTS_MERGED, Kind.STUDIES_MOVED, Kind.PATIENTS_UNDONE)
"""Events after which any row may name another patient."""


@dataclass
class Listing:
    """The rows of one archive's worklist, in no order.

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
        self._ordered: tuple[tuple[Hashable, ...], list[lists.Entry]] | None = None
        self._said: dict[str, lists.Said] = {}  # by digest of the result, which never changes

    def once(self, asked: tuple[Hashable, ...], order: Callable[[], list[lists.Entry]]) -> list[lists.Entry]:
        """A list as it was ordered for the same question when the journal stood where it stands.

        A page asks for the beginning of a long list and at once for the rest of it.

        Args:
            asked: everything but the archive on which the order depends: the person, the time in whole seconds.
            order: makes the list.
        """
        key = (*asked, self.journal.head()[0])
        held = self._ordered  # one thread may put another's aside meanwhile
        if held is None or held[0] != key:
            held = self._ordered = (key, order())
        return list(held[1])

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
