"""Marks that people give to studies of one frozen cohort, by a number from 1 to 9: who, when, and taken off again.

They belong to the cohort on which they were given and to no other; the cohort itself never changes by them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from isocenter.record import Event

__all__ = ["TAGS", "Tagged", "tagged"]

TAGS = range(1, 10)


@dataclass(frozen=True)
class Tagged:
    """One study under one number: by whom, and when."""

    tag: int
    study: str
    by: str
    when: datetime


def tagged(events: Iterable[Event]) -> dict[int, dict[str, Tagged]]:
    """The marks of a cohort as its entries in the journal leave them: number -> study -> mark."""
    held: dict[int, dict[str, Tagged]] = {}
    for event in events:
        tag, studies = int(event.details["tag"]), [str(uid) for uid in event.details["studies"]]
        of = held.setdefault(tag, {})
        for uid in studies:
            if event.details["on"]:
                of.setdefault(uid, Tagged(tag, uid, event.who, event.time))
            else:
                of.pop(uid, None)
    return {tag: of for tag, of in sorted(held.items()) if of}
