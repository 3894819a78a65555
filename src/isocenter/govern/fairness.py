"""How a model does for each group of people: the table that stands in its evidence and on its page.

Sex, age band, site, scanner, and every two of them together. Each row has its numbers with intervals or says
*insufficient data*; each is compared with everybody else of the same division, and what chance does not explain after
correction for all comparisons is a gap. People of whom nothing is known are a group of their own and never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods import clusters, roc, subgroups
from isocenter.methods.divisions import division

__all__ = ["DRAWN", "LEVEL", "MOST", "Cases", "fairness"]

LEVEL = 0.03
"""Corrected chance below which a gap is told: under the 5 of 100 false tables that are promised, with room to spare."""

DRAWN = 999
"""How often groups are drawn again."""

MOST = 40
"""Values that a division may have; more name people and not groups."""

_WIDE = 0.10  # half-width of an interval beyond which it says that it is wide
Strings = npt.NDArray[np.str_]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Cases:
    """What a model said of labelled cases, and who they were.

    Args:
        right: (n,) 0 or 1, or an overlap from 0 to 1. figure: what that is, ``accuracy`` or ``dice``.
        truth, score, called: (n,) for two classes, else None: label, certainty, whether it was called.
        groups: division (sex, age, site, scanner) -> (n,) value of each case; empty and ``unknown`` mean unknown.
        people: (n,) whose case it is, where it is known. Who has several is drawn into a group with all of them, and
            the intervals are those between people.
    """

    right: npt.NDArray[np.float64]
    figure: str
    groups: Mapping[str, Strings]
    truth: npt.NDArray[np.int64] | None = None
    score: npt.NDArray[np.float64] | None = None
    called: Mask | None = None
    people: npt.NDArray[Any] | None = None


def fairness(cases: Cases, *, few: int = subgroups.FEW, seed: int = 0, times: int = DRAWN) -> dict[str, Any]:
    """``{"subgroups": rows, "gaps": those that chance does not explain, "worst": …, "comparisons": n, "method": …}``.

    Each gap is ``{"by", "worse", "figure", "value", "low", "high", "p", "p_corrected"}``. Beside sensitivity and
    specificity at the operating point the order itself is compared: how the diseased of a group are ranked among all
    without the disease (``rank of the diseased``), and the reverse; a group may lose there what no threshold shows.

    Args:
        few: events below which a group has insufficient data. seed, times: of the drawing of groups.

    Raises:
        Refused: no division, one with another number of cases, or one that names people.
    """
    rows, masks = list[dict[str, Any]](), list[Mask]()
    own, divisions = clusters.owners(cases.people, len(cases.right)), _divisions(cases)
    for by, values in divisions.items():
        for name in sorted(set(values.tolist())):
            masks.append(values == name)
            rows.append(_row(cases, own, by, name, masks[-1], few))
    compared = [
        n for n, row in enumerate(rows)
        if not any(r["by"] == row["by"] for r in rows[:n]) or sum(r["by"] == row["by"] for r in rows) > 2
    ]  # fmt: skip  # of two groups, one is the other's rest
    asked = (
        _questions(cases, np.array(masks), compared, few) if own is None
        else _of_people(cases, own, divisions, rows, compared, few)
    )  # fmt: skip
    told = subgroups.chances([one.question for one in asked], rng=np.random.default_rng(seed), times=times)
    found = []
    for one, (alone, corrected) in zip(asked, told, strict=True):
        for n, p, p_corrected in zip(one.rows, alone, corrected, strict=True):
            gap = _gap(one, masks[n][one.about], None if own is None else own[one.about])
            line = {**gap, "p": float(p), "p_corrected": float(p_corrected)}
            rows[n]["gaps"][one.figure] = line
            worse = rows[n] if gap["value"] < 0 else _only_other(rows, rows[n])
            if p_corrected < LEVEL and worse is not None:
                found.append({"by": worse["by"], "worse": worse["name"], "figure": one.figure, **line})
    comparisons = sum(len(one.rows) for one in asked)
    return {
        "subgroups": rows,
        "gaps": sorted(found, key=lambda one: (one["p_corrected"], one["p"])),
        "worst": _worst(cases, rows),
        "comparisons": comparisons,
        "method": f"each group against all others of its division; Westfall and Young's correction over all "
        f"{comparisons} comparisons at {LEVEL:g}; fewer than {few} events are insufficient data"
        + ("" if own is None else "; people have several cases, and are drawn with all of theirs"),
    }


@dataclass(frozen=True, eq=False)
class _Asked:
    """A figure of the cases `about`, with their values, and the rows that it is asked of."""

    figure: str
    about: Mask
    values: npt.NDArray[np.float64]
    rows: list[int]
    question: subgroups.Question


def _figures(cases: Cases) -> list[tuple[str, Mask, npt.NDArray[np.float64]]]:
    """Each figure, the cases that it is about, and what it is the mean of."""
    if cases.truth is None or cases.score is None or cases.called is None:
        return [(cases.figure, np.ones(len(cases.right), bool), cases.right)]
    sick, (up, down) = cases.truth == 1, roc.components(cases.truth, cases.score)
    rank = np.empty(len(sick))
    rank[sick], rank[~sick] = up, down
    called = cases.called.astype(np.float64)
    parts = [
        ("sensitivity", sick, called), ("rank of the diseased", sick, rank),
        ("specificity", ~sick, 1 - called), ("rank of the healthy", ~sick, rank),
    ]  # fmt: skip
    return [(figure, about, values[about]) for figure, about, values in parts]


def _questions(cases: Cases, masks: npt.NDArray[np.bool_], compared: list[int], few: int) -> list[_Asked]:
    """Figures, the groups that have events enough on both sides, and the cases that each figure is about."""
    asked = []
    for figure, about, values in _figures(cases):
        within = masks[:, about]
        enough = [n for n in compared if few <= within[n].sum() <= within.shape[1] - few]
        if enough:
            asked.append(_Asked(figure, about, values, enough, subgroups.Question(values, within[enough])))
    return asked


def _of_people(
    cases: Cases, own: npt.NDArray[np.int64], divisions: Mapping[str, Strings], rows: list[dict[str, Any]],
    compared: list[int], few: int,
) -> list[_Asked]:  # fmt: skip
    """The same where people have several cases: of each division what every one of them adds."""
    asked = []
    for figure, about, values in _figures(cases):
        for by, names in divisions.items():
            sums, of = clusters.apart(values, names[about], own[about])
            within = {n: of == rows[n]["name"] for n in compared if rows[n]["by"] == by}
            enough = [n for n, mine in within.items() if few <= mine.sum() <= len(of) - few]
            if enough:
                question = subgroups.Question(sums, np.array([within[n] for n in enough]), sums=True)
                asked.append(_Asked(figure, about, values, enough, question))
    return asked


def _gap(one: _Asked, mine: Mask, own: npt.NDArray[np.int64] | None) -> dict[str, float]:
    whose = {} if own is None else {"people": own[mine], "others_people": own[~mine]}
    shares = bool(np.isin(one.values, (0, 1)).all())
    gap = (subgroups.share_gap if shares else subgroups.mean_gap)(one.values[mine], one.values[~mine], **whose)
    return {"value": gap.value, "low": gap.low, "high": gap.high}


def _divisions(cases: Cases) -> dict[str, Strings]:
    if not cases.groups:
        raise Refused("no groups", "nobody can be told apart", "give sex, age, site or scanner of the cases")
    known: dict[str, Strings] = {}
    for by, values in cases.groups.items():
        if len(values) != len(cases.right):
            raise Refused(
                f"{len(values)} values of {by} for {len(cases.right)} cases",
                "each case has one",
                "give one for each case",
            )
        known[by] = division(by, values)
        if len(set(known[by].tolist())) > MOST:
            raise Refused(
                f"{len(set(known[by].tolist()))} values of {by}", "that names people, not groups",
                f"give at most {MOST}, such as bands",
            )  # fmt: skip
    for one, other in combinations(tuple(known), 2):
        both = np.array([f"{a}, {b}" for a, b in zip(known[one], known[other], strict=True)], np.str_)
        if len(set(both.tolist())) <= MOST:
            known[f"{one} and {other}"] = both
    return known


def _events(cases: Cases, mine: Mask) -> int:
    return int((cases.truth[mine] == 1).sum()) if cases.truth is not None else int(mine.sum())


def _row(cases: Cases, own: npt.NDArray[np.int64] | None, by: str, name: str, mine: Mask, few: int) -> dict[str, Any]:
    events = _events(cases, mine)
    row: dict[str, Any] = {
        "by": by, "name": name, "n": int(mine.sum()), "events": events, "metrics": {}, "gaps": {}, "wide": [],
    }  # fmt: skip
    if events < few:
        return {**row, "insufficient": subgroups.insufficient(events, few)}
    whose = None if own is None else own[mine]
    if cases.truth is None or cases.score is None or cases.called is None:
        if whose is not None and (people := len(np.unique(whose))) < few:
            return {**row, "insufficient": subgroups.insufficient(people, few, "patient")}
        row["metrics"][cases.figure] = _mean(cases.right[mine], cases.figure, whose)
        return _marked(row)
    row |= subgroups.figures_of(cases.truth[mine], cases.score[mine], cases.called[mine], few=few, people=whose)
    return _marked(row)


def _marked(row: dict[str, Any]) -> dict[str, Any]:
    row["wide"] = [name for name, m in row["metrics"].items() if (m["high"] - m["low"]) / 2 > _WIDE]
    return row


def _mean(values: npt.NDArray[np.float64], figure: str, own: npt.NDArray[np.int64] | None) -> dict[str, float]:
    if figure == "accuracy":
        told = clusters.share(values > 0.5, own)
        return {"value": told.value, "low": told.low, "high": told.high}
    whose = np.arange(len(values)) if own is None else own
    half = 1.959963984540054 * clusters.mean_error(values, whose) if len(values) > 1 else np.inf
    return {"value": float(values.mean()), "low": float(values.mean() - half), "high": float(values.mean() + half)}


def _only_other(rows: list[dict[str, Any]], row: dict[str, Any]) -> dict[str, Any] | None:
    """Who is worse where a group of two is better; of several, it is not said that all others are."""
    rest = [r for r in rows if r["by"] == row["by"] and r is not row]
    return rest[0] if len(rest) == 1 else None


def _worst(cases: Cases, rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The group with the lowest sensitivity (or rightness) among those with data; not by itself a gap."""
    figure = "sensitivity" if cases.truth is not None else cases.figure
    told = [r for r in rows if figure in r["metrics"]]
    if not told:
        return None
    worst = min(told, key=lambda r: r["metrics"][figure]["value"])
    return {"by": worst["by"], "name": worst["name"], "figure": figure, "n": worst["n"], **worst["metrics"][figure]}
