"""Where several numbers of one person stand among groups of people: by age, and in each disease.

In each group every number is a straight line in age with normal residuals. For a new person the deviation from the
line over its standard error of prediction has a t distribution with n - k degrees of freedom, and all deviations
together Hotelling's T² (Johnson and Wichern, Applied Multivariate Statistical Analysis, 7.7): with k terms in the line,
p numbers and residual degrees of freedom v = n - k, T² (v - p + 1) / (v p) has an F distribution with p and v - p + 1.
So a percentile of 2, or a *typicality* of 0.02, means what it says also in small groups: 2 in 100 people of the group
lie lower, or fit the group worse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from isocenter.errors import Refused

__all__ = ["GroupPattern", "Standing", "group_patterns"]

Array = npt.NDArray[np.float64]
_LEAST, _FOR_EACH = 20, 5  # people of a group; and for each number that is looked at together
_SPREAD_YEARS = 10.0  # of ages in a group, below which a line in age is a guess
_BEYOND_YEARS = 2.0  # outside of the ages of a group, up to which its line is believed


@dataclass(frozen=True)
class Standing:
    """One number of the person in one group.

    Args:
        value: of the person. expected, sd: of people of the group, at the person's age where a line was fitted.
        z: deviation over its standard error of prediction. percentile: share of the group that lies lower, 0 to 100.
    """

    name: str
    value: float
    expected: float
    sd: float
    z: float
    percentile: float


@dataclass(frozen=True)
class GroupPattern:
    """The person among the people of one group.

    Args:
        n: people of the group of whom every number is known. by_age: whether numbers are expected at the person's age.
        typicality: share of the group that fits it worse, 0 to 1, by all numbers together.
        standings: each number by itself. remarks: what was not done, and why.
    """

    group: str
    n: int
    by_age: bool
    typicality: float
    standings: tuple[Standing, ...]
    remarks: tuple[str, ...] = ()


def group_patterns(
    values: Mapping[str, float], people: Mapping[str, npt.ArrayLike], groups: Sequence[str], *,
    ages: npt.ArrayLike | None = None, age: float | None = None,
) -> list[GroupPattern]:  # fmt: skip
    """How one person fits each of several groups, the best first.

    It is no diagnosis and no chance of a disease: how common the groups are is not asked, and who is in none of them
    fits one of them best all the same. A typicality says how many people of a group are like this one or farther off.

    Args:
        values: numbers of the person by name.
        people: (n,) the same numbers of the people of the groups; NaN where one is not known.
        groups: (n,) name of each one's group.
        ages: (n,) years; age: of the person. Without either, age is left out of account.

    Raises:
        Refused: a number that is missing or not finite, rows of unlike length, or no group of 20 people (five for each
            number that is looked at).

    >>> rng = np.random.default_rng(0)
    >>> ages = rng.uniform(20, 80, 200)
    >>> ill = np.repeat(["healthy", "cirrhosis"], 100)
    >>> winding = 1.1 + 0.001 * ages + 0.2 * (ill == "cirrhosis") + rng.normal(0, 0.05, 200)
    >>> best, other = group_patterns({"tortuosity": 1.36}, {"tortuosity": winding}, ill, ages=ages, age=50)
    >>> best.group, round(best.standings[0].expected, 2), best.typicality > 0.5, other.typicality < 0.01
    ('cirrhosis', 1.35, True, True)
    """
    names = [name for name in values if name in people]
    if not names:
        raise Refused("no number in common", f"the person has {', '.join(values) or 'none'}, the groups "
                      f"{', '.join(people) or 'none'}", "name the columns like the numbers")  # fmt: skip
    mine = np.array([float(values[name]) for name in names])
    if not np.isfinite(mine).all():
        raise Refused(
            f"{names[int(np.argmin(np.isfinite(mine)))]} of the person",
            "it is no number",
            "give the number, or leave its column out",
        )
    table = np.column_stack([np.asarray(people[name], float) for name in names])
    which = np.asarray(groups, dtype=str)
    years = None if ages is None or age is None else np.asarray(ages, float)
    if len(which) != len(table) or (years is not None and len(years) != len(table)):
        raise Refused(
            "rows of unlike length", f"{len(table)} of numbers, {len(which)} of groups", "give a group for each row"
        )
    if age is not None and not 0 <= age <= 120:
        raise Refused(f"an age of {age:g}", "it is in years, 0 to 120", "give years")
    least = max(_LEAST, _FOR_EACH * len(names))
    known = np.isfinite(table).all(1)
    found, few = [], []
    for group in dict.fromkeys(which.tolist()):
        rows = (which == group) & known
        if rows.sum() < least:
            few.append(f"{group} ({int(rows.sum())})")
            continue
        found.append(_pattern(group, names, mine, table[rows], None if years is None else years[rows], age))
    if not found:
        raise Refused(
            f"groups of few people: {', '.join(few) or 'none'}", f"each needs {least} of whom every number is known",
            "look at fewer numbers, or add people",
        )  # fmt: skip
    return sorted(found, key=lambda one: -one.typicality)


def _pattern(
    group: str, names: Sequence[str], mine: Array, table: Array, years: Array | None, age: float | None
) -> GroupPattern:
    remarks: tuple[str, ...] = ()
    by_age = years is not None and age is not None
    if years is not None and age is not None:
        there = np.isfinite(years)
        if there.sum() < len(table):
            remarks += (f"the age of {int((~there).sum())} people is not known",)
        first, last = np.percentile(years[there], (0, 100)) if there.any() else (np.inf, -np.inf)
        if not there.all() or last - first < _SPREAD_YEARS:
            by_age, remarks = False, (*remarks, "age is left out of account: too little is known of it in this group")
        elif not first - _BEYOND_YEARS <= age <= last + _BEYOND_YEARS:
            by_age = False
            remarks += (f"age is left out of account: its people are {first:.0f} to {last:.0f} years old",)
    terms = [np.ones(len(table))]
    at = [1.0]
    if by_age and years is not None and age is not None:
        terms.append(years - years.mean())
        at.append(age - float(years.mean()))
    design, point = np.column_stack(terms), np.array(at)
    n, k, p = len(table), design.shape[1], len(names)
    fitted, *_ = np.linalg.lstsq(design, table, rcond=None)
    left = table - design @ fitted
    expected = point @ fitted
    spread = left.T @ left / (n - k)
    sd = np.sqrt(np.diag(spread))
    flat = sd <= 1e-12 * np.maximum(1.0, np.abs(expected))
    if flat.any():
        raise Refused(
            f"{names[int(np.argmax(flat))]} of {group}",
            "all people of the group have the same value",
            "leave its column out",
        )
    wider = 1 + float(point @ np.linalg.solve(design.T @ design, point))
    z = (mine - expected) / (sd * np.sqrt(wider))
    # In units of their spread, so that numbers of unlike size do not spoil the solution.
    correlation = spread / np.outer(sd, sd)
    if np.linalg.cond(correlation) > 1e10:
        raise Refused(f"numbers of {group}", "one of them is made of the others", "look at fewer numbers")
    together = float(z @ np.linalg.solve(correlation, z))
    dof = n - k
    typicality = float(stats.f.sf(together * (dof - p + 1) / (dof * p), p, dof - p + 1))
    lower = 100 * stats.t.cdf(z, dof)
    return GroupPattern(
        group, n, by_age, typicality,
        tuple(
            Standing(name, float(v), float(e), float(s), float(d), float(c))
            for name, v, e, s, d, c in zip(names, mine, expected, sd, z, lower, strict=True)
        ), remarks,
    )  # fmt: skip
