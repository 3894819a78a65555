"""Boxes about things that are counted: how far two agree, which of many say the same, and how good a detector is.

A box is (left, top, right, bottom) in pixels; its area is width × height without a pixel added, as COCO counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from isocenter.errors import Refused

__all__ = ["Precision", "hits", "overlaps", "precision_of", "suppressed"]

Boxes = npt.NDArray[np.float64]


def overlaps(one: npt.ArrayLike, other: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """(n, m) intersection over union of boxes; 0 where both are empty.

    >>> overlaps([[0, 0, 2, 2]], [[1, 0, 3, 2], [5, 5, 6, 6]]).round(3).tolist()
    [[0.333, 0.0]]
    """
    a, b = _checked(one), _checked(other)
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    both = np.clip(high - low, 0, None).prod(2)
    sizes = [np.clip(x[:, 2:] - x[:, :2], 0, None).prod(1) for x in (a, b)]
    either = sizes[0][:, None] + sizes[1][None] - both
    return np.asarray(np.divide(both, either, out=np.zeros_like(both), where=either > 0))


def suppressed(boxes: npt.ArrayLike, scores: npt.ArrayLike, most: float = 0.5) -> npt.NDArray[np.int64]:
    """Indices of the boxes that stay, best first: each takes out the lesser ones that overlap it by more than `most`.

    >>> suppressed([[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10]], [0.8, 0.9, 0.3]).tolist()
    [1, 2]
    """
    held, said = _checked(boxes), np.asarray(scores, np.float64)
    if said.shape != (len(held),):
        raise Refused(
            f"{len(held)} boxes and scores of shape {said.shape}",
            "every box needs one score",
            "give a score for each box",
        )
    order = np.argsort(-said, kind="stable")
    return np.asarray(order[_kept(held[order], most)], np.int64)


@njit(cache=True)
def _kept(boxes: Boxes, most: float) -> npt.NDArray[np.bool_]:
    n = len(boxes)
    kept = np.ones(n, np.bool_)
    for i in range(n):
        if not kept[i]:
            continue
        size = (boxes[i, 2] - boxes[i, 0]) * (boxes[i, 3] - boxes[i, 1])
        for j in range(i + 1, n):
            wide = min(boxes[i, 2], boxes[j, 2]) - max(boxes[i, 0], boxes[j, 0])
            tall = min(boxes[i, 3], boxes[j, 3]) - max(boxes[i, 1], boxes[j, 1])
            if wide > 0 and tall > 0:
                either = size + (boxes[j, 2] - boxes[j, 0]) * (boxes[j, 3] - boxes[j, 1]) - wide * tall
                if wide * tall > most * either:
                    kept[j] = False
    return kept


def hits(found: npt.ArrayLike, truth: npt.ArrayLike, least: float = 0.5) -> npt.NDArray[np.int64]:
    """For each box that was found, best first, the true box that it takes, or -1 for a false alarm.

    Each takes the one that it overlaps most of those not yet taken, if by `least` at least (COCO's rule).

    >>> hits([[0, 0, 4, 4], [0, 0, 4, 3], [9, 9, 12, 12]], [[0, 0, 4, 4]]).tolist()
    [0, -1, -1]
    """
    shared = overlaps(found, truth)
    taken = np.full(len(shared), -1, np.int64)
    for row in range(len(shared)):
        if shared.shape[1]:
            best = int(shared[row].argmax())
            if shared[row, best] >= least:
                taken[row] = best
                shared[:, best] = -1.0
    return taken


@dataclass(frozen=True, eq=False)
class Precision:
    """Precision against recall of a detector, from the surest box to the least sure.

    Args:
        average: area under the curve; NaN where there is nothing to be found.
        recall, precision, score: (n,) after each box, the precision not yet made falling.
    """

    average: float
    recall: npt.NDArray[np.float64]
    precision: npt.NDArray[np.float64]
    score: npt.NDArray[np.float64]


def precision_of(scores: npt.ArrayLike, right: npt.ArrayLike, truths: int) -> Precision:
    """Average precision over all points (Everingham 2015, as VOC counts since 2010): the area under the falling hull.

    Args:
        scores: (n,) of the boxes of all pictures together. right: (n,) whether each was a hit (see `hits`).
        truths: how many there were to be found.

    >>> precision_of([0.9, 0.8, 0.7], [True, False, True], 2).average.__round__(4)
    0.8333
    """
    said, good = np.asarray(scores, np.float64), np.asarray(right, bool)
    if said.shape != good.shape or said.ndim != 1 or truths < int(good.sum()):
        raise Refused(
            f"{said.shape} scores, {good.shape} hits of {truths}",
            "one of each is wanted, and no more hits",
            "give a hit or miss for each score, and the number of true objects",
        )
    order = np.argsort(-said, kind="stable")
    true = np.cumsum(good[order])
    precision = true / np.arange(1, len(true) + 1)
    recall = true / truths if truths else np.zeros(len(true))
    hull = np.maximum.accumulate(precision[::-1])[::-1]
    area = float(np.sum(np.diff(recall, prepend=0.0) * hull)) if truths else float("nan")
    return Precision(area, recall, precision, said[order])


def _checked(boxes: npt.ArrayLike) -> Boxes:
    held = np.asarray(boxes, np.float64).reshape(-1, 4) if np.size(boxes) == 0 else np.asarray(boxes, np.float64)
    if held.ndim != 2 or held.shape[1] != 4 or not np.isfinite(held).all():
        raise Refused(
            f"boxes of shape {held.shape}",
            "left, top, right and bottom of each are wanted, all finite",
            "give four finite numbers for each box",
        )
    return held
