"""Heads on embeddings, and what a rule of selection brings against chance."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from isocenter.errors import Refused
from isocenter.methods.logistic import fit_head, unseen
from isocenter.methods.selection import RULES, chosen, gain


def _cases(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two classes on a line, among many numbers that say nothing; one case in eight is diseased."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.125).astype(int)
    x = rng.normal(0, 1, (n, 16))
    x[:, 0] += 2.5 * y
    return x, y


def test_a_head_is_the_ridge_regression_of_a_second_program() -> None:
    x, y = _cases(300, 0)
    head = fit_head(x, y, ridge=0.5)
    flat = (x - head.centre) / head.spread
    other = LogisticRegression(C=2.0, class_weight="balanced", tol=1e-10, max_iter=5000).fit(flat, y)
    assert np.allclose(head.weights, other.coef_[0], atol=1e-4)
    assert head.offset == pytest.approx(other.intercept_[0], abs=1e-4)
    wide = np.hstack([x[:60], np.random.default_rng(1).normal(0, 1, (60, 90))])
    head = fit_head(wide, y[:60], ridge=0.5)
    other.fit((wide - head.centre) / head.spread, y[:60])
    assert np.allclose(head.weights, other.coef_[0], atol=1e-4)
    doubled = fit_head(np.vstack([x, x[:50]]), np.r_[y, y[:50]])
    weighed = fit_head(x, y, weights=np.r_[np.full(50, 2.0), np.ones(250)])
    assert np.corrcoef(doubled.logit(x), weighed.logit(x))[0, 1] > 0.9999
    for bad in ((x, np.zeros(300)), (x[:5], y), (np.full((4, 2), np.nan), [0, 1, 0, 1]), (x, y + 1)):
        with pytest.raises(Refused):
            fit_head(*bad)
    with pytest.raises(Refused, match="weigh nothing"):
        fit_head(x, y, weights=(y == 0).astype(float))


def test_no_case_is_answered_by_a_head_that_saw_its_person() -> None:
    """Labels by chance, each person's three cases alike: a head that saw the person would know."""
    rng = np.random.default_rng(3)
    people = np.repeat(np.arange(60), 3)
    x = np.repeat(rng.normal(0, 1, (60, 70)), 3, 0)
    y = np.repeat(rng.integers(0, 2, 60), 3)
    said = unseen(x, y, people)
    assert abs(np.mean((said > 0.5) == y) - 0.5) < 0.2
    assert np.mean((fit_head(x, y).certainty(x) > 0.5) == y) == 1
    with pytest.raises(Refused):
        unseen(x[:3], y[:3], people[:3])


def test_uncertain_cases_bring_more_than_chance_where_disease_is_rare() -> None:
    test_x, test_y = _cases(1500, 99)
    last = {
        rule: np.mean([
            gain(*_cases(600, s), test_x, test_y, rule=rule, first=10, batch=10, rounds=5, seed=s)[-1][1]
            for s in range(6)
        ])
        for rule in ("uncertainty", "mixed", "chance")
    }  # fmt: skip
    assert last["uncertainty"] > last["chance"] + 0.01
    assert last["mixed"] > last["chance"]


@pytest.mark.parametrize("rule", sorted(RULES))
def test_every_rule_takes_each_case_once_and_the_same_again(rule: str) -> None:
    x, _ = _cases(80, 1)
    p = np.random.default_rng(0).random(80)
    picked = chosen(x, p, 20, rule=rule, known=x[:5])
    assert len(set(picked.tolist())) == 20
    assert np.array_equal(picked, chosen(x, p, 20, rule=rule, known=x[:5]))


def test_diversity_goes_where_nothing_is_known_and_impossible_wishes_are_refused() -> None:
    x = np.array([[0.0], [0.1], [5.0], [9.0]])
    assert chosen(x, np.full(4, 0.5), 2, rule="diversity", known=[[0.0]]).tolist() == [3, 2]
    for bad in ({"rule": "best"}, {"n": 5}, {"n": 0}):
        with pytest.raises(Refused):
            chosen(x, np.full(4, 0.5), **{"n": 2, "rule": "mixed", **bad})
