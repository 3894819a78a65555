"""Plain measures of an outlined organ, by which one that is none of its kind is told without any network.

How large and thick it is, whether it is one piece without holes, where it lies and along which axes: turned, swollen,
cut, doubled or made up, an outline differs in some of them, or in how they go together (see `likely`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["COUNT", "outline_measures"]

_PROFILE, _PEELS = 7, 4
COUNT = 33 + _PEELS + 3 * _PROFILE

Array = npt.NDArray[Any]


def outline_measures(volume: Array) -> npt.NDArray[np.float32]:
    """(COUNT,) numbers of a volume (x, y, z): what lies above the middle of its grey values is inside.

    In turn: its size; the part of voxels that are neither of the two greys; its surface across each axis; what is left
    of it after each of four layers; how thick it is at most and on the mean; its pieces, the part outside of the
    largest, and what is enclosed; its centre, spread, slant and skewness along the axes; the sides of its box and its
    largest sections; and how it is spread along each axis. Lengths are in voxels.
    """
    x = np.asarray(volume, np.float32)
    low, high = float(x.min()), float(x.max())
    inside = np.pad(x > (low + high) / 2, 1)
    n = int(inside.sum())
    if not n:
        return np.zeros(COUNT, np.float32)
    box = tuple(slice(one.min() - 1, one.max() + 2) for one in np.nonzero(inside))
    close = inside[box]  # nothing beyond changes what follows, and it is much smaller
    faces = [np.count_nonzero(np.diff(close, axis=axis)) / n ** (2 / 3) for axis in range(3)]
    # So many steps by faces from what is outside: what is left when as many layers were taken off.
    steps = ndimage.distance_transform_cdt(close, "taxicab")
    left = [np.count_nonzero(steps > layers) / n for layers in range(1, _PEELS + 1)]
    depth = ndimage.distance_transform_edt(close)[close]
    pieces, count = ndimage.label(close)
    largest = np.bincount(pieces.ravel())[1:].max()
    beyond, _ = ndimage.label(~close)
    held = np.count_nonzero(beyond) - np.count_nonzero(beyond == beyond[0, 0, 0])  # the corner is outside
    greys = np.mean((x > low) & (x < high))
    found = [np.log(n), greys, *faces, *left, depth.max(), depth.mean(), np.quantile(depth, 0.9),
             np.log(count), 1 - largest / n, np.log1p(held)]  # fmt: skip
    return np.array([*found, *_lie(inside, n), *_spread(inside, n)], np.float32)


def _lie(inside: Array, n: int) -> list[float]:
    """Centre, logarithms of the spread along each axis, slant between them, and skewness."""
    points = np.argwhere(inside)
    centre = points.mean(0)
    off = points - centre
    moments = off.T @ off / n + np.eye(3) / 12  # a voxel is not a point
    spread = np.sqrt(np.diag(moments))
    slant = [moments[i, j] / (spread[i] * spread[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    return [*centre, *np.log(spread), *slant, *((off**3).mean(0) / spread**3)]


def _spread(inside: Array, n: int) -> list[float]:
    """Sides of the box, largest sections, the part of the box that is filled, and the profile along each axis."""
    along = [inside.sum((1, 2)), inside.sum((0, 2)), inside.sum((0, 1))]
    sides = [float(np.count_nonzero(a)) for a in along]
    shadows = [np.count_nonzero(inside.any(axis)) / n ** (2 / 3) for axis in range(3)]
    found = [*sides, *(float(a.max()) / n ** (2 / 3) for a in along), *shadows, n / np.prod(sides)]
    for one in along:
        at = np.linspace(0, len(one), _PROFILE + 1)
        found += list(np.diff(np.interp(at, np.arange(len(one) + 1), np.concatenate([[0], np.cumsum(one)]))) / n)
    return found
