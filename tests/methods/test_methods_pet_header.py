"""Times, doses and bodies as PET headers write them."""

from datetime import datetime
from typing import ClassVar

import pytest

from isocenter.errors import Refused
from isocenter.methods import pet_header, suv

# The header of STS_001 (TCIA Soft-tissue-Sarcoma), as its instances write it.
STS_001 = {
    "Units": "BQML",
    "DecayCorrection": "START",
    "CorrectedImage": ["DECY", "ATTN", "SCAT", "DTIM", "RAN", "RADL", "DCAL", "SLSENS", "NORM"],
    "Manufacturer": "GE MEDICAL SYSTEMS",
    "PatientSex": "M",
    "PatientSize": "1.63",
    "PatientWeight": "71.0",
    "RadionuclideTotalDose": "3.88777472E8",
    "RadionuclideHalfLife": "6588.0",
    "Radionuclide": "18F",
    "RadiopharmaceuticalStartTime": "103500.00",
    "SeriesDate": "20000907",
    "SeriesTime": "112011.00",
    "AcquisitionDate": "20000907",
    "AcquisitionTime": "112011.00",
    "FrameReferenceTime": "0.0",
    "ActualFrameDuration": "240000",
}


def test_a_real_header_gives_the_known_factor() -> None:
    scan = pet_header.read(STS_001)
    assert scan.uptake_s == 2711.0
    assert scan.nuclide == "F-18"
    assert suv.conversion(scan).factor == pytest.approx(2.4290297661e-4, rel=1e-9)
    assert scan.remarks == ()


def test_numbers_may_come_as_numbers_and_lists_as_text() -> None:
    scan = pet_header.read({**STS_001, "PatientWeight": 71, "CorrectedImage": "DECY\\ATTN"})
    assert scan.weight_kg == 71.0
    assert scan.corrected == ("DECY", "ATTN")


def test_two_injections_are_refused_where_the_dose_counts() -> None:
    two = {**STS_001, "Injections": ["3.9E8 at 103500", "1.0E8 at 095000"]}
    with pytest.raises(Refused, match=r"several injections: 3\.9E8 at 103500, 1\.0E8 at 095000"):
        pet_header.read(two)
    assert pet_header.read({**two, "Units": "GML"}).units == "GML"  # it was scaled by whoever knew


def test_nothing_known_stays_unknown() -> None:
    scan = pet_header.read({"CorrectedImage": ""})
    assert (scan.units, scan.weight_kg, scan.corrected, scan.uptake_s, scan.nuclide) == ("", None, None, None, "")


def test_an_injection_before_midnight() -> None:
    night = {**STS_001, "RadiopharmaceuticalStartTime": "233000", "SeriesTime": "003000", "AcquisitionTime": "003000"}
    scan = pet_header.read(night)
    assert scan.uptake_s == 3600.0
    assert "past midnight" in scan.remarks[0]


def test_a_clock_that_was_typed_wrong_is_no_night() -> None:
    """23:35 for 10:35: the day before would multiply uptake by five half-lives."""
    scan = pet_header.read({**STS_001, "RadiopharmaceuticalStartTime": "233500"})
    with pytest.raises(Refused, match="s after the scan"):
        suv.conversion(scan)


def test_an_injection_after_the_scan_is_not_moved_a_day() -> None:
    scan = pet_header.read({**STS_001, "RadiopharmaceuticalStartTime": "113000"})
    assert scan.uptake_s == -589.0
    with pytest.raises(Refused, match="589 s after the scan"):
        suv.conversion(scan)


def test_a_full_date_time_is_believed() -> None:
    scan = pet_header.read({**STS_001, "RadiopharmaceuticalStartDateTime": "20000907103500.50+0100"})
    assert scan.uptake_s == 2710.5


def test_a_date_time_in_another_offset_is_brought_to_that_of_the_file() -> None:
    """35 minutes past nine by UTC is 35 past ten where the scanner stands; as it stood, an hour was too much."""
    utc = {**STS_001, "RadiopharmaceuticalStartDateTime": "20000907093500.00+0000", "TimezoneOffsetFromUTC": "+0100"}
    alone = {k: v for k, v in utc.items() if k != "RadiopharmaceuticalStartTime"}
    assert pet_header.read(utc).uptake_s == pet_header.read(alone).uptake_s == 2711.0
    west = {**alone, "RadiopharmaceuticalStartDateTime": "20000907003500-0900", "TimezoneOffsetFromUTC": "+0100"}
    assert pet_header.read(west).uptake_s == 2711.0
    both = {k: v for k, v in alone.items() if k != "TimezoneOffsetFromUTC"}
    for keyword in ("DecayCorrectionDateTime", "GEScanDateTime"):
        assert pet_header.read({**both, keyword: "20000907112011.00+0100"}).uptake_s == 6311.0 - 3600.0
    # Local time with an offset that is not its own: the time beside it says so.
    slip = {**STS_001, "RadiopharmaceuticalStartDateTime": "20000907103500+0000", "TimezoneOffsetFromUTC": "+0100"}
    assert pet_header.read(slip).uptake_s == 2711.0
    assert pet_header.read({k: v for k, v in utc.items() if k != "TimezoneOffsetFromUTC"} | {
        "RadiopharmaceuticalStartTime": "093500"}).uptake_s == 6311.0  # fmt: skip


def test_dates_shifted_apart_are_refused_later() -> None:
    # Seen in public data: de-identification moved the date of injection by one day and left the scan's.
    scan = pet_header.read({**STS_001, "RadiopharmaceuticalStartDateTime": "20000908103500.00"})
    with pytest.raises(Refused, match="after the scan"):
        suv.conversion(scan)


def test_two_times_of_one_injection() -> None:
    with pytest.raises(Refused, match="contradict each other"):
        pet_header.read({**STS_001, "RadiopharmaceuticalStartDateTime": "20000907093500"})


def test_a_long_lived_nuclide_needs_a_date() -> None:
    with pytest.raises(Refused, match="may be days later"):
        pet_header.read({**STS_001, "RadionuclideHalfLife": "282276", "Radionuclide": "Zirconium-89"})


def test_a_series_made_again_later_starts_at_its_acquisition() -> None:
    scan = pet_header.read({**STS_001, "SeriesTime": "180000"})
    assert scan.uptake_s == 2711.0
    assert "later than the first acquisition" in scan.remarks[0]


def test_parts_of_a_second_are_no_later_series() -> None:
    facts = {**STS_001, "SeriesTime": "112011.70"}  # fmt: skip
    assert pet_header.scan_started_at(facts, 6588.0) == (datetime(2000, 9, 7, 11, 20, 11), ())
    late = {**facts, "SeriesTime": "112013"}
    assert "2 s later" in pet_header.scan_started_at(late, 6588.0)[1][0]


def test_a_series_made_again_later_with_frame_times() -> None:
    # 20 min frame of C-11: its mean activity is reached before its middle, so half the frame is not the answer.
    facts = {
        **STS_001,
        "Manufacturer": "SIEMENS",
        "SeriesTime": "180000",
        "RadionuclideHalfLife": "1223",
        "Radionuclide": "C-11",
        "FrameReferenceTime": "566029.0",
        "ActualFrameDuration": "1200000",
    }
    started, said = pet_header.scan_started_at(facts, 1223.0)
    assert started is not None
    assert abs((started - datetime(2000, 9, 7, 11, 20, 11)).total_seconds()) < 25.0
    assert "Frame Reference Time" in said[0]


def test_a_private_time_of_ge_comes_first() -> None:
    scan = pet_header.read({**STS_001, "SeriesTime": "180000", "GEScanDateTime": "20000907112011.00"})
    assert (scan.uptake_s, scan.remarks) == (2711.0, ())


def test_without_times_there_is_no_uptake() -> None:
    none = {k: v for k, v in STS_001.items() if "Time" not in k}
    assert pet_header.read(none).uptake_s is None
    assert pet_header.read({**STS_001, "RadiopharmaceuticalStartTime": ""}).uptake_s is None


def test_a_series_time_that_no_acquisition_confirms_is_told_with_what_it_may_cost() -> None:
    bare = {k: v for k, v in STS_001.items() if not k.startswith("Acquisition")}
    (told,) = pet_header.read({**bare, "SeriesTime": "125000"}).remarks
    assert told.startswith("WARNING: no image states when it was acquired") and "1.46 times too large" in told
    assert pet_header.read({**bare, "GEScanDateTime": "20000907112011"}).remarks == ()


def test_only_a_series_time() -> None:
    facts = {k: v for k, v in STS_001.items() if not k.startswith("Acquisition")}
    assert pet_header.read(facts).uptake_s == 2711.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"PatientWeight": "heavy"}, "PatientWeight 'heavy'"),
        ({"SeriesTime": "996099"}, "not a DICOM time"),
    ],
)
def test_unreadable_values(change: dict[str, str], words: str) -> None:
    with pytest.raises(Refused, match=words):
        pet_header.read({**STS_001, **change})


@pytest.mark.parametrize(
    ("meaning", "name"),
    [("^18^Fluorine", "F-18"), ("F^18^", "F-18"), ("18F", "F-18"), ("Gallium 68", "Ga-68"), ("FDG", ""), ("", "")],
)
def test_nuclides_in_many_spellings(meaning: str, name: str) -> None:
    assert pet_header.nuclide(meaning) == name


def test_times_are_not_asked_of_an_image_in_suv() -> None:
    assert pet_header.read({**STS_001, "Units": "GML", "SeriesTime": "nonsense"}).uptake_s is None


def test_a_mixed_series_is_refused() -> None:
    with pytest.raises(Refused, match="a mixed series: Units is BQML and GML"):
        pet_header.read({**STS_001, "Unlike": {"Units": ["BQML", "GML"]}})


def test_every_keyword_that_is_read_is_listed() -> None:
    class Listening(dict):  # type: ignore[type-arg]
        asked: ClassVar[set[str]] = set()

        def get(self, key: str, default: object = None) -> object:
            self.asked.add(key)
            return super().get(key, default)

    utc = {"RadiopharmaceuticalStartDateTime": "20000907103500+0000"}
    for change in ({}, utc, {"SeriesTime": "180000"}, {"SeriesTime": "180000", "FrameReferenceTime": "120000"}):
        pet_header.read(Listening({**STS_001, **change}))
    assert Listening.asked == set(pet_header.KEYWORDS)


EARLY = {**STS_001, "Manufacturer": "MAKER", "SeriesTime": "102011.00", "RadiopharmaceuticalStartTime": "101500.00"}


@pytest.mark.parametrize("reference_ms", ["0.0", "119000.0"])
def test_a_series_time_long_before_the_first_image_gives_way_where_frames_count_from_that(reference_ms: str) -> None:
    """Series Time may be that of the study: 8.0 was 5.3, without a word."""
    scan = pet_header.read({**EARLY, "FrameReferenceTime": reference_ms})
    assert scan.uptake_s == 3911.0
    (told,) = scan.remarks
    assert (
        told.startswith("WARNING: Series Time is 60 min before the first acquisition") and "1.46 times smaller" in told
    )


def test_a_series_time_long_before_the_first_image_stands_where_frames_count_from_it() -> None:
    scan = pet_header.read({**EARLY, "FrameReferenceTime": "3719000"})
    assert scan.uptake_s == 311.0 and scan.remarks == ()
    silent = pet_header.read({**EARLY, "FrameReferenceTime": None})
    assert silent.uptake_s == 311.0 and "every SUV would be 1.46 times as large" in silent.remarks[0]
    slow = pet_header.read({**EARLY, "FrameReferenceTime": None, "RadionuclideHalfLife": "86000"})
    assert slow.remarks == ()
    shifted = pet_header.read({**EARLY, "SeriesTime": "112011.00", "AcquisitionDate": "20000910"})
    assert shifted.uptake_s == 3911.0 and shifted.remarks == ()
    near = pet_header.read({**EARLY, "SeriesTime": "111000.00"})
    assert near.uptake_s == 3300.0 and near.remarks == ()


def test_times_without_any_date_are_of_one_day() -> None:
    """Whoever takes the dates out of a header leaves the times: it was declined."""
    bare = {k: v for k, v in STS_001.items() if not k.endswith("Date")}
    assert pet_header.read(bare).uptake_s == 2711.0
    night = {**bare, "RadiopharmaceuticalStartTime": "233000", "SeriesTime": "003000", "AcquisitionTime": "003000"}
    assert pet_header.read(night).uptake_s == 3600.0
    with pytest.raises(Refused, match="without a date"):
        pet_header.read({**bare, "RadionuclideHalfLife": "282276", "Radionuclide": "89Zr"})


def test_a_scan_that_begins_with_the_injection_is_doubted() -> None:
    """As it reads where an archive set all times to midnight: every SUV came out too small, without a word."""
    gone = {**STS_001, **dict.fromkeys(("RadiopharmaceuticalStartTime", "SeriesTime", "AcquisitionTime"), "000000")}
    (told,) = suv.conversion(pet_header.read(gone)).remarks
    assert told.startswith("WARNING: 0 s from injection to scan") and "1.46 times as large" in told
    assert suv.conversion(pet_header.read({**gone, "MeasuredAfter": 3000.0})).remarks == ()
    rubidium = {**gone, "RadionuclideHalfLife": "75.6", "Radionuclide": "82Rb"}
    assert suv.conversion(pet_header.read(rubidium)).remarks == ()


def dated(moment: str, **facts: str) -> pet_header.Scan:
    known = {k: v for k, v in STS_001.items() if k != "RadiopharmaceuticalStartTime"}
    return pet_header.read({**known, "RadiopharmaceuticalStartDateTime": moment, **facts})


@pytest.mark.parametrize("day", ["20000902", "19000101", "20001215"])
def test_an_injection_on_a_day_that_cannot_be_is_read_by_its_time(day: str) -> None:
    """Dates that were shifted, or typed wrong: such a PET was declined."""
    scan = dated(f"{day}103500.00")
    assert scan.uptake_s == 2711.0
    (told,) = scan.remarks
    assert (
        told.startswith(f"WARNING: the injection is dated {day[:4]}-{day[4:6]}-{day[6:]} and")
        and "times of day" in told
    )


def test_an_injection_on_another_day_stands_where_it_can_be_or_its_time_helps_nothing() -> None:
    assert dated("20000906233000", SeriesTime="003000", AcquisitionTime="003000").remarks == ()
    zirconium = {"RadionuclideHalfLife": "282276", "Radionuclide": "89Zr"}
    assert dated("20000902103500", **zirconium).uptake_s == 5 * 86400 + 2711.0
    late = dated("20000902020000")  # nine hours before the scan by its time: no F-18 either
    assert late.uptake_s is not None and late.uptake_s > 5 * 86400 and late.remarks == ()
    assert dated("20000907113500").uptake_s == -889.0  # minutes after the scan are no matter of dates


def test_a_half_life_that_is_another_nuclides_is_refused() -> None:
    """A protocol for F-18 taken over for Ga-68: 6.3 came out for SUV 8, with a remark."""
    with pytest.raises(Refused, match="half-life 6586 s of Ga-68, which is that of F-18"):
        suv.check_half_life(6586.0, "Ga-68")
    assert len(suv.check_half_life(6000.0, "F-18")) == 1
