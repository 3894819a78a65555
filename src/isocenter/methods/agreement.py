"""How well observers, methods or occasions agree: kappa, intraclass correlation, limits, smallest change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused

__all__ = [
    "Estimate",
    "Limits",
    "Weights",
    "concordance",
    "intraclass",
    "intraclass_by_person",
    "kappa",
    "limits_of_agreement",
    "smallest_detectable_change",
]

Weights = Literal["none", "linear", "quadratic"]
"""How far apart two ordered grades count: not at all, by distance, or by its square."""

Design = Literal["1,1", "2,1", "3,1", "1,k", "2,k", "3,k"]


@dataclass(frozen=True)
class Estimate:
    """A number with its interval."""

    value: float
    low: float
    high: float


def kappa(one: npt.ArrayLike, other: npt.ArrayLike, *, weights: Weights = "none", level: float = 0.95) -> Estimate:
    """Cohen's kappa of two raters: agreement beyond chance, 1 perfect, 0 chance.

    Args:
        one, other: (n,) grades of the same subjects; for weighted kappa numbers, whose distance counts.
        weights: see `Weights`.
        level: of the interval, from the large-sample error of Fleiss, Cohen & Everitt (1969).

    Raises:
        Refused: for other lengths, fewer than two subjects, a grade that is missing, or raters that both use a single
            grade.

    >>> round(kappa([1, 1, 2, 2], [1, 2, 2, 2]).value, 3)
    0.5
    """
    a, b = np.asarray(one).ravel(), np.asarray(other).ravel()
    if len(a) != len(b) or len(a) < 2:
        raise Refused(
            f"{len(a)} and {len(b)} grades",
            "two raters grade the same subjects, at least two",
            "give both raters' grades of each subject",
        )
    if missing := sum(int(np.isnan(g).sum()) for g in (a, b) if g.dtype.kind == "f"):
        raise Refused(f"{missing} grades that are missing", "nobody agrees with nothing",
                      "leave those subjects out, and say how many")  # fmt: skip
    grades, codes = np.unique(np.concatenate([a, b]), return_inverse=True)
    k, n = len(grades), len(a)
    if k < 2:
        raise Refused(f"every grade is {grades[0]}", "chance alone would agree", "grade subjects that differ")
    table = np.zeros((k, k))
    np.add.at(table, (codes[:n], codes[n:]), 1.0 / n)
    w = _weights(grades, weights)
    rows, columns = table.sum(1), table.sum(0)
    observed, expected = float((w * table).sum()), float((w * np.outer(rows, columns)).sum())
    value = (observed - expected) / (1 - expected)
    by_row, by_column = w @ columns, w.T @ rows
    spread = (table * (w - (by_row[:, None] + by_column) * (1 - value)) ** 2).sum()
    error = np.sqrt(max(0.0, spread - (value - expected * (1 - value)) ** 2) / n) / (1 - expected)
    half = _z(level) * float(error)
    return Estimate(value, max(-1.0, value - half), min(1.0, value + half))


def _weights(grades: npt.NDArray[np.generic], weights: Weights) -> npt.NDArray[np.float64]:
    if weights == "none":
        return np.eye(len(grades))
    if weights not in ("linear", "quadratic"):
        raise Refused(f"weights='{weights}'", "they are 'none', 'linear' or 'quadratic'", "name one of these")
    try:
        at = grades.astype(np.float64)
    except ValueError:
        raise Refused(
            f"grades {grades[:3].tolist()}",
            "weighted kappa needs grades that are numbers",
            "give numbers, or weights 'none'",
        ) from None
    apart = np.abs(at[:, None] - at) / (at.max() - at.min())
    return np.asarray(1 - (apart if weights == "linear" else apart**2), np.float64)


def intraclass(ratings: npt.ArrayLike, design: Design = "2,1", *, level: float = 0.95) -> Estimate:
    """Intraclass correlation of Shrout & Fleiss (1979), with McGraw & Wong's (1996) intervals.

    Args:
        ratings: (subjects, raters), none missing.
        design: ``1,·`` each subject has raters of its own; ``2,·`` the same raters stand for all raters (absolute
            agreement); ``3,·`` these raters only (consistency). ``·,1`` a single rating, ``·,k`` the mean of all.
        level: of the interval.

    Raises:
        Refused: for fewer than two subjects or raters, ratings that are missing, an unknown design, or subjects that
            no rating tells apart, for which the form has no value.

    >>> intraclass([[1, 1], [2, 2], [3, 3]]).value, round(intraclass([[1, 2], [2, 3], [3, 4]]).value, 3)
    (1.0, 0.667)
    """
    from scipy import stats

    x = np.asarray(ratings, np.float64)
    if x.ndim != 2 or min(x.shape) < 2 or not np.isfinite(x).all():
        raise Refused(
            f"ratings of shape {x.shape}",
            "two subjects and two raters at least, none missing",
            "leave out subjects with a missing rating",
        )
    n, k = x.shape
    bms, jms, ems, wms = _mean_squares(x)
    half = (1 - level) / 2

    def between(low: float, high: float) -> tuple[float, float]:
        return (float("nan"), float("nan")) if not np.isfinite([low, high]).all() else (low, high)

    if design not in ("1,1", "2,1", "3,1", "1,k", "2,k", "3,k"):
        raise Refused(f"the design '{design}'", "known are 1,1 2,1 3,1 1,k 2,k 3,k", "name one of these")
    error, d2 = (wms, n * (k - 1)) if design.startswith("1") else (ems, (n - 1) * (k - 1))
    if bms == 0 and (error == 0 or design in ("1,k", "3,k")):
        raise Refused("subjects that are all rated alike", "there are no differences between them to agree on",
                      "rate subjects that differ")  # fmt: skip
    if design.startswith("2"):
        value = (bms - ems) / (bms + (k - 1) * ems + k * (jms - ems) / n)
        low, high = _absolute(value, bms, jms, ems, n, k, half)
        if design == "2,k":
            value, low, high = (k * v / (1 + (k - 1) * v) for v in (value, low, high))
        return Estimate(float(value), *between(float(low), float(high)))
    if error == 0:  # the limit of what follows
        return Estimate(1.0, 1.0, 1.0)
    f = bms / error
    fl, fu = f / stats.f.ppf(1 - half, n - 1, d2), f * stats.f.ppf(1 - half, d2, n - 1)
    of = (f, fl, fu)
    chosen = [(v - 1) / (v + k - 1) for v in of] if design.endswith("1") else [1 - 1 / v for v in of]
    return Estimate(float(chosen[0]), *between(float(chosen[1]), float(chosen[2])))


def _mean_squares(x: npt.NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Between subjects, between raters, residual, and within subjects."""
    n, k = x.shape
    grand, rows, columns = x.mean(), x.mean(1), x.mean(0)
    bms = k * float(((rows - grand) ** 2).sum()) / (n - 1)
    jms = n * float(((columns - grand) ** 2).sum()) / (k - 1)
    ems = float(((x - rows[:, None] - columns + grand) ** 2).sum()) / ((n - 1) * (k - 1))
    wms = float(((x - rows[:, None]) ** 2).sum()) / (n * (k - 1))
    return bms, jms, ems, wms


def intraclass_by_person(values: npt.ArrayLike, people: npt.ArrayLike) -> float:
    """Intraclass correlation of people with uneven numbers of images, by one-way analysis of variance; not below 0.

    The form 1,1 of `intraclass` where all have as many; else after Donner & Koval (Biometrics 1980;36:19).

    Args:
        values: (n,) right or wrong, 1 or 0, or any number. people: (n,) whose.

    Raises:
        Refused: one person alone, nobody with two images, or values that are all equal.

    >>> intraclass_by_person([1, 1, 0, 0, 1, 1], list("aabbcc")), intraclass_by_person([1, 0, 1, 0], list("aabb"))
    (1.0, 0.0)
    """
    x = np.asarray(values, np.float64).ravel()
    own = np.unique(np.asarray(people).ravel(), return_inverse=True)[1].ravel()
    if len(own) != len(x):
        raise Refused(
            f"{len(own)} people for {len(x)} values",
            "each value is of one person",
            "give one name of a person for each value",
        )
    sizes = np.bincount(own)
    k, n = len(sizes), len(x)
    if k < 2 or n == k:
        raise Refused(
            f"{n} images of {k} people",
            "how alike a person's images are is told by several of several people",
            "give several images of several people, or leave the people out",
        )
    if np.ptp(x) == 0:
        raise Refused(f"{n} values that are all {x[0]:g}", "how alike a person's are is not known",
                      "take a correlation from elsewhere, or 1 to be safe")  # fmt: skip
    means = np.bincount(own, weights=x) / sizes
    between = float(np.sum(sizes * (means - x.mean()) ** 2)) / (k - 1)
    within = float(np.sum((x - means[own]) ** 2)) / (n - k)
    typical = (n - float(np.sum(sizes**2)) / n) / (k - 1)
    return max(0.0, (between - within) / (between + (typical - 1) * within))


def _absolute(icc: float, bms: float, jms: float, ems: float, n: int, k: int, half: float) -> tuple[float, float]:
    """McGraw & Wong's interval of ICC(2,1), with Satterthwaite's degrees of freedom."""
    from scipy import stats

    if ems == 0 and jms == 0:  # the limit of what follows
        return 1.0, 1.0
    a = k * icc / (n * (1 - icc))
    b = 1 + k * icc * (n - 1) / (n * (1 - icc))
    v = (a * jms + b * ems) ** 2 / ((a * jms) ** 2 / (k - 1) + (b * ems) ** 2 / ((n - 1) * (k - 1)))
    fl, fu = stats.f.ppf(1 - half, n - 1, v), stats.f.ppf(1 - half, v, n - 1)
    low = n * (bms - fl * ems) / (fl * (k * jms + (k * n - k - n) * ems) + n * bms)
    high = n * (fu * bms - ems) / (k * jms + (k * n - k - n) * ems + n * fu * bms)
    return low, high


@dataclass(frozen=True)
class Limits:
    """Bland & Altman's limits of agreement: mean difference, its interval, and where 95 % of differences lie."""

    bias: Estimate
    low: Estimate
    high: Estimate
    sd: float
    n: int


def limits_of_agreement(one: npt.ArrayLike, other: npt.ArrayLike, *, level: float = 0.95) -> Limits:
    """Limits of agreement of two methods on the same subjects (Bland & Altman 1986), each limit with its interval.

    Raises:
        Refused: for other lengths, fewer than three subjects, or numbers that are missing.

    >>> found = limits_of_agreement([10.0, 12.0, 14.0, 16.0], [9.0, 12.0, 13.0, 16.0])
    >>> round(found.bias.value, 3), round(found.sd, 4)
    (0.5, 0.5774)
    """
    from scipy import stats

    a, b = np.asarray(one, np.float64).ravel(), np.asarray(other, np.float64).ravel()
    if len(a) != len(b) or len(a) < 3 or not np.isfinite([a, b]).all():
        raise Refused(
            f"{len(a)} and {len(b)} measurements",
            "three pairs at least, none missing",
            "give both measurements of each subject",
        )
    d, n = a - b, len(a)
    bias, sd = float(d.mean()), float(d.std(ddof=1))
    t = float(stats.t.ppf(0.5 + level / 2, n - 1))
    z = _z(level)
    wide = t * sd * float(np.sqrt(1 / n + z * z / (2 * (n - 1))))

    def about(middle: float, half: float) -> Estimate:
        return Estimate(middle, middle - half, middle + half)

    return Limits(
        about(bias, t * sd / float(np.sqrt(n))), about(bias - z * sd, wide), about(bias + z * sd, wide), sd, n
    )


def smallest_detectable_change(first: npt.ArrayLike, second: npt.ArrayLike, *, level: float = 0.95) -> float:
    """Smallest change that is not measurement error: z·√2·SEM, from measurements repeated without change between.

    A difference below it in one patient says nothing. SEM is the within-subject standard deviation (QIBA: the
    repeatability coefficient is the same number).

    Raises:
        Refused: for other lengths or fewer than three subjects.

    >>> round(smallest_detectable_change([10.0, 20.0, 30.0], [11.0, 19.0, 30.0]), 3)
    1.6
    """
    a, b = np.asarray(first, np.float64).ravel(), np.asarray(second, np.float64).ravel()
    if len(a) != len(b) or len(a) < 3 or not np.isfinite([a, b]).all():
        raise Refused(
            f"{len(a)} and {len(b)} measurements",
            "three pairs at least, none missing",
            "give both measurements of each subject",
        )
    within = float(np.sqrt(np.mean((a - b) ** 2) / 2))
    return _z(level) * float(np.sqrt(2)) * within


def concordance(one: npt.ArrayLike, other: npt.ArrayLike) -> float:
    """Lin's concordance correlation coefficient: how near pairs lie to the line of identity.

    >>> concordance([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    1.0
    """
    a, b = np.asarray(one, np.float64).ravel(), np.asarray(other, np.float64).ravel()
    if len(a) != len(b) or len(a) < 2 or not np.isfinite([a, b]).all():
        raise Refused(
            f"{len(a)} and {len(b)} measurements",
            "two pairs at least, none missing",
            "give both measurements of each subject",
        )
    spread = float(a.var() + b.var() + (a.mean() - b.mean()) ** 2)
    if spread == 0:
        raise Refused("measurements that do not vary", "there is no line to lie near", "measure subjects that differ")
    return 2 * float(((a - a.mean()) * (b - b.mean())).mean()) / spread


def _z(level: float) -> float:
    from scipy.special import ndtri

    if not 0 < level < 1:
        raise Refused(f"an interval of {level}", "its level lies between 0 and 1", "give it so, as 0.95")
    return float(ndtri(0.5 + level / 2))
