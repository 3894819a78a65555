"""Intervals that respect that several images are of one patient: patients are drawn again, with all that is theirs.

Images of a patient resemble one another, so that an interval over images is too narrow. For the area under the curve
the scores are sorted once; each draw then only counts how often every patient was taken, which is exact and takes n
steps.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from numba import njit

from isocenter.errors import Refused
from isocenter.methods.intervals import Estimate
from isocenter.methods.shares import in_parts

__all__ = ["areas", "by_patient"]


def areas(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    patients: npt.ArrayLike | None = None,
    *,
    rng: np.random.Generator,
    times: int = 2000,
    confidence: float = 0.95,
) -> Estimate:
    """Area under the ROC curve with its percentile interval over patients; `n` counts patients.

    Draws without a diseased or a healthy image have no area and are drawn again.

    Args:
        labels: (n,) 0 or 1. scores: (n,) higher means more likely diseased.
        patients: (n,) whose image it is; each image is a patient of its own when None.

    Raises:
        Refused: one class only, scores that are not finite, other labels, or all diseased images of one patient.
    """
    truth, score = np.asarray(labels).ravel(), np.asarray(scores, np.float64).ravel()
    if len(truth) != len(score) or not np.isfinite(score).all() or not np.isin(truth, (0, 1)).all():
        raise Refused(
            f"{len(truth)} labels and {len(score)} scores",
            "each case has a label 0 or 1 and a finite score",
            "give a label and a finite score for each case",
        )
    owner = np.arange(len(truth)) if patients is None else np.unique(np.asarray(patients), return_inverse=True)[1]
    if len(owner) != len(truth):
        raise Refused(
            f"{len(owner)} patients for {len(truth)} cases",
            "each case belongs to one",
            "give one name of a patient for each case",
        )
    owner = owner.ravel()
    for kind in (0, 1):
        if len(np.unique(owner[truth == kind])) < 2:
            raise Refused(
                "fewer than two patients of a class",
                "drawing them again tells nothing of others",
                "give two patients of each class or more",
            )
    order = np.argsort(score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1) + 1  # where a tie of scores ends
    people, sick = int(owner.max()) + 1, truth[order].astype(np.int64)
    place = owner[order].astype(np.int64)
    whole = float(_weighted(np.ones((1, people), np.int32), place, sick, ends)[0])
    drawn = np.empty(0)
    while len(drawn) < times:
        counts = _counts(people, times - len(drawn), int(rng.integers(2**31)))
        some = _weighted(counts, place, sick, ends)
        drawn = np.concatenate([drawn, some[np.isfinite(some)]])
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(whole, float(low), float(high), people)


@njit(cache=True)
def _counts(people: int, times: int, seed: int) -> npt.NDArray[np.int32]:
    np.random.seed(seed)
    counts = np.zeros((times, people), np.int32)
    for k in range(times):
        for _ in range(people):
            counts[k, np.random.randint(0, people)] += 1
    return counts


def _weighted(
    counts: npt.NDArray[np.int32], place: npt.NDArray[np.int64], sick: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:  # fmt: skip
    found = np.empty(len(counts))
    in_parts(_weigh, len(counts), counts, place, sick, ends, found, least=16)
    return found


@njit(cache=True, nogil=True)
def _weigh(
    first: int, last: int, counts: npt.NDArray[np.int32], place: npt.NDArray[np.int64], sick: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64], found: npt.NDArray[np.float64],
) -> None:  # fmt: skip
    for k in range(first, last):
        won, below, ill, at = 0.0, 0.0, 0.0, 0
        for end in ends:
            tie_ill, tie_well = 0.0, 0.0
            while at < end:
                times = counts[k, place[at]]
                tie_ill += times * sick[at]
                tie_well += times * (1 - sick[at])
                at += 1
            won += tie_ill * (below + 0.5 * tie_well)
            below += tie_well
            ill += tie_ill
        found[k] = won / (ill * below) if ill > 0 and below > 0 else np.nan


def by_patient(
    figure: Callable[[npt.NDArray[np.int64]], float],
    patients: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    times: int = 2000,
    confidence: float = 0.95,
) -> Estimate:
    """Any figure with its percentile interval over patients; draws in which it is not finite are left out.

    Args:
        figure: places of images, with repeats -> the figure of these images.
        patients: (n,) whose image it is.

    Raises:
        Refused: fewer than two patients, or a figure that is finite in fewer than half of the draws.

    >>> x = np.array([1.0, 3.0, 5.0, 7.0])
    >>> by_patient(lambda i: float(x[i].mean()), ["a", "a", "b", "b"], rng=np.random.default_rng(0)).value
    4.0
    """
    owner = np.unique(np.asarray(patients).ravel(), return_inverse=True)[1]
    people = int(owner.max()) + 1 if len(owner) else 0
    if people < 2:
        raise Refused(
            f"{people} patients", "drawing them again tells nothing of others", "give cases of two patients or more"
        )
    order = np.argsort(owner, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(owner))[:-1])
    drawn = np.array(
        [figure(np.concatenate([parts[p] for p in rng.integers(0, people, people)])) for _ in range(times)]
    )  # fmt: skip
    finite = drawn[np.isfinite(drawn)]
    if len(finite) < times / 2:
        raise Refused(
            f"a figure that {times - len(finite)} of {times} draws do not have",
            "its interval means nothing",
            "give more patients",
        )
    low, high = np.quantile(finite, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(float(figure(np.arange(len(owner)))), float(low), float(high), people)
