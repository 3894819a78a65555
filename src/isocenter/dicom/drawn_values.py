"""Does a measured image hold a value that somebody drew with? Asked of every slice, so it takes under a millisecond.

What a detector measured spreads over its values; letters that were added have one value (or end at the brightest).
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["has_drawn_value"]

_CORE = 12  # pixels of a drawn value: the least that letters have
_BESIDE, _SPIKE = 4, 6.0  # values on either side; by how many deviations a drawn value is more frequent than these
_FEW = 100  # pixels of a drawn value: so few may lie apart, as the cores of thin blurred letters do
_WIDEST = 1 << 17  # values of a measured image
_COMPARED = 4  # values up to which comparing every pixel with each is cheaper than looking each pixel up
_DARKEST = 0.06  # share of the range: there lies what is around the patient


def has_drawn_value(one: npt.NDArray[Any]) -> bool:
    """Whether many pixels share one value, as drawn letters do and measured values do not.

    Either the very brightest value, or one that is six deviations more frequent than the mean of the eight values
    beside it. Where these are hundreds, they must also touch one another more often than scattered ones would, as
    pixels of strokes do: grain that was cut to whole numbers has twice as many zeros, one here, one there.

    Args:
        one: (rows, columns) of whole numbers.

    >>> ramp = np.arange(4096).reshape(64, 64)
    >>> has_drawn_value(ramp)
    False
    >>> ramp[10:20, 20:22] = 3000
    >>> has_drawn_value(ramp)
    True
    """
    if one.size == 0:
        return False
    narrow = one.dtype.itemsize <= 2
    values = np.ascontiguousarray(one, one.dtype.newbyteorder("=") if narrow else np.int32)
    low, high = int(values.min()), int(values.max())
    if int(np.count_nonzero(values == high)) >= _CORE:
        return True
    if not 8 <= high - low <= _WIDEST:
        return False
    above = _above(values, low)
    counts = _counts(above.ravel(), high - low + 1)
    drawn = _spikes(counts)
    drawn[: int((high - low) * _DARKEST) + 1] = False
    if not drawn.any():
        return False
    chance = np.minimum(1.0, 8 * counts / values.size) * counts
    touching = _touching(above, drawn)
    return bool(np.any(drawn & ((counts < _FEW) | (touching > chance + _SPIKE * np.sqrt(chance)))))


def _above(values: npt.NDArray[Any], low: int) -> npt.NDArray[Any]:
    """How far each value lies above the lowest, in as many bits: without a sign, what wraps around comes out right."""
    unsigned = np.dtype(f"u{values.itemsize}")
    steps: npt.NDArray[Any] = values.view(unsigned) - unsigned.type(low % (1 << 8 * values.itemsize))
    return steps


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _counts(above: Any, many: Any) -> Any:
    """How often each value occurs: neighbours, which are often equal, are counted apart, so that none waits."""
    counts = np.zeros((4, many), np.int64)
    last = len(above) // 4 * 4
    for at in range(0, last, 4):
        counts[0, above[at]] += 1
        counts[1, above[at + 1]] += 1
        counts[2, above[at + 2]] += 1
        counts[3, above[at + 3]] += 1
    for at in range(last, len(above)):
        counts[0, above[at]] += 1
    return counts[0] + counts[1] + counts[2] + counts[3]


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _spikes(counts: Any) -> Any:
    """Values far more frequent than the mean of those beside them; before the first and behind the last is the same."""
    many = len(counts)
    found = np.zeros(many, np.bool_)
    for value in range(many):
        if counts[value] >= _CORE:
            beside = 0
            for step in range(1, _BESIDE + 1):
                beside += counts[max(value - step, 0)] + counts[min(value + step, many - 1)]
            mean = beside / (2 * _BESIDE)
            found[value] = counts[value] - mean > _SPIKE * np.sqrt(mean + 1)
    return found


def _touching(above: npt.NDArray[Any], drawn: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Of each drawn value, how many of its pixels have a neighbour of the same value."""
    few = np.flatnonzero(drawn).astype(above.dtype)  # compared in as few bits
    if len(few) > _COMPARED:
        held = drawn[above]
    else:
        held = above == few[0]
        for value in few[1:]:
            held |= above == value
    found: npt.NDArray[np.int64] = _beside(above, np.flatnonzero(held), len(drawn))
    return found


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _beside(above: Any, places: Any, many: Any) -> Any:
    rows, columns = above.shape
    found = np.zeros(many, np.int64)
    for place in places:
        row, column = place // columns, place % columns
        value = above[row, column]
        same = -1  # itself
        for beside in range(max(row - 1, 0), min(row + 2, rows)):
            for along in range(max(column - 1, 0), min(column + 2, columns)):
                same += above[beside, along] == value
        found[value] += same >= 1
    return found
