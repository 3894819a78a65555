"""Classic MR series as Enhanced MR images by hand (PS3.3 A.36), with the words that scanners write there."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import pydicom
from functional_groups import blanked, item, whole
from pydicom.dataset import Dataset

__all__ = ["enhanced"]

_OF_FRAMES = (
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "EchoTime", "FlipAngle",
    "RepetitionTime", "ScanningSequence", "SequenceVariant", "ScanOptions", "TemporalPositionIdentifier",
    "NumberOfTemporalPositions", "AcquisitionTime", "AcquisitionDate", "MRAcquisitionType", "EchoTrainLength",
    "TriggerTime", "HeartRate", "NominalInterval", "CardiacNumberOfImages",
)  # fmt: skip


def enhanced(files: Sequence[bytes], *, pulse: str = "GRADIENT", **header: str) -> list[bytes]:
    """One object for each series: echo and flip angle, place and moment of each frame in functional groups.

    Args:
        pulse: Echo Pulse Sequence. header: further keywords of each object.
    """
    series: dict[str, list[Any]] = {}
    for data in files:
        ds = pydicom.dcmread(io.BytesIO(data))
        series.setdefault(str(ds.SeriesInstanceUID), []).append(ds)
    return [_one(images, pulse, header) for images in series.values()]


def _one(images: list[Any], pulse: str, header: dict[str, str]) -> bytes:
    ds = images[0]
    made = blanked(ds, "1.2.840.10008.5.1.4.1.1.4.1", _OF_FRAMES)
    made.EchoPulseSequence, made.Spoiling, made.SteadyStatePulseSequence = pulse, "RF", "NONE"
    for keyword, value in header.items():
        setattr(made, keyword, value)
    made.AcquisitionContrast, made.ImageType = "T1", ["ORIGINAL", "PRIMARY", "DYNAMIC", "NONE"]
    shared = Dataset()
    shared.PixelMeasuresSequence = item(PixelSpacing=ds.PixelSpacing, SliceThickness=ds.SliceThickness)
    shared.PlaneOrientationSequence = item(ImageOrientationPatient=ds.ImageOrientationPatient)
    shared.MREchoSequence = item(EffectiveEchoTime=float(ds.EchoTime))
    frame_type = {"FrameType": made.ImageType, "ComplexImageComponent": "MAGNITUDE", "AcquisitionContrast": "T1"}
    shared.MRImageFrameTypeSequence = item(**frame_type)
    made.SharedFunctionalGroupsSequence = [shared]
    heights = sorted({float(one.ImagePositionPatient[2]) for one in images})
    made.PerFrameFunctionalGroupsSequence = [_frame(one, heights) for one in images]
    made.NumberOfFrames = len(images)
    made.PixelData = b"".join(one.PixelData for one in images)
    return whole(made)


def _frame(one: Any, heights: Sequence[float]) -> Dataset:
    own = Dataset()
    own.PlanePositionSequence = item(ImagePositionPatient=one.ImagePositionPatient)
    timing = {"RepetitionTime": one.RepetitionTime, "FlipAngle": one.FlipAngle, "EchoTrainLength": 1}
    own.MRTimingAndRelatedParametersSequence = item(**timing)
    content = {"StackID": "1", "InStackPositionNumber": 1 + heights.index(float(one.ImagePositionPatient[2]))}
    if "TemporalPositionIdentifier" in one:
        content["TemporalPositionIndex"] = int(one.TemporalPositionIdentifier)
    if "TriggerTime" in one:
        own.CardiacSynchronizationSequence = item(
            NominalCardiacTriggerDelayTime=float(one.TriggerTime), RRIntervalTimeNominal=float(one.NominalInterval)
        )
    moment = f"{one.AcquisitionDate}{one.AcquisitionTime}"
    own.FrameContentSequence = item(FrameAcquisitionDateTime=moment, FrameReferenceDateTime=moment, **content)
    return own
