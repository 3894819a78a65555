"""How well lesions are found and placed: free-response figures of merit and the FROC curve.

A reader (or a model) marks any number of places on an image, each with a rating. A mark near a lesion is a *lesion
localisation* (LL), any other a *non-lesion localisation* (NL); what counts as near is the study's rule and is applied
before these functions are asked. A lesion that nobody marked, and an image without a non-lesion mark, are rated minus
infinity. Figures of merit are those of Chakraborty (Observer Performance Methods for Diagnostic Imaging, 2017):
chance that a lesion is rated above the highest non-lesion mark of an image, ties counting one half.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods.roc import without_one as auc_without_one

__all__ = ["CPM_RATES", "FIGURES", "Curve", "Figure", "Marks", "curve", "figure", "sensitivity_at", "without_one"]

Figure = Literal["wAFROC", "AFROC", "wAFROC1", "AFROC1", "HrAuc"]
FIGURES: tuple[Figure, ...] = ("wAFROC", "AFROC", "wAFROC1", "AFROC1", "HrAuc")
"""``AFROC`` counts each lesion the same, ``wAFROC`` each diseased image; with ``1`` the non-lesion marks of diseased
images count as well; ``HrAuc`` is the area under the ROC curve of the highest mark of each image."""

CPM_RATES = (1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0, 8.0)
"""False marks an image at which the competition performance metric averages sensitivity (LUNA16)."""


@dataclass(frozen=True, eq=False)
class Marks:
    """All marks of one reader on one set of images.

    Args:
        non_lesions: (images, most) ratings of non-lesion marks, healthy images first; minus infinity where none.
        lesions: (diseased, most) ratings of lesions; minus infinity where a lesion was not marked.
        counts: (diseased,) lesions of each diseased image.
        weights: (diseased, most) weight of each lesion, summing to 1 an image; None for equal weights.

    Raises:
        Refused: when there is no healthy or no diseased image, ratings are not numbers, a lesion beyond an image's
            count is rated, or weights do not sum to 1.
    """

    non_lesions: npt.NDArray[np.float64]
    lesions: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if self.non_lesions.ndim != 2 or self.lesions.ndim != 2 or len(self.counts) != len(self.lesions):
            raise Refused(
                "marks of unequal shape",
                "each image has a row of ratings, each diseased one a count",
                "give the marks of every image",
            )
        if not len(self.lesions) or len(self.non_lesions) <= len(self.lesions):
            raise Refused(
                f"{len(self.non_lesions) - len(self.lesions)} healthy and {len(self.lesions)} diseased images",
                "a figure of merit needs both",
                "give images of both kinds",
            )
        if np.isnan(self.non_lesions).any() or np.isnan(self.lesions).any() or np.isposinf(self.lesions).any():
            raise Refused(
                "a rating that is not a number",
                "marks cannot be put in order",
                "leave the mark out, or give its rating",
            )
        if (self.counts < 1).any() or (self.counts > self.lesions.shape[1]).any():
            raise Refused(
                "a diseased image without lesions", "count the lesions of each, marked or not", "give their number"
            )
        if np.isfinite(self.lesions[~self.present]).any():
            raise Refused(
                "a rating for a lesion that is not there",
                "no image has more marks on lesions than lesions",
                "count the lesions of that image again",
            )
        if self.weights is not None:
            total = np.where(self.present, self.weights, 0.0).sum(1)
            if self.weights.shape != self.lesions.shape or np.abs(total - 1).max() > 1e-6:
                raise Refused(
                    "weights of lesions that do not sum to 1",
                    "each diseased image counts once",
                    "divide each by their sum",
                )

    @property
    def healthy(self) -> int:
        """Number of images without a lesion."""
        return len(self.non_lesions) - len(self.lesions)

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """(diseased, most) which places hold a lesion."""
        return np.asarray(np.arange(self.lesions.shape[1]) < self.counts[:, None])

    @property
    def highest(self) -> npt.NDArray[np.float64]:
        """(images,) highest non-lesion rating of each."""
        return np.asarray(self.non_lesions.max(1, initial=-np.inf))

    def shares(self, which: Figure) -> npt.NDArray[np.float64]:
        """(diseased, most) how much each lesion counts in a figure; zero where there is none."""
        if which in ("AFROC", "AFROC1"):
            return np.asarray(self.present * (len(self.counts) / self.counts.sum()), np.float64)
        if self.weights is not None:
            return np.where(self.present, self.weights, 0.0)
        return np.asarray(self.present / self.counts[:, None], np.float64)


def figure(marks: Marks, which: Figure = "wAFROC") -> float:
    """One figure of merit, 0 to 1.

    >>> one = np.array([[1.0], [-np.inf], [2.0]])
    >>> figure(Marks(one, np.array([[3.0]]), np.array([1])))
    1.0
    """
    won, rivals = _won(marks, which)
    return float(won.sum() / (len(marks.counts) * rivals))


def without_one(marks: Marks, which: Figure = "wAFROC") -> npt.NDArray[np.float64]:
    """(images,) the figure with each image left out in turn: what a jackknife over images needs.

    Raises:
        Refused: when the last healthy or diseased image would be left out.
    """
    k1, k2 = marks.healthy, len(marks.counts)
    if min(k1, k2) < 2:
        raise Refused(
            f"{k1} healthy and {k2} diseased images",
            "leaving one out leaves none of a kind",
            "give two images of each kind or more",
        )
    if which == "HrAuc":
        return auc_without_one(*_highest_of_all(marks))
    shares, ratings, rivals = marks.shares(which), marks.lesions, marks.highest
    if which in ("wAFROC", "AFROC"):
        rivals = rivals[:k1]
    won = _beaten(ratings, rivals) * shares  # (k2, most): rivals beaten by each lesion
    by_image = won.sum(1)
    by_rival = _beats(rivals, ratings, shares)  # what each rival takes part in
    lesions = marks.counts.astype(np.float64) if which in ("AFROC", "AFROC1") else np.ones(k2)
    scale = k2 / lesions.sum()
    out = np.empty(k1 + k2)
    total, images = by_image.sum(), lesions.sum() * scale
    out[:k1] = (total - by_rival[:k1]) / (images * (len(rivals) - 1))
    left = images - lesions * scale
    gone = by_image.copy()
    if which in ("wAFROC1", "AFROC1"):
        own = _own(ratings, rivals[k1:], shares)
        gone = by_image + by_rival[k1:] - own
        out[k1:] = (total - gone) / (left * (len(rivals) - 1))
    else:
        out[k1:] = (total - gone) / (left * len(rivals))
    return out


def _won(marks: Marks, which: Figure) -> tuple[npt.NDArray[np.float64], int]:
    """Sum over rivals that each diseased image's lesions beat, and how many rivals there are."""
    if which not in FIGURES:
        raise Refused(f"the figure of merit '{which}'", f"known are {', '.join(FIGURES)}", "name one of these")
    if which == "HrAuc":
        diseased, healthy = _highest_of_all(marks)
        return _beaten(diseased, healthy), len(healthy)
    rivals = marks.highest if which in ("wAFROC1", "AFROC1") else marks.highest[: marks.healthy]
    return (_beaten(marks.lesions, rivals) * marks.shares(which)).sum(1), len(rivals)


def _highest_of_all(marks: Marks) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    highest = marks.highest
    lesions = np.where(marks.present, marks.lesions, -np.inf).max(1)
    return np.maximum(lesions, highest[marks.healthy :]), highest[: marks.healthy]


def _beaten(ratings: npt.NDArray[Any], rivals: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """How many rivals lie below each rating, ties one half."""
    order = np.sort(rivals)
    twice = np.searchsorted(order, ratings, "left") + np.searchsorted(order, ratings, "right")
    return np.asarray(0.5 * twice, np.float64)


def _beats(rivals: npt.NDArray[Any], ratings: npt.NDArray[Any], shares: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """For each rival the shares of the ratings above it, ties one half."""
    order = np.argsort(ratings, axis=None)
    flat, share = ratings.ravel()[order], shares.ravel()[order]
    below = np.concatenate([[0.0], np.cumsum(share)])
    at_or_below, under = np.searchsorted(flat, rivals, "right"), np.searchsorted(flat, rivals, "left")
    return np.asarray(below[-1] - 0.5 * (below[at_or_below] + below[under]))


def _own(ratings: npt.NDArray[Any], rivals: npt.NDArray[Any], shares: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """What each diseased image's lesions win against its own highest non-lesion mark."""
    rival = rivals[:, None]
    return np.asarray((((ratings > rival) + 0.5 * (ratings == rival)) * shares).sum(1))


@dataclass(frozen=True, eq=False)
class Curve:
    """The FROC curve: at each threshold, false marks an image (over all images) and part of the lesions found."""

    thresholds: npt.NDArray[np.float64]
    false_per_image: npt.NDArray[np.float64]
    sensitivity: npt.NDArray[np.float64]


def curve(marks: Marks) -> Curve:
    """Every operating point, from the strictest threshold to the laxest."""
    false = marks.non_lesions[np.isfinite(marks.non_lesions)]
    found = marks.lesions[marks.present]
    found = found[np.isfinite(found)]
    thresholds = np.unique(np.concatenate([false, found]))[::-1]
    above = np.searchsorted(np.sort(-false), -thresholds, "right")
    hits = np.searchsorted(np.sort(-found), -thresholds, "right")
    return Curve(thresholds, above / len(marks.non_lesions), hits / float(marks.counts.sum()))


def sensitivity_at(marks: Marks, rates: Sequence[float] = CPM_RATES) -> npt.NDArray[np.float64]:
    """Part of the lesions found at each rate of false marks an image; the mean over `CPM_RATES` is the CPM.

    Between two operating points the curve is a step: what is stated was reached, nothing is interpolated.
    """
    drawn = curve(marks)
    reached = np.concatenate([[0.0], drawn.sensitivity])
    # The laxest threshold whose rate is still allowed.
    allowed = np.searchsorted(drawn.false_per_image, np.asarray(rates, np.float64) + 1e-12, "right")
    return reached[allowed]
