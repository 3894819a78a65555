"""The chart's false alarms are as rare as computed, its delays as short as simulated, and both agree with theory."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.control_chart import average_run, chart, delays, follow


def solved(rise: int, fall: int, limit: int, p: float) -> float:
    """Mean cases until the limit from the whole system of equations."""
    a, one = np.eye(limit), np.ones(limit)
    for s in range(limit):
        if s + rise < limit:
            a[s, s + rise] -= p
        a[s, max(s - fall, 0)] -= 1 - p
    return float(np.linalg.solve(a, one)[0])


@pytest.mark.parametrize(
    ("rise", "fall", "limit", "p"),
    [
        (1, 1, 3, 0.5),
        (6, 1, 30, 0.1),
        (9, 1, 70, 0.05),
        (3, 1, 20, 0.4),
        (12, 1, 12, 0.2),
        (1, 7, 40, 0.85),
        (5, 3, 90, 0.35),
        (30, 4, 9, 0.1),
        (3, 50, 20, 0.6),
    ],
)
def test_the_mean_run_is_that_of_the_whole_system(rise: int, fall: int, limit: int, p: float) -> None:
    assert average_run(rise, fall, limit, p) == pytest.approx(solved(rise, fall, limit, p), rel=1e-9)


def test_by_hand() -> None:
    assert average_run(1, 1, 2, 0.5) == pytest.approx(6.0), "two wrong cases, a right one takes one back"
    by = chart(0.1, 0.2, 500)
    assert average_run(by.rise, by.fall, by.limit, 0.1) >= 500 > average_run(by.rise, by.fall, by.limit - 1, 0.1)
    sums, alarm = follow([0, 1, 1, 0, 1, 1, 1, 1, 1], by)
    assert sums.tolist() == np.cumsum([0, 6, 6, -1, 6, 6, 6, 6, 6]).tolist() and alarm is not None
    assert follow([0] * 50, by) == (pytest.approx(np.zeros(50)), None)


def test_false_alarms_and_delays_by_simulation() -> None:
    by = chart(0.08, 0.13, 1000)
    none = delays(by, by.usual, rng=np.random.default_rng(0), before=0, within=100_000)
    assert none.mean == pytest.approx(by.run, rel=0.08) and none.missed == 0
    five, ten = (delays(by, by.usual + d, rng=np.random.default_rng(1)) for d in (0.05, 0.10))
    assert ten.median < five.median < five.late < by.run
    at_zero = delays(by, 0.18, rng=np.random.default_rng(2), before=0)
    assert at_zero.mean == pytest.approx(average_run(by.rise, by.fall, by.limit, 0.18), rel=0.05)


@pytest.mark.parametrize("usual", [0.01, 0.1, 0.2, 0.25, 0.35, 0.5, 0.65, 0.8, 0.9])
def test_a_rise_of_five_points_is_found_whatever_is_usual(usual: float) -> None:
    """Steps that were rounded to one and a whole number rose, or fell, whether anything had changed or not."""
    worse = usual + 0.05
    by = chart(usual, worse, 20_000)
    assert usual * by.rise < (1 - usual) * by.fall and worse * by.rise > (1 - worse) * by.fall
    found = delays(by, worse, rng=np.random.default_rng(1), times=400)
    assert found.missed == 0 and found.mean < 1000
    assert by.run >= 20_000 > average_run(by.rise, by.fall, by.limit - 1, usual)


def test_what_no_chart_can_be_is_refused() -> None:
    by = chart(0.1, 0.2, 10)
    for broken in (
        lambda: chart(0.2, 0.1, 100), lambda: chart(0.0, 0.1, 100), lambda: chart(0.1, 0.2, float("nan")),
        lambda: follow([0.5], by), lambda: delays(by, 0, rng=np.random.default_rng()),
        lambda: average_run(0, 2, 5, 0.5), lambda: average_run(2, 2, 5, 1.0),
    ):  # fmt: skip
        with pytest.raises(Refused):
            broken()
