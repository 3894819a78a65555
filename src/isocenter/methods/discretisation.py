"""Intensities sorted into grey levels, without which no histogram or texture can be counted.

A *fixed bin size* gives the same level to the same intensity in every patient; it needs calibrated intensities (HU,
SUV) and a lower bound that is the same for all. A *fixed number of bins* takes the range of each region for itself: it
is for intensities in arbitrary units (MR), and its levels cannot be compared with those of another range.

Source: IBSI reference manual 2.7.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused

__all__ = ["fixed_bin_number", "fixed_bin_size", "whole_numbers"]

Levels = npt.NDArray[np.int32]
_MOST = 2**20


def fixed_bin_number(values: npt.NDArray[np.floating], bins: int) -> Levels:
    """Levels 1 to `bins` of equal width between the lowest and the highest value, which is in the last.

    >>> fixed_bin_number(np.array([0.0, 1.0, 2.5, 10.0]), 4).tolist()
    [1, 1, 2, 4]

    Raises:
        Refused: with fewer than two bins, or when all values are the same.
    """
    x = _numbers(values)
    if bins < 2:
        raise Refused(f"{bins} bins", "one grey level has no texture", "take 16 to 128")
    low, high = float(x.min()), float(x.max())
    if low == high:
        raise Refused(
            f"one intensity everywhere ({low:g})", "there is no range to divide", "look at the image and mask"
        )
    levels = np.floor(bins * (x - low) / (high - low)) + 1.0
    return np.asarray(np.minimum(levels, bins), dtype=np.int32)


def fixed_bin_size(values: npt.NDArray[np.floating], width: float, low: float) -> Levels:
    """Levels of a width, the first beginning at a lower bound.

    >>> fixed_bin_size(np.array([-500.0, -476.0, -475.0, 400.0]), 25.0, -500.0).tolist()
    [1, 1, 2, 37]

    Raises:
        Refused: when the width is not positive, a value lies below the bound, or there are too many levels.
    """
    x = _numbers(values)
    if width <= 0.0:
        raise Refused(f"bins of width {width:g}", "a bin has a width", "for CT 25 HU, for PET 0.5 SUV are usual")
    if float(x.min()) < low:
        raise Refused(
            f"intensity {float(x.min()):g} below the lower bound {low:g}",
            "levels are counted from the bound",
            "re-segment to a range with this bound first",
        )
    if (float(x.max()) - low) / width > _MOST:
        raise Refused(
            f"bins of width {width:g} between {low:g} and {float(x.max()):g}", "too many grey levels", "give wider bins"
        )
    return np.asarray(np.floor((x - low) / width) + 1.0, dtype=np.int32)


def whole_numbers(values: npt.NDArray[np.floating]) -> Levels:
    """Values that are grey levels already.

    Raises:
        Refused: when some are not whole, or below 1.
    """
    x = _numbers(values)
    if (x != np.rint(x)).any() or float(x.min()) < 1.0 or float(x.max()) > _MOST:
        raise Refused("intensities that are no grey levels", "levels are whole numbers from 1 on", "discretise them")
    return np.asarray(x, dtype=np.int32)


def _numbers(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    x = np.asarray(values, dtype=np.float64)
    if not x.size:
        raise Refused("a region without voxels", "it has no grey levels", "look at the mask and the range")
    if not np.isfinite(x).all():
        raise Refused("intensities that are not numbers", "they have no grey level", "send the image again")
    return x
