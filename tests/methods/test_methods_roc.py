"""The area under the curve and its interval against the definition, a second program, and published values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.errors import Refused
from isocenter.methods.roc import auc, compare, operating_point, threshold_for, wilson


def by_definition(labels: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
    """Mann-Whitney and DeLong's variance, written out pair by pair."""
    x, y = scores[labels == 1], scores[labels == 0]
    wins = (x[:, None] > y[None, :]) + 0.5 * (x[:, None] == y[None, :])
    v10, v01 = wins.mean(1), wins.mean(0)
    return float(wins.mean()), float(np.sqrt(v10.var(ddof=1) / len(x) + v01.var(ddof=1) / len(y)))


@settings(max_examples=50, deadline=None, database=None)
@given(st.integers(0, 10_000), st.integers(2, 40), st.integers(2, 40), st.booleans())
def test_mid_ranks_give_what_the_definition_gives(seed: int, m: int, n: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=m + n) + np.r_[np.ones(m), np.zeros(n)]
    if ties:
        scores = np.round(scores * 2) / 2
    labels = np.r_[np.ones(m), np.zeros(n)].astype(int)
    value, error = by_definition(labels, scores)
    area = auc(labels, scores)
    assert area.value == pytest.approx(value, abs=1e-12)
    assert area.error == pytest.approx(error, abs=1e-12)
    assert 0 <= area.low <= area.value <= area.high <= 1


def test_scikit_learn_agrees() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    rng = np.random.default_rng(1)
    labels, scores = rng.integers(0, 2, 500), rng.normal(size=500)
    assert auc(labels, scores).value == pytest.approx(metrics.roc_auc_score(labels, scores), abs=1e-12)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    truth = 0.7602499389065233  # Phi(1 / sqrt(2)): two normal distributions one standard deviation apart
    labels = np.r_[np.ones(60), np.zeros(60)]
    hit = 0
    for _ in range(400):
        area = auc(labels, np.r_[rng.normal(1, 1, 60), rng.normal(0, 1, 60)])
        hit += area.low <= truth <= area.high
    assert 0.92 <= hit / 400 <= 0.98


def test_two_cases_in_order_are_no_proof() -> None:
    few, more = auc([0, 1], [1, 2]), auc(np.arange(40) >= 20, np.arange(40.0))
    assert (few.value, few.high, more.value, more.high) == (1.0, 1.0, 1.0, 1.0)
    assert few.low == pytest.approx(1 / (1 + 1.959964**2), abs=1e-5), "Wilson's limit of one success in one trial"
    assert 0.85 < more.low < 0.95
    worst = auc([1, 1, 0, 0], [1, 2, 3, 4])
    assert worst.low == 0.0 and 0.3 < worst.high < 0.7
    lone = auc([1, 0, 0, 0], [2.5, 1, 2, 3])
    assert lone.low < 0.25 and lone.high > 0.9, "one case of a class has no spread of its own"
    rng, held = np.random.default_rng(0), 0  # binormal, area 0.95, 10 cases each: one draw in five is in perfect order
    for _ in range(400):
        area = auc(np.arange(20) >= 10, np.r_[rng.normal(0, 1, 10), rng.normal(2.3262, 1, 10)])
        held += area.low <= 0.95 <= area.high
    assert held >= 380, "it was four fifths of them with a point for an interval"


def test_a_shifted_copy_is_no_different_and_is_refused() -> None:
    labels, scores = np.r_[np.zeros(5), np.ones(5)], np.arange(10.0)
    with pytest.raises(Refused, match="order the cases alike"):
        compare(labels, scores, scores + 3)


def test_the_paired_test_sees_a_better_score_and_is_symmetric() -> None:
    rng = np.random.default_rng(3)
    labels = np.r_[np.zeros(200), np.ones(200)]
    good, poor = rng.normal(2 * labels, 1), rng.normal(0.5 * labels, 1)
    difference, z, p = compare(labels, good, poor)
    assert difference > 0.15 and z > 4 and p < 1e-4
    assert compare(labels, poor, good) == pytest.approx((-difference, -z, p))


def test_the_paired_test_is_calibrated_when_nothing_differs() -> None:
    rng = np.random.default_rng(4)
    labels = np.r_[np.zeros(80), np.ones(80)]
    low = 0
    for _ in range(400):
        low += compare(labels, rng.normal(labels, 1), rng.normal(labels, 1))[2] < 0.05
    assert 0.02 <= low / 400 <= 0.085


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_newcombes_published_intervals(hits: int, of: int, low: float, high: float) -> None:
    """Newcombe 1998, Table I, method 3."""
    assert wilson(hits, of) == pytest.approx((low, high), abs=6e-5)


def test_a_threshold_keeps_the_sensitivity_that_was_asked_for() -> None:
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 2, 300)
    scores = rng.normal(labels, 1)
    for wanted in (0.5, 0.9, 0.95, 1.0):
        point = operating_point(labels, scores, threshold_for(labels, scores, sensitivity=wanted))
        assert point.sensitivity[0] >= wanted
        above = operating_point(labels, scores, np.nextafter(point.threshold, np.inf))
        assert above.sensitivity[0] < wanted
    point = operating_point(labels, scores, 0.3)
    assert point.true_positive + point.false_negative == labels.sum()
    assert point.accuracy[0] == pytest.approx(np.mean((scores >= 0.3) == labels))
    assert point.specificity[0] == pytest.approx(np.mean(scores[labels == 0] < 0.3))


@pytest.mark.parametrize(
    ("labels", "scores", "says"),
    [
        ([1, 1], [0.1, 0.2], "one class only"),
        ([0, 1], [0.1, float("nan")], "not finite"),
        ([0, 2], [0.1, 0.2], "labels"),
        ([0, 1, 1], [0.1, 0.2], "3 labels and 2 scores"),
    ],
)
def test_what_cannot_carry_a_curve_is_refused(labels: list[int], scores: list[float], says: str) -> None:
    with pytest.raises(Refused, match=says):
        auc(labels, scores)


def test_a_sensitivity_of_nothing_and_a_rate_without_cases_are_refused() -> None:
    with pytest.raises(Refused, match="sensitivity 0"):
        threshold_for([0, 1], [0.1, 0.2], sensitivity=0)
    with pytest.raises(Refused, match="0 of 0"):
        wilson(0, 0)


def test_a_paired_test_without_any_spread_is_refused() -> None:
    with pytest.raises(Refused, match="1 diseased and 4 healthy"):
        compare([0, 0, 0, 0, 1], [0.1, 0.2, 0.3, 0.4, 0.35], [0.1, 0.2, 0.3, 0.4, 0.05])
    with pytest.raises(Refused, match="areas 1 apart in every case alike"):
        compare([0, 0, 1, 1], [1, 2, 3, 4], [4, 3, 2, 1])
