"""An image and its mask on voxels of another size, the centres of both grids at one point, as IBSI places them.

Programs differ in where they put the first voxel of a new grid, and every intensity after that differs. IBSI aligns
the centres: the new grid has as many voxels as cover the old field of view, and sticks out by the same length on both
sides. Outside the old voxel centres the value of the nearest one stands.

Source: IBSI reference manual 2.4; Zwanenburg et al., Radiology 295 (2020) 328, supplement.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods.masked import Spacing

__all__ = ["AlignedGrid", "aligned_positions"]

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_REACH = 24  # voxels beyond which a cubic spline remembers less than 1e-13
_HALF = 0.5 - 1e-6


def aligned_positions(count: int, spacing_mm: float, wanted_mm: float) -> Floats:
    """Positions of the new voxels of an axis, as indices of the old ones.

    >>> aligned_positions(4, 3.0, 2.0).round(3).tolist()
    [-0.167, 0.5, 1.167, 1.833, 2.5, 3.167]

    Raises:
        Refused: when a voxel has no size.
    """
    if not (wanted_mm > 0.0 and spacing_mm > 0.0):
        raise Refused(f"voxels of {spacing_mm:g} mm onto {wanted_mm:g} mm", "a voxel has a size", "give both in mm")
    ratio = wanted_mm / spacing_mm
    new = max(1, int(np.ceil(count / ratio - 1e-6)))
    return np.asarray((count - 1) / 2.0 + (np.arange(new) - (new - 1) / 2.0) * ratio)


@dataclass(frozen=True, eq=False)
class AlignedGrid:
    """The part of an aligned grid that holds a region and a margin around it.

    Args:
        spacing_mm: of the new voxels along (slice, row, column).
        positions: for each axis, where the new voxels lie as indices of the old ones.
        whole: for each axis, whether its voxels are the old ones.
        at_edge: for each axis, whether the part reaches the image's (first, last) voxel.
    """

    spacing_mm: Spacing
    positions: tuple[Floats, Floats, Floats]
    whole: tuple[bool, bool, bool]
    at_edge: tuple[tuple[bool, bool], tuple[bool, bool], tuple[bool, bool]]

    @classmethod
    def around(cls, mask: Mask, spacing_mm: Spacing, wanted_mm: Spacing, margin_mm: float) -> AlignedGrid:
        """The grid around a region.

        Args:
            mask: (slices, rows, columns) on the old voxels.
            margin_mm: kept on every side, as far as there is an image; infinite for the whole image.

        Raises:
            Refused: when the region is empty or a voxel has no size.
        """
        if not mask.any():
            raise Refused("a region without voxels", "there is nothing to measure", "look at the mask")
        positions, whole, edges = [], [], []
        for axis in range(3):
            old, new = spacing_mm[axis], wanted_mm[axis]
            hit = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
            every = aligned_positions(mask.shape[axis], old, new)
            reach = 1.0 + new / old + margin_mm / old
            near = np.flatnonzero((every >= hit[0] - reach) & (every <= hit[-1] + reach))
            positions.append(every[near[0] : near[-1] + 1])
            whole.append(abs(old - new) < 1e-9 * new)
            edges.append((bool(near[0] == 0), bool(near[-1] == len(every) - 1)))
        return cls(
            wanted_mm, (positions[0], positions[1], positions[2]), (whole[0], whole[1], whole[2]),
            (edges[0], edges[1], edges[2]),
        )  # fmt: skip

    def image(self, image: npt.NDArray[np.floating], how: Literal["linear", "cubic"]) -> Floats:
        """Intensities at the new voxels: trilinear, or by cubic splines through the old ones."""
        found, at = self._near(image, _REACH if how == "cubic" else 1)
        # The axis that shrinks most comes first, so that the others have less to do; the product is the same.
        for axis in sorted(range(3), key=lambda a: len(at[a]) / found.shape[a]):
            found = _taken(found, at[axis], self.whole[axis], axis, how)
        return np.ascontiguousarray(found, dtype=np.float64)

    def mask(self, mask: Mask) -> Mask:
        """Voxels of which at least one half lies inside the region, by trilinear interpolation.

        With slices of 3 mm brought to 2 mm, one half is met exactly at every other border: rounding must not decide.
        """
        near, at = self._near(mask, 1)
        found = np.pad(near.astype(np.float64), 1)  # nothing is inside beyond the image
        for axis in range(3):
            found = _taken(found, at[axis] + 1.0, self.whole[axis], axis, "linear")
        return np.asarray(found >= _HALF)

    def _near(self, array: npt.NDArray[Any], reach: int) -> tuple[npt.NDArray[Any], list[Floats]]:
        """The old voxels that the new ones are made of, and the positions counted from the first of them."""
        box, at = [], []
        for positions, count in zip(self.positions, array.shape, strict=True):
            first = min(max(0, int(np.floor(positions[0])) - reach), count - 1)
            box.append(slice(first, min(count, int(np.ceil(positions[-1])) + reach + 1)))
            at.append(positions - first)
        return array[tuple(box)], at


def _taken(image: Floats, at: Floats, whole: bool, axis: int, how: str) -> Floats:
    last = image.shape[axis] - 1
    if whole:
        first = round(float(at[0]))
        return image.take(np.arange(first, first + len(at)), axis)
    if how == "cubic":
        return _cubic(image, at, axis)
    at = np.clip(at, 0.0, last)
    low = np.minimum(np.floor(at).astype(np.intp), max(last - 1, 0))
    weight = (at - low).reshape([-1 if a == axis else 1 for a in range(3)])
    below, above = image.take(low, axis).astype(np.float64), image.take(np.minimum(low + 1, last), axis)
    return np.asarray(below + weight * (above - below))


def _cubic(image: Floats, at: Floats, axis: int) -> Floats:
    """Splines of several axes are products of those of each, and those of one axis are a matrix."""
    part = np.moveaxis(image, axis, 0).astype(np.float64)
    return np.moveaxis(np.tensordot(_spline_weights(len(part), at), part, axes=1), 0, axis)


def _spline_weights(count: int, at: Floats) -> Floats:
    """(new, old): what each old voxel gives to each new one; the image goes on with its last voxels."""
    from scipy.ndimage import spline_filter1d

    unit = np.pad(np.eye(count), ((_REACH, _REACH), (0, 0)), mode="edge")
    coefficients = spline_filter1d(unit, order=3, axis=0, mode="mirror")
    at = np.clip(at + _REACH, 1.0, len(unit) - 3.0)
    low = np.floor(at).astype(np.intp)
    t = at - low
    basis = (1 - t) ** 3 / 6, (3 * t**3 - 6 * t**2 + 4) / 6, (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6, t**3 / 6
    return np.asarray(sum(b[:, None] * coefficients[low - 1 + n] for n, b in enumerate(basis)))
