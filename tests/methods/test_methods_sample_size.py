"""How many cases: the examples of the papers and of pROC."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.sample_size import area_error, cases_for_area, cases_for_sensitivity, diseased_for_test, power


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


def test_what_cannot_be_planned_is_refused() -> None:
    for broken in (
        lambda: power(0.5, 10, 10), lambda: power(0.7, 0, 10), lambda: diseased_for_test(0.4, 0.9),
        lambda: diseased_for_test(0.7, 1.0), lambda: cases_for_area(0.8, 0.0), lambda: area_error(0.8, 0, 5),
        lambda: cases_for_area(0.8, 0.1, ratio=0), lambda: cases_for_sensitivity(1.0, 0.05, 0.2),
    ):  # fmt: skip
        with pytest.raises(Refused):
            broken()
