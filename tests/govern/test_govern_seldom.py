"""The first of many alike is told, and the next after a while; floods stay small in memory and on paper."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from isocenter.govern.seldom import Seldom

_NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


def test_the_same_is_told_once_in_ten_minutes_with_how_many_were_left_out() -> None:
    seldom = Seldom()
    at = [timedelta(minutes=m) for m in (0, 1, 9.9, 10, 11, 30)]
    assert [seldom.tells("gray", "worklist", _NOON + m) for m in at] == [0, None, None, 2, None, 1]
    assert seldom.tells("lee", "worklist", _NOON) == 0 and seldom.tells("gray", "people", _NOON) == 0


def test_a_clock_that_is_set_back_silences_nobody() -> None:
    seldom = Seldom()
    assert seldom.tells("gray", "worklist", _NOON) == 0
    assert seldom.tells("gray", "worklist", _NOON - timedelta(hours=1)) == 0


def test_ever_new_names_are_told_as_one() -> None:
    seldom = Seldom(ways=3, askers=4)
    ways = [seldom.tells("gray", f"rule {n}", _NOON) for n in range(100)]
    assert ways[:3] == [0, 0, 0] and ways.count(0) == 4
    askers = [seldom.tells(f"address {n}", "rule", _NOON) for n in range(1000)]
    assert askers.count(0) == 4 and len(seldom._told) == 5
    assert seldom.tells("address 999", "rule", _NOON + timedelta(minutes=10)) == 0, "room is made again"
