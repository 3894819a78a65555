"""What a part of the house knows from the journal, kept level with its end.

Links, consent, alerts and figures are all folds of events. Each is read once and afterwards only what is new, also
where another process wrote it, and is begun again where the archive was put back to an older copy.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from isocenter.record import Kind, Sealed

if TYPE_CHECKING:
    from isocenter.store.journal import Journal

__all__ = ["Follower"]

_PAGE = 2000
S = TypeVar("S")


class Follower(Generic[S]):
    """A state folded from the events of some kinds; each event is folded exactly once, in order.

    Args:
        journal: what it is kept level with.
        kinds: which events.
        empty: the state before the first of them.
        fold: the state after a page of them; it may change the state that it is given, and returns it then.
    """

    def __init__(
        self, journal: Journal, kinds: Sequence[Kind], empty: Callable[[], S], fold: Callable[[S, Sequence[Sealed]], S]
    ) -> None:
        self._journal, self._kinds, self._empty, self._fold = journal, tuple(kinds), empty, fold
        self._lock = threading.Lock()
        self._level = 0
        self._state = empty()
        self._epoch = journal.epoch()

    def state(self, view: Callable[[S], S] = lambda state: state) -> S:
        """The state after the last event that the journal holds now.

        Args:
            view: makes what is given away, while nobody folds: a copy, where `fold` changes the state in place.
        """
        with self._lock:
            head, epoch = self._journal.head()[0], self._journal.epoch()
            # The archive was put back to an older copy, or somebody's words were erased.
            if head < self._level or epoch != self._epoch:
                self._level, self._state, self._epoch = 0, self._empty(), epoch
            while self._level < head:
                page = self._journal.since(self._level, kinds=self._kinds, limit=_PAGE)
                if page:
                    self._state = self._fold(self._state, page)
                # A page may hold what was written after the head was asked for: it is not to be folded again.
                last = page[-1].number if page else 0
                self._level = last if len(page) == _PAGE else max(last, head)
            return view(self._state)
