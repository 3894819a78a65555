"""Where a dynamic MR series has come to its steady state: its first frames may have been measured before.

The first excitations meet magnetisation that is at rest, so that without dummy scans the first frames are brighter,
each less than the one before (Haacke et al., Magnetic Resonance Imaging, chapter 18). In a baseline they are a tracer
that darkens, or one that leaves.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["told", "unsteady"]

_MOST = 6  # frames that may be brighter
_CALM = 4  # frames that follow each other evenly, once it is steady
_EVEN = 0.01  # of the signal
_BRIGHTER = 0.02  # of the signal, from which the first frame is told apart from noise


def unsteady(course: npt.ArrayLike) -> int:
    """How many frames lie before the steady state; 0 where none does, or where the course does not tell.

    They fall to a signal that then stays for four frames. A bolus that darkens from the first frame on does not stay.

    Args:
        course: (frames,) mean signal of all that was imaged.

    >>> unsteady([160, 118, 104, 100, 100.2, 99.9, 100.1, 80, 60, 70])
    3
    >>> unsteady([100.1, 100, 99.9, 100.2, 80, 60, 70, 85, 90, 92])
    0
    """
    values = np.asarray(course, np.float64)
    for first in range(min(_MOST, len(values) - _CALM) + 1):
        calm = values[first : first + _CALM]
        level = float(np.median(calm))
        if float(np.ptp(calm)) > _EVEN * level:
            continue
        before = values[: first + 1]
        falls = bool((np.diff(before) < 0.0).all()) and bool(before[0] > (1.0 + _BRIGHTER) * level)
        return first if first and falls else 0
    return 0


def told(left: int) -> tuple[str, ...]:
    """What is to be said of frames that were left out for it."""
    if not left:
        return ()
    many = "first frame was" if left == 1 else f"first {left} frames were"
    return (f"the {many} left out: brighter, since measured before the steady state; times count from there",)
