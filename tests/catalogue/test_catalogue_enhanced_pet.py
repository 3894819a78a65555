"""Enhanced PET as scanners write it: units, slopes, moments and beds of its frames give what classic images do."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pydicom
import pytest
from enhanced_pet import enhanced, units
from multi_frame import multi_frame
from phantom_studies import STUDIES, Asked, files_of, prepared
from pydicom.dataset import Dataset

from isocenter.record import Outcome, Result

NAME = "pet_uptake, drawn"
BQML_OF_SUV = 3.7e8 * 2 ** (-3600 / 6586.2) / 68000.0
Change = Callable[[Dataset], None]


def answered(files: Sequence[bytes], folder: Path, name: str = NAME) -> Result:
    (run, *_) = prepared(files, Asked(STUDIES[name].analysis, lambda: files, STUDIES[name].parameters), folder)
    return run.done()


def numbers(answer: Result) -> list[float]:
    assert answer.outcome is Outcome.FOUND, answer.reasons
    return [m.value for f in answer.findings for m in f.measurements] + [m.value for m in answer.measurements]


def each(change: Change) -> Callable[[Any], None]:
    def every(made: Any) -> None:
        for frame in made.PerFrameFunctionalGroupsSequence:
            change(frame)

    return every


def slope(frame: Dataset) -> float:
    return float(frame.PixelValueTransformationSequence[0].RescaleSlope)


def as_it_is(frame: Dataset) -> None:
    pass


def by_map_alone(frame: Dataset) -> None:
    frame.PixelValueTransformationSequence[0].RescaleSlope = 1


def without_rescale(frame: Dataset) -> None:
    del frame.PixelValueTransformationSequence


def in_suv(frame: Dataset) -> None:
    """A map to SUV beside a rescale to what has no name."""
    frame.RealWorldValueMappingSequence = units(slope(frame) / BQML_OF_SUV, "g/ml{SUVbw}")


def in_both(frame: Dataset) -> None:
    frame.RealWorldValueMappingSequence = [
        *units(slope(frame) / BQML_OF_SUV, "g/ml{SUVbw}"), *units(slope(frame)),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def of_the_classic(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return numbers(answered(files_of(NAME), tmp_path_factory.mktemp("classic") / "images"))


@pytest.mark.parametrize(
    "change",
    [
        as_it_is,
        by_map_alone,
        in_suv,
        pytest.param(without_rescale, marks=pytest.mark.nightly),
        pytest.param(in_both, marks=pytest.mark.nightly),
    ],
)
def test_an_enhanced_pet_gives_what_its_classic_series_gives(
    change: Change, of_the_classic: Any, tmp_path: Path
) -> None:
    order = random.Random(4).sample(range(60), 60)
    made = enhanced(files_of(NAME), order=order, change=each(change))
    assert numbers(answered(made, tmp_path / "e")) == pytest.approx(of_the_classic, rel=1e-5)


def test_features_of_an_enhanced_pet_are_those_of_its_classic_series(tmp_path: Path) -> None:
    files = [f for f in files_of(NAME) if pydicom.dcmread(io.BytesIO(f), stop_before_pixels=True).Modality != "CT"]
    ask = Asked("radiomics", lambda: files, {"structures": "liver", "other_grid": "nearest"})
    (plain,) = prepared(files, ask, tmp_path / "c")
    (other,) = prepared(enhanced(files), ask, tmp_path / "e")
    assert numbers(other.done()) == pytest.approx(numbers(plain.done()), rel=1e-9)


def kilo(frame: Dataset) -> None:
    by_map_alone(frame)
    frame.RealWorldValueMappingSequence = units(0.001, "kBq/ml")


def without_units(frame: Dataset) -> None:
    del frame.RealWorldValueMappingSequence


def every_second(made: Any) -> None:
    for frame in made.PerFrameFunctionalGroupsSequence[::2]:
        in_suv(frame)


def no_moment(made: Any) -> None:
    del made.DecayCorrectionDateTime


def not_decayed(made: Any) -> None:
    made.DecayCorrected = "NO"


def not_attenuated(made: Any) -> None:
    made.AttenuationCorrected = "NO"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (each(kilo), "PET in units 'KBQ/ML'"),
        (each(without_units), "PET in units 'none'"),
        (every_second, "a mixed series: Units is Bq/ml and g/ml"),
        (no_moment, "Decay Correction 'not stated'"),
        (not_decayed, "not corrected for decay"),
        (not_attenuated, "not corrected for attenuation"),
    ],
)
def test_what_leads_to_no_suv_is_declined_by_name(change: Callable[[Any], None], words: str, tmp_path: Path) -> None:
    answer = answered(enhanced(files_of(NAME), change=change), tmp_path / "e")
    assert answer.outcome is Outcome.DECLINED and words in answer.reasons[0], answer.reasons


def test_a_series_time_of_its_conversion_does_not_age_the_dose(tmp_path: Path) -> None:
    """An archive that converts writes its own hour as Series Time: SUV was three times too high, without a word."""
    late = []
    for data in files_of(NAME):
        ds = pydicom.dcmread(io.BytesIO(data))
        if ds.Modality == "PT":
            ds.SeriesTime = "130500"
        out = io.BytesIO()
        ds.save_as(out)
        late.append(out.getvalue())
    converted = multi_frame(late, random.Random(1))
    assert converted is not None
    answer = answered(converted, tmp_path / "late")
    assert numbers(answer) == pytest.approx(numbers(answered(files_of(NAME), tmp_path / "classic")), rel=1e-5)
    assert any("10800 s later than the first acquisition" in r for r in answer.reasons)


def test_beds_that_are_stacks_of_one_object_are_one_image(tmp_path: Path) -> None:
    """The lesion in the second bed held no voxel of the PET."""
    files = files_of(NAME)
    beds = enhanced(files, stack=lambda n: "1" if n < 25 else "2")
    answer = answered(beds, tmp_path / "beds")
    assert numbers(answer) == pytest.approx(numbers(answered(files, tmp_path / "whole")), rel=1e-5)
    assert any("2 stacks of one series are beds of one scan and were joined" in r for r in answer.reasons)

    gap = enhanced(files, order=[n for n in range(60) if n != 25], stack=lambda n: "1" if n < 25 else "2")
    apart = answered(gap, tmp_path / "gap")
    assert any("holds 2 stacks of images; one of 34 slices" in r for r in apart.reasons), apart.reasons
