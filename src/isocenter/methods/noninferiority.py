"""Whether a new model is not worse than the old one by more than a margin, on the same cases.

A test that finds no difference shows nothing: too few cases find none. Non-inferiority is shown when the lower end of
the interval of *new minus old* lies above minus the margin, which was set before anybody looked (ICH E9, E10).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods.clusters import mean_error, owners, worth
from isocenter.methods.intervals import Estimate, wilson
from isocenter.methods.roc import components

__all__ = ["Gap", "apart", "areas", "means", "shares"]


@dataclass(frozen=True)
class Gap:
    """New minus old with its interval, from how many cases."""

    value: float
    low: float
    high: float
    n: int

    def holds(self, margin: float) -> bool:
        """Whether non-inferiority is shown.

        >>> Gap(-0.01, -0.015, 0.0, 900).holds(0.02), Gap(0.0, -0.05, 0.05, 40).holds(0.02)
        (True, False)
        """
        if margin < 0:
            raise Refused(f"a margin of {margin:g}", "how much worse may be accepted is not negative", "give 0 or more")
        return self.low > -margin or (self.low == self.high == 0.0)


def areas(
    labels: npt.ArrayLike, new: npt.ArrayLike, old: npt.ArrayLike, *, people: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> Gap:  # fmt: skip
    """Difference of two areas under the ROC curve of the same cases, with DeLong's covariance.

    Args:
        labels: (n,) 0 or 1. new, old: (n,) scores. level: of the two-sided interval.
        people: (n,) whose case it is; where they have several, the spread is that between people (Obuchowski 1997).

    Raises:
        Refused: as `roc.auc`.
    """
    (a10, a01), (b10, b01) = components(labels, new), components(labels, old)
    if min(len(a10), len(a01)) < 2:
        raise Refused(
            f"{len(a10)} diseased and {len(a01)} healthy cases",
            "one of a class has no spread",
            "give two cases of each class or more",
        )
    difference = float(a10.mean() - b10.mean())
    own, ill = owners(people, len(a10) + len(a01)), np.asarray(labels).ravel() == 1
    if own is not None:
        share = np.empty(len(ill))
        share[ill] = (a10 - b10 - difference) / len(a10)
        share[~ill] = (a01 - b01 - difference) / len(a01)
        sums = np.bincount(own, weights=share)
        half = _z(level) * float(np.sqrt(len(sums) / max(len(sums) - 1, 1) * np.sum(sums**2)))
        return Gap(difference, difference - half, difference + half, len(ill))
    error = np.sqrt((a10 - b10).var(ddof=1) / len(a10) + (a01 - b01).var(ddof=1) / len(a01))
    half = _z(level) * float(error)
    return Gap(difference, difference - half, difference + half, len(a10) + len(a01))


def shares(new: npt.ArrayLike, old: npt.ArrayLike, *, people: npt.ArrayLike | None = None, level: float = 0.95) -> Gap:
    """Difference of two shares of the same cases (such as what each model called rightly).

    Newcombe's hybrid of two Wilson intervals with the correlation of the pairs (Stat Med 1998;17:2635, method 10); it
    has a width also where both are right in every case, for few cases do not show that they always will be.

    Args:
        new, old: (n,) 0 or 1.
        people: (n,) whose case it is; who has several counts for the cases that theirs are worth.

    Raises:
        Refused: without cases, with unequal numbers, or for other values.

    >>> gap = shares([1, 1, 1, 0], [1, 1, 0, 0])
    >>> gap.value, gap.low < 0 < gap.high
    (0.25, True)
    """
    a, b = _pair(new, old)
    if not np.isin(np.r_[a, b], (0, 1)).all():
        raise Refused(
            "a share of values other than 0 and 1", "each case is right or it is not", "give 0 or 1 for each case"
        )
    n = len(a)
    both, mine = int((a * b).sum()), int((a * (1 - b)).sum())
    yours, none = int(((1 - a) * b).sum()), int(((1 - a) * (1 - b)).sum())
    own = owners(people, n)
    sizes = [n, n] if own is None else [worth(a, own), worth(b, own)]
    first, second = (
        wilson(k * size / n, size, level) for k, size in zip((both + mine, both + yours), sizes, strict=True)
    )
    spread = float(both + mine) * (yours + none) * (both + yours) * (mine + none)
    bond = float(both * none - mine * yours)
    bond = bond if bond < 0 else max(bond - n / 2, 0.0)
    phi = bond / np.sqrt(spread) if spread else 0.0

    def half(one: float, other: float) -> float:
        return float(np.sqrt(max(one**2 - 2 * phi * one * other + other**2, 0.0)))

    gap = (mine - yours) / n
    low = gap - half(first.value - first.low, second.high - second.value)
    high = gap + half(second.value - second.low, first.high - first.value)
    return Gap(gap, low, high, n)


def means(new: npt.ArrayLike, old: npt.ArrayLike, *, people: npt.ArrayLike | None = None, level: float = 0.95) -> Gap:
    """Difference of two means of the same cases (such as Dice), with Student's interval of the paired differences.

    Args:
        people: (n,) whose case it is; where they have several, the spread is that between people.

    Raises:
        Refused: fewer than two cases or people, unequal numbers, or values that are not finite.
    """
    from scipy.stats import t

    a, b = _pair(new, old)
    if len(a) < 2:
        raise Refused(f"{len(a)} cases", "a mean of one has no interval", "give two cases or more")
    away = a - b
    whose = np.arange(len(away)) if (own := owners(people, len(away))) is None else own
    if (count := len(np.unique(whose))) < 2:
        raise Refused("cases of one person", "a mean of one has no interval", "give cases of two people or more")
    half = float(t.ppf(0.5 + level / 2, count - 1)) * mean_error(away, whose)
    value = float(away.mean())
    return Gap(value, value - half, value + half, len(away))


def apart(new: Estimate, old: Estimate) -> Gap:
    """Difference of two figures of different cases, by their intervals (MOVER; Zou, Donner, Stat Med 2008;27:1693).

    >>> gap = apart(Estimate(0.90, 0.87, 0.92, 300), Estimate(0.90, 0.86, 0.94, 200))
    >>> gap.value, round(gap.low, 3), round(gap.high, 3)
    (0.0, -0.05, 0.045)
    """
    value = new.value - old.value
    low = value - float(np.hypot(new.value - new.low, old.high - old.value))
    return Gap(value, low, value + float(np.hypot(new.high - new.value, old.value - old.low)), new.n)


def _pair(new: npt.ArrayLike, old: npt.ArrayLike) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    a, b = np.asarray(new, np.float64).ravel(), np.asarray(old, np.float64).ravel()
    if len(a) != len(b) or not len(a):
        raise Refused(
            f"{len(a)} new and {len(b)} old answers", "each case needs both", "give both answers to each case"
        )
    if not np.isfinite(a).all() or not np.isfinite(b).all():
        raise Refused(
            "an answer that is not finite", "it cannot be compared", "leave the case out of both, or answer it again"
        )
    return a, b


def _z(level: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(0.5 + level / 2))
