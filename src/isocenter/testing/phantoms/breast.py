"""A mammogram of known density: skin line, fat, gland and, on an oblique view, the pectoral muscle."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.testing.phantoms.patient import Person, Phantom, new, put_pixels, uid, written

__all__ = ["patient", "picture"]

_ROWS, _COLUMNS, _MM = 800, 640, 0.28


def picture(
    *, seed: int = 1, side: str = "L", view: str = "MLO", gland: float = 0.45
) -> tuple[npt.NDArray[np.uint16], dict[str, Any]]:
    """14-bit pixels, bright where dense, and the truth.

    Args:
        seed: decides texture and noise.
        side: ``"L"`` has the chest wall at the left of the picture.
        view: ``"CC"``, or ``"MLO"`` with a muscle.
        gland: half axis of the glandular disc in parts of the breast's; 0 for none.
    """
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng([seed, 14])
    row, column = np.indices((_ROWS, _COLUMNS))
    u, v = column / 470.0, (row - 420.0) / 345.0
    radius = np.hypot(u, v)
    breast = radius < 1.0
    muscle = np.zeros_like(breast)
    if view == "MLO":
        foot, width = 430.0, 250.0  # where the muscle's edge meets the chest wall and the top
        breast |= (column < width * (1 - row / foot)) & (row < 420)
        muscle = breast & (column < width * (1 - row / foot))
    cloud = gaussian_filter(rng.standard_normal(breast.shape), 14.0)
    cloud = cloud / cloud.std()
    disc = np.hypot((column - 190.0) / (470.0 * gland), (row - 460.0) / (345.0 * gland)) if gland else radius + 9.0
    dense = breast & ~muscle & (disc + 0.05 * cloud < 1.0)
    thickness = np.clip((1.0 - radius) * 7.0, 0.15, 1.0)
    value = np.where(dense, 9000.0, 5600.0) + 140.0 * cloud
    value = np.where(muscle, 11500.0, value * thickness)
    value = gaussian_filter(np.where(breast, value, 120.0), 1.5) + rng.normal(0.0, 60.0, breast.shape)
    own = breast & ~muscle
    truth = {
        "percent_density": 100.0 * float(np.count_nonzero(dense)) / float(np.count_nonzero(own)),
        "breast": own, "muscle": muscle, "dense": dense,
    }  # fmt: skip
    pixels = np.clip(value, 0, 16383).astype(np.uint16)
    if side == "R":
        pixels = pixels[:, ::-1]
        truth |= {k: truth[k][:, ::-1] for k in ("breast", "muscle", "dense")}
    return pixels, truth


def patient(
    *,
    seed: int = 1,
    side: str = "L",
    view: str = "MLO",
    gland: float = 0.45,
    person: Person | None = None,
    at: datetime = datetime(2026, 3, 2, 11, 40),
) -> Phantom:
    """A woman with one mammogram (MG, for presentation).

    Args:
        seed: decides texture and every UID.
        side, view, gland: as `picture` takes them.
    """
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    who = person or Person(f"ISO-DEMO-BREAST-{seed}", "PHANTOM^BREAST", "F", "19680214", 1.65, 66.0)
    pixels, truth = picture(seed=seed, side=side, view=view, gland=gland)
    ds = new(
        "breast", who, seed=seed, sop_class="1.2.840.10008.5.1.4.1.1.1.2", modality="MG", study="Mammogram",
        series=f"{side} {view}", at=at, body_part="BREAST",
    )  # fmt: skip
    ds.PresentationIntentType, ds.ImageType = "FOR PRESENTATION", ["ORIGINAL", "PRIMARY", ""]
    ds.AcquisitionNumber = 1
    ds.PatientOrientation = ["A" if side == "L" else "P", "F" if view == "MLO" else side]
    ds.ViewPosition, ds.ImageLaterality = view, side
    ds.ImagerPixelSpacing = [_MM, _MM]
    ds.EstimatedRadiographicMagnificationFactor = 1.0
    ds.PositionerType, ds.FrameOfReferenceUID = "MAMMOGRAPHIC", uid("breast", seed, "frame")
    ds.DetectorType, ds.DetectorID, ds.OrganExposed = "DIRECT", "1", "BREAST"
    ds.KVP, ds.ExposureInuAs, ds.ExposureTimeInuS, ds.BreastImplantPresent = 29, 60000, 900000, "NO"
    ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign = "LOG", 1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = 0, 1, "US"
    ds.PresentationLUTShape, ds.LossyImageCompression, ds.BurnedInAnnotation = "IDENTITY", "00", "NO"
    ds.WindowCenter, ds.WindowWidth = 6000, 12000
    region, seen = Dataset(), Dataset()
    region.CodeValue, region.CodingSchemeDesignator, region.CodeMeaning = "76752008", "SCT", "Breast"
    seen.CodeValue, seen.CodingSchemeDesignator, seen.CodeMeaning = "399162004", "SCT", "cranio-caudal"
    if view == "MLO":
        seen.CodeValue, seen.CodeMeaning = "399368009", "medio-lateral oblique"
    seen.ViewModifierCodeSequence = Sequence([])
    ds.AnatomicRegionSequence, ds.ViewCodeSequence = Sequence([region]), Sequence([seen])
    ds.AcquisitionContextSequence = Sequence([])
    put_pixels(ds, np.ascontiguousarray(pixels), bits=14)
    return Phantom(
        f"mammogram {side} {view}",
        (written(ds, 1),),
        truth | {"study_uid": str(ds.StudyInstanceUID), "series_uid": str(ds.SeriesInstanceUID)},
    )
