"""A gated chest CT without contrast whose coronary calcium is known pixel by pixel.

Lungs, a heart in its fat, liver, ribs, sternum and spine, a descending aorta with calcium in its wall (which must not
count) and plaques in the four coronary arteries. Plaques are whole pixels, so that the truth can be counted from the
stored image by the definition itself.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.testing.phantoms.patient import Person, Phantom, new, put_pixels, uid, written
from isocenter.testing.phantoms.structures import Outline, structure_set

__all__ = ["PLAQUES", "patient"]

_N, _MM, _SLICES = 320, 1.0, 40
_HEART = (22.0, -28.0)  # left of and in front of the middle, mm

Array = npt.NDArray[np.float32]

PLAQUES: dict[str, tuple[tuple[int, int, int, int, int, int, float], ...]] = {
    # slice, row, column of the first pixel; slices, rows, columns; HU
    "LM": ((24, 130, 178, 1, 2, 2, 260.0),),
    "LAD": ((21, 105, 196, 2, 3, 3, 450.0), (17, 95, 208, 1, 2, 3, 350.0)),
    "LCX": ((20, 150, 214, 1, 2, 2, 180.0),),
    "RCA": ((19, 112, 148, 2, 2, 4, 520.0),),
}
"""Plaques of each coronary artery: left main, left anterior descending, left circumflex, right."""


def _chest(rng: np.random.Generator) -> Array:
    line = ((np.arange(_N) - (_N - 1) / 2) * _MM).astype(np.float32)
    y, x = line[:, None], line[None, :]

    def egg(cx: float, cy: float, a: float, b: float) -> npt.NDArray[np.bool_]:
        return np.asarray(((x - cx) / a) ** 2 + ((y - cy) / b) ** 2 <= 1.0)

    made = np.empty((_SLICES, _N, _N), np.float32)
    body, muscle, cavity = egg(0, 0, 154, 112), egg(0, 0, 142, 101), egg(0, 3, 128, 86)
    spine, canal, aorta = egg(0, 74, 19, 17), egg(0, 84, 7, 7), egg(24, 55, 12, 12)
    for k in range(_SLICES):
        z = (k - (_SLICES - 1) / 2) * 3.0  # to the head
        image = np.full((_N, _N), -1000.0, np.float32)
        image[body], image[muscle] = -95.0, 45.0
        for turn in np.linspace(0.15, np.pi - 0.15, 7):
            for side in (-1, 1):
                image[egg(side * 134 * np.sin(turn), -93 * np.cos(turn + 0.05 * ((k // 4) % 3)), 5, 5)] = 380.0
        image[cavity] = -830.0
        image[cavity & (np.abs(x) < 34) & (y > -60)] = 38.0  # mediastinum
        shrink = np.sqrt(max(0.0, 1 - (z / 62.0) ** 2))
        if shrink > 0.1:
            image[cavity & egg(*_HEART, 74 * shrink + 6, 56 * shrink + 6)] = -85.0  # fat around the heart
            image[cavity & egg(*_HEART, 66 * shrink, 48 * shrink)] = 42.0
        if z < -30:
            image[cavity & egg(-60, 0, 90 * min(1.0, (-30 - z) / 25), 80 * min(1.0, (-30 - z) / 25))] = 58.0
        image[egg(-2, -92, 18, 6)] = 290.0  # sternum
        image[spine], image[egg(0, 74, 16, 14)], image[canal] = 430.0, 190.0, 30.0
        image[aorta] = 40.0
        if k in (12, 13, 14):
            image[aorta & ~egg(24, 55, 10, 10) & (x > 30)] = 600.0
        made[k] = image
    made += rng.normal(0, 11.0, made.shape).astype(np.float32)
    return made


def counted(image: npt.NDArray[Any], plaques: tuple[tuple[int, int, int, int, int, int, float], ...]) -> float:
    """Agatston's sum over whole plaques, from their stored pixels: area times the weight of the peak, each slice."""
    total = 0.0
    for k, row, column, slices, rows, columns, _ in plaques:
        for one in range(k, k + slices):
            peak = float(image[one, row : row + rows, column : column + columns].max())
            total += rows * columns * _MM * _MM * min(4, int(peak // 100))
    return total


def patient(
    *,
    seed: int = 1,
    plaques: dict[str, tuple[tuple[int, int, int, int, int, int, float], ...]] | None = None,
    vessels: bool = False,
    person: Person | None = None,
    at: datetime = datetime(2026, 3, 2, 12, 20),
    **header: Any,
) -> Phantom:
    """An adult with a calcium-scoring CT: 40 slices of 3 mm.

    Args:
        seed: decides noise and every UID.
        plaques: calcium by vessel; by default `PLAQUES`; an empty dictionary for none.
        vessels: whether a structure set outlines the four arteries.
        header: DICOM keywords that replace those of a proper scan, to make a scan that must be declined.

    `truth["agatston"]` is the score by area (slices of 3 mm: the same by spacing); ``agatston_of`` by vessel.
    """
    rng = np.random.default_rng([seed, 11])
    who = person or Person(f"ISO-DEMO-CALCIUM-{seed}", "PHANTOM^CORONARY", "M", "19640911", 1.76, 84.0)
    planted = PLAQUES if plaques is None else plaques
    made = _chest(rng)
    for parts in planted.values():
        for k, row, column, slices, rows, columns, hu in parts:
            shape = (slices, rows, columns)
            near = slice(k, k + slices), slice(row - 2, row + rows + 2), slice(column - 2, column + columns + 2)
            made[near] = np.minimum(made[near], 60.0)
            made[k : k + slices, row : row + rows, column : column + columns] = hu + rng.uniform(-8, 8, shape)
    stored = np.round(made + 1024).clip(0, 4095).astype(np.int16)
    ds = new(
        "coronary", who, seed=seed, sop_class="1.2.840.10008.5.1.4.1.1.2", modality="CT", study="Calcium score",
        series="CaScore 3.0 Qr36", at=at, series_number=2, body_part="HEART",
    )  # fmt: skip
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.KVP, ds.ConvolutionKernel, ds.SliceThickness, ds.SpacingBetweenSlices = 120, "Qr36d", 3.0, 3.0
    ds.ScanOptions, ds.HeartRate, ds.PatientPosition = ["CARDIAC", "SEQ"], 62, "HFS"
    ds.ProtocolName = "CaScore"
    ds.FrameOfReferenceUID = uid("coronary", seed, "frame")
    ds.ImageOrientationPatient, ds.PixelSpacing = [1, 0, 0, 0, 1, 0], [_MM, _MM]
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = -1024, 1, "HU"
    ds.WindowCenter, ds.WindowWidth = 40, 400
    for keyword, value in header.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    files, uids = [], []
    edge = -(_N - 1) / 2 * _MM
    for k in range(_SLICES):
        ds.ImagePositionPatient = [edge, edge, (k - (_SLICES - 1) / 2) * 3.0]
        ds.SliceLocation = (k - (_SLICES - 1) / 2) * 3.0
        put_pixels(ds, stored[k])
        files.append(written(ds, k + 1))
        uids.append(str(ds.SOPInstanceUID))
    truth: dict[str, Any] = {
        "study_uid": str(ds.StudyInstanceUID), "series_uid": str(ds.SeriesInstanceUID),
        "agatston_of": {name: counted(stored - 1024, parts) for name, parts in planted.items()},
    }  # fmt: skip
    truth["agatston"] = sum(truth["agatston_of"].values())
    if vessels:
        outlines = {name: _around(parts, uids, edge) for name, parts in PLAQUES.items()}
        files.append(structure_set("coronary", who, ds, outlines, seed=seed, at=at, label="CORONARIES"))
    return Phantom("calcium-scoring CT", tuple(files), truth)


def _around(
    parts: tuple[tuple[int, int, int, int, int, int, float], ...], uids: list[str], edge: float
) -> list[Outline]:
    """Rectangles three pixels outside each plaque, on the slices where it lies."""
    lines = []
    for k, row, column, slices, rows, columns, _ in parts:
        for one in range(k, k + slices):
            left, right = edge + (column - 3.5) * _MM, edge + (column + columns + 2.5) * _MM
            front, back = edge + (row - 3.5) * _MM, edge + (row + rows + 2.5) * _MM
            z = (one - (_SLICES - 1) / 2) * 3.0
            corners = [(left, front, z), (right, front, z), (right, back, z), (left, back, z)]
            lines.append((np.array(corners, dtype=np.float64), uids[one]))
    return lines
