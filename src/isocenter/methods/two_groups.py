"""Two independent groups, one number a person: how far apart, how sure, and Holm's correction for many such looks.

The difference of means has Welch's interval, which assumes no equal spread (Welch 1947, with Satterthwaite's degrees of
freedom); its size without a unit is Hedges' g (1981), Cohen's d without its bias in small samples. Beside it stands the
chance that a random person of the one group has the larger value (ties one half), with Brunner and Munzel's test (2000)
that it is one half, which asks for neither a normal shape nor an equal spread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gamma, inf, sqrt

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused

__all__ = ["Contrast", "contrast", "holm"]


@dataclass(frozen=True)
class Contrast:
    """The first group against the second.

    Args:
        difference, low, high: of the means, first minus second, in the unit that came in.
        hedges_g: the same in pooled standard deviations.
        superiority: chance that the first is larger.
        p: two-sided, of Brunner and Munzel.
    """

    difference: float
    low: float
    high: float
    hedges_g: float
    superiority: float
    p: float


def contrast(one: npt.ArrayLike, other: npt.ArrayLike, *, level: float = 0.95) -> Contrast:
    """How two groups differ.

    Args:
        one, other: (n,) one value of each person; finite.
        level: of the interval.

    Raises:
        Refused: fewer than two in a group, a value that is no number, or no spread in either group.

    >>> told = contrast([5.0, 6.0, 7.0, 8.0], [1.0, 2.0, 3.0, 4.0])
    >>> told.difference, told.superiority
    (4.0, 1.0)
    """
    from scipy import stats

    a, b = np.asarray(one, np.float64).ravel(), np.asarray(other, np.float64).ravel()
    if min(len(a), len(b)) < 2:
        raise Refused(
            f"{len(a)} and {len(b)} people", "a spread needs two in each group", "give two people of each group or more"
        )
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise Refused("a value that is no number", "it has no place in a mean", "leave the person out")
    spread_a, spread_b = float(a.var(ddof=1)), float(b.var(ddof=1))
    error_a, error_b = spread_a / len(a), spread_b / len(b)
    error = error_a + error_b
    if error == 0:
        raise Refused("two groups in which nobody differs", "an interval needs a spread", "give people who differ")
    freedom = error**2 / (error_a**2 / (len(a) - 1) + error_b**2 / (len(b) - 1))
    difference = float(a.mean() - b.mean())
    half = float(stats.t.ppf(0.5 + level / 2, freedom)) * sqrt(error)
    pooled = ((len(a) - 1) * spread_a + (len(b) - 1) * spread_b) / (len(a) + len(b) - 2)
    g = _unbiased(len(a) + len(b) - 2) * difference / sqrt(pooled)
    superiority, p = _brunner_munzel(a, b)
    return Contrast(difference, difference - half, difference + half, g, superiority, p)


def _unbiased(freedom: int) -> float:
    """Hedges' factor, exact; from where the gamma function overflows, by his approximation."""
    if freedom > 300:
        return 1 - 3 / (4 * freedom - 1)
    return gamma(freedom / 2) / (sqrt(freedom / 2) * gamma((freedom - 1) / 2)) if freedom > 1 else 0.0


def _brunner_munzel(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> tuple[float, float]:
    from scipy import stats

    n, m = len(a), len(b)
    every = stats.rankdata(np.concatenate([a, b]))
    of_a, of_b = every[:n], every[n:]
    place_a, place_b = of_a - stats.rankdata(a), of_b - stats.rankdata(b)
    superiority = float(place_a.mean() / m)
    spread_a, spread_b = float(place_a.var(ddof=1)) / m**2, float(place_b.var(ddof=1)) / n**2
    error = spread_a / n + spread_b / m
    if error == 0:  # all of the one above all of the other: the sharpest that so many can show
        from scipy.special import comb

        return superiority, 1.0 if superiority == 0.5 else min(1.0, 2 / float(comb(n + m, n)))
    freedom = error**2 / ((spread_a / n) ** 2 / (n - 1) + (spread_b / m) ** 2 / (m - 1))
    return superiority, float(2 * stats.t.sf(abs(superiority - 0.5) / sqrt(error), freedom))


def holm(p: Sequence[float]) -> list[float]:
    """P values of many tests so that one false alarm among all is as rare as was said of one (Holm 1979).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p)), key=lambda i: p[i])
    told, least = [inf] * len(p), 0.0
    for rank, i in enumerate(order):
        least = max(least, min(1.0, (len(p) - rank) * p[i]))
        told[i] = least
    return told
