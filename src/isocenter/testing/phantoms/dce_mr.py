"""A dynamic contrast-enhanced MR whose permeability is known: an artery, a tumour, muscle, and tissue without vessels.

Curves come from the models' differential equations, stepped a hundredth of a second at a time, and signal from the
steady state of a spoiled gradient echo: nothing of the fits that are tested on it is used.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.testing.phantoms.patient import Person, Phantom, later, new, put_pixels, uid, written

__all__ = ["TISSUES", "patient", "signals"]

TISSUES: dict[str, tuple[float, float, float, float]] = {
    "tumour": (0.25, 0.35, 0.06, 1200.0),
    "muscle": (0.06, 0.12, 0.015, 1000.0),
}
"""Tissue -> Ktrans (1/min), ve, vp, T1 (ms)."""

_TR_MS, _FLIP, _ANGLES, _RELAXIVITY, _HAEMATOCRIT = 5.0, 18.0, (3.0, 9.0, 18.0), 4.5, 0.42
_BLOOD_T1_MS, _ARRIVAL_S, _FINE_S = 1600.0, 30.0, 0.01


def _blood(t: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Whole blood, mmol/L: a bolus of 6 with a slow wash-out."""
    since = np.clip(t - _ARRIVAL_S, 0.0, None)
    return 6.0 * (since / 8.0) * np.exp(1 - since / 8.0) + 1.1 * (1 - np.exp(-since / 10.0)) * np.exp(-since / 500.0)


def _signal(c: npt.NDArray[np.float64], t1_ms: float, flip_deg: float) -> npt.NDArray[np.float64]:
    e1 = np.exp(-_TR_MS / 1000.0 * (1000.0 / t1_ms + _RELAXIVITY * c))
    a = np.deg2rad(flip_deg)
    return np.asarray(9000.0 * np.sin(a) * (1 - e1) / (1 - e1 * np.cos(a)))


def signals(
    *, seed: int = 1, times_s: npt.NDArray[np.float64] | None = None, size: int = 32, slices: int = 2,
    noise: float = 2.0,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], dict[str, Any]]:  # fmt: skip
    """(frames, slices, rows, columns), (angles, slices, rows, columns), and masks and times by name.

    Args:
        times_s: of the frames; by default 80 of 5 s.
        noise: standard deviation; muscle before contrast has about 400.
    """
    times = np.arange(80) * 5.0 if times_s is None else times_s
    fine = np.arange(0.0, times[-1] + _FINE_S, _FINE_S)
    plasma = _blood(fine) / (1 - _HAEMATOCRIT)
    y, x = np.mgrid[:size, :size] / size
    masks = {
        "artery": (x - 0.2) ** 2 + (y - 0.3) ** 2 < 0.07**2,
        "tumour": (x - 0.6) ** 2 + (y - 0.4) ** 2 < 0.18**2,
        "muscle": (y > 0.68) & (x > 0.1) & (x < 0.9),
    }
    rng = np.random.default_rng([seed, 41])
    frames = np.full((len(times), slices, size, size), 5.0)
    angles = np.full((len(_ANGLES), slices, size, size), 5.0)

    def put(where: npt.NDArray[np.bool_], c: npt.NDArray[np.float64], t1_ms: float) -> None:
        course = _signal(np.interp(times, fine, c), t1_ms, _FLIP)
        frames[:, :, where] = course[:, None, None]
        for n, angle in enumerate(_ANGLES):
            angles[n][:, where] = _signal(np.zeros(1), t1_ms, angle)

    put(np.ones((size, size), bool) & (y > 0.1) & (y < 0.95), np.zeros_like(fine), 900.0)
    put(masks["artery"], _blood(fine), _BLOOD_T1_MS)
    for name, (ktrans, ve, vp, t1) in TISSUES.items():
        outside = np.empty_like(fine)
        level, k = 0.0, ktrans / 60.0
        for n, cp in enumerate(plasma):
            outside[n] = level
            level += _FINE_S * (k * cp - k / ve * level)
        put(masks[name], outside + vp * plasma, t1)
    frames += rng.normal(0.0, noise, frames.shape)
    angles += rng.normal(0.0, noise, angles.shape)
    told = {n: np.broadcast_to(m, (slices, size, size)).copy() for n, m in masks.items()}
    return frames.astype(np.float32), angles.astype(np.float32), {**told, "times_s": times}


def patient(
    *, seed: int = 1, person: Person | None = None, at: datetime = datetime(2026, 3, 4, 13, 30), angles: bool = True,
    **made: Any,
) -> Phantom:  # fmt: skip
    """An adult with a dynamic series and, before it, one series of three flip angles.

    Args:
        made: as for `signals`.
    """
    who = person or Person(f"ISO-DEMO-DCE-{seed}", "PHANTOM^DCE", "F", "19660412", 1.68, 70.0)
    frames, flips, truth = signals(seed=seed, **made)
    files, uids, frame = [], [], uid("dce_mr", seed, "frame")
    series = [("DCE dynamic", frames, 6)] + ([("T1 flip angles", flips, 5)] if angles else [])
    for name, array, number in series:
        ds = new(
            "dce_mr", who, seed=seed, sop_class="1.2.840.10008.5.1.4.1.1.4", modality="MR", study="Pelvis MR",
            series=name, at=at, series_number=number, body_part="PELVIS",
        )  # fmt: skip
        ds.ImageType, ds.ScanningSequence, ds.SequenceVariant = ["ORIGINAL", "PRIMARY", "M"], "GR", "SP"
        ds.ScanOptions, ds.MRAcquisitionType, ds.MagneticFieldStrength = "", "3D", 1.5
        ds.RepetitionTime, ds.EchoTime, ds.EchoTrainLength, ds.FlipAngle = _TR_MS, 1.5, 1, _FLIP
        ds.SliceThickness, ds.PatientPosition, ds.FrameOfReferenceUID = 4.0, "HFS", frame
        ds.PixelSpacing, ds.ImageOrientationPatient = [3.0, 3.0], [1, 0, 0, 0, 1, 0]
        for n, volume in enumerate(array):
            if array is frames:
                moment = later(at, 60.0 + float(truth["times_s"][n]))
                ds.TemporalPositionIdentifier, ds.NumberOfTemporalPositions = n + 1, len(array)
            else:
                moment, ds.FlipAngle = at, _ANGLES[n]
            ds.AcquisitionDate, ds.AcquisitionTime = moment.strftime("%Y%m%d"), moment.strftime("%H%M%S.%f")
            ds.ContentDate, ds.ContentTime = ds.AcquisitionDate, ds.AcquisitionTime
            for k, image in enumerate(volume):
                ds.ImagePositionPatient = [-48.0, -48.0, 4.0 * k]
                put_pixels(ds, np.round(image).clip(0, 4095).astype(np.uint16), bits=12)
                files.append(written(ds, n * len(volume) + k + 1))
        uids.append(str(ds.SeriesInstanceUID))
    told: dict[str, Any] = {"series_uids": uids, "study_uid": str(ds.StudyInstanceUID), "tissues": dict(TISSUES)}
    return Phantom("permeability of a tumour", tuple(files), told)
