"""Stated certainty against what was true."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.calibration import (
    Scale,
    brier,
    expected_error,
    fit_classes,
    fit_isotonic,
    fit_scale,
    line,
    reliability,
    sigmoid,
)


def test_a_scale_that_was_planted_is_found_again() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, 40_000)
    labels = rng.random(40_000) < sigmoid(0.6 * logits - 0.8)
    found = fit_scale(labels, logits)
    assert found.slope == pytest.approx(0.6, abs=0.02)
    assert found.offset == pytest.approx(-0.8, abs=0.05)
    assert fit_scale(labels, logits, offset=False).offset == 0.0


def test_fitting_lowers_the_calibration_error_and_keeps_the_order() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 2, 5000)
    labels = (rng.random(5000) < sigmoid(logits)).astype(int)
    boastful = 3 * logits
    scale = fit_scale(labels, boastful)
    assert expected_error(labels, sigmoid(boastful)) > 0.08
    assert expected_error(labels, scale(boastful)) < 0.03
    assert np.array_equal(np.argsort(scale(boastful)), np.argsort(logits))


def test_weights_move_the_certainty_to_another_prevalence() -> None:
    rng = np.random.default_rng(2)
    labels = (rng.random(20_000) < 0.8).astype(int)
    logits = rng.normal(2.0 * labels, 1)
    share = labels.mean()
    even = fit_scale(labels, logits, weights=np.where(labels == 1, 0.5 / share, 0.5 / (1 - share)))
    assert even(np.array([1.0]))[0] == pytest.approx(0.5, abs=0.02), "half way between two equal classes"
    assert fit_scale(labels, logits)(np.array([1.0]))[0] == pytest.approx(0.8, abs=0.02)


def test_figures_by_hand() -> None:
    labels, stated = [0, 1, 1, 1], [0.25, 0.25, 0.75, 0.95]
    assert brier(labels, stated) == pytest.approx((0.25**2 + 0.75**2 + 0.25**2 + 0.05**2) / 4)
    assert reliability(labels, stated, bins=2) == [(2, 0.25, 0.5), (2, pytest.approx(0.85), 1.0)]
    assert expected_error(labels, stated, bins=2) == pytest.approx(0.5 * 0.25 + 0.5 * 0.15)
    assert reliability([1], [1.0]) == [(1, 1.0, 1.0)], "certainty 1 belongs to the last bin"


def test_scikit_learn_agrees_on_the_brier_score() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    rng = np.random.default_rng(3)
    labels, stated = rng.integers(0, 2, 200), rng.random(200)
    assert brier(labels, stated) == pytest.approx(metrics.brier_score_loss(labels, stated))


def test_sigmoid_does_not_overflow() -> None:
    assert sigmoid([-1e4, 0, 1e4]).tolist() == [0.0, 0.5, 1.0]
    assert Scale(2.0, 1.0)([0.5]).tolist() == sigmoid([2.0]).tolist()


@pytest.mark.parametrize("stated", [[1.2, 0.1], [float("nan"), 0.1], [0.5]])
def test_what_is_no_probability_is_refused(stated: list[float]) -> None:
    with pytest.raises(Refused):
        brier([0, 1], stated)


@pytest.mark.parametrize("labels", [[0, 2], [-1, 1], [float("nan"), 1]])
def test_labels_other_than_0_and_1_are_refused(labels: list[float]) -> None:
    for figure in (brier, expected_error, line):
        with pytest.raises(Refused, match="of a certainty something is true or not"):
            figure(labels, [0.2, 0.7])


def test_one_class_teaches_no_certainty() -> None:
    with pytest.raises(Refused, match="one class only"):
        fit_scale([1, 1], [0.2, 0.3])


def test_the_line_finds_a_planted_fault_and_its_interval_holds_it() -> None:
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(100):
        logits = rng.normal(0, 2, 800)
        labels = rng.random(800) < sigmoid(0.5 * logits + 0.3)
        told = line(labels, sigmoid(logits))
        held += (told.slope[1] <= 0.5 <= told.slope[2]) + (told.intercept[1] <= 0.3 <= told.intercept[2])
    assert 180 <= held <= 199
    assert told.in_the_large[1] > 0 and (told.n, told.events) == (800, labels.sum())
    for labels, stated in (([1, 1], [0.2, 0.3]), ([0, 1], [0.5, 0.5]), ([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4])):
        with pytest.raises(Refused):
            line(labels, stated)


def test_isotonic_rises_and_is_true_within_each_step() -> None:
    rng = np.random.default_rng(4)
    scores = rng.normal(0, 1, 3000)
    labels = (rng.random(3000) < sigmoid(scores) ** 2).astype(int)
    steps = fit_isotonic(labels, scores)
    assert (np.diff(steps.values) >= 0).all() and np.array_equal(steps(steps.knots), steps.values)
    assert steps(scores).mean() == pytest.approx(labels.mean(), abs=2e-3)
    assert expected_error(labels, steps(scores)) < 0.02 < expected_error(labels, sigmoid(scores))
    assert fit_isotonic([0, 0, 1], [1.0, 1.0, 1.0])(5.0) == pytest.approx(1 / 3)
    for labels_, scores_ in (([1, 1], [1, 2]), ([0, 1], [1, np.inf])):
        with pytest.raises(Refused):
            fit_isotonic(labels_, scores_)


def test_classes_told_apart_without_an_error_are_not_called_certain() -> None:
    labels = np.arange(60) % 3
    logits = np.eye(3)[labels] * 4 + [0.5, 0.0, 0.0]
    slope, _ = fit_classes(labels, logits)
    cautious, moved = fit_classes(labels, logits, cautious=True)
    assert slope > 2 * cautious, "the likelihood has no largest value, the cautious one has"
    z = logits * cautious + moved
    told = np.exp(z - z.max(1, keepdims=True))
    told /= told.sum(1, keepdims=True)
    assert told.max(1) == pytest.approx(np.full(60, 61 / 63), abs=2e-3) and np.all(told.argmax(1) == labels)


@pytest.mark.parametrize("certainty", [[0.2, 0.9, 0.9, 0.95], [1e-12, 1.0, 1.0, 1.0], [1 - 1e-9, 1.0, 1 - 1e-8, 1.0]])
def test_classes_that_only_meet_in_a_tie_have_no_line(certainty: list[float]) -> None:
    with pytest.raises(Refused):
        line([0, 0, 1, 1], certainty)


def test_certainties_that_are_sure_and_wrong_have_the_line_of_their_two_odds() -> None:
    """Far out the likelihood is nearly flat: whole Newton steps leapt from there to where nothing can be told."""
    labels = [1] * 3 + [0] * 7 + [1] * 2 + [0] * 8
    found = line(labels, [1e-12] * 10 + [1.0] * 10)
    low, high, far = np.log(3 / 7), np.log(2 / 8), np.log(1e-7) - np.log1p(-1e-7)
    assert found.slope[0] == pytest.approx((high - low) / (-2 * far), rel=1e-6)
    assert found.intercept[0] == pytest.approx((high + low) / 2, rel=1e-6)
    assert found.slope[1] < found.slope[0] < found.slope[2]


def test_the_line_of_shared_patients_has_the_errors_of_patients() -> None:
    """As statsmodels 0.15 prints: Logit, and GLM with an offset, each cov_type="cluster", use_t=True."""
    truth = [0, 0, 1, 1, 0, 1, 1, 0, 1, 0, 1, 1, 0, 0, 1, 0, 1, 1, 0, 1]
    stated = [
        0.1,
        0.3,
        0.6,
        0.8,
        0.45,
        0.35,
        0.9,
        0.2,
        0.7,
        0.55,
        0.65,
        0.95,
        0.15,
        0.25,
        0.5,
        0.6,
        0.4,
        0.85,
        0.05,
        0.75,
    ]
    whose = [0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7]
    told = line(truth, stated, people=whose)
    assert told.slope == pytest.approx((2.019737969, 0.705674037, 3.3338019), abs=2e-7)
    assert told.intercept == pytest.approx((0.346871001, -0.645733965, 1.339475967), abs=2e-7)
    assert told.in_the_large == pytest.approx((0.253475386, -0.404646187, 0.911596959), abs=2e-7)
    assert line(truth, stated, people=range(20)) == line(truth, stated), "one case each changes nothing"
    with pytest.raises(Refused, match="20 cases of one patient"):
        line(truth, stated, people=["x"] * 20)
