"""What is thinner than the stroke of a letter, and where it stands out from the grain around it, in compiled code.

A radiograph has millions of pixels and is looked at eight times, so each step goes over it row by row, in what the
processor still holds, and makes no copy with margins.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["STROKE", "relief", "standing_out"]

STROKE = 7
"""Pixels: strokes of letters are thinner than this, at one of the scales."""
_REACH = STROKE // 2


def relief(light: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """What is thinner than a stroke, by how much it is lighter than what is around: the white top-hat of a square.

    Args:
        light: (rows, columns), larger where lighter.
    """
    thin: npt.NDArray[np.float32] = _relief(np.ascontiguousarray(light, np.float32))
    return thin


def standing_out(relief: npt.NDArray[np.float32], around: int, least: float, times: float) -> npt.NDArray[np.bool_]:
    """Pixels of which the relief is more than some least, and so many times what it is around them (root mean square).

    Args:
        around: pixels: half the width of what counts as around; the picture is mirrored at its edges.
    """
    strong: npt.NDArray[np.bool_] = _standing_out(np.ascontiguousarray(relief, np.float32), around, least, times)
    return strong


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _relief(light: Any) -> Any:
    """Light minus the greatest of the least around: four passes at once, each a few rows behind the one before it.

    The least of values is the greatest of their negatives with its sign turned, so that one pass does for both.
    """
    rows, columns = light.shape
    out = np.empty_like(light)
    darkest, greatest = np.empty((STROKE, columns), light.dtype), np.empty((STROKE, columns), light.dtype)
    held = np.empty(columns, light.dtype)
    for step in range(rows + 2 * _REACH):
        if step < rows:
            for column in range(columns):
                held[column] = -light[step, column]
            _greatest_beside(held, darkest[step % STROKE])
        middle = step - _REACH
        if 0 <= middle < rows:
            _greatest_above(darkest, middle, rows, held)
            for column in range(columns):
                held[column] = -held[column]
            _greatest_beside(held, greatest[middle % STROKE])
        row = step - 2 * _REACH
        if row >= 0:
            _greatest_above(greatest, row, rows, held)
            for column in range(columns):
                out[row, column] = light[row, column] - held[column]
    return out


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _greatest_above(ring: Any, row: Any, rows: Any, out: Any) -> None:
    """The greatest of seven rows above one another, of which a ring holds the last; at the ends of fewer."""
    first = max(row - _REACH, 0)
    there = ring[first % STROKE]
    for column in range(len(out)):  # to a slice, the words of an error would be compiled too, for seconds
        out[column] = there[column]
    for other in range(first + 1, min(row + _REACH + 1, rows)):
        there = ring[other % STROKE]
        for column in range(len(out)):
            out[column] = there[column] if there[column] > out[column] else out[column]


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _greatest_beside(line: Any, out: Any) -> None:
    """The greatest of seven values beside one another; at the ends of fewer."""
    end = len(line)
    for at in range(_REACH, end - _REACH):
        one = line[at - 3] if line[at - 3] > line[at - 2] else line[at - 2]
        two = line[at - 1] if line[at - 1] > line[at] else line[at]
        three = line[at + 1] if line[at + 1] > line[at + 2] else line[at + 2]
        one = one if one > two else two
        three = three if three > line[at + 3] else line[at + 3]
        out[at] = one if one > three else three
    for at in range(end):
        if _REACH <= at < end - _REACH:
            continue
        here = line[at]
        for other in range(max(at - _REACH, 0), min(at + _REACH + 1, end)):
            here = max(here, line[other])
        out[at] = here


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _mirrored(at: Any, end: Any) -> Any:
    """The place within a line that stands for one beyond its ends: the line is followed back, and back again."""
    at %= 2 * end
    return at if at < end else 2 * end - 1 - at


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _standing_out(relief: Any, around: Any, least: Any, times: Any) -> Any:
    rows, columns = relief.shape
    strong = np.zeros((rows, columns), np.bool_)
    over = np.zeros(columns, np.float64)  # sums of squares down each column, within reach of the row
    for other in range(-around, around + 1):
        line = relief[_mirrored(other, rows)]
        for column in range(columns):
            over[column] += np.float64(line[column]) * line[column]
    area = np.float64((2 * around + 1) ** 2)
    for row in range(rows):
        if row:
            gone, come = relief[_mirrored(row - around - 1, rows)], relief[_mirrored(row + around, rows)]
            for column in range(columns):
                over[column] += np.float64(come[column]) * come[column] - np.float64(gone[column]) * gone[column]
        total = 0.0
        for other in range(-around, around + 1):
            total += over[_mirrored(other, columns)]
        here = relief[row]
        for column in range(columns):
            if column:
                total += over[_mirrored(column + around, columns)] - over[_mirrored(column - around - 1, columns)]
            if here[column] > least and here[column] > times * math.sqrt(max(total / area, 0.0)):
                strong[row, column] = True
    return strong
