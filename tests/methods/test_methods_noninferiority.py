"""Not worse by more than a margin: the intervals hold what they promise, and few cases show nothing."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods import roc
from isocenter.methods.noninferiority import Gap, areas, means, shares


def test_areas_agree_with_the_paired_test() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 400)
    old = labels + rng.normal(0, 1, 400)
    new = old + rng.normal(0, 0.3, 400)
    gap = areas(labels, new, old)
    difference, z, _ = roc.compare(labels, new, old)
    assert gap.value == pytest.approx(difference, abs=1e-15)
    assert (gap.high - gap.low) / 2 == pytest.approx(1.959963984540054 * abs(difference / z), rel=1e-12)
    same = areas(labels, old, 3 * old + 1)
    assert same.value == same.low == same.high == 0.0 and same.holds(0.0)


def test_the_interval_of_paired_shares_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    for p, both in ((0.9, 0.85), (0.6, 0.45), (0.97, 0.95)):
        held = 0
        for _ in range(600):
            u = rng.choice(4, 80, p=[both, p - both, p - both, 1 - 2 * p + both])
            gap = shares(np.isin(u, (0, 1)), np.isin(u, (0, 2)))
            held += gap.low <= 0 <= gap.high
        assert held / 600 > 0.93


def test_few_cases_show_nothing_and_a_planted_fall_is_held_up() -> None:
    ones = np.ones(20)
    assert not shares(ones, ones).holds(0.02), "twenty right answers do not show that 2 points were not lost"
    assert shares(np.ones(2000), np.ones(2000)).holds(0.02)
    rng = np.random.default_rng(2)
    old = rng.random(3000) < 0.9
    new = old & (rng.random(3000) > 0.08)
    assert not shares(new, old).holds(0.02)
    assert means([0.9, 0.8, 0.85], [0.9, 0.8, 0.85]) == Gap(0.0, 0.0, 0.0, 3)


def test_what_cannot_be_compared_is_refused() -> None:
    for broken in (
        lambda: shares([], []), lambda: shares([1, 0], [1]), lambda: shares([0.5], [1]), lambda: means([1.0], [1.0]),
        lambda: means([np.nan, 1], [1, 1]), lambda: areas([1, 1], [1, 2], [1, 2]),
        lambda: areas([1, 0, 0], [1, 2, 3], [1, 2, 3]), lambda: Gap(0, 0, 0, 1).holds(-0.1),
    ):  # fmt: skip
        with pytest.raises(Refused):
            broken()
