"""An in-silico patient: files as a scanner would send them, and the truth that was put in.

Nothing in these files comes from a person. Names are ``PHANTOM^…``, identifiers ``ISO-DEMO-…``, and every UID is
derived from the seed (PS3.5 B.2, the ``2.25.`` root), so that the same call writes the same bytes.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Person", "Phantom", "later", "new", "put_pixels", "uid", "written"]

_MAKER = "Isocenter"
_ENCODED: dict[tuple[Any, ...], bytes] = {}
_MANY = 10_000


@dataclass(frozen=True)
class Phantom:
    """One in-silico patient.

    Args:
        name: a short word for it, such as ``"chest with opacity"``.
        files: whole DICOM files (with preamble), in the order of acquisition.
        truth: what was put in: what an analysis should find, with numbers in the units of its name.
    """

    name: str
    files: tuple[bytes, ...]
    truth: dict[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Person:
    """Who the files say was imaged; `size_m` and `weight_kg` are what uptake values divide by."""

    id: str
    name: str
    sex: str
    born: str
    size_m: float
    weight_kg: float


def uid(*parts: object) -> str:
    """A UID under ``2.25.`` that is the same for the same parts.

    >>> uid("a", 1) == uid("a", 1), uid("a", 1) == uid("a", 2)
    (True, False)
    """
    return f"2.25.{int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:16], 'big')}"


def _age(born: str, at: datetime) -> str:
    years = at.year - int(born[:4]) - ((at.month, at.day) < (int(born[4:6]), int(born[6:8])))
    return f"{years:03d}Y"


def new(
    kind: str,
    person: Person,
    *,
    seed: int,
    sop_class: str,
    modality: str,
    study: str,
    series: str,
    at: datetime,
    series_number: int = 1,
    body_part: str = "",
) -> Any:
    """A dataset with what all images of one series share: patient, study, series, equipment.

    Args:
        kind: goes into the UIDs, so that two kinds of phantom with one seed stay apart.
        study, series: descriptions; studies of one description and time are one study.
        at: when the series was acquired.
    """
    from pydicom.dataset import Dataset

    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = sop_class
    ds.StudyDate, ds.StudyTime = at.strftime("%Y%m%d"), at.replace(minute=0, second=0).strftime("%H%M%S")
    ds.SeriesDate, ds.SeriesTime = at.strftime("%Y%m%d"), at.strftime("%H%M%S")
    ds.ContentDate, ds.ContentTime = ds.SeriesDate, ds.SeriesTime
    ds.AcquisitionDate, ds.AcquisitionTime = ds.SeriesDate, ds.SeriesTime
    ds.AccessionNumber = f"ISO{int(uid(kind, seed, study, ds.StudyDate)[5:]) % 10**9:09d}"
    ds.Modality = modality
    ds.Manufacturer = _MAKER
    ds.ManufacturerModelName = "In-silico patient"
    ds.DeviceSerialNumber = "0"
    ds.SoftwareVersions = "1"
    ds.InstitutionName = "In silico"
    ds.ReferringPhysicianName = ""
    ds.StudyDescription, ds.SeriesDescription = study, series
    ds.PatientName, ds.PatientID = person.name, person.id
    ds.PatientBirthDate, ds.PatientSex, ds.PatientAge = person.born, person.sex, _age(person.born, at)
    ds.PatientSize, ds.PatientWeight = person.size_m, person.weight_kg
    ds.PatientComments = "Simulated. No person was imaged."
    if body_part:
        ds.BodyPartExamined = body_part
    ds.StudyInstanceUID = uid(kind, seed, "study", study, ds.StudyDate)
    ds.SeriesInstanceUID = uid(kind, seed, "series", study, ds.StudyDate, series, series_number)
    ds.StudyID, ds.SeriesNumber = "1", series_number
    ds.PositionReferenceIndicator = ""
    return ds


def put_pixels(ds: Any, pixels: npt.NDArray[np.uint16 | np.int16 | np.uint8], *, bits: int = 16) -> None:
    """Grey pixels (rows, columns) with the elements that describe them."""
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = pixels.shape
    allocated = 8 * pixels.dtype.itemsize
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = allocated, min(bits, allocated), min(bits, allocated) - 1
    ds.PixelRepresentation = int(pixels.dtype.kind == "i")
    raw = np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("<")).tobytes()
    ds.PixelData = raw + b"\0" * (len(raw) % 2)
    ds["PixelData"].VR = "OW" if allocated == 16 else "OB"


def written(ds: Any, instance: int) -> bytes:
    """The whole file of one instance; its UID is made from the series and the number."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    ds.InstanceNumber = instance
    ds.SOPInstanceUID = uid(ds.SeriesInstanceUID, instance)
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\0\1"
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = uid("implementation")
    meta.ImplementationVersionName = "ISOCENTER_1"
    head, body = (b"".join(_encoded(held[tag], ds.SpecificCharacterSet) for tag in sorted(held.keys()))
                  for held in (meta, ds))  # fmt: skip
    length = struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(head))
    return b"".join((b"\0" * 128, b"DICM", length, head, body))


def _encoded(element: Any, characters: str) -> bytes:
    """One element in explicit little endian; what one image of a series shares with the next is encoded once."""
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_data_element

    key = None
    if element.VR not in ("SQ", "OW", "OB"):
        key = (element.tag, element.VR, characters, repr(element.value))
        if key in _ENCODED:
            return _ENCODED[key]
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, False
    write_data_element(out, element, characters)
    encoded: bytes = out.getvalue()
    if key is not None:
        if len(_ENCODED) > _MANY:
            _ENCODED.clear()
        _ENCODED[key] = encoded
    return encoded


def later(at: datetime, seconds: float) -> datetime:
    """A moment after another."""
    return at + timedelta(seconds=seconds)
