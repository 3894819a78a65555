"""Conformal sets hold what they promise, by class and by group, or nothing is promised."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.conformal import calibrate, coverage, fewest


def cases(rng: np.random.Generator, n: int, rare: float = 0.5, skill: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    labels = (rng.random(n) < rare).astype(int)
    sick = 1 / (1 + np.exp(-(rng.normal(size=n) + skill * (2 * labels - 1))))
    return labels, np.stack([1 - sick, sick], 1)


def test_mean_coverage_of_each_class_lies_where_theory_has_it() -> None:
    rng = np.random.default_rng(0)
    alpha, found = 0.1, {0: [], 1: []}
    for _ in range(300):
        labels, probabilities = cases(rng, 160)
        n = {c: int((labels == c).sum()) for c in (0, 1)}
        if min(n.values()) < fewest(alpha):
            continue
        made = calibrate(labels, probabilities, alpha=alpha)
        new, of_them = cases(rng, 400)
        for label, (hits, of) in coverage(made.sets(of_them), new).items():
            found[label].append(hits / of)
    for values in found.values():
        # 1 - alpha to 1 - alpha + 1/(n + 1), give or take three standard errors of this simulation.
        error = np.std(values) / np.sqrt(len(values))
        assert 0.9 - 3 * error <= np.mean(values) <= 0.9 + 1 / 60 + 3 * error


@pytest.mark.parametrize(("alpha", "n", "rank"), [(0.18, 149, 123), (0.18, 249, 205), (0.1, 39, 36), (0.1, 40, 37)])
def test_the_limit_is_the_score_of_the_rank_that_is_promised(alpha: float, n: int, rank: int) -> None:
    scores = np.linspace(0.01, 0.9, n)  # the rank is ceil((n + 1)(1 - alpha)): 150 * 0.82 is 123, in doubles a bit more
    sick = np.stack([scores, 1 - scores], 1)
    made = calibrate([1] * n + [0] * n, np.concatenate([sick, sick[:, ::-1]]), alpha=alpha)
    assert made.thresholds[None][1] == pytest.approx(scores[rank - 1], abs=1e-12)


def test_a_new_patient_is_covered_as_promised_where_patients_have_several_images() -> None:
    rng = np.random.default_rng(7)

    def films(people: int, each: int = 10) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        own, whose = rng.normal(size=(2, people)), np.tile(np.repeat(np.arange(people), each), 2)
        score = np.concatenate([np.repeat(k, each) for k in own]) * 0.9 + 0.4 * rng.normal(size=2 * people * each)
        labels = np.repeat([0, 1], people * each)
        stated = 1 / (1 + np.exp(-(score + 1)))  # of its own class
        return labels, np.stack([np.where(labels == k, stated, 1 - stated) for k in (0, 1)], 1), whose

    held = {True: [], False: []}
    for _ in range(250):
        labels, stated, whose = films(12)
        new, of_them, _ = films(100)
        for known in held:
            made = calibrate(labels, stated, alpha=0.1, people=whose if known else None, least=12)
            held[known].append(np.mean([hits / n for hits, n in coverage(made.sets(of_them), new).values()]))
    assert np.mean(held[True]) >= 0.9 > 0.89 > np.mean(held[False]), "films taken for patients promise too much"
    with pytest.raises(Refused, match="12 calibration patients of class 0: a promise of 90% needs 35"):
        calibrate(labels, stated, people=whose)


def test_a_rare_class_is_covered_as_well_as_a_common_one() -> None:
    rng = np.random.default_rng(1)
    made = calibrate(*cases(rng, 4000, rare=0.05), alpha=0.1)
    labels, probabilities = cases(rng, 20_000, rare=0.05)
    rates = {c: hits / of for c, (hits, of) in coverage(made.sets(probabilities), labels).items()}
    assert rates[1] == pytest.approx(0.9, abs=0.06)
    assert rates[0] == pytest.approx(0.9, abs=0.03)


def test_a_group_on_which_the_model_is_worse_gets_wider_sets_and_the_same_coverage() -> None:
    rng = np.random.default_rng(2)

    def both(n: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
        (a, pa), (b, pb) = cases(rng, n, skill=2.5), cases(rng, n, skill=0.5)
        return np.r_[a, b], np.concatenate([pa, pb]), ["north"] * n + ["south"] * n

    labels, probabilities, groups = both(3000)
    made = calibrate(labels, probabilities, alpha=0.1, groups=groups)
    labels, probabilities, groups = both(5000)
    sets = made.sets(probabilities, groups)
    for group in ("north", "south"):
        mine = np.array(groups) == group
        for hits, of in coverage(sets[mine], labels[mine]).values():
            assert hits / of == pytest.approx(0.9, abs=0.035)
    wide = sets.sum(1)
    assert wide[5000:].mean() > wide[:5000].mean() + 0.2


def test_the_model_may_be_nonsense_and_the_promise_still_holds() -> None:
    rng = np.random.default_rng(3)
    labels, noise = rng.integers(0, 3, 3000), rng.dirichlet([1, 1, 1], 3000)
    made = calibrate(labels[:1500], noise[:1500], alpha=0.2)
    for hits, of in coverage(made.sets(noise[1500:]), labels[1500:]).values():
        assert hits / of == pytest.approx(0.8, abs=0.06)


def test_too_few_cases_are_promised_nothing() -> None:
    rng = np.random.default_rng(4)
    labels, probabilities = cases(rng, 60, rare=0.1)
    with pytest.raises(Refused, match=r"Collect \d+ more, or give no guarantee"):
        calibrate(labels, probabilities, alpha=0.1)
    labels, probabilities = cases(rng, 200)
    with pytest.raises(Refused, match="class 0 in group south"):
        calibrate(labels, probabilities, groups=["north"] * 195 + ["south"] * 5)
    assert fewest(0.01) == 99  # below, no finite threshold exists


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: fewest(0.0), "between 0 and 1"),
        (lambda: calibrate([0, 1], [[0.5, 0.6], [0.5, 1.5]]), "from 0 to 1"),
        (lambda: calibrate([0, 5], [[0.5, 0.5], [0.5, 0.5]]), "one of the classes"),
        (lambda: calibrate([0, 1], [[0.5, 0.5], [0.5, 0.5]], groups=["a"]), "belongs to one"),
    ],
)
def test_each_guard_refuses(ask: object, words: str) -> None:
    with pytest.raises(Refused, match=words):
        ask()  # type: ignore[operator]


def test_a_group_or_class_that_was_not_calibrated_is_refused() -> None:
    labels, probabilities = cases(np.random.default_rng(5), 400)
    made = calibrate(labels, probabilities, groups=["north"] * 400)
    with pytest.raises(Refused, match="nothing was promised"):
        made.sets(probabilities[:1], ["east"])
    with pytest.raises(Refused, match="belongs to one"):
        made.sets(probabilities[:2], ["north"])
    with pytest.raises(Refused, match="2 were calibrated"):
        made.sets(np.full((1, 3), 1 / 3), ["north"])
