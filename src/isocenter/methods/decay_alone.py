"""R2* of magnitudes whose echoes tell decay and not fat, as echoes that all are nearly in phase do.

With so few ways to tell fat, its fraction is left open: the decay is fitted for each fraction from none to a half, and
every fraction that the region's echoes allow gives a decay. Where these lie close together the decay is known although
fat is not. Neighbourhoods of 5 x 5 voxels are fitted without the square of noise, each by itself, and their median is
the answer, so that a vessel, which outlasts a liver full of iron, counts no more than its neighbourhoods.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from isocenter.methods.fat_spectrum import fat_signal

__all__ = ["Decay", "decay_alone"]

_ACROSS = 5  # voxels of a neighbourhood
_FRACTIONS = np.arange(0.0, 0.51, 0.05)
_RATES = np.geomspace(5.0, 3000.0, 800)  # 1/s, a step of 0.8 %
_ALLOWED = 9.0  # by how many noise variances a neighbourhood's best fraction may leave less: three standard errors
_MOST = 4000  # neighbourhoods that are fitted at once


@dataclass(frozen=True, eq=False)
class Decay:
    """R2* of a region, 1/s.

    Args:
        r2_star: median of its neighbourhoods, at the fraction of fat that leaves least.
        low, high: the least and the greatest of these medians among the fractions that the echoes allow.
        spread: range of the middle half of the neighbourhoods; where noise scatters them their median is wrong, too.
        rates: of each voxel of the region, in the order of the mask.
    """

    r2_star: float
    low: float
    high: float
    spread: float
    rates: npt.NDArray[np.float32]


def decay_alone(
    echoes: npt.NDArray[Any],
    times_s: npt.NDArray[np.float64],
    field_t: float,
    mask: npt.NDArray[np.bool_],
    noise: float,
) -> Decay:
    """The decay of a region, whatever its fat.

    Args:
        echoes: (echoes, slices, rows, columns) magnitude.
        times_s, field_t: of the echoes, and tesla.
        mask: the region; at least one voxel.
        noise: variance of one part of the complex signal.
    """
    many = ndimage.uniform_filter(mask.astype(float), (1, _ACROSS, _ACROSS))[mask]
    squares = [ndimage.uniform_filter(np.where(mask, e, 0.0) ** 2, (1, _ACROSS, _ACROSS))[mask] / many for e in echoes]
    held = np.sqrt(np.maximum(np.array(squares).T - 2.0 * noise, 0.0))
    count = many * _ACROSS**2
    fat = fat_signal(times_s, field_t)
    rates, left = np.empty((len(_FRACTIONS), len(held))), np.empty((len(_FRACTIONS), len(held)))
    fades = np.exp(-_RATES[:, None] * times_s)
    for n, fraction in enumerate(_FRACTIONS):
        shapes = fades * np.abs(1.0 - fraction + fraction * fat)
        shapes /= np.linalg.norm(shapes, axis=1, keepdims=True)
        for first in range(0, len(held), _MOST):
            some = slice(first, first + _MOST)
            explained = held[some] @ shapes.T
            best = explained.argmax(axis=1)
            rates[n, some] = _RATES[best]
            left[n, some] = (held[some] ** 2).sum(axis=1) - explained[np.arange(len(best)), best] ** 2
    # Neighbourhoods share their voxels: each counts by the part that is its own. What none explains is noise, too.
    excess = left.sum(axis=1) / max(noise, 1e-30)
    best = int(excess.argmin())
    unexplained = excess[best] / (float((1.0 / count).sum()) * max(len(times_s) - 3, 1))
    medians = np.median(rates, axis=1)
    allowed = medians[excess - excess[best] <= _ALLOWED * max(unexplained, 1.0)]
    first, third = np.percentile(rates[best], (25, 75))
    return Decay(
        float(medians[best]), float(allowed.min()), float(allowed.max()), float(third - first),
        rates[best].astype(np.float32),
    )  # fmt: skip
