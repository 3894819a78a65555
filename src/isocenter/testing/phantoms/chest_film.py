"""A frontal chest radiograph as a digital detector writes it: the header that the radiographs of the phantoms share."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.testing.phantoms.patient import Person, new, put_pixels, uid, written

__all__ = ["chest_film"]

_VIEWS = {"PA": ("399148000", "postero-anterior"), "AP": ("399348003", "antero-posterior")}


def chest_film(
    kind: str,
    who: Person,
    pixels: npt.NDArray[np.uint16],
    *,
    seed: int,
    at: datetime,
    series: str,
    mm: float,
    geometry: str,
    kvp: float,
    view: str = "PA",
) -> tuple[bytes, Any]:
    """The file (DX, for presentation) and its dataset.

    Args:
        kind: goes into the UIDs.
        pixels: (rows, columns), 12 bits, of `mm` millimetres in the plane of the patient.
        geometry: what the file says of how it was projected.
        view: View Position; any other than PA is coded as antero-posterior.
    """
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    ds = new(
        kind, who, seed=seed, sop_class="1.2.840.10008.5.1.4.1.1.1.1", modality="DX", study="Chest radiograph",
        series=series, at=at, body_part="CHEST",
    )  # fmt: skip
    ds.PresentationIntentType = "FOR PRESENTATION"
    ds.ImageType = ["ORIGINAL", "PRIMARY", ""]
    ds.AcquisitionNumber = 1
    ds.PatientOrientation, ds.ViewPosition, ds.ImageLaterality = ["L", "F"], view, "U"
    ds.ImagerPixelSpacing = ds.PixelSpacing = [mm, mm]
    ds.PixelSpacingCalibrationType, ds.PixelSpacingCalibrationDescription = "GEOMETRY", geometry
    ds.PositionerType, ds.FrameOfReferenceUID = "NONE", uid(kind, seed, "frame")
    ds.DetectorType, ds.DetectorID = "DIRECT", "1"
    ds.KVP, ds.ExposureInuAs, ds.ExposureTimeInuS = kvp, 1600, 4000
    ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign = "LOG", 1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = 0, 1, "US"
    ds.PresentationLUTShape, ds.LossyImageCompression, ds.BurnedInAnnotation = "IDENTITY", "00", "NO"
    ds.WindowCenter, ds.WindowWidth = 2047, 4096
    region, seen = Dataset(), Dataset()
    region.CodeValue, region.CodingSchemeDesignator, region.CodeMeaning = "51185008", "SCT", "Chest"
    seen.CodingSchemeDesignator = "SCT"
    seen.CodeValue, seen.CodeMeaning = _VIEWS.get(view, _VIEWS["AP"])
    seen.ViewModifierCodeSequence = Sequence([])
    ds.AnatomicRegionSequence, ds.ViewCodeSequence = Sequence([region]), Sequence([seen])
    ds.AcquisitionContextSequence = Sequence([])
    put_pixels(ds, pixels, bits=12)
    return written(ds, 1), ds
