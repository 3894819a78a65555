"""Places along a slant: a row of letters that runs askew is cut out level, and covered by small upright boxes.

A place is measured across and along the slant, in pixels: ``across = row * cos - column * sin`` and
``along = row * sin + column * cos``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["covering", "level"]

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


def covering(degrees: float, row: Box, shape: tuple[int, ...]) -> list[Box]:
    """Upright boxes, half as thick as the row with its margin, that together cover a row at a slant."""
    top, left, bottom, right = row
    half = min(bottom - top, right - left) / 2
    margin = max(3.0, half * 0.67)
    ends = margin * 2
    high, wide = (margin, ends) if right - left >= bottom - top else (ends, margin)
    step = half / 2
    across, along = np.meshgrid(
        np.arange(top - high + step, bottom + high, step), np.arange(left - wide + step, right + wide, step),
        indexing="ij",
    )  # fmt: skip
    rows, columns = (part.ravel() for part in _places(across, along, degrees))
    low = np.clip(np.floor(np.stack([rows, columns], -1) - step), 0, shape).astype(int)
    behind = np.clip(np.ceil(np.stack([rows, columns], -1) + step) + 1, 0, shape).astype(int)
    made = {(a, b, c, d) for (a, b), (c, d) in zip(low.tolist(), behind.tolist(), strict=True) if c > a and d > b}
    return sorted(made)


def _places(
    across: npt.NDArray[Any], along: npt.NDArray[Any], degrees: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return across * cos + along * sin, along * cos - across * sin
