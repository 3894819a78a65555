"""The nearest are the nearest, refusals are as many as declared, and few examples are worth what they are."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods import nearest as near
from isocenter.methods.nearest import border, far, few_shots, nearest, precision_at, unit


def test_neighbours_are_exact_over_blocks_and_keep_to_what_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    index, query = unit(rng.normal(0, 1, (500, 12))), unit(rng.normal(0, 1, (7, 12)))
    monkeypatch.setattr(near, "_BLOCK", 64)
    allowed = rng.random((7, 500)) < 0.5
    which, distance = nearest(index, query, 9, allowed)
    for row in range(7):
        true = np.where(allowed[row], 1 - index @ query[row], np.inf)
        assert which[row].tolist() == np.argsort(true, kind="stable")[:9].tolist()
        assert np.allclose(distance[row], np.sort(true)[:9], atol=1e-6)
    only = np.zeros(500, bool)
    only[[3, 8]] = True
    which, distance = nearest(index, query, 4, only)
    assert set(which[0, :2].tolist()) == {3, 8} and which[0, 2:].tolist() == [-1, -1]
    assert np.isinf(distance[0, 2:]).all()
    for bad in (np.zeros((1, 3)), np.full((1, 3), np.nan)):
        with pytest.raises(Refused):
            unit(bad)
    with pytest.raises(Refused):
        nearest(index, query[:, :3], 2)


def test_false_refusals_are_as_many_as_declared() -> None:
    """Over many draws of 200 cases the part of new cases beyond the border is the declared one, and not above it."""
    rng = np.random.default_rng(1)
    beyond = [np.mean(rng.gamma(2.0, 1.0, 2000) > border(rng.gamma(2.0, 1.0, 200), 0.02)) for _ in range(200)]
    assert 0.014 < np.mean(beyond) <= 0.021
    with pytest.raises(Refused, match="so few cannot promise"):
        border(np.arange(50.0), 0.01)
    inside = unit(rng.normal(0, 1, (300, 16)) + 4)
    assert far(inside, unit(-inside[:5])).min() > far(inside, inside, same=True).max()


def test_few_examples_are_measured_on_other_people() -> None:
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(120), 2)
    labels = np.repeat(np.arange(120) % 2, 2)
    rows = rng.normal(0, 1, (240, 10))
    rows[:, 0] += 2.0 * labels
    told = few_shots(rows, labels, groups, draws=30)
    assert [t.shots for t in told] == [5, 10, 20]
    assert told[0].mean < told[2].mean
    assert all(t.low < t.mean < t.high for t in told)
    # two cases of each person are alike, labels by chance: whoever measured on the same people would be fooled
    alike = np.repeat(rng.normal(0, 1, (120, 60)), 2, 0)
    (chance,) = few_shots(alike, labels, groups, shots=(20,), draws=20)
    assert 0.4 < chance.mean < 0.6
    value, low, high, by_chance = precision_at(unit(alike), labels, groups)
    assert low < by_chance < high and by_chance == pytest.approx(0.5, abs=0.01)
    assert low <= value <= high
    assert precision_at(unit(rows + 3 * labels[:, None]), labels, groups)[0] > 0.9
    with pytest.raises(Refused):
        few_shots(rows[:20], labels[:20], groups[:20], shots=(20,))
