"""What is left to people, and what is missed without them, counted by hand and by brute force."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.deferral import deferral, upper_bound


def test_by_brute_force() -> None:
    rng = np.random.default_rng(0)
    labels, sure = rng.integers(0, 2, 200), rng.random(200)
    human = (rng.random(200) < 0.9).astype(float)
    curve = deferral(labels, sure, threshold=0.4, shares=[0, 0.25, 1], person=human)
    order = np.argsort(np.abs(sure - 0.4), kind="stable")
    for k, n in enumerate((0, 50, 200)):
        alone = order[n:]
        said = sure[alone] >= 0.4
        assert curve.missed[k] == np.sum((labels[alone] == 1) & ~said)
        assert curve.false_alarms[k] == np.sum((labels[alone] == 0) & said)
        together = np.sum(said == labels[alone]) + human[order[:n]].sum()
        assert curve.system_accuracy[k] == pytest.approx(together / 200)
        assert curve.missed_at_most[k] >= curve.missed[k] / labels.sum()
    assert np.isnan(curve.wrong[2]) and curve.missed[2] == 0 and curve.deferred.tolist() == [0, 0.25, 1]


def test_none_among_few_shows_little() -> None:
    assert upper_bound(0, 20) == pytest.approx(1 - 0.05 ** (1 / 20)) and upper_bound(5, 5) == 1
    assert upper_bound(0, 3000) == pytest.approx(3 / 3000, rel=0.01), "the rule of three"


def test_what_is_no_curve_is_refused() -> None:
    for labels, sure, more in (
        ([1, 1], [0.1, 0.2], {}), ([0, 1], [0.1, 1.2], {}), ([0, 1], [0.1, 0.2], {"shares": [2.0]}),
        ([0, 1], [0.1], {}), ([0, 1], [0.1, 0.2], {"threshold": np.nan}),
    ):  # fmt: skip
        with pytest.raises(Refused):
            deferral(labels, sure, **more)
    with pytest.raises(Refused):
        upper_bound(1, 0)


def test_what_is_missed_at_most_is_told_by_patients() -> None:
    labels, sure = np.tile([1, 1, 1, 0], 30), np.tile([0.9, 0.8, 0.7, 0.1], 30)
    whose = np.repeat(np.arange(30), 4)
    alone, of_patients = (deferral(labels, sure, shares=[0.0], people=p) for p in (None, whose))
    assert alone.missed[0] == of_patients.missed[0] == 0
    assert alone.missed_at_most[0] == pytest.approx(1 - 0.05 ** (1 / 90))
    assert of_patients.missed_at_most[0] == pytest.approx(1 - 0.05 ** (1 / 30)), "none of thirty patients"
    same = deferral(labels, sure, people=np.arange(120))
    assert same.missed_at_most == pytest.approx(deferral(labels, sure).missed_at_most)
