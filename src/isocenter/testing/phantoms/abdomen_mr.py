"""A breath-hold multi-echo MR of the upper abdomen whose fat, iron and field are known in every voxel.

Subcutaneous fat, muscle, spine with fatty marrow, liver with vessels, spleen, stomach with air beside it. The field is
strongly inhomogeneous (several hundred hertz, steepest at the stomach and under the diaphragm), so that a separation
that looks at voxels alone exchanges fat and water in whole regions. Written as magnitude and phase series, as real and
imaginary parts, or as magnitudes alone.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.testing.phantoms.patient import Person, Phantom, new, put_pixels, uid, written

__all__ = ["ECHOES_MS", "images", "patient"]

ECHOES_MS: dict[float, tuple[float, ...]] = {
    1.5: tuple(round(1.2 + 2.3 * n, 2) for n in range(6)),
    3.0: tuple(round(1.1 + 1.15 * n, 2) for n in range(6)),
}
"""Field strength, T -> echo times of the phantom, ms."""

# The spectrum, written out a second time: the phantom must not share the code that it tests.
_PPM = np.array([-3.80, -3.40, -2.60, -1.94, -0.39, 0.60])
_SHARE = np.array([0.087, 0.693, 0.128, 0.004, 0.039, 0.048])
_FULL = 1000.0


def images(
    *,
    seed: int = 1,
    size: int = 112,
    slices: int = 8,
    pdff: float = 14.0,
    r2_star: float = 60.0,
    field_t: float = 1.5,
    echoes_ms: tuple[float, ...] = (),
    snr: float = 60.0,
    field_scale: float = 1.0,
    alternate_rad: float = 0.0,
    mirrored: bool = False,
    shading: float = 0.0,
) -> tuple[npt.NDArray[np.complex64], dict[str, npt.NDArray[Any]]]:
    """(echoes, slices, rows, columns) complex images and the truth by name: pdff, r2_star, field_hz, liver, vessels.

    Args:
        seed: decides the noise.
        size: columns of a field of view of 400 mm; rows are three quarters of it.
        slices: of 8 mm.
        pdff, r2_star: of the liver, percent and 1/s.
        echoes_ms: by default those of `ECHOES_MS`.
        snr: signal of pure water over the noise of a channel; infinite for none.
        field_scale: 1 for a field of about -180 to 330 Hz.
        alternate_rad: phase of alternate sign along the readout, as bipolar readouts leave it.
        mirrored: phase that turns the other way.
        shading: 0 to 1, how much the coil's sensitivity falls off to one side.
    """
    rows = 3 * size // 4
    mm = 400.0 / size
    y = ((np.arange(rows) - (rows - 1) / 2) * mm)[None, :, None]
    x = ((np.arange(size) - (size - 1) / 2) * mm)[None, None, :]
    z = ((np.arange(slices) - (slices - 1) / 2) * 8.0)[:, None, None]
    shape = (slices, rows, size)

    def egg(cx: float, cy: float, a: float, b: float) -> npt.NDArray[np.bool_]:
        return np.broadcast_to(((x - cx) / a) ** 2 + ((y - cy) / b) ** 2 <= 1.0, shape)

    density = np.zeros(shape)
    fat, decay = np.zeros(shape), np.full(shape, 35.0)
    liver = egg(-62, -12, 82, 68) & ((x + 62) * 0.55 + (y + 12) < 62)

    def fill(where: npt.NDArray[np.bool_], amount: float, percent: float, rate: float) -> None:
        density[where], fat[where], decay[where] = amount, percent, rate

    fill(egg(0, 0, 178, 122), 0.95, 93.0, 40.0)
    fill(egg(0, 2, 156, 102), 0.7, 3.0, 35.0)
    fill(egg(0, 4, 142, 88), 0.8, 82.0, 45.0)  # fat inside the abdomen
    fill(egg(0, 62, 24, 20), 0.75, 42.0, 90.0)  # marrow
    fill(liver, 0.85, pdff, r2_star)
    fill(egg(96, 24, 40, 34), 0.8, 2.0, 28.0)  # spleen
    stomach = egg(62, -40, 34, 26)
    fill(stomach, 0.75, 1.0, 15.0)
    density[stomach & (y < -46)] = 0.0
    vessels = liver & (egg(-40, -8, 6, 6) | egg(-78, -20, 7, 7) | egg(-66, 14, 5, 5))
    fill(vessels, 0.95, 0.0, 12.0)
    field = 150 * np.sin(x / 150 + 0.4) + 110 * y / 120 + 1.1 * z
    field = field + 170 * np.exp(-((x - 62) ** 2 + (y + 60) ** 2) / 1800.0) + 0.004 * (x + 40) ** 2
    field = np.broadcast_to(field_scale * field, shape)
    times = np.array(echoes_ms or ECHOES_MS[field_t]) / 1000.0
    spectrum = np.exp(2j * np.pi * times[:, None] * _PPM * 42.577 * field_t) @ (_SHARE / _SHARE.sum())
    rng = np.random.default_rng([seed, 23])
    own = density * _FULL * np.exp(1j * (0.8 + x / 130 - y / 170)) * (1 - shading * (0.5 + x / 400))
    out = np.empty((len(times), *shape), np.complex64)
    for n, t in enumerate(times):
        made = own * ((100 - fat) + fat * spectrum[n]) / 100 * np.exp((2j * np.pi * field - decay) * t)
        made *= np.exp(1j * alternate_rad * (-1) ** n * (1 + x / 100))
        if np.isfinite(snr):
            made += _FULL / snr * (rng.standard_normal(shape) + 1j * rng.standard_normal(shape))
        out[n] = made.conj() if mirrored else made
    truth = {"pdff": fat, "r2_star": decay, "field_hz": field, "liver": liver & ~vessels, "vessels": vessels}
    ring = egg(0, 0, 178, 122) & ~egg(0, 2, 156, 102)
    return out, {
        **truth, "body": density > 0, "density": density, "subcutaneous": ring,
        "visceral": egg(0, 4, 142, 88) & (fat == 82.0),
    }  # fmt: skip


def _dixon(truth: dict[str, npt.NDArray[Any]], seed: int) -> dict[str, npt.NDArray[Any]]:
    """Fat and water images with the noise of a magnitude."""
    rng = np.random.default_rng([seed, 29])
    share, whole = truth["pdff"] / 100.0, truth["density"] * _FULL
    parts = {"F": share * whole, "W": (1.0 - share) * whole}
    return {n: np.abs(v + _FULL / 80.0 * rng.standard_normal(v.shape)) for n, v in parts.items()}


def patient(
    *,
    seed: int = 1,
    kind: str = "magnitude and phase",
    person: Person | None = None,
    at: datetime = datetime(2026, 3, 2, 9, 40),
    field_t: float = 1.5,
    header: dict[str, Any] | None = None,
    **made: Any,
) -> Phantom:
    """An adult with a multi-echo gradient echo of the liver in one breath-hold.

    Args:
        kind: ``"magnitude and phase"`` (two series), ``"real and imaginary"`` (one series), ``"magnitude"``,
            ``"fat and water"`` (two series, as a scanner that separates them itself).
        header: DICOM keywords that replace those of a proper scan.
        made: as for `images`.
    """
    who = person or Person(f"ISO-DEMO-LIVER-{seed}", "PHANTOM^LIVER", "F", "19710618", 1.66, 91.0)
    array, truth = images(seed=seed, field_t=field_t, **made)
    times = made.get("echoes_ms") or ECHOES_MS[field_t]
    size = array.shape[3]
    mm = round(400.0 / size, 6)
    frame = uid("abdomen_mr", seed, "frame")
    phase = np.round(np.angle(array) / np.pi * 4096).clip(-4096, 4094)
    parts: dict[str, tuple[tuple[str, Any, float, float], ...]] = {
        "magnitude and phase": (("M", np.abs(array), 1.0, 0.0), ("P", phase, 2.0, -4096.0)),
        "real and imaginary": (("R", array.real, 1.0, 0.0), ("I", array.imag, 1.0, 0.0)),
        "magnitude": (("M", np.abs(array), 1.0, 0.0),),
        "fat and water": tuple((letter, part[None], 1.0, 0.0) for letter, part in _dixon(truth, seed).items()),
    }
    files, series = [], []
    for number, (letter, values, slope, intercept) in enumerate(parts[kind], 1):
        one_series = kind == "real and imaginary"
        ds = new(
            "abdomen_mr", who, seed=seed, sop_class="1.2.840.10008.5.1.4.1.1.4", modality="MR", study="Liver MR",
            series="Multi-echo liver" if one_series else f"Multi-echo liver {letter}", at=at,
            series_number=4 if one_series else 3 + number, body_part="LIVER",
        )  # fmt: skip
        ds.ImageType = ["ORIGINAL", "PRIMARY", letter, "ND"]
        ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions, ds.MRAcquisitionType = "GR", "SP", "", "3D"
        ds.RepetitionTime, ds.FlipAngle, ds.EchoTrainLength = 15.0, 4.0, len(times)
        ds.MagneticFieldStrength, ds.PatientPosition, ds.SliceThickness = field_t, "HFS", 8.0
        ds.FrameOfReferenceUID, ds.PixelSpacing = frame, [mm, mm]
        ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = slope, intercept, "US"
        ds.WindowCenter, ds.WindowWidth = 500, 1000
        for keyword, value in (header or {}).items():
            setattr(ds, keyword, value)
        stored = np.round((values - intercept) / slope)
        signed = letter in "RI"
        for n, echo in enumerate(times[: len(stored)]):
            ds.EchoTime, ds.EchoNumbers = float(echo), n + 1
            for k in range(array.shape[1]):
                top = -(array.shape[2] - 1) / 2 * mm
                place = [-(size - 1) / 2 * mm, top, (k - (array.shape[1] - 1) / 2) * 8.0]
                ds.ImagePositionPatient = [round(float(v), 4) for v in place]
                put_pixels(ds, stored[n, k].astype(np.int16 if signed else np.uint16))
                at_once = (number - 1) * len(times) * array.shape[1] if one_series else 0
                files.append(written(ds, at_once + n * array.shape[1] + k + 1))
        series.append(str(ds.SeriesInstanceUID))
    inside, ml = truth["liver"], mm * mm * 8.0 / 1000.0
    told = {
        "visceral_ml": float((truth["pdff"] / 100.0)[truth["visceral"]].sum()) * ml,
        "subcutaneous_ml": float((truth["pdff"] / 100.0)[truth["subcutaneous"]].sum()) * ml,
        "fat_ml": float((truth["pdff"] / 100.0)[truth["body"]].sum()) * ml,
        "study_uid": str(ds.StudyInstanceUID), "series_uids": series,
        "pdff_percent": float(truth["pdff"][inside].mean()), "r2_star_per_s": float(truth["r2_star"][inside].mean()),
        "liver_ml": float(inside.sum()) * mm * mm * 8.0 / 1000.0,
    }  # fmt: skip
    return Phantom("liver with fat and iron", tuple(files), told)
