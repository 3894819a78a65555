"""What a field of velocities carries: kinetic energy, vorticity, viscous loss, and whether mass is conserved.

Velocities are (3, slices, rows, columns) in m/s along the axes of the array, spacing in mm in the same order. Slopes
are taken between voxels of the vessel only: central where both neighbours belong to it, one-sided at the wall.

Sources: Dyverfeldt 2015 (kinetic energy, energy loss, vorticity); Barker 2014 (viscous loss by strain).
"""

from __future__ import annotations

from itertools import permutations, product
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = [
    "BLOOD_KG_M3",
    "BLOOD_PA_S",
    "arrangement",
    "divergence_share",
    "kinetic_energy_mj",
    "slopes",
    "viscous_loss_mw",
    "vorticity",
]

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

BLOOD_KG_M3 = 1060.0
"""Density of blood."""

BLOOD_PA_S = 0.0035
"""Viscosity of blood taken as Newtonian, in the middle of the 3.2 to 4.0 mPa s that are in use."""


@njit(cache=True)
def _slope(field: Any, inside: Any, axis: int, step: float, out: Any) -> None:
    depth, rows, columns = field.shape
    for z in range(depth):
        for y in range(rows):
            for x in range(columns):
                if not inside[z, y, x]:
                    continue
                a, b, c = (axis == 0), (axis == 1), (axis == 2)
                low = z - a >= 0 and y - b >= 0 and x - c >= 0 and inside[z - a, y - b, x - c]
                high = z + a < depth and y + b < rows and x + c < columns and inside[z + a, y + b, x + c]
                here = field[z, y, x]
                if low and high:
                    out[z, y, x] = (field[z + a, y + b, x + c] - field[z - a, y - b, x - c]) / (2 * step)
                elif high:
                    after = field[z + a, y + b, x + c]
                    twice = z + 2 * a < depth and y + 2 * b < rows and x + 2 * c < columns
                    if twice and inside[z + 2 * a, y + 2 * b, x + 2 * c]:
                        out[z, y, x] = (-3 * here + 4 * after - field[z + 2 * a, y + 2 * b, x + 2 * c]) / (2 * step)
                    else:
                        out[z, y, x] = (after - here) / step
                elif low:
                    before = field[z - a, y - b, x - c]
                    twice = z - 2 * a >= 0 and y - 2 * b >= 0 and x - 2 * c >= 0
                    if twice and inside[z - 2 * a, y - 2 * b, x - 2 * c]:
                        out[z, y, x] = (3 * here - 4 * before + field[z - 2 * a, y - 2 * b, x - 2 * c]) / (2 * step)
                    else:
                        out[z, y, x] = (here - before) / step


def slopes(velocity: Floats, inside: Mask, spacing_mm: tuple[float, float, float]) -> Floats:
    """(3, 3, slices, rows, columns) in 1/s: slope of component i along axis j; zero outside."""
    out = np.zeros((3, *velocity.shape), np.float32)
    for i in range(3):
        part = np.ascontiguousarray(velocity[i], np.float32)
        for j in range(3):
            _slope(part, inside, j, spacing_mm[j] / 1000.0, out[i, j])
    return out


def vorticity(slope: Floats) -> Floats:
    """(3, slices, rows, columns) curl of the velocity in 1/s, from `slopes`; axes of the array as they are numbered.

    Components are right-handed in the order (slice, row, column) of the array; its length does not depend on that.
    """
    return np.stack([slope[2, 1] - slope[1, 2], slope[0, 2] - slope[2, 0], slope[1, 0] - slope[0, 1]])


def viscous_loss_mw(slope: Floats, inside: Mask, voxel_mm3: float, viscosity_pa_s: float = BLOOD_PA_S) -> float:
    """Energy that friction within the blood takes, mW: viscosity times the sum of the dissipation function."""
    trace = slope[0, 0] + slope[1, 1] + slope[2, 2]
    total = 0.0
    for i in range(3):
        for j in range(3):
            strain = slope[i, j] + slope[j, i] - (2.0 / 3.0 * trace if i == j else 0.0)
            total += 0.5 * float(np.sum(np.square(strain[inside]), dtype=np.float64))
    return viscosity_pa_s * total * voxel_mm3 * 1e-9 * 1e3


def kinetic_energy_mj(velocity: Floats, inside: Mask, voxel_mm3: float, density_kg_m3: float = BLOOD_KG_M3) -> float:
    """Half the density times the sum of speed squared, mJ.

    >>> box = np.ones((4, 4, 4), bool)
    >>> round(kinetic_energy_mj(np.ones((3, 4, 4, 4), np.float32), box, 1000.0), 4)
    101.76
    """
    square = sum(float(np.sum(np.square(part[inside]), dtype=np.float64)) for part in velocity)
    return 0.5 * density_kg_m3 * square * voxel_mm3 * 1e-9 * 1e3


def divergence_share(slope: Floats, inside: Mask) -> float:
    """How much of the slope is a source: root mean square of the divergence over that of the whole slope, 0 to 1.

    Blood is not compressed, so in a vessel that was measured well this is small.
    """
    trace = (slope[0, 0] + slope[1, 1] + slope[2, 2])[inside]
    whole = np.sqrt(np.sum(np.square(slope[:, :, inside]), axis=(0, 1), dtype=np.float64))
    return float(np.sqrt(np.mean(np.square(trace, dtype=np.float64)))) / max(float(np.sqrt(np.mean(whole**2))), 1e-12)


def arrangement(slope: Floats, inside: Mask) -> tuple[tuple[int, int, int], tuple[int, int, int], float, float]:
    """Which components lie along which axes, and with which signs, so that mass is best conserved.

    The trace of the slopes needs only the nine fields that are there: of the 24 orders and signs (one sign of all three
    turns the whole flow round and cannot be told) the one with the smallest divergence is looked for.

    Returns:
        Component for each axis, sign of each, the divergence of this arrangement and of the one that was given
        (root mean square, 1/s).
    """
    picked = slope[:, :, inside].astype(np.float64)
    best: tuple[tuple[int, int, int], tuple[int, int, int], float] | None = None
    given = float(np.sqrt(np.mean((picked[0, 0] + picked[1, 1] + picked[2, 2]) ** 2)))
    for order in permutations(range(3)):
        for signs in product((1, -1), repeat=2):
            trace = picked[order[0], 0] + signs[0] * picked[order[1], 1] + signs[1] * picked[order[2], 2]
            size = float(np.sqrt(np.mean(trace**2)))
            if best is None or size < best[2] - 1e-12:
                best = ((order[0], order[1], order[2]), (1, signs[0], signs[1]), size)
    assert best is not None
    return best[0], best[1], best[2], given
