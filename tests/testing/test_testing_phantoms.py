"""In-silico patients: the files are whole and valid, the same each time, and hold the truth that they claim."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from scipy import ndimage

from isocenter.testing.phantoms import (
    Person,
    Phantom,
    balls,
    brain,
    breast,
    checkerboards,
    chest,
    cine,
    fetus,
    pet_ct,
    thorax,
    ultrasound,
)
from isocenter.testing.phantoms.patient import uid

MAKERS: dict[str, Callable[[], Phantom]] = {
    "chest": chest.patient,
    "pet_ct": pet_ct.patient,
    "cine": cine.patient,
    "brain": brain.patient,
    "ultrasound": ultrasound.patient,
    "balls": balls.patient,
    "checkerboards": checkerboards.patient,
    "thorax": thorax.patient,
    "breast": breast.patient,
    "fetus": fetus.patient,
}


@pytest.fixture(scope="module")
def made() -> dict[str, Phantom]:
    return {name: make() for name, make in MAKERS.items()}


def read(phantom: Phantom) -> list[Any]:
    return [pydicom.dcmread(io.BytesIO(file)) for file in phantom.files]


def test_the_same_seed_writes_the_same_bytes() -> None:
    one, other = ultrasound.patient(seed=3), ultrasound.patient(seed=3)
    assert one.files == other.files
    assert ultrasound.patient(seed=4).files != one.files


def test_files_are_those_of_an_encoder_that_remembers_nothing(made: dict[str, Phantom]) -> None:
    for phantom in made.values():
        for file in (phantom.files[0], phantom.files[-1]):
            told, other = pydicom.dcmread(io.BytesIO(file)), pydicom.Dataset()
            for element in told:
                other[element.tag] = pydicom.DataElement(element.tag, element.VR, element.value)
            again = io.BytesIO()
            pydicom.FileDataset(again, other, preamble=b"\0" * 128, file_meta=told.file_meta).save_as(
                again, implicit_vr=False, little_endian=True, enforce_file_format=True
            )
            assert again.getvalue() == file, phantom.name


def test_uids_are_valid_and_never_shared(made: dict[str, Phantom]) -> None:
    seen: list[str] = []
    for phantom in made.values():
        for ds in read(phantom):
            seen.append(ds.SOPInstanceUID)
            assert ds.SOPInstanceUID == ds.file_meta.MediaStorageSOPInstanceUID
            assert ds.SOPInstanceUID.is_valid and len(ds.SOPInstanceUID) <= 64
    assert len(seen) == len(set(seen))
    assert uid("a").startswith("2.25.")


def test_they_say_that_nobody_was_imaged(made: dict[str, Phantom]) -> None:
    for phantom in made.values():
        for ds in read(phantom):
            assert str(ds.PatientName).startswith("PHANTOM^")
            assert ds.PatientID.startswith("ISO-DEMO-")
            assert "Simulated" in ds.PatientComments


@pytest.mark.peer
@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is not installed")
@pytest.mark.parametrize("name", MAKERS)
def test_dciodvfy_finds_no_error(made: dict[str, Phantom], name: str, tmp_path: Path) -> None:
    first: dict[str, bytes] = {}
    for file, ds in zip(made[name].files, read(made[name]), strict=True):
        first.setdefault(ds.SeriesInstanceUID, file)
    for number, file in enumerate(first.values()):
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(file)
        ran = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
        said = (ran.stdout + ran.stderr).splitlines()
        assert said, "it must have said something of the file"
        assert [line for line in said if line.startswith("Error")] == []


def test_the_chest_is_darker_where_there_is_lung_and_brighter_where_it_is_filled() -> None:
    clear, nothing = chest.picture(seed=5)
    filled, truth = chest.picture(seed=5, opacity="right lower")
    assert not nothing["opacity"] and truth["opacity"] and truth["laterality"] == "right"
    top, left, bottom, right = truth["box_pixels"]
    assert right <= clear.shape[1] // 2, "the right lung is on the left of the picture"
    where = np.s_[top:bottom, left:right]
    other = np.s_[top:bottom, clear.shape[1] - right : clear.shape[1] - left]
    gain = filled[where].astype(float).mean() - clear[where].astype(float).mean()
    beside = filled[other].astype(float).mean() - clear[other].astype(float).mean()
    assert gain > 150 and abs(beside) < 0.3 * gain
    assert 60 < truth["volume_ml"] < 260


def test_the_chest_says_how_large_its_pixels_are(made: dict[str, Phantom]) -> None:
    (ds,) = read(made["chest"])
    assert (ds.Modality, ds.ViewPosition, ds.BodyPartExamined) == ("DX", "PA", "CHEST")
    assert ds.PatientAge == "003Y"
    assert ds.pixel_array.max() <= 4095 and ds.pixel_array.shape == (ds.Rows, ds.Columns)


def suv_of(slices: list[Any]) -> tuple[np.ndarray[Any, Any], Any]:
    first = slices[0]
    tracer = first.RadiopharmaceuticalInformationSequence[0]
    day = "%Y%m%d%H%M%S"
    start = datetime.strptime(first.SeriesDate + first.SeriesTime, day)
    injected = datetime.strptime(tracer.RadiopharmaceuticalStartDateTime[:14], day)
    left = float(tracer.RadionuclideTotalDose) * 2 ** (
        -(start - injected).total_seconds() / float(tracer.RadionuclideHalfLife)
    )
    per_gram = float(first.PatientWeight) * 1000 / left
    slices = sorted(slices, key=lambda s: float(s.ImagePositionPatient[2]))
    return np.stack([s.pixel_array * float(s.RescaleSlope) for s in slices]) * per_gram, slices


def test_the_uptake_that_the_files_say_is_the_truth(made: dict[str, Phantom]) -> None:
    phantom = made["pet_ct"]
    suv, slices = suv_of([s for s in read(phantom) if s.Modality == "PT"])
    assert len({s.RescaleSlope for s in slices}) > 20, "the slope changes from slice to slice"
    spots, count = ndimage.label(suv > 4.5)
    for lesion in phantom.truth["lesions"].values():
        x, y, z = lesion["centre_mm"]
        first = slices[0]
        mm = float(first.PixelSpacing[0])
        column = round((x - float(first.ImagePositionPatient[0])) / mm)
        row = round((y - float(first.ImagePositionPatient[1])) / mm)
        k = round((z - float(first.ImagePositionPatient[2])) / 4.0)
        spot = spots[k, row, column]
        assert spot > 0
        assert suv[spots == spot].max() == pytest.approx(lesion["suv_max"], rel=1e-9)
        assert lesion["suv_max"] == pytest.approx(lesion["planted_suv"], rel=0.08)
        assert lesion["mtv_41_ml"] == pytest.approx(lesion["volume_ml"], rel=0.2)
    assert count >= 3


def test_ct_has_the_numbers_of_tissue_and_shares_the_frame_of_the_pet(made: dict[str, Phantom]) -> None:
    files = read(made["pet_ct"])
    ct = [s for s in files if s.Modality == "CT"]
    hu = np.stack([s.pixel_array * float(s.RescaleSlope) + float(s.RescaleIntercept) for s in ct])
    centre = hu[40, 120:130, 70:80]  # right lung
    assert -900 < centre.mean() < -780
    assert hu.min() + 60 >= -1000 and hu.max() > 200
    assert len({s.FrameOfReferenceUID for s in files}) == 1


def test_the_structures_outline_the_balls(made: dict[str, Phantom]) -> None:
    (rt,) = [s for s in read(made["pet_ct"]) if s.Modality == "RTSTRUCT"]
    names = {r.ROINumber: r.ROIName for r in rt.StructureSetROISequence}
    for outline in rt.ROIContourSequence:
        truth = made["pet_ct"].truth["lesions"][names[outline.ReferencedROINumber]]
        volume = 0.0
        for contour in outline.ContourSequence:
            p = np.array(contour.ContourData, float).reshape(-1, 3)
            x, y = p[:, 0], p[:, 1]
            volume += abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2 * 4.0 / 1000
        assert volume == pytest.approx(truth["volume_ml"], rel=0.05)


def test_without_structures_there_is_no_structure_set() -> None:
    phantom = pet_ct.patient(structures=False)
    assert {s.Modality for s in read(phantom)} == {"CT", "PT"}
    assert "structures_uid" not in phantom.truth


def test_the_heart_pumps_what_it_claims(made: dict[str, Phantom]) -> None:
    phantom = made["cine"]
    stacks: dict[float, dict[float, Any]] = defaultdict(dict)
    for s in read(phantom):
        stacks[float(s.TriggerTime)][float(s.SliceLocation)] = s
    assert (len(stacks), len(stacks[0.0])) == (20, 10)
    volumes = []
    for time_ms in sorted(stacks):
        total = 0.0
        for s in stacks[time_ms].values():
            bright = ndimage.gaussian_filter(s.pixel_array.astype(float), 0.7) > 260
            regions, _ = ndimage.label(bright)
            mm = float(s.PixelSpacing[0])
            row, column = round(79.5 + (-14) / mm), round(79.5 + 26 / mm)
            spot = regions[row, column]
            total += np.count_nonzero(regions == spot) * mm * mm * 10 / 1000 if spot else 0.0
        volumes.append(total)
    measured_ef = 100 * (1 - min(volumes) / max(volumes))
    assert max(volumes) == pytest.approx(phantom.truth["edv_ml"], rel=0.06)
    assert min(volumes) == pytest.approx(phantom.truth["esv_ml"], rel=0.10)
    assert measured_ef == pytest.approx(phantom.truth["ef_percent"], abs=4)


def test_positions_of_the_heart_stack_step_along_its_normal(made: dict[str, Phantom]) -> None:
    slices = {float(s.SliceLocation): s for s in read(made["cine"])}
    ordered = [slices[k] for k in sorted(slices)]
    along = np.array(ordered[0].ImageOrientationPatient, float).reshape(2, 3)
    assert np.dot(along[0], along[1]) == pytest.approx(0, abs=1e-6)
    places = np.array([s.ImagePositionPatient for s in ordered], float)
    steps = np.diff(places @ np.cross(*along))
    assert np.allclose(np.abs(steps), 10.0, atol=1e-4)


def test_lesions_of_the_brain_are_where_and_as_large_as_said(made: dict[str, Phantom]) -> None:
    phantom = made["brain"]
    series: dict[str, list[Any]] = defaultdict(list)
    for s in read(phantom):
        series[s.SeriesInstanceUID].append(s)
    for visit in phantom.truth["visits"]:
        slices = sorted(series[visit["series_uid"]], key=lambda s: float(s.ImagePositionPatient[2]))
        signal = np.stack([s.pixel_array for s in slices]).astype(float)
        place = np.array(slices[0].ImagePositionPatient, float)
        mm = float(slices[0].PixelSpacing[0])
        for lesion in visit["lesions"].values():
            x, y, z = lesion["centre_mm"]
            k, row, column = round((z - place[2]) / 3.5), round((y - place[1]) / mm), round((x - place[0]) / mm)
            assert signal[k, row, column] > 1.25 * 165 * 3, "a lesion is brighter than white matter"
            assert lesion["voxels_ml"] == pytest.approx(lesion["volume_ml"], rel=0.25)
    assert phantom.truth["change"] == {"new": ["new"], "gone": ["gone"], "grown": ["grown"]}
    first, second = phantom.truth["visits"]
    assert first["study_uid"] != second["study_uid"]
    assert len({s.PatientID for s in read(phantom)}) == 1
    assert second["load_ml"] > first["load_ml"]


def test_the_cyst_has_its_diameter_in_calibrated_millimetres(made: dict[str, Phantom]) -> None:
    (ds,) = read(made["ultrasound"])
    truth = made["ultrasound"].truth
    region = ds.SequenceOfUltrasoundRegions[0]
    assert float(region.PhysicalDeltaX) * 10 == pytest.approx(truth["mm_per_pixel"])
    dark = ndimage.gaussian_filter(ds.pixel_array.astype(float), 1.0) < 85  # half way to the speckle around it
    labels, _ = ndimage.label(dark)
    row, column = (round(v) for v in truth["centre_pixel"])
    area = np.count_nonzero(labels == labels[row, column]) * truth["mm_per_pixel"] ** 2
    assert 2 * np.sqrt(area / np.pi) == pytest.approx(truth["diameter_mm"], rel=0.06)


def test_a_person_of_ones_own_is_written() -> None:
    who = Person("ISO-DEMO-X", "PHANTOM^OWN", "M", "20000101", 1.8, 80.0)
    (ds,) = read(ultrasound.patient(person=who))
    assert (ds.PatientID, ds.PatientSex, ds.PatientAge) == ("ISO-DEMO-X", "M", "026Y")
