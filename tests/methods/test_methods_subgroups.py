"""Gaps between groups of people: corrections by hand, and levels that hold."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.subgroups import Question, area_gap, bands, chances, mean_gap, share_gap


def test_chances_are_exact_alone_and_corrected_together() -> None:
    values = np.array([1, 1, 1, 0, 1, 0, 0, 0.0])
    mine = np.array([[1, 1, 1, 1, 0, 0, 0, 0]], bool)
    (told,) = chances([Question(values, mine)], rng=np.random.default_rng(0))
    assert told[0][0] == pytest.approx(34 / 70), "Fisher's lady tasting tea, two-sided"
    rng = np.random.default_rng(1)
    false = 0
    for _ in range(100):
        groups = np.array([rng.choice(4, 300) == k for k in range(4)] + [rng.random(300) < 0.08 for _ in range(6)])
        asked = [Question((rng.random(300) < 0.95) * 1.0, groups), Question(rng.random(300), groups)]
        false += min(c.min() for _, c in chances(asked, rng=rng, times=99)) <= 0.05
    assert false / 100 <= 0.11, "twenty overlapping comparisons, one false alarm or more in about 5 of 100"


def test_newcombe_1998() -> None:
    gap = share_gap([1] * 56 + [0] * 14, [1] * 48 + [0] * 32)  # 56/70 against 48/80, Newcombe 1998 table II (a)
    assert (round(gap.value, 4), round(gap.low, 4), round(gap.high, 4)) == (0.2, 0.0524, 0.3339)


def test_areas_and_means_of_other_people() -> None:
    rng = np.random.default_rng(0)
    y = np.tile([0, 1], 300)
    good, bad = y + rng.normal(0, 0.5, 600), y + rng.normal(0, 2.0, 600)
    gap = area_gap(y, bad, y, good)
    assert gap.high < 0
    perfect = area_gap(y, y * 1.0, y, y * 1.0)
    assert perfect.value == 0
    assert mean_gap([0.9, 0.92, 0.88], [0.5, 0.6, 0.4]).low > 0
    assert mean_gap([0.5, 0.5], [0.5, 0.5]).high == 0


def test_what_cannot_be_compared_is_refused() -> None:
    for broken in (
        lambda: share_gap([], [1]), lambda: mean_gap([1.0], [1.0, 2.0]), lambda: bands([-1]),
        lambda: area_gap([1, 1], [1, 2], [0, 1], [1, 2]),
        lambda: chances([Question(np.ones(3), np.ones((1, 3), bool))], rng=np.random.default_rng(0)),
        lambda: chances([Question(np.ones(2) * np.nan, np.eye(2, dtype=bool))], rng=np.random.default_rng(0)),
    ):  # fmt: skip
        with pytest.raises(Refused):
            broken()


def test_values_that_are_all_alike_are_no_gap_and_leave_the_other_chances_as_they_are() -> None:
    half = np.array([[True] * 20 + [False] * 20])
    alike = Question(np.full(40, 0.5), half)
    other = Question(np.r_[np.ones(30), np.zeros(10)], half)
    (alone, corrected), (beside, both) = chances([alike, other], rng=np.random.default_rng(0))
    assert alone.tolist() == corrected.tolist() == [1.0]
    [(single, once)] = chances([other], rng=np.random.default_rng(0))
    assert beside.tolist() == single.tolist() and both.tolist() == once.tolist()


def test_a_year_of_birth_is_no_age() -> None:
    with pytest.raises(Refused, match="1961 years"):
        bands([30, 1961])
