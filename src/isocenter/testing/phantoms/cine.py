"""A short-axis cine of a beating heart whose volumes are known in closed form.

The left ventricle is half an ellipsoid, cut at the base, whose cavity shrinks towards the end of systole while the
muscle keeps its volume; ten parallel slices and twenty phases are stored one by one, as older scanners send them,
with Trigger Time. `truth` holds what disk summation over the stored slices must give.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.testing.phantoms.patient import Person, Phantom, later, new, put_pixels, uid, written

__all__ = ["patient"]

_N, _MM = 160, 1.75
_GAP_MM, _THICK_MM = 10.0, 8.0
_RR_MS = 900.0

Array = npt.NDArray[np.float32]


def _contraction(phases: int) -> npt.NDArray[np.float64]:
    """0 at end-diastole, 1 at end-systole: quick ejection, early filling, a late atrial kick."""
    t = np.arange(phases) / phases
    known = np.array([0, 0.06, 0.18, 0.30, 0.36, 0.42, 0.52, 0.62, 0.80, 0.88, 1.0])
    value = np.array([0, 0.12, 0.66, 0.96, 1.0, 0.93, 0.52, 0.27, 0.20, 0.08, 0.0])
    shape: npt.NDArray[np.float64] = np.interp(t, known, value)
    return shape


def _radius(level: npt.NDArray[Any], base_mm: float) -> npt.NDArray[np.float64]:
    """Cavity radius at a level: 0 at the base, 1 at the apex of the cavity."""
    shape: npt.NDArray[np.float64] = base_mm * np.sqrt(np.maximum(1 - np.clip(level, 0, None) ** 2, 0)) * (level < 1)
    return shape


def patient(
    *,
    seed: int = 1,
    slices: int = 10,
    phases: int = 20,
    edv_ml: float = 145.0,
    ef_percent: float = 52.0,
    person: Person | None = None,
    at: datetime = datetime(2026, 3, 2, 11, 40),
) -> Phantom:
    """An adult with a short-axis stack (MR, `slices` × `phases` images).

    Args:
        seed: decides texture, noise, orientation and every UID.
        edv_ml, ef_percent: volume of the cavity at end-diastole by disk summation over the slices, and the part of
            it that is ejected.
        slices, phases: size of the stack.
    """
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng([seed, 4])
    who = person or Person(f"ISO-DEMO-HEART-{seed}", "PHANTOM^HEART", "M", "19720830", 1.79, 82.0)
    across = ((np.arange(_N) - (_N - 1) / 2) * _MM).astype(np.float32)
    y, x = across[:, None], across[None, :]
    levels = (np.arange(slices) - 0.5) / (slices - 1.2)  # the first slice lies just above the base
    squeeze = _contraction(phases)
    disks = np.pi * _radius(levels, 1.0) ** 2 * _GAP_MM / 1000
    base_ed = float(np.sqrt(edv_ml / disks.sum()))
    wall_ed = 8.5
    muscle = np.pi * ((_radius(levels, base_ed) + wall_ed) ** 2 - _radius(levels, base_ed) ** 2)
    volumes = edv_ml * (1 - squeeze * ef_percent / 100)

    def soft(inside: npt.NDArray[Any]) -> Array:
        return np.asarray(np.clip(inside / _MM + 0.5, 0, 1), np.float32)

    def egg(cx: float, cy: float, a: float, b: float, turn: float = 0.0) -> Array:
        c, s = np.cos(turn), np.sin(turn)
        u, v = (x - cx) * c + (y - cy) * s, -(x - cx) * s + (y - cy) * c
        return soft((1 - np.sqrt((u / a) ** 2 + (v / b) ** 2)) * min(a, b))

    shade = 1 + 0.25 * gaussian_filter(rng.standard_normal((_N, _N)), 40) * 40 - 0.0012 * (y + x)
    grain = gaussian_filter(rng.standard_normal((_N, _N)).astype(np.float32), 1.2)
    grain = np.asarray(grain / grain.std(), np.float32)
    body = egg(18, 6, 128, 100)
    inner = egg(18, 2, 112, 82)
    still = body * (520 + 40 * grain)  # fat under the skin is bright
    still += egg(18, 4, 119, 90) * (190 - still)  # muscle of the wall
    still += inner * (38 + 8 * grain - still)  # lung
    still += egg(56, 66, 9, 9) * (430 - still)  # descending aorta
    still += egg(8, 78, 15, 13) * (150 + 10 * grain - still)  # spine
    still += soft(y - 52 + 0.30 * (x + 60)) * inner * egg(-70, 70, 74, 44) * (165 + 12 * grain - still)  # liver

    # An oblique plane as at the scanner: the normal of the slices points from base to apex (left, front, feet).
    tilt = float(rng.uniform(-4, 4))
    normal = np.array([0.62, -0.52, -0.59 + tilt / 200])
    normal /= np.linalg.norm(normal)
    row = np.cross(normal, [0.0, 0.0, 1.0])
    row = row / np.linalg.norm(row) * (1 if row[0] > 0 else -1)
    column = np.cross(normal, row)
    orientation = [round(float(v), 8) for v in (*row, *column)]
    centre = np.array([40.0, -30.0, 20.0])
    ds = new(
        "cine", who, seed=seed, sop_class="1.2.840.10008.5.1.4.1.1.4", modality="MR", study="Cardiac MR",
        series="Cine SAX bSSFP", at=at, series_number=5, body_part="HEART",
    )  # fmt: skip
    ds.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
    ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions, ds.MRAcquisitionType = "GR", "SS", "CG", "2D"
    ds.SequenceName = "bSSFP"
    ds.RepetitionTime, ds.EchoTime, ds.FlipAngle, ds.EchoTrainLength = 3.1, 1.5, 55, 1
    ds.MagneticFieldStrength, ds.PatientPosition = 1.5, "HFS"
    ds.SliceThickness, ds.SpacingBetweenSlices = _THICK_MM, _GAP_MM
    ds.NominalInterval, ds.HeartRate, ds.CardiacNumberOfImages = int(_RR_MS), round(60000 / _RR_MS), phases
    ds.FrameOfReferenceUID = uid("cine", seed, "frame")
    ds.PixelSpacing, ds.ImageOrientationPatient = [_MM, _MM], orientation
    ds.WindowCenter, ds.WindowWidth = 260, 520
    files: list[bytes] = []
    for k, level in enumerate(levels):
        middle = centre + normal * (k - (slices - 1) / 2) * _GAP_MM
        corner = middle + (row + column) * across[0]
        ds.ImagePositionPatient = [round(float(v), 6) for v in corner]
        ds.SliceLocation = round(float(middle @ normal), 4)
        drift = 2.0 * np.array([np.sin(k), np.cos(k)])
        cx, cy = 26.0 + drift[0], -14.0 + drift[1]
        ds.AcquisitionTime = later(at, 8.0 * k).strftime("%H%M%S")
        for phase in range(phases):
            scale = base_ed * np.sqrt(volumes[phase] / edv_ml)
            endo = float(_radius(np.array(level), scale))
            epi = (
                float(np.sqrt(endo**2 + muscle[k] / np.pi))
                if level < 1
                else float(wall_ed * max(0.0, 1.35 - level) * 3)
            )
            right = max(0.15, 1 - 0.9 * level) * (1 - 0.22 * squeeze[phase])
            frame = still.copy()
            frame += egg(cx, cy, epi + 5, epi + 5) * (0.8 * 300 - frame)  # fat around the heart
            frame += egg(cx - 0.9 * epi - 10 * right, cy - 6, 39 * right, 34 * right, 0.4) * (370 + 14 * grain - frame)
            if epi > 0:
                frame += egg(cx, cy, epi, epi) * (118 + 8 * grain - frame)
            if endo > 0:
                frame += egg(cx, cy, endo, endo) * (400 + 16 * grain - frame)
            frame = frame * shade
            noisy = np.hypot(frame + rng.normal(0, 7, frame.shape), rng.normal(0, 7, frame.shape))
            ds.TriggerTime = round(_RR_MS / phases * phase, 3)
            put_pixels(ds, np.clip(noisy, 0, 4095).astype(np.uint16), bits=12)
            files.append(written(ds, k * phases + phase + 1))
    return Phantom(
        "short-axis cine heart",
        tuple(files),
        {
            "study_uid": str(ds.StudyInstanceUID),
            "series_uid": str(ds.SeriesInstanceUID),
            "edv_ml": edv_ml,
            "esv_ml": float(volumes.min()),
            "ef_percent": float(100 * (1 - volumes.min() / edv_ml)),
            "mass_g": float(1.05 * (muscle * (levels < 1)).sum() * _GAP_MM / 1000),
            "volumes_ml": [float(v) for v in volumes],
            "slice_step_mm": _GAP_MM,
            "shape": (phases, slices, _N, _N),
        },
    )
