"""Pressure from velocity: the simplified Bernoulli drop, and the field of pressure inside a vessel.

The Navier-Stokes equation gives the slope of pressure at each voxel, -density (dv/dt + v . grad v) + viscosity lap v;
the pressure whose differences between neighbours fit it best (least squares) solves Poisson's equation with the slope
given at the wall. Only differences mean something: the field is zero on average.

Sources: Krittian 2012, Bertoglio 2018 (pressure Poisson equation on flow images); Hatle 1978 (4 v squared).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from isocenter.errors import Refused
from isocenter.methods.flow_field import BLOOD_KG_M3, BLOOD_PA_S, slopes

__all__ = ["PA_PER_MMHG", "bernoulli_mmhg", "pressure_mmhg"]

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

PA_PER_MMHG = 133.322
_STEPS = 4000


def bernoulli_mmhg(peak_m_s: float, before_m_s: float = 0.0) -> float:
    """Drop over a narrowing, 4 (v2 - v1 squared) in mmHg, velocities in m/s.

    >>> bernoulli_mmhg(3.0)
    36.0
    """
    return 4.0 * (peak_m_s**2 - before_m_s**2)


def pressure_mmhg(
    velocity: Floats,
    change: Floats,
    inside: Mask,
    spacing_mm: tuple[float, float, float],
    *,
    density_kg_m3: float = BLOOD_KG_M3,
    viscosity_pa_s: float = BLOOD_PA_S,
    tolerance: float = 1e-4,
) -> Floats:
    """Pressure in the vessel at one moment, mmHg, zero on average over it; zero outside.

    Args:
        velocity: (3, slices, rows, columns) m/s along the axes of the array.
        change: of the same shape, its slope in time, m/s2.
        inside: one connected vessel.
        spacing_mm: along the axes.
        tolerance: residual at which the solution is good enough, as a share of the right side.

    Raises:
        Refused: when the solution does not settle.
    """
    slope = slopes(velocity, inside, spacing_mm)
    drive = np.zeros(velocity.shape, np.float32)
    for i in range(3):
        carried = sum(velocity[j] * slope[i, j] for j in range(3))
        part = np.ascontiguousarray(velocity[i], np.float32)
        drive[i] = -density_kg_m3 * (change[i] + carried) + viscosity_pa_s * _bent(part, inside, spacing_mm)
    number = np.full(inside.shape, -1, np.int64)
    number[inside] = np.arange(int(inside.sum()))
    ones, others, rises, weights = [], [], [], []
    for axis in range(3):
        first, second = [slice(None)] * 3, [slice(None)] * 3
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        a, b = number[tuple(first)], number[tuple(second)]
        both = (a >= 0) & (b >= 0)
        step = spacing_mm[axis] / 1000.0
        middle = 0.5 * (drive[axis][tuple(first)] + drive[axis][tuple(second)])
        ones.append(a[both])
        others.append(b[both])
        rises.append(middle[both].astype(np.float64) * step)
        weights.append(np.full(int(both.sum()), 1.0 / step**2))
    edges = _Edges(*(np.concatenate(part) for part in (ones, others, rises, weights)))
    found = _solved(edges, int(inside.sum()), tolerance)
    out = np.zeros(inside.shape, np.float32)
    out[inside] = (found - found.mean()) / PA_PER_MMHG
    return out


def _bent(field: Floats, inside: Mask, spacing_mm: tuple[float, float, float]) -> Floats:
    """Laplacian within the vessel; at the wall the second slope of the next voxel inwards."""
    out = np.zeros(field.shape, np.float32)
    for axis in range(3):
        _second(field, inside, axis, spacing_mm[axis] / 1000.0, out)
    return out


@njit(cache=True)
def _second(field: Any, inside: Any, axis: int, step: float, out: Any) -> None:
    depth, rows, columns = field.shape
    a, b, c = int(axis == 0), int(axis == 1), int(axis == 2)
    for z in range(depth):
        for y in range(rows):
            for x in range(columns):
                if not inside[z, y, x]:
                    continue
                for shift in (0, 1, -1):
                    fits = True
                    for k in range(-1, 2):
                        n = k + shift
                        p, q, r = z + n * a, y + n * b, x + n * c
                        fits = fits and 0 <= p < depth and 0 <= q < rows and 0 <= r < columns and inside[p, q, r]
                    if fits:
                        before = field[z + (shift - 1) * a, y + (shift - 1) * b, x + (shift - 1) * c]
                        here = field[z + shift * a, y + shift * b, x + shift * c]
                        after = field[z + (shift + 1) * a, y + (shift + 1) * b, x + (shift + 1) * c]
                        out[z, y, x] += (before - 2 * here + after) / (step * step)
                        break


class _Edges(NamedTuple):
    """Pairs of neighbours, how much pressure rises from one to the other, and how much each pair weighs."""

    ones: npt.NDArray[np.int64]
    others: npt.NDArray[np.int64]
    rises: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64]


def _solved(edges: _Edges, voxels: int, tolerance: float) -> npt.NDArray[np.float64]:
    """Least squares on the differences between neighbours, by conjugate gradients."""
    from scipy.sparse import coo_array
    from scipy.sparse.linalg import LinearOperator, cg

    ones, others, rises, weights = edges
    push = weights * rises
    side = np.bincount(others, push, voxels) - np.bincount(ones, push, voxels)
    diagonal = np.bincount(ones, weights, voxels) + np.bincount(others, weights, voxels)
    diagonal = np.where(diagonal > 0, diagonal, 1.0)
    every = np.arange(voxels)
    rows, columns = np.concatenate([ones, others, every]), np.concatenate([others, ones, every])
    matrix = coo_array((np.concatenate([-weights, -weights, diagonal]), (rows, columns)), shape=(voxels, voxels))
    scaled = LinearOperator((voxels, voxels), matvec=lambda v: v / diagonal)
    found, left = cg(matrix.tocsr(), side, rtol=tolerance, maxiter=_STEPS, M=scaled)
    if left:
        raise Refused(
            f"a pressure that does not settle in {_STEPS} steps", "the vessel may be in pieces", "outline one vessel"
        )
    return np.asarray(found, np.float64)
