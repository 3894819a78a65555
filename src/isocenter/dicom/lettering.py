"""Pieces of a mask that stand in a row as letters do: of like height, close to one another, upright or by a quarter.

An image full of grain has tens of thousands of pieces, and each may continue any row that ends close before it. So the
rows are followed in compiled code, and a row is left as soon as nothing can reach it any more.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["Pieces", "rows_of_pieces"]

Box = tuple[int, int, int, int]
_TOUCHING = np.ones((3, 3), bool)
_MOST = 100_000  # pieces of one mask; where there are more, it is grain and no letter can be told from it
_MOST_ASKEW = 3_000  # the same where rows at slants are sought, each slant of which asks every piece again
_TALLEST = 60  # pixels, at one scale
_SMALLEST = 3  # pixels of a piece
_SWEEP = 64  # pieces after which rows that have ended are dropped


class Pieces:
    """The pieces of a mask, of which rows are made: along the rows of the picture, along its columns, and at slants.

    Args:
        mask: (rows, columns), true where a stroke of a letter may be.
    """

    def __init__(self, mask: npt.NDArray[np.bool_]) -> None:
        from scipy import ndimage

        self._mask = mask
        self._labels, count = ndimage.label(mask, _TOUCHING)
        self._count = count if count <= _MOST else 0
        self._boxes, self._sizes = _boxes(self._labels, self._count)
        self._level: _Rows | None = None
        self._across: _Rows | None = None

    def rows(self, least: int) -> list[Box]:
        """Rows of so many letters or more, along the rows of the picture and along its columns.

        Args:
            least: how many letters make a row; pieces that touch count by their width.

        Returns:
            (first row, first column, row behind, column behind) of each.
        """
        if not self._count:
            return []
        if self._level is None or self._across is None:
            self._level, self._across = _Rows(self._boxes, self._sizes), _Rows(_turned(self._boxes), self._sizes)
        return self._level.of(least) + [(b, a, d, c) for a, b, c, d in self._across.of(least)]

    def at_slants(self, degrees: tuple[float, ...], least: int) -> list[tuple[float, Box]]:
        """Rows of letters that run at slants, found without turning the picture: pieces are measured along each slant.

        Args:
            degrees: by how much the rows rise to the right, each under 90; what runs across such a row is found, too.

        Returns:
            the slant of each, and its box in places across and along the slant (`isocenter.dicom.slants`).
        """
        fit = self._sizes >= _SMALLEST
        if not 0 < np.count_nonzero(fit) <= _MOST_ASKEW:
            return []
        numbers, sizes = np.cumsum(fit) - 1, self._sizes[fit]
        rows, columns = np.nonzero(self._mask)
        of = self._labels[rows, columns] - 1
        kept = fit[of]
        rows, columns, of = rows[kept], columns[kept], numbers[of[kept]]
        found: list[tuple[float, Box]] = []
        for slant in degrees:
            turn = np.deg2rad(slant)
            boxes = _boxes_along(rows, columns, of, len(sizes), np.cos(turn), np.sin(turn))
            found += [(slant, row) for row in _Rows(boxes, sizes).of(least)]
            found += [(slant, (b, a, d, c)) for a, b, c, d in _Rows(_turned(boxes), sizes).of(least)]
        return found


def rows_of_pieces(mask: npt.NDArray[np.bool_], *, least: int) -> list[Box]:
    """Rows of letters of a mask; see `Pieces.rows`."""
    return Pieces(mask).rows(least)


def _turned(boxes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.ascontiguousarray(boxes[:, [1, 0, 3, 2]])


class _Rows:
    """All rows along one direction, of which those with letters enough are asked for."""

    def __init__(self, boxes: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64]) -> None:
        high, wide = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
        # A plate or a bar is full and wide; a letter, or some that touch, is tall or has holes.
        kept = (high >= 2) & (high <= _TALLEST) & (sizes >= _SMALLEST)
        kept &= (wide <= 3 * high) | (sizes < 0.7 * high * wide)
        pieces = boxes[kept]
        self._pieces = np.ascontiguousarray(pieces[np.lexsort((pieces[:, 0], pieces[:, 1]))])
        self._whole, self._letters = pieces, np.zeros(0)
        if len(pieces):
            self._whole, self._letters = _measured(self._pieces, *_rows(self._pieces))

    def of(self, least: int) -> list[Box]:
        if not len(self._letters):
            return []
        whole = self._whole
        rows = whole[(self._letters >= least) & (whole[:, 3] - whole[:, 1] >= 1.2 * (whole[:, 2] - whole[:, 0]))]
        if len(rows):
            pieces = self._pieces[np.argsort(self._pieces[:, 0], kind="stable")]
            near = np.searchsorted(pieces[:, 0], rows[:, 0] - _TALLEST), np.searchsorted(pieces[:, 0], rows[:, 2])
            _widen(rows, pieces, *near)
        return [(a, b, c, d) for a, b, c, d in rows.tolist()]


# What is compiled assigns number by number and asks NumPy for nothing but room: a row assigned whole, or a search in
# sorted numbers, takes seconds to compile, which the first image would wait for.


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _boxes(labels: Any, count: Any) -> Any:
    """First row, first column, row behind and column behind of each label, and how many pixels it has."""
    boxes = np.empty((count, 4), np.int64)
    for label in range(count):
        boxes[label, 0], boxes[label, 1], boxes[label, 2], boxes[label, 3] = labels.shape[0], labels.shape[1], 0, 0
    sizes = np.zeros(count, np.int64)
    for row in range(labels.shape[0]):
        for column in range(labels.shape[1]):
            label = labels[row, column] - 1
            if label >= 0:
                sizes[label] += 1
                boxes[label, 0] = min(boxes[label, 0], row)
                boxes[label, 1] = min(boxes[label, 1], column)
                boxes[label, 2] = max(boxes[label, 2], row + 1)
                boxes[label, 3] = max(boxes[label, 3], column + 1)
    return boxes, sizes


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _boxes_along(rows: Any, columns: Any, of: Any, count: Any, cos: Any, sin: Any) -> Any:
    """Of each piece, whose pixels are given one by one, the box around them in places across and along a slant."""
    boxes = np.empty((count, 4), np.int64)
    for piece in range(count):
        boxes[piece, 0], boxes[piece, 1], boxes[piece, 2], boxes[piece, 3] = 1 << 40, 1 << 40, -(1 << 40), -(1 << 40)
    for number in range(len(rows)):
        piece = of[number]
        across = int(np.floor(rows[number] * cos - columns[number] * sin + 0.5))
        along = int(np.floor(rows[number] * sin + columns[number] * cos + 0.5))
        boxes[piece, 0] = min(boxes[piece, 0], across)
        boxes[piece, 1] = min(boxes[piece, 1], along)
        boxes[piece, 2] = max(boxes[piece, 2], across + 1)
        boxes[piece, 3] = max(boxes[piece, 3], along + 1)
    return boxes


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _rows(pieces: Any) -> Any:
    """Of pieces that come in order of their first columns, the row of each, and how many rows there are; each piece
    continues the newest row that it can."""
    count = len(pieces)
    row_of = np.empty(count, np.int64)
    last = np.empty((count, 4), np.int64)  # of each row its last pieces, the newest first; -1 where there is none
    near = np.empty((count, 4), np.int64)  # of these: top, bottom, right, greatest height
    going = np.empty(count, np.int64)  # rows that may go on, in the order in which they began
    rows, live = 0, 0
    for number in range(count):
        top, left, bottom, right = pieces[number]
        height = bottom - top
        if number % _SWEEP == 0:
            kept = 0
            for at in range(live):
                row = going[at]
                # No piece is followed that is 2.2 times as tall, nor one further away than 1.8 heights.
                if left - near[row, 2] <= 1.8 * 2.2 * max(near[row, 3], 4):
                    going[kept] = row
                    kept += 1
            live = kept
        chosen = -1
        for at in range(live - 1, -1, -1):
            row = going[at]
            tall = near[row, 3]
            overlap = min(near[row, 1], bottom) - max(near[row, 0], top)
            if (
                overlap >= 0.5 * min(tall, height)
                and left - near[row, 2] <= 1.8 * max(tall, height)
                and height <= 2.2 * max(tall, 4)
                and max(near[row, 1], bottom) - min(near[row, 0], top) <= 2 * max(tall, height)
            ):
                chosen = row
                break
        if chosen < 0:
            chosen = rows
            going[live] = rows
            for at in range(4):
                last[rows, at] = -1
            rows, live = rows + 1, live + 1
        row_of[number] = chosen
        # Points, commas and hyphens are small: the letters beside them tell the height, so four are looked at.
        for at in range(3, 0, -1):
            last[chosen, at] = last[chosen, at - 1]
        last[chosen, 0] = number
        near[chosen, 0], near[chosen, 1], near[chosen, 2], near[chosen, 3] = top, bottom, right, height
        for at in range(1, 4):
            if last[chosen, at] >= 0:
                other = pieces[last[chosen, at]]
                near[chosen, 0] = min(near[chosen, 0], other[0])
                near[chosen, 1] = max(near[chosen, 1], other[2])
                near[chosen, 2] = max(near[chosen, 2], other[3])
                near[chosen, 3] = max(near[chosen, 3], other[2] - other[0])
    return row_of, rows


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _measured(pieces: Any, row_of: Any, rows: Any) -> Any:
    """The box around each row, and how many letters it may have."""
    whole = np.empty((rows, 4), np.int64)
    for row in range(rows):
        whole[row, 0], whole[row, 1], whole[row, 2], whole[row, 3] = 1 << 40, 1 << 40, 0, 0
    for number in range(len(pieces)):
        row, piece = row_of[number], pieces[number]
        whole[row, 0], whole[row, 1] = min(whole[row, 0], piece[0]), min(whole[row, 1], piece[1])
        whole[row, 2], whole[row, 3] = max(whole[row, 2], piece[2]), max(whole[row, 3], piece[3])
    letters = np.zeros(rows)
    for number in range(len(pieces)):
        row, piece = row_of[number], pieces[number]
        height = piece[2] - piece[0]
        if height >= max(4.0, 0.5 * (whole[row, 2] - whole[row, 0])):
            # Letters that touch are one piece; its width tells how many they may be.
            letters[row] += max(1.0, (piece[3] - piece[1]) / height)
    return whole, letters


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _widen(rows: Any, pieces: Any, first: Any, behind: Any) -> Any:
    """Take into each row all that stands at its height and close by, letters or parts of them; pieces by first row.

    Args:
        first, behind: of each row the first piece that can reach it, and the one behind the last.
    """
    for number in range(len(rows)):
        row = rows[number]
        reach = 2.5 * (row[2] - row[0])
        changed = True
        while changed:
            changed = False
            for at in range(first[number], behind[number]):
                top, left, bottom, right = pieces[at]
                if min(row[2], bottom) - max(row[0], top) < 0.4 * (bottom - top):
                    continue
                if (left < row[1] and row[1] - right <= reach) or (right > row[3] and left - row[3] <= reach):
                    row[1], row[3], changed = min(row[1], left), max(row[3], right), True
