"""Whether a stated certainty is true: of cases called 80 % certain, four in five should have the disease."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused

__all__ = ["Scale", "brier", "expected_error", "fit_classes", "fit_scale", "reliability", "sigmoid"]


@dataclass(frozen=True)
class Scale:
    """Certainty = sigmoid(slope · logit + offset): Platt's, and temperature scaling (Guo 2017) without offset."""

    slope: float
    offset: float = 0.0

    def __call__(self, logits: npt.ArrayLike) -> npt.NDArray[np.float64]:
        return sigmoid(self.slope * np.asarray(logits, np.float64) + self.offset)


def sigmoid(x: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """1 / (1 + e^-x) without overflow."""
    from scipy.special import expit

    return np.asarray(expit(np.asarray(x, np.float64)))


def _checked(labels: npt.ArrayLike, certainty: npt.ArrayLike) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
    truth, stated = np.asarray(labels).ravel().astype(np.float64), np.asarray(certainty, np.float64).ravel()
    if len(truth) != len(stated) or not len(truth):
        raise Refused(f"{len(truth)} labels and {len(stated)} certainties", "every case needs both")
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


def reliability(labels: npt.ArrayLike, certainty: npt.ArrayLike, *, bins: int = 15) -> list[tuple[int, float, float]]:
    """For each filled bin of equal width: (cases, mean certainty, part that was true)."""
    truth, stated = _checked(labels, certainty)
    number = np.minimum((stated * bins).astype(int), bins - 1)
    return [
        (int(np.count_nonzero(number == b)), float(stated[number == b].mean()), float(truth[number == b].mean()))
        for b in range(bins)
        if (number == b).any()
    ]


def expected_error(labels: npt.ArrayLike, certainty: npt.ArrayLike, *, bins: int = 15) -> float:
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
        raise Refused("one class only", "a certainty cannot be learnt from it")
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
    labels: npt.ArrayLike, logits: npt.ArrayLike, *, weights: npt.ArrayLike | None = None
) -> tuple[float, npt.NDArray[np.float64]]:
    """Slope and one offset for each class, so that softmax(slope · logits + offsets) is true (maximum likelihood).

    Temperature scaling with the offsets of vector scaling (Guo 2017); for two classes it is Platt's scale.

    Args:
        labels: (n,) 0, 1, 2 … logits: (n, classes) of a model that was not trained on these cases.
        weights: of the cases.

    Raises:
        Refused: when a class has no case.
    """
    from scipy.optimize import minimize
    from scipy.special import log_softmax

    truth, score = np.asarray(labels, np.int64).ravel(), np.asarray(logits, np.float64)
    n, kinds = score.shape
    if len(np.unique(truth)) < kinds:
        raise Refused(f"{len(np.unique(truth))} of {kinds} classes", "a certainty cannot be learnt of a class unseen")
    weight = np.ones(n) if weights is None else np.asarray(weights, np.float64).ravel()
    weight = weight / weight.sum()
    target = np.eye(kinds)[truth]

    def loss(p: npt.NDArray[Any]) -> tuple[float, npt.NDArray[Any]]:
        slope = np.exp(p[0])
        said = log_softmax(slope * score + p[1:], axis=1)
        away = weight[:, None] * (np.exp(said) - target)
        value = -float(np.sum(weight * said[np.arange(n), truth])) + 1e-6 * float(np.sum(p[1:] ** 2))
        return value, np.r_[np.sum(away * score) * slope, away.sum(0) + 2e-6 * p[1:]]

    best = minimize(loss, np.zeros(1 + kinds), jac=True, method="L-BFGS-B", bounds=[(-6, 6)] + [(-20, 20)] * kinds)
    return float(np.exp(best.x[0])), np.asarray(best.x[1:] - best.x[1], np.float64)
