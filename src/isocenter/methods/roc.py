"""How well a score separates two classes: area under the ROC curve with its interval, and operating points.

The area is the chance that a random diseased case scores higher than a random healthy one, ties counting one half
(Mann-Whitney). Its variance is DeLong's (DeLong 1988), computed by mid-ranks in O(n log n) (Sun & Xu 2014).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods.clusters import owners

__all__ = [
    "Area",
    "Point",
    "auc",
    "compare",
    "components",
    "of_findings",
    "one_against_rest",
    "operating_point",
    "threshold_for",
    "wilson",
    "without_one",
]


@dataclass(frozen=True)
class Area:
    """Area under the curve with its standard error and interval."""

    value: float
    error: float
    low: float
    high: float


@dataclass(frozen=True)
class Point:
    """What a threshold means: counts, and the four rates with 95 % Wilson intervals as (value, low, high)."""

    threshold: float
    true_positive: int
    false_positive: int
    true_negative: int
    false_negative: int

    @property
    def sensitivity(self) -> tuple[float, float, float]:
        """Part of the diseased that is called."""
        return _rate(self.true_positive, self.true_positive + self.false_negative)

    @property
    def specificity(self) -> tuple[float, float, float]:
        """Part of the healthy that is not called."""
        return _rate(self.true_negative, self.true_negative + self.false_positive)

    @property
    def accuracy(self) -> tuple[float, float, float]:
        """Part of all that is right."""
        right = self.true_positive + self.true_negative
        return _rate(right, right + self.false_positive + self.false_negative)


def _rate(hits: int, of: int) -> tuple[float, float, float]:
    low, high = wilson(hits, of)
    return hits / of, low, high


def wilson(hits: int, of: int, *, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion; it never leaves 0 … 1.

    Raises:
        Refused: when there are no cases, or more hits than cases.

    >>> low, high = wilson(81, 263)
    >>> round(low, 4), round(high, 4)
    (0.2553, 0.3662)
    """
    if of < 1 or not 0 <= hits <= of:
        raise Refused(
            f"{hits} of {of}",
            "a proportion needs cases, and no more hits than cases",
            "give no more hits than cases, one at least",
        )
    z = _normal_quantile(0.5 + level / 2)
    p, n = hits / of, float(of)
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)))
    return max(0.0, middle - half), min(1.0, middle + half)


def _normal_quantile(p: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(p))


def _split(labels: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    truth, score = np.asarray(labels).ravel(), np.asarray(scores, np.float64).ravel()
    if len(truth) != len(score):
        raise Refused(
            f"{len(truth)} labels and {len(score)} scores", "every case needs both", "give a score for each label"
        )
    if not np.isfinite(score).all():
        raise Refused(
            "a score that is not finite", "cases cannot be put in order", "leave the case out, or give its score"
        )
    ill = truth == 1
    if not (ill | (truth == 0)).all():
        raise Refused(
            f"labels {np.unique(truth).tolist()[:5]}", "labels are 0 (healthy) and 1 (diseased)", "give 0 and 1"
        )
    diseased, healthy = score[ill], score[~ill]
    if not len(diseased) or not len(healthy):
        raise Refused("one class only", "a curve needs diseased and healthy cases", "give cases of both")
    return diseased, healthy


def _placements(diseased: npt.NDArray[Any], healthy: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """DeLong's components: for each diseased case the part of the healthy below it, and for each healthy the part of
    the diseased above it, ties one half."""
    one, other = np.argsort(diseased), np.argsort(healthy)
    v10, v01 = np.empty(len(one)), np.empty(len(other))
    v10[one], v01[other] = _placed(diseased[one], healthy[other])
    return v10, v01


def _placed(diseased: npt.NDArray[Any], healthy: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The same of sorted scores, in their order: two searches for each instead of three rankings."""
    below = np.searchsorted(healthy, diseased) + np.searchsorted(healthy, diseased, "right")
    above = np.searchsorted(diseased, healthy) + np.searchsorted(diseased, healthy, "right")
    return below / (2.0 * len(healthy)), 1 - above / (2.0 * len(diseased))


def components(labels: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """DeLong's components: what each diseased case, and each healthy one, adds to the area; both have it as their mean.

    Raises:
        Refused: as `auc`.

    >>> [v.tolist() for v in components([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])]
    [[0.5, 1.0], [1.0, 0.5]]
    """
    return _placements(*_split(labels, scores))


def auc(
    labels: npt.ArrayLike, scores: npt.ArrayLike, *, people: npt.ArrayLike | None = None, level: float = 0.95
) -> Area:
    """Area under the curve with DeLong's interval, taken on the logit scale so that it stays within 0 … 1.

    Where all cases are in order, or a class has one case only, DeLong's variance is nothing and says nothing; the
    interval is then that of areas whose own standard error (Hanley & McNeil 1982) reaches this one (Newcombe, Stat Med
    2006;25:559, method 5): two cases in order are no proof.

    Args:
        labels: (n,) 0 or 1. scores: (n,) higher means more likely diseased.
        people: (n,) whose case it is; where somebody has several, the variance is that between people (Obuchowski,
            Biometrics 1997;53:567).
        level: of the interval.

    Raises:
        Refused: for one class only, scores that are not finite, or labels other than 0 and 1.

    >>> round(auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).value, 4)
    0.75
    """
    diseased, healthy = _split(labels, scores)
    if (own := owners(people, len(diseased) + len(healthy))) is not None:
        ill, score = np.asarray(labels).ravel() == 1, np.asarray(scores, np.float64).ravel()
        return _mean_area([_Question(np.arange(len(ill)), ill, score)], len(ill), level, own)
    v10, v01 = _placed(np.sort(diseased), np.sort(healthy))
    value = float(v10.mean())
    spread10 = float(v10.var(ddof=1)) if len(v10) > 1 else 0.0
    spread01 = float(v01.var(ddof=1)) if len(v01) > 1 else 0.0
    return _area(value, float(np.sqrt(spread10 / len(v10) + spread01 / len(v01))), level, len(v10), len(v01))


def _area(value: float, error: float, level: float, m: int, n: int) -> Area:
    """With its interval; m and n are the numbers of cases in the two classes."""
    if value in (0.0, 1.0) or min(m, n) < 2:
        return Area(value, error, *_reached(value, m, n, level))
    if error == 0.0:  # every case has the same score: half by definition, not by chance
        return Area(value, error, value, value)
    z = _normal_quantile(0.5 + level / 2)
    logit, half = float(np.log(value / (1 - value))), z * error / (value * (1 - value))
    return Area(value, error, float(1 / (1 + np.exp(half - logit))), float(1 / (1 + np.exp(-half - logit))))


def _reached(value: float, m: int, n: int, level: float) -> tuple[float, float]:
    """Areas between which `value` lies within so many of their own standard errors."""
    from scipy.optimize import brentq

    z, more = _normal_quantile(0.5 + level / 2), (m + n) / 2 - 1

    def short(area: float) -> float:
        wider = 1 + more * ((1 - area) / (2 - area) + area / (1 + area))
        return (value - area) ** 2 - z**2 * area * (1 - area) * wider / (m * n)

    low = 0.0 if value == 0.0 else float(brentq(short, 0.0, value - 1e-12))
    high = 1.0 if value == 1.0 else float(brentq(short, value + 1e-12, 1.0))
    return low, high


def one_against_rest(
    labels: npt.ArrayLike, chances: npt.ArrayLike, *, people: npt.ArrayLike | None = None, level: float = 0.95
) -> Area:
    """Mean over the classes of the area of each class against all others, as MedMNIST reports it for many classes.

    Args:
        labels: (n,) 0, 1, 2 … chances: (n, classes) higher means more likely of that class.
        people: (n,) whose case it is; see `auc`.
        level: of the interval; the variance is that of the mean of DeLong's components, in which every case stands once
            for each class, so that the areas of the classes may hang together.

    A class without cases has no area, and is left out of the mean.

    Raises:
        Refused: for one class only, a label without a column, or chances that are not finite.

    >>> round(one_against_rest([0, 1, 2], [[0.8, 0.1, 0.1], [0.1, 0.2, 0.7], [0.2, 0.1, 0.7]]).value, 4)
    0.9167
    """
    truth, said = np.asarray(labels).ravel(), np.asarray(chances, np.float64)
    if said.ndim != 2 or len(said) != len(truth):
        raise Refused(
            f"{len(truth)} labels and chances of shape {said.shape}",
            "every case needs a chance of each class",
            "give a chance of each class for each case",
        )
    present = np.unique(truth)
    if len(present) < 2:
        raise Refused(
            "one class only", "a curve needs cases of two classes at least", "give cases of two classes or more"
        )
    if present.min() < 0 or present.max() >= said.shape[1]:
        raise Refused(
            f"labels {present.tolist()}",
            f"there are chances of the classes 0 to {said.shape[1] - 1}",
            "give labels of these classes",
        )
    each = [_Question(np.arange(len(truth)), truth == kind, said[:, int(kind)]) for kind in present]
    return _mean_area(each, len(truth), level, owners(people, len(truth)))


def of_findings(
    truth: npt.ArrayLike, chances: npt.ArrayLike, *, people: npt.ArrayLike | None = None, level: float = 0.95,
    known: npt.ArrayLike | None = None,
) -> Area:  # fmt: skip
    """Mean over findings, of which a case may show any number, of the area of each.

    Args:
        truth: (n, findings) whether a case shows it. chances: (n, findings) higher means more likely.
        people: (n,) whose case it is; see `auc`.
        level: of the interval; as in `one_against_rest`, the areas may hang together.
        known: (n, findings) whether it is known; a case counts for the findings of which it is. None: for all.

    A finding that all cases show, or none, has no area, and is left out of the mean.

    Raises:
        Refused: no finding has an area, shapes that differ, or chances that are not finite.

    >>> of_findings([[1, 0], [0, 0], [1, 0], [0, 0]], [[0.9, 0.1], [0.2, 0.3], [0.1, 0.2], [0.05, 0.2]]).value
    0.75
    """
    shown, said = np.asarray(truth).astype(bool), np.asarray(chances, np.float64)
    if shown.ndim != 2 or shown.shape != said.shape:
        raise Refused(
            f"truth of shape {shown.shape}, chances of shape {said.shape}",
            "each case has one per finding",
            "give a truth and a chance for each finding of each case",
        )
    sure = np.ones(shown.shape, bool) if known is None else np.asarray(known).astype(bool)
    told = [
        _Question(np.flatnonzero(own), there[own], chance[own])
        for own, there, chance in zip(sure.T, shown.T, said.T, strict=True)
        if 0 < there[own].sum() < own.sum()
    ]
    if not told:
        raise Refused(
            "no finding that some cases show and others do not",
            "a curve needs both",
            "give cases with and without one of them",
        )
    return _mean_area(told, len(shown), level, owners(people, len(shown)))


class _Question(NamedTuple):
    """Which cases are asked, which of them have it, and the score of each."""

    cases: npt.NDArray[np.int64]
    ill: npt.NDArray[np.bool_]
    score: npt.NDArray[np.float64]


def _mean_area(
    each: Sequence[_Question], n: int, level: float, own: npt.NDArray[np.int64] | None = None
) -> Area:  # fmt: skip
    """Mean of the areas of several questions to `n` cases; `own` is whose they are, where people have several."""
    areas, share = [], np.zeros(n)
    for one in each:
        v10, v01 = _placements(*_split(one.ill.astype(int), one.score))
        areas.append(float(v10.mean()))
        share[one.cases[one.ill]] += (v10 - areas[-1]) / len(v10)
        share[one.cases[~one.ill]] += (v01 - areas[-1]) / len(v01)
    value = float(np.mean(areas))
    if own is None:
        rarest = min(each, key=lambda one: int(np.count_nonzero(one.ill)))
        fewest = int(np.count_nonzero(rarest.ill))
        error = float(np.sqrt(np.sum(share**2))) / len(each)
        return _area(value, error, level, fewest, len(rarest.ill) - fewest)
    sums = np.bincount(own, weights=share)
    error = float(np.sqrt(len(sums) / max(len(sums) - 1, 1) * np.sum(sums**2))) / len(each)
    sick, well = ([len(np.unique(own[one.cases[one.ill == kind]])) for one in each] for kind in (True, False))
    return _area(value, error, level, min(sick), min(well))


def compare(labels: npt.ArrayLike, one: npt.ArrayLike, other: npt.ArrayLike) -> tuple[float, float, float]:
    """DeLong's paired test of two scores of the same cases: (difference of the areas, Z, two-sided p).

    Raises:
        Refused: as `auc`; also with one case of a class, which has no spread; when the two scores order the cases alike
            and there is nothing to compare; or when every case tells them apart alike, which leaves no spread either.
    """
    from scipy.special import ndtr

    a10, a01 = _placements(*_split(labels, one))
    b10, b01 = _placements(*_split(labels, other))
    if min(len(a10), len(a01)) < 2:
        raise Refused(
            f"{len(a10)} diseased and {len(a01)} healthy cases",
            "one of a class has no spread",
            "give two cases of each class or more",
        )
    difference = float(a10.mean() - b10.mean())
    variance = float((a10 - b10).var(ddof=1)) / len(a10) + float((a01 - b01).var(ddof=1)) / len(a01)
    if variance <= 0 and difference:
        raise Refused(f"areas {abs(difference):g} apart in every case alike", "there is no spread to hold that against",
                      "compare them on more cases")  # fmt: skip
    if variance <= 0:
        raise Refused("two scores that order the cases alike", "their areas cannot differ", "compare other scores")
    z = difference / float(np.sqrt(variance))
    return difference, z, float(2 * ndtr(-abs(z)))


def without_one(diseased: npt.ArrayLike, healthy: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Areas with each case left out in turn, healthy cases first: what a jackknife over cases needs.

    Args:
        diseased: (m,) scores, m at least 2; minus infinity is a rating below all others.
        healthy: (n,) scores, n at least 2.

    >>> without_one([2.0, 3.0], [1.0, 2.5]).tolist()
    [0.5, 1.0, 1.0, 0.5]
    """
    one, other = np.asarray(diseased, np.float64), np.asarray(healthy, np.float64)
    m, n = len(one), len(other)
    if min(m, n) < 2:
        raise Refused(
            f"{m} diseased and {n} healthy cases",
            "leaving one out leaves none of a class",
            "give two cases of each class or more",
        )
    v10, v01 = _placements(one, other)
    area = float(v10.mean())
    return np.concatenate([(n * area - v01) / (n - 1), (m * area - v10) / (m - 1)])


def operating_point(labels: npt.ArrayLike, scores: npt.ArrayLike, threshold: float) -> Point:
    """The four counts when scores at or above the threshold are called.

    >>> operating_point([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], 0.35).sensitivity[0]
    1.0
    """
    diseased, healthy = _split(labels, scores)
    tp, fp = int(np.count_nonzero(diseased >= threshold)), int(np.count_nonzero(healthy >= threshold))
    return Point(float(threshold), tp, fp, len(healthy) - fp, len(diseased) - tp)


def threshold_for(labels: npt.ArrayLike, scores: npt.ArrayLike, *, sensitivity: float) -> float:
    """Highest threshold at which at least this part of the diseased is still called.

    Choose it on validation cases, never on those that the figures are reported for.

    >>> threshold_for([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], sensitivity=0.5)
    0.8
    """
    diseased, _ = _split(labels, scores)
    wanted = int(np.ceil(sensitivity * len(diseased) - 1e-9))
    if not 1 <= wanted <= len(diseased):
        raise Refused(f"sensitivity {sensitivity}", "it must lie above 0 and not above 1", "give such a number, as 0.9")
    return float(np.sort(diseased)[::-1][wanted - 1])
