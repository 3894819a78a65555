"""How much cases are worth of which several are of one patient: they resemble one another, and count for less.

Five films of each of sixty children are not three hundred children. An interval that takes them for that is too
narrow, and a test finds differences that are not there. Here the spread is that between patients: of what each of them
adds in all, so that nothing is assumed about how alike their images are.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods.intervals import Estimate, wilson

__all__ = ["apart", "mean", "mean_error", "owners", "share", "worth"]

Floats = npt.NDArray[np.float64]
Owners = npt.NDArray[np.int64]


def owners(people: npt.ArrayLike | None, n: int) -> Owners | None:
    """(n,) number of the patient of each case, 0 and on; None where nobody has two, or nobody is named.

    Raises:
        Refused: for another number of cases.

    >>> owners(["b", "a", "b"], 3).tolist(), owners(["b", "a", "c"], 3), owners(None, 3)
    ([1, 0, 1], None, None)
    """
    if people is None:
        return None
    given = np.asarray(people).ravel()
    if len(given) != n:
        raise Refused(
            f"{len(given)} patients for {n} cases",
            "each case belongs to one",
            "give one name of a patient for each case",
        )
    known, own = np.unique(given, return_inverse=True)
    return None if len(known) == n else own.ravel().astype(np.int64)


def mean_error(values: npt.ArrayLike, people: npt.ArrayLike) -> float:
    """Standard error of a mean over cases, from the sums of what each patient's cases deviate by (Rao, Scott 1992).

    >>> round(mean_error([1.0, 1.0, 0.0, 0.0], ["a", "a", "b", "b"]), 3)
    0.5
    """
    x = np.asarray(values, np.float64).ravel()
    own = np.unique(np.asarray(people).ravel(), return_inverse=True)[1].ravel()
    sums = np.bincount(own, weights=x - x.mean())
    k = len(sums)
    return float(np.sqrt(k / (k - 1) * np.sum(sums**2)) / len(x)) if k > 1 else float("nan")


def mean(
    values: npt.ArrayLike, people: npt.ArrayLike, *, least: float = 0.0, most: float = 1.0, level: float = 0.95
) -> Estimate:
    """A mean over cases with Student's interval of as many patients, between the bounds that values have; `n` counts
    the cases.

    Raises:
        Refused: cases of one patient alone, which tell nothing of others.

    >>> told = mean([0.9, 0.9, 0.7, 0.7, 0.8, 0.8], ["a", "a", "b", "b", "c", "c"])
    >>> round(told.value, 3), round(told.low, 3), told.high, told.n
    (0.8, 0.552, 1.0, 6)
    """
    from scipy.stats import t

    x = np.asarray(values, np.float64).ravel()
    k = len(np.unique(np.asarray(people).ravel()))
    if k < 2:
        raise Refused(f"{len(x)} cases of {k} patient{'s' * (k != 1)}", "how far patients differ is not known",
                      "give cases of several")  # fmt: skip
    half = float(t.ppf(0.5 + level / 2, k - 1)) * mean_error(x, people)
    return Estimate(float(x.mean()), max(least, float(x.mean()) - half), min(most, float(x.mean()) + half), len(x))


def worth(hits: npt.ArrayLike, people: npt.ArrayLike) -> float:
    """How many cases of as many patients tell as much of a share (Korn, Graubard, Survey Methodology 1998;24:193).

    At most the cases that there are; where all are alike nothing is known of how alike a patient's are, and each
    patient counts once.

    >>> worth([1, 1, 0, 0], ["a", "a", "b", "b"]) < 2, worth([1, 1, 1, 1], ["a", "a", "b", "b"])
    (True, 2.0)
    """
    from scipy.stats import t

    x = np.asarray(hits, np.float64).ravel()
    n, k, p = len(x), len(np.unique(np.asarray(people).ravel())), float(x.mean())
    if k < 2 or p in (0.0, 1.0):
        return float(k)
    spread = mean_error(x, people) ** 2
    if not spread > 0:
        return float(n)
    few = (t.ppf(0.975, n - 1) / t.ppf(0.975, k - 1)) ** 2
    return float(min(n, max(1.0, p * (1 - p) / spread * few)))


def share(hits: npt.ArrayLike, people: npt.ArrayLike | None = None, *, level: float = 0.95) -> Estimate:
    """A share with Wilson's interval, of the cases that those of shared patients are worth; `n` counts the cases.

    Raises:
        Refused: no case.

    >>> one, other = share([1, 1, 0, 0]), share([1, 1, 0, 0], ["a", "a", "b", "b"])
    >>> one.value == other.value, other.low < one.low
    (True, True)
    """
    x = np.asarray(hits, bool).ravel()
    own = owners(people, len(x))
    if own is None:
        return wilson(int(x.sum()), len(x), level)
    told = wilson(float(x.mean()) * (as_many := worth(x, own)), as_many, level)
    return Estimate(float(x.mean()), told.low, told.high, len(x))


def apart(values: npt.ArrayLike, groups: npt.ArrayLike, people: npt.ArrayLike) -> tuple[Floats, npt.NDArray[np.str_]]:
    """What each patient adds to a difference between groups, and the group: the units that can be drawn again.

    A patient's cases are added up as deviations from the mean of all; one who stands in several groups (two scanners)
    is a unit in each, which leaves a test on the safe side.

    >>> sums, of = apart([1.0, 1.0, 0.0, 0.0], ["x", "x", "x", "y"], ["a", "a", "b", "c"])
    >>> sums.tolist(), of.tolist()
    ([1.0, -0.5, -0.5], ['x', 'x', 'y'])
    """
    x, of = np.asarray(values, np.float64).ravel(), np.asarray(groups, np.str_).ravel()
    own = np.unique(np.asarray(people).ravel(), return_inverse=True)[1].ravel()
    kinds, kind = np.unique(of, return_inverse=True)
    units, unit = np.unique(own * len(kinds) + kind.ravel(), return_inverse=True)
    sums = np.asarray(np.bincount(unit.ravel(), weights=x - x.mean()), np.float64)
    return sums, kinds[units % len(kinds)]
