"""How sure a figure is: intervals of shares, of quantiles, and of differences between groups of studies.

Counts in a department are small, and a rate without its interval invites to chase noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused

__all__ = ["Estimate", "difference", "mean", "quantile", "sample_size", "wilson"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A value with its interval, and from how many cases."""

    value: float
    low: float
    high: float
    n: int


def wilson(events: float, n: float, confidence: float = 0.95) -> Estimate:
    """A share with Wilson's score interval (1927), which stays between 0 and 1 and is honest for few cases.

    Raises:
        Refused: no case, or more events than cases.

    >>> e = wilson(8, 10)
    >>> round(e.low, 3), round(e.high, 3)
    (0.49, 0.943)
    """
    if n < 1 or not 0 <= events <= n:
        raise Refused(f"{events} of {n}", "that is no share", "give no more events than cases")
    z = _z(confidence)
    share, middle = events / n, 1 + z**2 / n
    centre = (share + z**2 / (2 * n)) / middle
    half = z / middle * float(np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)))
    return Estimate(share, max(0.0, centre - half), min(1.0, centre + half), int(n))


def quantile(values: npt.ArrayLike, q: float, confidence: float = 0.95) -> Estimate:
    """A quantile (linear between the two nearest values) with the interval of its order statistics.

    The interval assumes no distribution: which ordered values enclose the quantile follows from the binomial
    distribution. Where there are too few cases for a bound, the smallest or largest value stands in.

    Raises:
        Refused: no value.
    """
    from scipy.stats import binom

    ordered = np.sort(np.asarray(values, np.float64))
    n = len(ordered)
    if n == 0 or not 0 < q < 1:
        raise Refused(
            f"the {q:g} quantile of {n} values", "there is none", "give a share between 0 and 1, and one value at least"
        )
    tail = (1 - confidence) / 2
    low = int(binom.ppf(tail, n, q)) - 1
    high = int(binom.ppf(1 - tail, n, q))
    middle = float(np.quantile(ordered, q))
    bounds = float(ordered[max(low, 0)]), float(ordered[min(high, n - 1)])
    return Estimate(middle, min(middle, bounds[0]), max(middle, bounds[1]), n)


def mean(
    values: npt.ArrayLike,
    *,
    clusters: npt.ArrayLike | None = None,
    rng: np.random.Generator,
    times: int = 2000,
    confidence: float = 0.95,
) -> Estimate:
    """A mean with its bootstrap interval (percentiles of the means of what is drawn again, with replacement).

    Args:
        clusters: studies of one cluster (a day, a reader) are drawn together, because they resemble one another.

    Raises:
        Refused: no value.
    """
    given = np.asarray(values, np.float64)
    if not len(given):
        raise Refused("the mean of nothing", "there is none", "give a value at least")
    drawn = _drawn(given, clusters, rng, times)
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(float(given.mean()), float(low), float(high), len(given))


def difference(
    after: npt.ArrayLike,
    before: npt.ArrayLike,
    *,
    clusters_after: npt.ArrayLike | None = None,
    clusters_before: npt.ArrayLike | None = None,
    rng: np.random.Generator,
    times: int = 2000,
    confidence: float = 0.95,
) -> Estimate:
    """Mean after minus mean before of two separate groups, each drawn again for itself; `n` counts both.

    Raises:
        Refused: one group is empty.
    """
    a, b = np.asarray(after, np.float64), np.asarray(before, np.float64)
    if not len(a) or not len(b):
        raise Refused(
            "a difference with an empty group", "there is nothing to compare with", "give values of both groups"
        )
    drawn = _drawn(a, clusters_after, rng, times) - _drawn(b, clusters_before, rng, times)
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(float(a.mean() - b.mean()), float(low), float(high), len(a) + len(b))


def sample_size(expected: float, half_width: float, population: int, confidence: float = 0.95) -> int:
    """How many cases of a population must be looked at to know a share to within a half-width.

    Wald's interval with the correction for a finite population (Cochran, Sampling Techniques, 1977, 4.4).

    Raises:
        Refused: a share or half-width outside 0 … 1.

    >>> sample_size(0.05, 0.02, 10_000)
    437
    """
    if not 0 < expected < 1 or not 0 < half_width < 1:
        raise Refused(
            f"an expected share of {expected} to within {half_width}",
            "both lie between 0 and 1",
            "give numbers between these",
        )
    infinite = _z(confidence) ** 2 * expected * (1 - expected) / half_width**2
    return min(population, int(np.ceil(infinite / (1 + (infinite - 1) / max(population, 1)))))


def _drawn(values: Floats, clusters: npt.ArrayLike | None, rng: np.random.Generator, times: int) -> Floats:
    """Means of bootstrap samples. Whole clusters are drawn; without clusters each value is one of its own."""
    if clusters is None:
        counts, sums = np.ones(len(values), np.float64), values
    else:
        _, of = np.unique(np.asarray(clusters), return_inverse=True)
        counts, sums = np.bincount(of).astype(np.float64), np.bincount(of, weights=values).astype(np.float64)
    k, means = len(sums), np.empty(times)
    step = max(1, 2_000_000 // k)  # bounds the memory of the draws
    for at in range(0, times, step):
        drawn = rng.integers(0, k, (min(step, times - at), k))
        means[at : at + len(drawn)] = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    return means


@lru_cache(maxsize=16)
def _z(confidence: float) -> float:
    from scipy.stats import norm

    if not 0 < confidence < 1:
        raise Refused(f"a confidence of {confidence}", "it lies between 0 and 1", "give it so, as 0.95")
    return float(norm.ppf((1 + confidence) / 2))
