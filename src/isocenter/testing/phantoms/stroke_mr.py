"""MR perfusion of a stroke by susceptibility: T2*-weighted echo planar images that darken while a bolus passes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.space import Volume
from isocenter.testing.phantoms.bolus_series import as_volume, frame_files
from isocenter.testing.phantoms.patient import Person, Phantom, new, uid
from isocenter.testing.phantoms.perfused_head import scene

__all__ = ["ECHO_MS", "frames", "patient", "volume"]

ECHO_MS = 30.0
_SIGNAL = np.array([0.0, 120.0, 30.0, 1500.0, 820.0, 720.0, 780.0, 760.0, 640.0, 640.0], np.float32)
_PEAK_PER_S = 60.0  # change of R2* in undiluted arterial blood


def frames(
    *,
    seed: int = 1,
    size: int = 128,
    slices: int = 16,
    step_mm: float = 5.0,
    times_s: Sequence[float] = tuple(np.arange(45) * 1.4),
    noise: float = 8.0,
    **head: Any,
) -> tuple[npt.NDArray[np.uint16], tuple[npt.NDArray[Any], ...], dict[str, Any]]:
    """(frames, slices, rows, columns) signal, coordinates (z, y, x) in millimetres, and the truth.

    Args:
        seed: decides the noise.
        size: rows and columns of a field of view of 220 mm.
        noise: standard deviation in each of the two channels.
        head: passed on to the head: stroke, shape, start_s, core_part.
    """
    rng = np.random.default_rng([seed, 10])
    across = (np.arange(size) - (size - 1) / 2) * (220.0 / size)
    height = (np.arange(slices) - (slices - 1) / 2) * step_mm
    times = np.asarray(times_s, np.float64)
    seen = scene(times, (height, across, across), **head)
    out = np.empty((len(times), slices, size, size), np.uint16)
    for n in range(len(times)):
        fade = np.exp(-ECHO_MS / 1000.0 * _PEAK_PER_S * seen.curves[:, n])
        clean = (_SIGNAL * fade.astype(np.float32))[seen.labels]
        clean += seen.edges.astype(np.float32) * (np.float32(30.0) - clean)
        real = clean + np.float32(noise) * rng.standard_normal(clean.shape, dtype=np.float32)
        out[n] = np.round(np.hypot(real, np.float32(noise) * rng.standard_normal(clean.shape, dtype=np.float32)))
    return out, (height, across, across), dict(seen.truth)


def volume(**made: Any) -> tuple[Volume, dict[str, Any]]:
    """The same as a Volume, without files; arguments as for `frames`."""
    array, axes, truth = frames(**made)
    times = made.get("times_s", np.arange(45) * 1.4)
    facts = {"Modality": "MR", "EchoTime": ECHO_MS}
    return as_volume(array.astype(np.float32), axes, times, facts, 2), truth


def patient(
    *,
    seed: int = 1,
    person: Person | None = None,
    at: datetime = datetime(2026, 3, 2, 4, 5),
    **made: Any,
) -> Phantom:
    """An adult with an occluded left middle cerebral artery: one DSC series, a file for each slice and frame.

    Args:
        seed: decides noise and every UID.
        made: as for `frames`.
    """
    who = person or Person(f"ISO-DEMO-STROKE-{seed}", "PHANTOM^STROKE", "M", "19540321", 1.76, 80.0)
    array, axes, truth = frames(seed=seed, **made)
    times = made.get("times_s", tuple(np.arange(45) * 1.4))
    ds = new(
        "stroke_mr", who, seed=seed, sop_class="1.2.840.10008.5.1.4.1.1.4", modality="MR", study="Stroke MR",
        series="DSC perfusion", at=at, series_number=8, body_part="BRAIN",
    )  # fmt: skip
    ds.ImageType = ["ORIGINAL", "PRIMARY", "PERFUSION", "NONE"]
    ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions, ds.MRAcquisitionType = ["EP", "GR"], "SK", "", "2D"
    ds.RepetitionTime, ds.EchoTime, ds.FlipAngle, ds.EchoTrainLength = 1400, ECHO_MS, 70, 64
    ds.MagneticFieldStrength, ds.PatientPosition, ds.ContrastBolusAgent = 3, "HFS", "Gadobutrol"
    ds.FrameOfReferenceUID = uid("stroke_mr", seed, "frame")
    ds.WindowCenter, ds.WindowWidth = 600, 1200
    ds.AcquisitionNumber, ds.NumberOfTemporalPositions = 1, len(times)
    stored = np.minimum(array, 4095).astype(np.uint16)
    files = frame_files(ds, stored, axes, times, at, lambda n: {"TemporalPositionIdentifier": n + 1})
    truth |= {"study_uid": str(ds.StudyInstanceUID), "series_uid": str(ds.SeriesInstanceUID)}
    return Phantom("MR perfusion of a stroke", tuple(files), truth)
