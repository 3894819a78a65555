"""How strongly each voxel hangs together with a seed, and at which strength a region has its steepest rim.

The strength of a way is that of its weakest link; the strength of a voxel is that of its best way to a seed. All
regions of the same strength lie within one another, from the seed's own neighbourhood to the whole image, and one
pass over the image gives the size and the rim of every one of them.

Source: Udupa and Samarasekera, Graph Models Image Process 58 (1996) 246 (fuzzy connectedness).
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["LEVELS", "Nested", "flood", "nested"]

LEVELS = 256


@dataclass(frozen=True)
class Nested:
    """Of each region {level <= t}, t from 0 to 255.

    Args:
        voxels: how many.
        area: of its rim, in faces of the finest kind.
        rim: mean step of intensity over the rim, per finest step.
        touching: the first t at which it reaches an open face of the crop; 256 where it never does.
    """

    voxels: npt.NDArray[np.float64]
    area: npt.NDArray[np.float64]
    rim: npt.NDArray[np.float64]
    touching: int


def flood(
    level: npt.NDArray[np.integer], seeds: npt.NDArray[np.bool_], allowed: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int32]:
    """For each voxel the smallest largest level on a way from a seed (6 neighbours); 256 where none leads.

    Args:
        level: 0 to 255, how unlike the seed a voxel is.
        allowed: where ways may go.

    >>> flood(np.array([[[0, 7, 3, 9]]]), np.array([[[True, 0, 0, 0]]], bool), np.ones((1, 1, 4), bool)).tolist()
    [[[0, 7, 7, 9]]]
    """
    found: npt.NDArray[np.int32] = _flood(np.ascontiguousarray(level, np.int32), seeds, allowed)
    return found


def nested(
    levels: npt.NDArray[np.int32],
    values: npt.NDArray[np.float32],
    spacing_mm: npt.NDArray[np.float64],
    open_faces: npt.NDArray[np.bool_],
) -> Nested:
    """Size and rim of every nested region of a flood.

    Args:
        open_faces: (3, 2) the faces of the crop behind which the image goes on.
    """
    finest = float(spacing_mm.min())
    voxels, area, rim, touching = _nested(levels, values, finest / spacing_mm, open_faces)
    return Nested(voxels[:LEVELS], area[:LEVELS], rim[:LEVELS] / np.maximum(area[:LEVELS], 1e-9), int(touching))


@numba.njit(cache=True)
def _flood(level, seeds, allowed):  # type: ignore[no-untyped-def]  # pragma: no cover
    d, h, w = level.shape
    n = d * h * w
    strides = np.array([h * w, w, 1])
    flat, free, start = level.ravel(), allowed.ravel(), seeds.ravel()
    cost = np.full(n, LEVELS, np.int32)
    following = np.full(n, -1, np.int32)  # the buckets are lists through the voxels themselves
    heads = np.full(LEVELS, -1, np.int32)
    for i in range(n):
        if start[i]:
            cost[i] = 0
            following[i] = heads[0]
            heads[0] = i
    for bucket in range(LEVELS):
        while heads[bucket] >= 0:
            i = heads[bucket]
            heads[bucket] = following[i]
            place = (i // (h * w), (i // w) % h, i % w)
            for axis in range(3):
                for side in range(2):
                    at = place[axis] + 2 * side - 1
                    if at < 0 or at >= level.shape[axis]:
                        continue
                    j = i + (2 * side - 1) * strides[axis]
                    if cost[j] != LEVELS or not free[j]:
                        continue
                    reach = max(flat[j], bucket)
                    cost[j] = reach
                    following[j] = heads[reach]
                    heads[reach] = j
    return cost.reshape(d, h, w)


@numba.njit(cache=True)
def _nested(cost, values, weight, open_faces):  # type: ignore[no-untyped-def]  # pragma: no cover
    d, h, w = cost.shape
    voxels, area, rim = np.zeros(LEVELS + 1), np.zeros(LEVELS + 1), np.zeros(LEVELS + 1)
    touching = LEVELS
    whole = weight[0] * weight[1] * weight[2]
    for z in range(d):
        for y in range(h):
            for x in range(w):
                c = cost[z, y, x]
                voxels[c] += 1
                if c < touching and (
                    (z == 0 and open_faces[0, 0])
                    or (z == d - 1 and open_faces[0, 1])
                    or (y == 0 and open_faces[1, 0])
                    or (y == h - 1 and open_faces[1, 1])
                    or (x == 0 and open_faces[2, 0])
                    or (x == w - 1 and open_faces[2, 1])
                ):
                    touching = c
                for axis in range(3):
                    k, j, i = z + (axis == 0), y + (axis == 1), x + (axis == 2)
                    if k == d or j == h or i == w or cost[k, j, i] == c:
                        continue
                    low, high = min(c, cost[k, j, i]), max(c, cost[k, j, i])
                    face = weight[axis] / whole  # a face across a long axis is small, and its step is spread over more
                    step = abs(values[k, j, i] - values[z, y, x]) * weight[axis]
                    area[low] += face
                    area[high] -= face
                    rim[low] += face * step
                    rim[high] -= face * step
    return np.cumsum(voxels), np.cumsum(area), np.cumsum(rim), touching
