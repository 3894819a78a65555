"""Patients are drawn again with all that is theirs: exact areas, honest widths."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods import roc
from isocenter.methods.bootstrap import areas, by_patient


def test_it_is_the_same_as_drawing_by_hand_and_near_delong() -> None:
    rng = np.random.default_rng(0)
    labels = np.tile([0, 1], 150)
    scores = np.round(labels + rng.normal(0, 1, 300), 1)
    told = areas(labels, scores, rng=np.random.default_rng(1))
    exact = roc.auc(labels, scores)
    assert told.value == pytest.approx(exact.value, abs=1e-12), "ties count one half"
    assert abs(told.low - exact.low) < 0.02 and abs(told.high - exact.high) < 0.02 and told.n == 300
    plain = by_patient(
        lambda i: roc.auc(labels[i], scores[i]).value, np.arange(300), rng=np.random.default_rng(2), times=200
    )
    assert abs(plain.low - told.low) < 0.02 and abs(plain.high - told.high) < 0.02


def test_copies_of_patients_do_not_narrow_the_interval() -> None:
    rng = np.random.default_rng(3)
    labels = np.tile([0, 1], 40)
    scores = labels + rng.normal(0, 1, 80)
    one = areas(labels, scores, rng=np.random.default_rng(4))
    who = np.repeat(np.arange(80), 10)
    many = areas(np.repeat(labels, 10), np.repeat(scores, 10), who, rng=np.random.default_rng(4))
    assert (many.value, many.low, many.high, many.n) == pytest.approx((one.value, one.low, one.high, 80))
    blind = areas(np.repeat(labels, 10), np.repeat(scores, 10), rng=np.random.default_rng(4))
    assert blind.high - blind.low < 0.5 * (one.high - one.low), "what is wrong with forgetting whose image it is"


def test_what_tells_nothing_is_refused() -> None:
    rng = np.random.default_rng(0)
    for labels, scores, who in (
        ([1, 1], [1, 2], None), ([0, 1], [1, np.nan], None), ([0, 2], [1, 2], None),
        ([0, 0, 1, 1], [1, 2, 3, 4], [0, 1, 2, 2]), ([0, 1, 0, 1], [1, 2, 3, 4], [0, 1]),
    ):  # fmt: skip
        with pytest.raises(Refused):
            areas(labels, scores, who, rng=rng)
    for figure, who in ((lambda i: 1.0, ["a"]), (lambda i: float("nan"), ["a", "b"])):
        with pytest.raises(Refused):
            by_patient(figure, who, rng=rng, times=10)
