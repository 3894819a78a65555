"""Masks grown and worn by the six voxels that touch by a face, many times faster than by structuring elements.

Each function gives the same as its namesake in `scipy.ndimage` with the default element and nothing beyond the border;
whole arrays are combined instead of visiting each voxel's neighbours.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["closed", "dilated", "eroded", "filled_in_slices", "opened"]

Mask = npt.NDArray[np.bool_]


def dilated(mask: Mask, steps: int = 1) -> Mask:
    """With the voxels that touch it by a face, so many times."""
    for _ in range(steps):
        grown = mask.copy()
        for axis in range(mask.ndim):
            here, there = _shifted(axis)
            grown[here] |= mask[there]
            grown[there] |= mask[here]
        mask = grown
    return mask


def eroded(mask: Mask, steps: int = 1) -> Mask:
    """Without the voxels that touch by a face what is not of it, so many times; beyond the border nothing is of it."""
    for _ in range(steps):
        worn = mask.copy()
        for axis in range(mask.ndim):
            here, there = _shifted(axis)
            worn[here] &= mask[there]
            worn[there] &= mask[here]
            for end in (0, -1):
                worn[(slice(None),) * axis + (end,)] = False
        mask = worn
    return mask


def opened(mask: Mask, steps: int = 1) -> Mask:
    """Without what is thinner than so many steps on either side."""
    return dilated(eroded(mask, steps), steps)


def closed(mask: Mask, steps: int = 1) -> Mask:
    """With the gaps that are narrower than so many steps on either side."""
    return eroded(dilated(mask, steps), steps)


def filled_in_slices(mask: Mask) -> Mask:
    """With what the mask encloses within each slice, as `binary_fill_holes` of one slice after the other.

    Args:
        mask: (slices, rows, columns).
    """
    filled = np.ones(mask.shape, bool)
    _open_from_the_edge(np.ascontiguousarray(mask), filled)
    return filled


@numba.njit(cache=True)
def _open_from_the_edge(mask, filled):  # type: ignore[no-untyped-def]  # pragma: no cover
    """False wherever one comes to from the edge of a slice without a step through the mask."""
    slices, rows, columns = mask.shape
    waiting = np.empty((rows * columns, 2), np.int32)
    for n in range(slices):
        inside, out = mask[n], filled[n]
        count = 0
        for i in range(rows):
            whole = i == 0 or i == rows - 1
            for j in range(0, columns, 1 if whole or columns == 1 else columns - 1):
                if not inside[i, j] and out[i, j]:
                    out[i, j] = False
                    waiting[count, 0], waiting[count, 1] = i, j
                    count += 1
        while count:
            count -= 1
            i, j = waiting[count, 0], waiting[count, 1]
            for di, dj in ((-1, 0), (1, 0), (0, -1), (0, 1)):
                y, x = i + di, j + dj
                if 0 <= y < rows and 0 <= x < columns and out[y, x] and not inside[y, x]:
                    out[y, x] = False
                    waiting[count, 0], waiting[count, 1] = y, x
                    count += 1


def _shifted(axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    before = (slice(None),) * axis
    return (*before, slice(1, None)), (*before, slice(None, -1))
