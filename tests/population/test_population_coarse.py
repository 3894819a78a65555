"""Numbers of a cohort for whoever may see no study: no answer, and no difference of two, tells of fewer than ten."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.population.coarse import Tens, asked, plots
from isocenter.population.table import Field, Member


def people(n: int = 60) -> list[Member]:
    """Sixty people with a study or two; one is 103 years old, nine have a rare number, three are of sex O."""
    made = []
    for k in range(n):
        values: dict[str, float | str] = {
            "age": 103.0 if k == 0 else 20.0 + k, "modality": "CT" if k % 2 else "MR", "year": 2020.0 + k % 5,
            "sex": "O" if k < 3 else "FM"[k % 2], "description": f"MEIER {k}", "lung.volume": 1234.5678 + k,
        }  # fmt: skip
        known = {"lung.volume": Field("lung.volume", "Lung volume", "mL", made_by="lung")}
        if k < 9:
            values["rare.number"] = 1.0
            known["rare.number"] = Field("rare.number", "Rare number", made_by="rare")
        for again in range(1 + k % 2):
            made.append(Member(f"1.2.{k}.{again}", f"P{k}", values, known, date(2024, 1, 1 + again)))
    return made


def numbers(told: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(told, dict):
        for name, value in told.items():
            if isinstance(value, int) and not isinstance(value, bool):
                yield name, value
            yield from numbers(value)
    elif isinstance(told, list):
        for one in told:
            yield from numbers(one)


def test_people_are_counted_in_tens_and_nothing_tells_of_fewer() -> None:
    told = asked(people(), "modality:CT", "age", "sex")
    assert (told["n"], told["of"], told["ledger"][0]["left_out"]) == (30, 60, 30), "people, not their 90 studies"
    assert all(value % 10 == 0 for name, value in numbers(told) if name not in ("few", "bars"))
    text = json.dumps(told)
    for secret in ("MEIER", "103", "rare", '"O"', "P1", "1.2.", "description"):
        assert secret not in text, secret
    assert {f["name"] for f in told["fields"]} == {"age", "sex", "modality", "year", "lung.volume"}
    (volume,) = [f for f in told["fields"] if f["name"] == "lung.volume"]
    assert volume["median"] == round(volume["median"]), "no number that was measured of somebody"
    drawn = plots(people(), "", 24)
    assert drawn["n"] == 60 and len(drawn["charts"]) == 5 and "MEIER" not in json.dumps(drawn)


@pytest.mark.parametrize("nearly", ["sex:F,M", "age:..90", "age:21..90", "lung.volume:1235.5.."])
def test_a_filter_that_leaves_out_few_changes_nothing_whether_few_or_none(nearly: str) -> None:
    whole, told = asked(people(), "", "age", ""), asked(people(), nearly, "age", "")
    assert told["ledger"] == [
        {"filter": told["ledger"][0]["filter"], "left_out": None, "missing": None, "applied": False}
    ]
    assert {k: v for k, v in told.items() if k not in ("ledger", "q")} == {
        k: v for k, v in whole.items() if k not in ("ledger", "q")
    }


def test_few_people_and_nobody_get_the_same_answer() -> None:
    few, nobody = asked(people(), "age:21..25", "", ""), asked(people(), "age:150..160", "", "")
    alike = ("n", "people", "of", "fields", "chart")
    assert [few[k] for k in alike] == [nobody[k] for k in alike] == [None, None, 60, [], None]
    assert plots(people(), "age:21..25", 24) == {"n": None, "charts": [], "more": 0}


def test_whatever_the_range_no_count_but_of_tens_is_told() -> None:
    ends = range(20, 80, 3)
    n = {(a, b): asked(people(), f"age:{a}..{b}", "", "")["n"] for a, b in product(ends, ends) if a < b}
    assert {v for v in n.values() if v is not None} <= set(range(10, 70, 10))


def test_two_questions_that_differ_by_one_person_get_one_answer() -> None:
    """Ages are one person each: beside any other filter, a year more asks for one person less, and must not show."""
    turns = {}
    for high in (1262, 1275, 1288):
        told = [asked(people(70), f"lung.volume:..{high} age:{age}..", "", "")["n"] for age in range(20, 90)]
        turns[high] = [20 + n for n, (a, b) in enumerate(pairwise(told), 1) if a != b]
    ages = sorted(set().union(*turns.values()))
    assert ages and all(b - a >= 9 for a, b in pairwise(ages)), "it turns where a group of ten begins"


def test_no_figure_is_one_persons_own() -> None:
    everybody = people()
    everybody[0] = replace(everybody[0], values={**everybody[0].values, "lung.volume": 9876.5})
    for told in (asked(everybody, "", "lung.volume", "sex"), plots(everybody, "", 24)):
        assert "9876" not in json.dumps(told) and "9877" not in json.dumps(told) and "1234" not in json.dumps(told)
    chart = asked(everybody, "", "lung.volume", "")["chart"]
    assert chart["bins"][-1]["to"] <= 1300 and chart["groups"][0]["p95"] <= 1300, "the largest is one of ten"


def test_single_values_and_rare_words_cannot_be_picked() -> None:
    with pytest.raises(Refused, match="asked for by a range"):
        asked(people(), "age:21,23,25", "", "")
    with_one, without = (asked(people(), q, "", "") for q in ("sex:F,O", "sex:F"))
    assert with_one["n"] == without["n"], "nobody is of a sex that three people have"


@pytest.mark.parametrize("field", ["rare.number", "description", "nonsense"])
def test_a_field_that_few_have_is_as_one_that_is_not_there(field: str) -> None:
    with pytest.raises(Refused, match="fewer than 10 people"):
        asked(people(), f"{field}:1..", "", "")
    with pytest.raises(Refused, match="fewer than 10 people"):
        asked(people(), "", field, "")


def test_the_same_people_give_the_same_number_however_they_are_asked_for() -> None:
    words = ["modality:CT", "modality:CT year:2000..2030", "year:1990.. modality:CT"]
    every = []
    for key in (b"a", b"b"):
        told = []
        for q in words:
            tens = Tens(key)
            told.append((asked(people(), q, "age", "", tens)["n"], tens.groups[-1]))
        assert len(set(told)) == 1, "other words for the same people tell nothing more"
        every += told
    assert len({group for _, group in every}) == 2, "without the key nobody can say whom a digest is of"


def test_a_keyed_count_turns_at_no_certain_person_and_tells_nothing_of_fewer_than_ten() -> None:
    names = [f"P{k}" for k in range(400)]
    for n in (9, 10, 15, 19, 20, 25, 100):
        told = [Tens(b"%d" % k).of(names[:n]) for k in range(500)]
        assert all(one is None or (10 <= one <= n and one % 10 == 0) for one in told)
        assert n >= 10 or set(told) == {None}
    for n in (19, 29, 100):  # one person more moves the share of answers by a tenth, and no answer for certain
        shares = [np.mean([Tens(b"%d" % k).of(names[:m]) == m // 10 * 10 for k in range(2000)]) for m in (n, n - 1)]
        assert abs(shares[0] - 1 / 10 - n % 10 / 10) < 0.04 and (n % 10 == 0 or abs(shares[0] - shares[1] - 0.1) < 0.05)
    assert [Tens().of(names[:n]) for n in (9, 10, 19, 20)] == [None, 10, 10, 20]


def test_every_number_of_a_keyed_answer_is_in_tens_and_below_the_true_one() -> None:
    plain, keyed = (asked(people(120), "modality:CT", "sex", "", Tens(key)) for key in (b"", b"k"))
    assert all(value % 10 == 0 for name, value in numbers(keyed) if name not in ("few", "bars"))
    true = {f["name"]: f["n"] for f in plain["fields"]}
    assert keyed["fields"] and all(f["n"] <= true[f["name"]] for f in keyed["fields"])
    assert all(one["n"] for one in keyed["chart"]["words"])
    drawn = plots(people(120), "", 24, Tens(b"k"))
    assert all(value % 10 == 0 for name, value in numbers(drawn) if name not in ("few", "bars", "more"))
