"""Slices as a reader stands before them, whichever way round a file keeps them, with the sides of the patient.

Axial and coronal slices have the patient's right on the left side, sagittal ones the front; heads are on top.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from isocenter.space import Geometry, Reference

__all__ = ["Facing", "facing"]

Pixel = TypeVar("Pixel", bound=np.generic)
_OPPOSITE = {"L": "R", "P": "A", "H": "F", "R": "L", "A": "P", "F": "H"}
_FACING = {"H": ("P", "L"), "P": ("F", "L"), "L": ("F", "P")}  # slices along -> rows grow to, columns grow to


@dataclass(frozen=True)
class Facing:
    """How the slices of a grid are turned before they are shown.

    Args:
        turned: rows and columns change places.
        flipped: then rows, columns run the other way.
        backwards: slices are shown in falling order.
        letters: of the patient's sides at left, right, top, bottom; empty without patient space.
        mm: of one pixel down and across, as shown.
        axis: axial, coronal or sagittal; empty without patient space.
    """

    turned: bool
    flipped: tuple[bool, bool]
    backwards: bool
    letters: tuple[str, str, str, str]
    mm: tuple[float, float]
    axis: str

    def of(self, picture: npt.NDArray[Pixel]) -> npt.NDArray[Pixel]:
        """One slice, (rows, columns), as it is shown."""
        shown = picture.T if self.turned else picture
        for axis, flip in enumerate(self.flipped):
            shown = np.flip(shown, axis) if flip else shown
        return np.ascontiguousarray(shown)

    def ordered(self, which: tuple[int, ...]) -> tuple[int, ...]:
        """Numbers of slices in the order in which they are shown."""
        return which[::-1] if self.backwards else which


def facing(grid: Geometry) -> Facing:
    """How the slices of a grid are shown.

    >>> facing(Geometry.regular(shape=(4, 5, 6))).letters
    ('R', 'L', 'A', 'P')
    """
    if grid.reference != Reference.PATIENT:
        return Facing(False, (False, False), False, ("", "", "", ""), grid.spacing_mm[1:], "")
    along, rows, columns = grid.sides
    axis = along if along in _FACING else _OPPOSITE[along]
    down, across = _FACING[axis]
    turned = rows in (across, _OPPOSITE[across])
    if turned:
        rows, columns = columns, rows
    mm = grid.spacing_mm[1:]
    return Facing(
        turned,
        (rows != down, columns != across),
        along != axis,
        (_OPPOSITE[across], across, _OPPOSITE[down], down),
        (mm[1], mm[0]) if turned else (mm[0], mm[1]),
        {"H": "axial", "P": "coronal", "L": "sagittal"}[axis],
    )
