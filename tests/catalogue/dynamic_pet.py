"""A dynamic or gated PET as a scanner writes it: image by image, decay corrected to the start of the scan, or not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from pet_beds import DOSE_BQ, HALF_LIFE_S, KG, MM, STEP_MM, WHO
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from isocenter.testing.phantoms.patient import new, put_pixels, uid, written

__all__ = ["SLICES", "dynamic"]

SLICES, SIDE = 8, 16
INJECTED = datetime(2026, 3, 2, 10, 0)


def dynamic(
    lengths: Sequence[float],
    uptake: Sequence[float],
    *,
    begun_s: float = -10.0,
    decay: str = "START",
    kind: str = "DYNAMIC",
    facts: dict[str, Any] | None = None,
) -> list[bytes]:
    """A ball of `uptake` in each frame in a body of 1.

    Args:
        lengths: of the frames, s. begun_s: when the first began, after the injection. kind: Series Type; gates are of
            one time.
    """
    start = INJECTED + timedelta(seconds=begun_s)
    ds = new(
        "dynamic", WHO, seed=1, sop_class="1.2.840.10008.5.1.4.1.1.128", modality="PT", study="FDG PET",
        series="PET dynamic", at=start, series_number=3, body_part="CHEST",
    )  # fmt: skip
    ds.ImageType, ds.SeriesType, ds.Units = ["ORIGINAL", "PRIMARY"], [kind, "IMAGE"], "BQML"
    ds.DecayCorrection, ds.CorrectedImage = decay, ["ATTN", "SCAT", *(["DECY"] if decay != "NONE" else [])]
    ds.SliceThickness, ds.PixelSpacing, ds.ImageOrientationPatient = STEP_MM, [MM, MM], [1, 0, 0, 0, 1, 0]
    ds.FrameOfReferenceUID, ds.RescaleIntercept = uid("dynamic", "frame"), 0
    tracer, nuclide = Dataset(), Dataset()
    nuclide.CodeValue, nuclide.CodingSchemeDesignator, nuclide.CodeMeaning = "77004003", "SCT", "^18^Fluorine"
    tracer.RadiopharmaceuticalStartDateTime = INJECTED.strftime("%Y%m%d%H%M%S.00")
    tracer.RadionuclideTotalDose, tracer.RadionuclideHalfLife = DOSE_BQ, HALF_LIFE_S
    tracer.RadionuclideCodeSequence = Items([nuclide])
    ds.RadiopharmaceuticalInformationSequence = Items([tracer])
    for keyword, value in (facts or {}).items():
        setattr(ds, keyword, value)
    z, y, x = np.meshgrid(*((np.arange(n) - (n - 1) / 2) * mm for n, mm in
                            ((SLICES, STEP_MM), (SIDE, MM), (SIDE, MM))), indexing="ij")  # fmt: skip
    ball, body = x**2 + y**2 + z**2 <= 13.0**2, 1.0 + 0.2 * np.cos(x / 20.0)
    files: list[bytes] = []
    since = 0.0
    for n, (lasted, suv) in enumerate(zip(lengths, uptake, strict=True)):
        lost = np.log(2.0) * lasted / HALF_LIFE_S
        at = since + float(np.log(lost / -np.expm1(-lost)) * HALF_LIFE_S / np.log(2.0))
        corrected_to = {"START": 0.0, "ADMIN": -begun_s, "NONE": at}[decay]
        per_suv = DOSE_BQ * 2 ** (-(begun_s + corrected_to) / HALF_LIFE_S) / (KG * 1000.0)
        ds.AcquisitionTime = (start + timedelta(seconds=since)).strftime("%H%M%S.%f")
        ds.FrameReferenceTime, ds.ActualFrameDuration = round(at * 1000.0, 3), round(lasted * 1000)
        if kind == "GATED":
            ds.TriggerTime = 100.0 * n
        for k, plane in enumerate(np.where(ball, suv, body) * per_suv):
            ds.RescaleSlope = round(float(plane.max()) / 32000, 6)
            ds.ImagePositionPatient = [-(SIDE - 1) / 2 * MM, -(SIDE - 1) / 2 * MM, k * STEP_MM]
            put_pixels(ds, np.round(plane / ds.RescaleSlope).astype(np.int16))
            files.append(written(ds, len(files) + 1))
        since += lasted if kind == "DYNAMIC" else 0.0
    return files
