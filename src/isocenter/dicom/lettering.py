"""Pieces of a mask that stand in a row as letters do: of like height, close to one another, upright or by a quarter.

An image full of grain has tens of thousands of pieces, and each may continue any row that ends close before it. So the
rows are followed in compiled code, and a row is left as soon as nothing can reach it any more.
"""

from __future__ import annotations

from functools import cached_property
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
_STEEPEST = 0.3  # rise of the line through a row at a slant, along that slant
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

        A row that is found along one of them is laid level by the straight line through the middles of its letters, so
        that few slants do for any.

        Args:
            degrees: by how much rows fall to the right.

        Returns:
            the slant of each, and its box in places across and along that slant (`isocenter.dicom.slants`).
        """
        if not 0 < np.count_nonzero(self._sizes >= _SMALLEST) <= _MOST_ASKEW:
            return []
        found: list[tuple[float, Box]] = []
        for slant in degrees:
            found += self._leaning(_Rows(self._along(slant), self._sizes), np.deg2rad(slant), least)
        return found

    def widened(self, degrees: float, row: Box) -> Box:
        """A row at a slant with all that stands at its height and close by, letters or parts of them."""
        whole, pieces = np.array([row]), self._along(degrees)
        pieces = pieces[(self._sizes >= _SMALLEST) & (pieces[:, 2] - pieces[:, 0] <= _TALLEST)]
        _widen(whole, pieces, np.zeros(1, np.int64), np.full(1, len(pieces)))
        top, left, bottom, right = whole[0].tolist()
        return top, left, bottom, right

    def _along(self, degrees: float) -> npt.NDArray[np.int64]:
        """Of each piece its box in places across and along a slant."""
        turns = np.full(self._count, np.deg2rad(degrees))
        boxes: npt.NDArray[np.int64] = _boxes_along(*self._pixels, np.arange(self._count), np.cos(turns), np.sin(turns))
        return boxes

    def _leaning(self, made: _Rows, slant: float, least: int) -> list[tuple[float, Box]]:
        """The rows that were made along a slant, each by its own: a long row that is some degrees off is many letters
        tall, so how many letters it may have is asked when it lies level."""
        may = made.most_letters() >= least
        if not may.any():
            return []
        turns = slant + made.rise()
        row_of = np.full(self._count, -1)
        row_of[made.numbers] = np.where(may[made.row_of], made.row_of, -1)  # pixels of the others need no turning
        boxes = _boxes_along(*self._pixels, row_of, np.cos(turns), np.sin(turns))
        high, wide = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
        kept = np.flatnonzero(may & (made.letters(high) >= least) & (wide >= 1.2 * high))
        return [(float(np.rad2deg(turns[n])), tuple(boxes[n].tolist())) for n in kept]

    @cached_property
    def _pixels(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Rows and columns of all pixels, one piece after the other, and of each piece its first pixel."""
        rows, columns = np.nonzero(self._mask)
        order = np.argsort(self._labels[rows, columns], kind="stable")
        return rows[order], columns[order], np.concatenate([[0], np.cumsum(self._sizes)])


def rows_of_pieces(mask: npt.NDArray[np.bool_], *, least: int) -> list[Box]:
    """Rows of letters of a mask; see `Pieces.rows`."""
    return Pieces(mask).rows(least)


def _turned(boxes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.ascontiguousarray(boxes[:, [1, 0, 3, 2]])


class _Rows:
    """All rows along one direction, of which those with letters enough are asked for.

    Args:
        boxes, sizes: of each piece.
    """

    def __init__(self, boxes: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64]) -> None:
        high, wide = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
        # A plate or a bar is full and wide; a letter, or some that touch, is tall or has holes.
        kept = (high >= 2) & (high <= _TALLEST) & (sizes >= _SMALLEST)
        kept &= (wide <= 3 * high) | (sizes < 0.7 * high * wide)
        numbers = np.flatnonzero(kept)
        self.numbers = numbers[np.lexsort((boxes[numbers, 0], boxes[numbers, 1]))]
        self.pieces = np.ascontiguousarray(boxes[self.numbers])
        self.row_of: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self.count = 0
        if len(self.pieces):
            self.row_of, self.count = _rows(self.pieces)
        self._measured: Any = None

    def of(self, least: int) -> list[Box]:
        if not self.count:
            return []
        if self._measured is None:
            self._measured = _measured(self.pieces, self.row_of, self.count)
        whole, letters = self._measured
        rows = whole[(letters >= least) & (whole[:, 3] - whole[:, 1] >= 1.2 * (whole[:, 2] - whole[:, 0]))]
        if len(rows):
            pieces = self.pieces[np.argsort(self.pieces[:, 0], kind="stable")]
            near = np.searchsorted(pieces[:, 0], rows[:, 0] - _TALLEST), np.searchsorted(pieces[:, 0], rows[:, 2])
            _widen(rows, pieces, *near)
        return [(a, b, c, d) for a, b, c, d in rows.tolist()]

    def rise(self) -> npt.NDArray[np.float64]:
        """Radians by which the straight line through the middles of its letters leans from each row."""
        high, wide = self.pieces[:, 2] - self.pieces[:, 0], self.pieces[:, 3] - self.pieces[:, 1]
        tallest = np.zeros(self.count, np.int64)
        np.maximum.at(tallest, self.row_of, high)
        weight = wide * (high >= np.maximum(4, 0.5 * tallest[self.row_of]))
        across, along = (self.pieces[:, :2] + self.pieces[:, 2:]).T / 2
        along = along - (self._total(weight * along) / np.maximum(self._total(weight), 1))[self.row_of]
        rise = self._total(weight * along * across) / np.maximum(self._total(weight * along * along), 1)
        turns: npt.NDArray[np.float64] = np.arctan(np.clip(rise, -_STEEPEST, _STEEPEST))
        return turns

    def most_letters(self) -> npt.NDArray[np.float64]:
        """More letters than these no row has, however tall it is found to be."""
        return self.letters(np.zeros(self.count, np.int64))

    def letters(self, tall: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """How many letters each row may have, that is so many pixels tall; letters that touch count by their width."""
        high, wide = self.pieces[:, 2] - self.pieces[:, 0], self.pieces[:, 3] - self.pieces[:, 1]
        return self._total(np.maximum(1, wide / high) * (high >= np.maximum(4, 0.5 * tall[self.row_of])))

    def _total(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Of each row the sum over its pieces."""
        return np.asarray(np.bincount(self.row_of, weights=values, minlength=self.count), np.float64)


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
def _boxes_along(rows: Any, columns: Any, first: Any, into: Any, cos: Any, sin: Any) -> Any:
    """Boxes around pieces, or around rows of them, each in places across and along a slant of its own.

    Args:
        rows, columns: of the pixels of all pieces, one piece after the other.
        first: of each piece its first pixel.
        into: of each piece, in which box it lies; below zero where in none.
        cos, sin: of the slant of each box.
    """
    boxes = np.empty((len(cos), 4), np.int64)
    for at in range(len(cos)):
        boxes[at, 0], boxes[at, 1], boxes[at, 2], boxes[at, 3] = 1 << 40, 1 << 40, -(1 << 40), -(1 << 40)
    for piece in range(len(into)):
        at = into[piece]
        if at < 0:
            continue
        for number in range(first[piece], first[piece + 1]):
            across = int(np.floor(rows[number] * cos[at] - columns[number] * sin[at] + 0.5))
            along = int(np.floor(rows[number] * sin[at] + columns[number] * cos[at] + 0.5))
            boxes[at, 0] = min(boxes[at, 0], across)
            boxes[at, 1] = min(boxes[at, 1], along)
            boxes[at, 2] = max(boxes[at, 2], across + 1)
            boxes[at, 3] = max(boxes[at, 3], along + 1)
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
        whole[row, 0], whole[row, 1], whole[row, 2], whole[row, 3] = 1 << 40, 1 << 40, -(1 << 40), -(1 << 40)
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
