"""A CT of the liver after contrast with a person's outlines: liver, a tumour, what a resection would leave, and a fork
of vessels of known length inside.

Every section of the liver is an ellipse that narrows towards both ends, so that its volume is known; the outlines are
written as a structure set. Truth is counted from what was painted.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.testing.phantoms.patient import Person, Phantom, new, put_pixels, uid, written
from isocenter.testing.phantoms.structures import structure_set

__all__ = ["patient"]

_SIZE = 96
_LIVER_HU, _VESSEL_HU, _TUMOUR_HU = 105.0, 190.0, 70.0
Corners = npt.NDArray[np.floating[Any]]


def _round(centre: tuple[float, float], half: tuple[float, float], until_x: float = np.inf) -> Corners:
    """(n, 2) corners (x, y) of an ellipse, cut off straight at some x."""
    first = float(np.arccos(np.clip((until_x - centre[0]) / half[0], -1.0, 1.0)))
    angle = np.linspace(first, 2 * np.pi - first, 90, endpoint=first > 0)
    return np.stack([centre[0] + half[0] * np.cos(angle), centre[1] + half[1] * np.sin(angle)], axis=1)


def _within(corners: Corners, x: Corners, y: Corners) -> npt.NDArray[np.bool_]:
    """Pixel centres inside of a convex outline, corner by corner."""
    inside = np.ones(np.broadcast_shapes(x.shape, y.shape), bool)
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if not np.allclose(a, b):
            inside &= (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0]) >= 0
    return inside


def patient(
    *,
    seed: int = 1,
    person: Person | None = None,
    at: datetime = datetime(2026, 3, 4, 8, 50),
    slices: int = 40,
    thick_mm: float = 1.5,
    mm: float = 1.0,
    agent: str = "Iomeprol",
    noise: float = 6.0,
) -> Phantom:
    """An adult with a portal venous CT of the liver and a structure set: Liver, Tumour 1, FLR.

    Args:
        slices, thick_mm, mm: of the images; the liver fills four fifths of them, so that they decide its size.
        agent: contrast agent in the header; empty for none.
        noise: standard deviation, HU.
    """
    who = person or Person(f"ISO-DEMO-LIVERCT-{seed}", "PHANTOM^HEPAR", "M", "19660921", 1.80, 80.0)
    line = (np.arange(_SIZE) - (_SIZE - 1) / 2) * mm
    x, y = line[None, :], line[:, None]
    heights = (np.arange(slices) - (slices - 1) / 2) * thick_mm
    half_mm = 0.42 * _SIZE * mm
    rng = np.random.default_rng([seed, 41])
    image = np.full((slices, _SIZE, _SIZE), 60.0)
    painted = {name: np.zeros(image.shape, bool) for name in ("Liver", "Tumour 1", "FLR")}
    drawn: dict[str, list[tuple[int, Corners]]] = {name: [] for name in painted}
    for k, z in enumerate(heights):
        share = 1.0 - (z / (0.45 * slices * thick_mm)) ** 2
        if share <= 0.05:
            continue
        half = (half_mm * share**0.5, 0.85 * half_mm * share**0.5)
        lines = {"Liver": _round((0.0, 0.0), half)}
        if half[0] > 0.3 * half_mm:
            lines["FLR"] = _round((0.0, 0.0), half, until_x=-0.25 * half_mm)
        grown = 1.0 - (z / (0.12 * slices * thick_mm)) ** 2
        if grown > 0.05:
            size = 0.25 * half_mm * grown**0.5
            lines["Tumour 1"] = _round((0.55 * half_mm, -0.3 * half_mm), (size, size))
        for name, corners in lines.items():
            painted[name][k] = _within(corners, x, y)
            drawn[name].append((k, corners))
    image[painted["Liver"]] = _LIVER_HU
    image[painted["Tumour 1"]] = _TUMOUR_HU
    ends = [
        ((0.0, -0.75, 0.0), (0.0, 0.0, 0.0)),
        ((0.0, 0.0, 0.0), (-0.5, 0.5, 0.0)),
        ((0.0, 0.0, 0.0), (0.5, 0.5, 0.0)),
    ]
    place = np.stack(np.broadcast_arrays(x[None], y[None], heights[:, None, None]), axis=-1)
    length = 0.0
    for first, last in ends:
        a, b = half_mm * np.array(first), half_mm * np.array(last)
        along = np.clip(((place - a) @ (b - a)) / ((b - a) @ (b - a)), 0, 1)
        near = np.linalg.norm(place - a - along[..., None] * (b - a), axis=-1) <= 3.0
        image[near & painted["Liver"]] = _VESSEL_HU
        length += float(np.linalg.norm(b - a))
    image += rng.normal(0.0, noise, image.shape)
    ds, files, uids = _images(who, seed, at, image, heights, line[0], mm, thick_mm, agent)
    outlines = {
        name: [(np.column_stack([corners, np.full(len(corners), heights[k])]), uids[k]) for k, corners in lines_of]
        for name, lines_of in drawn.items()
    }
    files.append(structure_set("liver_ct", who, ds, outlines, seed=seed, at=at))
    ml = mm * mm * thick_mm / 1000.0
    truth = {
        "study_uid": str(ds.StudyInstanceUID), "vessel_mm": length,
        **{f"{name.split()[0].lower()}_ml": float(mask.sum()) * ml for name, mask in painted.items()},
    }  # fmt: skip
    return Phantom("liver after contrast with outlines", tuple(files), truth)


def _images(
    who: Person, seed: int, at: datetime, image: Corners, heights: Corners,
    edge: float, mm: float, thick_mm: float, agent: str,
) -> tuple[Any, list[bytes], list[str]]:  # fmt: skip
    ds = new(
        "liver_ct", who, seed=seed, sop_class="1.2.840.10008.5.1.4.1.1.2", modality="CT", study="Liver CT",
        series="Portal venous", at=at, series_number=3, body_part="LIVER",
    )  # fmt: skip
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.KVP, ds.ConvolutionKernel, ds.SliceThickness, ds.PatientPosition = 120, "Br36d", thick_mm, "HFS"
    ds.ContrastBolusAgent = agent
    ds.FrameOfReferenceUID = uid("liver_ct", seed, "frame")
    ds.ImageOrientationPatient, ds.PixelSpacing = [1, 0, 0, 0, 1, 0], [mm, mm]
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = -1024, 1, "HU"
    ds.WindowCenter, ds.WindowWidth = 100, 250
    files, uids = [], []
    for k, z in enumerate(heights):
        ds.ImagePositionPatient = [float(edge), float(edge), float(z)]
        put_pixels(ds, (np.round(image[k]).astype(np.int32) + 1024).astype(np.uint16), bits=12)
        files.append(written(ds, k + 1))
        uids.append(str(ds.SOPInstanceUID))
    return ds, files, uids
