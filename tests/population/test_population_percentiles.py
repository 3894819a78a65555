"""Where one value stands among people: each once, alike in age and sex; few people and far values are declined."""

from __future__ import annotations

from datetime import date

import pytest

from isocenter.errors import Refused
from isocenter.methods.intervals import wilson
from isocenter.population.percentiles import placed
from isocenter.population.table import Field, Member

KNOWN = {"liver": Field("liver", "Liver volume", "mL")}


def person(n: int, *, study: str = "a", sex: str = "F", age: float = 50.0, liver: float | None = None) -> Member:
    values: dict[str, float | str] = {"sex": sex, "age": age, "liver": float(n) if liver is None else liver}
    return Member(f"{n}.{study}", f"P{n}", values, KNOWN, date(2026, 1 if study == "a" else 2, 1))


PEOPLE = [person(n) for n in range(1, 101)]


def test_each_person_once_and_equal_values_count_half() -> None:
    again = [person(n, study="b", liver=1e6) for n in range(1, 101)]
    told = placed([*again, *PEOPLE], "liver", 62.0)
    assert told["n"] == 100 and told["percentile"] == 61.5 and told["unit"] == "mL" and told["because"] == ""
    assert told["low"] == pytest.approx(100 * wilson(61, 100).low) and told["high"] == pytest.approx(
        100 * wilson(62, 100).high
    )
    assert [m["value"] for m in told["marks"] if m["at"] in (5.0, 50.0)] == pytest.approx([5.95, 50.5])
    assert placed(PEOPLE, "liver", 62.5)["percentile"] == 62.0


def test_only_people_of_like_age_and_sex_are_compared() -> None:
    others = [person(n, sex="M", liver=900.0) for n in range(200, 260)]
    older = [person(n, age=55.1, liver=900.0) for n in range(300, 360)]
    told = placed([*PEOPLE, *others, *older], "liver", 62.0, age=50.0, sex="F")
    assert told["n"] == 100 and told["percentile"] == 61.5
    assert placed([*PEOPLE, *others, *older], "liver", 62.0)["n"] == 220


def test_few_people_a_value_beyond_all_and_words_have_none() -> None:
    with pytest.raises(Refused, match="fewer than 39 people"):
        placed(PEOPLE[:38], "liver", 10.0)
    assert placed(PEOPLE[:39], "liver", 10.0)["n"] == 39
    for value, side in ((0.5, "below"), (100.5, "above")):
        told = placed(PEOPLE, "liver", value)
        assert told["percentile"] is None and f"{side} all 100" in told["because"]
    assert placed(PEOPLE, "liver", 1.0)["percentile"] == 0.5, "somebody has it"
    with pytest.raises(Refused, match="as a number"):
        placed(PEOPLE, "sex", 1.0)
