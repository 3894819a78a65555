"""Random walks between seeds: which of two labels a walker from each voxel meets first.

A walker steps easily between voxels of like intensity and seldom across an edge. Voxels are held at 1 (inside) or 0
(outside) where somebody said so; every other voxel has the probability of meeting a 1 first, which is the solution of
one sparse linear system, smooth within tissue and steep at its borders. A prior ties each voxel to what its own
intensity says, so that parts far from any seed are decided by what they look like.

Sources: Grady, IEEE TPAMI 28 (2006) 1768 (random walks); Grady, CVPR 2005 (priors); Toivanen, Pattern Recognition
Letters 17 (1996) 809 (the distance whose way costs more across edges, by raster scans).
"""

from __future__ import annotations

from pathlib import Path

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["compiled", "geodesic_mm", "usual_step", "walk"]

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


def usual_step(values: Floats, where: npt.NDArray[np.bool_]) -> float:
    """A usual step of intensity from voxel to voxel of a part of the grid: what a walker crosses easily. Never zero.

    >>> usual_step(np.arange(27, dtype=np.float32).reshape(3, 3, 3), np.ones((3, 3, 3), bool)) > 0
    True
    """
    steps = []
    for axis in range(3):
        n = where.shape[axis]
        both = where.take(range(n - 1), axis=axis) & where.take(range(1, n), axis=axis)
        steps.append(np.abs(np.diff(values, axis=axis))[both])
    every = np.concatenate(steps)
    usual = 1.4826 * float(np.median(every)) if every.size else 0.0
    return max(usual, 1e-6 * float(np.ptp(values)), 1e-12)


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
    far = np.pad(np.where(seeds, 0.0, np.inf).astype(np.float32), 1, constant_values=np.inf)  # no way leads outside
    around = np.argwhere(np.ones((3, 3, 3), bool)) - 1
    before = around[:13]  # the half of the neighbours that a scan has passed already
    ways = ((before * np.array(spacing_mm, dtype=np.float32)) ** 2).sum(axis=1).astype(np.float32)
    offsets = before @ np.array([far.shape[1] * far.shape[2], far.shape[2], 1])
    _scans(np.pad(np.asarray(values, np.float32), 1), offsets, ways, far, np.float32(1.0 / per_mm), _SCANS)
    return np.ascontiguousarray(far[1:-1, 1:-1, 1:-1])


def compiled() -> bool:
    """Whether the walk was compiled on this machine before, so that it has only to be loaded."""
    code = _scans.py_func.__code__
    return any(Path(_scans.stats.cache_path).glob(f"*.{code.co_name}-{code.co_firstlineno}.*.nbi"))


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
def _scans(values, offsets, ways, far, per, times):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Scan forwards and backwards over padded arrays; `offsets` lead to the neighbours that come before a voxel."""
    d, h, w = values.shape
    flat, length = values.ravel(), far.ravel()
    for turn in range(2 * times):
        way_on = 1 if turn % 2 == 0 else -1
        for a in range(1, d - 1):
            z = a if way_on > 0 else d - 1 - a
            for b in range(1, h - 1):
                y = b if way_on > 0 else h - 1 - b
                for e in range(1, w - 1):
                    at = (z * h + y) * w + (e if way_on > 0 else w - 1 - e)
                    best, here = length[at], flat[at]
                    for n in range(len(offsets)):
                        other = at + way_on * offsets[n]
                        if length[other] >= best:
                            continue  # no way through it is shorter
                        step = (flat[other] - here) * per
                        found = length[other] + np.sqrt(ways[n] + step * step)
                        if found < best:
                            best = found
                    length[at] = best
