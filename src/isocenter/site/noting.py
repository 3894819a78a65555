"""What a rejection note does when it comes, from wherever it comes: the images that it names leave the index.

The note is stored as any object; what it means is an event of its own. A sender that repeats itself is heard once.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from isocenter.errors import NotFound
from isocenter.forms.rejection import KEY_OBJECTS, Note
from isocenter.forms.rejection import read as read_note
from isocenter.record import Event, Kind, Study

if TYPE_CHECKING:
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["HIDES_ITSELF", "heard", "is_note", "rejected"]

HIDES_ITSELF = frozenset({"113037", "113038", "113039"})
"""Codes whose note is hidden, too: images that must not be seen are not pointed at either."""


def is_note(record: Study) -> bool:
    """Whether an arrived instance may be a rejection note."""
    return record.series[0].instances[0].sop_class == KEY_OBJECTS


def heard(
    index: Index,
    journal: Journal,
    data: bytes,
    *,
    sender: str,
    now: datetime,
    may: Callable[[str], bool] = lambda study_uid: True,
) -> int:
    """Do what a note asks that has just been stored; the number of the event, or 0 where there is nothing to do.

    Args:
        may: whether its sender may speak of a study.

    Raises:
        Refused: it is a rejection note and cannot be understood.
    """
    note = read_note(data)
    if note is None or not may(note.study_uid) or _done(journal, note):
        return 0
    return rejected(index, journal, note, reason=note.words or "by a rejection note", who=sender, now=now)


def rejected(
    index: Index,
    journal: Journal,
    note: Note,
    *,
    reason: str,
    who: str,
    now: datetime,
    instead: tuple[str, ...] = (),
) -> int:
    """Append the rejection; the number of its event."""
    try:
        held = {i.sop_uid for s in index.study(note.study_uid).series for i in s.instances}
    except NotFound:
        held = set()
    named = [uid for uid in note.instances if uid in held]
    hidden = [*named, note.sop_uid] if note.code in HIDES_ITSELF and named else named
    details = {
        "code": note.code, "reason": reason[:500], "instances": hidden, "note": note.sop_uid, "instead": list(instead),
        "absent": [uid for uid in note.instances if uid not in held],
    }  # fmt: skip
    (sealed,) = journal.append(Event(Kind.OBJECTS_REJECTED, now, who, note.study_uid, details))
    return sealed.number


def _done(journal: Journal, note: Note) -> bool:
    rejected = journal.each(kinds=(Kind.OBJECTS_REJECTED,), subject=note.study_uid)
    return any(sealed.event.details["note"] == note.sop_uid for sealed in rejected)
