"""A short-axis cine of a virtual heart: healthy, dilated or thickened, in a chest with fat, vessels, coil and noise.

`isocenter.testing.phantoms.cine` is the plain heart of the demonstration; these hearts differ as patients do. Truth is
what the outlines of the virtual heart enclose on the stored slices.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np

from isocenter.methods.virtual_heart import Anatomy, VirtualHeart
from isocenter.testing.phantoms.patient import Person, Phantom, new, put_pixels, uid, written
from isocenter.testing.phantoms.structures import Outline, structure_set

__all__ = ["HEARTS", "patient"]

HEARTS: dict[str, Anatomy] = {
    "healthy": Anatomy(base_radius_mm=25.0, length_mm=86.0, wall_mm=8.5, ejected=0.62, descent_mm=11.0),
    "dilated": Anatomy(base_radius_mm=34.0, length_mm=98.0, wall_mm=7.5, ejected=0.28, descent_mm=4.0),
    "thickened": Anatomy(base_radius_mm=21.0, length_mm=80.0, wall_mm=14.0, ejected=0.72, descent_mm=10.0),
}
"""Three ventricles, in millimetres."""

_MM = 1.5


def patient(
    *,
    seed: int = 1,
    kind: str = "healthy",
    slices: int = 11,
    phases: int = 16,
    gap_mm: float = 10.0,
    first_mm: float = -14.0,
    outlines: bool = False,
    rr_ms: float = 880.0,
    size: int = 128,
    person: Person | None = None,
    at: datetime = datetime(2026, 3, 2, 13, 5),
    **header: Any,
) -> Phantom:
    """An adult with a short-axis stack of one of `HEARTS`.

    Args:
        seed: decides the chest, noise and every UID.
        slices, phases, gap_mm, first_mm: of the stack; the first slice lies `first_mm` below the base (negative: above
            it).
        outlines: whether a structure set holds the true outlines (LV endo ED, LV endo ES, LV epi ED).
        rr_ms: time of one beat.
        size: rows and columns, 1.5 mm each.
        header: DICOM keywords that replace those of a proper scan; None takes one away.
    """
    who = person or Person(f"ISO-DEMO-HEART-{kind}-{seed}", "PHANTOM^HEART", "F", "19650322", 1.68, 71.0)
    depths = first_mm + gap_mm * np.arange(slices)
    squeeze = 0.5 - 0.5 * np.cos(2 * np.pi * np.minimum(np.arange(phases) / phases / 0.8, 1.0))
    made = VirtualHeart(seed, HEARTS[kind]).rendered(depths, squeeze, size=size, step_mm=_MM, thickness_mm=0.8 * gap_mm)
    normal = np.array([0.62, -0.62, -0.48])
    normal /= np.linalg.norm(normal)
    row = np.cross(normal, [0.0, 0.0, 1.0])
    row *= np.sign(row[0]) / np.linalg.norm(row)
    column = np.cross(normal, row)
    column *= np.sign(-column[2])
    ds = new(
        "heart", who, seed=seed, sop_class="1.2.840.10008.5.1.4.1.1.4", modality="MR", study="Cardiac MR",
        series=f"Cine SAX {kind}", at=at, series_number=7, body_part="HEART",
    )  # fmt: skip
    ds.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
    ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions, ds.MRAcquisitionType = "GR", "SS", "CG", "2D"
    ds.RepetitionTime, ds.EchoTime, ds.FlipAngle, ds.EchoTrainLength = 3.2, 1.5, 50, 1
    ds.MagneticFieldStrength, ds.PatientPosition = 1.5, "HFS"
    ds.SliceThickness, ds.SpacingBetweenSlices = 0.8 * gap_mm, gap_mm
    ds.NominalInterval, ds.HeartRate, ds.CardiacNumberOfImages = round(rr_ms), round(60000 / rr_ms), phases
    ds.FrameOfReferenceUID = uid("heart", seed, kind, "frame")
    ds.PixelSpacing, ds.ImageOrientationPatient = [_MM, _MM], [round(float(v), 8) for v in (*row, *column)]
    ds.WindowCenter, ds.WindowWidth = 300, 600
    for keyword, value in header.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    scale = 400.0 / float(np.quantile(made.pictures, 0.98))
    across = -(size - 1) / 2 * _MM
    files, corners, uids = [], [], {}
    for k in range(slices):
        corner = np.array([35.0, -25.0, 10.0]) + normal * depths[k] + (row + column) * across
        ds.ImagePositionPatient = [round(float(v), 6) for v in corner]
        # As in some scanners' files: Slice Location steps by another distance than the slices do.
        ds.SliceLocation = round(float(0.67 * depths[k]), 4)
        corners.append(corner)
        for phase in range(phases):
            ds.TriggerTime = round(rr_ms / phases * phase, 3)
            put_pixels(ds, np.clip(made.pictures[phase, k] * scale, 0, 4095).astype(np.uint16), bits=12)
            files.append(written(ds, k * phases + phase + 1))
            uids[phase, k] = str(ds.SOPInstanceUID)
    pixel_ml = _MM * _MM * gap_mm / 1000.0
    volumes = made.cavity.sum(axis=(1, 2, 3), dtype=np.float64) * pixel_ml
    ed, es = int(volumes.argmax()), int(volumes.argmin())
    muscle = float((made.epicardium[ed] - made.cavity[ed]).sum(dtype=np.float64)) * pixel_ml
    if outlines:
        drawn = {
            f"LV {name} {when}": _traced(mask[phase], corners, row, column, [uids[phase, k] for k in range(slices)])
            for name, when, phase, mask in (
                ("endo", "ED", ed, made.cavity), ("endo", "ES", es, made.cavity), ("epi", "ED", ed, made.epicardium),
            )
        }  # fmt: skip
        files.append(structure_set("heart", who, ds, drawn, seed=seed, at=at, label="LV OUTLINES"))
    return Phantom(
        f"{kind} heart",
        tuple(files),
        {
            "study_uid": str(ds.StudyInstanceUID), "series_uid": str(ds.SeriesInstanceUID),
            "edv_ml": float(volumes[ed]), "esv_ml": float(volumes[es]),
            "ef_percent": float(100 * (1 - volumes[es] / volumes[ed])), "mass_g": 1.05 * muscle,
            "volumes_ml": volumes.tolist(), "slice_step_mm": gap_mm,
        },
    )  # fmt: skip


def _traced(masks: np.ndarray[Any, Any], corners: list[Any], row: Any, column: Any, uids: list[str]) -> list[Outline]:
    """The outline of each slice at half coverage, in patient space."""
    from skimage.measure import find_contours

    lines: list[Outline] = []
    for mask, corner, sop in zip(masks, corners, uids, strict=True):
        found = find_contours(mask, 0.5)
        if found:
            line = max(found, key=len)[:-1] * _MM
            lines.append((corner + line[:, :1] * column + line[:, 1:] * row, sop))
    return lines
