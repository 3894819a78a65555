"""Stiffness: kPa and m/s, quality in either unit, every class, and readings that are refused."""

from __future__ import annotations

import pytest

from isocenter.errors import Refused
from isocenter.methods.shear_wave import class_of, kilopascal, speed_m_s, summary

STEADY = [5.0, 5.1, 4.9, 5.0, 5.05, 4.95, 5.0, 5.1, 4.9, 5.0]


def test_units_go_there_and_back() -> None:
    assert kilopascal(1.7) == pytest.approx(8.67)
    assert speed_m_s(kilopascal(1.234)) == pytest.approx(1.234)
    held = summary([2.0] * 9 + [2.1], unit="m/s")
    assert (held.kpa, held.m_s) == (pytest.approx(12.0), pytest.approx(2.0))


def test_the_same_readings_have_half_the_spread_in_speed() -> None:
    kpa = [4.0, 4.2, 4.5, 5.0, 5.0, 5.0, 5.2, 5.8, 6.0, 6.1]
    one, other = summary(kpa, unit="kPa"), summary([speed_m_s(v) for v in kpa], unit="m/s")
    assert one.spread == pytest.approx(2 * other.spread, rel=0.1)


def test_quality() -> None:
    assert summary(STEADY, unit="kPa").reliable and not summary(STEADY, unit="kPa").remarks
    wide = summary([3.0, 3.2, 4.0, 5.0, 5.0, 5.0, 6.0, 7.0, 7.5, 8.0], unit="kPa")
    assert not wide.reliable and "at most 0.30 in kPa" in wide.remarks[0]
    speed = summary([1.2, 1.25, 1.3, 1.5, 1.5, 1.5, 1.6, 1.7, 1.75, 1.8], unit="m/s")
    assert speed.spread > 0.15 and not speed.reliable
    few = summary(STEADY[:5], unit="kPa")
    assert few.reliable and "5 readings" in few.remarks[0]


@pytest.mark.parametrize(
    ("median", "unit", "words"),
    [(5.0, "kPa", "normal"), (5.1, "kPa", "ruled out"), (8.9, "kPa", "ruled out"), (9.0, "kPa", "suggestive of cACLD"),
     (13.0, "kPa", "suggestive of cACLD"), (13.1, "kPa", "ruled in"), (17.0, "kPa", "ruled in"),
     (17.1, "kPa", "portal hypertension"), (1.3, "m/s", "normal"), (1.31, "m/s", "ruled out"),
     (1.69, "m/s", "ruled out"), (1.72, "m/s", "suggestive of cACLD"), (2.1, "m/s", "suggestive of cACLD"),
     (2.11, "m/s", "ruled in"), (2.4, "m/s", "ruled in"), (2.41, "m/s", "portal hypertension")],
)  # fmt: skip
def test_the_rule_of_four_in_either_unit(median: float, unit: str, words: str) -> None:
    meaning, rule = class_of(median, unit)
    assert words in meaning and "SRU 2020" in rule and f"limits in {unit}" in rule


@pytest.mark.parametrize("limit", [1.3, 1.7, 2.1, 2.4])
def test_a_median_between_two_readings_that_is_a_limit_is_that_limit(limit: float) -> None:
    for hundredths in range(1, 12):
        apart = hundredths / 100
        held = summary([round(limit - apart, 2)] * 5 + [round(limit + apart, 2)] * 5, unit="m/s")
        assert held.median == limit and class_of(held.median, "m/s") == class_of(limit, "m/s")


def test_a_spread_that_is_the_limit_is_good() -> None:
    held = summary([5.1] * 4 + [6.0] * 2 + [6.9] * 4, unit="kPa")
    assert held.spread == 0.3 and held.reliable


@pytest.mark.parametrize(
    ("readings", "unit", "words"),
    [
        (STEADY[:4], "kPa", "4 readings"),
        (STEADY, "bar", "kPa or m/s"),
        ([12.0] * 10, "m/s", "Is it kPa"),
        ([1.2] * 10, "kPa", "Are the readings m/s"),
        ([*STEADY[:-1], float("nan")], "kPa", "a reading of nan"),
    ],
)
def test_what_is_refused(readings: list[float], unit: str, words: str) -> None:
    with pytest.raises(Refused, match=words):
        summary(readings, unit=unit)


def test_kilopascal_given_as_speed_are_doubted() -> None:
    healthy = [5.1, 4.8, 5.4, 5.0, 4.9, 5.2, 5.0, 5.3, 4.7, 5.1]
    assert summary(healthy, unit="kPa").remarks == ()
    (doubt,) = summary(healthy, unit="m/s").remarks
    assert "5.0 m/s is 77 kPa" in doubt and "are the readings kPa" in doubt
    assert summary(healthy, unit="m/s").reliable
