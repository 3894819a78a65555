"""Balls of known size in water: a CT on which lengths, values and outlines can be checked against what was put in.

The images stand askew in the patient and have oblong voxels, so that whoever confuses columns with rows, slices with
millimetres or one corner with another measures something else. Edges are those of partial volume, not of steps.
"""

from __future__ import annotations

from datetime import datetime

import numpy as np
import numpy.typing as npt

from isocenter.testing.phantoms.patient import Person, Phantom, new, put_pixels, uid, written

__all__ = ["BALLS", "patient"]

_CT = "1.2.840.10008.5.1.4.1.1.2"
_SHAPE, _SPACING = (48, 128, 144), (2.0, 0.8, 1.0)  # slices, rows, columns; mm
_WATER, _AIR = 0.0, -1000.0

BALLS: tuple[tuple[tuple[float, float, float], float, float], ...] = (
    ((-20.0, -8.0, 2.0), 24.0, 300.0),
    ((28.0, 14.0, -10.0), 16.0, -120.0),
    ((26.0, -22.0, 20.0), 10.0, 80.0),
)
"""Centre (mm from the middle), diameter (mm), value (HU)."""


def _directions(tilt_deg: float) -> npt.NDArray[np.float64]:
    """Row, column and slice direction, turned about the patient's long axis and then about the left-right axis."""
    a = np.radians(tilt_deg)
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    turned: npt.NDArray[np.float64] = about_z @ about_x
    return turned


def patient(
    *,
    seed: int = 1,
    tilt_deg: float = 0.0,
    noise_hu: float = 8.0,
    balls: tuple[tuple[tuple[float, float, float], float, float], ...] = BALLS,
    person: Person | None = None,
    at: datetime = datetime(2026, 3, 2, 12, 0),
) -> Phantom:
    """A jar of water with three balls.

    Args:
        seed: decides noise and every UID.
        tilt_deg: by how much the images stand askew in the patient.
        noise_hu: standard deviation.
        balls: what is in the jar, as `BALLS`.

    `truth` holds `balls`: for each its centre in patient space (mm), diameter (mm) and value (HU).
    """
    who = person or Person(f"ISO-DEMO-BALLS-{seed}", "PHANTOM^BALLS", "O", "20000101", 1.0, 10.0)
    turned = _directions(tilt_deg)
    middle = np.array([12.0, -30.0, 140.0])
    steps = turned * np.array([_SPACING[2], _SPACING[1], _SPACING[0]])  # per column, row, slice
    origin = middle - steps @ (np.array([_SHAPE[2], _SHAPE[1], _SHAPE[0]]) - 1) / 2
    k, r, c = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in _SHAPE), indexing="ij")
    place = np.stack([c, r, k], axis=-1) @ steps.T.astype(np.float32) + (origin - middle).astype(np.float32)
    values = _AIR + (_WATER - _AIR) * _within(np.linalg.norm(place[..., :2], axis=-1) - 48.0)
    for centre, diameter, hu in balls:
        share = _within(np.linalg.norm(place - np.array(centre, np.float32), axis=-1) - diameter / 2)
        values += share * (hu - values)
    values += np.random.default_rng(seed).normal(0.0, noise_hu, _SHAPE).astype(np.float32)
    files = []
    for n in range(_SHAPE[0]):
        ds = new("balls", who, seed=seed, sop_class=_CT, modality="CT", study=f"Balls {tilt_deg:g} deg", series="jar",
                 at=at, series_number=1, body_part="PHANTOM")  # fmt: skip
        ds.Laterality = ""  # a jar has no side, but no table says that of it
        ds.FrameOfReferenceUID = uid("balls", seed, tilt_deg, "frame")
        ds.ImageOrientationPatient = [f"{v:.8f}" for v in (*turned[:, 0], *turned[:, 1])]
        ds.ImagePositionPatient = [f"{v:.6f}" for v in origin + steps[:, 2] * n]
        ds.PixelSpacing, ds.SliceThickness = [_SPACING[1], _SPACING[2]], _SPACING[0]
        ds.KVP, ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = 120, -1024, 1, "HU"
        ds.ImageType, ds.AcquisitionNumber, ds.PatientPosition = ["ORIGINAL", "PRIMARY", "AXIAL"], 1, "HFS"
        put_pixels(ds, np.clip(np.round(values[n] + 1024), 0, 4095).astype(np.uint16), bits=12)
        files.append(written(ds, n + 1))
    truth = {
        "study_uid": str(ds.StudyInstanceUID),
        "series_uid": str(ds.SeriesInstanceUID),
        "balls": [
            {"centre_mm": [float(v) for v in middle + np.array(centre)], "diameter_mm": diameter, "hu": hu}
            for centre, diameter, hu in balls
        ],
    }
    return Phantom("balls in water", tuple(files), truth)


def _within(outside_mm: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Share of a voxel inside a border that lies so far away: partial volume over one millimetre."""
    return np.asarray(np.clip(0.5 - outside_mm, 0, 1), np.float32)
