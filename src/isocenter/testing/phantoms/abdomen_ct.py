"""A CT of the abdomen at the third lumbar vertebra whose muscle and fat are known pixel by pixel.

Skin, subcutaneous fat, a muscle wall with a gap in front, psoas and back muscles with fat in them, a vertebra with
canal, bowel with and without gas in visceral fat, a table under it. Truth is what was painted, before noise.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.testing.phantoms.patient import Person, Phantom, new, put_pixels, uid, written

__all__ = ["patient", "slices"]

_N, _MM = 320, 1.25


def slices(
    *, seed: int = 1, many: int = 5, thick_mm: float = 5.0, noise: float = 6.0, arms: bool = False,
    cut: bool = False, muscle_hu: float = 48.0,
) -> tuple[npt.NDArray[np.int16], dict[str, npt.NDArray[np.bool_]]]:  # fmt: skip
    """(slices, rows, columns) HU, and the painted masks muscle, visceral, subcutaneous, intermuscular.

    Args:
        noise: standard deviation, HU.
        arms: whether arms lie beside the body.
        cut: whether the body reaches beyond the picture.
    """
    rng = np.random.default_rng([seed, 31])
    line = (np.arange(_N) - (_N - 1) / 2) * _MM
    y, x = line[:, None], line[None, :] + (60.0 if cut else 0.0)
    image = np.full((many, _N, _N), -1000.0)
    label = np.zeros((many, _N, _N), np.uint8)  # 1 muscle, 2 visceral, 3 subcutaneous, 4 intermuscular

    def egg(cx: float, cy: float, a: float, b: float) -> npt.NDArray[np.bool_]:
        return np.asarray(((x - cx) / a) ** 2 + ((y - cy) / b) ** 2 <= 1.0)

    for k in range(many):
        one, of = image[k], label[k]
        grow = 1.0 + 0.01 * k

        def paint(where: npt.NDArray[np.bool_], hu: float, what: int = 0, one: Any = one, of: Any = of) -> None:
            one[where], of[where] = hu, what

        paint(egg(0, 0, 158 * grow, 112 * grow), 30.0)  # skin
        paint(egg(0, 0, 156 * grow, 110 * grow), -102.0, 3)
        paint(egg(0, 4, 130, 88), muscle_hu, 1)
        paint(egg(0, 4, 118, 76), -95.0, 2)
        paint((np.abs(x) < 4) & (y < -60) & egg(0, 4, 130, 88) & ~egg(0, 4, 118, 76), -102.0, 3)  # between the recti
        for side in (-1, 1):
            paint(egg(side * 44, 66, 34, 22) & egg(0, 4, 130, 88), muscle_hu, 1)  # back
            paint(egg(side * 44, 66, 16, 3), -80.0, 4)
            paint(egg(side * 42, 34, 17, 16), muscle_hu, 1)  # psoas
            paint(egg(side * 60, -20, 22, 16), 34.0)  # bowel
        paint(egg(0, -36, 26, 15), 34.0)
        paint(egg(0, -38, 16, 8), -900.0)  # gas
        paint(egg(0, 36, 24, 18), 420.0)
        paint(egg(0, 36, 20, 14), 190.0)
        paint(egg(0, 58, 14, 8), 420.0)
        paint(egg(0, 58, 9, 5), 20.0)
        if arms:
            for side in (-1, 1):
                paint(egg(side * 185, 10, 16, 20), 45.0)
                paint(egg(side * 185, 10, 6, 6), 600.0)
        paint((y > 115 * grow) & (y < 121) & (np.abs(x) < 150) & (one < -500), -60.0)  # table
    image += rng.normal(0.0, noise, image.shape)
    names = ("muscle", "visceral", "subcutaneous", "intermuscular")
    return np.round(image).clip(-1024, 3071).astype(np.int16), {n: label == i for i, n in enumerate(names, 1)}


def patient(
    *, seed: int = 1, person: Person | None = None, at: datetime = datetime(2026, 3, 3, 10, 15),
    header: dict[str, Any] | None = None, **made: Any,
) -> Phantom:  # fmt: skip
    """An adult with a CT of the abdomen without contrast; the slice in the middle lies at height 0.

    Args:
        header: DICOM keywords that replace those of a proper scan; None takes one away.
        made: as for `slices`.
    """
    who = person or Person(f"ISO-DEMO-BODY-{seed}", "PHANTOM^BODY", "M", "19580205", 1.80, 84.0)
    hu, masks = slices(seed=seed, **made)
    thick = float(made.get("thick_mm", 5.0))
    ds = new(
        "abdomen_ct", who, seed=seed, sop_class="1.2.840.10008.5.1.4.1.1.2", modality="CT", study="Abdomen CT",
        series="Abdomen 5.0 Br40", at=at, series_number=2, body_part="ABDOMEN",
    )  # fmt: skip
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.KVP, ds.ConvolutionKernel, ds.SliceThickness, ds.PatientPosition = 120, "Br40d", thick, "HFS"
    ds.FrameOfReferenceUID = uid("abdomen_ct", seed, "frame")
    ds.ImageOrientationPatient, ds.PixelSpacing = [1, 0, 0, 0, 1, 0], [_MM, _MM]
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = -1024, 1, "HU"
    ds.WindowCenter, ds.WindowWidth = 40, 400
    for keyword, value in (header or {}).items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    edge, files = -(_N - 1) / 2 * _MM, []
    for k in range(len(hu)):
        ds.ImagePositionPatient = [edge, edge, (k - len(hu) // 2) * thick]
        put_pixels(ds, (hu[k].astype(np.int32) + 1024).astype(np.uint16), bits=12)
        files.append(written(ds, k + 1))
    middle = len(hu) // 2
    area = _MM * _MM / 100.0
    truth: dict[str, Any] = {f"{n}_cm2": float(m[middle].sum()) * area for n, m in masks.items()}
    truth |= {"study_uid": str(ds.StudyInstanceUID), "series_uid": str(ds.SeriesInstanceUID)}
    return Phantom("abdomen with muscle and fat", tuple(files), truth)
