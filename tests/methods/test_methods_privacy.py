"""Two accountants, a closed form, and the figures of a third party."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import gammaln, logsumexp

from isocenter.errors import Refused
from isocenter.methods.privacy import gaussian_delta, renyi, spent, spent_exactly


def _closed(q: float, noise: float, order: int) -> float:
    """The sum of Mironov, Talwar and Zhang (2019) for whole orders."""
    k = np.arange(order + 1)
    binomial = gammaln(order + 1) - gammaln(k + 1) - gammaln(order - k + 1)
    terms = binomial + k * math.log(q) + (order - k) * math.log1p(-q) + k * (k - 1) / (2 * noise**2)
    return float(logsumexp(terms)) / (order - 1)


@pytest.mark.parametrize("q", [0.001, 0.05, 0.5])
@pytest.mark.parametrize("noise", [0.4, 1.0, 6.0])
def test_the_divergence_is_that_of_the_closed_sum(q: float, noise: float) -> None:
    for order in (2, 3, 8, 40):
        assert renyi(q, noise, order) == pytest.approx(_closed(q, noise, order), rel=1e-9, abs=1e-13)


# (chance, noise, steps, delta) -> ε of opacus 1.x: RDPAccountant, and PRVAccountant, which is right to within 0.01
OPACUS = [
    ((0.01, 1.1, 1000, 1e-5), 1.7117700912, 1.5254726493),
    ((0.05, 1.0, 300, 1e-5), 6.4596967602, 5.8056782770),
    ((0.2, 2.0, 200, 1e-6), 8.8417349365, 8.2363432676),
    ((1.0, 5.0, 20, 1e-5), 4.1616243061, 3.8588216719),
    ((0.004, 0.6, 5000, 1e-6), 8.3310397760, 7.2978676192),
]


@pytest.mark.parametrize(("case", "renyis", "exact"), OPACUS)
def test_both_agree_with_opacus_within_one_percent(
    case: tuple[float, float, int, float], renyis: float, exact: float
) -> None:
    assert spent(*case) == pytest.approx(renyis, rel=0.002)
    assert spent_exactly(*case) == pytest.approx(exact, rel=0.01)
    assert spent_exactly(*case) <= spent(*case)


@pytest.mark.parametrize(("noise", "steps"), [(1.0, 1), (5.0, 20), (30.0, 2000)])
def test_without_drawing_the_second_accountant_is_the_closed_form(noise: float, steps: int) -> None:
    true = brentq(lambda e: gaussian_delta(noise / math.sqrt(steps), e) - 1e-5, 0, 100)
    assert spent_exactly(1.0, noise, steps, 1e-5) == pytest.approx(true, rel=1e-4)


def test_more_steps_cost_more_and_more_noise_less() -> None:
    assert spent(0.1, 1.0, 0, 1e-5) == 0 == spent_exactly(0.1, 1.0, 0, 1e-5)
    costs = [spent(0.1, 1.0, n, 1e-5) for n in (1, 10, 100)]
    assert costs == sorted(costs)
    assert spent(0.1, 2.0, 100, 1e-5) < spent(0.1, 1.0, 100, 1e-5)


@pytest.mark.parametrize("bad", [(0.0, 1.0, 1, 1e-5), (1.1, 1.0, 1, 1e-5), (0.1, 0.0, 1, 1e-5), (0.1, 1.0, 1, 0.0)])
def test_what_is_out_of_range_is_refused(bad: tuple[float, float, int, float]) -> None:
    with pytest.raises(Refused):
        spent(*bad)
