"""What is usual is learnt from the past: a small fall shows far sooner, false alarms stay as rare as declared."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.control_chart import chart, delays
from isocenter.methods.growing_chart import delays_from_now, follow_growing

RUN = 12_000  # cases: 2,000 in six months, six charts


def stream(seed: int, *parts: tuple[int, float]) -> tuple[int, list[bool]]:
    """Wrong cases of the first hundred, and whether each after them is wrong; parts of cases with their share."""
    rng = np.random.default_rng(seed)
    wrong = np.concatenate([rng.random(n) < share for n, share in parts])
    return int(wrong[:100].sum()), wrong[100:].tolist()


def test_false_alarms_of_six_months_are_as_rare_as_declared() -> None:
    for share in (0.02, 0.2, 0.6):
        told = [follow_growing(hits, 100, wrong, 0.05, RUN) for hits, wrong in (
            stream(seed, (2100, share)) for seed in range(150)
        )]  # fmt: skip
        false = np.mean([one.alarm is not None for one in told])
        assert false <= 1 / 6 + 2 * np.sqrt(1 / 6 * 5 / 6 / 150), share
        quiet = [one for one in told if one.alarm is None]
        assert np.mean([one.cases for one in quiet]) > 1000, "what is usual is taken from most of the past"


def test_a_fall_of_five_points_shows_sooner_than_from_a_hundred_cases_and_never_before_the_bound() -> None:
    hits, wrong = stream(3, (1100, 0.1))
    told = follow_growing(hits, 100, wrong, 0.05, RUN)
    assert told.alarm is None and told.cases > 600 and told.chart.usual < 0.13
    late = delays_from_now(told, 1100, told.share + 0.05, 0.05, RUN, rng=np.random.default_rng(1), times=400)
    first = chart(0.1451, 0.1951, RUN)  # the upper end of what ten of a hundred may be, for 80 in a hundred
    before = delays(first, told.share + 0.05, rng=np.random.default_rng(1), times=400)
    best = delays(chart(told.share, told.share + 0.05, RUN), told.share + 0.05, rng=np.random.default_rng(1), times=400)
    assert best.mean < late.mean < before.mean / 3 and late.missed < 0.02


def test_the_delay_that_is_told_is_that_of_streams_that_were_followed() -> None:
    told = follow_growing(20, 100, ([True] + [False] * 4) * 200, 0.05, RUN)
    late = delays_from_now(told, 1100, 0.3, 0.05, RUN, rng=np.random.default_rng(1), times=2000)
    found = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        after = [*(rng.random(200) < 0.2).tolist(), *(rng.random(4000) < 0.3).tolist()]
        one = follow_growing(20, 100, ([True] + [False] * 4) * 200 + after, 0.05, RUN)
        if one.alarm is not None and one.alarm >= 1200:
            found.append(one.alarm - 1199)
    assert len(found) > 140 and np.mean(found) == pytest.approx(late.mean, rel=0.2)


def test_it_stops_at_its_alarm_and_learns_nothing_from_there() -> None:
    told = follow_growing(5, 100, [True] * 500, 0.05, RUN)
    assert told.alarm is not None and told.alarm < 60 and told.cases == 100 and told.share == 0.05
    assert told.sum >= told.chart.limit


def test_what_no_chart_can_be_is_refused() -> None:
    told = follow_growing(5, 100, [], 0.05, RUN)
    for broken in (
        lambda: follow_growing(5, 0, [], 0.05, RUN), lambda: follow_growing(9, 8, [True], 0.05, RUN),
        lambda: delays_from_now(told, 100, 0.0, 0.05, RUN, rng=np.random.default_rng()),
        lambda: follow_growing(5, 100, [], -0.05, RUN),
    ):  # fmt: skip
        with pytest.raises(Refused):
            broken()
