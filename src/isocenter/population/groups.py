"""Two groups of people beside each other, field by field.

A person stands in a comparison once, with the first study of the group that has the value; who is in both groups is in
neither. Means of fewer than ten are withheld, and of many fields the p values are corrected (Holm), for whoever looks
at twenty finds one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np

from isocenter.errors import Refused
from isocenter.methods.two_groups import contrast, holm
from isocenter.population.table import FEW, Member, fields, having

__all__ = ["choices", "contrasted", "first_of_each"]

_MOST = 60  # kinds of a field of words that can be chosen


def choices(members: Sequence[Member]) -> list[dict[str, Any]]:
    """Fields of words with the values by which at least ten people can be told from others."""
    told, of = [], having(members)
    for one in (f for f in fields(members) if f["kind"] == "words"):
        people: dict[str, set[str]] = {}
        for m in of[one["name"]]:
            people.setdefault(str(m.values[one["name"]]), set()).add(m.patient)
        words = sorted(w for w, who in people.items() if len(who) >= FEW)[:_MOST]
        if words:
            told.append({"name": one["name"], "title": one["title"], "values": words})
    return told


def first_of_each(members: Sequence[Member]) -> list[Member]:
    """The earliest study of each person; studies without a date come last."""
    first: dict[str, Member] = {}
    for one in sorted(members, key=lambda m: (m.day or date.max, m.study)):
        first.setdefault(one.patient, one)
    return list(first.values())


def contrasted(members: Sequence[Member], by: str, one: str, other: str) -> dict[str, Any]:
    """The people of whom a field of words says `one`, against those of whom it says `other`.

    Returns:
        groups: value and people of each; both: people who were in both and are in neither; fields: each number with
        means, their difference and its interval, Hedges' g, p and Holm's p, and the shares that miss it.

    Raises:
        Refused: the same group twice, or fewer than ten people in one.
    """
    if one == other:
        raise Refused(f"'{one:.40}' against itself", "it does not differ from itself", "choose two groups")
    held = [[m for m in members if str(m.values.get(by, "")) == value] for value in (one, other)]
    common = {m.patient for m in held[0]} & {m.patient for m in held[1]}
    sides = [[m for m in some if m.patient not in common] for some in held]
    people = [len({m.patient for m in some}) for some in sides]
    for value, n in zip((one, other), people, strict=True):
        if n < FEW:
            left = " once those in both groups are left out" if common else ""
            raise Refused(
                f"the group '{value:.40}'", f"it has fewer than {FEW} people{left}: a mean of so few says nothing, and "
                "might point to one of them", "widen the question, or choose another group",
            )  # fmt: skip
    of = [having(some) for some in sides]
    told = [
        _line(f, [each.get(f["name"], []) for each in of], people)
        for f in fields([*sides[0], *sides[1]])
        if f["kind"] == "number"
    ]
    tested = [line for line in told if line["p"] is not None]
    for line, p in zip(tested, holm([line["p"] for line in tested]), strict=True):
        line["holm"] = p
    both = len(common)
    return {
        "by": by, "groups": [{"value": v, "people": n} for v, n in zip((one, other), people, strict=True)],
        "both": both if both >= FEW or not both else None, "few": FEW, "fields": told, "tested": len(tested),
    }  # fmt: skip


def _line(field: dict[str, Any], sides: Sequence[Sequence[Member]], people: Sequence[int]) -> dict[str, Any]:
    """One number of the two groups. `sides`: studies of each that have it; `people`: of each group, with it or not."""
    name = field["name"]
    values = [np.array([float(m.values[name]) for m in first_of_each(some)]) for some in sides]
    line: dict[str, Any] = {
        "name": name, "title": field["title"], "unit": field["unit"], "difference": None, "low": None, "high": None,
        "g": None, "superiority": None, "p": None, "holm": None, "because": "",
        "sides": [_side(v, n) for v, n in zip(values, people, strict=True)],
    }  # fmt: skip
    if any(side["n"] is None for side in line["sides"]):
        return {**line, "because": f"fewer than {FEW} people of a group have it"}
    try:
        found = contrast(*values)
    except Refused as refused:
        return {**line, "because": refused.what}
    return {
        **line, "difference": found.difference, "low": found.low, "high": found.high, "g": found.hedges_g,
        "superiority": found.superiority, "p": found.p,
    }  # fmt: skip


def _side(values: np.ndarray[Any, np.dtype[np.float64]], people: int) -> dict[str, Any]:
    if len(values) < FEW:
        return {"n": None, "mean": None, "sd": None, "missing": None}
    missing = people - len(values)
    share = missing / people if missing >= FEW or not missing else None
    return {"n": len(values), "mean": float(values.mean()), "sd": float(values.std(ddof=1)), "missing": share}
