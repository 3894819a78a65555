"""k-anonymity and the rate of unique combinations, told of a made-up population and asked before anything leaves."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from isocenter.dicom.alike import SMALLEST_GROUP, age_band, must_be_alike, must_say_why, risk
from isocenter.errors import Refused


def population(n: int, seed: int) -> list[dict[str, set[str]]]:
    drawn = random.Random(seed)
    return [
        {
            "sex": {drawn.choice("FM")}, "age": {age_band(int(drawn.gauss(60, 14)))}, "part": {"CHEST"},
            "modality": {drawn.choice(("CT", "CT", "CT", "MR"))},
        }
        for _ in range(n)
    ]  # fmt: skip


@pytest.mark.parametrize(("n", "seed"), [(20, 1), (500, 2), (20_000, 3)])
def test_the_risk_of_a_population_is_what_counting_by_hand_says(n: int, seed: int) -> None:
    people = population(n, seed)
    counted = Counter(str(sorted((k, *v) for k, v in one.items())) for one in people)
    told = risk(people)
    assert told["smallest_group"] == min(counted.values()) and told["by"] == ["age", "modality", "part", "sex"]
    assert told["unique_rate"] == round(sum(v == 1 for v in counted.values()) / n, 4)
    assert told["small_groups"]["patients"] == sum(v for v in counted.values() if v < SMALLEST_GROUP)


def test_a_person_of_several_images_is_one_and_no_two_facts_are_taken_for_one() -> None:
    both = {"sex": {"F"}, "modality": {"CT", "MR"}}
    told = risk([both, both, {"sex": {"F"}, "modality": {"CT"}}])
    assert (told["smallest_group"], told["patients_alone_in_their_group"], told["unique_rate"]) == (1, 1, 0.3333)
    assert risk([])["unique_rate"] == 0.0 and risk([])["smallest_group"] == 0


def test_below_the_border_nothing_leaves_without_a_reason() -> None:
    four, five = risk([{"sex": {"F"}}] * 4), risk([{"sex": {"F"}}] * 5)
    must_be_alike(five, 5, "", "")
    must_be_alike(four, 5, "a rare disease", "")
    for reason in ("", "  "):
        with pytest.raises(Refused, match=r"a group of 4 patients: each shall share sex with 4 others.* Say why"):
            must_be_alike(four, 5, reason, "say why")
        with pytest.raises(Refused, match="a smallest group of 4 without a reason"):
            must_be_alike(five, 4, reason, "")
    must_say_why(5, "")
    with pytest.raises(Refused, match="a group of 5 patients"):
        must_be_alike(five, 6, "", "")
