"""Agreement against Shrout & Fleiss' table, a second program, and laws."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.errors import Refused
from isocenter.methods import agreement

JUDGES = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]


@pytest.mark.data
def test_all_six_forms_of_the_published_table(reference: Path) -> None:
    (file,) = (reference / "icc-shrout-fleiss").glob("*.json")
    held = json.loads(file.read_text())
    for design, value in held["ICC"].items():
        assert round(agreement.intraclass(held["ratings_6_targets_x_4_judges"], design).value, 2) == value


@pytest.mark.parametrize(
    ("design", "low", "high"),
    # Printed by SPSS for the same table (McGraw & Wong 1996, and in many textbooks).
    [("1,1", -0.133, 0.723), ("2,1", 0.019, 0.761), ("3,1", 0.342, 0.946), ("1,k", -0.884, 0.912),
     ("2,k", 0.071, 0.927), ("3,k", 0.676, 0.986)],
)  # fmt: skip
def test_intervals_of_the_same_table(design: agreement.Design, low: float, high: float) -> None:
    found = agreement.intraclass(JUDGES, design)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-4)


@settings(max_examples=30, deadline=None, database=None)
@given(st.integers(0, 10_000), st.sampled_from(["none", "linear", "quadratic"]))
def test_kappa_is_that_of_a_second_program(seed: int, weights: agreement.Weights) -> None:
    from sklearn.metrics import cohen_kappa_score

    rng = np.random.default_rng(seed)
    one = np.r_[0, 4, rng.integers(0, 5, 60)]
    other = np.clip(one + rng.integers(-1, 2, 62), 0, 4)
    labels = np.unique(np.r_[one, other])
    if not np.array_equal(labels, np.arange(5)):
        return  # the second program takes ranks for distances where a grade is missing
    wanted = cohen_kappa_score(one, other, weights=None if weights == "none" else weights)
    found = agreement.kappa(one, other, weights=weights)
    assert found.value == pytest.approx(wanted, abs=1e-12)
    assert found.low <= found.value <= found.high


def test_the_error_of_kappa_is_that_of_repeated_studies() -> None:
    rng = np.random.default_rng(2)
    values, errors = [], []
    for _ in range(400):
        truth = rng.integers(0, 3, 150)
        one, other = (np.where(rng.random(150) < 0.8, truth, rng.integers(0, 3, 150)) for _ in range(2))
        found = agreement.kappa(one, other)
        values.append(found.value)
        errors.append((found.high - found.low) / (2 * 1.959964))
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.1)


def test_weights_count_the_distance_of_grades() -> None:
    near, far = agreement.kappa([1, 2, 3, 9], [1, 2, 3, 8], weights="quadratic"), 0.0
    far = agreement.kappa([1, 2, 3, 9], [1, 2, 3, 1], weights="quadratic").value
    assert near.value > 0.98 > far


def test_limits_of_agreement_cover_what_they_promise() -> None:
    rng = np.random.default_rng(4)
    truth = rng.normal(100, 20, 500)
    found = agreement.limits_of_agreement(truth + rng.normal(2, 3, 500), truth + rng.normal(0, 4, 500))
    assert found.bias.low < 2 < found.bias.high
    assert found.sd == pytest.approx(5, rel=0.1)
    assert found.low.value == pytest.approx(2 - 1.96 * 5, abs=0.8)
    assert found.high.low < 2 + 1.96 * 5 < found.high.high


def test_the_smallest_change_is_exceeded_by_chance_once_in_twenty() -> None:
    rng = np.random.default_rng(5)
    truth = rng.normal(50, 10, 400)
    smallest = agreement.smallest_detectable_change(truth + rng.normal(0, 2, 400), truth + rng.normal(0, 2, 400))
    again = np.abs(rng.normal(0, 2, 20_000) - rng.normal(0, 2, 20_000))
    assert np.mean(again > smallest) == pytest.approx(0.05, abs=0.015)


def test_lin_falls_with_scatter_and_with_bias() -> None:
    rng = np.random.default_rng(6)
    x = rng.normal(size=200)
    assert agreement.concordance(x, x) == pytest.approx(1)
    assert agreement.concordance(x, x + 1) < 0.9
    assert agreement.concordance(x, -x) == pytest.approx(-1, abs=0.05)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: agreement.kappa([1, 1], [1]), "the same subjects"),
        (lambda: agreement.kappa([1, 1], [1, 1]), "chance alone"),
        (lambda: agreement.kappa(["a", "b"], ["a", "b"], weights="linear"), "grades that are numbers"),
        (lambda: agreement.kappa([1, 2], [1, 2], weights="cubic"), "'none', 'linear' or 'quadratic'"),
        (lambda: agreement.kappa([1, 2], [1, 2], level=1.0), "between 0 and 1"),
        (lambda: agreement.intraclass([[1.0, np.nan], [2.0, 2.0]]), "none missing"),
        (lambda: agreement.intraclass(JUDGES, "4,1"), "known are 1,1"),
        (lambda: agreement.limits_of_agreement([1.0, 2.0], [1.0, 2.0]), "three pairs"),
        (lambda: agreement.smallest_detectable_change([1.0], [1.0]), "three pairs"),
        (lambda: agreement.concordance([1.0], [1.0]), "two pairs"),
        (lambda: agreement.concordance([1.0, 1.0], [1.0, 1.0]), "do not vary"),
    ],
)
def test_each_guard_refuses(ask: object, words: str) -> None:
    with pytest.raises(Refused, match=words):
        ask()  # type: ignore[operator]


@pytest.mark.parametrize("design", ["1,1", "2,1", "3,1", "1,k", "2,k", "3,k"])
def test_raters_without_error_agree_wholly_and_subjects_all_alike_have_no_value(design: agreement.Design) -> None:
    same = agreement.intraclass([[1, 1], [2, 2], [4, 4]], design)
    assert (same.value, same.low, same.high) == (1.0, 1.0, 1.0)
    near = agreement.intraclass(np.array([[1, 1], [2, 2], [4, 4]]) + 1e-6 * np.eye(3, 2), design)
    assert near.value == pytest.approx(1.0, abs=1e-9) and near.low == pytest.approx(1.0, abs=1e-6)
    with pytest.raises(Refused, match="all rated alike"):
        agreement.intraclass(np.full((3, 2), 2.0), design)


def test_one_rater_who_is_always_one_higher_is_consistent_but_does_not_agree() -> None:
    rated = [[1, 2], [2, 3], [3, 4]]
    assert agreement.intraclass(rated, "3,1").value == 1.0
    assert agreement.intraclass(rated, "2,1").value == pytest.approx(2 / 3)  # (2 - 0) / (2 + 2 * 1.5 / 3)


def test_subjects_whose_means_are_alike() -> None:
    assert agreement.intraclass([[1, 3], [3, 1], [2, 2]], "1,1").value == -1.0
    with pytest.raises(Refused, match="all rated alike"):
        agreement.intraclass([[1, 3], [3, 1], [2, 2]], "1,k")


def test_a_grade_that_is_missing_is_refused() -> None:
    with pytest.raises(Refused, match="1 grades that are missing"):
        agreement.kappa([1, 2, float("nan")], [1, 2, 2], weights="quadratic")


def test_how_alike_the_images_of_a_person_are() -> None:
    ratings = np.random.default_rng(0).normal(size=(30, 1)) + np.random.default_rng(1).normal(size=(30, 4))
    whole = agreement.intraclass_by_person(ratings.ravel(), np.repeat(np.arange(30), 4))
    assert whole == pytest.approx(agreement.intraclass(ratings, "1,1").value, 1e-12)
    # by hand, of unequal numbers: means 1, 1/3; between 8/15 over 1, within 2/3 over 3; typical (5 - 13/5)/1 = 2.4
    between, within = 8 / 15, 2 / 9
    said = agreement.intraclass_by_person([1, 1, 0, 0, 1], list("aabbb"))
    assert said == pytest.approx((between - within) / (between + 1.4 * within))


@pytest.mark.parametrize(("values", "people"), [([1, 1, 1], "aab"), ([1, 0], "ab"), ([1, 0], "aa"), ([1, 0, 1], "ab")])
def test_how_alike_they_are_is_not_told_of_too_few(values: list[int], people: str) -> None:
    with pytest.raises(Refused):
        agreement.intraclass_by_person(values, list(people))
