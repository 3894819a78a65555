"""Where the two parts of a Dixon scan may be exchanged: tissue under the skin that is water, and as bright as fat.

What lies under the skin of a trunk is fat, in lean people too where muscle does not come near it; and muscle is darker
than fat on the T1-weighted scans that Dixon's are. A slice, a side or a corner in which fat and water are exchanged has
bright water there.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["exchanged_under_skin"]

_FROM_MM, _TO_MM = 3.5, 8.0  # below the surface: deeper than skin
_SECTORS, _LEAST_VOXELS = 24, 5
_WATER, _FAT = 0.3, 0.7  # share of fat up to which, and from which on, a sector is one of the two
_AS_BRIGHT = 0.65  # of fat; muscle is about half as bright

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]


def exchanged_under_skin(share: Floats, signal: Floats, body: Mask, spacing_mm: tuple[float, float, float]) -> float:
    """Of the circumference of all slices the part under whose skin bright water lies, 0 to 1.

    Args:
        share: of fat, (slices, rows, columns).
        signal: fat and water together.
        body: with what lies in it.
        spacing_mm: of the grid.
    """
    cells = [cell for k in range(len(body)) for cell in _cells(share[k], signal[k], body[k], spacing_mm[1:])]
    if not cells:
        return 0.0
    fat, bright = np.array(cells).T
    if not (fat >= _FAT).any():
        return 0.0
    as_fat = _AS_BRIGHT * float(np.median(bright[fat >= _FAT]))
    return float(((fat <= _WATER) & (bright >= as_fat)).mean())


def _cells(share: Floats, signal: Floats, body: Mask, pixel_mm: tuple[float, ...]) -> list[tuple[float, float]]:
    """Mean share of fat and median signal of each sector of a slice."""
    deep = ndimage.distance_transform_edt(body, sampling=pixel_mm)
    ring = (deep > _FROM_MM) & (deep < _TO_MM)
    if not ring.any():
        return []
    middle = np.argwhere(body).mean(axis=0)
    y, x = (np.argwhere(ring) - middle).T
    which = ((np.arctan2(y * pixel_mm[0], x * pixel_mm[1]) / (2 * np.pi) + 0.5) * _SECTORS).astype(int) % _SECTORS
    fat, bright = share[ring], signal[ring]
    return [
        (float(fat[which == n].mean()), float(np.median(bright[which == n])))
        for n in range(_SECTORS)
        if np.count_nonzero(which == n) >= _LEAST_VOXELS
    ]
