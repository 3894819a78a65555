"""Two groups of people: each once, who is in both in neither, small ones refused in words, many looks corrected."""

from __future__ import annotations

from datetime import date

import pytest

from isocenter.errors import Refused
from isocenter.population.groups import choices, contrasted, first_of_each
from isocenter.population.table import Member


def person(n: int, sex: str, age: float, *, study: str = "a", month: int = 1, **others: float | str) -> Member:
    return Member(f"{n}.{study}", f"P{n}", {"sex": sex, "age": age, **others}, {}, date(2026, month, 1))


MEN = [person(n, "M", 60.0 + n % 7) for n in range(12)]
WOMEN = [person(100 + n, "F", 50.0 + n % 5, year=2026.0) for n in range(11)]


def test_each_person_once_with_the_first_study() -> None:
    again = [person(n, "M", 99.0, study="b", month=2) for n in range(12)]
    assert {m.study[-1] for m in first_of_each([*again, *MEN])} == {"a"}
    told = contrasted([*again, *MEN, *WOMEN], "sex", "M", "F")
    age, year = told["fields"]
    assert told["groups"] == [{"value": "M", "people": 12}, {"value": "F", "people": 11}] and told["both"] == 0
    assert age["sides"][0]["n"] == 12 and age["difference"] == pytest.approx(751 / 12 - 570 / 11, abs=1e-5)
    assert age["low"] < age["difference"] < age["high"] and age["holm"] == age["p"] < 1e-5 and told["tested"] == 1
    assert year["name"] == "year" and year["p"] is None and "fewer than 10" in year["because"]


def test_who_is_in_both_groups_is_in_neither() -> None:
    both = [person(n, "F", 70.0, study="c") for n in range(3)]
    with pytest.raises(Refused, match="once those in both groups are left out"):
        contrasted([*MEN, *WOMEN, *both], "sex", "M", "F")
    told = contrasted([*MEN, *WOMEN, person(200, "M", 61.0), person(200, "F", 61.0, study="d")], "sex", "M", "F")
    assert told["both"] is None, "one person in both is not counted aloud"
    assert [g["people"] for g in told["groups"]] == [12, 11]


def test_groups_that_can_be_chosen_and_those_that_are_refused() -> None:
    assert choices([*MEN, *WOMEN[:9]]) == [{"name": "sex", "title": "Sex", "values": ["M"]}]
    with pytest.raises(Refused, match="'F': it has fewer than 10 people"):
        contrasted([*MEN, *WOMEN[:9]], "sex", "M", "F")
    with pytest.raises(Refused, match="against itself"):
        contrasted(MEN, "sex", "M", "M")
    alike = [person(300 + n, "O", 40.0) for n in range(10)] + [person(400 + n, "X", 41.0) for n in range(10)]
    assert contrasted(alike, "sex", "O", "X")["fields"][0]["because"] == "two groups in which nobody differs"
