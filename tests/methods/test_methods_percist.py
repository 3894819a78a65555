"""PERCIST 1.0: every threshold on both sides, and every condition of a comparison refused once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from isocenter.errors import Refused
from isocenter.methods.percist import Burden, Conditions, chosen, comparable, response, rose
from isocenter.methods.uptake import ReferenceUptake

LIVER = ReferenceUptake("liver", 1.6, 0.1, 1.9, 500)
BLOOD = ReferenceUptake("blood pool", 1.2, 0.1, 1.5, 30)
ALIKE = Conditions(3600.0, 350e6, "MAKER One", "F-18", 5.5)


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        (10.0, 7.0, "PMR"),
        (10.0, 7.01, "SMD"),
        (10.0, 13.0, "PMD"),
        (10.0, 12.99, "SMD"),
        (2.7, 1.9, "SMD"),  # -30 % is met only with -0.8: 2.7 to 1.9 is -29.6 %
        (2.65, 1.85, "PMR"),  # -30.2 % and exactly -0.8
        (2.62, 1.83, "SMD"),  # -30.2 %, but only -0.79
        (2.62, 3.41, "SMD"),  # +30.2 %, but only +0.79
        (2.62, 3.42, "PMD"),
    ],
)
def test_thirty_percent_and_point_eight_are_both_asked(was: float, now: float, said: str) -> None:
    judged = response(Burden(was), Burden(now), LIVER)
    assert judged.response == said and judged.rule.startswith("PERCIST 1.0")
    assert f"{was:.2f} to {now:.2f}" in judged.why


def test_complete_response_is_below_liver_and_like_background() -> None:
    assert response(Burden(8.0), Burden(1.4), LIVER, background=BLOOD).response == "CMR"
    assert response(Burden(8.0), Burden(1.41), LIVER, background=BLOOD).response == "PMR"  # above 1.2 + 2 * 0.1
    assert response(Burden(8.0), Burden(1.4), LIVER).response == "PMR"  # nothing says what background is
    assert response(Burden(8.0), Burden(None), LIVER).response == "CMR"
    warm = replace(BLOOD, mean=2.0)
    assert response(Burden(8.0), Burden(1.7), LIVER, background=warm).response == "PMR"  # above the liver's 1.6


def test_progression_by_new_lesion_and_by_glycolysis() -> None:
    assert "new lesion" in response(Burden(8.0), Burden(2.0, new=True), LIVER).rule
    assert response(Burden(8.0, 100.0), Burden(8.0, 175.0), LIVER).rule.endswith("TLG +75 % with no decline in SUL")
    assert response(Burden(8.0, 100.0), Burden(8.0, 174.9), LIVER).response == "SMD"
    assert response(Burden(8.0, 100.0), Burden(5.0, 200.0), LIVER).response == "PMR"


def test_what_is_not_measurable_is_not_followed() -> None:
    assert LIVER.measurable == pytest.approx(2.6)
    assert BLOOD.measurable == pytest.approx(2.6)
    response(Burden(2.6), Burden(2.6), LIVER)
    for burden in (Burden(2.59), Burden(None)):
        with pytest.raises(Refused, match=r"follows lesions from SULpeak 2\.60"):
            response(burden, Burden(3.0), LIVER)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"uptake_s": 4201.0}, "70 min from injection to scan at this scan"),
        ({"uptake_s": 2990.0}, "50 min from injection"),
        ({"uptake_s": None}, "not known at this scan"),
        ({"activity_bq": 425e6}, "injected activity differs by \\+21 %"),
        ({"activity_bq": 270e6}, "differs by -23 %"),
        ({"scanner": "MAKER Two"}, "scanner MAKER One at baseline, MAKER Two now"),
        ({"nuclide": "Ga-68"}, "nuclide F-18 at baseline"),
        ({"glucose_mmol_l": 11.2}, "glucose 11.2 mmol/l"),
    ],
)
def test_scans_made_otherwise_are_not_compared(change: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words.replace("%", "?%")):
        comparable(ALIKE, replace(ALIKE, **change), LIVER, LIVER)


def test_fdg_is_compared_with_fdg_alone() -> None:
    plain = replace(ALIKE, tracer="FDG -- fluorodeoxyglucose")
    assert comparable(plain, replace(ALIKE, tracer="18F-Fludesoxyglucose"), LIVER, LIVER) == ()
    assert comparable(plain, ALIKE, LIVER, LIVER) == ()
    with pytest.raises(Refused, match="tracer FDG -- fluorodeoxyglucose at baseline, FLT now"):
        comparable(plain, replace(ALIKE, tracer="FLT"), LIVER, LIVER)
    assert comparable(plain, replace(ALIKE, tracer="F-18"), LIVER, LIVER) == (), "the nuclide names no tracer"
    other = replace(ALIKE, tracer="PSMA-1007")
    (said,) = comparable(other, other, LIVER, LIVER)
    assert said.startswith("WARNING: tracer 'PSMA-1007': PERCIST was made for FDG")


def test_uptake_times_may_differ_by_fifteen_minutes() -> None:
    early = replace(ALIKE, uptake_s=3060.0)  # 51 min
    assert comparable(early, replace(ALIKE, uptake_s=3960.0), LIVER, LIVER) == ()
    with pytest.raises(Refused, match="uptake times differ by 16 min"):
        comparable(early, replace(ALIKE, uptake_s=4020.0), LIVER, LIVER)


@pytest.mark.parametrize(("mean", "fits"), [(1.9, True), (1.91, False), (1.3, True), (1.28, False)])
def test_the_liver_must_stay_within_a_fifth_and_point_three(mean: float, fits: bool) -> None:
    if fits:
        comparable(ALIKE, ALIKE, LIVER, replace(LIVER, mean=mean))
        return
    with pytest.raises(Refused, match=r"liver SUL 1.60 at baseline"):
        comparable(ALIKE, ALIKE, LIVER, replace(LIVER, mean=mean))
    with pytest.raises(Refused, match="liver at baseline and the blood pool"):
        comparable(ALIKE, ALIKE, LIVER, BLOOD)
    low = replace(LIVER, mean=1.0)
    with pytest.raises(Refused, match=r"20 % and 0.3"):
        comparable(ALIKE, ALIKE, low, replace(low, mean=1.25))


def test_every_reason_is_told_at_once_and_what_is_unknown_is_a_remark() -> None:
    with pytest.raises(Refused) as caught:
        comparable(ALIKE, Conditions(6000.0, 100e6, "OTHER", "F-18"), LIVER, LIVER)
    assert all(word in str(caught.value) for word in ("100 min", "differ by 40 min", "-71%", "OTHER"))
    assert len(comparable(ALIKE, replace(ALIKE, scanner="", activity_bq=None), LIVER, LIVER)) == 2


def test_the_sum_takes_five_lesions_and_two_of_an_organ() -> None:
    assert chosen([5.0] * 7, list("abcdefg")) == (0, 1, 2, 3, 4)
    assert chosen([1.0, 3.0, 2.0], ["Liver", "liver", "liver"]) == (1, 2)


def test_a_larger_extent_is_progression_only_where_uptake_has_not_declined() -> None:
    """Wahl 2009: 75 % in TLG volume with no decline in SUL; until `pet_response` 11 it was PMD at any SUL."""
    before = Burden(8.0, 100.0)
    assert response(before, Burden(8.0, 175.0), LIVER).response == "PMD"
    assert response(before, Burden(7.9, 300.0), LIVER).response == "SMD"
    assert "TLG counts only where SULpeak has not declined" in response(before, Burden(7.9, 300.0), LIVER).why
    assert response(before, Burden(8.1, 174.0), LIVER).response == "SMD"


def test_a_partial_response_allows_no_other_lesion_to_rise() -> None:
    before = Burden(12.0, 100.0)
    assert response(before, Burden(5.0, 60.0), LIVER).response == "PMR"
    risen = response(before, Burden(5.0, 60.0, rose=("node",)), LIVER)
    assert risen.response == "SMD" and "node rose by 30 % and 0.8" in risen.why
    assert [rose(3.0, 3.9), rose(3.0, 3.8), rose(2.0, 2.7)] == [True, False, False]
