"""How many cases a study of a diagnostic test needs, and what a study of given size can show.

For sensitivity Buderer (Acad Emerg Med 1996;3:895); for the area under the curve Hanley & McNeil's variance (Radiology
1982;143:29) for its precision, and Obuchowski's (Radiology 1997, as in R's pROC) for the test against no information.
For kappa the large-sample variance of Fleiss, Cohen & Everitt (1969) at the worst table that the raters' shares allow
(Flack and others, Psychometrika 1988;53:321; with two grades there is one such table, Cantor, Psychol Methods 1996).
All of these count cases that know nothing of each other. Where people have several images, `people_for` says how many
people are needed, by Kish's design effect and for uneven numbers of images that of Eldridge (Int J Epidemiol 2006).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from isocenter.errors import Refused

__all__ = [
    "area_error",
    "cases_for_area",
    "cases_for_kappa",
    "cases_for_kappa_test",
    "cases_for_sensitivity",
    "design_effect",
    "diseased_for_test",
    "people_for",
    "power",
]

Shares = npt.NDArray[np.float64]


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
        raise Refused(
            f"{diseased:g} diseased and {healthy:g} healthy cases", "one of each at least", "give one of each or more"
        )
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
        raise Refused(
            f"{diseased:g} diseased and {healthy:g} healthy cases", "one of each at least", "give one of each or more"
        )
    _shares(alpha=alpha)
    null, own = _spreads(area, healthy / diseased)
    za = float(ndtri(1 - alpha / 2))
    return float(ndtr((np.sqrt(diseased) * (area - 0.5) - za * np.sqrt(null)) / np.sqrt(own)))


def cases_for_kappa(
    kappa: float, half_width: float, one: npt.ArrayLike, other: npt.ArrayLike | None = None, *, level: float = 0.95
) -> int:
    """Cases that two raters grade to know their kappa to within a half-width.

    Args:
        kappa: what is expected.
        one: (grades,) share of the cases that the first rater gives each grade.
        other: the same of the second; None for the same shares.

    Raises:
        Refused: shares that are none, a kappa that no table with such shares has, values outside 0 … 1.

    >>> cases_for_kappa(0.6, 0.1, [0.5, 0.5]), cases_for_kappa(0.6, 0.1, [0.1, 0.9])
    (246, 705)
    """
    _shares(half_width=half_width, level=level)
    return int(np.ceil(float(ndtri(0.5 + level / 2)) ** 2 * _kappa_spread(kappa, one, other) / half_width**2))


def cases_for_kappa_test(
    kappa: float, null: float, one: npt.ArrayLike, other: npt.ArrayLike | None = None, *,
    power_: float = 0.8, alpha: float = 0.05, sides: int = 2,
) -> int:  # fmt: skip
    """Cases with which a kappa is told from another one (`null`), with this power.

    Args:
        one, other: as in `cases_for_kappa`.
        sides: 2, or 1 for a test that the kappa lies on its side of the null.

    Raises:
        Refused: as `cases_for_kappa`; equal kappas; other sides.

    >>> cases_for_kappa_test(0.85, 0.7, [0.5, 0.5], sides=1), cases_for_kappa_test(0.7, 0.85, [0.5, 0.5], sides=1)
    (117, 96)
    """
    _shares(power=power_, alpha=alpha)
    if sides not in (1, 2):
        raise Refused(f"{sides} sides", "a test has one or two", "give 1 or 2")
    if kappa == null:
        raise Refused(
            f"a kappa of {kappa:g}, told from {null:g}",
            "no number of cases tells a value from itself",
            "give two values that differ",
        )
    za, zb = float(ndtri(1 - alpha / sides)), float(ndtri(power_))
    spread = za * np.sqrt(_kappa_spread(null, one, other)) + zb * np.sqrt(_kappa_spread(kappa, one, other))
    return int(np.ceil((float(spread) / (kappa - null)) ** 2))


def design_effect(images: float, icc: float, *, variation: float = 0.0) -> float:
    """How many images of people with several are worth one of people with one: 1 + ((1 + v²)·m - 1)·ICC.

    Args:
        images: of a person, on average.
        icc: intraclass correlation of what is counted, 0 to 1 (`agreement.intraclass_by_person` tells it of a pilot).
        variation: coefficient of variation of the number of images; 0 where all have as many.

    Raises:
        Refused: fewer than one image, a correlation outside 0 … 1, a variation below 0.

    >>> round(design_effect(40, 0.05), 2), round(design_effect(4, 0.3, variation=0.8), 3)
    (2.95, 2.668)
    """
    if not images >= 1:
        raise Refused(f"{images:g} images of a person", "on average there is one at least", "give 1 or more")
    if not 0 <= icc <= 1:
        raise Refused(f"a correlation of {icc:g}", "it lies between 0 and 1", "give a number between these")
    if not 0 <= variation < np.inf:
        raise Refused(f"a variation of {variation:g}", "it is not below 0", "give 0 or more")
    return float(1 + ((1 + variation**2) * images - 1) * icc)


def people_for(cases: float, images: float, icc: float, *, variation: float = 0.0) -> int:
    """How many people with so many images each tell as much as these cases of different people.

    For an area count the diseased and the healthy each by themselves; a person who has images of both helps to compare
    them, so that the number is then on the safe side.

    >>> people_for(692, 4, 0.3), people_for(692, 1, 0.3), people_for(692, 4, 1.0)
    (329, 692, 692)
    """
    return int(np.ceil(cases * design_effect(images, icc, variation=variation) / images - 1e-9))


def _kappa_spread(kappa: float, one: npt.ArrayLike, other: npt.ArrayLike | None) -> float:
    """Variance of kappa times the cases, at the table of that kappa and these shares at which it is largest."""
    from scipy.optimize import linprog

    rows = _given(one)
    columns = rows if other is None else _given(other)
    if len(rows) != len(columns):
        raise Refused(
            f"shares of {len(rows)} and of {len(columns)} grades",
            "both raters use the same grades",
            "give as many shares of both",
        )
    k, chance = len(rows), float(rows @ columns)
    agreed = kappa * (1 - chance) + chance
    weight = (np.eye(k) - (columns[:, None] + rows[None, :]) * (1 - kappa)) ** 2
    places = np.arange(k * k).reshape(k, k)
    sums = np.zeros((2 * k + 1, k * k))
    for grade in range(k):
        sums[grade, places[grade]] = sums[k + grade, places[:, grade]] = 1
    sums[-1, np.diag(places)] = 1
    found = linprog(-weight.ravel(), A_eq=sums, b_eq=[*rows, *columns, agreed], bounds=(0, 1))
    if found.status != 0:
        most = (float(np.minimum(rows, columns).sum()) - chance) / (1 - chance)
        raise Refused(f"a kappa of {kappa:g} of raters with such shares",
                      f"no table has it; the largest that they allow is {most:.3f}",
                      "give a smaller kappa or other shares")  # fmt: skip
    spread = -float(found.fun) - (kappa - chance * (1 - kappa)) ** 2
    return max(0.0, spread) / (1 - chance) ** 2


def _given(shares: npt.ArrayLike) -> Shares:
    given = np.asarray(shares, np.float64).ravel()
    if len(given) < 2 or not np.isfinite(given).all() or (given <= 0).any() or abs(given.sum() - 1) > 1e-6:
        raise Refused(
            f"shares {given.tolist()}",
            "of each grade above 0, of two grades or more, 1 in all",
            "give shares that sum to 1",
        )
    return np.asarray(given / given.sum(), np.float64)


def _spreads(area: float, ratio: float) -> tuple[float, float]:
    """Variance of the area times the diseased cases, without information and at this area (Obuchowski 1997)."""
    _positive(ratio)
    if not 0.5 < area < 1:
        raise Refused(f"an area of {area:g}", "it lies above 0.5 and below 1", "give an area within these")
    a = float(ndtri(area)) * 1.414
    own = 0.0099 * np.exp(-(a**2) / 2) * ((5 * a**2 + 8) + (a**2 + 8) / ratio)
    return 0.0792 * (1 + 1 / ratio), float(own)


def _shares(**given: float) -> None:
    for name, value in given.items():
        if not 0 < value < 1:
            raise Refused(
                f"{name.replace('_', ' ')} {value:g}", "it lies between 0 and 1", "give a number between these"
            )


def _positive(ratio: float) -> None:
    if not ratio > 0:
        raise Refused(f"a ratio of {ratio:g}", "healthy for each diseased is positive", "give a number above 0")
