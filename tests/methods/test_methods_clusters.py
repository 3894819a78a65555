"""Images of one patient resemble one another: intervals and tests hold what they promise all the same."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods import clusters, noninferiority, roc
from isocenter.methods.bootstrap import areas

CDF = NormalDist().cdf


def films(rng: np.random.Generator, people: int = 60, each: int = 5, alike: float = 0.6) -> tuple[np.ndarray, ...]:
    """Whose film, label of the patient, score: 1.5 apart, of which patients have a part in common."""
    whose = np.repeat(np.arange(people), each)
    label = (rng.random(people) < 0.4).astype(int)[whose]
    own, rest = rng.normal(size=people)[whose], rng.normal(size=len(whose))
    return whose, label, 1.5 * label + np.sqrt(alike) * own + np.sqrt(1 - alike) * rest


def test_intervals_hold_the_truth_as_often_as_they_say_and_those_of_images_do_not() -> None:
    rng, area, share = np.random.default_rng(3), CDF(1.5 / np.sqrt(2)), CDF(0.75)
    held = np.zeros(4)
    for _ in range(300):
        whose, label, score = films(rng)
        sick = label == 1
        told = (
            roc.auc(label, score, people=whose), clusters.share(score[sick] >= 0.75, whose[sick]),
            roc.auc(label, score), clusters.share(score[sick] >= 0.75),
        )  # fmt: skip
        held += [one.low <= true <= one.high for one, true in zip(told, (area, share) * 2, strict=True)]
    assert held[0] / 300 == pytest.approx(0.95, abs=0.04) and held[1] / 300 == pytest.approx(0.95, abs=0.04)
    assert max(held[2:]) / 300 < 0.85, "what is mended here: images taken for patients"


def test_the_area_of_shared_patients_is_that_of_drawing_them_again() -> None:
    whose, label, score = films(np.random.default_rng(1), people=150, each=4)
    told, drawn = roc.auc(label, score, people=whose), areas(label, score, whose, rng=np.random.default_rng(2))
    assert told.value == pytest.approx(drawn.value, abs=1e-12)
    assert (told.low, told.high) == pytest.approx((drawn.low, drawn.high), abs=0.01)


def test_one_image_each_gives_the_figures_of_before() -> None:
    _, label, score = films(np.random.default_rng(1), each=1)
    names = [f"p{n}" for n in range(len(label))]
    assert roc.auc(label, score, people=names) == roc.auc(label, score)
    assert clusters.share(score > 1, names) == clusters.share(score > 1)
    old = score + np.random.default_rng(2).normal(size=len(score))
    assert noninferiority.areas(label, score, old, people=names) == noninferiority.areas(label, score, old)
    assert clusters.mean_error(score, names) == pytest.approx(score.std(ddof=1) / np.sqrt(len(score)))


def test_the_same_image_twice_is_worth_one() -> None:
    rng = np.random.default_rng(5)
    hits = rng.random(40) < 0.7
    once, twice = clusters.share(hits), clusters.share(np.repeat(hits, 2), np.repeat(np.arange(40), 2))
    assert twice.n == 80 and (twice.low, twice.high) == pytest.approx((once.low, once.high), abs=0.005)
    _, label, score = films(rng, people=80, each=1)
    double = roc.auc(np.repeat(label, 3), np.repeat(score, 3), people=np.repeat(np.arange(80), 3))
    plain = roc.auc(label, score)
    assert double.value == pytest.approx(plain.value)
    assert double.error == pytest.approx(plain.error, rel=0.02) and double.low == pytest.approx(plain.low, abs=0.01)


def test_differences_of_models_are_held_against_the_spread_between_patients() -> None:
    whose, label, score = films(np.random.default_rng(4))
    own = np.random.default_rng(5).normal(size=60)[whose]
    old = score + 0.8 * own
    wide, narrow = noninferiority.areas(label, score, old, people=whose), noninferiority.areas(label, score, old)
    assert wide.value == narrow.value and wide.high - wide.low > 1.5 * (narrow.high - narrow.low)
    new, was = score > 0.7, old > 0.7
    shares = noninferiority.shares(new, was, people=whose)
    assert shares.high - shares.low > 1.3 * (noninferiority.shares(new, was).high - noninferiority.shares(new, was).low)
    means = noninferiority.means(score, old, people=whose)
    assert means.high - means.low > 1.8 * (noninferiority.means(score, old).high - noninferiority.means(score, old).low)


def test_who_are_too_few_or_too_many() -> None:
    assert clusters.worth([1, 0, 1], ["a", "a", "a"]) == 1.0
    assert clusters.worth([1, 0, 1, 0], ["a", "a", "b", "b"]) == 4.0, "no spread between patients at all"
    with pytest.raises(Refused, match="2 patients for 3 cases"):
        roc.auc([0, 1, 1], [0.1, 0.2, 0.3], people=["a", "b"])
    with pytest.raises(Refused, match="one person"):
        noninferiority.means([1.0, 2.0], [1.0, 3.0], people=["a", "a"])


def test_a_mean_is_that_of_least_squares_with_errors_by_patient() -> None:
    dice, whose = [0.81, 0.85, 0.80, 0.71, 0.69, 0.90, 0.88, 0.91, 0.93, 0.76], [0, 0, 0, 1, 1, 2, 2, 2, 2, 3]
    told = clusters.mean(dice, whose)  # statsmodels 0.15, OLS on a constant, cov_type="cluster", use_t=True
    assert [told.value, told.low, told.high] == pytest.approx([0.824, 0.67216473, 0.97583527], abs=5e-9)
    with pytest.raises(Refused, match="3 cases of 1 patient: how far patients differ is not known"):
        clusters.mean([0.7, 0.8, 0.9], [4, 4, 4])
