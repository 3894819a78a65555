"""How noisy an image is, without a second one to compare with.

The finest diagonal detail of an image is nearly all noise: its median absolute value estimates the standard deviation
of white noise and is hardly moved by edges. In smoothed images (PET, ultrasound, CT with a soft kernel) noise is not
white and the estimate is too low; it never invents noise that is not there.

Source: Donoho and Johnstone, Biometrika 81 (1994) 425 (median absolute deviation of the finest wavelet scale).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["noise_of", "otsu", "signal_to_noise"]

Floats = npt.NDArray[np.floating]

_FLAT = 0.01  # of an image at its largest value, from which on that is no noise


def noise_of(image: Floats, where: npt.NDArray[np.bool_] | None = None) -> float:
    """Standard deviation of white noise in a two-dimensional image, in the image's unit.

    Args:
        image: (rows, columns).
        where: pixels that count, such as the body; all when None. Flat padding must be left out or it hides noise.

    >>> rng = np.random.default_rng(0)
    >>> round(noise_of(100.0 + 5.0 * rng.standard_normal((256, 256))), 1)
    5.0
    """
    if min(image.shape) < 2:
        return 0.0
    # Every 2x2 block, overlapping ones included, so that a flipped image has the same noise to the last digit.
    part = image.astype(np.float32, copy=False)
    diagonal = np.abs(part[:-1, :-1] - part[:-1, 1:] - part[1:, :-1] + part[1:, 1:]) / 2.0
    if where is not None:
        diagonal = diagonal[where[:-1, :-1] & where[1:, 1:] & where[:-1, 1:] & where[1:, :-1]]
    return float(np.median(diagonal) / 0.6745) if diagonal.size else 0.0


def otsu(image: Floats) -> float:
    """The value that divides an image best into dark and bright (largest variance between the two)."""
    low, high = (float(v) for v in np.percentile(image, (0.1, 99.9)))
    if high <= low:
        return low
    counts, edges = np.histogram(np.clip(image, low, high), bins=256, range=(low, high))  # outliers count, at the ends
    middles = (edges[:-1] + edges[1:]) / 2.0
    below = np.cumsum(counts).astype(np.float64)
    above = below[-1] - below
    sums = np.cumsum(counts * middles)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    between = np.where(np.isfinite(between), between, -1.0)
    best = np.flatnonzero(
        between >= between.max() * (1.0 - 1e-9)
    )  # empty bins between two peaks tie: take their middle
    return float(middles[best].mean())


def signal_to_noise(image: Floats) -> tuple[float, float, float]:
    """(signal-to-noise ratio, noise, contrast) of a two-dimensional image.

    Signal is the difference between the median of the bright part (the object) and of the dark part; noise is that of
    the bright part. The ratio is infinite where no noise can be seen. The largest value, where a hundredth of the image
    has it, was not measured (a collimator's margin, clipped detail) and is left out: being flat, it would hide noise.

    >>> ball = np.zeros((64, 64)); ball[16:48, 16:48] = 100.0
    >>> signal_to_noise(ball + np.random.default_rng(0).standard_normal((64, 64)))[0] > 80
    True
    """
    measured = image < image.max()
    if np.count_nonzero(measured) > (1.0 - _FLAT) * measured.size or np.unique(image[measured]).size < 2:
        measured[:] = True
    threshold = otsu(image[measured])
    bright = (image > threshold) & measured
    if not bright.any() or bright.all():
        return 0.0, noise_of(image), 0.0
    contrast = float(np.median(image[bright]) - np.median(image[measured & ~bright]))
    noise = noise_of(image, bright)
    return (contrast / noise if noise > 0 else float("inf")), noise, contrast
