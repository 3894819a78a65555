"""How many requests an address may make: a bucket that fills evenly, so that nobody's program starves the rest.

A reader who scrolls asks for many images in one request; the shipped pace is far above what pages and DICOMweb viewers
need, and stops what only a program does. It counts before anything is looked at, and remembers no more than it must.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

__all__ = ["Pace"]

_MOST = 20_000  # addresses that are remembered; the one unheard of for the longest is forgotten first


class Pace:
    """Buckets by address.

    Args:
        per_minute: requests that an address may make in the long run; 0 for no limit.
        burst: so many at once after a while of silence; the same as `per_minute` by default.
        clock: seconds that only go forward.
    """

    def __init__(self, per_minute: int, *, burst: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = per_minute / 60, float(burst or per_minute), clock
        self._held: dict[str, tuple[float, float]] = {}  # address -> what is left, when it was so
        self._lock = threading.Lock()

    def wait_s(self, address: str) -> int:
        """Take one request; 0 where it may go on, else in how many seconds the next may.

        >>> pace = Pace(60, burst=2, clock=lambda: 0.0)
        >>> pace.wait_s("a"), pace.wait_s("a"), pace.wait_s("a"), pace.wait_s("b")
        (0, 0, 1, 0)
        """
        if not self._rate:
            return 0
        with self._lock:
            now = self._clock()
            left, then = self._held.pop(address, (self._burst, now))
            left = min(self._burst, left + max(0.0, now - then) * self._rate)
            going = left >= 1
            self._held[address] = (left - 1 if going else left), now
            if len(self._held) > _MOST:
                del self._held[next(iter(self._held))]
        return 0 if going else max(1, math.ceil((1 - left) / self._rate))
