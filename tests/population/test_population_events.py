"""Time to the first later study that shows something: who counts, from when, until when, and what is withheld."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from isocenter.errors import Refused
from isocenter.population.events import followed, survived
from isocenter.population.table import Member, filters

BEGIN = date(2020, 1, 1)
EVENT = filters("mm:10..")


def study(n: int, day: int, mm: float | None, sex: str = "F") -> Member:
    values: dict[str, float | str] = {"sex": sex} | ({} if mm is None else {"mm": mm})
    return Member(f"{n}.{day}", f"P{n}", values, {}, BEGIN + timedelta(days=day))


def test_from_the_first_study_to_the_first_that_tells() -> None:
    every = [
        study(1, 0, 4.0), study(1, 200, None), study(1, 300, 12.0), study(1, 400, 3.0),  # met at 300; 200 told nothing
        study(2, 0, None), study(2, 100, 5.0), study(2, 500, None),  # censored at 100, the last study that tells
        study(3, 0, 15.0), study(3, 50, 15.0),  # there at once
        study(4, 0, 4.0),  # never again
    ]  # fmt: skip
    people, out = followed(every, every, EVENT)
    assert [(p.months, p.event) for p in people] == [(10, True), (4, False)]
    assert dict(out) == {"it was there at the beginning": 1, "no later study tells": 1}
    undated = Member("5.0", "P5", {"mm": 1.0})
    assert followed([undated], [undated], EVENT)[1] == [("no date", 1)]


def test_curves_and_what_is_withheld() -> None:
    fast = [s for n in range(20) for s in (study(n, 0, 1.0, "M"), study(n, 31 * (n + 1), 20.0 if n % 2 else 2.0, "M"))]
    slow = [s for n in range(40, 60) for s in (study(n, 0, 1.0), study(n, 900, 2.0))]
    few = [s for n in range(80, 84) for s in (study(n, 0, 1.0, "O"), study(n, 90, 30.0, "O"))]
    every = [*fast, *slow, *few]
    told = survived(every, every, EVENT, "sex")
    by = {g["group"]: g for g in told["groups"]}
    assert by["O"] == {"group": "O", "n": None}
    assert (by["M"]["n"], by["M"]["events"], by["F"]["events"]) == (20, 10, 0)
    assert by["M"]["steps"][0] == pytest.approx(
        {"month": 3.0, "survival": 18 / 19, "low": 0.852, "high": 1.0}, abs=1e-3
    )
    assert max(s["month"] for s in by["M"]["steps"]) <= by["M"]["until"] == 12, "at 13 months nine are left"
    assert by["M"]["median"] is None and by["M"]["at_risk"][-1]["n"] is None and by["M"]["at_risk"][0]["n"] == 20
    assert told["test"]["freedom"] == 1 and told["test"]["p"] < 1e-3
    assert survived(slow, slow, EVENT)["test"] is None


def test_refused_in_words() -> None:
    every = [s for n in range(9) for s in (study(n, 0, 1.0), study(n, 90, 30.0))]
    with pytest.raises(Refused, match="fewer than 10 people of this cohort can be followed"):
        survived(every, every, EVENT)
    with pytest.raises(Refused, match="without a condition"):
        survived(every, every, ())
    with pytest.raises(Refused, match="the field 'kg'"):
        survived(every, every, filters("kg:1.."))
    with pytest.raises(Refused, match="the field 'colour'"):
        survived(every, every, EVENT, "colour")
