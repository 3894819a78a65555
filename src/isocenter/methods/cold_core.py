"""A lesion whose middle takes up less than what lies around it, as a tumour does that dies from within.

Its volume and its mean then hold what is dead, its hottest voxel tells of the rim alone, and a lesion that turns hollow
can seem to answer, or not to, whichever of them is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt

__all__ = ["ColdCore", "cold_core"]

_BANDS = (0.0, 0.2, 0.4, 0.6, 1.0)  # of the way from the outline to the deepest place
_COLD = 0.6  # of the warmest band: below it the middle is cold
_THICK_MM = 8.0  # from the outline to the deepest place, at least: a scanner shows no core of less


@dataclass(frozen=True)
class ColdCore:
    """Mean uptake of the middle of a lesion and of the warmest shell about it, in the unit of the image."""

    core: float
    rim: float


def cold_core(
    array: npt.NDArray[np.floating], spacing_mm: tuple[float, float, float], mask: npt.NDArray[np.bool_]
) -> ColdCore | None:
    """The cold middle of a lesion; None where there is none, or the lesion is too thin to show one.

    Args:
        array: (slices, rows, columns) uptake. mask: the lesion on that grid.
    """
    held = np.argwhere(mask)
    if not len(held):
        return None
    box = tuple(slice(int(low), int(high) + 1) for low, high in zip(held.min(0), held.max(0), strict=True))
    inside, values = np.pad(mask[box], 1), np.pad(np.asarray(array[box], np.float64), 1)
    depth = distance_transform_edt(inside, sampling=spacing_mm)
    deepest = float(depth.max())
    if deepest < _THICK_MM:
        return None
    share = depth / deepest
    means = [
        float(values[band].mean())
        for low, high in pairwise(_BANDS)
        if (band := inside & (share > low) & (share <= high)).any()
    ]
    core, rim = means[-1], max(means)
    return ColdCore(core, rim) if core < _COLD * rim else None
