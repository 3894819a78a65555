"""Whose labels are wrong more often than chance and the other readers explain.

Two questions. Where several readers looked at the same cases, Dawid and Skene (1979) estimate the truth and each
reader's errors together. Where each case has one reader, a model that did not see the case is held against the label: a
label that it contradicts with at least the certainty that is usual for the class it names is *doubted* (confident
learning; Northcutt, Jiang, Chuang 2021). Doubts alone prove nothing, the model errs, too; but it errs for all readers
alike. A reader whose labels are doubted more often than labels of the same class by the others, beyond chance, is
named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from isocenter.errors import Refused

__all__ = ["Consensus", "Doubted", "dawid_skene", "doubted", "doubts"]


@dataclass(frozen=True)
class Doubted:
    """One reader.

    Args:
        n: labels. doubted: how many of them are.
        expected: how many would be if they erred as often as all.
        p: chance of so many or more if they did, corrected for the number of readers (Holm).
        named: whether `p` is below the rate of false alarms that was allowed for all readers together.
        share: labels that are wrong beyond what is usual, as a part of `n`; at least 0.
    """

    reader: str
    n: int
    doubted: int
    expected: float
    p: float
    named: bool
    share: float


def doubts(labels: npt.ArrayLike, certainty: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """(n,) whether a label is contradicted.

    Args:
        labels: (n,) 0 or 1.
        certainty: (n,) that the case is of class 1, by a model that did not see the case.

    Raises:
        Refused: one class only, or certainties that are none.

    >>> doubts([0, 0, 0, 1, 1, 1], [0.1, 0.2, 0.95, 0.8, 0.9, 0.05]).tolist()
    [False, False, True, False, False, True]
    """
    truth, p = np.asarray(labels).ravel().astype(int), np.asarray(certainty, np.float64).ravel()
    if len(truth) != len(p) or not np.isfinite(p).all() or (p < 0).any() or (p > 1).any():
        raise Refused(
            f"{len(p)} certainties for {len(truth)} labels",
            "each label needs one, between 0 and 1",
            "give one for each label",
        )
    if set(np.unique(truth)) != {0, 1}:
        raise Refused("labels of one class", "nothing can contradict them", "give cases of both classes")
    usual = np.array([np.mean(1 - p[truth == 0]), np.mean(p[truth == 1])])
    other = np.where(truth == 1, 1 - p, p)
    return np.asarray((other >= usual[1 - truth]) & (other > 0.5), np.bool_)


def doubted(
    readers: Sequence[str], labels: npt.ArrayLike, certainty: npt.ArrayLike, *, false_alarms: float = 0.05
) -> list[Doubted]:
    """Each reader, the most doubtful first.

    Each label has a surprise, the sixth power of the certainty against it, so that strong contradictions count.
    Within each class surprises are dealt to readers as cards are: a reader who sees more of the harder class is not
    blamed for it. The chance of so large a sum is that of a normal number, corrected for skewness (Cornish, Fisher).

    Args:
        readers: (n,) who gave each label.
        false_alarms: chance that anybody at all is named where everybody errs alike.

    Raises:
        Refused: see `doubts`; fewer than two readers.
    """
    truth, names = np.asarray(labels).ravel().astype(int), np.asarray(readers, dtype=object)
    flagged = doubts(truth, certainty)
    everybody = sorted(set(map(str, names)))
    if len(names) != len(truth) or len(everybody) < 2:
        raise Refused(f"labels of {len(everybody)} reader", "there is nobody to compare with", "give those of several")
    p_of_one = np.asarray(certainty, np.float64).ravel()
    surprise = np.where(truth == 1, 1 - p_of_one, p_of_one) ** 6
    found = []
    for reader in everybody:
        own = names == reader
        expected = sum(float((own & (truth == k)).sum() * flagged[truth == k].mean()) for k in (0, 1))
        found.append((_chance(surprise, own, truth), reader, int(own.sum()), int((flagged & own).sum()), expected))
    found.sort()
    told, worst = [], 0.0
    for rank, (p, reader, n, hits, expected) in enumerate(found):
        worst = max(worst, min(1.0, p * (len(found) - rank)))
        share = max(0.0, (hits - expected) / n)
        told.append(Doubted(reader, n, hits, expected, worst, worst <= false_alarms, share))
    return told


def _chance(surprise: npt.NDArray[np.float64], own: npt.NDArray[np.bool_], truth: npt.NDArray[np.int64]) -> float:
    """That a part of the cases, drawn without looking, sums up to so much; classes drawn apart."""
    above = variance = third = 0.0
    for label in (0, 1):
        x, mine = surprise[truth == label], int(own[truth == label].sum())
        n, apart = len(x), x - x.mean()
        above += float(apart[own[truth == label]].sum())
        if n > 2:  # moments of a sum drawn without putting back
            variance += mine * (n - mine) / (n - 1) * float(np.mean(apart**2))
            third += mine * (n - mine) * (n - 2 * mine) / ((n - 1) * (n - 2)) * float(np.mean(apart**3))
    if variance <= 0:
        return 1.0
    z = above / variance**0.5
    return float(ndtr(-(z - third / variance**1.5 * (z * z - 1) / 6))) if z > 0 else float(ndtr(-z))


@dataclass(frozen=True, eq=False)
class Consensus:
    """What several readers' labels say together.

    Args:
        chance: (n,) that a case is of class 1.
        sensitivity, specificity: (readers,) as estimated.
        prevalence: of class 1.
        readers: in the order of the estimates.
    """

    chance: npt.NDArray[np.float64]
    sensitivity: npt.NDArray[np.float64]
    specificity: npt.NDArray[np.float64]
    prevalence: float
    readers: tuple[str, ...]


def dawid_skene(
    cases: Sequence[Any], readers: Sequence[str], labels: npt.ArrayLike, *, rounds: int = 500
) -> tuple[Consensus, list[Any]]:
    """Truth and errors of readers from labels of the same cases, by expectation and maximisation.

    One error of each kind is added to each reader's counts, so that nobody is taken to be perfect.

    Args:
        cases, readers, labels: (votes,) each: who gave which case which label (0 or 1).

    Returns:
        The consensus, and the cases in its order.

    Raises:
        Refused: no case has two readers.
    """
    keys, names = sorted(set(cases), key=str), sorted(set(map(str, readers)))
    place, who = {c: i for i, c in enumerate(keys)}, {r: i for i, r in enumerate(names)}
    at = np.array([place[c] for c in cases])
    by, said = np.array([who[str(r)] for r in readers]), np.asarray(labels).ravel().astype(int)
    if len(said) != len(at) or not set(np.unique(said)) <= {0, 1}:
        raise Refused(f"{len(said)} labels for {len(at)} votes", "each is 0 or 1", "give 0 or 1 for each vote")
    if np.bincount(at).max(initial=0) < 2:
        raise Refused("cases of one reader each", "nothing can be compared", "let some cases be read twice")
    chance = np.bincount(at, said, len(keys)) / np.bincount(at, minlength=len(keys))
    for _ in range(rounds):
        prevalence = float(np.clip(chance.mean(), 1e-6, 1 - 1e-6))
        hits = np.bincount(by, chance[at] * said, len(names)) + 1
        clear = np.bincount(by, (1 - chance[at]) * (1 - said), len(names)) + 1
        sensitivity = hits / (np.bincount(by, chance[at], len(names)) + 2)
        specificity = clear / (np.bincount(by, 1 - chance[at], len(names)) + 2)
        yes = np.where(said == 1, sensitivity[by], 1 - sensitivity[by])
        no = np.where(said == 1, 1 - specificity[by], specificity[by])
        odds = np.log(prevalence / (1 - prevalence)) + np.bincount(at, np.log(yes / no), len(keys))
        new = 1 / (1 + np.exp(-np.clip(odds, -700, 700)))
        moved, chance = float(np.abs(new - chance).max()), new
        if moved < 1e-8:
            break
    return Consensus(chance, sensitivity, specificity, prevalence, tuple(names)), keys
