"""Whether a model does worse for some people: figures of each group, and gaps that chance does not explain.

Each group is held against everybody else of the same division (all other sites, the other sex). Looking at many groups
finds gaps by chance alone, so that the chances are corrected for all comparisons together by Westfall & Young's method
(1993): who belongs to which group is drawn again many times among cases of the same truth, and the smallest chance of
all comparisons is kept each time. The chance of one false alarm or more then stays at its level, however the groups
overlap and however small they are. A group with few events is not compared at all: it says nothing, and silence about
it would be taken for fairness.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods.calibration import expected_error
from isocenter.methods.clusters import mean_error, owners, share
from isocenter.methods.roc import auc

__all__ = [
    "FEW", "Gap", "Question", "area_gap", "bands", "chances", "events", "figures_of", "insufficient", "mean_gap",
    "share_gap", "shown",
]  # fmt: skip

FEW = 10
"""Fewer events than this are insufficient data (handbooks ask for ten at least)."""

_YEARS = (0.0, 18.0, 40.0, 65.0, 80.0)
_OLDEST = 130.0  # years
_AT_ONCE = 8_000_000  # values that are drawn again at once, which bounds the memory


def events(group: Mapping[str, Any]) -> int:
    """Cases of a group that count: those with the disease, or all where its row does not tell them apart."""
    n = int(group.get("n", 0))
    return min(n, int(group.get("events", group.get("positives", n))))


def insufficient(held: int, few: int, what: str = "event") -> str:
    """That nothing is told of a group with fewer than `few`.

    >>> insufficient(1, 10), insufficient(0, 2, "case")
    ('insufficient data: 1 event, 10 are needed', 'insufficient data: 0 cases, 2 are needed')
    """
    one, _, of = what.partition(" ")
    return f"insufficient data: {held} {one}{'' if held == 1 else 's'}{' ' * bool(of)}{of}, {few} are needed"


def shown(groups: Sequence[Mapping[str, Any]], few: int = FEW) -> list[dict[str, Any]]:
    """Rows of groups as anybody may see them: of fewer events than `few` no figure, which might point to a person.

    Args:
        groups: each with ``n``, ``metrics`` and where it is known ``events``.

    >>> shown([{"name": "80+", "n": 40, "events": 8, "metrics": {"auc": {"value": 0.7}}}])[0]["insufficient"]
    'insufficient data: 8 events, 10 are needed'
    """
    told = []
    for one in groups:
        if (held := events(one)) >= few:
            told.append(dict(one))
            continue
        counts = {name: value for name, value in one.items() if not isinstance(value, Mapping | list)}
        why = one.get("insufficient") or insufficient(held, few)
        told.append({**counts, "metrics": {}, "insufficient": why})
    return told


def figures_of(
    truth: npt.ArrayLike, score: npt.ArrayLike, called: npt.ArrayLike, *, rank: npt.ArrayLike | None = None,
    few: int = FEW, people: npt.ArrayLike | None = None,
) -> dict[str, Any]:  # fmt: skip
    """What is told of one group of two classes: who is found, whether a call can be believed, whether certainties hold.

    Args:
        truth: (n,) 1 with the disease. score: (n,) certainty from 0 to 1. called: (n,) whether it was called.
        rank: (n,) what orders the cases where that is finer than the certainty.
        few: events below which nothing is told; cases without the disease below which only sensitivity is.
        people: (n,) whose case it is; who has several counts once among the few.

    Returns:
        ``metrics`` (sensitivity, specificity, ppv, auc; shares with Wilson's interval) and ``calibration`` (``ece``,
        the expected error in ten bins; ``observed`` and ``stated`` share of the disease); or ``insufficient`` or
        ``without``, which say why not. Of a group that nothing was called of there is no ppv.

    >>> figures_of([1] * 12 + [0] * 12, [0.9] * 12 + [0.2] * 12, [True] * 11 + [False] * 13)["metrics"]["ppv"]["value"]
    1.0
    """
    sick, said, stated = np.asarray(truth) == 1, np.asarray(called, bool), np.asarray(score, np.float64)
    own = owners(people, len(sick))
    whose = np.arange(len(sick)) if own is None else own
    what, held = ("event", int(sick.sum())) if own is None else ("patient with an event", len(np.unique(whose[sick])))
    healthy = len(np.unique(whose[~sick]))
    if held < few:
        return {"metrics": {}, "insufficient": insufficient(held, few, what)}
    metrics = {"sensitivity": _share(said[sick], whose[sick])}
    if healthy < few:
        who = "cases" if own is None else "patients"
        return {"metrics": metrics, "without": f"{healthy} {who} without the disease: no specificity, PPV, area or ECE"}
    metrics["specificity"] = _share(~said[~sick], whose[~sick])
    if said.any():
        metrics["ppv"] = _share(sick[said], whose[said])
    area = auc(sick.astype(int), stated if rank is None else rank, people=own)
    metrics["auc"] = {"value": area.value, "low": area.low, "high": area.high}
    error = expected_error(sick, np.clip(stated, 0, 1))
    told = {"ece": error, "observed": float(sick.mean()), "stated": float(stated.mean())}
    return {"metrics": metrics, "calibration": told}


def _share(hits: npt.NDArray[np.bool_], people: npt.NDArray[np.int64]) -> dict[str, float]:
    told = share(hits, people)
    return {"value": told.value, "low": told.low, "high": told.high}


@dataclass(frozen=True)
class Gap:
    """A figure of a group minus that of everybody else, with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Question:
    """One figure, asked of many groups over the same cases.

    Args:
        values: (n,) of the cases that the figure is about (the diseased, for sensitivity): 0 and 1, or any numbers,
            of which then only the order counts.
        groups: (k, n) who belongs to which group; each with cases on both sides.
        sums: whether the values are what patients add in all (`clusters.apart`), and count as they are.
    """

    values: npt.NDArray[np.float64]
    groups: npt.NDArray[np.bool_]
    sums: bool = False


def chances(
    questions: Sequence[Question], *, rng: np.random.Generator, times: int = 999
) -> list[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
    """For each question the chances (k,) of its groups: alone, and corrected for all groups of all questions.

    Alone it is Fisher's exact test for shares, the rank-sum test for other values, and for sums that of their mean by
    its spread over all ways to belong to the group. Questions that are about the same
    cases must have them in the same order; they are drawn again together.

    Args:
        times: how often it is drawn again; no corrected chance is below 1 / (times + 1).

    Raises:
        Refused: a group without cases on one side, or values that are not finite.
    """
    tables = [_Table(q) for q in questions]
    least = np.ones(times)
    for size in dict.fromkeys(len(q.values) for q in questions):
        mine = [t for t in tables if len(t.values) == size and len(t.groups)]
        step = max(1, _AT_ONCE // max(size, 1))
        for start in range(0, times, step) if mine else ():
            drawn = rng.permuted(np.tile(np.arange(size, dtype=np.int32), (min(step, times - start), 1)), axis=1)
            here = slice(start, start + len(drawn))
            for table in mine:
                least[here] = np.minimum(least[here], table.chance(table.values[drawn] @ table.groups.T).min(1))
    order = np.sort(least)
    found = []
    for table in tables:
        alone = table.chance((table.groups @ table.values)[None])[0]
        below = np.searchsorted(order, alone * (1 + 1e-9), "right")
        found.append((alone, (1 + below) / (1 + times)))
    return found


class _Table:
    """Sum over a group -> its chance when belonging to the group means nothing."""

    def __init__(self, question: Question) -> None:
        from scipy.stats import rankdata

        values, groups = np.asarray(question.values, np.float64), np.asarray(question.groups, bool)
        if not np.isfinite(values).all() or groups.ndim != 2 or groups.shape[1] != len(values):
            raise Refused(
                f"values of {len(values)} cases and groups of shape {groups.shape}",
                "each case has a value",
                "give a group for each value",
            )
        inside = groups.sum(1)
        if len(groups) and (inside.min() < 1 or inside.max() >= len(values)):
            raise Refused(
                "a comparison with an empty group", "there is nothing to compare", "give cases of both groups"
            )
        self.groups = groups.astype(np.float32)
        self._shares = not question.sums and bool(np.isin(values, (0, 1)).all())
        if self._shares:
            self.values = values.astype(np.float32)
            self._exact = [_fisher(len(values), int(values.sum()), int(n)) for n in inside]
        else:
            ranks = values if question.sums else rankdata(values)
            # Of values that are all alike no group is higher: nothing stands against chance.
            self.values = ((ranks - ranks.mean()) / (ranks.std() or 1.0)).astype(np.float32)
            n = len(values)
            self._spread = np.sqrt(inside * (n - inside) / (n - 1.0))

    def chance(self, sums: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        from scipy.special import ndtr

        if not self._shares:
            return np.asarray(2 * ndtr(-np.abs(sums / self._spread)), np.float64)
        counts = np.rint(sums).astype(np.int64)
        return np.stack([table[counts[:, g]] for g, table in enumerate(self._exact)], 1)


def _fisher(n: int, hits: int, inside: int) -> npt.NDArray[np.float64]:
    """Two-sided exact chance of each number of hits in a group: all outcomes that are no likelier."""
    from scipy.special import gammaln

    k = np.arange(max(0, inside - (n - hits)), min(hits, inside) + 1)
    ways = [gammaln(a + 1) - gammaln(b + 1) - gammaln(a - b + 1) for a, b in ((hits, k), (n - hits, inside - k))]
    likely = np.zeros(inside + 1)
    likely[k] = np.exp(sum(ways) - (gammaln(n + 1) - gammaln(inside + 1) - gammaln(n - inside + 1)))
    order = np.argsort(likely, kind="stable")
    total = np.cumsum(likely[order])
    place = np.searchsorted(likely[order], likely * (1 + 1e-7), "right") - 1
    return np.asarray(np.minimum(1.0, total[place]), np.float64)


def share_gap(
    mine: npt.ArrayLike, others: npt.ArrayLike, *, people: npt.ArrayLike | None = None,
    others_people: npt.ArrayLike | None = None,
) -> Gap:  # fmt: skip
    """Difference of two independent shares with Newcombe's interval (Stat Med 1998;17:873, method 10).

    Args:
        people, others_people: whose cases they are, where people have several.

    Raises:
        Refused: for a group without cases.

    >>> round(share_gap([1, 1, 0, 0, 0], [1, 1, 1, 1, 0]).value, 3)
    -0.4
    """
    a, b = np.asarray(mine, bool).ravel(), np.asarray(others, bool).ravel()
    if not len(a) or not len(b):
        raise Refused("a comparison with an empty group", "there is nothing to compare", "give cases of both groups")
    one, other = share(a, people), share(b, others_people)
    value = one.value - other.value
    low = value - float(np.hypot(one.value - one.low, other.high - other.value))
    high = value + float(np.hypot(one.high - one.value, other.value - other.low))
    return Gap(value, low, high)


def area_gap(
    labels: npt.ArrayLike, scores: npt.ArrayLike, other_labels: npt.ArrayLike, other_scores: npt.ArrayLike
) -> Gap:
    """Difference of the areas under the curve of two groups of different people, each with DeLong's interval.

    The intervals are put together as Newcombe does for shares, so that few cases near an area of 1 stay lopsided.

    Raises:
        Refused: as `roc.auc`.
    """
    one, other = auc(labels, scores), auc(other_labels, other_scores)
    value = one.value - other.value
    low = value - float(np.hypot(one.value - one.low, other.high - other.value))
    high = value + float(np.hypot(one.high - one.value, other.value - other.low))
    return Gap(value, low, high)


def mean_gap(
    mine: npt.ArrayLike, others: npt.ArrayLike, *, people: npt.ArrayLike | None = None,
    others_people: npt.ArrayLike | None = None,
) -> Gap:  # fmt: skip
    """Difference of two means (such as Dice) with Welch's interval.

    Args:
        people, others_people: whose cases they are, where people have several; the spread is then that between them.

    Raises:
        Refused: with fewer than two cases, or people, in a group.
    """
    from scipy.stats import t as student

    a, b = np.asarray(mine, np.float64).ravel(), np.asarray(others, np.float64).ravel()
    if min(len(a), len(b)) < 2:
        raise Refused(f"{len(a)} cases against {len(b)}", "one case has no spread", "give two cases of each or more")
    sides = [(x, np.arange(len(x)) if (own := owners(p, len(x))) is None else own)
             for x, p in ((a, people), (b, others_people))]  # fmt: skip
    counts = [len(np.unique(own)) for _, own in sides]
    if min(counts) < 2:
        raise Refused(
            f"{counts[0]} people against {counts[1]}", "one has no spread", "give cases of two people of each or more"
        )
    value, parts = float(a.mean() - b.mean()), [mean_error(x, own) ** 2 for x, own in sides]
    error = float(np.sqrt(sum(parts)))
    if error == 0.0:
        return Gap(value, value, value)
    degrees = error**4 / (parts[0] ** 2 / (counts[0] - 1) + parts[1] ** 2 / (counts[1] - 1))
    half = float(student.ppf(0.975, degrees)) * error
    return Gap(value, value - half, value + half)


def bands(years: npt.ArrayLike) -> npt.NDArray[np.str_]:
    """Age bands of people: 0 to 17, 18 to 39, 40 to 64, 65 to 79, 80 and above; unknown where it is not a number.

    >>> bands([3, 64.9, 81, float("nan")]).tolist()
    ['0 to 17', '40 to 64', '80 and above', 'unknown']
    """
    given = np.asarray(years, np.float64).ravel()
    if (given[np.isfinite(given)] < 0).any():
        raise Refused("an age below 0", "nobody has it", "repair it, or leave it empty")
    if (given[np.isfinite(given)] > _OLDEST).any():
        raise Refused(f"an age of {given[np.isfinite(given)].max():g} years", f"nobody is older than {_OLDEST:g}",
                      "give ages and not years of birth, or leave it empty")  # fmt: skip
    names = [f"{int(a)} to {int(b) - 1}" for a, b in pairwise(_YEARS)]
    names = [*names, f"{int(_YEARS[-1])} and above", "unknown"]
    place = np.where(np.isfinite(given), np.searchsorted(_YEARS, np.nan_to_num(given), "right") - 1, len(_YEARS))
    return np.array(names, np.str_)[place]
