"""A PET of which each bed is a series of its own, decay-corrected to its own start, as some consoles send it."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from isocenter.testing.phantoms.patient import Person, new, put_pixels, uid, written
from isocenter.testing.phantoms.structures import structure_set

SLICES, SIDE, STEP_MM, MM = 30, 24, 4.0, 5.0
BEDS = ((0, 18), (14, 30))
BALL_MM, RADIUS_MM = (0.0, 0.0, 62.0), 16.0
HALF_LIFE_S, DOSE_BQ, KG = 6586.2, 3.0e8, 70.0
WHO = Person("BEDS", "PHANTOM^BEDS", "F", "19610214", 1.66, KG)
AT = datetime(2026, 3, 2, 10, 5)


def uptake() -> np.ndarray:
    """SUV of the whole: a ball of 8 across the beds in a body of 1."""
    z, y, x = np.meshgrid(
        np.arange(SLICES) * STEP_MM, *((np.arange(SIDE) - (SIDE - 1) / 2) * MM for _ in range(2)), indexing="ij"
    )
    place = np.stack([x, y, z], axis=-1) - BALL_MM
    body = 1.0 + 0.2 * np.cos(x / 20.0) * np.cos(z / 30.0)
    return np.where(np.linalg.norm(place, axis=-1) <= RADIUS_MM, 8.0, body)


def bed(
    number: int, first: int, last: int, *, wait_s: float, facts: Mapping[str, Any] | None = None, scale: float = 1.0,
    shift_mm: float = 0.0,
) -> list[bytes]:  # fmt: skip
    """The files of one bed: slices `first` to `last` of `uptake`, begun `wait_s` after the injection."""
    start = AT + timedelta(seconds=wait_s - 3600.0)
    ds = new(
        "beds", WHO, seed=1, sop_class="1.2.840.10008.5.1.4.1.1.128", modality="PT", study="FDG PET",
        series=f"PET bed {number}", at=start, series_number=number, body_part="CHESTABDOMEN",
    )  # fmt: skip
    ds.StudyDate, ds.StudyTime = AT.strftime("%Y%m%d"), AT.strftime("%H%M%S")
    ds.ImageType, ds.SeriesType, ds.Units = ["ORIGINAL", "PRIMARY"], ["STATIC", "IMAGE"], "BQML"
    ds.DecayCorrection, ds.CorrectedImage = "START", ["DECY", "ATTN", "SCAT"]
    ds.FrameReferenceTime, ds.ActualFrameDuration = 90000, 180000
    ds.SliceThickness, ds.PixelSpacing, ds.ImageOrientationPatient = STEP_MM, [MM, MM], [1, 0, 0, 0, 1, 0]
    ds.FrameOfReferenceUID, ds.RescaleIntercept = uid("beds", "frame"), 0
    tracer, nuclide = Dataset(), Dataset()
    nuclide.CodeValue, nuclide.CodingSchemeDesignator, nuclide.CodeMeaning = "77004003", "SCT", "^18^Fluorine"
    tracer.RadiopharmaceuticalStartDateTime = (AT - timedelta(seconds=3600)).strftime("%Y%m%d%H%M%S.00")
    tracer.RadionuclideTotalDose, tracer.RadionuclideHalfLife = DOSE_BQ, HALF_LIFE_S
    tracer.RadionuclideCodeSequence = Items([nuclide])
    ds.RadiopharmaceuticalInformationSequence = Items([tracer])
    for keyword, value in (facts or {}).items():
        setattr(tracer if keyword in tracer else ds, keyword, value)
    per_suv = DOSE_BQ * 2 ** (-wait_s / HALF_LIFE_S) / (KG * 1000.0) * scale
    corner = -(SIDE - 1) / 2 * MM
    files = []
    for k, plane in enumerate(uptake()[first:last], first):
        slope = round(float(plane.max()) * per_suv / 32000, 6)
        ds.RescaleSlope, ds.ImagePositionPatient = slope, [corner, corner, k * STEP_MM + shift_mm]
        put_pixels(ds, np.round(plane * per_suv / slope).astype(np.int16))
        files.append(written(ds, k + 1))
    return files


def scan(**second: Any) -> list[bytes]:
    """Both beds; the second ten minutes after the first, and otherwise as is said of it."""
    return [*bed(3, *BEDS[0], wait_s=3600.0), *bed(4, *BEDS[1], **{"wait_s": 4200.0} | second)]


def outlined(files: Sequence[bytes], objects: Sequence[bytes] = ()) -> bytes:
    """A structure set of the ball whose contours name the images of both beds, or the objects made of them."""
    made = [pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True) for data in objects]
    named = {str(ds.SeriesInstanceUID): str(ds.SOPInstanceUID) for ds in made}
    turn = np.linspace(0.0, 2.0 * np.pi, 72, endpoint=False)
    lines, seen = [], set()
    for data in files:
        ds = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
        z = float(ds.ImagePositionPatient[2])
        left = RADIUS_MM**2 - (z - BALL_MM[2]) ** 2
        if left > 1.0 and z not in seen:
            seen.add(z)
            radius = np.sqrt(left) + MM
            around = np.stack([radius * np.cos(turn), radius * np.sin(turn), np.full(72, z)], axis=1)
            lines.append((around, named.get(str(ds.SeriesInstanceUID), str(ds.SOPInstanceUID))))
    image = pydicom.dcmread(io.BytesIO(files[0]), stop_before_pixels=True)
    return structure_set("beds", WHO, image, {"lesion": lines}, seed=1, at=AT)
