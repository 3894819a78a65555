"""What the analysis ``chest_xray_heart`` says of wrong films, each sent as DICOM under the header of a right one.

The header calls every picture a PA chest of an adult, so that the picture alone can tell; a child's film has a child's
age, as consoles write it, and is asked once more without one. Right films are the 200 adults of MedNIST (64 × 64);
those that wrong ones are made of were kept from the gate.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid

from isocenter.analysis.weights import open_session
from isocenter.catalogue.chest_xray_heart import RATIO, ChestXrayHeart
from isocenter.dicom.assemble import assemble
from isocenter.dicom.header import read_header
from isocenter.errors import Refused
from isocenter.record import Outcome

Array = npt.NDArray[Any]


def adults(data: Path) -> list[Array]:
    """The chest films of MedNIST, as they are."""
    with np.load(data / "mednist" / "mednist_64.npz") as held:
        return list(held["images"][held["classes"][held["labels"]] == "CXR"])


def sent(picture: Array, age: str) -> bytes:
    """A picture of 8 bits, grey or in colour, as a computed radiograph."""
    one, meta = Dataset(), FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = one.SOPClassUID = ComputedRadiographyImageStorage
    meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID = generate_uid()
    one.StudyInstanceUID, one.SeriesInstanceUID = generate_uid(), generate_uid()
    one.PatientID, one.PatientName, one.PatientAge = "1", "A^B", age
    one.Modality, one.BodyPartExamined, one.ViewPosition = "CR", "CHEST", "PA"
    one.StudyDate, one.SeriesNumber, one.InstanceNumber = "20200101", 1, 1
    colour = picture.ndim == 3
    one.Rows, one.Columns = picture.shape[:2]
    one.SamplesPerPixel, one.PhotometricInterpretation = (3, "RGB") if colour else (1, "MONOCHROME2")
    if colour:
        one.PlanarConfiguration = 0
    one.BitsAllocated = one.BitsStored = 8
    one.HighBit, one.PixelRepresentation = 7, 0
    one.ImagerPixelSpacing = [400.0 / picture.shape[0]] * 2
    one.PixelData = np.ascontiguousarray(picture, np.uint8).tobytes() + b"\0" * (picture.size % 2)
    one.file_meta = meta
    held = io.BytesIO()
    pydicom.dcmwrite(held, one, enforce_file_format=True)
    return held.getvalue()


def said(session: Any, picture: Array, age: str = "045Y") -> str:
    """declined, doubted (outlines with a reason against them), or mute (a ratio)."""
    data = sent(picture, age)
    try:
        (volume,) = assemble(read_header(data).series[0], lambda digest: data)
        answer = ChestXrayHeart().run(volume, weights=session)
    except Refused:
        return "declined"
    if answer.outcome is Outcome.DECLINED:
        return "declined"
    return "mute" if any(m.what == RATIO for m in answer.measurements) else "doubted"


def asked(pictures: Sequence[Array], age: str = "045Y") -> list[str]:
    """What is said of each."""
    session = open_session("chest_xray_heart")
    return [said(session, picture, age) for picture in pictures]
