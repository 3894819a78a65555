"""What became of an element, held while objects of one patient come: a series repeats nearly all of its header.

The same bytes under the same attribute have the same outcome as long as everything else that decides is the same: the
secret, the options, how far dates move, whose names are banned, and how the file is written. So outcomes are held apart
for each such rule, and a new patient begins with none. What depends on other elements of the object is never held.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import NamedTuple
from weakref import WeakKeyDictionary

from isocenter.dicom.pseudonyms import Pseudonyms

__all__ = ["LONGEST", "Outcome", "Outcomes", "outcomes"]

LONGEST = 1 << 14
"""Bytes of the longest value that is held; what is longer (the table of a multi-frame) seldom comes twice."""
_RULES = 4  # of one secret: patients whose objects come by turns
_BYTES = 4 << 20  # of one rule


class Outcome(NamedTuple):
    """The element as it is written, and what the report counts: (attribute, what was done, what decided), how often."""

    written: bytes
    done: tuple[tuple[tuple[str, str, str], int], ...]


class Outcomes:
    """Outcomes under one rule, by (tag, kind, bytes)."""

    def __init__(self) -> None:
        self._held: dict[tuple[int, str, bytes], Outcome] = {}
        self._bytes = 0
        self.find = self._held.get

    def keep(self, key: tuple[int, str, bytes], outcome: Outcome) -> None:
        """Hold one; when there are too many, all older ones are forgotten."""
        self._bytes += len(key[2]) + len(outcome.written) + 200
        if self._bytes > _BYTES:
            self._held.clear()
            self._bytes = 0
        self._held[key] = outcome


_held: WeakKeyDictionary[Pseudonyms, OrderedDict[Hashable, Outcomes]] = WeakKeyDictionary()
_lock = threading.Lock()


def outcomes(by: Pseudonyms, rule: Hashable) -> Outcomes:
    """What is held under a rule; forgotten with the pseudonyms, or when four others came since."""
    with _lock:
        rules = _held.setdefault(by, OrderedDict())
        found = rules.get(rule)
        if found is None:
            found = rules[rule] = Outcomes()
            if len(rules) > _RULES:
                rules.popitem(last=False)
        rules.move_to_end(rule)
        return found
