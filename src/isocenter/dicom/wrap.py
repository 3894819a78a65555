"""A JPEG or PNG as a proper DICOM object, so that a folder of pictures can be read, analysed and signed like any other.

Teaching files and public data sets come as pictures. They are wrapped as Secondary Capture (conversion type WSD) with
identities derived from their content: the same picture gives the same object on every machine, and importing it twice
stores it once. Nothing is invented: what the picture does not say, the object does not say.
"""

from __future__ import annotations

import hashlib
import io
import re
from datetime import datetime
from typing import Any

from isocenter.errors import LimitReached, Refused

__all__ = ["patient_from_name", "wrap_image"]

_LARGEST = 1 << 28  # pixels
_SECONDARY = "1.2.840.10008.5.1.4.1.1.7"
_BASELINE, _EXPLICIT = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.1"
_PERSON = re.compile(r"(person\d+|(?:NORMAL\d*-)?IM-\d+|[A-Za-z]*\d+)")
_GREY_MODALITIES = frozenset({"CR", "DX", "MG", "RG", "XA", "RF", "PX", "IO"})


def patient_from_name(name: str) -> str:
    """The part of a file name that names a person, where data sets write one; the stem otherwise.

    >>> patient_from_name("train/PNEUMONIA/person17_virus_48.jpeg")
    'person17'
    >>> patient_from_name("NORMAL2-IM-0123-0001.jpeg")
    'NORMAL2-IM-0123'
    """
    stem = re.split(r"[\\/]", name)[-1].rsplit(".", 1)[0]
    found = _PERSON.match(stem)
    return (found[1] if found else stem)[:64]


def wrap_image(
    data: bytes,
    name: str,
    now: datetime,
    *,
    modality: str = "OT",
    body_part: str = "",
    view: str = "",
    patient_id: str = "",
) -> bytes:
    """A JPEG or PNG as DICOM Part 10.

    A plain baseline JPEG is kept as it is, byte for byte, in a JPEG transfer syntax; anything else is stored as its
    pixels. For X-ray modalities three equal colours become one grey.

    Args:
        data: the picture's bytes.
        name: its file name; goes to Series Description and, without `patient_id`, to Patient ID.
        now: when it was wrapped; goes to Date of Secondary Capture.
        modality: ``"OT"``, or ``"DX"``/``"CR"`` for a radiograph, so that analyses find it.
        body_part: Body Part Examined, e.g. ``"CHEST"``.
        view: View Position, e.g. ``"PA"``.
        patient_id: Patient ID; by default the part of the name that names a person.

    Raises:
        Refused: when the bytes are no readable JPEG or PNG.
        LimitReached: when the picture is larger than any real one.
    """
    if not data.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")):
        raise Refused(f"{name} is neither JPEG nor PNG", "only these are wrapped", "convert it to PNG")
    picture = _opened(data, name)
    digest = hashlib.sha256(data).hexdigest()
    grey = picture.mode in ("L", "1", "I;16", "I") or (modality in _GREY_MODALITIES and _is_grey(picture))
    pixels, kept = _pixels(picture, data, grey)
    dataset = _dataset(name, now, digest, modality, body_part, view, patient_id)
    return _written(
        dataset, picture.size, pixels, kept, data, bits=16 if picture.mode.startswith("I") else 8, grey=grey
    )


def _opened(data: bytes, name: str) -> Any:
    import warnings

    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture = Image.open(io.BytesIO(data), formats=("JPEG", "PNG"))
            if picture.width * picture.height > _LARGEST:
                raise LimitReached(
                    f"{name} has {picture.width} by {picture.height} pixels", "no radiograph is that large", "scale it"
                )
            picture.load()
    except LimitReached:
        raise
    except Exception as fault:  # Pillow's plug-ins raise anything on damaged files
        raise Refused(f"{name} cannot be read as a picture", str(fault), "export it again") from fault
    return picture


def _is_grey(picture: Any) -> bool:
    import numpy as np

    if picture.mode not in ("RGB", "RGBA", "P", "LA"):
        return bool(picture.mode == "L")
    colour = np.asarray(picture.convert("RGB")).astype(np.int16)
    # JPEG rounds each colour by itself: a grey picture stored as colour differs by a level or two.
    return bool((np.ptp(colour, axis=-1) <= 3).all())


def _pixels(picture: Any, data: bytes, grey: bool) -> tuple[bytes, bool]:
    """Native pixel bytes, or none and True where the JPEG is kept as it is."""
    import numpy as np

    if data.startswith(b"\xff\xd8") and _baseline(data):
        channels = {"L": 1, "RGB": 3}.get(picture.mode, 0)
        if (channels == 1 and grey) or (channels == 3 and not grey and not picture.info.get("adobe")):
            return b"", True
    if picture.mode.startswith("I"):
        return np.asarray(picture).astype("<u2").tobytes(), False
    return picture.convert("L" if grey else "RGB").tobytes(), False


def _baseline(data: bytes) -> bool:
    """Whether the JPEG's frame header says baseline (SOF0), by walking its segments."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xC0:
            return True
        if 0xC1 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return False
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return False


def _dataset(name: str, now: datetime, digest: str, modality: str, body_part: str, view: str, patient_id: str) -> Any:
    from pydicom.dataset import Dataset

    name = "".join(c for c in name if c.isprintable())
    patient = patient_id or patient_from_name(name)
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.ImageType = ["DERIVED", "SECONDARY"]
    ds.SOPClassUID = _SECONDARY
    ds.SOPInstanceUID = _uid(digest, "instance")
    ds.StudyInstanceUID = _uid(digest, "study")
    ds.SeriesInstanceUID = _uid(digest, "series")
    ds.StudyDate = ds.StudyTime = ds.AccessionNumber = ds.StudyID = ""
    ds.Modality = modality
    ds.ConversionType = "WSD"
    ds.Manufacturer = ""
    ds.ReferringPhysicianName = ""
    ds.SeriesDescription = re.split(r"[\\/]", name)[-1][:64]
    ds.DateOfSecondaryCapture = now.strftime("%Y%m%d")
    ds.TimeOfSecondaryCapture = now.strftime("%H%M%S")
    ds.SecondaryCaptureDeviceManufacturer = "Isocenter"
    ds.PatientName = ""
    ds.PatientID = patient
    ds.PatientBirthDate = ds.PatientSex = ds.PatientOrientation = ""
    ds.SeriesNumber, ds.InstanceNumber = 1, 1
    if body_part:
        ds.BodyPartExamined = body_part
    else:
        ds.Laterality = ""  # of an unknown part it must stand there, if only without a value
    if view:
        ds.ViewPosition = view
    return ds


def _uid(digest: str, part: str) -> str:
    number = int.from_bytes(hashlib.sha256(f"{digest}/{part}".encode()).digest()[:16], "big")
    return f"2.25.{number}"


def _written(ds: Any, size: tuple[int, int], pixels: bytes, kept: bool, data: bytes, *, bits: int, grey: bool) -> bytes:
    from pydicom import dcmwrite
    from pydicom.dataset import FileMetaDataset
    from pydicom.encaps import encapsulate

    ds.SamplesPerPixel = 1 if grey else 3
    ds.PhotometricInterpretation = "MONOCHROME2" if grey else ("YBR_FULL_422" if kept else "RGB")
    if not grey:
        ds.PlanarConfiguration = 0
    ds.Columns, ds.Rows = size
    ds.BitsAllocated = ds.BitsStored = bits
    ds.HighBit, ds.PixelRepresentation = bits - 1, 0
    if data.startswith(b"\xff\xd8"):
        ds.LossyImageCompression = "01"
        ds.LossyImageCompressionMethod = "ISO_10918_1"
        whole = size[0] * size[1] * (1 if grey else 3)
        ds.LossyImageCompressionRatio = f"{max(whole / len(data), 1.0):.2f}"
    ds.PixelData = encapsulate([data]) if kept else pixels + b"\0" * (len(pixels) % 2)
    ds["PixelData"].VR = "OB" if kept or bits == 8 else "OW"
    if kept:
        ds["PixelData"].is_undefined_length = True
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    meta.TransferSyntaxUID = _BASELINE if kept else _EXPLICIT
    meta.ImplementationClassUID = "2.25.260117045217312806912906482360013561007"
    ds.file_meta = meta
    out = io.BytesIO()
    dcmwrite(out, ds, enforce_file_format=True)
    return out.getvalue()
