"""One person among groups: percentiles and typicality mean what they say, and a planted pattern is told."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from scipy import stats

from isocenter.errors import Refused
from isocenter.methods.group_pattern import group_patterns

MIX = np.array([[1.0, 0.0, 0.0], [0.6, 0.8, 0.0], [-0.3, 0.2, 0.9]])
SLOPE = np.array([0.01, -0.03, 0.0])
NAMES = ("fraction", "length", "tortuosity")


def _people(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    ages = rng.uniform(20, 80, n)
    return ages, ages[:, None] * SLOPE + rng.normal(size=(n, 3)) @ MIX.T


def _asked(rng: np.random.Generator, n: int, *, aged: bool = True) -> Any:
    ages, table = _people(rng, n)
    age, mine = _people(rng, 1)
    more: dict[str, Any] = {"ages": ages, "age": float(age[0])} if aged else {}
    return group_patterns(
        dict(zip(NAMES, mine[0], strict=True)), dict(zip(NAMES, table.T, strict=True)), ["a"] * n, **more
    )[0]  # fmt: skip


@pytest.mark.parametrize("n", [20, 60])
def test_in_the_own_group_percentiles_and_typicality_are_uniform(n: int) -> None:
    rng = np.random.default_rng(3)
    found = [one for one in (_asked(rng, n) for _ in range(800)) if one.by_age]
    assert len(found) > 700  # the others are older or younger than everybody in the group
    assert stats.kstest([one.typicality for one in found], "uniform").pvalue > 0.01
    for k in range(3):
        assert stats.kstest([one.standings[k].percentile / 100 for one in found], "uniform").pvalue > 0.01


def test_without_age_the_line_is_flat_and_still_exact() -> None:
    rng = np.random.default_rng(4)
    table = rng.normal(size=(25, 1))
    found = group_patterns({"fraction": 0.7}, {"fraction": table[:, 0]}, ["a"] * 25)[0]
    said = found.standings[0]
    assert (said.expected, said.sd) == pytest.approx((table.mean(), table.std(ddof=1)))
    assert said.z == pytest.approx((0.7 - table.mean()) / (table.std(ddof=1) * np.sqrt(1 + 1 / 25)))
    assert found.typicality == pytest.approx(2 * stats.t.sf(abs(said.z), 24))  # of one number F is t squared


def test_what_is_ordinary_by_each_number_can_be_strange_together() -> None:
    rng = np.random.default_rng(5)
    one = rng.normal(size=400)
    people = {"fraction": one, "length": one + 0.1 * rng.normal(size=400)}
    found = group_patterns({"fraction": 1.0, "length": -1.0}, people, ["a"] * 400)[0]
    assert all(10 < s.percentile < 90 for s in found.standings)
    assert found.typicality < 1e-6


def test_the_planted_disease_comes_first_and_the_others_are_told_as_unlike() -> None:
    rng = np.random.default_rng(6)
    ages, table = _people(rng, 300)
    groups = np.repeat(["healthy", "fibrosis", "cirrhosis"], 100)
    table[groups == "cirrhosis"] += (0.0, 0.0, 6.0)
    mine = 50 * SLOPE + (0.0, 0.0, 6.0)
    found = group_patterns(
        dict(zip(NAMES, mine, strict=True)), dict(zip(NAMES, table.T, strict=True)), groups.tolist(), ages=ages, age=50
    )  # fmt: skip
    assert found[0].group == "cirrhosis" and found[0].typicality > 0.5
    assert all(one.typicality < 1e-4 for one in found[1:])
    assert found[1].standings[2].percentile > 99.9 and 5 < found[1].standings[0].percentile < 95


def test_age_is_left_out_where_the_group_cannot_tell() -> None:
    rng = np.random.default_rng(7)
    ages, table = _people(rng, 60)
    people = dict(zip(NAMES, table.T, strict=True))
    mine = dict.fromkeys(NAMES, 0.0)
    for years, age, says in (
        (ages, 95.0, "its people are"), (np.full(60, 40.0), 40.0, "too little is known"),
        (np.where(np.arange(60) == 3, np.nan, ages), 50.0, "the age of 1 people is not known"),
    ):  # fmt: skip
        found = group_patterns(mine, people, ["a"] * 60, ages=years, age=age)[0]
        assert not found.by_age and any(says in line for line in found.remarks)


@pytest.mark.parametrize(
    ("values", "people", "groups", "more", "says"),
    [
        ({"x": 1.0}, {"y": np.arange(30.0)}, ["a"] * 30, {}, "no number in common"),
        ({"x": np.nan}, {"x": np.arange(30.0)}, ["a"] * 30, {}, "x of the person"),
        ({"x": 1.0}, {"x": np.arange(30.0)}, ["a"] * 29, {}, "rows of unlike length"),
        ({"x": 1.0}, {"x": np.arange(30.0)}, ["a"] * 15 + ["b"] * 15, {}, "a (15), b (15)"),
        ({"x": 1.0}, {"x": np.where(np.arange(30) > 15, np.nan, 1.0)}, ["a"] * 30, {}, "a (16)"),
        ({"x": 1.0}, {"x": np.ones(30)}, ["a"] * 30, {}, "the same value"),
        ({"x": 1.0, "y": 2.0}, {"x": np.arange(30.0), "y": 2 * np.arange(30.0)}, ["a"] * 30, {}, "made of the others"),
        ({"x": 1.0}, {"x": np.arange(30.0)}, ["a"] * 30, {"ages": np.arange(30), "age": 700.0}, "in years"),
    ],
)
def test_what_cannot_be_said_is_refused(values: Any, people: Any, groups: Any, more: Any, says: str) -> None:
    with pytest.raises(Refused, match=re.escape(says)):
        group_patterns(values, people, groups, **more)
