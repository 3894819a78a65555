"""Slices that step obliquely, as with a tilted gantry, lie closer than they step: volumes follow their normal."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from phantom_studies import NOW, Asked, prepared
from phantom_studies import STUDIES as SMALL
from pydicom.sr.codedict import codes

from isocenter.dicom.header import merge, read_header
from isocenter.forms import bundle
from isocenter.record import Finding, Measurement, Origin, Outcome, Result
from isocenter.record import codes as ours
from isocenter.testing.phantoms import coronary, heart, stroke_ct

BOLUS = {"size": 64, "slices": 4, "step_mm": 8.0, "times_s": tuple(np.arange(26) * 1.6)}
STUDIES = (
    Asked("ct_perfusion", lambda: stroke_ct.patient(**BOLUS).files, {"correct_motion": False}),  # type: ignore[arg-type]
    Asked("coronary_calcium", lambda: coronary.patient().files),
    Asked("cardiac_cine", lambda: heart.patient(seed=3, phases=8, slices=11, size=96).files),
)


VOLUMETRY = SMALL["liver_volumetry"]
_SHEAR = 0.36
_LEAN = np.arctan(_SHEAR)
LEANING = np.array([[1.0, 0.0, 0.0], [0.0, np.cos(_LEAN), -np.sin(_LEAN)], [0.0, np.sin(_LEAN), np.cos(_LEAN)]])
"""Turns the patient so that a sheared stack steps along the table again, and its planes lean by 20 degrees."""


def sheared(files: Sequence[bytes], turn: npt.NDArray[np.float64] | None = None) -> list[bytes]:
    """Each slice and what is drawn on it moved along its columns by 0.36 of its height, a gantry of 20 degrees; planes
    stay as far apart. Then all turned.
    """
    turned = np.eye(3) if turn is None else turn
    made = []
    for data in files:
        ds = pydicom.dcmread(io.BytesIO(data))
        for roi in ds.get("ROIContourSequence", ()):
            for contour in roi.ContourSequence:
                points = np.array(contour.ContourData, float).reshape(-1, 3)
                points[:, 1] += _SHEAR * points[:, 2]
                contour.ContourData = [round(float(v), 5) for v in (points @ turned.T).ravel()]
        if "ImagePositionPatient" in ds:
            row, column = np.array(ds.ImageOrientationPatient, float).reshape(2, 3)
            place = np.array(ds.ImagePositionPatient, float)
            moved = place + _SHEAR * float(place @ np.cross(row, column)) * column
            ds.ImagePositionPatient = [round(float(v), 5) for v in turned @ moved]
            ds.ImageOrientationPatient = [round(float(v), 9) for v in np.concatenate([turned @ row, turned @ column])]
        out = io.BytesIO()
        ds.save_as(out)
        made.append(out.getvalue())
    return made


def numbers(asked: Asked, files: Sequence[bytes], folder: Path) -> dict[tuple[str, str, str], float]:
    (one,) = prepared(files, asked, folder)
    result: Result = one.done()
    assert result.measurements, result.reasons
    return {(str(m.what), m.definition, m.unit): m.value for m in result.measurements}


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(a, id=a.analysis, marks=pytest.mark.nightly if a.analysis == "cardiac_cine" else ())
        for a in STUDIES
    ],
)
def test_a_sheared_stack_measures_the_same(asked: Asked, tmp_path: Path) -> None:
    files = asked.files()
    straight, tilted = (
        numbers(asked, given, tmp_path / name) for name, given in (("straight", files), ("tilted", sheared(files)))
    )
    assert tilted == pytest.approx(straight, rel=1e-4)


DRAWN = [pytest.param("structure set", marks=pytest.mark.nightly), "segmentation"]


@pytest.mark.parametrize("drawn", DRAWN)
def test_a_liver_of_a_tilted_gantry_has_the_volume_that_it_has(drawn: str, tmp_path: Path) -> None:
    """Planes lean and step along the table: they lie by a sixteenth closer than they step, and so large is the error
    of whoever multiplies area and step.
    """
    files = VOLUMETRY.files()
    straight = numbers(VOLUMETRY, files, tmp_path / "straight")
    tilted = sheared(files, LEANING)
    places = [
        np.array(ds.ImagePositionPatient, float) for data in tilted if "ImagePositionPatient" in (ds := read(data))
    ]
    assert np.linalg.norm(places[1] - places[0]) == pytest.approx(5.0 / np.cos(_LEAN), rel=1e-4)
    assert np.ptp([place[1] for place in places]) < 1e-3  # along the table alone
    if drawn == "segmentation":
        tilted = _as_segmentation(tilted, VOLUMETRY, tmp_path)
    assert numbers(VOLUMETRY, tilted, tmp_path / "tilted") == pytest.approx(straight, rel=1e-4)


def test_structures_of_a_segmentation_on_a_tilted_gantry_have_the_volumes_that_they_have(tmp_path: Path) -> None:
    files, asked = VOLUMETRY.files(), Asked("volumetry", VOLUMETRY.files)
    (straight,) = prepared(files, asked, tmp_path / "straight")
    leaning = _as_segmentation(sheared(files, LEANING), VOLUMETRY, tmp_path)
    (tilted,) = prepared(leaning, asked, tmp_path / "tilted")
    volumes = [
        [m.value for f in one.done().findings for m in f.measurements if m.what == ours.VOLUME]
        for one in (straight, tilted)
    ]
    assert len(volumes[0]) > 1 and volumes[1] == pytest.approx(volumes[0], rel=1e-4)


@pytest.mark.parametrize("drawn", DRAWN)
def test_a_level_of_a_tilted_gantry_gives_volumes_and_no_areas(drawn: str, tmp_path: Path) -> None:
    asked = SMALL["body_composition"]
    files = asked.files()
    straight = numbers(asked, files, tmp_path / "straight")
    tilted = sheared(files, LEANING)
    if drawn == "segmentation":
        tilted = _as_segmentation(tilted, asked, tmp_path)
    (one,) = prepared(tilted, asked, tmp_path / "tilted")
    result = one.done()
    assert any("slices lean by 20°" in reason and "none given" in reason for reason in result.reasons)
    found = {(str(m.what), m.definition, m.unit): m.value for m in result.measurements}
    assert "cm2" in {unit for *_, unit in straight} and "cm2" not in {unit for *_, unit in found}
    volumes = {key: value for key, value in straight.items() if key[-1] == "mL"}
    assert volumes and {k: found[k] for k in volumes} == pytest.approx(volumes, rel=1e-4)


def test_what_a_person_drew_on_a_tilted_gantry_leaves_as_a_report_and_a_reason(tmp_path: Path) -> None:
    files = sheared(VOLUMETRY.files(), LEANING)
    (one,) = prepared(files, VOLUMETRY, tmp_path / "drawn")
    (study,) = merge([read_header(data) for data in files])
    held = {str(read(data).SOPInstanceUID): data for data in files}
    findings = tuple(
        Finding(ours.LIVER, where=r, measurements=(Measurement(ours.VOLUME, r.volume_ml, "mL"),))
        for r in one.inputs["drawn"]
    )
    drawn = Result(study.uid, Outcome.FOUND, Origin("person", "reader"), NOW, findings=findings)
    made = bundle.dicom(drawn, study, held.__getitem__, lambda digest: b"")
    assert [one.name.rpartition(".seg")[2] for one in made.left] == [".dcm"]
    assert "tilted gantry" in made.left[0].why and any(w.name.endswith(".sr.dcm") for w in made.files)


def read(data: bytes) -> Any:
    return pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)


def _as_segmentation(files: Sequence[bytes], asked: Asked, folder: Path) -> list[bytes]:
    """The images with what the structure set draws in a Segmentation of highdicom instead."""
    (one,) = prepared(files, asked, folder / "drawn")
    held = {str(ds.SOPInstanceUID): ds for data in files if (ds := pydicom.dcmread(io.BytesIO(data))).Modality == "CT"}
    image = one.inputs["image"] if "image" in one.inputs else one.inputs["ct"]
    images = [held[uid] for uid in image.instance_uids]
    regions = one.inputs["drawn"]
    code, manual = codes.SCT.Organ, hd.seg.SegmentAlgorithmTypeValues.MANUAL
    said = [hd.seg.SegmentDescription(n, r.label, code, code, manual) for n, r in enumerate(regions, 1)]
    mask = np.stack([r.mask for r in regions], axis=-1).astype(np.uint8)
    made = hd.seg.Segmentation(images, mask, "BINARY", said, "2.25.8", 9, "2.25.100", 1, "maker", "model", "1", "2")
    out = io.BytesIO()
    made.save_as(out)
    return [*(data for data in files if read(data).Modality == "CT"), out.getvalue()]
