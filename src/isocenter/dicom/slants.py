"""Places along a slant: a row of letters that runs askew is cut out level, and covered by a rectangle along it.

A place is measured across and along the slant, in pixels: ``across = row * cos - column * sin`` and
``along = row * sin + column * cos``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["boxes_of", "cover", "level"]

Box = tuple[int, int, int, int]


def level(
    pictures: tuple[npt.NDArray[Any], ...], degrees: float, row: Box
) -> tuple[tuple[npt.NDArray[Any], ...], npt.NDArray[np.bool_]]:
    """What lies in a row at a slant, of several pictures of the same place, as if it lay level; and what is inside.

    Args:
        pictures: (rows, columns) each.
        row: first place across, first along, the place behind across, behind along.
    """
    top, left, bottom, right = row
    across, along = np.mgrid[top:bottom, left:right]
    rows, columns = _places(across, along, degrees)
    rows, columns = np.rint(rows).astype(np.int64), np.rint(columns).astype(np.int64)
    high, wide = pictures[0].shape
    inside = (rows >= 0) & (rows < high) & (columns >= 0) & (columns < wide)
    at = np.clip(rows, 0, high - 1), np.clip(columns, 0, wide - 1)
    return tuple(one[at] for one in pictures), inside


def cover(covered: npt.NDArray[np.bool_], degrees: float, row: Box) -> None:
    """Mark every pixel of a picture that lies in a row at a slant or in the margin around it.

    Args:
        covered: (rows, columns), changed.
        row: see `level`.
    """
    margin = max(3.0, (row[2] - row[0]) * 0.33)
    top, bottom, left, right = row[0] - margin, row[2] + margin, row[1] - 2 * margin, row[3] + 2 * margin
    rows, columns = _places(np.array([top, top, bottom, bottom]), np.array([left, right, left, right]), degrees)
    first, last = np.floor([rows.min(), columns.min()]), np.ceil([rows.max(), columns.max()])
    a, b = (int(v) for v in np.clip(first, 0, covered.shape))
    c, d = (int(v) for v in np.clip(last + 1, 0, covered.shape))
    row_at, column_at = np.ogrid[a:c, b:d]
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    across, along = row_at * cos - column_at * sin, row_at * sin + column_at * cos
    covered[a:c, b:d] |= (across >= top) & (across <= bottom) & (along >= left) & (along <= right)


def boxes_of(covered: npt.NDArray[np.bool_]) -> list[Box]:
    """Upright boxes that together hold exactly what is covered: each run of a row, with the same runs below it."""
    found: list[Box] = []
    if not covered.any():  # of most pictures
        return found
    going: dict[tuple[int, int], int] = {}  # first column and column behind, and where such runs began
    edges = np.diff(np.pad(covered.astype(np.int8), ((0, 1), (1, 1))), axis=1)
    for row in range(len(edges)):
        starts, ends = np.flatnonzero(edges[row] > 0), np.flatnonzero(edges[row] < 0)
        here = set(zip(starts.tolist(), ends.tolist(), strict=True))
        found += [(going.pop(run), run[0], row, run[1]) for run in sorted(going.keys() - here)]
        going.update((run, row) for run in here - going.keys())
    return found


def _places(
    across: npt.NDArray[Any], along: npt.NDArray[Any], degrees: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return across * cos + along * sin, along * cos - across * sin
