"""A PET whose beds are series of their own is one image, with one uptake and one volume of a lesion across them."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from enhanced_pet import enhanced
from multi_frame import multi_frame
from pet_beds import BEDS, MM, SLICES, STEP_MM, bed, outlined, scan, uptake
from typer.testing import CliRunner

from isocenter.cli import app

AS_SENT: dict[str, Callable[[Sequence[bytes]], list[bytes]]] = {"classic": list, "enhanced": enhanced}
each_way = pytest.mark.parametrize("sent", AS_SENT)
TRUE_ML = float(np.count_nonzero(uptake() > 4.0)) * STEP_MM * MM * MM / 1000.0


def asked(folder: Path, files: Sequence[bytes]) -> dict[str, Any]:
    for n, data in enumerate(files):
        (folder / f"{n:03d}.dcm").write_bytes(data)
    done = CliRunner().invoke(app, ["analyse", str(folder), "--only", "pet_uptake", "--json"])
    assert done.exit_code == 0, done.output
    (result,) = json.loads(done.stdout)
    return dict(result)


def value(finding: dict[str, Any], name: str, definition: str) -> float:
    return float(next(
        m["value"] for m in finding["measurements"]
        if m["what"]["meaning"] == name and m["definition"].startswith(definition)
    ))  # fmt: skip


@each_way
@pytest.mark.parametrize("drawn", [False, True])
def test_a_lesion_across_beds_has_one_uptake_and_one_volume(tmp_path: Path, drawn: bool, sent: str) -> None:
    files = AS_SENT[sent](scan())
    outline = outlined(scan(), files if sent == "enhanced" else ())
    result = asked(tmp_path, [*files, outline] if drawn else files)
    (found,) = result["findings"]
    assert value(found, "SUVmax", "SUVbw") == pytest.approx(8.0, rel=1e-4)
    assert value(found, "Metabolic Volume", "41") == pytest.approx(TRUE_ML, rel=1e-6)
    assert "edge" not in found["words"]
    (said,) = (r for r in result["reasons"] if "beds" in r)
    assert "2 series are beds of one scan and were joined: in 4 slices" in said and "0.0 %" in said


def test_beds_corrected_to_the_start_of_the_whole_scan_are_not_corrected_twice(tmp_path: Path) -> None:
    files = [pydicom.dcmread(io.BytesIO(f)) for f in scan(wait_s=3600.0)]
    for ds in files[BEDS[0][1] :]:
        ds.AcquisitionTime = "101500"  # taken ten minutes later, Series Time stays that of the scan
    made = []
    for ds in files:
        out = io.BytesIO()
        ds.save_as(out)
        made.append(out.getvalue())
    (found,) = asked(tmp_path, made)["findings"]
    assert value(found, "SUVmax", "SUVbw") == pytest.approx(8.0, rel=1e-4)


@each_way
@pytest.mark.parametrize(
    ("second", "words"),
    [
        ({"facts": {"PatientWeight": 82}}, "beds of which one has weight 70.0 and one 82.0"),
        ({"facts": {"RadionuclideTotalDose": 2.0e8}}, "beds of which one has injected activity"),
        ({"shift_mm": 1.6}, "0.40 of a voxel beside each other's"),
        ({"wait_s": 3640.0}, "began 40 s after another that took 180 s"),
        ({"scale": 1.5}, "shows 1.50 times the uptake of the other in the 4 slices that both have"),
    ],
)
def test_beds_that_do_not_fit_are_declined_in_words(
    tmp_path: Path, second: dict[str, Any], words: str, sent: str
) -> None:
    result = asked(tmp_path, AS_SENT[sent](scan(**second)))
    assert result["answer"] == "declined" and words in result["reasons"][0]


@each_way
def test_two_reconstructions_of_one_bed_are_not_chosen_between(tmp_path: Path, sent: str) -> None:
    again = [*scan(), *bed(5, *BEDS[1], wait_s=4200.0, facts={"SeriesDescription": "PET bed 4"})]
    result = asked(tmp_path, AS_SENT[sent](again))
    assert result["answer"] == "declined" and "which of them belongs to the scan is not told" in result["reasons"][0]


@each_way
@pytest.mark.parametrize(
    ("second", "why"),
    [
        ({"wait_s": 9000.0}, "it is not next to what was measured in place and time"),
        ({"facts": {"Units": "GML"}}, "made otherwise (unit)"),
        ({"facts": {"CorrectedImage": ["DECY"]}}, "made otherwise (corrections)"),
        ({"facts": {"SliceThickness": 5.0}}, "made otherwise (slice thickness)"),
    ],
)
def test_what_is_no_bed_of_the_scan_is_told_where_it_shows_more(
    tmp_path: Path, second: dict[str, Any], why: str, sent: str
) -> None:
    result = asked(tmp_path, AS_SENT[sent](scan(**second)))
    (said,) = (r for r in result["reasons"] if "mm more of the patient and was not measured" in r)
    assert why in said and "series 4" in said and "48 mm" in said
    assert "It reaches the edge of the image." in result["findings"][0]["words"]


@each_way
def test_an_image_of_the_whole_beside_its_beds_is_taken_alone(tmp_path: Path, sent: str) -> None:
    whole = bed(2, 0, SLICES, wait_s=3600.0, facts={"SeriesDescription": "PET whole"})
    (found,) = asked(tmp_path, AS_SENT[sent]([*whole, *scan()]))["findings"]
    assert found["where"]["series_uid"] == str(pydicom.dcmread(io.BytesIO(whole[0])).SeriesInstanceUID)


def test_times_of_one_bed_in_an_object_are_no_beds(tmp_path: Path) -> None:
    """A dynamic bed beside a static one: with two frames at each place it is no bed, and nothing is joined to it."""
    static, dynamic = enhanced(scan())
    ds = pydicom.dcmread(io.BytesIO(dynamic))
    ds.PerFrameFunctionalGroupsSequence = [*ds.PerFrameFunctionalGroupsSequence, *ds.PerFrameFunctionalGroupsSequence]
    ds.NumberOfFrames, ds.PixelData = 2 * ds.NumberOfFrames, 2 * ds.PixelData
    out = io.BytesIO()
    ds.save_as(out)
    result = asked(tmp_path, [static, out.getvalue()])
    assert result["answer"] == "declined" and "PET with 2 values of time" in result["reasons"][0]


def test_beds_without_a_moment_of_their_decay_are_declined(tmp_path: Path) -> None:
    def moment_gone(made: Any) -> None:
        del made.DecayCorrectionDateTime

    result = asked(tmp_path, enhanced(scan(), change=moment_gone))
    assert result["answer"] == "declined" and "Decay Correction 'not stated'" in result["reasons"][0]


def test_beds_that_an_archive_converted_are_one_image(tmp_path: Path) -> None:
    made = multi_frame(scan(), random.Random(1))
    assert made is not None and len(made) == 2
    (found,) = asked(tmp_path, made)["findings"]
    assert value(found, "SUVmax", "SUVbw") == pytest.approx(8.0, rel=1e-4)
    assert value(found, "Metabolic Volume", "41") == pytest.approx(TRUE_ML, rel=1e-6)
