"""Answers that hold the truth as often as they promise: split conformal prediction, by class and by group.

A set of labels is given in place of one label, made so that it holds the true label in at least 1 − α of cases like
those that it was calibrated on, whatever the model (Vovk 2005; Angelopoulos & Bates 2023). Overall coverage is not
enough: a rare class can be missed almost always while the average holds. So the promise is made for each class
(Mondrian), and for each class within each group where groups are named, or it is not made at all.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods.clusters import owners

__all__ = ["Conformal", "calibrate", "coverage", "fewest"]


def fewest(alpha: float, *, spread: float = 0.05) -> int:
    """Calibration cases that a promise of 1 − α needs.

    Below ⌈1/α⌉ − 1 no finite threshold exists. Beyond that, coverage over future cases varies with the calibration
    cases as a Beta distribution; enough are asked for that its standard deviation is at most `spread`.

    >>> fewest(0.1)
    35
    """
    if not 0 < alpha < 1 or not 0 < spread < 1:
        raise Refused(f"α = {alpha:g}, spread {spread:g}", "both lie between 0 and 1", "give numbers between these")
    return max(int(np.ceil(1 / alpha)) - 1, int(np.ceil(alpha * (1 - alpha) / spread**2)) - 1)


@dataclass(frozen=True, eq=False)
class Conformal:
    """Thresholds of non-conformity (1 − probability) for each class, or for each group and class.

    Args:
        alpha: part of cases that may miss.
        thresholds: group -> (classes,) thresholds; the group is None where none were named.
        cases: group -> (classes,) calibration cases behind each threshold.
    """

    alpha: float
    thresholds: Mapping[Hashable, npt.NDArray[np.float64]] = field(default_factory=dict)
    cases: Mapping[Hashable, npt.NDArray[np.int64]] = field(default_factory=dict)

    def sets(self, probabilities: npt.ArrayLike, groups: Sequence[Hashable] | None = None) -> npt.NDArray[np.bool_]:
        """(n, classes) which labels each answer holds; more than one means that the case is for a person to decide.

        Raises:
            Refused: for probabilities of another shape, or a group that was not calibrated.
        """
        p = _probabilities(probabilities)
        of = [None] * len(p) if groups is None else list(groups)
        if len(of) != len(p):
            raise Refused(
                f"{len(of)} groups for {len(p)} cases", "every case belongs to one", "give a group for each case"
            )
        if unknown := set(of) - set(self.thresholds):
            raise Refused(f"the group {sorted(map(str, unknown))[0]}", "nothing was promised for it", "calibrate it")
        limits = np.stack([self.thresholds[g] for g in of]) if len(of) else np.zeros((0, p.shape[1]))
        if limits.shape != p.shape:
            raise Refused(f"{p.shape[1]} classes", f"{limits.shape[1]} were calibrated", "calibrate for these classes")
        return np.asarray(1 - p <= limits)


def calibrate(
    labels: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    *,
    alpha: float = 0.1,
    groups: Sequence[Hashable] | None = None,
    people: npt.ArrayLike | None = None,
    least: int | None = None,
) -> Conformal:
    """Find the thresholds on cases that the model was not trained or tuned on.

    Args:
        labels: (n,) true class, 0 to classes − 1.
        probabilities: (n, classes).
        alpha: part of cases that may miss, in each class (of each group).
        groups: (n,) sex, scanner, site, …
        people: (n,) whose case it is; each is of somebody else when None. Where patients have several, each counts
            once, and the promise is of a case of a new patient (Lee, Barber, Willett 2023).
        least: fewest calibration patients of a class (in a group); `fewest` when None.

    Raises:
        Refused: the promise, when a class (in a group) has too few patients; the message says how many are missing.
    """
    p = _probabilities(probabilities)
    y = np.asarray(labels).ravel()
    if len(y) != len(p) or set(np.unique(y).tolist()) - set(range(p.shape[1])):
        raise Refused(
            f"{len(y)} labels for {len(p)} cases of {p.shape[1]} classes",
            "every case has one of the classes",
            "give a label for each case",
        )
    wanted = max(fewest(alpha) if least is None else least, int(np.ceil(1 / alpha)) - 1)
    of: list[Any] = [None] * len(p) if groups is None else list(groups)
    if len(of) != len(p):
        raise Refused(f"{len(of)} groups for {len(p)} cases", "every case belongs to one", "give a group for each case")
    own = owners(people, len(p))
    whose = np.arange(len(p)) if own is None else own
    thresholds: dict[Hashable, npt.NDArray[np.float64]] = {}
    cases: dict[Hashable, npt.NDArray[np.int64]] = {}
    for group in dict.fromkeys(of):
        mine = np.array([g == group for g in of])
        limits, counts = np.zeros(p.shape[1]), np.zeros(p.shape[1], np.int64)
        for label in range(p.shape[1]):
            some = mine & (y == label)
            counts[label], there = np.count_nonzero(some), len(np.unique(whose[some]))
            if there < wanted:
                where = f" in group {group}" if group is not None else ""
                raise Refused(
                    f"{there} calibration {'cases' if own is None else 'patients'} of class {label}{where}",
                    f"a promise of {1 - alpha:.0%} needs {wanted}",
                    f"collect {wanted - there} more, or give no guarantee",
                )
            limits[label] = _limit(1 - p[some, label], whose[some], alpha)
        thresholds[group], cases[group] = limits, counts
    return Conformal(alpha, thresholds, cases)


def _limit(scores: npt.NDArray[np.float64], whose: npt.NDArray[np.int64], alpha: float) -> float:
    """The least score up to which 1 − α of the patients lie, of whom one more, the new one, lies beyond all."""
    _, own, often = np.unique(whose, return_inverse=True, return_counts=True)
    order = np.argsort(scores, kind="stable")
    weight = 1 / often[own.ravel()]  # of a patient's cases one in all, and as many patients and one more
    reached = np.round(np.cumsum(weight[order]), 9) >= round((len(often) + 1) * (1 - alpha), 9)  # 123.00000000000001
    return float(scores[order][int(np.argmax(reached))])


def coverage(sets: npt.ArrayLike, labels: npt.ArrayLike) -> dict[int, tuple[int, int]]:
    """Class -> (answers that hold the truth, cases): what was promised, counted on other cases."""
    held, y = np.asarray(sets, bool), np.asarray(labels).ravel()
    hit = held[np.arange(len(y)), y]
    return {int(c): (int(hit[y == c].sum()), int((y == c).sum())) for c in np.unique(y)}


def _probabilities(given: npt.ArrayLike) -> npt.NDArray[np.float64]:
    p = np.asarray(given, np.float64)
    if p.ndim != 2 or p.shape[1] < 2 or not np.isfinite(p).all() or (p < 0).any() or (p > 1).any():
        raise Refused(
            f"probabilities of shape {p.shape}",
            "(cases, classes), each from 0 to 1",
            "give probabilities of that shape",
        )
    return p
