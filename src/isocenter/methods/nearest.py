"""Cases like this one: the nearest by the angle between embeddings, exactly, and how far is too far.

Rows are made one long, so that the product of two is the cosine of their angle; the nearest are found by looking at
all, in blocks, since a million cases of 64 numbers are a quarter of a gigabyte and no shortcut is needed. `border`
turns distances of cases that are in scope into a limit that refuses no more of their like than was declared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods import clusters

__all__ = ["Shots", "border", "far", "few_shots", "nearest", "precision_at", "unit"]

_BLOCK = 4096


def unit(rows: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """(n, d) rows of length 1.

    Raises:
        Refused: rows that are no numbers, or nought.

    >>> unit([[3.0, 4.0]]).tolist()
    [[0.6000000238418579, 0.800000011920929]]
    """
    x = np.atleast_2d(np.asarray(rows, np.float32))
    length = np.linalg.norm(x, axis=1, keepdims=True)
    if not np.isfinite(length).all() or (length < 1e-12).any():
        raise Refused("an embedding without a direction", "it is nought, or no number", "leave the case out")
    return np.asarray(x / length, np.float32)


def nearest(
    index: npt.NDArray[np.float32], query: npt.NDArray[np.float32], k: int,
    allowed: npt.NDArray[np.bool_] | None = None,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:  # fmt: skip
    """Numbers and cosine distances (0 … 2) of the k nearest rows for each query, the nearest first.

    Args:
        index: (n, d), query: (m, d), both of `unit`.
        allowed: (m, n) or (n,) which rows may be found; where fewer than k may, -1 and infinity fill up.

    Raises:
        Refused: rows of different length, or k below 1.
    """
    if index.ndim != 2 or query.ndim != 2 or index.shape[1] != query.shape[1] or k < 1:
        raise Refused(
            f"{k} nearest of {index.shape} to {query.shape}",
            "these do not fit",
            "ask for fewer, of embeddings of the same length",
        )
    n, m = len(index), len(query)
    best = np.full((m, k), np.inf, np.float32)
    which = np.full((m, k), -1, np.int64)
    for start in range(0, n, _BLOCK):
        some = index[start : start + _BLOCK]
        distance = 1 - query @ some.T
        if allowed is not None:
            distance = np.where(allowed[..., start : start + _BLOCK], distance, np.float32(np.inf))
        both = np.concatenate([best, distance], 1)
        number = np.concatenate([which, np.broadcast_to(np.arange(start, start + len(some)), distance.shape)], 1)
        order = np.argsort(both, 1, kind="stable")[:, :k]
        best, which = np.take_along_axis(both, order, 1), np.take_along_axis(number, order, 1)
    return np.where(np.isfinite(best), which, -1), np.maximum(best, 0).astype(np.float32)


def far(
    inside: npt.NDArray[np.float32], query: npt.NDArray[np.float32], *, k: int = 5, same: bool = False
) -> npt.NDArray[np.float32]:
    """(m,) mean distance to the k nearest cases that are in scope.

    Args:
        inside, query: of `unit`. same: the queries are the rows of `inside`; each leaves itself out.
    """
    _, distance = nearest(inside, query, k + same)
    return np.asarray(distance[:, int(same) :].mean(1), np.float32)


def border(distances: npt.ArrayLike, refused: float) -> float:
    """The distance beyond which a case is refused, so that of cases like these at most `refused` are, on the mean.

    Args:
        distances: of cases in scope that neither the embedding nor the index has seen.

    Raises:
        Refused: too few of them to promise so small a part.

    >>> border([0.1, 0.2, 0.3, 0.4], 0.25)
    0.4
    """
    known = np.sort(np.asarray(distances, np.float64).ravel())
    place = math.ceil(round((len(known) + 1) * (1 - refused), 9))
    if not 0 < refused < 1 or place > len(known):
        raise Refused(
            f"{len(known)} cases in scope for a false refusal of {refused:g}", "so few cannot promise so little",
            f"give {math.ceil(1 / refused) - 1 if 0 < refused < 1 else 'more'} or more",
        )  # fmt: skip
    return float(known[place - 1])


def precision_at(
    rows: npt.NDArray[np.float32], labels: npt.NDArray[Any], groups: npt.NDArray[Any], k: int = 10
) -> tuple[float, float, float, float]:
    """Share of the k nearest of other people with the case's label: mean, 95 % interval between people, and by chance.

    Args:
        rows: of `unit`. groups: (n,) number of the person.

    Raises:
        Refused: all are of one person.
    """
    allowed = groups[:, None] != groups[None, :]
    which, _ = nearest(rows, rows, k, allowed)
    there = which >= 0
    same = ((labels[which] == labels[:, None]) & there).sum(1) / np.maximum(there.sum(1), 1)
    chance = (((labels[:, None] == labels[None, :]) & allowed).sum(1) / np.maximum(allowed.sum(1), 1)).mean()
    told = clusters.mean(same, groups)
    return told.value, told.low, told.high, float(chance)


@dataclass(frozen=True)
class Shots:
    """A head from few examples of each class: AUC on the others, over many draws.

    Args:
        shots: examples of each class. mean: over the draws. low, high: 2.5th and 97.5th percentile of them.
    """

    shots: int
    mean: float
    low: float
    high: float


def few_shots(
    rows: npt.NDArray[Any], labels: npt.NDArray[Any], groups: npt.NDArray[Any], *, shots: tuple[int, ...] = (5, 10, 20),
    draws: int = 100, ridge: float = 1.0, seed: int = 0,
) -> list[Shots]:  # fmt: skip
    """How good a head is that has seen a few people of each class, measured on everybody else.

    Args:
        labels: (n,) 0 or 1. groups: (n,) number of the person; one case of each person drawn is shown.

    Raises:
        Refused: too few people in a class.
    """
    from isocenter.methods.logistic import fit_head
    from isocenter.methods.roc import auc

    told = []
    for count in shots:
        areas = []
        for draw in range(draws):
            rng = np.random.default_rng([seed, count, draw])
            order = rng.permutation(len(labels))
            first = order[np.unique(groups[order], return_index=True)[1]]  # one case of each person
            picked = [rng.permutation(first[labels[first] == c])[:count] for c in (0, 1)]
            if min(map(len, picked)) < count:
                raise Refused(f"{min(map(len, picked))} people of a class", f"{count} are wanted", "give more cases")
            some = np.concatenate(picked)
            rest = ~np.isin(groups, groups[some])
            if len(np.unique(labels[rest])) < 2:
                raise Refused("nobody of a class left to measure on", f"{count} were drawn", "give more cases")
            head = fit_head(rows[some], labels[some], ridge=ridge)
            areas.append(auc(labels[rest], head.logit(rows[rest])).value)
        low, high = np.percentile(areas, (2.5, 97.5))
        told.append(Shots(count, float(np.mean(areas)), float(low), float(high)))
    return told
