"""Time by which people are called and claims of work end: it never goes back, whatever the machine's clock is set to.

It is the machine's clock, but never less than it was a moment ago and what a steady timer has counted since. A mark
tells the next process how far time was, and by the timer, which goes on until the machine is started anew, how far it
is now. A clock that is set back holds nobody's call; one that is set ahead makes calls early. How long a machine was
off whose clock was set back too cannot be known: calls are late by that.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from isocenter import wholly

__all__ = ["ForwardClock"]


def _since_boot() -> float:
    return time.clock_gettime(
        getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    )  # counts while a laptop sleeps, too


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


@dataclass
class ForwardClock:
    """Now, as it goes forward only.

    Args:
        clock: the machine's, which somebody may set.
        newest: time of the newest entry that is aged by this clock, asked once at the start; None where there is none.
        steady: seconds of a timer that nobody can set, since the machine was started.
        boot: which start of the machine that was; "" where it cannot be told.
        mark: file in which the time is left for the next process; None where there is none.
    """

    clock: Callable[[], datetime]
    newest: Callable[[], datetime | None] = lambda: None
    steady: Callable[[], float] = _since_boot
    boot: str = field(default_factory=_boot)
    mark: Path | None = None
    _last: tuple[datetime, float] | None = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __call__(self) -> datetime:
        with self._lock:
            timer, now = self.steady(), self.clock()
            if self._last is None:
                now = max([now, *(t for t in (self.newest(), self._marked()) if t is not None)])
            else:
                last, then = self._last
                now = max(now, last + timedelta(seconds=timer - then))
            self._last = now, timer
            return now

    def not_before(self, *times: datetime) -> datetime:
        """Now, where something that is aged by this clock bears these times: another process may have been ahead."""
        now = self()
        with self._lock:
            last, then = self._last or (now, self.steady())
            self._last = max((last, *times)), then
            return self._last[0]

    def keep(self, mark: Path) -> None:
        """Leave marks in this file from now on, and go on from the one that lies there."""
        self.mark = mark
        if (marked := self._marked()) is not None:
            self.not_before(marked)

    def leave_mark(self) -> None:
        """Tell the next process how far time is; a disk that takes nothing now is no reason to call nobody."""
        self()
        if self.mark is not None and self._last is not None:
            now, timer = self._last
            with contextlib.suppress(OSError):
                wholly.write(self.mark, f"{now.isoformat()} {timer} {self.boot}", durable=False)

    def _marked(self) -> datetime | None:
        try:
            marked, timer, boot = self.mark.read_text("ascii").split(" ") if self.mark is not None else ("", "", "")
            since = max(0.0, self.steady() - float(timer)) if boot == self.boot != "" else 0.0
            return datetime.fromisoformat(marked) + timedelta(seconds=since)
        except (OSError, ValueError, OverflowError):
            return None
