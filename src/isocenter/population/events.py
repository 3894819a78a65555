"""Time from a person's first study to the first later one in which something is seen: survival without it.

An archive of images knows no deaths and no symptoms; it knows what later images show. Somebody in whom the condition is
met at once is left out, and so is somebody without a later study that tells; who was never seen with it is censored at
the last study that tells. The event lies somewhere between two studies and is told at the later one, so that
whoever is imaged often is found sooner: curves of people with different intervals of control compare these, too.

Times are whole months, and a curve ends where fewer than ten people are left: a step of one person at one day would be
that person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np

from isocenter.errors import Refused
from isocenter.population.groups import first_of_each
from isocenter.population.table import FEW, Filter, Member, count_of

__all__ = ["followed", "survived"]

_MONTH_DAYS = 30.4375
_MOST_GROUPS = 6


@dataclass(frozen=True)
class _Followed:
    """One person: months to the event, or to the last study that tells; and the group at the beginning."""

    months: int
    event: bool
    group: str


def followed(
    cohort: Sequence[Member], everything: Sequence[Member], event: Sequence[Filter], by: str = ""
) -> tuple[list[_Followed], list[tuple[str, int]]]:
    """Everybody of a cohort from their first study in it on, and why how many are left out.

    Args:
        cohort: who is asked about. everything: all studies that may be used, which tell what became of them.
        event: conditions of which all must be met in one study.
        by: a field of words that makes groups, as it was at the beginning; empty for one group.
    """
    studies: dict[str, list[Member]] = {}
    for one in everything:
        if one.day is not None:
            studies.setdefault(one.patient, []).append(one)
    told, out = list[_Followed](), {"no date": 0, "it was there at the beginning": 0, "no later study tells": 0}
    for begin in first_of_each(cohort):
        if begin.day is None:
            out["no date"] += 1
        elif _met(begin, event):
            out["it was there at the beginning"] += 1
        else:
            telling = [
                (m.day, _met(m, event)) for m in studies.get(begin.patient, ())
                if m.day is not None and m.day > begin.day and all(f.name in m.values for f in event)
            ]  # fmt: skip
            if not telling:
                out["no later study tells"] += 1
                continue
            had = min((day for day, met in telling if met), default=None)
            end = had or max(day for day, _ in telling)
            group = str(begin.values.get(by, "missing")) if by else "all"
            told.append(_Followed(max(1, ceil((end - begin.day).days / _MONTH_DAYS)), had is not None, group))
    return told, [(why, n) for why, n in out.items() if n]


def _met(of: Member, event: Sequence[Filter]) -> bool:
    return all(one.holds(of) for one in event)


def survived(
    cohort: Sequence[Member], everything: Sequence[Member], event: Sequence[Filter], by: str = ""
) -> dict[str, Any]:
    """Kaplan-Meier curves of a cohort, with the log-rank test between groups.

    Raises:
        Refused: no condition, a field that no study has, or fewer than ten people who can be followed.
    """
    if not event:
        raise Refused("an event without a condition", "nothing would be waited for", "such as lesions:1.. or age:80..")
    known = {name for m in everything for name in m.values}
    if missing := [f.name for f in event if f.name not in known] + ([by] if by and by not in known else []):
        raise Refused(f"the field '{missing[0]:.60}'", "no study here has it", "choose one of the list of fields")
    people, out = followed(cohort, everything, event, by)
    if len(people) < FEW:
        left = f": {max(out, key=lambda one: one[1])[0]}" if out else ""
        raise Refused(
            "a curve of so few", f"fewer than {FEW} people of this cohort can be followed{left}",
            "widen the question, or wait for more studies of the same people",
        )  # fmt: skip
    names = sorted({p.group for p in people}, key=lambda g: (-sum(p.group == g for p in people), g))
    held = {name: [p for p in people if p.group == name] for name in names[:_MOST_GROUPS]}
    return {
        "event": [str(f) for f in event], "by": by, "few": FEW, "people": len(people),
        "left_out": [{"why": why, "people": count_of(n)} for why, n in out],
        "groups": [_curve(name, some) for name, some in held.items()], "test": _tested(held),
    }  # fmt: skip


def _curve(name: str, people: Sequence[_Followed]) -> dict[str, Any]:
    if len(people) < FEW:
        return {"group": name, "n": None}
    from isocenter.methods.survival import kaplan_meier

    time, event = np.array([p.months for p in people]), np.array([p.event for p in people])
    made = kaplan_meier(time, event)
    last = int(time.max())
    steps = [
        {"month": float(t), "survival": float(s), "low": _number(low), "high": _number(high)}
        for t, s, low, high, risk in zip(made.times, made.survival, made.low, made.high, made.at_risk, strict=True)
        if risk >= FEW
    ]
    at = [round(last * part / 4) for part in range(5)]
    return {
        "group": name, "n": len(people), "events": count_of(int(event.sum())) if event.any() else 0, "steps": steps,
        "median": made.median if (made.survival[made.at_risk >= FEW] <= 0.5).any() else None,
        "until": int(np.sort(time)[-FEW]), "at_risk": [{"month": m, "n": count_of(int((time >= m).sum()))} for m in at],
    }  # fmt: skip


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _tested(held: dict[str, list[_Followed]]) -> dict[str, Any] | None:
    """The log-rank test of the groups that are not withheld, or None where there are not two, or nothing happened."""
    from isocenter.methods.survival import log_rank

    some = {name: people for name, people in held.items() if len(people) >= FEW}
    if len(some) < 2 or not any(p.event for people in some.values() for p in people):
        return None
    found = log_rank([[p.months for p in q] for q in some.values()], [[p.event for p in q] for q in some.values()])
    return {"p": found.p, "statistic": found.statistic, "freedom": len(some) - 1}
