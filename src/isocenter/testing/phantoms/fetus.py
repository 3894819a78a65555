"""A B-mode ultrasound of a fetal head: an ellipse of known size in speckle, with pixels that are not square."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from isocenter.testing.phantoms.patient import Person, Phantom, new, put_pixels, uid, written

__all__ = ["DYNAMIC_RANGE_DB", "patient"]

_ROWS, _COLUMNS = 440, 560
_DOWN_MM, _ACROSS_MM = 0.32, 0.28
_LEFT, _TOP = 40, 20  # first calibrated pixel; beside it there is only text
DYNAMIC_RANGE_DB = 70.0
"""Log compression of the picture."""


def patient(
    *,
    seed: int = 1,
    long_mm: float = 96.0,
    short_mm: float = 75.0,
    tilt_deg: float = 20.0,
    calibrated: bool = True,
    person: Person | None = None,
    at: datetime = datetime(2026, 3, 2, 14, 10),
) -> Phantom:
    """One image (US) of a head whose outer border is an ellipse.

    Args:
        seed: decides speckle and every UID.
        long_mm, short_mm, tilt_deg: axes of the ellipse and how it lies.
        calibrated: whether the file says how long a pixel is.

    `truth` holds the circumference ``hc_mm`` (by the complete elliptic integral), ``bpd_mm`` and the head's ``mask``.
    """
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence
    from scipy.ndimage import gaussian_filter
    from scipy.special import ellipe

    rng = np.random.default_rng([seed, 9])
    who = person or Person(f"ISO-DEMO-FETUS-{seed}", "PHANTOM^FETUS", "F", "19940311", 1.68, 70.0)
    row, column = np.indices((_ROWS, _COLUMNS))
    x, y = (column - 300) * _ACROSS_MM, (row - 225) * _DOWN_MM
    turn = np.deg2rad(tilt_deg)
    u, v = x * np.cos(turn) + y * np.sin(turn), -x * np.sin(turn) + y * np.cos(turn)
    a, b = long_mm / 2, short_mm / 2
    inside = (u / a) ** 2 + (v / b) ** 2 <= 1.0
    inner = (u / (a - 2.5)) ** 2 + (v / (b - 2.5)) ** 2 <= 1.0
    strength = np.where(inner, 0.35, np.where(inside, 9.0, 0.8))
    strength = np.where(inner & (np.abs(v) < 0.6), 2.0, strength)  # the midline
    scatter = rng.standard_normal(x.shape) + 1j * rng.standard_normal(x.shape)
    field = scatter * strength
    echo = np.abs(gaussian_filter(field.real, (0.9, 1.4)) + 1j * gaussian_filter(field.imag, (0.9, 1.4)))
    decibel = 20 * np.log10(np.maximum(echo / np.percentile(echo, 99.9), 1e-5))
    grey = np.clip((decibel + DYNAMIC_RANGE_DB) / DYNAMIC_RANGE_DB, 0, 1) * 255
    pixels = np.where((column >= _LEFT) & (row >= _TOP), grey, 0).astype(np.uint8)

    ds = new(
        "fetus", who, seed=seed, sop_class="1.2.840.10008.5.1.4.1.1.6.1", modality="US",
        study="Obstetric ultrasound", series="Fetal head", at=at, body_part="FETUS",
    )  # fmt: skip
    ds.ImageType = ["ORIGINAL", "PRIMARY", "OB", "0001"]
    ds.PatientOrientation, ds.LossyImageCompression = "", "00"
    ds.Laterality = ""  # a fetus has no side, but no table says that of it
    ds.FrameOfReferenceUID = uid("fetus", seed, "frame")
    ds.TransducerType, ds.BurnedInAnnotation = "CURVED LINEAR", "NO"
    if calibrated:
        region = Dataset()
        region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
        region.RegionLocationMinX0, region.RegionLocationMinY0 = _LEFT, _TOP
        region.RegionLocationMaxX1, region.RegionLocationMaxY1 = _COLUMNS - 1, _ROWS - 1
        region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3  # cm
        region.PhysicalDeltaX, region.PhysicalDeltaY = _ACROSS_MM / 10, _DOWN_MM / 10
        ds.SequenceOfUltrasoundRegions = Sequence([region])
    ds.WindowCenter, ds.WindowWidth = 127, 255
    put_pixels(ds, pixels, bits=8)
    return Phantom(
        "ultrasound of a fetal head",
        (written(ds, 1),),
        {
            "study_uid": str(ds.StudyInstanceUID),
            "series_uid": str(ds.SeriesInstanceUID),
            "hc_mm": float(4 * a * ellipe(1 - (b / a) ** 2)),
            "bpd_mm": short_mm,
            "mask": inside,
        },
    )
