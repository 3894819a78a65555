"""How often grey levels meet, run, cluster and differ in a region: the counts from which texture features are made.

All take `levels`, (slices, rows, columns) int32: 1 to n inside the region, 0 outside. The kernels are compiled and run
on one core: a lesion takes milliseconds, and many lesions are better spread over processes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["DIRECTIONS", "Zones", "border_distance", "cooccurrences", "neighbourhoods", "runs", "zones"]

Ints = npt.NDArray[np.int64]
Levels = npt.NDArray[np.int32]

DIRECTIONS: npt.NDArray[np.int64] = np.array(
    [(z, y, x) for z in (0, 1) for y in (-1, 0, 1) for x in (-1, 0, 1) if (z, y, x) > (0, 0, 0)], dtype=np.int64
)
"""(13, 3) steps along (slice, row, column), one of each opposite pair; the first four lie in the slice."""


@dataclass(frozen=True, eq=False)
class Zones:
    """Connected groups of voxels of one grey level: slice, grey level, voxels, and least distance to the border."""

    slice: Ints
    grey: Ints
    size: Ints
    distance: Ints


def cooccurrences(levels: Levels, count: int, direction: int, *, by_slice: bool) -> npt.NDArray[np.float64]:
    """(slices or 1, count, count): how often two grey levels are neighbours along a direction, both ways counted."""
    step = DIRECTIONS[direction]
    found = np.zeros((levels.shape[0] if by_slice else 1, count, count))
    _cooccurrences(np.ascontiguousarray(levels), step, by_slice, found)
    return found + found.transpose(0, 2, 1)


def runs(levels: Levels, count: int, direction: int, *, by_slice: bool) -> npt.NDArray[np.float64]:
    """(slices or 1, count, longest): runs of equal grey level along a direction by their length, from 1 on."""
    found = np.zeros((levels.shape[0] if by_slice else 1, count, max(levels.shape)))
    _runs(np.ascontiguousarray(levels), DIRECTIONS[direction], by_slice, found)
    return found


def zones(levels: Levels, distance: Ints, *, by_slice: bool) -> Zones:
    """Groups of equal grey level that touch by face, edge or corner: within a slice (8) or in space (26 neighbours).

    Args:
        distance: of each voxel to the border of the region, see `border_distance`.
    """
    padded = np.pad(levels, 1)
    found = _zones(padded, np.pad(distance, 1), by_slice, int(np.count_nonzero(levels)))
    return Zones(found[0], found[1], found[2], found[3])


def border_distance(mask: npt.NDArray[np.bool_], *, by_slice: bool) -> Ints:
    """Steps over faces from each voxel to the outside of the region, 1 at the border; the image's edge is a border."""
    from scipy.ndimage import distance_transform_cdt

    padded = np.pad(mask, 1)
    if not by_slice:
        found = distance_transform_cdt(padded, metric="taxicab")
    else:
        found = np.stack([distance_transform_cdt(plane, metric="taxicab") for plane in padded])
    return np.asarray(found[1:-1, 1:-1, 1:-1], dtype=np.int64)


def neighbourhoods(
    levels: Levels, count: int, *, by_slice: bool, coarseness: int = 0
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """What surrounds the voxels of each grey level, within the slice (8) or in space (26 neighbours).

    Args:
        coarseness: largest difference of grey level that counts as dependent.

    Returns:
        voxels (slices or 1, count) that have a neighbour in the region, the sum (slices or 1, count) of their
        differences to the mean of their neighbours, and the number (slices or 1, count, 9 or 27) of voxels by the
        number of dependent neighbours, from 0 on.
    """
    matrices = levels.shape[0] if by_slice else 1
    voxels, differences = np.zeros((matrices, count)), np.zeros((matrices, count))
    dependent = np.zeros((matrices, count, 9 if by_slice else 27))
    _neighbourhoods(np.pad(levels, 1), by_slice, coarseness, voxels, differences, dependent)
    return voxels, differences, dependent


@njit(cache=True)
def _cooccurrences(levels, step, by_slice, found):  # type: ignore[no-untyped-def]
    slices, rows, columns = levels.shape
    dz, dy, dx = step
    for z in range(slices - dz):
        m = z if by_slice else 0
        for y in range(max(0, -dy), min(rows, rows - dy)):
            for x in range(max(0, -dx), min(columns, columns - dx)):
                one = levels[z, y, x]
                if one > 0:
                    other = levels[z + dz, y + dy, x + dx]
                    if other > 0:
                        found[m, one - 1, other - 1] += 1.0


@njit(cache=True)
def _runs(levels, step, by_slice, found):  # type: ignore[no-untyped-def]
    slices, rows, columns = levels.shape
    dz, dy, dx = step
    for z in range(slices):
        m = z if by_slice else 0
        for y in range(rows):
            for x in range(columns):
                grey = levels[z, y, x]
                if grey == 0:
                    continue
                a, b, c = z - dz, y - dy, x - dx
                if a >= 0 and 0 <= b < rows and 0 <= c < columns and levels[a, b, c] == grey:
                    continue  # the run began before
                length = 1
                a, b, c = z + dz, y + dy, x + dx
                while a < slices and 0 <= b < rows and 0 <= c < columns and levels[a, b, c] == grey:
                    length += 1
                    a, b, c = a + dz, b + dy, c + dx
                found[m, grey - 1, length - 1] += 1.0


@njit(cache=True)
def _zones(levels, distance, by_slice, voxels):  # type: ignore[no-untyped-def]
    slices, rows, columns = levels.shape
    seen = np.zeros(levels.shape, np.bool_)
    found = np.zeros((4, voxels), np.int64)
    stack = np.empty((max(voxels, 1), 3), np.int32)
    reach = 0 if by_slice else 1
    count = 0
    for z in range(1, slices - 1):
        for y in range(1, rows - 1):
            for x in range(1, columns - 1):
                grey = levels[z, y, x]
                if grey == 0 or seen[z, y, x]:
                    continue
                seen[z, y, x] = True
                stack[0, 0], stack[0, 1], stack[0, 2] = z, y, x
                top, size, least = 1, 0, distance[z, y, x]
                while top > 0:
                    top -= 1
                    a, b, c = stack[top, 0], stack[top, 1], stack[top, 2]
                    size += 1
                    least = min(least, distance[a, b, c])
                    for i in range(a - reach, a + reach + 1):
                        for j in range(b - 1, b + 2):
                            for k in range(c - 1, c + 2):
                                if levels[i, j, k] == grey and not seen[i, j, k]:
                                    seen[i, j, k] = True
                                    stack[top, 0], stack[top, 1], stack[top, 2] = i, j, k
                                    top += 1
                found[0, count], found[1, count], found[2, count], found[3, count] = z - 1, grey, size, least
                count += 1
    return found[:, :count]


@njit(cache=True)
def _neighbourhoods(levels, by_slice, coarseness, voxels, differences, dependent):  # type: ignore[no-untyped-def]
    slices, rows, columns = levels.shape
    reach = 0 if by_slice else 1
    for z in range(1, slices - 1):
        m = z - 1 if by_slice else 0
        for y in range(1, rows - 1):
            for x in range(1, columns - 1):
                grey = levels[z, y, x]
                if grey == 0:
                    continue
                around, total, like = 0, 0, -1  # the voxel itself is met on the way
                for i in range(z - reach, z + reach + 1):
                    for j in range(y - 1, y + 2):
                        for k in range(x - 1, x + 2):
                            other = levels[i, j, k]
                            if other > 0:
                                around += 1
                                total += other
                                if abs(other - grey) <= coarseness:
                                    like += 1
                dependent[m, grey - 1, like] += 1.0
                if around > 1:
                    voxels[m, grey - 1] += 1.0
                    differences[m, grey - 1] += abs(grey - (total - grey) / (around - 1))
