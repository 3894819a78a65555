"""Masks grown and worn by the six voxels that touch by a face, many times faster than by structuring elements.

Each function gives the same as its namesake in `scipy.ndimage` with the default element and nothing beyond the border;
whole arrays are combined instead of visiting each voxel's neighbours.
"""

from __future__ import annotations

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
    from scipy import ndimage

    within = np.zeros((3, 3, 3), bool)
    within[1] = ndimage.generate_binary_structure(2, 1)
    parts, count = ndimage.label(~mask, within)
    outside = np.zeros(count + 1, bool)
    for edge in (parts[:, 0], parts[:, -1], parts[:, :, 0], parts[:, :, -1]):
        outside[edge] = True
    outside[0] = False
    return np.asarray(~outside[parts])


def _shifted(axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    before = (slice(None),) * axis
    return (*before, slice(1, None)), (*before, slice(None, -1))
