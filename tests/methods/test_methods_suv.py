"""SUV against outside numbers, and every trap of the header made to refuse once."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.errors import Refused
from isocenter.methods import suv

# The raw FDG-PET of patient STS_001 (TCIA Soft-tissue-Sarcoma): GE Discovery ST, BQML, decay correction START.
STS_001 = suv.Scan(
    units="BQML",
    decay="START",
    corrected=("DECY", "ATTN", "SCAT"),
    activity_bq=388777472.0,
    half_life_s=6588.0,
    uptake_s=2711.0,
    weight_kg=71.0,
    height_m=1.63,
    sex="M",
    nuclide="F-18",
)


def test_factor_of_a_real_scan() -> None:
    # 2.4290297661e-4 was computed by hand from the header, and SUVmax 7.9107 lies in the range that MIRP accepts.
    found = suv.conversion(STS_001)
    assert found.factor == pytest.approx(2.4290297661e-4, rel=1e-9)
    assert found.remarks == ()


def test_lean_masses_of_a_real_scan() -> None:
    assert suv.lean_body_mass_kg(71.0, 1.63, "M") == pytest.approx(53.814, abs=5e-4)
    assert suv.lean_body_mass_kg(71.0, 1.63, "M", "janmahasatian") == pytest.approx(52.856, abs=5e-4)
    assert suv.ideal_body_weight_kg(1.63, "M") == pytest.approx(59.66, abs=5e-3)


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        ("bsa", 198.13758427117767),
        ("james120", 627.7757487216948),
        ("janmahasatian", 609.1533588651974),
    ],
)
def test_variants_of_cornerstone(variant: str, expected: float) -> None:
    # Unit-test numbers of cornerstonejs/calculate-suv (MIT): 75 kg, 1.85 m, man, SUVbw 750.
    # Its "lbm" is James with 120.
    scan = suv.Scan(units="GML", weight_kg=75.0, height_m=1.85, sex="M")
    bw = suv.suv(1.0, 100.0, 75_000.0)
    assert bw == 750.0
    assert bw * suv.from_suvbw(scan, variant) == pytest.approx(expected, rel=1e-6)


@pytest.mark.data
def test_the_stored_reference_says_the_same(reference: Path) -> None:
    file = reference / "suv-cornerstone" / "expected.json"
    if not file.is_file():
        pytest.skip("suv-cornerstone is not among the reference data")
    said = json.loads(file.read_text())
    body = said["patient"]
    scan = suv.Scan(units="GML", weight_kg=body["weight_kg"], height_m=body["height_m"], sex=body["sex"])
    bw = suv.suv(1.0, 100.0, body["weight_kg"] * 1000.0)
    assert bw == said["suvbw"]
    for variant, name in (("bsa", "bsa"), ("james120", "lbm_james120"), ("janmahasatian", "lbm_janmahasatian")):
        assert bw * suv.from_suvbw(scan, variant) == pytest.approx(said[f"suv{name}"], rel=1e-6)


def test_women_have_their_own_formulae() -> None:
    assert suv.lean_body_mass_kg(60.0, 1.65, "F") == pytest.approx(1.07 * 60 - 148 * (60 / 165) ** 2)
    bmi = 60 / 1.65**2
    assert suv.lean_body_mass_kg(60.0, 1.65, "F", "janmahasatian") == pytest.approx(9270 * 60 / (8780 + 244 * bmi))
    assert suv.ideal_body_weight_kg(1.65, "F") == pytest.approx(45.5 + 0.91 * 13)


def test_the_misprint_of_james_is_kept_apart() -> None:
    assert suv.lean_body_mass_kg(71.0, 1.63, "M", "james120") > suv.lean_body_mass_kg(71.0, 1.63, "M", "james128") + 1


def test_decay_to_injection_needs_no_times() -> None:
    scan = replace(STS_001, decay="ADMIN", uptake_s=None, half_life_s=None)
    assert suv.conversion(scan).factor == pytest.approx(71_000 / 388777472.0)


def test_what_is_suv_already_is_not_scaled_again() -> None:
    assert suv.conversion(suv.Scan(units="GML")).factor == 1.0
    assert suv.conversion(suv.Scan(units="GML", suv_type="BW", corrected=("ATTN", "DECY"))).factor == 1.0


@pytest.mark.parametrize(
    ("kind", "units", "variant"),
    [
        ("LBMJAMES128", "GML", "james128"),
        ("LBMJANMA", "GML", "janmahasatian"),
        ("IBW", "GML", "ibw"),
        ("BSA", "CM2ML", "bsa"),
    ],
)
def test_other_variants_lead_back_to_body_weight(kind: str, units: str, variant: str) -> None:
    scan = replace(STS_001, units=units, suv_type=kind)
    assert suv.conversion(scan).factor * suv.from_suvbw(scan, variant) == pytest.approx(1.0)


def test_philips_counts() -> None:
    counts = replace(STS_001, units="CNTS")
    assert suv.conversion(replace(counts, philips_suv=0.00047)).factor == 0.00047
    bqml = suv.conversion(replace(counts, philips_bqml=2.0))
    assert bqml.factor == pytest.approx(2.0 * suv.conversion(STS_001).factor)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"units": ""}, "units 'none'"),
        ({"units": "PROPCNTS"}, "units 'PROPCNTS'"),
        ({"units": "CNTS"}, "private Philips factor"),
        ({"corrected": ("DECY",)}, "not corrected for attenuation"),
        ({"corrected": ("ATTN",)}, "not corrected for decay"),
        ({"corrected": None}, "attenuation and decay"),
        ({"decay": "NONE"}, "Decay Correction 'NONE'"),
        ({"decay": ""}, "Decay Correction 'not stated'"),
        ({"weight_kg": None}, "weight missing"),
        ({"weight_kg": 0.0}, "weight 0"),
        ({"weight_kg": 71000.0}, "weight 71000 kg"),
        ({"weight_kg": math.nan}, "weight nan"),
        ({"activity_bq": None}, "injected activity missing"),
        ({"activity_bq": 388.8}, r"typed in MBq\?"),
        ({"activity_bq": 388.8e9}, "outside 0.05 to 200"),
        ({"half_life_s": None}, "half-life missing"),
        ({"uptake_s": None}, "no time of injection"),
        ({"uptake_s": -600.0}, "600 s after the scan"),
        ({"uptake_s": 86_400.0}, "24.0 h from injection"),
        ({"units": "GML", "corrected": ("DECY",)}, "not corrected for attenuation"),
        ({"units": "GML", "suv_type": "HEIGHT"}, "SUV Type 'HEIGHT'"),
        ({"units": "GML", "suv_type": "BSA"}, "contradict"),
        ({"units": "CM2ML", "suv_type": ""}, "contradict"),
    ],
)
def test_every_trap_refuses(change: dict[str, object], words: str) -> None:
    with pytest.raises(Refused, match=words):
        suv.conversion(replace(STS_001, **change))


@pytest.mark.parametrize(
    ("weight", "height", "sex", "formula", "words"),
    [
        (71.0, 1.63, "", "james128", "sex 'not stated'"),
        (71.0, 1.63, "O", "james128", "sex 'O'"),
        (71.0, 163.0, "M", "james128", "metres"),
        (160.0, 1.63, "M", "james128", "use Janmahasatian"),
        (25.0, 1.63, "M", "janmahasatian", "does not hold"),
        (71.0, 1.63, "M", "hume", "known are"),
    ],
)
def test_bodies_without_a_lean_mass(weight: float, height: float, sex: str, formula: str, words: str) -> None:
    with pytest.raises(Refused, match=f"(?i){words}"):
        suv.lean_body_mass_kg(weight, height, sex, formula)


def test_a_child_has_no_ideal_adult_weight() -> None:
    with pytest.raises(Refused, match="defined for adults"):
        suv.ideal_body_weight_kg(1.0, "F")


def test_a_variant_without_height_is_refused() -> None:
    with pytest.raises(Refused, match="height missing"):
        suv.from_suvbw(replace(STS_001, height_m=None), "bsa")


def test_a_factor_of_philips_is_above_zero() -> None:
    for factor in (-1.0, float("nan"), float("inf")):
        with pytest.raises(Refused, match=r"to SUV of .*Correct \(7053,1000\)"):
            suv.conversion(replace(STS_001, units="CNTS", philips_suv=factor))
        with pytest.raises(Refused, match="to Bq/mL of"):
            suv.conversion(replace(STS_001, units="CNTS", philips_bqml=factor))


def test_a_wait_of_many_half_lives_is_doubted() -> None:
    """Seven hours between injection and scan are nearly always a wrong hour, and make every SUV fourteen times."""
    (told,) = suv.conversion(replace(STS_001, uptake_s=25200.0)).remarks
    assert told.startswith("WARNING: 7.0 h from injection to scan, 3.8 half-lives, multiply every SUV by 14")
    assert not suv.conversion(replace(STS_001, uptake_s=3 * 3600.0)).remarks
    carbon = replace(STS_001, nuclide="C-11", half_life_s=1223.0, uptake_s=75 * 60.0)
    assert not suv.conversion(carbon).remarks  # usual for carbon-11


def test_a_half_life_that_is_nobodys_is_doubted() -> None:
    found = suv.conversion(replace(STS_001, half_life_s=6000.0))
    assert "F-18 has 6586 s" in found.remarks[0]
    with pytest.raises(Refused, match="half-life 4063 s of F-18, which is that of Ga-68"):
        suv.conversion(replace(STS_001, half_life_s=4063.0))
    assert suv.check_half_life(1.0, "Xx-1") == ()


def test_a_mouse_may_have_more_per_kilogram() -> None:
    assert suv.check_activity(10e6, 0.025) == 10e6


@given(st.floats(40, 110), st.floats(1.5, 2.0), st.sampled_from("MF"))
def test_lean_mass_is_less_than_weight_and_grows_with_height(weight: float, height: float, sex: str) -> None:
    try:
        lean = suv.lean_body_mass_kg(weight, height, sex, "janmahasatian")
        taller = suv.lean_body_mass_kg(weight, height + 0.05, sex, "janmahasatian")
    except Refused:
        return
    assert 0 < lean < taller <= weight


@given(st.floats(0, 20_000), st.floats(0, 20_000))
def test_decay_is_the_same_in_one_step_or_two(first: float, second: float) -> None:
    whole = suv.decayed(1e8, first + second, 6586.0)
    assert suv.decayed(suv.decayed(1e8, first, 6586.0), second, 6586.0) == pytest.approx(whole)
