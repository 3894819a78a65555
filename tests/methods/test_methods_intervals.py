"""Intervals: published values, and whether they hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.intervals import difference, mean, quantile, sample_size, wilson


@pytest.mark.parametrize(
    ("events", "n", "low", "high"),  # Newcombe, Stat Med 17:857 (1998), table I, method 3
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_as_published(events: int, n: int, low: float, high: float) -> None:
    told = wilson(events, n)
    assert (told.low, told.high) == pytest.approx((low, high), abs=5e-5)
    assert told.value == events / n


def test_quantiles_by_hand() -> None:
    ten = quantile(range(1, 11), 0.5)
    assert (ten.value, ten.low, ten.high) == (5.5, 2, 9)  # the second and the ninth of ten (binomial, 97.9 %)
    assert quantile([7.0], 0.95) == quantile([7.0], 0.5)


def test_the_interval_of_a_quantile_holds_what_it_promises() -> None:
    rng = np.random.default_rng(0)
    truth = np.log(10)  # the 90th percentile of the exponential distribution
    held = [(lambda e: e.low <= truth <= e.high)(quantile(rng.exponential(1, 120), 0.9)) for _ in range(1000)]
    assert 0.93 <= np.mean(held) <= 0.99


def test_the_bootstrap_holds_what_it_promises_also_with_clusters() -> None:
    rng = np.random.default_rng(1)
    held = {True: 0, False: 0}
    for _ in range(200):
        days = np.repeat(np.arange(40), 5)
        waits = rng.normal(0, 1, 40)[days] + rng.normal(0, 0.3, 200)
        for clustered in held:
            told = mean(waits, clusters=days if clustered else None, rng=rng, times=400)
            held[clustered] += told.low <= 0 <= told.high
    assert held[True] / 200 > 0.88
    assert held[False] / 200 < 0.75, "studies of one day resemble one another: ignoring it promises too much"


def test_a_difference_and_its_sign() -> None:
    rng = np.random.default_rng(2)
    told = difference([10.0] * 30, [12.0, 14.0] * 20, rng=rng)
    assert (told.value, told.n) == (-3.0, 70)
    assert told.low < -3 < told.high < 0


def test_sample_sizes() -> None:
    assert sample_size(0.5, 0.05, 10**9) == 385  # Cochran's well-known figure
    assert sample_size(0.5, 0.05, 500) == 218
    assert sample_size(0.5, 0.05, 3) == 3


@pytest.mark.parametrize(
    "call",
    [
        lambda: wilson(1, 0),
        lambda: wilson(3, 2),
        lambda: quantile([], 0.5),
        lambda: mean([], rng=np.random.default_rng()),
        lambda: difference([], [1], rng=np.random.default_rng()),
        lambda: sample_size(0, 0.1, 10),
        lambda: wilson(1, 2, confidence=1.5),
    ],
)
def test_refusals(call: object) -> None:
    with pytest.raises(Refused):
        call()  # type: ignore[operator]
