"""DICOM objects made for tests: small, legal, and crooked only where a test asks for it."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset

from isocenter.dicom.header import merge, read_header
from isocenter.record import Series

CT, MR, PT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.128"
SC, DX, US = "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.1.1", "1.2.840.10008.5.1.4.1.1.3.1"
ENHANCED_MR, RTSTRUCT = "1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.5.1.4.1.1.481.3"
ENHANCED_CT, ENHANCED_PET = "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.130"
IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
DEFLATED, RLE, J2K = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.90"
SAMPLES = Path(pydicom.__file__).parent / "data" / "test_files"
CHARSETS = SAMPLES.parent / "charset_files"

DATA = Path(os.environ.get("ISOCENTER_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
REFERENCE = Path(os.environ.get("ISOCENTER_REFERENCE", Path(__file__).parents[2].parent / "shared" / "reference"))


def needs(path: Path) -> pytest.MarkDecorator:
    """Skip with the reason where real data is absent."""
    return pytest.mark.skipif(not path.exists(), reason=f"{path.name} is not there (set ISOCENTER_DATA)")


def dataset(
    number: int = 1,
    *,
    sop_class: str = CT,
    modality: str = "CT",
    pixels: np.ndarray | None = None,
    series: str = "1.2.3.4",
    study: str = "1.2.3",
    **facts: Any,
) -> Dataset:
    """One instance; `facts` set attributes by keyword, and None removes one."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = sop_class
    ds.SOPInstanceUID = f"{series}.{number}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study, series
    ds.Modality = modality
    ds.PatientID, ds.PatientName = "P1", "Test^Person"
    ds.StudyDate, ds.SeriesNumber, ds.InstanceNumber = "20260102", 1, number
    ds.FrameOfReferenceUID = "1.2.9"
    ds.ImagePositionPatient = [0.0, 0.0, float(number)]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing, ds.SliceThickness = [1.0, 1.0], 1.0
    if modality in ("CT", "PT"):
        ds.RescaleSlope, ds.RescaleIntercept = 1, -1024 if modality == "CT" else 0
    put_pixels(ds, np.full((4, 6), 1000 + number, np.uint16) if pixels is None else pixels)
    for keyword, value in facts.items():
        if value is None:
            ds.pop(keyword, None)
        else:
            setattr(ds, keyword, value)
    return ds


def put_pixels(ds: Dataset, pixels: np.ndarray) -> None:
    """Pixels and their description; (rows, columns), (frames, rows, columns) or with three colours behind."""
    colour = pixels.ndim >= 3 and pixels.shape[-1] == 3
    spatial = pixels.shape[:-1] if colour else pixels.shape
    ds.SamplesPerPixel = 3 if colour else 1
    ds.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        ds.PlanarConfiguration = 0
    if len(spatial) == 3:
        ds.NumberOfFrames = spatial[0]
    ds.Rows, ds.Columns = spatial[-2:]
    bits = pixels.dtype.itemsize * 8
    ds.BitsAllocated = ds.BitsStored = bits
    ds.HighBit, ds.PixelRepresentation = bits - 1, int(pixels.dtype.kind == "i")
    raw = pixels.tobytes()
    ds.PixelData = raw + b"\0" * (len(raw) % 2)
    ds["PixelData"].VR = "OB" if bits == 8 else "OW"


def written(ds: Dataset, syntax: str = EXPLICIT) -> bytes:
    """The Part 10 file of a data set."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = EXPLICIT if syntax in (RLE, J2K) else syntax
    out = io.BytesIO()
    if syntax in (RLE, J2K):
        ds.compress(syntax, generate_instance_uid=False)
    if syntax == BIG:
        pydicom.dcmwrite(out, swapped(ds), enforce_file_format=True)
    else:
        pydicom.dcmwrite(out, ds, enforce_file_format=True)
    return out.getvalue()


def swapped(ds: Dataset) -> Dataset:
    """The same data set with its pixel words in big-endian order, as that transfer syntax asks."""
    if "PixelData" in ds and ds.BitsAllocated == 16:
        ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
        ds["PixelData"].VR = "OW"
    return ds


def made(number: int = 1, *, syntax: str = EXPLICIT, **facts: Any) -> bytes:
    """One instance as bytes."""
    return written(dataset(number, **facts), syntax)


def stack(count: int = 5, step_mm: float = 1.0, **facts: Any) -> list[bytes]:
    """A plain stack of slices along z."""
    return [made(n, **{"ImagePositionPatient": [0.0, 0.0, n * step_mm], **facts}) for n in range(1, count + 1)]


def record(files: list[bytes]) -> tuple[Series, Callable[[str], bytes]]:
    """The merged series of files, and a reader of them."""
    records = [read_header(data) for data in files]
    held = {r.series[0].instances[0].digest: data for r, data in zip(records, files, strict=True)}
    (study,) = merge(records)
    return study.series[0], held.__getitem__


def nested(depth: int) -> Dataset:
    """A data set with sequences in sequences."""
    inner = Dataset()
    inner.CodeValue = "1"
    for _ in range(depth):
        outer = Dataset()
        outer.ConceptNameCodeSequence = [inner]
        inner = outer
    return inner
