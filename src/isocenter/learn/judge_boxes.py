"""Boxes that a detector found, held against true ones: average precision, and how well it counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.learn.boxed import Boxed
from isocenter.learn.judge_classes import share_of
from isocenter.methods.boxes import hits, overlaps, precision_of

__all__ = ["Found", "box_figures", "cases_of", "counting_thresholds", "rows_of"]

_DRAWS, _FEW = 1000, 30


@dataclass(frozen=True, eq=False)
class Found:
    """What a detector says of one picture: (n, 4) boxes in its pixels, (n,) scores, (n,) classes."""

    boxes: npt.NDArray[np.float64]
    scores: npt.NDArray[np.float64]
    kinds: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Matched:
    """One class on one picture: scores and hits, best first, and how many were to be found."""

    scores: npt.NDArray[np.float64]
    right: npt.NDArray[np.bool_]
    truths: int


def _matched(one: Boxed, said: Found, kind: int, least: float) -> _Matched:
    own = np.flatnonzero(said.kinds == kind)
    own = own[np.argsort(-said.scores[own], kind="stable")]
    wanted, hard = one.boxes[(one.kinds == kind) & ~one.hard], one.boxes[(one.kinds == kind) & one.hard]
    right = hits(said.boxes[own], wanted, least) >= 0
    counted = right | ~(overlaps(said.boxes[own], hard) >= least).any(1)
    return _Matched(said.scores[own][counted], right[counted], len(wanted))


def _precision(some: Sequence[_Matched]) -> float:
    scores, right = np.concatenate([m.scores for m in some]), np.concatenate([m.right for m in some])
    return precision_of(scores, right, sum(m.truths for m in some)).average


def box_figures(
    truths: Sequence[Boxed], founds: Sequence[Found], classes: Sequence[str], thresholds: Sequence[float]
) -> dict[str, Any]:
    """Average precision at an overlap of one half (and mean over 0.5 to 0.95), sensitivity, precision and counts.

    Intervals are of 95 %: of shares Wilson's between people (see `clusters`), of others by bootstrap of people with all
    pictures that are theirs; of fewer than 30 people by the figures without each of them, since draws of few differ too
    little; one person alone has none. Where all boxes of a class are found before any false one, or none is found, all
    draws are the same: the average precision is then at least recall times precision, and at most recall, at the ends
    of their intervals between people; below 1 it reaches at least as far as recall does, since draws of a few people
    who were all found tell little of the next (of 10 the interval held the truth in 35 to 85 of 100). Where no picture
    is miscounted the error of the count has no interval. A class of
    which there is nothing to be found has no figure and no part in the mean.
    """
    found: dict[str, Any] = {"map50": {}, "map50_95": {}, "ap50": {}, "sensitivity": {}, "precision": {}, "count": {}}
    people = [one.whose or one.name for one in truths]
    again = _again(people)
    drawn = again.rows
    areas, draws, strict, ends, sure = [], [], [], [], []
    for kind, name in enumerate(classes):
        half = [_matched(*pair, kind, 0.5) for pair in zip(truths, founds, strict=True)]
        total = sum(m.truths for m in half)
        if not total:
            continue
        areas.append(_precision(half))
        draws.append([_precision([half[i] for i in row]) for row in drawn[:200]])
        ends.append(_untold(areas[-1], half, people, draws[-1], again))
        found["ap50"][name] = _interval(areas[-1], draws[-1], again, ends=ends[-1]) | {"boxes": total}
        by_overlap = [
            [_matched(*pair, kind, least) for pair in zip(truths, founds, strict=True)]
            for least in np.round(np.arange(0.5, 0.96, 0.05), 2)
        ]
        found["map50_95"][name] = np.mean([_precision(some) for some in by_overlap])
        strict.append([np.mean([_precision([some[i] for i in row]) for some in by_overlap]) for row in drawn[:200]])
        sure.append(_ends(found["map50_95"][name], half, people))
        counted = [m.scores >= thresholds[kind] for m in half]
        said = np.array([
            [np.count_nonzero(c), np.count_nonzero(m.right & c), m.truths] for c, m in zip(counted, half, strict=True)
        ])  # fmt: skip
        found["sensitivity"][name] = _share(said[:, 1], said[:, 2], people)
        found["precision"][name] = _share(said[:, 1], said[:, 0], people)
        off = np.abs(said[:, 0] - said[:, 2]).astype(float)
        found["count"][name] = _interval(float(off.mean()), [off[row].mean() for row in drawn], again, np.inf)
        if not off.any():
            found["count"][name] = {"value": 0.0}
    if not areas:
        raise Refused(f"no box on {len(truths)} pictures", "nothing says where things are, so nothing can be counted",
                      "give the boxes, xmin below xmax and ymin below ymax")  # fmt: skip
    found["map50"] = _interval(float(np.mean(areas)), np.mean(draws, axis=0), again, ends=_mean_ends(areas, ends))
    each = list(found["map50_95"].values())
    found["map50_95"] = _interval(float(np.mean(each)), np.mean(strict, axis=0), again, ends=_mean_ends(each, sure))
    found["mean_error_of_count"] = found.pop("count")
    return {"n": len(truths), "metrics": found, "calibration": {}, "subgroups": []}


@dataclass(frozen=True, eq=False)
class _Again:
    """Places of pictures, person by person: drawn again, or, where there are few, all but one of them in turn."""

    rows: list[npt.NDArray[np.int64]]
    left_out: bool


def _again(people: Sequence[str]) -> _Again:
    known, own = np.unique(people, return_inverse=True)
    theirs = [np.flatnonzero(own == k) for k in range(len(known))]
    if len(known) < 2:
        return _Again([], left_out=False)
    if len(known) < _FEW:  # draws of few people differ too little
        return _Again([np.flatnonzero(own != k) for k in range(len(known))], left_out=True)
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(known), (_DRAWS, len(known)))
    if len(known) == len(people):
        return _Again(list(drawn), left_out=False)
    return _Again([np.concatenate([theirs[k] for k in row]) for row in drawn], left_out=False)


def _share(hits: npt.NDArray[np.int64], of: npt.NDArray[np.int64], people: Sequence[str]) -> dict[str, float]:
    """Hits among all boxes of the pictures; the interval is that between people, also where none was missed."""
    flags = np.concatenate([np.arange(n) < h for h, n in zip(hits, of, strict=True)])
    whose = np.repeat(people, of)
    if len(np.unique(whose)) < 2:
        return {"value": float(flags.mean()) if len(flags) else 0.0}
    return share_of(flags, whose)


def _ends(value: float, some: Sequence[_Matched], people: Sequence[str]) -> tuple[float, float]:
    """How far below and above the average precision of a class may lie of which no draw tells: 0 where draws do.

    At the last hit precision is no higher than the hull is before, so that average precision is at least recall times
    precision; and it is at most recall. Where all is found, or nothing, both are shares of which no person differs.
    """
    if value not in (0.0, 1.0):
        return 0.0, 0.0
    whose = np.repeat(people, [m.truths for m in some])
    if len(np.unique(whose)) < 2:
        return float("nan"), float("nan")
    told = share_of(np.full(len(whose), value == 1.0), whose)
    return (1 - told["low"] ** 2, 0.0) if value else (0.0, told["high"])


def _untold(
    value: float, some: Sequence[_Matched], people: Sequence[str], drawn: Sequence[float], again: _Again
) -> tuple[float, float]:
    """As `_ends`; between 0 and 1 as much as is lacking for the interval to reach as far as that of recall does."""
    if value in (0.0, 1.0) or not again.rows:
        return _ends(value, some, people)
    flags = np.concatenate([np.arange(m.truths) < np.count_nonzero(m.right) for m in some])
    told = share_of(flags, np.repeat(people, [m.truths for m in some]))
    own = _interval(value, drawn, again)
    low, high = (value * told[end] / told["value"] for end in ("low", "high"))
    below = max(0.0, (value - low) ** 2 - (value - own["low"]) ** 2)
    above = max(0.0, (min(high, 1.0) - value) ** 2 - (own["high"] - value) ** 2)
    return float(np.sqrt(below)), float(np.sqrt(above))


def _mean_ends(values: Sequence[float], ends: Sequence[tuple[float, float]]) -> tuple[float, float]:
    low, high = np.sum(ends, axis=0) / len(values)
    return float(low), float(high)


def _interval(
    value: float, found: Any, again: _Again, most: float = 1.0, *, ends: tuple[float, float] = (0.0, 0.0)
) -> dict[str, float]:
    """With the interval of the draws, or Student's of the figures without each person (Tukey's jackknife); farther by
    `ends`, of which the draws do not tell."""
    from scipy.stats import t

    finite = np.asarray(found, float)
    finite = finite[np.isfinite(finite)]
    k = len(again.rows)
    if not len(finite) or (again.left_out and len(finite) < k) or not np.isfinite(ends).all():
        return {"value": value}
    if again.left_out:
        half = float(t.ppf(0.975, k - 1) * np.sqrt((k - 1) / k * np.sum((finite - finite.mean()) ** 2)))
        low, high = value - half, value + half
    else:
        low, high = (float(v) for v in np.percentile(finite, (2.5, 97.5)))
    below, above = np.hypot(value - low, ends[0]) if low < value else ends[0], np.hypot(max(0.0, high - value), ends[1])
    return {"value": value, "low": max(0.0, value - float(below)), "high": min(most, value + float(above))}


def counting_thresholds(truths: Sequence[Boxed], founds: Sequence[Found], classes: int) -> list[float]:
    """For each class the score above which as many boxes are found as there are things."""
    found = []
    for kind in range(classes):
        wanted = sum(int(np.count_nonzero(one.kinds == kind)) for one in truths)
        scores = np.sort(np.concatenate([said.scores[said.kinds == kind] for said in founds]))[::-1]
        found.append(float(scores[min(wanted, len(scores)) - 1]) if wanted and len(scores) else 0.5)
    return found


def cases_of(
    truths: Sequence[Boxed], founds: Sequence[Found], classes: Sequence[str], thresholds: Sequence[float]
) -> list[dict[str, Any]]:
    """A row for each picture: ``right`` is the share of hits among what is there or was counted, 1 where nothing is."""
    rows = []
    for one, said in zip(truths, founds, strict=True):
        hit = either = 0
        for kind in range(len(classes)):
            found = _matched(one, said, kind, 0.5)
            counted = found.scores >= thresholds[kind]
            both = int(np.count_nonzero(found.right & counted))
            hit, either = hit + both, either + int(np.count_nonzero(counted)) + found.truths - both
        right = hit / either if either else 1.0
        rows.append({"name": one.name, "person": one.whose or one.name, "right": right})
    return rows


def rows_of(
    truths: Sequence[Boxed], founds: Sequence[Found], classes: Sequence[str], thresholds: Sequence[float]
) -> list[dict[str, Any]]:
    """A row for each box: picture, class, sides, score, whether it is counted, and whether it is a hit."""
    rows = []
    for one, said in zip(truths, founds, strict=True):
        for kind, name in enumerate(classes):
            own = np.flatnonzero(said.kinds == kind)
            own = own[np.argsort(-said.scores[own], kind="stable")]
            taken = hits(said.boxes[own], one.boxes[one.kinds == kind])
            for k, hit in zip(own, taken, strict=True):
                left, top, right, bottom = (round(float(v), 3) for v in said.boxes[k])
                rows.append({
                    "name": one.name, "class": name, "xmin": left, "ymin": top, "xmax": right, "ymax": bottom,
                    "score": round(float(said.scores[k]), 7), "counted": bool(said.scores[k] >= thresholds[kind]),
                    "hit": bool(hit >= 0),
                })  # fmt: skip
    return rows
