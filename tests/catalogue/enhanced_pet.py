"""Classic PET series as Enhanced PET images by hand (PS3.3 A.56), with the groups that scanners write there."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pydicom
from functional_groups import blanked, item, whole
from pydicom.dataset import Dataset

__all__ = ["enhanced", "units"]

_OF_FRAMES = (
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "SliceLocation",
    "RescaleIntercept", "RescaleSlope", "RescaleType", "AcquisitionTime", "AcquisitionDate", "FrameReferenceTime",
    "ActualFrameDuration", "ImageIndex", "NumberOfSlices", "DecayFactor", "WindowCenter", "WindowWidth", "Units",
    "DecayCorrection", "CorrectedImage", "SeriesType", "CountsSource", "RandomsCorrectionMethod",
    "AttenuationCorrectionMethod", "ScatterCorrectionMethod",
)  # fmt: skip
_CORRECTIONS = {
    "DecayCorrected": "DECY", "AttenuationCorrected": "ATTN", "ScatterCorrected": "SCAT", "DeadTimeCorrected": "DTIM",
    "CountLossNormalizationCorrected": "NORM", "RandomsCorrected": "RAN",
}  # fmt: skip
_UNITS = {"BQML": "Bq/ml", "GML": "g/ml{SUVbw}"}
_REAL, _TRANSFORM = "RealWorldValueMappingSequence", "PixelValueTransformationSequence"


def units(slope: float, unit: str = "Bq/ml", last: int = 32767) -> list[Dataset]:
    """One real-world value map."""
    said = item(CodeValue=unit, CodingSchemeDesignator="UCUM", CodeMeaning=unit)
    return item(
        RealWorldValueFirstValueMapped=0, RealWorldValueLastValueMapped=last, RealWorldValueIntercept=0.0,
        RealWorldValueSlope=float(slope), LUTExplanation="PET", LUTLabel="PET", MeasurementUnitsCodeSequence=said,
    )  # fmt: skip


def enhanced(
    files: Sequence[bytes],
    *,
    order: Sequence[int] | None = None,
    stack: Callable[[int], str] = lambda n: "1",
    change: Callable[[Any], None] = lambda made: None,
) -> list[bytes]:
    """One object for each PET series among the files, the others as they are.

    Args:
        order: of the frames. stack: the name of the stack in which an image lies. change: what else becomes of the
            object.
    """
    held: dict[str, list[Any]] = {}
    others = []
    for data in files:
        ds = pydicom.dcmread(io.BytesIO(data))
        if ds.Modality == "PT":
            held.setdefault(str(ds.SeriesInstanceUID), []).append(ds)
        else:
            others.append(data)
    return [*(_one(images, order or range(len(images)), stack, change) for images in held.values()), *others]


def _one(images: list[Any], order: Sequence[int], stack: Callable[[int], str], change: Callable[[Any], None]) -> bytes:
    images = sorted(images, key=lambda ds: float(ds.ImagePositionPatient[2]))
    first = images[0]
    made = blanked(first, "1.2.840.10008.5.1.4.1.1.130", _OF_FRAMES)
    for keyword, word in _CORRECTIONS.items():
        setattr(made, keyword, "YES" if word in first.CorrectedImage else "NO")
    begun = _moment(first)
    made.DecayCorrectionDateTime = _dicom(begun)
    tracer = made.RadiopharmaceuticalInformationSequence[0]
    if "RadiopharmaceuticalStartTime" in tracer:
        del tracer.RadiopharmaceuticalStartTime  # enhanced images have the date-time alone
    shared = Dataset()
    shared.PlaneOrientationSequence = item(ImageOrientationPatient=first.ImageOrientationPatient)
    measures = {"PixelSpacing": first.PixelSpacing, "SliceThickness": first.SliceThickness}
    shared.PixelMeasuresSequence = item(**measures)
    made.SharedFunctionalGroupsSequence = [shared]
    made.PerFrameFunctionalGroupsSequence = [_frame(images[n], stack(n), n) for n in order]
    made.NumberOfFrames = len(order)
    made.PixelData = b"".join(bytes(images[n].PixelData) for n in order)
    change(made)
    return whole(made)


def _moment(one: Any) -> datetime:
    return datetime.strptime(f"{one.AcquisitionDate}{str(one.AcquisitionTime)[:6]}", "%Y%m%d%H%M%S")


def _dicom(moment: datetime) -> str:
    return moment.strftime("%Y%m%d%H%M%S.00")


def _frame(one: Any, stack: str, number: int) -> Dataset:
    own = Dataset()
    own.PlanePositionSequence = item(ImagePositionPatient=one.ImagePositionPatient)
    slope = float(one.RescaleSlope)
    setattr(own, _TRANSFORM, item(RescaleSlope=one.RescaleSlope, RescaleIntercept=0, RescaleType="US"))
    setattr(own, _REAL, units(slope, _UNITS[one.Units]))
    frame_type = {"PixelPresentation": "MONOCHROME", "VolumetricProperties": "VOLUME"}
    own.PETFrameTypeSequence = item(FrameType=[*one.ImageType[:2], "VOLUME", "NONE"], **frame_type)
    begun = _moment(one)
    middle = begun + timedelta(milliseconds=float(one.FrameReferenceTime))
    own.FrameContentSequence = item(
        StackID=stack, InStackPositionNumber=number + 1, FrameAcquisitionDateTime=_dicom(begun),
        FrameReferenceDateTime=_dicom(middle), FrameAcquisitionDuration=float(one.ActualFrameDuration),
        TemporalPositionIndex=1,
    )  # fmt: skip
    return own
