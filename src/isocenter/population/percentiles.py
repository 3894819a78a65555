"""Where one value stands among the people of a cohort: its percentile with an interval, or why none is given.

A person stands in the reference once, with the first study that has the value. Those of another sex, or of an age too
far away, are left out where age and sex are said. Fewer than 39 people carry no outer percentile (CLSI EP28-A3c), and a
value beyond all that was seen has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from isocenter.errors import Refused
from isocenter.methods.intervals import wilson
from isocenter.population.groups import first_of_each
from isocenter.population.table import Member, fields

__all__ = ["AROUND_YEARS", "LEAST", "placed"]

LEAST = 39
"""So few people give a 2.5th and a 97.5th percentile without a model of their distribution."""
AROUND_YEARS = 5.0
"""So far from an age people may be to be compared with it."""
_MARKS = (2.5, 5.0, 25.0, 50.0, 75.0, 95.0, 97.5)


def placed(
    members: Sequence[Member], name: str, value: float, *, age: float | None = None, sex: str = ""
) -> dict[str, Any]:
    """The percentile of a value of one field among people.

    Args:
        value: in the unit of the field.
        age: only people who were within five years of it when they were studied; None for all.
        sex: only people of it; empty for all.

    Returns:
        n: people of the reference; marks: its percentiles; percentile: the part of it below the value, those who have
        the same value counted half; low, high: its 95 % interval (Wilson's, of all below and of none of these); None
        and `because` where it lies beyond all of them.

    Raises:
        Refused: no field of numbers has that name, or fewer than 39 people are left.
    """
    field = next((f for f in fields(members) if f["name"] == name and f["kind"] == "number"), None)
    if field is None:
        raise Refused(f"the field '{name:.60}'", "no study here has it as a number", "choose one of the list of fields")
    of = first_of_each([m for m in members if name in m.values and _like(m, age, sex)])
    if len(of) < LEAST:
        raise Refused(
            f"a percentile among fewer than {LEAST} people", f"so few do not tell how {field['title']} is spread",
            "widen the question, or leave age or sex out",
        )  # fmt: skip
    held = np.array([float(m.values[name]) for m in of])
    told: dict[str, Any] = {
        "field": name, "title": field["title"], "unit": field["unit"], "value": value, "n": len(held),
        "marks": [{"at": p, "value": float(v)} for p, v in zip(_MARKS, np.percentile(held, _MARKS), strict=True)],
        "percentile": None, "low": None, "high": None, "because": "",
    }  # fmt: skip
    below, same = int((held < value).sum()), int((held == value).sum())
    if (below == 0 or below == len(held)) and not same:
        side = "below" if below == 0 else "above"
        return {**told, "because": f"the value lies {side} all {len(held)} people of the reference"}
    low, high = wilson(below, len(held)).low, wilson(below + same, len(held)).high
    return {**told, "percentile": 100 * (below + same / 2) / len(held), "low": 100 * low, "high": 100 * high}


def _like(of: Member, age: float | None, sex: str) -> bool:
    if sex and of.values.get("sex") != sex:
        return False
    had = of.values.get("age")
    return age is None or (isinstance(had, float) and abs(had - age) <= AROUND_YEARS)
