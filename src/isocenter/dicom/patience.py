"""How long to wait for work in another process, on a machine that may be busy with other work."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

__all__ = ["WAITS", "Patience", "processor_seconds"]

WAITS = 4
"""Times as long on the clock as the work may take of the processor."""


class Patience:
    """So much of the other process' processor, and a few times as much on the clock.

    Work that the machine does not get round to is not stopped for it, and work that waits for ever is.
    """

    def __init__(self, seconds: float, used: Callable[[], float], clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds, self.used, self.clock = seconds, used, clock
        self.began, self.had = clock(), used()

    def left(self) -> float:
        """Seconds after which it is worth asking again; none are left when this is not positive."""
        waited = self.clock() - self.began
        return min(self.seconds - min(waited, self.used() - self.had), WAITS * self.seconds - waited)


def processor_seconds(pid: int) -> float:
    """What a process took of the processor; without Linux's table of processes nobody knows, and the clock decides."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return time.monotonic()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
