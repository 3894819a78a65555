"""Is a row of pieces written? Letters cross their line stroke by stroke, and between strokes the ground shows again.

Grain and contrast-filled vessels make rows of pieces, too. A vessel that runs along a row is cut into pieces by its
grain, but stays as light as it is from one end to the other; grain has pieces of one value, but beside them others as
light. So strokes are counted twice: in the mask of the pieces, and in the picture itself, where a stroke counts only if
the picture has come back most of the way to its ground since the stroke before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["Least", "is_written", "may_be_written"]

_LEFT_GROUND, _BACK = 0.65, 0.35  # shares of the way from the ground to the letters


@dataclass(frozen=True)
class Least:
    """What is asked of a row; strokes are those that a quarter of its lines of pixels cross.

    Args:
        strong: mean relief of its pieces, a share of the picture's range.
        crossed, dense: strokes in the mask of its pieces, in all and in a length of its own height.
        apart, apart_dense: the same in the picture, between which its ground shows.
        contrast: from the middle value of what is not of the pieces to that of the pieces, a share of the range.
    """

    strong: float
    crossed: int = 0
    dense: float = 0.0
    apart: int = 0
    apart_dense: float = 0.0
    contrast: float = -1.0


def is_written(
    mask: npt.NDArray[np.bool_],
    relief: npt.NDArray[np.float32],
    light: npt.NDArray[np.float32],
    line: tuple[int, int, int, int],
    *least: Least,
) -> bool:
    """Whether a row meets one of several demands.

    Args:
        mask: (rows, columns), the pieces.
        relief, light: the same picture, by how much each pixel stands out and how light it is, from 0 to 1.
        line: first row, first column, row behind, column behind.
    """
    top, left, bottom, right = line
    part, shown = mask[top:bottom, left:right], light[top:bottom, left:right]
    strong = float(relief[top:bottom, left:right][part].mean(dtype=np.float64))
    along = part if part.shape[1] >= part.shape[0] else part.T
    long = along.shape[1] / along.shape[0]
    crossed = _of_a_quarter(np.count_nonzero(along[:, 1:] & ~along[:, :-1], axis=1) + along[:, 0])
    every = [e for e in least if strong >= e.strong and crossed >= e.crossed and crossed >= e.dense * long]
    if not every or not any(e.apart for e in every):
        return bool(every)
    ground = np.sort(shown[~part])
    if not ground.size:
        return False
    letters, dark = float(np.median(shown[part])), float(ground[ground.size // 4])
    contrast = letters - float(ground[ground.size // 2])
    reach = letters - dark
    lying = np.ascontiguousarray(shown if along is part else shown.T)
    apart = _of_a_quarter(_strokes_apart(lying, dark + _BACK * reach, dark + _LEFT_GROUND * reach))
    return any(contrast >= e.contrast and apart >= e.apart and apart >= e.apart_dense * long for e in every)


def may_be_written(
    mask: npt.NDArray[np.bool_], relief: npt.NDArray[np.float32], degrees: float, row: tuple[int, int, int, int],
    *least: Least,
) -> bool:  # fmt: skip
    """Whether a row at a slant has strokes enough in its mask: grain makes thousands of rows that have not.

    Args:
        mask, relief: see `is_written`; of the whole picture.
        row: in places across and along the slant (`slants`).
    """
    top, left, bottom, right = row
    turn = np.deg2rad(degrees)
    strokes, strong = _strokes_at(mask, relief, np.cos(turn), np.sin(turn), top, left, bottom, right)
    crossed = _of_a_quarter(strokes)
    long = (right - left) / (bottom - top)
    return any(strong >= e.strong and crossed >= e.crossed and crossed >= e.dense * long for e in least)


def _of_a_quarter(strokes: npt.NDArray[np.int64]) -> int:
    return int(np.sort(strokes)[-1 - max(1, len(strokes) // 4)])


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _strokes_apart(light: Any, back: Any, left: Any) -> Any:
    """Of each line of pixels, how often it gets lighter than one border after it was darker than the other."""
    strokes = np.zeros(light.shape[0], np.int64)
    for row in range(light.shape[0]):
        within = False
        for column in range(light.shape[1]):
            if within:
                within = light[row, column] >= back
            elif light[row, column] > left:
                within = True
                strokes[row] += 1
    return strokes


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _strokes_at(mask: Any, relief: Any, cos: Any, sin: Any, top: Any, left: Any, bottom: Any, right: Any) -> Any:
    """Of each line of places along a row, how often its pieces begin; and the mean relief of the pieces."""
    strokes = np.zeros(bottom - top, np.int64)
    total, count = 0.0, 0
    for line in range(bottom - top):
        before = False
        across = top + line
        for along in range(left, right):
            row = int(np.rint(across * cos + along * sin))
            column = int(np.rint(along * cos - across * sin))
            here = False
            if 0 <= row < mask.shape[0] and 0 <= column < mask.shape[1]:
                here = mask[row, column]
            if here:
                total += relief[row, column]
                count += 1
                if not before:
                    strokes[line] += 1
            before = here
    return strokes, total / max(count, 1)
