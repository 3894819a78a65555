"""Closed outlines to pixels, the same whichever way an image is stored.

A pixel belongs to what outlines enclose when its centre lies inside an odd number of them (a ring drawn as two outlines
keeps its hole) *or on a line that bounds it*. Programs that trace the outermost pixels of a mask draw through their
centres: with any half-open rule such a shape loses a row on one side and not on the other, and another one when the
image is stored from the other end. With the closed rule the mask comes back as it was, by every order of the axes.

A line that is drawn twice, such as the bridge from an outline to its hole, bounds nothing and adds no pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["doubtful", "enclosed", "filled", "traced", "united"]

_ON = 1e-3  # of a pixel: DICOM writes coordinates in decimal, and a centre is hit to about that
_SAME = 1e-4  # of a pixel: corners that are one corner, whatever the last digits say
_TRACED = 0.02  # of a pixel: corners so near to pixel centres were traced from pixels and not drawn by hand
_RECTANGLE = 5  # corners of a rectangle, of which the first may be written again
_BESIDE = 1 / 3  # of an outline that lies outside another, from which it is no hole in it that was drawn a little wide
_ASKED = 16  # corners of an outline that are asked whether they lie within another

Floats = npt.NDArray[np.float64]


def filled(outlines: Sequence[npt.ArrayLike], shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Pixels whose centres lie within closed outlines of one plane, or on them.

    Args:
        outlines: each (n, 2) corners as (row, column), fractional; pixel centres at whole numbers. The last corner is
            joined to the first.
        shape: (rows, columns).

    >>> filled([[[1, 1], [1, 3], [2, 3], [2, 1]]], (4, 5)).astype(int)
    array([[0, 0, 0, 0, 0],
           [0, 1, 1, 1, 0],
           [0, 1, 1, 1, 0],
           [0, 0, 0, 0, 0]])
    """
    mask = np.zeros(shape, dtype=bool)
    edges = _edges(outlines)
    if not len(edges) or not mask.size:
        return mask
    _within(mask, edges)
    _along(mask, _drawn_once(edges))
    return mask


def united(outlines: Sequence[npt.ArrayLike], shape: tuple[int, int]) -> tuple[npt.NDArray[np.bool_], bool]:
    """As `filled`, but outlines that cross are parts of one; and whether some do.

    A part that two strokes of a person share belongs to what they drew. Outlines cross where they share more than a
    line of pixels and at least a third of each lies outside the other: one that lies within another is its hole.

    >>> square, beside = [[0, 0], [0, 4], [4, 4], [4, 0]], [[0, 2], [0, 6], [4, 6], [4, 2]]
    >>> mask, crossed = united([square, beside], (5, 7))
    >>> int(mask.sum()), crossed
    (35, True)
    """
    rings, masks, _ = _near(outlines, shape)
    groups: list[list[int]] = []
    for n, mask in masks.items():
        met = [g for g in groups if any(_cross(masks[k], mask) for k in g)]
        groups = [g for g in groups if g not in met] + [[*(k for g in met for k in g), n]]
    joined = {k for g in groups if len(g) > 1 for k in g}
    whole = filled([one for n, one in enumerate(rings) if n not in joined], shape)
    for group in groups:
        if len(group) > 1:
            whole ^= np.logical_or.reduce([masks[k] for k in group])
    return whole, bool(joined)


def doubtful(outlines: Sequence[npt.ArrayLike], shape: tuple[int, int]) -> int:
    """How many pixels `united` leaves out as a hole that reaches out by more than one that was drawn a little wide.

    >>> ends = (0.5, 15.5), (2.5, 6.5), (8.5, 18.5)
    >>> square, hole, wide = ([[0.5, a], [0.5, b], [8.5, b], [8.5, a]] for a, b in ends)
    >>> doubtful([square, hole], (10, 20)), doubtful([square, wide], (10, 20))
    (0, 56)
    """
    _, masks, pairs = _near(outlines, shape)
    shared = np.zeros(shape, dtype=bool)
    for one, other in ((masks[n], masks[m]) for n, m in pairs):
        beyond = all(_are_thick(part) for part in (one & ~other, other & ~one, one & other))
        if beyond and not _cross(one, other):
            shared |= one & other
    return int(np.count_nonzero(shared))


def _near(
    outlines: Sequence[npt.ArrayLike], shape: tuple[int, int]
) -> tuple[list[Floats], dict[int, npt.NDArray[np.bool_]], list[tuple[int, int]]]:
    """Outlines; the pixels of those that may touch another; and which may touch which."""
    rings = [r for o in outlines if len(r := np.asarray(o, dtype=np.float64).reshape(-1, 2))]
    boxes = [(*r.min(axis=0), *r.max(axis=0)) for r in rings]
    pairs = [
        (n, m)
        for (n, a), (m, b) in combinations(enumerate(boxes), 2)
        if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
    ]
    return rings, {n: filled([rings[n]], shape) for n in sorted({k for pair in pairs for k in pair})}, pairs


def _cross(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> bool:
    rows = np.flatnonzero(one.any(axis=1) & other.any(axis=1))
    if not len(rows):
        return False
    shared = one[rows[0] : rows[-1] + 1] & other[rows[0] : rows[-1] + 1]
    if not _are_thick(shared):
        return False
    common = int(np.count_nonzero(shared))
    return all(common <= (1.0 - _BESIDE) * int(np.count_nonzero(mask)) for mask in (one, other))


def _are_thick(shared: npt.NDArray[np.bool_]) -> bool:
    """Whether pixels are more than a line of one or two of them."""
    thick = shared[1:-1, 1:-1] & shared[:-2, 1:-1] & shared[2:, 1:-1] & shared[1:-1, :-2] & shared[1:-1, 2:]
    return bool(thick.any())


def enclosed(outlines: Sequence[npt.ArrayLike], pixels: int) -> float | None:
    """Area within an odd number of closed outlines of one plane, in pixels, by the shoelace rule.

    An outline within another is a hole, one within that a part again.

    Args:
        outlines: as for `filled`.
        pixels: how many pixels `filled` gives for them.

    Returns:
        None where no such sum is the area: outlines that go from pixel centre to pixel centre were traced from pixels,
        of which they lose the outer halves, and outlines that cross each other or themselves add and take away at once.

    >>> enclosed([[[0.5, 0.5], [0.5, 4.5], [4.5, 4.5], [4.5, 0.5]]], 16)
    16.0
    """
    rings = [r for o in outlines if len(r := np.asarray(o, dtype=np.float64).reshape(-1, 2)) > 2]
    if not rings or all(_on_centres(r) for r in rings):
        return None
    area = sum(
        (-1.0) ** sum(_holds(other, ring) for other in rings if other is not ring) * abs(_shoelace(ring))
        for ring in rings
    )
    round_about = sum(float(np.linalg.norm(r - np.roll(r, -1, axis=0), axis=1).sum()) for r in rings)
    # Pixels and area part company by the pixels on the way round at most.
    return area if abs(area - pixels) <= 0.75 * round_about + 2.0 else None


def traced(outlines: Sequence[npt.ArrayLike]) -> bool:
    """Whether outlines of one plane were traced from pixels, so that they are no finer than these.

    Such go from pixel centre to pixel centre, along the edges of pixels, or, as marching squares do, half way between
    one centre and the next: all their corners lie at whole and half pixels. A rectangle of four such corners at the
    edges of pixels may as well have been drawn.

    >>> traced([[[1, 1], [1, 3], [2, 3], [2, 1]]]), traced([[[0.5, 0.5], [0.5, 4.2], [4.5, 4.5]]])
    (True, False)
    """
    rings = [r for o in outlines if len(r := np.asarray(o, dtype=np.float64).reshape(-1, 2)) > 2]
    if not rings or all(_on_centres(r) for r in rings):
        return True
    return all(np.abs(2.0 * r - np.rint(2.0 * r)).max() < 2.0 * _TRACED for r in rings) and any(
        len(r) > _RECTANGLE for r in rings
    )


def _on_centres(ring: Floats) -> bool:
    return bool(np.abs(ring - np.rint(ring)).max() < _TRACED)


def _shoelace(ring: Floats) -> float:
    y, x = (ring - ring.mean(axis=0)).T
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum()) / 2.0


def _holds(outer: Floats, ring: Floats) -> bool:
    """Whether most of an outline's corners lie within another."""
    asked = ring[np.linspace(0, len(ring) - 1, min(len(ring), _ASKED)).astype(int)]
    y0, x0 = outer.T
    y1, x1 = np.roll(outer, -1, axis=0).T
    row, column = asked[:, :1], asked[:, 1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        left = x0 + (row - y0) / (y1 - y0) * (x1 - x0) < column
    inside = (((y0 <= row) != (y1 <= row)) & left).sum(axis=1) % 2
    return bool(2 * inside.sum() > len(asked))


def _edges(outlines: Sequence[npt.ArrayLike]) -> Floats:
    """(n, 4) lines from corner to corner, as row, column, row, column."""
    rings = [np.asarray(o, dtype=np.float64).reshape(-1, 2) for o in outlines]
    both = [np.column_stack([r, np.roll(r, -1, axis=0)]) for r in rings if len(r)]
    return np.concatenate(both) if both else np.zeros((0, 4))


def _drawn_once(edges: Floats) -> Floats:
    """The lines that bound something: those that are drawn twice cancel."""
    ends = np.round(edges / _SAME).astype(np.int64).reshape(-1, 2, 2)
    turned = (ends[:, 0, 0] > ends[:, 1, 0]) | ((ends[:, 0, 0] == ends[:, 1, 0]) & (ends[:, 0, 1] > ends[:, 1, 1]))
    ends[turned] = ends[turned][:, ::-1]
    _, first, times = np.unique(ends.reshape(-1, 4), axis=0, return_index=True, return_counts=True)
    once: Floats = edges[first[times % 2 == 1]]
    return once


def _within(mask: npt.NDArray[np.bool_], edges: Floats) -> None:
    """Set what lies inside: an odd number of crossings to the left. Each row is cut with all edges at once."""
    y0, x0, y1, x1 = edges.T
    rows, columns = mask.shape
    low, high = max(0, int(np.ceil(y0.min()))), min(rows - 1, int(np.floor(y0.max())))
    across: Any = np.arange(columns)
    for row in range(low, high + 1):
        # Half-open in the row direction, so that a corner on the row is counted once.
        crossing = (y0 <= row) != (y1 <= row)
        if crossing.any():
            a, b = y0[crossing], y1[crossing]
            at = np.sort(x0[crossing] + (row - a) / (b - a) * (x1[crossing] - x0[crossing]))
            mask[row] = np.searchsorted(at, across, side="right") % 2 == 1


def _along(mask: npt.NDArray[np.bool_], edges: Floats) -> None:
    """Set the pixels whose centres the edges pass through."""
    steep = np.abs(edges[:, 2] - edges[:, 0]) >= np.abs(edges[:, 3] - edges[:, 1])
    for one, main in ((edges[steep], 0), (edges[~steep], 1)):
        if not len(one):
            continue
        a, b = one[:, [main, 1 - main]], one[:, [2 + main, 3 - main]]
        start = np.ceil(np.minimum(a[:, 0], b[:, 0]) - _ON).astype(np.int64).clip(min=0)
        stop = np.floor(np.maximum(a[:, 0], b[:, 0]) + _ON).astype(np.int64).clip(max=mask.shape[main] - 1) + 1
        many = (stop - start).clip(min=0)
        which = np.repeat(np.arange(len(one)), many)
        place = np.arange(len(which)) - np.repeat(np.cumsum(many) - many, many) + start[which]
        a, step = a[which], (b - a)[which]
        part = (place - a[:, 0]) / np.where(step[:, 0] == 0.0, 1.0, step[:, 0])
        beside = np.rint(a[:, 1] + part * step[:, 1])
        centre = np.column_stack([place, beside])
        nearest = (((centre - a) * step).sum(axis=1) / np.maximum((step**2).sum(axis=1), _SAME**2)).clip(0.0, 1.0)
        away = np.linalg.norm(centre - a - nearest[:, None] * step, axis=1)
        hit = (away <= _ON) & (beside >= 0) & (beside < mask.shape[1 - main])
        index = centre[hit].astype(np.int64)
        mask[index[:, main], index[:, 1 - main]] = True
