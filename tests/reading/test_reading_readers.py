"""Readers with AI: logs with known rates give those rates, and few cases give none."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.reading.readers import Call, by, rates


def call(machine: bool, final: bool, first: bool | None = None, truth: bool | None = None, **rest: object) -> Call:
    given = {"study": "1", "reader": "ito", "analysis": "brain_bleed", "mode": "unaided-first", **rest}
    return Call(machine=machine, final=final, first=first, truth=truth, **given)  # type: ignore[arg-type]


def synthetic(n: int, *, follow_wrong: float, override_right: float, mode: str, seed: int) -> list[Call]:
    """Readers of whom we know how they are led: the AI is wrong in 20 % of the cases."""
    rng = np.random.default_rng(seed)
    calls = []
    for number in range(n):
        truth = bool(rng.random() < 0.3)
        machine = truth ^ bool(rng.random() < 0.2)
        follows = rng.random() < (follow_wrong if machine != truth else 1 - override_right)
        calls.append(call(machine, machine if follows else not machine, truth=truth, study=str(number), mode=mode))
    return calls


def test_planted_rates_are_found_by_mode() -> None:
    calls = synthetic(4000, follow_wrong=0.33, override_right=0.05, mode="concurrent", seed=1)
    calls += synthetic(4000, follow_wrong=0.10, override_right=0.02, mode="unaided-first", seed=2)
    concurrent, unaided = by(calls, "mode")
    assert (concurrent.group, unaided.group) == (("concurrent",), ("unaided-first",))
    for told, follow, override in ((concurrent, 0.33, 0.05), (unaided, 0.10, 0.02)):
        assert told.wrong_follow is not None and told.wrong_override is not None
        assert told.wrong_follow.low < follow < told.wrong_follow.high
        assert told.wrong_override.low < override < told.wrong_override.high
    assert concurrent.wrong_follow.low > unaided.wrong_follow.high, "the two modes are told apart"  # type: ignore[union-attr]


def test_intervals_hold_over_many_logs() -> None:
    held = 0
    for seed in range(200):
        told = rates(synthetic(300, follow_wrong=0.2, override_right=0.1, mode="second", seed=seed))
        assert told.wrong_follow is not None
        held += told.wrong_follow.low <= 0.2 <= told.wrong_follow.high
    assert held / 200 > 0.9


def test_thirty_calls_by_hand() -> None:
    """AI wrong in 10 (followed in 4), right in 20 (overridden in 2); a first opinion in each."""
    calls = [
        *[call(True, True, False, False, seconds=60)] * 4,  # led astray
        *[call(True, False, False, False, seconds=90)] * 6,
        *[call(True, False, False, True, seconds=120)] * 2,  # not rescued
        *[call(True, True, False, True, seconds=120)] * 8,  # rescued
        *[call(False, False, False, False, seconds=30)] * 10,
    ]
    told = rates(calls)
    assert (told.n, told.with_truth) == (30, 30)
    values = {
        n: getattr(told, n) for n in ("agreement", "override", "changed", "wrong_follow", "led_astray", "rescued")
    }
    assert {n: (round(e.value * e.n), e.n) for n, e in values.items()} == {
        "agreement": (22, 30), "override": (8, 30), "changed": (12, 30), "wrong_follow": (4, 10), "led_astray": (4, 10),
        "rescued": (8, 10),
    }  # fmt: skip
    assert told.wrong_override is not None
    assert (told.wrong_override.value, told.wrong_override.n) == (0.1, 20)
    assert told.agreement is not None
    assert (told.agreement.low, told.agreement.high) == pytest.approx((0.5555, 0.8582), abs=1e-4)
    assert told.seconds == 90


def test_what_is_not_known_is_not_a_rate() -> None:
    told = rates([call(True, True)] * 12)
    assert told.agreement is not None
    assert (told.wrong_follow, told.changed, told.seconds, told.with_truth) == (None, None, None, 0)
    assert told.needed == {"changed": 10, "wrong_follow": 10, "wrong_override": 10, "led_astray": 10, "rescued": 10}
    assert rates([call(True, True)] * 9).needed["agreement"] == 1
    assert by([], "reader") == []


def test_groups() -> None:
    many = [call(True, True, reader="lee"), call(True, True), call(True, True, analysis="a")]
    assert [r.group for r in by(many, "reader", "analysis")] == [
        ("ito", "a"),
        ("ito", "brain_bleed"),
        ("lee", "brain_bleed"),
    ]
    with pytest.raises(Refused, match="there are reader"):
        by(many, "age")
