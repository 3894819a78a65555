"""Studies of balls in a jar with a Segmentation as other programs write it: by pydicom alone, frame by frame."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items

from isocenter.testing.phantoms.patient import Person, new, put_pixels, uid, written

LIVER, SPLEEN, KIDNEY, MASS = "10200004", "78961009", "64033007", "4147007"
OLD_LIVER = "T-62000"
WHO = Person("THIRD", "PHANTOM^THIRD", "F", "19610214", 1.66, 68.0)
SLICES, SIDE, MM, STEP_MM = 16, 40, 2.0, 4.0
HERE, THERE = (26.0, 30.0, 30.0), (58.0, 52.0, 34.0)
Part = tuple[str, str, Any]
"""Label, code, and (slices, rows, columns) what it marks: bool, or from 0 to 1."""


def ball(centre: tuple[float, float, float], radius_mm: float, *, soft: bool = False) -> Any:
    steps = (np.arange(SLICES) * STEP_MM, np.arange(SIDE) * MM, np.arange(SIDE) * MM)
    z, y, x = np.meshgrid(*steps, indexing="ij")
    away = np.linalg.norm(np.stack([x, y, z], axis=-1) - centre, axis=-1)
    return np.clip((radius_mm - away) / MM + 0.5, 0.0, 1.0) if soft else away <= radius_mm


def images(day: int, *, who: Person = WHO, frame: str = "one", modality: str = "CT") -> list[bytes]:
    at = datetime(2026, 1, 5, 9) + timedelta(days=day)
    kind = {"CT": "1.2.840.10008.5.1.4.1.1.2", "MR": "1.2.840.10008.5.1.4.1.1.4"}[modality]
    files = []
    for k in range(SLICES):
        ds = new("third", who, seed=day, sop_class=kind, modality=modality, study="jar", series="jar", at=at,
                 series_number=2, body_part="ABDOMEN")  # fmt: skip
        ds.FrameOfReferenceUID, ds.PatientPosition = uid("third", frame), "HFS"
        ds.ImageOrientationPatient, ds.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, k * STEP_MM]
        ds.PixelSpacing, ds.SliceThickness, ds.KVP = [MM, MM], STEP_MM, 120
        ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = -1024, 1, "HU"
        put_pixels(ds, np.full((SIDE, SIDE), 1064, np.uint16), bits=12)
        files.append(written(ds, k + 1))
    return files


def segmentation(files: Sequence[bytes], *parts: Part, fractional: bool = False) -> bytes:
    """Segments numbered from 1 in this order; a label without voxels in a slice has no frame there."""
    src = [pydicom.dcmread(io.BytesIO(f), stop_before_pixels=True) for f in files]
    image = src[0]
    ds = Dataset()
    for keyword in (
        "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate", "StudyTime",
        "FrameOfReferenceUID",
    ):  # fmt: skip
        setattr(ds, keyword, image.get(keyword, ""))
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.66.4", uid("seg", str(image.SOPInstanceUID))
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    ds.SeriesInstanceUID, ds.Modality = uid("segs", str(image.SOPInstanceUID)), "SEG"
    ds.SeriesNumber, ds.InstanceNumber, ds.ImageType = 300, 1, ["DERIVED", "PRIMARY"]
    ds.ContentDate, ds.ContentTime, ds.ContentLabel = image.StudyDate, image.StudyTime, "SEG"
    on = _item(SeriesInstanceUID=image.SeriesInstanceUID, ReferencedInstanceSequence=Items(
        [_item(ReferencedSOPClassUID=s.SOPClassUID, ReferencedSOPInstanceUID=s.SOPInstanceUID) for s in src]
    ))  # fmt: skip
    ds.ReferencedSeriesSequence = Items([on])
    ds.SegmentSequence = Items([_segment(n, label, code) for n, (label, code, _) in enumerate(parts, 1)])
    measures = _item(PixelSpacing=image.PixelSpacing, SliceThickness=STEP_MM, SpacingBetweenSlices=STEP_MM)
    turned = _item(ImageOrientationPatient=image.ImageOrientationPatient)
    ds.SharedFunctionalGroupsSequence = Items(
        [_item(PlaneOrientationSequence=Items([turned]), PixelMeasuresSequence=Items([measures]))]
    )
    frames, marked = [], []
    for n, (_, _, mask) in enumerate(parts, 1):
        for k in (k for k in range(SLICES) if mask[k].any()):
            frames.append(_item(
                PlanePositionSequence=Items([_item(ImagePositionPatient=src[k].ImagePositionPatient)]),
                SegmentIdentificationSequence=Items([_item(ReferencedSegmentNumber=n)]),
            ))  # fmt: skip
            marked.append(mask[k])
    ds.PerFrameFunctionalGroupsSequence, ds.NumberOfFrames = Items(frames), len(frames)
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PixelRepresentation = SIDE, SIDE, 1, 0
    ds.PhotometricInterpretation, ds.SegmentationType = "MONOCHROME2", "FRACTIONAL" if fractional else "BINARY"
    ds.BitsAllocated = ds.BitsStored = 8 if fractional else 1
    ds.HighBit = ds.BitsStored - 1
    array = np.array(marked)
    if fractional:
        ds.MaximumFractionalValue, ds.SegmentationFractionalType = 200, "PROBABILITY"
        data = np.round(array * 200.0).astype(np.uint8).tobytes()
    else:
        data = np.packbits(array.astype(bool).ravel(), bitorder="little").tobytes()
    ds.PixelData = data + b"\0" * (len(data) % 2)
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def _segment(number: int, label: str, code: str) -> Dataset:
    category = ("49755003", "Morphologically Abnormal Structure") if code == MASS else ("123037004", "Anatomical")
    return _item(
        SegmentNumber=number, SegmentLabel=label, SegmentAlgorithmType="SEMIAUTOMATIC", SegmentAlgorithmName="other",
        SegmentedPropertyCategoryCodeSequence=Items([_code(*category)]),
        SegmentedPropertyTypeCodeSequence=Items([_code(code, "what it is")]),
    )  # fmt: skip


def _code(value: str, meaning: str) -> Dataset:
    return _item(CodeValue=value, CodingSchemeDesignator="SRT" if "-" in value else "SCT", CodeMeaning=meaning)


def _item(**values: Any) -> Dataset:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made
