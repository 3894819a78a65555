"""Whether a stated certainty is true: of cases called 80 % certain, four in five should have the disease."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods.clusters import Owners, owners

__all__ = [
    "BINS", "Line", "Scale", "Steps", "brier", "expected_error", "fit_classes", "fit_isotonic", "fit_scale", "line",
    "reliability", "sigmoid",
]  # fmt: skip

BINS = 15
"""Bins of equal width into which stated certainties are sorted."""


@dataclass(frozen=True)
class Scale:
    """Certainty = sigmoid(slope · logit + offset): Platt's, and temperature scaling (Guo 2017) without offset."""

    slope: float
    offset: float = 0.0

    def __call__(self, logits: npt.ArrayLike) -> npt.NDArray[np.float64]:
        return sigmoid(self.slope * np.asarray(logits, np.float64) + self.offset)


@dataclass(frozen=True)
class Line:
    """How stated certainties lie to the truth on the logit scale, each as (value, low, high) with 95 %.

    Args:
        slope: 1 is right; below 1 the model is too sure.
        intercept: of the line with its own slope. in_the_large: with slope 1; above 0 too little is stated overall.
        n, events: cases, and those that were true.
    """

    slope: tuple[float, float, float]
    intercept: tuple[float, float, float]
    in_the_large: tuple[float, float, float]
    n: int
    events: int


@dataclass(frozen=True, eq=False)
class Steps:
    """Certainty as a function of a score that only rises: values at knots, lines between them, level outside."""

    knots: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64]

    def __call__(self, scores: npt.ArrayLike) -> npt.NDArray[np.float64]:
        return np.asarray(np.interp(np.asarray(scores, np.float64), self.knots, self.values), np.float64)


def sigmoid(x: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """1 / (1 + e^-x) without overflow."""
    from scipy.special import expit

    return np.asarray(expit(np.asarray(x, np.float64)))


def _checked(labels: npt.ArrayLike, certainty: npt.ArrayLike) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
    truth, stated = np.asarray(labels).ravel().astype(np.float64), np.asarray(certainty, np.float64).ravel()
    if len(truth) != len(stated) or not len(truth):
        raise Refused(
            f"{len(truth)} labels and {len(stated)} certainties",
            "every case needs both",
            "give a certainty for each label",
        )
    if not np.isin(truth, (0, 1)).all():
        raise Refused(f"a label {truth[~np.isin(truth, (0, 1))][0]:g}", "of a certainty something is true or not",
                      "give 0 and 1")  # fmt: skip
    if not np.isfinite(stated).all() or stated.min() < 0 or stated.max() > 1:
        raise Refused("a certainty outside 0 … 1", "it is not a probability", "calibrate the score first")
    return truth, stated


def brier(labels: npt.ArrayLike, certainty: npt.ArrayLike) -> float:
    """Mean squared distance between certainty and what was true; 0 is perfect, 0.25 is a coin.

    >>> brier([0, 1], [0.0, 0.5])
    0.125
    """
    truth, stated = _checked(labels, certainty)
    return float(np.mean((stated - truth) ** 2))


def reliability(labels: npt.ArrayLike, certainty: npt.ArrayLike, *, bins: int = BINS) -> list[tuple[int, float, float]]:
    """For each filled bin of equal width: (cases, mean certainty, part that was true)."""
    truth, stated = _checked(labels, certainty)
    number = np.minimum((stated * bins).astype(int), bins - 1)
    return [
        (int(np.count_nonzero(number == b)), float(stated[number == b].mean()), float(truth[number == b].mean()))
        for b in range(bins)
        if (number == b).any()
    ]


def expected_error(labels: npt.ArrayLike, certainty: npt.ArrayLike, *, bins: int = BINS) -> float:
    """Expected calibration error: mean distance between certainty and truth over bins, by their cases.

    >>> expected_error([0, 1, 1, 1], [0.75, 0.75, 0.75, 0.75])
    0.0
    """
    table = reliability(labels, certainty, bins=bins)
    total = sum(n for n, _, _ in table)
    return sum(n / total * abs(stated - true) for n, stated, true in table)


def fit_scale(
    labels: npt.ArrayLike, logits: npt.ArrayLike, *, weights: npt.ArrayLike | None = None, offset: bool = True
) -> Scale:
    """The scale that makes the certainties of these cases most likely (maximum likelihood).

    Args:
        labels: (n,) 0 or 1. logits: (n,) scores of a model that was not trained on these cases.
        weights: of the cases, such as those that give the classes another share.
        offset: False for temperature scaling alone.

    Raises:
        Refused: for one class only.
    """
    from scipy.optimize import minimize

    truth, score = np.asarray(labels, np.float64).ravel(), np.asarray(logits, np.float64).ravel()
    if len(np.unique(truth)) < 2:
        raise Refused("one class only", "a certainty cannot be learnt from it", "give cases of both classes")
    weight = np.ones_like(truth) if weights is None else np.asarray(weights, np.float64).ravel()
    weight = weight / weight.sum()

    def loss(p: npt.NDArray[Any]) -> tuple[float, npt.NDArray[Any]]:
        slope = np.exp(p[0])
        z = slope * score + (p[1] if offset else 0.0)
        value = float(np.sum(weight * (np.logaddexp(0, z) - truth * z)))
        away = weight * (sigmoid(z) - truth)
        return value, np.array([np.sum(away * score) * slope, np.sum(away) if offset else 0.0])

    best = minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B", bounds=[(-6, 6), (-20, 20)])
    return Scale(float(np.exp(best.x[0])), float(best.x[1]) if offset else 0.0)


def fit_classes(
    labels: npt.ArrayLike, logits: npt.ArrayLike, *, weights: npt.ArrayLike | None = None, cautious: bool = False
) -> tuple[float, npt.NDArray[np.float64]]:
    """Slope and one offset for each class, so that softmax(slope · logits + offsets) is true (maximum likelihood).

    Temperature scaling with the offsets of vector scaling (Guo 2017); for two classes it is Platt's scale.

    Args:
        labels: (n,) 0, 1, 2 … logits: (n, classes) of a model that was not trained on these cases.
        weights: of the cases.
        cautious: as if each case counted a little for every class (Platt 1999): one more of each in all. For classes
            that are told apart without an error, where the likelihood is largest at infinity.

    Raises:
        Refused: when a class has no case.
    """
    from scipy.optimize import minimize
    from scipy.special import log_softmax

    truth, score = np.asarray(labels, np.int64).ravel(), np.asarray(logits, np.float64)
    n, kinds = score.shape
    if len(np.unique(truth)) < kinds:
        raise Refused(
            f"{len(np.unique(truth))} of {kinds} classes",
            "a certainty cannot be learnt of a class unseen",
            "give cases of every class",
        )
    weight = np.ones(n) if weights is None else np.asarray(weights, np.float64).ravel()
    weight = weight / weight.sum()
    target = np.eye(kinds)[truth]
    if cautious:
        target = (n * target + 1) / (n + kinds)

    def loss(p: npt.NDArray[Any]) -> tuple[float, npt.NDArray[Any]]:
        slope = np.exp(p[0])
        said = log_softmax(slope * score + p[1:], axis=1)
        away = weight[:, None] * (np.exp(said) - target)
        value = -float(np.sum(weight[:, None] * target * said)) + 1e-6 * float(np.sum(p[1:] ** 2))
        return value, np.r_[np.sum(away * score) * slope, away.sum(0) + 2e-6 * p[1:]]

    best = minimize(loss, np.zeros(1 + kinds), jac=True, method="L-BFGS-B", bounds=[(-6, 6)] + [(-20, 20)] * kinds)
    return float(np.exp(best.x[0])), np.asarray(best.x[1:] - best.x[1], np.float64)


def line(labels: npt.ArrayLike, certainty: npt.ArrayLike, *, people: npt.ArrayLike | None = None) -> Line:
    """Slope and intercept of the truth on the logit of the certainty, by logistic regression (Cox 1958).

    Certainties of 0 and 1 are taken as 1e-7 from them. Intervals are Wald's; where patients have several cases, of the
    spread between patients (Liang & Zeger 1986), with Student's number of as many.

    Args:
        people: (n,) whose case it is; each is of somebody else when None.

    Raises:
        Refused: one class only; certainties outside 0 … 1, all alike, or that tell the classes apart without a fault,
            for then no finite slope exists; several cases of one patient alone.
    """
    from scipy.stats import t

    truth, stated = _checked(labels, certainty)
    if len(np.unique(truth)) < 2 or len(np.unique(stated)) < 2:
        raise Refused(
            "one class only, or one certainty for all",
            "no line can be laid through it",
            "give cases of both classes with certainties that differ",
        )
    clipped = np.clip(stated, 1e-7, 1 - 1e-7)
    with_it, without = clipped[truth == 1], clipped[truth == 0]
    # Ties where they meet change nothing: the likelihood still rises without end.
    if with_it.min() >= without.max() or with_it.max() <= without.min():
        raise Refused(
            "certainties that tell the classes apart without a fault",
            "the slope has no finite value",
            "give more cases, among them some that are hard",
        )
    x = np.log(clipped) - np.log1p(-clipped)
    whose = owners(people, len(x))
    if whose is not None and whose.max() < 1:
        raise Refused(
            f"{len(x)} cases of one patient", "how far patients differ is not known", "give cases of several patients"
        )
    ones = np.ones((len(x), 1))
    both, spread = _newton(np.column_stack([ones, x]), truth, np.zeros_like(x), np.array([0.0, 1.0]), whose)
    large, own = _newton(ones, truth, x, np.zeros(1), whose)
    wide = 1.959963984540054 if whose is None else float(t.ppf(0.975, whose.max()))
    return Line(
        _wald(both[1], spread[1, 1], wide), _wald(both[0], spread[0, 0], wide), _wald(large[0], own[0, 0], wide),
        len(x), int(truth.sum()),
    )  # fmt: skip


_LEAP = 4.0  # logits that one step may move any case by


def _newton(
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    given: npt.NDArray[np.float64],
    start: npt.NDArray[np.float64],
    whose: Owners | None,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Maximum likelihood of a logistic line with a fixed part, and the covariance of its coefficients."""

    def lost(at: npt.NDArray[np.float64]) -> float:
        z = x @ at + given
        return float(np.sum(np.logaddexp(0, z) - y * z))

    beta = start
    for _ in range(100):
        p = sigmoid(x @ beta + given)
        step = np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + 1e-12 * np.eye(x.shape[1]), x.T @ (y - p))
        # Far out the likelihood is nearly flat, and a whole step would leap to where it is flat altogether.
        step *= min(1.0, _LEAP / max(float(np.abs(x @ step).max()), 1e-300))
        scale = 1.0
        while lost(beta + scale * step) > lost(beta) + 1e-12 and scale > 1e-6:
            scale /= 2
        beta = beta + scale * step
        if np.abs(step).max() < 1e-10:
            break
    p = sigmoid(x @ beta + given)
    inverse = np.asarray(np.linalg.inv((x * (p * (1 - p))[:, None]).T @ x), np.float64)
    if whose is None:
        return beta, inverse
    k, (n, m) = int(whose.max()) + 1, x.shape
    scores = np.zeros((k, m))
    np.add.at(scores, whose, x * (y - p)[:, None])
    return beta, inverse @ scores.T @ scores @ inverse * (k / (k - 1) * (n - 1) / (n - m))


def _wald(value: float, variance: float, wide: float) -> tuple[float, float, float]:
    half = wide * float(np.sqrt(variance))
    return float(value), float(value - half), float(value + half)


def fit_isotonic(labels: npt.ArrayLike, scores: npt.ArrayLike) -> Steps:
    """The rising certainty nearest to the truth in squares: pooling of neighbours that fall (Ayer 1955).

    It needs many cases, and keeps the order of the scores but for ties that it makes.

    Raises:
        Refused: one class only, or scores that are not finite.

    >>> fit_isotonic([0, 1, 0, 1], [1.0, 2.0, 3.0, 4.0])([0.0, 2.5, 9.0]).tolist()
    [0.0, 0.5, 1.0]
    """
    from scipy.optimize import isotonic_regression

    truth, score = np.asarray(labels, np.float64).ravel(), np.asarray(scores, np.float64).ravel()
    if len(truth) != len(score) or len(np.unique(truth)) < 2 or not np.isfinite(score).all():
        raise Refused(
            f"{len(truth)} labels and {len(score)} scores",
            "both classes and finite scores are wanted",
            "give a finite score for each label, of both classes",
        )
    places, of = np.unique(score, return_inverse=True)
    counts = np.bincount(of).astype(np.float64)
    risen = isotonic_regression(np.bincount(of, weights=truth) / counts, weights=counts).x
    ends = np.flatnonzero(np.diff(risen) != 0)
    kept = np.unique(np.concatenate([[0], ends, ends + 1, [len(places) - 1]]))
    return Steps(places[kept], np.asarray(risen[kept], np.float64))
