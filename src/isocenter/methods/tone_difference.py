"""Features of neighbourhood grey tone difference matrices (NGTDM, IBSI family IPET).

Source: IBSI reference manual 3.10; Amadasun and King, IEEE Trans SMC 19 (1989) 1264.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["NAMES", "tone_features"]

NAMES = ("coarseness", "contrast", "busyness", "complexity", "strength")
_NO_CHANGE = 1e6  # coarseness of a region without any difference, by the manual


def tone_features(voxels: npt.NDArray[np.float64], differences: npt.NDArray[np.float64]) -> tuple[float, ...]:
    """Coarseness, contrast, busyness, complexity and strength.

    Args:
        voxels: (grey levels,) voxels of each level that have a neighbour in the region.
        differences: (grey levels,) the sum of their differences to the mean of their neighbours.

    Returns:
        all NaN when no voxel has a neighbour.
    """
    total = float(voxels.sum())
    if total == 0.0:
        return (float("nan"),) * 5
    held = np.flatnonzero(voxels)
    i, p, s = held + 1.0, voxels[held] / total, differences[held]
    ps = float(p @ s)
    coarseness = 1.0 / ps if ps > 0.0 else _NO_CHANGE
    if len(held) == 1:
        return coarseness, 0.0, 0.0, 0.0, 0.0
    apart = i[:, None] - i
    together = p[:, None] + p
    contrast = float((p[:, None] * p * apart**2).sum()) / (len(held) * (len(held) - 1)) * float(s.sum()) / total
    weight = np.abs((i * p)[:, None] - i * p).sum()
    busyness = ps / float(weight) if weight > 0.0 else 0.0
    complexity = float((np.abs(apart) * ((p * s)[:, None] + p * s) / together).sum()) / total
    strength = float((together * apart**2).sum() / s.sum()) if s.sum() > 0.0 else 0.0
    return coarseness, contrast, busyness, complexity, strength
