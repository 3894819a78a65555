"""How far the outlines of a ventricle may be off, from what the network itself says of every pixel.

Two windows of one network agree with each other even where both are wrong: a patient with deep trabeculae was outlined
30 mL too small while they agreed to 0.99. What tells more is how wide the border is over which the network goes from
sure to sure, and whether a slice at the base was taken at one end of the beat and left at the other.

These are bounds of this network's doubt and no confidence interval.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["SURE", "levelled", "lost_at_base_mm2", "restlessness", "span_px"]

SURE = 0.9
"""Probability above which (and, for what lies outside, below whose complement) a pixel counts as certain."""

_ORDERS = 4  # harmonics of the beat that a volume curve is made of

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def span_px(probability: npt.NDArray[np.float32], cavity: Mask, muscle: Mask) -> tuple[int, int]:
    """Pixels that surely are cavity, and pixels within the epicardium that are not surely outside of it.

    Args:
        probability: of lying within the endocardium, on the grid of the masks.
        cavity, muscle: as they were outlined.

    >>> p = np.array([[0.95, 0.6, 0.2, 0.05]], np.float32)
    >>> span_px(p, p > 0.5, np.array([[False, False, True, True]]))
    (1, 3)
    """
    least = int(np.count_nonzero(cavity & (probability > SURE)))
    most = int(np.count_nonzero(cavity | (muscle & (probability > 1.0 - SURE))))
    return least, most


def lost_at_base_mm2(diastole: npt.ArrayLike, systole: npt.ArrayLike) -> float:
    """Area at end-systole of the slices that count at the base at end-diastole and no more at end-systole.

    The base does come down, so that leaving them out may be right; were they part of the ventricle, they would have
    contracted like the first slice that counts at both.

    Args:
        diastole, systole: area of every slice from base to apex, 0 where it does not count.

    >>> lost_at_base_mm2([0, 2000, 2400, 1200], [0, 0, 1200, 600])
    1000.0
    """
    large, small = np.asarray(diastole, np.float64), np.asarray(systole, np.float64)
    both = np.flatnonzero((large > 0) & (small > 0))
    if not len(both):
        return 0.0
    first = int(both[0])
    return float(large[:first].sum() * min(1.0, small[first] / large[first]))


def levelled(rough: Floats, ed: int, es: int, edv_ml: float, esv_ml: float) -> Floats:
    """A volume curve of coarse outlines, moved and stretched so that it passes through its two finely outlined ends.

    Without that the two fine phases stand out of the curve, and its steepest slopes are those of the seam.

    >>> levelled(np.array([100.0, 75.0, 50.0, 75.0]), 0, 2, 110.0, 60.0).tolist()
    [110.0, 85.0, 60.0, 85.0]
    """
    high, low = float(rough[ed]), float(rough[es])
    if high - low <= 0 or edv_ml <= esv_ml:
        return np.asarray(np.where(np.arange(len(rough)) == ed, edv_ml, esv_ml), np.float64)
    curve = esv_ml + (rough - low) * ((edv_ml - esv_ml) / (high - low))
    return np.asarray(np.clip(curve, esv_ml, edv_ml), np.float64)


def restlessness(volumes_ml: Sequence[float] | Floats) -> float:
    """How much of a volume curve is not a beat: RMS beyond its first four harmonics, over the stroke volume (0 to 1).

    A ventricle fills and empties smoothly; slices that come and go from phase to phase do not. With ten phases or
    fewer nothing is left beyond the harmonics, and the answer is 0.

    >>> beat = 100 + 40 * np.cos(2 * np.pi * np.arange(20) / 20)
    >>> round(restlessness(beat), 6), restlessness(beat + 30 * (np.arange(20) % 2)) > 0.1
    (0.0, True)
    """
    curve = np.asarray(volumes_ml, np.float64)
    wave = np.fft.rfft(curve)
    wave[: _ORDERS + 1] = 0
    stroke = float(np.ptp(curve))
    return float(np.sqrt(np.mean(np.fft.irfft(wave, len(curve)) ** 2)) / stroke) if stroke > 0 else 0.0
