"""Do readers do better with one way of reading than with another? Multi-reader multi-case analysis.

Every reader reads every case in every modality (with AI, without, …). The figure of merit of a reader and modality
(area under the ROC curve, wAFROC, …) varies because readers differ and because cases differ, and the two are told
apart by the covariances of the figures over cases. Obuchowski & Rockette (1995) with the corrections and degrees of
freedom of Hillis (2005, 2007); covariances by the jackknife over cases. What is computed and named is what OR-DBM
MRMC prints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods import roc

__all__ = ["Comparison", "Covariances", "Effect", "Generalise", "area_study", "compare", "covariances"]

Generalise = Literal["readers and cases", "cases", "readers"]
"""Whom the answer is about: ``"readers and cases"`` (both random), ``"cases"`` (these readers, other cases) or
``"readers"`` (other readers, these cases)."""


@dataclass(frozen=True)
class Covariances:
    """Error variance of one figure, and covariances: same reader (1), same modality (2), neither the same (3)."""

    error: float
    cov1: float
    cov2: float
    cov3: float


@dataclass(frozen=True)
class Effect:
    """A difference or mean with its standard error, degrees of freedom (infinite: a normal test), p and interval."""

    value: float
    error: float
    degrees: float
    p: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Comparison:
    """The whole analysis.

    Args:
        figures: (modalities, readers) figures of merit.
        means: (modalities,) their means over readers.
        mean_squares: of modalities (T), readers (R) and their interaction (TR).
        covariances: of the figures over cases.
        f, degrees, p: test that all modalities are equal; `degrees` of numerator and denominator. With readers fixed
            it is a chi-squared test and the denominator's is infinite.
        differences: (first, second) -> effect, for every pair of modalities.
        single: (modalities,) each modality's mean with its own interval.
    """

    figures: npt.NDArray[np.float64]
    means: npt.NDArray[np.float64]
    mean_squares: tuple[float, float, float]
    covariances: Covariances
    f: float
    degrees: tuple[float, float]
    p: float
    differences: dict[tuple[int, int], Effect]
    single: tuple[Effect, ...]


def area_study(truth: npt.ArrayLike, ratings: npt.ArrayLike) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Areas under the curves of a reader study, and the same with each case left out, as `compare` takes them.

    Args:
        truth: (cases,) 0 or 1.
        ratings: (modalities, readers, cases), higher means more likely diseased.

    Returns:
        (modalities, readers) areas, and (modalities, readers, cases) areas without each case.

    Raises:
        Refused: for one class only, or ratings that are not finite.
    """
    labels, scores = np.asarray(truth).ravel(), np.asarray(ratings, np.float64)
    if scores.ndim != 3 or scores.shape[2] != len(labels):
        raise Refused(
            f"ratings of shape {scores.shape} for {len(labels)} cases",
            "(modalities, readers, cases)",
            "give a rating of each case by each reader in each modality",
        )
    figures = np.array([[roc.auc(labels, one).value for one in of] for of in scores])
    order = np.concatenate([np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)])
    left = np.array([[roc.without_one(one[labels == 1], one[labels == 0]) for one in of] for of in scores])
    out = np.empty_like(left)
    out[..., order] = left
    return figures, out


def covariances(left_out: npt.ArrayLike) -> Covariances:
    """Jackknife covariances of figures of merit over cases.

    Args:
        left_out: (modalities, readers, cases) figures without each case.

    Raises:
        Refused: for one reader or one case, or a case whose absence gives no number.
    """
    left = np.asarray(left_out, np.float64)
    t, r, k = left.shape
    if r < 2 or k < 2 or not np.isfinite(left).all():
        raise Refused(
            f"{r} readers and {k} cases",
            "covariances between readers need two of each, all with a figure",
            "give two readers and two cases or more",
        )
    flat = left.reshape(t * r, k)
    away = flat - flat.mean(1, keepdims=True)
    matrix = (away @ away.T * ((k - 1) / k)).reshape(t, r, t, r)
    same_t, same_r = np.eye(t, dtype=bool)[:, None, :, None], np.eye(r, dtype=bool)[None, :, None, :]

    def mean(where: npt.NDArray[np.bool_]) -> float:
        chosen = matrix[np.broadcast_to(where, matrix.shape)]
        return float(chosen.mean()) if chosen.size else 0.0

    return Covariances(mean(same_t & same_r), mean(~same_t & same_r), mean(same_t & ~same_r), mean(~same_t & ~same_r))


def compare(
    figures: npt.ArrayLike,
    left_out: npt.ArrayLike,
    *,
    about: Generalise = "readers and cases",
    level: float = 0.95,
) -> Comparison:
    """Compare modalities by the Obuchowski-Rockette method.

    Args:
        figures: (modalities, readers) figures of merit.
        left_out: (modalities, readers, cases) the same with each case left out.
        about: whom the answer shall hold for.
        level: of the intervals.

    Raises:
        Refused: for fewer than two modalities or readers, shapes that do not fit, or figures that do not vary at all.
    """
    theta, left = np.asarray(figures, np.float64), np.asarray(left_out, np.float64)
    if theta.ndim != 2 or left.shape[:2] != theta.shape or min(theta.shape) < 2:
        raise Refused(
            f"figures of shape {theta.shape} with {left.shape}",
            "two modalities and two readers at least, each figure also without each case",
            "give figures of every reader in every modality",
        )
    if about not in ("readers and cases", "cases", "readers"):
        raise Refused(f"about='{about}'", "it is 'readers and cases', 'cases' or 'readers'", "name one of these")
    t, r = theta.shape
    means = theta.mean(1)
    grand, by_reader = theta.mean(), theta.mean(0)
    ms_t = float(r * ((means - grand) ** 2).sum() / (t - 1))
    ms_r = float(t * ((by_reader - grand) ** 2).sum() / (r - 1))
    ms_tr = float(((theta - means[:, None] - by_reader + grand) ** 2).sum() / ((t - 1) * (r - 1)))
    cov = covariances(left)
    test = _tested(about, t, r, ms_t, ms_tr, cov)
    differences = {
        (i, j): _effect(means[i] - means[j], np.sqrt(2 / r * test.spread), test.df2, level)
        for i in range(t)
        for j in range(i + 1, t)
    }
    single = tuple(_alone(theta[i], left[i : i + 1], means[i], about, level) for i in range(t))
    return Comparison(
        theta, means, (ms_t, ms_r, ms_tr), cov, test.f, (float(t - 1), test.df2), test.p, differences, single
    )


@dataclass(frozen=True)
class _Test:
    f: float
    p: float
    df2: float
    spread: float  # variance of a difference of two means is 2/r of it


def _tested(about: Generalise, t: int, r: int, ms_t: float, ms_tr: float, cov: Covariances) -> _Test:
    from scipy import stats

    if about == "cases":
        spread = cov.error - cov.cov1 + (r - 1) * max(cov.cov2 - cov.cov3, 0.0)
        _must_vary(spread)
        chi2 = (t - 1) * ms_t / spread
        return _Test(chi2 / (t - 1), float(stats.chi2.sf(chi2, t - 1)), float("inf"), spread)
    spread = ms_tr + (r * max(cov.cov2 - cov.cov3, 0.0) if about == "readers and cases" else 0.0)
    _must_vary(spread)
    df2 = spread**2 / (ms_tr**2 / ((t - 1) * (r - 1))) if ms_tr > 0 else float("inf")
    f = ms_t / spread
    return _Test(f, float(stats.f.sf(f, t - 1, df2)), float(df2), spread)


def _must_vary(spread: float) -> None:
    if not spread > 0:
        raise Refused(
            "figures that do not vary",
            "there is no error to compare the difference with",
            "give readers or cases that differ",
        )


def _alone(theta: npt.NDArray[Any], left: npt.NDArray[Any], mean: float, about: Generalise, level: float) -> Effect:
    """One modality's mean over readers, from its own figures only."""
    r = len(theta)
    ms_r = float(theta.var(ddof=1))
    cov = covariances(left)
    if about == "cases":
        return _effect(mean, np.sqrt((cov.error + (r - 1) * max(cov.cov2, 0.0)) / r), float("inf"), level)
    spread = ms_r + (r * max(cov.cov2, 0.0) if about == "readers and cases" else 0.0)
    degrees = spread**2 / (ms_r**2 / (r - 1)) if ms_r > 0 else float("inf")
    return _effect(mean, np.sqrt(spread / r), degrees, level)


def _effect(value: float, error: float, degrees: float, level: float) -> Effect:
    from scipy import stats

    of = stats.norm if np.isinf(degrees) else stats.t(degrees)
    half = float(of.ppf(0.5 + level / 2)) * float(error)
    p = float(2 * of.sf(abs(value) / error)) if error > 0 else float("nan")
    return Effect(float(value), float(error), float(degrees), p, float(value) - half, float(value) + half)
