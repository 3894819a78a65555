"""Series that hold several stacks: the one that an analysis is defined on is measured, and the others are named."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from phantom_studies import STUDIES, Asked, Prepared, files_of, prepared

from isocenter.record import Outcome, Result
from isocenter.testing.encodings import differences


def parsed(files: Sequence[bytes], modality: str) -> list[Any]:
    every = [pydicom.dcmread(io.BytesIO(data)) for data in files]
    return [ds for ds in every if ds.Modality == modality]


def written(ds: Any, number: int) -> bytes:
    """A copy with a UID and a number of its own."""
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{ds.SOPInstanceUID}.{abs(number)}"
    ds.InstanceNumber = int(ds.InstanceNumber) + number
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


def asked(name: str, files: Sequence[bytes], folder: Path) -> list[Prepared]:
    return prepared(files, Asked(STUDIES[name].analysis, lambda: files, STUDIES[name].parameters), folder)


def uncorrected(ds: Any) -> None:
    ds.CorrectedImage = ["DECY"]
    ds.ImageType = [*ds.ImageType[:2], "NAC"]
    ds.PixelData = (ds.pixel_array // 2).tobytes()


@pytest.mark.parametrize("first", [-1000, pytest.param(1000, marks=pytest.mark.nightly)])
def test_of_a_pet_with_and_without_attenuation_correction_in_one_series_that_with_it(
    first: int, tmp_path: Path
) -> None:
    """The one that came first was taken, and half the study was declined as one without attenuation correction."""
    files = files_of("pet_uptake, drawn")
    (plain,) = asked("pet_uptake, drawn", files, tmp_path / "plain")
    more = []
    for ds in parsed(files, "PT"):
        uncorrected(ds)
        more.append(written(ds, first))
    (both,) = asked("pet_uptake, drawn", [*files, *more], tmp_path / "both")
    alone, answer = plain.done(), both.done()
    assert answer.outcome is Outcome.FOUND, answer.reasons
    assert [m.value for m in answer.findings[0].measurements] == [m.value for m in alone.findings[0].measurements]
    (told,) = (r for r in answer.reasons if "stacks" in r)
    assert "holds 2 stacks of images; one of 60 slices of 128 x 128" in told
    assert "as the one that is fit for this, and 1 not (60 slices of 128 x 128, NAC)" in told


def test_the_corrected_one_of_two_pet_series_is_planned(tmp_path: Path) -> None:
    files = files_of("pet_uptake")
    more = []
    for ds in parsed(files, "PT"):
        uncorrected(ds)
        ds.SeriesInstanceUID += ".9"
        more.append(written(ds, 9))
    (run,) = asked("pet_uptake", [*files, *more], tmp_path / "two")
    assert run.done().outcome is Outcome.FOUND


def across(files: Sequence[bytes], slices: int) -> list[bytes]:
    """A larger stack of long axes, of the images of one slice: what a cine series of some archives holds besides."""
    images = parsed(files, "MR")
    row, column = np.array(images[0].ImageOrientationPatient, float).reshape(2, 3)
    place = np.array(images[0].ImagePositionPatient, float)
    here = [ds for ds in images if np.allclose(np.array(ds.ImagePositionPatient, float), place)]
    normal = np.cross(row, column)
    made = []
    for n in range(slices):
        for ds in here:
            one = pydicom.dcmread(io.BytesIO(written_as_it_is(ds)))
            one.ImageOrientationPatient = [round(float(v), 6) for v in (*normal, *column)]
            one.ImagePositionPatient = [round(float(v), 5) for v in place + 8.0 * n * row]
            made.append(written(one, 1000 * (n + 1)))
    return made


def written_as_it_is(ds: Any) -> bytes:
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


def test_of_short_and_long_axes_in_one_series_the_short_ones(tmp_path: Path) -> None:
    """The larger stack was taken without a word, whatever it showed."""
    files = files_of("cardiac_cine")
    (plain,) = asked("cardiac_cine", files, tmp_path / "plain")
    slices = len({tuple(ds.ImagePositionPatient) for ds in parsed(files, "MR")})
    (both,) = asked("cardiac_cine", [*files, *across(files, slices + 3)], tmp_path / "both")
    alone, answer = plain.done(), both.done()
    assert alone.outcome is Outcome.FOUND
    told = [r for r in answer.reasons if "stacks" in r]
    assert len(told) == 1 and f"one of {slices} slices" in told[0] and "fit for this" in told[0], answer.reasons
    assert "holds 2 stacks of images" in told[0]
    assert differences([alone], [replace(answer, reasons=tuple(r for r in answer.reasons if r not in told))]) == []


def scouts(files: Sequence[bytes]) -> list[bytes]:
    """Five images across the stack, of which one is missing in the middle."""
    images = parsed(files, "PT")
    made = []
    for n in (0, 1, 2, 4, 5):
        ds = images[n]
        row, column = np.array(ds.ImageOrientationPatient, float).reshape(2, 3)
        ds.ImageOrientationPatient = [
            *(float(v) for v in np.cross(row, column)),
            *ds.ImageOrientationPatient[3:],
        ]
        ds.ImagePositionPatient = [20.0 * n, -100.0, -100.0]
        made.append(written(ds, 3000))
    return made


def test_images_that_make_no_stack_are_told_with_the_reason(tmp_path: Path) -> None:
    files = files_of("pet_uptake, drawn")
    more = scouts(files)
    (run,) = asked("pet_uptake, drawn", [*files, *more], tmp_path / "scouts")
    answer: Result = run.done()
    assert answer.outcome is Outcome.FOUND
    (told,) = (r for r in answer.reasons if "make no stack" in r)
    assert "holds images besides that make no stack and were not looked at: slice 3 missing: gap of 40 mm" in told

    weightless = []
    for data in [*files, *more]:
        ds = pydicom.dcmread(io.BytesIO(data))
        ds.PatientWeight = None
        weightless.append(written_as_it_is(ds))
    (run,) = asked("pet_uptake, drawn", weightless, tmp_path / "weightless")
    declined: Result = run.done()
    assert declined.outcome is Outcome.DECLINED and "weight" in declined.reasons[0]
    assert "make no stack" in declined.reasons[1]  # also where it was not analysed
