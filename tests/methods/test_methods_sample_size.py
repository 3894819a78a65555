"""How many cases: the examples of the papers and of pROC."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from isocenter.errors import Refused
from isocenter.methods.agreement import kappa
from isocenter.methods.sample_size import (
    area_error,
    cases_for_area,
    cases_for_kappa,
    cases_for_kappa_test,
    cases_for_sensitivity,
    design_effect,
    diseased_for_test,
    people_for,
    power,
)


def test_what_proc_prints() -> None:
    assert power(0.73, 41, 72) == pytest.approx(0.9897453, abs=5e-8)
    cases = diseased_for_test(0.731368563685636, 0.95, ratio=1.7)
    assert cases == pytest.approx(29.29764, abs=5e-5) and cases * 1.7 == pytest.approx(49.806, abs=5e-4)


def test_precision_is_reached_and_not_overshot() -> None:
    for area, ratio in ((0.8, 1.0), (0.9, 3.0)):
        diseased, healthy = cases_for_area(area, 0.04, ratio=ratio)
        assert (
            1.959964 * area_error(area, diseased, healthy)
            <= 0.04
            < 1.959964 * area_error(area, diseased - 1, (diseased - 1) * ratio)
        )
    assert cases_for_sensitivity(0.9, 0.05, 0.2) == int(np.ceil(1.959963984540054**2 * 0.09 / (0.0025 * 0.2)))


def test_what_irr_prints() -> None:
    """N.cohen.kappa and N2.cohen.kappa of R's irr: the examples of their pages, with their printed output.

    The page of N.cohen.kappa calls 0.7 the null; by the order of its arguments the call has 0.85 there.
    """
    assert cases_for_kappa_test(0.7, 0.85, [0.5, 0.5], sides=1) == 96
    three, six = [0.2, 0.25, 0.55], [0.2, 0.05, 0.2, 0.05, 0.2, 0.3]
    assert cases_for_kappa_test(0.6, 0.4, three, sides=1) == 101
    assert cases_for_kappa_test(0.6, 0.4, three, sides=1, power_=0.9) == 136
    assert cases_for_kappa_test(0.5, 0.1, six, sides=1) == 18


def test_the_width_of_a_kappa_is_that_which_its_interval_then_has() -> None:
    """Of a table of two grades with raters who differ: 40, 9, 11, 60 of 120."""
    one, other = np.repeat([1, 1, 0, 0], [40, 9, 11, 60]), np.repeat([1, 0, 1, 0], [40, 9, 11, 60])
    told = kappa(one, other)
    half = (told.high - told.low) / 2
    planned = cases_for_kappa(told.value, half, [71 / 120, 49 / 120], [69 / 120, 51 / 120])
    assert planned in (120, 121)
    for share in (0.1, 0.5):  # of raters with the same shares, by Bloch & Kraemer's formula (Biometrics 1989;45:269)
        spread = 0.4 * (0.4 * -0.2 + 0.6 * 1.4 / (2 * share * (1 - share)))
        assert cases_for_kappa(0.6, 0.1, [share, 1 - share]) == int(np.ceil(1.959964**2 * spread / 0.01))


def test_people_with_several_images() -> None:
    """The exact variance of a share over people whose numbers of hits are beta-binomial, by every outcome."""
    sizes, share, icc = np.array([1, 2, 3, 6]), 0.8, 0.25
    a, b = share * (1 / icc - 1), (1 - share) * (1 / icc - 1)
    outcomes = [(np.arange(m + 1), m) for m in sizes]
    exact = sum(float(np.sum(stats.betabinom(m, a, b).pmf(n) * (n - m * share) ** 2)) for n, m in outcomes)
    told = design_effect(float(sizes.mean()), icc, variation=float(sizes.std() / sizes.mean()))
    assert told == pytest.approx(exact / sizes.sum() ** 2 / (share * (1 - share) / sizes.sum()), rel=1e-12)
    assert people_for(100, 5, 0.0) == 20 and people_for(100, 5, 1.0) == 100 and people_for(101, 5, 0.0) == 21


def test_what_cannot_be_planned_is_refused() -> None:
    for broken in (
        lambda: power(0.5, 10, 10), lambda: power(0.7, 0, 10), lambda: diseased_for_test(0.4, 0.9),
        lambda: diseased_for_test(0.7, 1.0), lambda: cases_for_area(0.8, 0.0), lambda: area_error(0.8, 0, 5),
        lambda: cases_for_area(0.8, 0.1, ratio=0), lambda: cases_for_sensitivity(1.0, 0.05, 0.2),
        lambda: cases_for_kappa(0.9, 0.1, [0.2, 0.8], [0.8, 0.2]), lambda: cases_for_kappa(0.5, 0.1, [0.2, 0.9]),
        lambda: cases_for_kappa(0.5, 0.1, [1.0]), lambda: cases_for_kappa(0.5, 0.1, [0.5, 0.5], [0.2, 0.2, 0.6]),
        lambda: cases_for_kappa_test(0.5, 0.5, [0.5, 0.5]), lambda: cases_for_kappa_test(0.6, 0.5, [0.5, 0.5], sides=3),
        lambda: design_effect(0.5, 0.1), lambda: design_effect(4, 1.1), lambda: design_effect(4, 0.1, variation=-1),
    ):  # fmt: skip
        with pytest.raises(Refused):
            broken()
