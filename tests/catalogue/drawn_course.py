"""Studies of one patient as a workstation writes them: a small CT, and a structure set of bars of exact lengths."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np
import pydicom

from isocenter.testing.phantoms.patient import Person, new, put_pixels, uid, written
from isocenter.testing.phantoms.structures import structure_set

Bar = tuple[int, int, int, int]
"""Row and column of the corner, length and width in voxels of 1 mm; a length of 0 is a structure without a contour.

Both ends are tips, so that a bar of one voxel's width is exactly as long as it is said to be.
"""

_ROWS, _COLUMNS, _SLICES = 48, 200, 3
_TO_SIDE, _BLUNT = 0.3, 0.4  # of a voxel: from the outermost centres to the sides, and from the tips to the corners


def study(patient: str, day: int, bars: Mapping[str, Bar], *, hu: float = 40.0) -> list[bytes]:
    """The files of one visit; all visits of a patient share a frame of reference."""
    who = Person(patient, "PHANTOM^COURSE", "F", "19610214", 1.66, 68.0)
    seed, at = int(uid(patient)[5:]) % 10**6, datetime(2026, 1, 5, 9) + timedelta(days=day)
    files = []
    for k in range(_SLICES):
        ds = new(
            "course", who, seed=seed, sop_class="1.2.840.10008.5.1.4.1.1.2", modality="CT", study="CT", series="ct",
            at=at, series_number=2, body_part="ABDOMEN",
        )  # fmt: skip
        ds.FrameOfReferenceUID, ds.PatientPosition = uid("course", patient), "HFS"
        ds.ImageOrientationPatient, ds.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 2.0 * k]
        ds.PixelSpacing, ds.SliceThickness, ds.KVP = [1.0, 1.0], 2.0, 120
        ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = -1024, 1, "HU"
        grey = 1024 + np.random.default_rng(k).normal(hu, 8, (_ROWS, _COLUMNS))
        put_pixels(ds, grey.astype(np.uint16), bits=12)
        files.append(written(ds, k + 1))
    image = pydicom.dcmread(io.BytesIO(files[1]), stop_before_pixels=True)
    outlines = {}
    for name, (row, column, length, width) in bars.items():
        x, u, y, v = column - 0.5, column + length - 0.5, row - _TO_SIDE, row + width - 1 + _TO_SIDE
        middle, a, b = row + (width - 1) / 2.0, x + _BLUNT, u - _BLUNT
        corners = np.array([[x, middle], [a, y], [b, y], [u, middle], [b, v], [a, v]])
        corners = np.insert(corners, 2, 2.0, axis=1)  # from tip to tip it is as long as it is said to be
        outlines[name] = [(corners, str(image.SOPInstanceUID))] if length else []
    return [*files, structure_set(f"course-{day}", who, image, outlines, seed=seed, at=at)]


def of_sum(total: int) -> dict[str, Bar]:
    """Two lesions whose diameters have this sum in millimetres; of 0, both without a contour."""
    first = total // 2
    return {"liver 1": (6, 5, first, 1), "lung 1": (14, 5, total - first, 1)}
