"""How far a long answer has come: of how many studies it is made, and how many of them are done.

Whoever waits for an answer is told by another request meanwhile; nothing of it is kept once the answer is there.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from isocenter.govern.policy import Person, must

__all__ = ["Counting"]

T = TypeVar("T")


@dataclass
class _Far:
    of: int
    done: int = 0


@dataclass
class Counting:
    """What is being worked out for whom, in this process."""

    _now: dict[tuple[str, str], _Far] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def over(self, studies: Sequence[T], answer: str, *, who: Person) -> Iterator[T]:
        """The studies one after the other, counted as they are done.

        Args:
            answer: what is made of them, as `far` is asked for it. Of two at a time the later one is told.

        >>> from isocenter.govern.policy import HOUSE
        >>> counting = Counting()
        >>> [counting.far("cohort", who=HOUSE) for _ in counting.over("ab", "cohort", who=HOUSE)]
        [{'done': 0, 'of': 2}, {'done': 1, 'of': 2}]
        >>> counting.far("cohort", who=HOUSE)
        {'done': 0, 'of': 0}
        """
        key, far = (who.name, answer), _Far(len(studies))
        with self._lock:
            self._now[key] = far
        try:
            for one in studies:
                yield one
                far.done += 1
        finally:
            with self._lock:
                if self._now.get(key) is far:
                    del self._now[key]

    def far(self, answer: str, *, who: Person) -> dict[str, int]:
        """``done`` ``of`` how many studies of an answer that this person waits for; 0 of 0 where they wait for none."""
        must(who, "me")
        with self._lock:
            far = self._now.get((who.name, answer), _Far(0))
        return {"done": far.done, "of": far.of}
