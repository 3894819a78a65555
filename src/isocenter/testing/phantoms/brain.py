"""A brain with white-matter lesions at two visits: one lesion grown, one new, one gone, the others unchanged.

The head is a function of patient coordinates, sampled as a FLAIR volume at each visit; at the second visit it lies a
little differently on the table, as heads do. Nothing in the picture says which visit came first but the date.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.testing.phantoms.patient import Person, Phantom, new, put_pixels, uid, written

__all__ = ["Lesion", "patient"]


_SLICES, _STEP_MM, _N, _MM = 44, 3.5, 192, 1.15

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Lesion:
    """A round lesion: centre in the head's own millimetres (LPS), diameter at the first and at the second visit."""

    label: str
    centre_mm: tuple[float, float, float]
    first_mm: float
    second_mm: float


_LESIONS = (
    Lesion("unchanged left", (27.0, -22.0, 18.0), 10.0, 10.0),
    Lesion("unchanged right", (-30.0, 26.0, 16.0), 8.0, 8.0),
    Lesion("grown", (-26.0, -14.0, 24.0), 9.0, 14.0),
    Lesion("new", (30.0, 20.0, 22.0), 0.0, 11.0),
    Lesion("gone", (22.0, 6.0, 32.0), 7.0, 0.0),
)


def _egg(p: tuple[Array, Array, Array], centre: tuple[float, ...], half: tuple[float, ...], soft: float = 1.2) -> Array:
    squares = [((a - np.float32(c)) / np.float32(h)) ** 2 for a, c, h in zip(p, centre, half, strict=True)]
    inside = (1 - np.sqrt(squares[0] + squares[1] + squares[2])) * np.float32(min(half) / soft)
    return np.asarray(np.clip(inside + 0.5, 0, 1), np.float32)


def _head(p: tuple[Array, Array, Array], diameters: list[tuple[Lesion, float]], seed: int) -> tuple[Array, list[Array]]:
    """FLAIR signal at points, and the membership of each lesion."""
    x, y, z = p
    rng = np.random.default_rng([seed, 5])  # the same folds at both visits: it is one person
    image = np.zeros(np.broadcast_shapes(x.shape, y.shape, z.shape), np.float32)

    def paint(part: Array, value: Array | float) -> None:
        image[...] += part * (value - image)

    paint(_egg(p, (0, 4, 2), (77, 96, 86)), 300.0)  # scalp
    paint(_egg(p, (0, 4, 2), (72, 91, 81)), 25.0)  # skull
    paint(_egg(p, (0, 4, 0), (68, 86, 76)), 40.0)  # fluid around the brain, its signal suppressed
    waves = np.zeros_like(image)
    for _ in range(6):
        k = rng.normal(0, 1, 3)
        k *= rng.uniform(0.24, 0.42) / np.linalg.norm(k)
        waves += np.sin(
            np.float32(k[0]) * x + np.float32(k[1]) * y + np.float32(k[2]) * z + np.float32(rng.uniform(0, 6))
        )
    waves /= 6
    radius = np.sqrt((x / 66) ** 2 + ((y - 4) / 84) ** 2 + (z / 73) ** 2).astype(np.float32)
    depth = (1 - radius) * 66
    brain = np.clip((depth + 2.2 * waves * np.clip(1 - depth / 14, 0, 1)) / 1.2 + 0.5, 0, 1)
    paint(brain, 215.0)  # cortex
    white = np.clip((depth - 5.5 + 9 * waves * np.clip(1.25 - depth / 22, 0, 1)) / 1.4 + 0.5, 0, 1) * brain
    paint(white, 165.0)
    sulci = np.clip((waves - 0.42) / 0.08, 0, 1) * np.clip(1 - depth / 15, 0, 1) * brain
    paint(sulci, 60.0)
    cleft = np.clip((1.6 - np.abs(x + 0.8 * np.sin(y / 9))) / 1.2, 0, 1) * np.clip((z - 20 + 0 * y) / 6, 0, 1) * brain
    paint(cleft, 70.0)
    for side in (-1, 1):
        paint(_egg(p, (side * 24, 2, 2), (10, 22, 13)), 205.0)  # deep nuclei
        paint(_egg(p, (side * 9, 10, 6), (9, 17, 12)), 208.0)
        bent = (x - side * (9 + 0.004 * (y - 2) ** 2), y, z - 0.10 * np.abs(y))
        paint(_egg(bent, (0, 2, 16), (5.5, 33, 9)), 200.0)  # bright lining of the ventricles
        paint(_egg(bent, (0, 2, 16), (4.3, 31, 7.5)), 45.0)
    paint(_egg(p, (0, 12, 0), (2.4, 14, 9)), 45.0)
    members = []
    for lesion, diameter in diameters:
        member = _egg(p, lesion.centre_mm, (diameter / 2,) * 3, 1.0) if diameter else np.zeros_like(image)
        members.append(member)
        paint(member, 330.0)
    return image, members


def _visit(
    person: Person, seed: int, number: int, at: datetime, lesions: tuple[Lesion, ...]
) -> tuple[list[bytes], dict[str, Any]]:
    rng = np.random.default_rng([seed, 6, number])
    across = ((np.arange(_N) - (_N - 1) / 2) * _MM).astype(np.float32)
    height = ((np.arange(_SLICES) - (_SLICES - 1) / 2) * _STEP_MM + 4).astype(np.float32)
    z, y, x = height[:, None, None], across[None, :, None], across[None, None, :]
    turn = np.deg2rad([0.0, 3.0][number])
    shift = ((0.0, 0.0, 0.0), (2.5, -3.0, 3.5))[number]
    c, s = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    dx, dy = x - np.float32(shift[0]), y - np.float32(shift[1])
    own = (c * dx + s * dy, -s * dx + c * dy, z - np.float32(shift[2]))
    sizes = [(one, (one.first_mm, one.second_mm)[number]) for one in lesions]
    signal, members = _head(own, sizes, seed)
    coil = 1 + 0.10 * (x / 100) + 0.08 * (y / 100) + [0.0, 0.03][number]
    sigma = np.float32(6.0)
    real = signal * coil + sigma * rng.standard_normal(signal.shape, dtype=np.float32)
    noisy = np.sqrt(real**2 + (sigma * rng.standard_normal(signal.shape, dtype=np.float32)) ** 2)
    stored = np.clip(noisy * 3, 0, 4095).astype(np.uint16)
    ds = new(
        "brain", person, seed=seed, sop_class="1.2.840.10008.5.1.4.1.1.4", modality="MR", study="Brain MR",
        series="FLAIR 3D", at=at, series_number=3, body_part="BRAIN",
    )  # fmt: skip
    ds.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
    ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions, ds.MRAcquisitionType = ["SE", "IR"], "SK", "", "3D"
    ds.RepetitionTime, ds.EchoTime, ds.InversionTime, ds.EchoTrainLength = 5000, 380, 1650, 200
    ds.FlipAngle, ds.MagneticFieldStrength, ds.PatientPosition = 120, 3, "HFS"
    ds.SliceThickness = _STEP_MM
    ds.FrameOfReferenceUID = uid("brain", seed, "frame", number)
    ds.PixelSpacing, ds.ImageOrientationPatient = [_MM, _MM], [1, 0, 0, 0, 1, 0]
    ds.WindowCenter, ds.WindowWidth = 500, 1000
    files = []
    for k in range(_SLICES):
        ds.ImagePositionPatient = [round(float(across[0]), 4), round(float(across[0]), 4), round(float(height[k]), 3)]
        ds.SliceLocation = round(float(height[k]), 3)
        put_pixels(ds, stored[k], bits=12)
        files.append(written(ds, k + 1))
    voxel_ml = _MM * _MM * _STEP_MM / 1000
    found: dict[str, dict[str, Any]] = {}
    for (one, diameter), member in zip(sizes, members, strict=True):
        if diameter:
            px, py, pz = one.centre_mm
            found[one.label] = {
                "diameter_mm": diameter,
                "volume_ml": float(np.pi * diameter**3 / 6000),
                "voxels_ml": float(member.sum()) * voxel_ml,
                "centre_mm": (
                    float(c * px - s * py + shift[0]), float(s * px + c * py + shift[1]), float(pz + shift[2]),
                ),
            }  # fmt: skip
    said = {"study_uid": str(ds.StudyInstanceUID), "series_uid": str(ds.SeriesInstanceUID), "lesions": found}
    return files, said | {"load_ml": sum(float(v["volume_ml"]) for v in found.values())}


def patient(
    *,
    seed: int = 1,
    lesions: tuple[Lesion, ...] = _LESIONS,
    person: Person | None = None,
    at: tuple[datetime, datetime] = (datetime(2025, 2, 10, 14, 20), datetime(2026, 3, 2, 13, 15)),
) -> Phantom:
    """One adult, two MR studies a year apart, each with one FLAIR volume.

    Args:
        seed: decides the folds, the noise and every UID.
        lesions: with their diameters at both visits; 0 where there is none.
        at: times of the two visits.

    `truth["visits"]` holds for each visit its UIDs, its lesions with centre in that visit's frame of reference, and
    the total load; `truth["change"]` names what is new, grown and gone.
    """
    who = person or Person(f"ISO-DEMO-BRAIN-{seed}", "PHANTOM^BRAIN", "F", "19880517", 1.70, 64.0)
    files: list[bytes] = []
    visits = []
    for number, moment in enumerate(at):
        some, said = _visit(who, seed, number, moment, lesions)
        files += some
        visits.append(said)
    change = {
        "new": [o.label for o in lesions if not o.first_mm and o.second_mm],
        "gone": [o.label for o in lesions if o.first_mm and not o.second_mm],
        "grown": [o.label for o in lesions if o.first_mm and o.second_mm > o.first_mm],
    }
    return Phantom("brain with lesions at two times", tuple(files), {"visits": visits, "change": change})
