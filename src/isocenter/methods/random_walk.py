"""Random walks between seeds: which of two labels a walker from each voxel meets first.

A walker steps easily between voxels of like intensity and seldom across an edge. Voxels are held at 1 (inside) or 0
(outside) where somebody said so; every other voxel has the probability of meeting a 1 first, which is the solution of
one sparse linear system, smooth within tissue and steep at its borders. A prior ties each voxel to what its own
intensity says, so that parts far from any seed are decided by what they look like.

Sources: Grady, IEEE TPAMI 28 (2006) 1768 (random walks); Grady, CVPR 2005 (priors); Toivanen, Pattern Recognition
Letters 17 (1996) 809 (the distance whose way costs more across edges, by raster scans).
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["geodesic_mm", "walk"]

Floats = npt.NDArray[np.float32]

_SCANS = 2
_STEPS = 80
_ENOUGH = 1e-3  # of the first residual: the border of one half moves by far less than a voxel


def walk(
    values: Floats, spacing_mm: tuple[float, float, float], held: npt.NDArray[np.int8], prior: Floats,
    *, edge: float, weight: float,
) -> Floats:  # fmt: skip
    """For each voxel the probability of being inside.

    Args:
        values: (slices, rows, columns) intensities.
        spacing_mm: of the grid.
        held: 1 inside, 0 outside, -1 to be decided.
        prior: for each voxel 0 to 1, how much its looks speak for inside.
        edge: step of intensity that a walker crosses e times more seldom than none (two neighbours, one grid step).
        weight: of the prior against one step to a neighbour on the finest axis.

    >>> line = np.array([0, 0, 0, 9, 9, 9], np.float32).reshape(1, 1, 6)
    >>> held = np.array([0, -1, -1, -1, -1, 1], np.int8).reshape(1, 1, 6)
    >>> walk(line, (1, 1, 1), held, np.full_like(line, 0.5), edge=2.0, weight=0.01).round().ravel().tolist()
    [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]
    """
    finest = min(spacing_mm)
    closeness = np.array([(finest / s) ** 2 for s in spacing_mm], dtype=np.float32)
    start = np.where(held >= 0, held, prior).astype(np.float32)
    solved: Floats = _solve(
        np.ascontiguousarray(values, np.float32), closeness, held.astype(np.int8), prior.astype(np.float32), start,
        np.float32(1.0 / edge**2), np.float32(weight),
    )  # fmt: skip
    return solved


def geodesic_mm(
    values: Floats, spacing_mm: tuple[float, float, float], seeds: npt.NDArray[np.bool_], *, per_mm: float
) -> Floats:
    """Length of the cheapest way to a seed, where a step of intensity counts like a detour.

    Args:
        per_mm: how many units of intensity count as much as one millimetre.

    Returns:
        millimetres; infinite where there is no seed at all.

    >>> flat = np.zeros((1, 1, 4), np.float32); seed = np.array([[[True, False, False, False]]])
    >>> geodesic_mm(flat, (1, 1, 2), seed, per_mm=1.0).ravel().tolist()
    [0.0, 2.0, 4.0, 6.0]
    """
    far = np.where(seeds, 0.0, np.inf).astype(np.float32)
    steps = np.array(spacing_mm, dtype=np.float32)
    found: Floats = _scans(np.ascontiguousarray(values, np.float32), steps, far, np.float32(1.0 / per_mm), _SCANS)
    return found


@numba.njit(cache=True, fastmath=True)
def _solve(values, closeness, held, prior, x, sharp, weight):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Conjugate gradients with the diagonal as preconditioner; weights of the edges are made once."""
    d, h, w = values.shape
    n = d * h * w
    strides = np.array([h * w, w, 1])
    flat, hold, like, at = values.ravel(), held.ravel(), prior.ravel(), x.ravel()
    edges = np.zeros((3, n), np.float32)
    diagonal = np.full(n, weight, np.float32)
    for z in range(d):
        for y in range(h):
            for c in range(w):
                i = z * h * w + y * w + c
                for axis in range(3):
                    if (axis == 0 and z == d - 1) or (axis == 1 and y == h - 1) or (axis == 2 and c == w - 1):
                        continue
                    j = i + strides[axis]
                    step = flat[j] - flat[i]
                    e = closeness[axis] * (np.exp(-step * step * sharp) + np.float32(1e-4))
                    edges[axis, i] = e
                    diagonal[i] += e
                    diagonal[j] += e
    residual = np.zeros(n, np.float32)
    direction = np.zeros(n, np.float32)
    product = np.zeros(n, np.float32)
    _apply(edges, diagonal, strides, at, product)
    old = 0.0
    for i in range(n):
        if hold[i] < 0:
            residual[i] = weight * like[i] - product[i]
            direction[i] = residual[i] / diagonal[i]
            old += residual[i] * direction[i]
    first = old
    for _ in range(_STEPS):
        if old <= first * _ENOUGH * _ENOUGH or old <= 1e-12:
            break
        _apply(edges, diagonal, strides, direction, product)
        along = 0.0
        for i in range(n):
            if hold[i] < 0:
                along += direction[i] * product[i]
        if along <= 0:
            break
        step = np.float32(old / along)
        new = 0.0
        for i in range(n):
            if hold[i] < 0:
                at[i] += step * direction[i]
                residual[i] -= step * product[i]
                new += residual[i] * residual[i] / diagonal[i]
        ratio = np.float32(new / old)
        for i in range(n):
            if hold[i] < 0:
                direction[i] = residual[i] / diagonal[i] + ratio * direction[i]
        old = new
    return at.reshape(d, h, w)


@numba.njit(cache=True, fastmath=True)
def _apply(edges, diagonal, strides, x, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    n = len(x)
    for i in range(n):
        out[i] = diagonal[i] * x[i]
    for axis in range(3):
        stride = strides[axis]
        for i in range(n - stride):
            e = edges[axis, i]
            out[i] -= e * x[i + stride]
            out[i + stride] -= e * x[i]


@numba.njit(cache=True)
def _scans(values, steps, far, per, times):  # type: ignore[no-untyped-def]  # pragma: no cover
    d, h, w = values.shape
    for turn in range(2 * times):
        forward = turn % 2 == 0
        for a in range(d):
            z = a if forward else d - 1 - a
            for b in range(h):
                y = b if forward else h - 1 - b
                for e in range(w):
                    c = e if forward else w - 1 - e
                    best, here = far[z, y, c], values[z, y, c]
                    for dz in range(-1, 2):
                        for dy in range(-1, 2):
                            for dx in range(-1, 2):
                                ahead = dz * 9 + dy * 3 + dx
                                if (forward and ahead >= 0) or (not forward and ahead <= 0):
                                    continue
                                k, j, i = z + dz, y + dy, c + dx
                                if k < 0 or j < 0 or i < 0 or k >= d or j >= h or i >= w:
                                    continue
                                step = abs(values[k, j, i] - here) * per
                                way = (dz * steps[0]) ** 2 + (dy * steps[1]) ** 2 + (dx * steps[2]) ** 2
                                found = far[k, j, i] + np.sqrt(way + step * step)
                                if found < best:
                                    best = found
                    far[z, y, c] = best
    return far
