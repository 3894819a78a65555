"""How many cases a study of a diagnostic test needs, and what a study of given size can show.

For sensitivity Buderer (Acad Emerg Med 1996;3:895); for the area under the curve Hanley & McNeil's variance (Radiology
1982;143:29) for its precision, and Obuchowski's (Radiology 1997, as in R's pROC) for the test against no information.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri

from isocenter.errors import Refused

__all__ = ["area_error", "cases_for_area", "cases_for_sensitivity", "diseased_for_test", "power"]


def cases_for_sensitivity(sensitivity: float, half_width: float, prevalence: float, *, level: float = 0.95) -> int:
    """Cases, diseased and not, to know a sensitivity to within a half-width: z²·Se·(1 − Se) / (d²·prevalence).

    For specificity give it, and the share of the healthy as the prevalence.

    Raises:
        Refused: for values outside 0 … 1.

    >>> cases_for_sensitivity(0.9, 0.05, 0.2)
    692
    """
    _shares(sensitivity=sensitivity, half_width=half_width, prevalence=prevalence, level=level)
    z = float(ndtri(0.5 + level / 2))
    return int(np.ceil(z**2 * sensitivity * (1 - sensitivity) / (half_width**2 * prevalence)))


def area_error(area: float, diseased: float, healthy: float) -> float:
    """Standard error of an area under the curve by Hanley & McNeil: Q1 = A/(2 − A), Q2 = 2A²/(1 + A).

    Raises:
        Refused: an area outside 0 … 1, or fewer than one case of a class.

    >>> round(area_error(0.893, 51, 58), 4)
    0.0325
    """
    _shares(area=area)
    if min(diseased, healthy) < 1:
        raise Refused(f"{diseased:g} diseased and {healthy:g} healthy cases", "one of each at least")
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (diseased - 1) * (q1 - area**2) + (healthy - 1) * (q2 - area**2)
    return float(np.sqrt(spread / (diseased * healthy)))


def cases_for_area(area: float, half_width: float, *, ratio: float = 1.0, level: float = 0.95) -> tuple[int, int]:
    """Diseased and healthy cases to know an area to within a half-width, with `ratio` healthy for each diseased.

    Raises:
        Refused: for values outside 0 … 1, or a ratio that is not positive.
    """
    _shares(area=area, half_width=half_width, level=level)
    _positive(ratio)
    z, low, high = float(ndtri(0.5 + level / 2)), 1, 2
    while z * area_error(area, high, max(1.0, high * ratio)) > half_width:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        fits = z * area_error(area, middle, max(1.0, middle * ratio)) <= half_width
        low, high = (low, middle) if fits else (middle, high)
    return high, max(1, int(np.ceil(high * ratio)))


def diseased_for_test(area: float, power_: float, *, ratio: float = 1.0, alpha: float = 0.05) -> float:
    """Diseased cases with which an area is told from 0.5, two-sided at alpha, with this power; not rounded.

    Args:
        ratio: healthy for each diseased.

    Raises:
        Refused: an area not above 0.5, or values outside 0 … 1.
    """
    _shares(power=power_, alpha=alpha)
    za, zb = float(ndtri(1 - alpha / 2)), float(ndtri(power_))
    null, own = _spreads(area, ratio)
    return float((za * np.sqrt(null) + zb * np.sqrt(own)) ** 2 / (area - 0.5) ** 2)


def power(area: float, diseased: float, healthy: float, *, alpha: float = 0.05) -> float:
    """Chance that a study of this size tells an area from 0.5, two-sided at alpha.

    Raises:
        Refused: an area not above 0.5, or fewer than one case of a class.
    """
    if min(diseased, healthy) < 1:
        raise Refused(f"{diseased:g} diseased and {healthy:g} healthy cases", "one of each at least")
    _shares(alpha=alpha)
    null, own = _spreads(area, healthy / diseased)
    za = float(ndtri(1 - alpha / 2))
    return float(ndtr((np.sqrt(diseased) * (area - 0.5) - za * np.sqrt(null)) / np.sqrt(own)))


def _spreads(area: float, ratio: float) -> tuple[float, float]:
    """Variance of the area times the diseased cases, without information and at this area (Obuchowski 1997)."""
    _positive(ratio)
    if not 0.5 < area < 1:
        raise Refused(f"an area of {area:g}", "it lies above 0.5 and below 1")
    a = float(ndtri(area)) * 1.414
    own = 0.0099 * np.exp(-(a**2) / 2) * ((5 * a**2 + 8) + (a**2 + 8) / ratio)
    return 0.0792 * (1 + 1 / ratio), float(own)


def _shares(**given: float) -> None:
    for name, value in given.items():
        if not 0 < value < 1:
            raise Refused(f"{name.replace('_', ' ')} {value:g}", "it lies between 0 and 1")


def _positive(ratio: float) -> None:
    if not ratio > 0:
        raise Refused(f"a ratio of {ratio:g}", "healthy for each diseased is positive")
