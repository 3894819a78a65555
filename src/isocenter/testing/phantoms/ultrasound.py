"""A B-mode ultrasound of a cyst in the liver: a curved array's fan, speckle from random scatterers, known diameter."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from isocenter.testing.phantoms.patient import Person, Phantom, new, put_pixels, uid, written

__all__ = ["patient"]

_ROWS, _COLUMNS, _MM = 480, 640, 0.30
_APEX_MM, _HALF_ANGLE, _DEPTH_MM = 40.0, np.deg2rad(34.0), 128.0
_TOP_PIXEL = 24


def patient(
    *,
    seed: int = 1,
    cyst_mm: float = 32.0,
    person: Person | None = None,
    at: datetime = datetime(2026, 3, 2, 15, 5),
) -> Phantom:
    """An adult with one image of the liver that shows a cyst (US, calibrated by a region).

    Args:
        seed: decides speckle and every UID.
        cyst_mm: diameter of the cyst.
    """
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence
    from scipy.ndimage import gaussian_filter, map_coordinates

    rng = np.random.default_rng([seed, 7])
    who = person or Person(f"ISO-DEMO-LIVER-{seed}", "PHANTOM^LIVER", "M", "19550709", 1.74, 77.0)
    # In the coordinates of the beam: depth (0.25 mm) by angle (0.22 degrees).
    depth = np.arange(0, _DEPTH_MM, 0.25)
    angle = np.linspace(-_HALF_ANGLE, _HALF_ANGLE, 310)
    r, a = depth[:, None] + _APEX_MM, angle[None, :]
    x, y = r * np.sin(a), r * np.cos(a) - _APEX_MM
    centre = (float(rng.uniform(-8, 8)), float(rng.uniform(56, 64)))
    away = np.hypot(x - centre[0], y - centre[1])
    inside = away < cyst_mm / 2
    strength = 1.0 + 0.12 * gaussian_filter(rng.standard_normal(x.shape), 14) * 14
    strength = np.where(y < 12, 1.7 + 0.8 * np.sin(y * 2.1), strength)  # layers of the abdominal wall
    strength = np.where((y > 11.3) & (y < 12.6), 4.0, strength)
    for _ in range(9):  # vessels of the liver
        vx, vy, size = rng.uniform(-50, 50), rng.uniform(25, 115), rng.uniform(1.2, 3.6)
        vessel = np.hypot(x - vx, (y - vy) * rng.uniform(0.5, 1.0))
        strength = np.where(vessel < size, 0.12, strength)
        strength = np.where((vessel >= size) & (vessel < size + 0.7), 2.2, strength)
    diaphragm = np.abs(np.hypot(x + 20, y + 10) - 116)
    strength = np.where(diaphragm < 1.2, 7.0, strength)
    strength = np.where(inside, 0.004, strength)
    wall = np.abs(away - cyst_mm / 2 - 0.5) < 0.5
    strength = np.where(wall, 2.6, strength)
    behind = (
        (np.abs(x - centre[0] * r / (centre[1] + _APEX_MM)) < 0.8 * cyst_mm / 2) & (y > centre[1]) & ~inside & ~wall
    )
    gain = gaussian_filter(np.where(behind, 1.75, 1.0), 3)  # fluid absorbs little: brighter behind
    scatter = rng.standard_normal(x.shape) + 1j * rng.standard_normal(x.shape)
    field = scatter * strength * gain
    echo = gaussian_filter(field.real, (1.1, 1.5)) + 1j * gaussian_filter(field.imag, (1.1, 1.5))
    envelope = np.abs(echo) / np.median(np.abs(echo)) + 0.004 * np.abs(rng.standard_normal(x.shape))
    decibel = 20 * np.log10(np.maximum(envelope, 1e-4))
    grey = np.clip((decibel + 38) / 60, 0, 1) * 255
    column = (np.arange(_COLUMNS) - (_COLUMNS - 1) / 2) * _MM
    row = (np.arange(_ROWS) - _TOP_PIXEL) * _MM + _APEX_MM * np.cos(_HALF_ANGLE)
    px, py = column[None, :], row[:, None]
    range_mm, bearing = np.hypot(px, py), np.arctan2(px, py)
    where = [(range_mm - _APEX_MM) / 0.25, (bearing + _HALF_ANGLE) / (2 * _HALF_ANGLE) * (len(angle) - 1)]
    seen = map_coordinates(grey, where, order=1, cval=0.0)
    fan = (np.abs(bearing) < _HALF_ANGLE) & (range_mm > _APEX_MM) & (range_mm < _APEX_MM + _DEPTH_MM - 0.5)
    pixels = np.where(fan, seen, 0).astype(np.uint8)

    ds = new(
        "ultrasound", who, seed=seed, sop_class="1.2.840.10008.5.1.4.1.1.6.1", modality="US",
        study="Abdominal ultrasound", series="Liver", at=at, body_part="LIVER",
    )  # fmt: skip
    ds.ImageType = ["ORIGINAL", "PRIMARY", "ABDOMINAL", "0001"]
    ds.PatientOrientation, ds.LossyImageCompression = "", "00"
    ds.FrameOfReferenceUID = uid("ultrasound", seed, "frame")
    ds.TransducerType, ds.BurnedInAnnotation = "CURVED LINEAR", "NO"
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 0, _TOP_PIXEL
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = _COLUMNS - 1, _ROWS - 1
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3  # cm
    region.PhysicalDeltaX = region.PhysicalDeltaY = _MM / 10
    ds.SequenceOfUltrasoundRegions = Sequence([region])
    ds.WindowCenter, ds.WindowWidth = 127, 255
    put_pixels(ds, pixels, bits=8)
    middle_row = (centre[1] + _APEX_MM - _APEX_MM * np.cos(_HALF_ANGLE)) / _MM + _TOP_PIXEL
    return Phantom(
        "ultrasound of a cyst",
        (written(ds, 1),),
        {
            "study_uid": str(ds.StudyInstanceUID),
            "series_uid": str(ds.SeriesInstanceUID),
            "diameter_mm": cyst_mm,
            "centre_pixel": (float(middle_row), centre[0] / _MM + (_COLUMNS - 1) / 2),
            "mm_per_pixel": _MM,
        },
    )
