"""How noisy a cine is, measured in the pictures and asked of no network.

Noise darkens blood and brightens muscle, and a network then draws the ventricle too small and is as sure of it as ever:
windows of one scan agreed to 0.97 where it lost 38 mL. What moves the border is noise of about the size of the wall's
detail, so pixels are first averaged in blocks of about 2.7 mm; noise that a scanner smoothed when it interpolated the
picture counts for more there, as it does for the border.

A cine shows the same place many times. Chest wall, liver and back do not beat, so that what changes there faster than
in two harmonics of the beat is noise. These places are not looked for: the power beyond the second harmonic is averaged
over 3 x 3 blocks, and the tenth of the places that are stillest says it. A heart that beats fast, or ten phases instead
of twenty, hardly move that. Noise that is the same in every phase is not seen so; it is looked for in the finest detail
of single pictures, too, and the larger of the two counts.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isocenter.methods.blocks import block_means
from isocenter.methods.noise import noise_of

__all__ = ["noise_over_phases"]

_BLOCK_MM = 2.7
_BEAT = 2  # harmonics that still places may have: the pulse of vessels beside them
_STILL = 0.1  # of all places
_TOGETHER = 3  # blocks to a side

Array = npt.NDArray[np.float32]


def noise_over_phases(phases: Array, spacing_mm: tuple[float, float], least: float) -> float:
    """Standard deviation of the noise in blocks of about 2.7 mm, in the unit of the pictures.

    Args:
        phases: (phases, slices, rows, columns) of one whole beat, with some of the chest about the heart; at least 7.
        spacing_mm: between rows and between columns.
        least: mean grey below which a place does not count: in air and lung magnitude pictures have less noise.

    Returns:
        0 where no place is as bright as that.

    >>> rng = np.random.default_rng(0)
    >>> still = 100.0 + 10.0 * rng.standard_normal((20, 3, 64, 64)).astype(np.float32)
    >>> round(noise_over_phases(still, (1.35, 1.35), 50.0))  # the mean of 2 x 2 pixels
    5
    """
    from scipy.ndimage import uniform_filter

    down, across = (max(1, round(_BLOCK_MM / mm)) for mm in spacing_mm)
    blocks = block_means(phases, down, across)
    bright = blocks.mean(axis=0) >= least
    if not bright.any():
        return 0.0
    many = len(blocks)
    wave = np.abs(np.fft.rfft(blocks, axis=0)[_BEAT + 1 : (many + 1) // 2]) ** 2
    power = uniform_filter(wave.mean(axis=0) / many, (0, _TOGETHER, _TOGETHER))
    between = float(np.sqrt(max(0.0, np.quantile(power[bright], _STILL))))  # a running mean of nothing is hardly below
    some = phases[:: max(1, many // 5)].reshape(-1, *phases.shape[2:])
    within = float(np.median([noise_of(picture, picture >= least) for picture in some]))
    return max(between, within / float(np.sqrt(down * across)))
