"""A CT of two lumps that a histogram cannot tell apart: the same two grey values, in small squares and in large ones.

Every texture of a checkerboard is arithmetic, so that radiomics can be held to it from the DICOM files on. The voxels
are cubes of 2 mm, which the configurations C and D leave as they are.
"""

from __future__ import annotations

from datetime import datetime

import numpy as np
import numpy.typing as npt

from isocenter.testing.phantoms.patient import Person, Phantom, new, put_pixels, uid, written
from isocenter.testing.phantoms.structures import Outline, structure_set

__all__ = ["STEP_MM", "lumps", "neighbours_that_differ", "patient"]

STEP_MM = 2.0
_SHAPE = (40, 64, 96)
_BOXES = {"fine": (slice(8, 32), slice(20, 44), slice(14, 38)), "coarse": (slice(8, 32), slice(20, 44), slice(58, 82))}
_CELLS = {"fine": 2, "coarse": 6}
_DARK, _BRIGHT, _AROUND = -30, 70, -100
_WHO = Person("ISO-DEMO-TEXTURE", "PHANTOM^CHECKERBOARDS", "O", "19700101", 1.70, 70.0)


def lumps() -> tuple[npt.NDArray[np.int16], dict[str, npt.NDArray[np.bool_]]]:
    """HU (slices, rows, columns), and a mask for each lump."""
    hu = np.full(_SHAPE, _AROUND, np.int16)
    masks = {}
    for name, box in _BOXES.items():
        sides = [part.stop - part.start for part in box]
        odd = (np.indices(sides) // _CELLS[name]).sum(axis=0) % 2
        hu[box] = np.where(odd, _BRIGHT, _DARK)
        masks[name] = np.zeros(_SHAPE, bool)
        masks[name][box] = True
    return hu, masks


def neighbours_that_differ(name: str) -> float:
    """Share of neighbouring pairs (13 directions) of two colours, counted along the sides of the box."""
    box, cell = _BOXES[name], _CELLS[name]
    colours = [(np.arange(part.stop - part.start) // cell) % 2 for part in box]
    differ, pairs = 0.0, 0.0
    for step in [(z, y, x) for z in (-1, 0, 1) for y in (-1, 0, 1) for x in (-1, 0, 1) if (z, y, x) > (0, 0, 0)]:
        # Along each side a share of steps crosses to another square; the colour changes when an odd number does.
        even, count = 1.0, 1.0
        for colour, s in zip(colours, step, strict=True):
            crossed = np.count_nonzero(colour[1:] != colour[:-1]) if s else 0
            steps = len(colour) - abs(s)
            count *= steps
            share = crossed / steps
            even = even * (1.0 - share) + (1.0 - even) * share
        differ += (1.0 - even) * count
        pairs += count
    return differ / pairs


def patient(*, seed: int = 1, at: datetime = datetime(2024, 5, 6, 10, 30)) -> Phantom:
    """CT and a structure set that outlines both lumps, with what configuration C must find.

    ``truth``: for each lump ``mean_hu``, ``variance_hu2``, ``volume_mm3`` and ``contrast``, GLCM contrast over all
    directions in bins of 25 HU.
    """
    hu, masks = lumps()
    ds = new(
        "checkerboards", _WHO, seed=seed, sop_class="1.2.840.10008.5.1.4.1.1.2", modality="CT", study="CT of a phantom",
        series="Checkerboards", at=at, series_number=1, body_part="CHEST",
    )  # fmt: skip
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.KVP, ds.SliceThickness, ds.PatientPosition, ds.AcquisitionNumber = 120, STEP_MM, "HFS", 1
    ds.ConvolutionKernel = "STANDARD"
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = -1024, 1, "HU"
    ds.WindowCenter, ds.WindowWidth = 0, 300
    ds.FrameOfReferenceUID = uid("checkerboards", seed, "frame")
    ds.PixelSpacing, ds.ImageOrientationPatient = [STEP_MM, STEP_MM], [1, 0, 0, 0, 1, 0]
    files = []
    outlines: dict[str, list[Outline]] = {name: [] for name in masks}
    for k, plane in enumerate(hu):
        ds.ImagePositionPatient, ds.SliceLocation = [0.0, 0.0, k * STEP_MM], k * STEP_MM
        put_pixels(ds, (plane + 1024).astype(np.uint16), bits=12)
        files.append(written(ds, k + 1))
        for name, (along, rows, columns) in _BOXES.items():
            if along.start <= k < along.stop:
                outlines[name].append((_square(rows, columns, k * STEP_MM), ds.SOPInstanceUID))
    drawn = structure_set("checkerboards", _WHO, ds, outlines, seed=seed, at=at)
    levels = (_BRIGHT + 1000) // 25 - (_DARK + 1000) // 25
    truth = {
        name: {
            "mean_hu": (_DARK + _BRIGHT) / 2.0,
            "variance_hu2": ((_BRIGHT - _DARK) / 2.0) ** 2,
            "volume_mm3": float(np.count_nonzero(mask)) * STEP_MM**3,
            "contrast": levels**2 * neighbours_that_differ(name),
        }
        for name, mask in masks.items()
    }
    return Phantom("two checkerboards", (*files, drawn), truth)


def _square(rows: slice, columns: slice, z: float) -> npt.NDArray[np.float64]:
    """Corners half a pixel outside the centres of the border."""
    left, right, top, bottom = ((v - 0.5) * STEP_MM for v in (columns.start, columns.stop, rows.start, rows.stop))
    return np.array([(left, top, z), (right, top, z), (right, bottom, z), (left, bottom, z)])
