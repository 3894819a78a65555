"""Seconds on one scale."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dicom.moment import moment_s


@given(st.integers(0, 86399), st.integers(0, 999))
def test_moments_are_seconds_of_the_day(second: int, milli: int) -> None:
    clock = f"{second // 3600:02d}{second // 60 % 60:02d}{second % 60:02d}.{milli:03d}"
    day = moment_s("20260301", "000000")
    assert day is not None
    assert moment_s("20260301", clock) == pytest.approx(day + second + milli / 1000)
    assert moment_s(f"20260301{clock}", "") == pytest.approx(day + second + milli / 1000)


def test_moments_cross_midnight_and_leap_days() -> None:
    a, b = moment_s("20240228", "235950"), moment_s("20240301", "000010")
    assert a is not None and b is not None and b - a == 86400 + 20
    assert moment_s("20260101120000.5+0100", "") == moment_s("20260101", "120000.5")
    assert moment_s("20260101", "12:30:00") == moment_s("20260101", "123000")
    assert moment_s("2026.01.01", "12:30:00") == moment_s("20260101", "123000")


@pytest.mark.parametrize(
    ("day", "clock"), [("2026x101", "120000"), ("20261301", "120000"), ("20260101", "noon"), ("", "")]
)
def test_a_moment_that_is_none(day: str, clock: str) -> None:
    assert moment_s(day, clock) is None
