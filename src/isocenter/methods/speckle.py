"""Speckle of ultrasound: what the statistics of the envelope say about scatterers, and how well two tissues part.

All of it holds for the envelope (linear amplitude). A B-mode picture shows its logarithm, whose statistics are others:
`envelope` undoes the compression where its dynamic range is known, and nothing is computed where it is not.

Fully developed speckle has a Rayleigh envelope: mean over standard deviation √(π/(4-π)) = 1.913, Nakagami m = 1. Fewer
scatterers give m < 1, an echo of structure m > 1.

Sources: Wagner et al., IEEE Trans Sonics Ultrason 30 (1983) 156; Shankar, IEEE Trans UFFC 47 (2000) 727 (Nakagami);
Rodriguez-Molares et al., IEEE Trans UFFC 67 (2020) 745 (gCNR); Kuiper, Indag Math 22 (1960) 38 (distance of two
samples); Tai & Wang, 2010 (window of a Nakagami map).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused

__all__ = [
    "RAYLEIGH_RATIO",
    "Nakagami",
    "contrast_to_noise",
    "envelope",
    "generalised_contrast",
    "looks",
    "nakagami",
    "nakagami_map",
    "signal_ratio",
    "unexplained_at",
]

RAYLEIGH_RATIO = float(np.sqrt(np.pi / (4.0 - np.pi)))
"""Mean over standard deviation of a Rayleigh envelope: 1.913."""

_RANGE_DB = (20.0, 120.0)
_FEWEST = 200

Floats = npt.NDArray[np.floating]
_FAR_MORE = 5.0  # times what a fit of the rest has beyond the upper end


@dataclass(frozen=True)
class Nakagami:
    """Shape m (1: fully developed speckle) and spread omega (mean power) of an envelope."""

    m: float
    omega: float
    samples: int


def envelope(grey: Floats, dynamic_range_db: float, *, white: float = 255.0) -> npt.NDArray[np.float32]:
    """The envelope behind a log-compressed picture, up to a factor; black is kept at zero.

    Args:
        grey: brightness, 0 to `white`, compressed linearly in decibels.
        dynamic_range_db: from black to white, as set on the machine.

    Raises:
        Refused: when the dynamic range is unknown (0) or none that a machine has.
    """
    low, high = _RANGE_DB
    if not low <= dynamic_range_db <= high:
        raise Refused(
            f"a dynamic range of {dynamic_range_db:g} dB",
            "the picture shows the logarithm of the envelope, and its statistics are not those of speckle",
            f"give the dynamic range set on the machine, {low:g} to {high:g} dB",
        )
    decibel = np.asarray(grey, np.float32) * np.float32(dynamic_range_db / white) - np.float32(dynamic_range_db)
    amplitude = np.power(np.float32(10.0), decibel / np.float32(20.0), dtype=np.float32)
    return np.where(np.asarray(grey) > 0, amplitude, np.float32(0.0))


def signal_ratio(amplitude: Floats) -> float:
    """Mean over standard deviation of an envelope.

    Raises:
        Refused: for fewer than 200 samples, or an envelope without any variation.
    """
    values = _usable(amplitude)
    return float(values.mean() / values.std())


def looks(amplitude: Floats) -> float:
    """Equivalent number of looks: (mean / standard deviation) squared, of the power; 1 for speckle.

    Raises:
        Refused: as `signal_ratio`.
    """
    power = _usable(amplitude) ** 2
    return float((power.mean() / power.std()) ** 2)


def nakagami(amplitude: Floats, *, black: float = 0.0) -> Nakagami:
    """Fit by maximum likelihood.

    Args:
        amplitude: the envelope; 0 where the picture was black.
        black: amplitude below which the picture is black. Leaving black pixels out would lift m (1.11 for 1.00 where
            they are 2 %); near zero the power of an echo is spread as its (m - 1)th power, which tells their part.

    Raises:
        Refused: for fewer than 200 positive samples, or an envelope without any variation.
    """
    from scipy.special import digamma, polygamma

    values = _usable(amplitude)
    seen = values[values > 0]
    if seen.size < _FEWEST:
        raise Refused(f"{seen.size} positive samples", f"a fit needs {_FEWEST}", "take a larger region")
    power = seen**2
    unseen = (values.size - seen.size) / values.size if black > 0 else 0.0
    omega = float(power.mean()) * (1.0 - unseen)
    logs = (1.0 - unseen) * float(np.log(power).mean()) + (2.0 * unseen * np.log(black) if unseen else 0.0)
    gap = float(np.log(omega) - logs)  # log m - digamma(m), less what is unseen
    m = (3.0 - gap + np.sqrt((gap - 3.0) ** 2 + 24.0 * gap)) / (12.0 * gap)
    for _ in range(30):  # Newton from a start that is within 1.5 %
        step = (np.log(m) - digamma(m) - gap - unseen / m) / (1.0 / m - polygamma(1, m) + unseen / m**2)
        m -= step
        if abs(step) < 1e-12 * m:
            break
    return Nakagami(float(m), omega, int(values.size if black > 0 else seen.size))


def unexplained_at(top: float, amplitude: Floats, *, black: float = 0.0) -> float:
    """Part of an envelope that lies at its upper end and is no speckle, such as text or calipers in white.

    The others are fitted; where far more lies at the upper end than their distribution has there, it is none of them.
    Speckle that is cut off there has at least a third of that part in the fit.

    Args:
        top: amplitude of white. amplitude: the envelope. black: as for `nakagami`.

    Raises:
        Refused: as `nakagami`.

    >>> rng = np.random.default_rng(0)
    >>> plain = np.minimum(np.hypot(*rng.standard_normal((2, 10000))), 2.9)
    >>> unexplained_at(2.9, plain), round(unexplained_at(9.0, np.r_[plain, np.full(150, 9.0)]), 3)
    (0.0, 0.015)
    """
    from scipy.special import gammaincc

    values = np.asarray(amplitude, np.float64).ravel()
    at = values >= top
    share = float(np.mean(at))
    if not share:
        return 0.0
    fit = nakagami(values[~at], black=black)
    expected = float(gammaincc(fit.m, fit.m * top**2 / fit.omega))
    return share - expected if share > _FAR_MORE * expected else 0.0


def nakagami_map(amplitude: Floats, window: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Nakagami m in a window about every pixel, by moments; NaN where the window holds no echo.

    Args:
        amplitude: (rows, columns) envelope.
        window: rows and columns, odd; three pulse lengths wide by the rule of Tai and Wang.

    Raises:
        Refused: for a window that does not fit the picture or holds fewer than 25 pixels.
    """
    from scipy.ndimage import uniform_filter

    if amplitude.ndim != 2 or any(w % 2 == 0 or w > n for w, n in zip(window, amplitude.shape, strict=True)):
        raise Refused(
            f"a window of {window} on {amplitude.shape}",
            "it is odd and fits the picture",
            "give an odd number that fits",
        )
    if window[0] * window[1] < 25:
        raise Refused(
            f"a window of {window}", "fewer than 25 pixels say nothing about a distribution", "give 5 or more"
        )
    power = np.asarray(amplitude, np.float64) ** 2
    scale = float(power.max()) or 1.0
    power /= scale
    mean = uniform_filter(power, window, mode="nearest")
    variance = uniform_filter(power * power, window, mode="nearest") - mean * mean
    with np.errstate(divide="ignore", invalid="ignore"):
        m = mean * mean / variance
    return np.where((mean > 1e-12) & (variance > 1e-9 * mean * mean), m, np.nan).astype(np.float32)


def contrast_to_noise(one: Floats, other: Floats) -> float:
    """|difference of means| over √(sum of variances).

    Raises:
        Refused: as `signal_ratio`.
    """
    a, b = _usable(one), _usable(other)
    return float(abs(a.mean() - b.mean()) / np.sqrt(a.var() + b.var()))


def generalised_contrast(one: Floats, other: Floats) -> float:
    """gCNR: 1 minus the overlap of the two distributions; 1 when a threshold parts them without error.

    Densities cross once or twice where both are bells: beyond the overlap one tissue has more than the other within one
    range of values, and the range is taken in which it has most (Kuiper's distance of the two samples). Histograms
    count as contrast what few pixels scatter: of two samples of 500 of one tissue 256 bins say 0.23 where this says
    0.08. It does not change with any monotone compression of grey, so it may be taken from a B-mode picture too.

    Raises:
        Refused: as `signal_ratio`.

    >>> generalised_contrast(np.arange(1.0, 301.0), np.arange(1001.0, 1301.0))
    1.0
    """
    a, b = np.sort(_usable(one)), np.sort(_usable(other))
    values = np.concatenate([a, b])
    ahead = np.searchsorted(a, values, side="right") / a.size - np.searchsorted(b, values, side="right") / b.size
    return float(max(ahead.max(), 0.0) - min(ahead.min(), 0.0))


def _usable(amplitude: Floats) -> npt.NDArray[np.float64]:
    values = np.asarray(amplitude, np.float64).ravel()
    if values.size < _FEWEST:
        raise Refused(f"{values.size} samples", f"statistics of speckle need {_FEWEST}", "take a larger region")
    if not np.isfinite(values).all() or values.min() < 0:
        raise Refused(
            "an envelope with values below zero or none",
            "amplitude is zero and up",
            "give the envelope, before compression",
        )
    if values.min() == values.max():
        raise Refused(f"one value everywhere ({values[0]:g})", "speckle varies", "choose a region with signal")
    return values
