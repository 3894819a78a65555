"""Whole studies that were read lately: opening one asks for it a dozen times, for its series, its plan, its report.

A study of thousands of images is thousands of rows to decode. What is kept is a copy of the index at one entry of the
journal; whoever takes it asks first whether the journal has spoken of that study since.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

import sqlalchemy as sa

from isocenter.record.event import Kind
from isocenter.record.study import Study
from isocenter.store import tables as t
from isocenter.store.statements import Statement

__all__ = ["Remembered"]

_OF_THE_STUDY = (Kind.INSTANCES_RECEIVED, Kind.HEADERS_LEARNT)
_OF_ANY = (
    Kind.OBJECTS_REJECTED, Kind.REJECTION_ENDED, Kind.OBJECTS_PURGED, Kind.STUDY_ERASED, Kind.PATIENTS_MERGED,
    Kind.STUDIES_MOVED,
    Kind.PATIENTS_UNDONE,
)  # fmt: skip
_later = t.event.c.number > sa.bindparam("level", type_=sa.Integer())
_mine = t.event.c.subject == sa.bindparam("uid")
_ARRIVED = Statement(
    sa.select(t.event.c.number)
    .where(_mine, _later, t.event.c.kind.in_([sa.literal_column(f"'{k}'") for k in _OF_THE_STUDY]))
    .limit(1)
)
_MOVED = [
    Statement(sa.select(t.event.c.number).where(t.event.c.kind == sa.literal_column(f"'{kind}'"), _later).limit(1))
    for kind in _OF_ANY
]
_HEAD = Statement(sa.select(t.chain.c.number))


class Remembered:
    """The studies that were asked for last; safe to use from many threads.

    Args:
        most: images in all. The newest study stays even where it alone has more.
    """

    def __init__(self, most: int = 40_000) -> None:
        self._most, self._held = most, 0
        self._kept: OrderedDict[str, tuple[Study, int]] = OrderedDict()
        self._lock = threading.Lock()

    def level(self, connection: sa.Connection) -> int:
        """The number of the journal's last entry, as this connection sees it."""
        return int(_HEAD.rows(connection, {})[0][0])

    def get(self, uid: str, connection: sa.Connection) -> Study | None:
        """The study, where it is kept and nothing was said since that could change it."""
        with self._lock:
            kept = self._kept.get(uid)
        if kept is None:
            return None
        study, since = kept
        now = self.level(connection)
        if now != since:
            if now < since or _ARRIVED.rows(connection, {"uid": uid, "level": since}):
                return None
            if any(one.rows(connection, {"level": since}) for one in _MOVED):
                return None
        self.keep(study, now)
        return study

    def keep(self, study: Study, level: int) -> None:
        """Hold a study as it stood at an entry of the journal, and let go of those nobody asked for the longest."""
        with self._lock:
            before = self._kept.pop(study.uid, None)
            if before is not None:
                if before[1] > level:  # another thread has read it later
                    self._kept[study.uid] = before
                    return
                self._held -= _images(before[0])
            self._kept[study.uid] = (study, level)
            self._held += _images(study)
            while self._held > self._most and len(self._kept) > 1:
                _, (gone, _) = self._kept.popitem(last=False)
                self._held -= _images(gone)


def _images(study: Study) -> int:
    return 1 + sum(len(series.instances) for series in study.series)
