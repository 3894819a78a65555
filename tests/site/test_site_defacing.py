"""Heads wait until all of their images were seen, and then leave without their faces, or stay."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
import pytest

from isocenter.dicom.release import Release, held_names, release
from isocenter.site.defacing import faces
from isocenter.site.releasing import released
from isocenter.testing.phantoms import head, pet_ct
from isocenter.testing.phantoms.patient import Phantom

COARSE: dict[str, Any] = {"step_mm": 4.0, "pixel_mm": 3.0}


def changed(data: bytes, **said: Any) -> bytes:
    ds = pydicom.dcmread(io.BytesIO(data))
    for name, value in said.items():
        setattr(ds, name, value)
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


@pytest.fixture(scope="module")
def scan() -> Phantom:
    return head.patient("T1", **COARSE)


@pytest.fixture(scope="module")
def left(scan: Phantom, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Release]:
    out = tmp_path_factory.mktemp("out") / "copies"
    files = [(f"{n}.dcm", data) for n, data in enumerate(scan.files)]
    middle = head.patient("T1", number=9, plane="sagittal", step_mm=90.0, pixel_mm=3.0).files[:1]  # a localiser
    files += [("scout.dcm", changed(middle[0], ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]))]
    far = {"StudyInstanceUID": "1.2.77", "FrameOfReferenceUID": "1.2.78", "SeriesInstanceUID": "1.2.79"}
    files += [("alone.dcm", changed(scan.files[10], SOPInstanceUID="1.2.80", **far))]
    knee = {
        **far,
        "SeriesInstanceUID": "1.2.81",
        "BodyPartExamined": "KNEE",
        "StudyDescription": "",
        "SeriesDescription": "",
    }
    files += [("knee.dcm", changed(scan.files[10], SOPInstanceUID="1.2.82", **knee))]
    return out, release(files, out, secret=b"k" * 32, faces=faces)


def pixels_in(out: Path, series: str) -> npt.NDArray[Any]:
    held = [pydicom.dcmread(p) for p in out.rglob("*.dcm")]
    held = sorted((d for d in held if d.SeriesDescription == series), key=lambda d: int(d.InstanceNumber))
    return np.stack([d.pixel_array for d in held])


def test_the_brain_of_a_head_is_the_same_to_the_bit_and_its_face_is_gone(
    scan: Phantom, left: tuple[Path, Release]
) -> None:
    out, found = left
    before = np.stack([pydicom.dcmread(io.BytesIO(data)).pixel_array for data in scan.files])
    after = pixels_in(out, "T1 axial")
    brain = scan.truth["brain"]
    assert np.array_equal(before[brain], after[brain]) and brain.sum() * 36 / 1000 > 1000
    assert 0.03 < (before != after).mean() < 0.4 and (after[before != after] == 0).all()
    report = found.report()
    assert report["faces"]["objects"]["cut"] == len(scan.files) + 1
    assert all(s["left"] <= 0.02 and s["depth_mm"] > 20 for s in report["faces"]["series"])


def test_a_localiser_takes_the_face_of_the_scan_in_its_frame_of_reference(left: tuple[Path, Release]) -> None:
    profile = pixels_in(left[0], "T1 sagittal")[0]
    assert (profile[60:, :30] == 0).mean() > 0.95  # the rows of nose and mouth, before the cheekbones


def test_a_head_that_nothing_tells_of_stays_and_a_knee_leaves(left: tuple[Path, Release]) -> None:
    (stayed,) = held_names(left[1])
    assert stayed["file"] == "alone.dcm" and stayed["kind"] == "review" and "no head was found" in stayed["why"]
    assert left[1].written == left[1].faces["cut"] + 1


def test_a_study_of_the_archive_leaves_in_the_same_way(scan: Phantom) -> None:
    clean, held, report = released([scan.files[:60]], b"k" * 32, ["research"], [])
    assert len(clean) == len(scan.files[:60]) and not held
    assert {pydicom.dcmread(io.BytesIO(c)).RecognizableVisualFeatures for c in clean} == {"NO"}
    assert report["faces"]["series"][0]["left"] == 0.0


def test_pet_in_which_no_head_is_seen_stays_unless_a_ct_shows_that_there_is_none() -> None:
    """Skin that takes up little is not seen in PET: a head may leave with its face where nothing else tells."""
    images = [(pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True), data) for data in pet_ct.patient().files]
    by = {kind: [data for ds, data in images if ds.Modality == kind] for kind in ("PT", "CT")}
    pet = next(ds.SeriesInstanceUID for ds, _ in images if ds.Modality == "PT")
    alone = faces(by["PT"])[pet]
    assert alone.state == "unsure" and "skin that takes up little" in alone.why
    assert faces(by["PT"] + by["CT"])[pet].state == "none"
    half = sorted(by["CT"], key=lambda data: float(pydicom.dcmread(io.BytesIO(data)).ImagePositionPatient[2]))[:30]
    assert faces(by["PT"] + half)[pet].state == "unsure", "the CT does not reach as far"
