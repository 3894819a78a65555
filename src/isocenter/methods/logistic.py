"""A small head on embeddings: logistic regression with a ridge, fitted by Newton's steps to the one optimum it has.

It serves where examples are few: a new class from 5, 10 or 20 of them, or a second opinion on labels, each case
answered by a head that did not see its person. Classes weigh the same, whatever their numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from isocenter.errors import Refused

__all__ = ["Head", "fit_head", "unseen"]


@dataclass(frozen=True, eq=False)
class Head:
    """Certainty of a class from an embedding: σ((x − centre) / spread · weights + offset)."""

    centre: npt.NDArray[np.float64]
    spread: float
    weights: npt.NDArray[np.float64]
    offset: float

    def logit(self, x: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """(n,) of (n, d) embeddings."""
        flat = (np.asarray(x, np.float64) - self.centre) / self.spread
        return np.asarray(flat @ self.weights + self.offset, np.float64)

    def certainty(self, x: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """(n,) in 0 … 1, calibrated where both classes are as frequent."""
        return np.asarray(expit(self.logit(x)), np.float64)


def fit_head(
    x: npt.ArrayLike, labels: npt.ArrayLike, *, ridge: float = 1.0, weights: npt.ArrayLike | None = None
) -> Head:
    """Fit a head.

    Args:
        x: (n, d) embeddings. labels: (n,) 0 or 1.
        ridge: penalty on the weights of standardised embeddings; larger for fewer examples.
        weights: (n,) of the examples, such as those of labels that were given beside an AI.

    Raises:
        Refused: one class only, numbers that are not finite, or shapes that do not fit.

    >>> head = fit_head([[0.0], [1.0], [4.0], [5.0]], [0, 0, 1, 1])
    >>> (head.certainty([[0.0], [5.0]]) > 0.5).tolist()
    [False, True]
    """
    rows, truth = np.asarray(x, np.float64), np.asarray(labels, np.float64).ravel()
    if rows.ndim != 2 or len(rows) != len(truth) or not np.isfinite(rows).all() or not set(truth) <= {0.0, 1.0}:
        raise Refused(
            f"embeddings {rows.shape} with {truth.size} labels",
            "they do not fit, or are no numbers",
            "give a label for each finite embedding",
        )
    if len(set(truth)) < 2:
        raise Refused("examples of one class", "nothing tells it from anything", "give examples of both")
    importance = np.ones(len(truth)) if weights is None else np.asarray(weights, np.float64).ravel()
    share = np.array([importance[truth == k].sum() for k in (0, 1)])
    if (share <= 0).any():
        raise Refused("a class whose examples weigh nothing", "nothing tells it from anything", "give examples of both")
    importance = importance * (importance.sum() / 2 / share)[truth.astype(int)]
    centre = rows.mean(0)
    spread = float(np.sqrt(np.mean((rows - centre) ** 2))) or 1.0
    flat, basis = (rows - centre) / spread, None
    if rows.shape[1] > len(rows):  # the weights lie in the span of the examples: the same optimum in fewer numbers
        basis = np.linalg.qr(flat.T)[0]
        flat = flat @ basis
    flat = np.column_stack([flat, np.ones(len(rows))])
    penalty = np.full(flat.shape[1], ridge)
    penalty[-1] = 1e-9
    beta = np.zeros(flat.shape[1])
    loss = np.inf
    for _ in range(100):
        p = expit(flat @ beta)
        slope = flat.T @ (importance * (p - truth)) + penalty * beta
        bend = (flat * (importance * np.maximum(p * (1 - p), 1e-9))[:, None]).T @ flat + np.diag(penalty)
        step, size = np.linalg.solve(bend, slope), 1.0
        while True:  # halve a step that goes up
            tried = beta - size * step
            z = flat @ tried
            new = float((importance * (np.logaddexp(0, z) - truth * z)).sum() + 0.5 * (penalty * tried**2).sum())
            if new <= loss or size < 1e-6:
                break
            size /= 2
        done, beta, loss = abs(loss - new) < 1e-10 * (1 + abs(new)), tried, new
        if done:
            break
    return Head(centre, spread, beta[:-1] if basis is None else basis @ beta[:-1], float(beta[-1]))


def unseen(
    x: npt.NDArray[Any], labels: npt.NDArray[Any], groups: npt.NDArray[Any], *, parts: int = 5, ridge: float = 1.0,
    seed: int = 0, weights: npt.NDArray[Any] | None = None,
) -> npt.NDArray[np.float64]:  # fmt: skip
    """(n,) certainty of each case by a head that saw no case of its person.

    Args:
        groups: (n,) number of the person.

    Raises:
        Refused: fewer people than parts.
    """
    people = np.unique(groups)
    if len(people) < parts:
        raise Refused(f"{len(people)} people in {parts} parts", "each part needs one", "give more cases")
    rng = np.random.default_rng(seed)
    rank = np.empty(len(people), np.int64)
    rank[rng.permutation(len(people))] = np.arange(len(people)) % parts
    part = rank[np.searchsorted(people, groups)]
    said = np.full(len(labels), 0.5)
    for k in range(parts):
        own = part == k
        if own.any():
            given = None if weights is None else weights[~own]
            said[own] = fit_head(x[~own], labels[~own], ridge=ridge, weights=given).certainty(x[own])
    return said
