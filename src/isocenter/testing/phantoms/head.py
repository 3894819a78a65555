"""A head with a face: skull, folded brain, eyes, nose, chin and neck, as MR of three weightings or as CT.

The head is a function of its own millimetres (x to the left, y to the back, z to the crown), sampled in whatever
direction a scan cuts it. The brain that was put in is known to the voxel, so that it can be asked whether taking a face
out has touched it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.space import Geometry, Volume
from isocenter.testing.phantoms.patient import Person, Phantom, new, put_pixels, uid, written

__all__ = ["KINDS", "patient", "turned", "volume"]

Array = npt.NDArray[Any]

# air, scalp, bone, fluid, grey matter, white matter, muscle, eye
KINDS = {
    "T1": (0.0, 900.0, 90.0, 160.0, 420.0, 620.0, 380.0, 200.0),
    "T2": (0.0, 500.0, 60.0, 1000.0, 560.0, 430.0, 260.0, 950.0),
    "FLAIR": (0.0, 330.0, 30.0, 60.0, 520.0, 420.0, 250.0, 90.0),
    "CT": (-1000.0, -60.0, 1000.0, 8.0, 38.0, 30.0, 55.0, 12.0),
}
_AXES = {"axial": (2, 1, 0), "sagittal": (0, 2, 1), "coronal": (1, 2, 0)}
_CENTRE = (0.0, -12.0, -38.0)
_LENGTHS_MM = (176.0, 252.0, 250.0)  # x, y, z


def volume(
    kind: str = "T1",
    *,
    plane: str = "axial",
    step_mm: float = 2.5,
    pixel_mm: float = 2.0,
    tilt_deg: tuple[float, float, float] = (0.0, 0.0, 0.0),
    at_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
    size: float = 1.0,
    nose_mm: float = 18.0,
    below_mm: float = 160.0,
    seed: int = 1,
) -> tuple[Volume, Array]:
    """A head in an image, and where its brain is.

    Args:
        kind: one of `KINDS`.
        plane: axial, sagittal or coronal slices.
        step_mm, pixel_mm: between slices, between pixels.
        tilt_deg: how the head lies: nodding about x, leaning about y, looking about z.
        at_mm: where it lies.
        size: of the head; 1 is an adult's.
        nose_mm: how far the nose stands out.
        below_mm: how far the images reach below the middle of the brain.
        seed: of folds and noise.
    """
    order = _AXES[plane]
    lengths = list(_LENGTHS_MM)
    top = _CENTRE[2] + lengths[2] / 2
    lengths[2] = top + below_mm
    centre = np.array([_CENTRE[0], _CENTRE[1], top - lengths[2] / 2])
    steps = (step_mm, pixel_mm, pixel_mm)
    shape = tuple(max(1, round(lengths[axis] / mm)) for axis, mm in zip(order, steps, strict=True))
    affine = np.eye(4)
    affine[:3, :3] = 0.0
    for index, (axis, mm) in enumerate(zip(order, steps, strict=True)):
        # Rows of an upright picture run down from the crown.
        affine[axis, index] = -mm if axis == 2 and index else mm
    affine[:3, 3] = centre + np.array(at_mm) - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    grid = Geometry(affine, (shape[0], shape[1], shape[2]))
    i, j, k = (
        np.arange(n, dtype=np.float32).reshape([-1 if a == d else 1 for a in range(3)]) for d, n in enumerate(shape)
    )
    turn = (turned(tilt_deg) / size).astype(np.float32)
    inner = turn @ affine[:3, :3].astype(np.float32)
    start = turn @ (affine[:3, 3] - np.array(at_mm)).astype(np.float32)
    points = tuple(inner[n, 0] * i + inner[n, 1] * j + inner[n, 2] * k + start[n] for n in range(3))
    image, brain = _head(points, KINDS[kind], nose_mm, np.random.default_rng([seed, 7]))
    rng = np.random.default_rng([seed, 8])
    noise = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(14.0 if kind == "CT" else 12.0)
    made = image + noise if kind == "CT" else np.abs(image + noise)
    quantity, unit = ("attenuation", "[hnsf'U]") if kind == "CT" else ("intensity", "{arbitrary}")
    return Volume(np.asarray(made, np.float32), grid, quantity, unit), brain


def turned(tilt_deg: tuple[float, float, float]) -> npt.NDArray[np.float64]:
    """From patient millimetres to the head's own."""
    found = np.eye(3)
    for axis, degrees in enumerate(tilt_deg):
        a, b = [n for n in range(3) if n != axis]
        c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
        one = np.eye(3)
        one[a, a] = one[b, b] = c
        one[a, b], one[b, a] = -s, s
        found = one @ found
    return found.T


def _egg(p: tuple[Array, ...], centre: tuple[float, ...], half: tuple[float, ...]) -> Array:
    """Depth within an ellipsoid, about in millimetres."""
    squares = [((a - np.float32(c)) / np.float32(h)) ** 2 for a, c, h in zip(p, centre, half, strict=True)]
    return np.asarray((1 - np.sqrt(squares[0] + squares[1] + squares[2])) * np.float32(min(half)), np.float32)


def _head(
    p: tuple[Array, ...], signal: tuple[float, ...], nose_mm: float, rng: np.random.Generator
) -> tuple[Array, Array]:
    air, scalp, bone, fluid, grey, white, muscle, eye = (np.float32(v) for v in signal)
    x, _, z = p
    image = np.full(np.broadcast_shapes(*(a.shape for a in p)), air, np.float32)

    def paint(depth: Array, value: Any) -> None:
        part = np.clip(depth + 0.5, 0, 1)
        image[...] += part * (value - image)

    neck = np.minimum(52 - np.hypot(x, p[1] - 22), -50 - z)
    for soft, value in ((0.0, scalp), (5.0, muscle)):
        paint(neck - soft, value)
        paint(_egg(p, (0, -52, -72), (62 - soft, 48 - soft, 62 - soft)), value)
        paint(_egg(p, (0, -72, -112), (38 - soft, 30 - soft, 24 - soft)), value)
    paint(_egg(p, (0, -97 - nose_mm / 2, -52), (13, nose_mm, 24)), scalp)
    paint(_egg(p, (0, -95 - nose_mm / 2, -54), (9, nose_mm - 4, 19)), muscle)
    paint(_egg(p, (0, -70, -110), (30, 22, 12)), bone)
    for side in (-1, 1):
        paint(_egg(p, (side * 76, 5, -35), (6, 14, 26)), scalp)
    skull = _egg(p, (0, -3, 5), (74, 96, 80))
    paint(skull, scalp)
    paint(skull - 6, bone)
    paint(skull - 13, fluid)
    waves = np.zeros_like(image)
    for _ in range(5):
        k = rng.normal(0, 1, 3)
        k *= rng.uniform(0.22, 0.4) / np.linalg.norm(k)
        waves += np.sin(sum(np.float32(a) * b for a, b in zip(k, p, strict=True)) + np.float32(rng.uniform(0, 6)))
    within = skull - 15 + 0.5 * waves
    paint(within, grey)
    paint(within - 4 - 1.5 * waves, white)
    for side in (-1, 1):
        paint(_egg(p, (side * 14, -5, 14), (7, 28, 10)), fluid)
        paint(_egg(p, (side * 32, -82, -34), (14, 15, 13)), scalp)
        paint(_egg(p, (side * 32, -84, -34), (12, 12, 12)), eye)
        paint(_egg(p, (side * 27, -76, -66), (13, 14, 15)), air)
    paint(_egg(p, (0, -82, -58), (8, 24, 18)), air)
    paint(_egg(p, (0, -45, -95), (10, 12, 26)), air)
    # The orbits lie below the skull's floor: what they took of the ellipsoid is no brain.
    taken = np.maximum(_egg(p, (32, -82, -34), (14, 15, 13)), _egg(p, (-32, -82, -34), (14, 15, 13)))
    return image, np.asarray((within > 0) & (taken < 0))


def patient(
    kind: str = "T1",
    *,
    seed: int = 1,
    person: Person | None = None,
    at: datetime = datetime(2026, 3, 9, 10, 20),
    body_part: str = "HEAD",
    number: int = 3,
    **scan: Any,
) -> Phantom:
    """One adult, one series of the head.

    Args:
        scan: as for `volume`.

    `truth` holds the brain (`brain`, as the slices are in the order of the files), `geometry` and the UIDs.
    """
    made, brain = volume(kind, seed=seed, **scan)
    who = person or Person(f"ISO-DEMO-HEAD-{seed}", "PHANTOM^HEAD", "F", "19790604", 1.68, 61.0)
    modality = "CT" if kind == "CT" else "MR"
    ds = new(
        "head", who, seed=seed, sop_class=f"1.2.840.10008.5.1.4.1.1.{2 if kind == 'CT' else 4}", modality=modality,
        study=f"{modality} of the head", series=f"{kind} {scan.get('plane', 'axial')}", at=at, series_number=number,
        body_part=body_part,
    )  # fmt: skip
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL" if kind == "CT" else "OTHER"]
    if kind == "CT":
        ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType, ds.KVP = 1, -1024, "HU", 120
        stored = np.clip(np.rint(made.array) + 1024, 0, 4095).astype(np.uint16)
    else:
        ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions, ds.MRAcquisitionType = "GR", "SK", "", "3D"
        ds.RepetitionTime, ds.EchoTime, ds.EchoTrainLength, ds.MagneticFieldStrength = 2000, 3, 1, 3
        stored = np.clip(np.rint(made.array), 0, 4095).astype(np.uint16)
    grid = made.geometry
    ds.PatientPosition, ds.SliceThickness = "HFS", float(grid.spacing_mm[0])
    ds.FrameOfReferenceUID = uid("head", seed, "frame")
    ds.PixelSpacing = [float(grid.spacing_mm[1]), float(grid.spacing_mm[2])]
    directions = grid.directions
    ds.ImageOrientationPatient = [float(v) for v in (*directions[:, 2], *directions[:, 1])]
    files = []
    for k in range(grid.shape[0]):
        ds.ImagePositionPatient = [round(float(v), 5) for v in grid.to_patient([k, 0, 0])]
        put_pixels(ds, stored[k], bits=12)
        files.append(written(ds, k + 1))
    truth = {"brain": brain, "study_uid": str(ds.StudyInstanceUID), "series_uid": str(ds.SeriesInstanceUID)}
    return Phantom(f"head, {kind}", tuple(files), truth)
