"""CT perfusion of a stroke: a slab of the head, imaged every second or two while a bolus passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.space import Volume
from isocenter.testing.phantoms.bolus_series import as_volume, frame_files
from isocenter.testing.phantoms.patient import Person, Phantom, new, uid
from isocenter.testing.phantoms.perfused_head import Pose, scene

__all__ = ["frames", "patient", "volume"]

_STATIC_HU = np.array([-1000.0, 20.0, 40.0, 6.0, 38.0, 31.0, 36.0, 34.0, 44.0, 48.0], np.float32)
_BONE_HU, _PEAK_HU = 1000.0, 280.0


def frames(
    *,
    seed: int = 1,
    size: int = 128,
    slices: int = 16,
    step_mm: float = 5.0,
    times_s: Sequence[float] = tuple(np.arange(40) * 1.5),
    noise_hu: float = 3.0,
    poses: Mapping[int, Pose] | None = None,
    **head: Any,
) -> tuple[npt.NDArray[np.int16], tuple[npt.NDArray[Any], ...], dict[str, Any]]:
    """(frames, slices, rows, columns) HU, their coordinates (z, y, x) in millimetres, and the truth.

    Args:
        seed: decides the noise.
        size: rows and columns of a field of view of 220 mm.
        noise_hu: standard deviation in one voxel.
        poses: frames in which the head lay elsewhere.
        head: passed on to the head: stroke, shape, start_s, core_part.
    """
    rng = np.random.default_rng([seed, 9])
    mm = 220.0 / size
    across = (np.arange(size) - (size - 1) / 2) * mm
    height = (np.arange(slices) - (slices - 1) / 2) * step_mm
    axes, times = (height, across, across), np.asarray(times_s, np.float64)
    still = scene(times, axes, **head)
    out = np.empty((len(times), slices, size, size), np.int16)
    for n in range(len(times)):
        here = still if not poses or n not in poses else scene(times, axes, pose=poses[n], **head)
        image = (_STATIC_HU + np.float32(_PEAK_HU) * here.curves[:, n].astype(np.float32))[here.labels]
        image += here.edges.astype(np.float32) * (np.float32(_BONE_HU) - image)
        image += np.float32(noise_hu) * rng.standard_normal(image.shape, dtype=np.float32)
        out[n] = np.round(np.clip(image, -1024, 3071))
    return out, axes, dict(still.truth)


def volume(**made: Any) -> tuple[Volume, dict[str, Any]]:
    """The same as a Volume, without files; arguments as for `frames`."""
    array, axes, truth = frames(**made)
    times = made.get("times_s", np.arange(40) * 1.5)
    facts = {"Modality": "CT", "KVP": 80.0}
    return as_volume(array, axes, times, facts, 1, quantity="attenuation", unit="[hnsf'U]"), truth


def patient(
    *,
    seed: int = 1,
    person: Person | None = None,
    at: datetime = datetime(2026, 3, 2, 3, 15),
    kvp: Sequence[float] = (80.0,),
    **made: Any,
) -> Phantom:
    """An adult with an occluded left middle cerebral artery: one CT perfusion series, a file for each slice and frame.

    Args:
        seed: decides noise and every UID.
        kvp: tube voltage; several go round from frame to frame, as no scanner should.
        made: as for `frames`.
    """
    who = person or Person(f"ISO-DEMO-STROKE-{seed}", "PHANTOM^STROKE", "M", "19540321", 1.76, 80.0)
    array, axes, truth = frames(seed=seed, **made)
    times = made.get("times_s", tuple(np.arange(40) * 1.5))
    ds = new(
        "stroke_ct", who, seed=seed, sop_class="1.2.840.10008.5.1.4.1.1.2", modality="CT", study="Stroke CT",
        series="Perfusion 80 kV", at=at, series_number=5, body_part="HEAD",
    )  # fmt: skip
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.ScanOptions, ds.KVP, ds.ConvolutionKernel, ds.PatientPosition = "DYNAMIC", kvp[0], "H20f", "HFS"
    ds.ContrastBolusAgent = "Iopromide 370"
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = -1024, 1, "HU"
    ds.WindowCenter, ds.WindowWidth = 40, 80
    ds.FrameOfReferenceUID = uid("stroke_ct", seed, "frame")
    stored = (array.astype(np.int32) + 1024).astype(np.uint16)
    files = frame_files(ds, stored, axes, times, at, lambda n: {"AcquisitionNumber": n + 1, "KVP": kvp[n % len(kvp)]})
    truth |= {"study_uid": str(ds.StudyInstanceUID), "series_uid": str(ds.SeriesInstanceUID)}
    return Phantom("CT perfusion of a stroke", tuple(files), truth)
