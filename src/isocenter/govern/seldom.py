"""What is told once in a while however often it happens: a flood of refusals must not flood the journal."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta

__all__ = ["Seldom"]

_OTHERS = "others"


@dataclass
class Seldom:
    """Tells which of many alike refusals is written down: the first, and the next when a while has gone by.

    Whoever asks in ever new ways, or under ever new names, is told under one name for all of them once there are too
    many, so that neither what is remembered nor what is written grows with what strangers send.

    Args:
        every: how long the same stays untold.
        ways: different refusals of one asker that are told apart.
        askers: accounts or addresses that are told apart.
    """

    every: timedelta = timedelta(minutes=10)
    ways: int = 20
    askers: int = 100
    _told: dict[str, dict[str, tuple[datetime, int]]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def tells(self, asker: str, way: str, now: datetime) -> int | None:
        """Whether this one is written down: how many alike were left out before it, or None when it is left out too."""
        with self._lock:
            self._forget(now)
            asker = asker if asker in self._told or len(self._told) < self.askers else _OTHERS
            ways = self._told.setdefault(asker, {})
            way = way if way in ways or len(ways) < self.ways else _OTHERS
            when, left_out = ways.get(way, (None, 0))
            if when is not None and timedelta() <= now - when < self.every:
                ways[way] = (when, left_out + 1)
                return None
            ways[way] = (now, 0)
            return left_out

    def _forget(self, now: datetime) -> None:
        """Make room where it is needed: what is older than the while, and owes nobody a number."""
        if len(self._told) < self.askers and all(len(ways) < self.ways for ways in self._told.values()):
            return
        for asker, ways in list(self._told.items()):
            kept = {way: one for way, one in ways.items() if now - one[0] < self.every}
            if kept:
                self._told[asker] = kept
            else:
                del self._told[asker]
