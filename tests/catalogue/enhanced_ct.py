"""Classic CT series as Enhanced CT images by hand (PS3.3 A.38), with the groups that scanners write there."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from functional_groups import blanked, item, whole
from pydicom.dataset import Dataset

__all__ = ["enhanced"]

_OF_FRAMES = (
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "SpacingBetweenSlices", "KVP",
    "ConvolutionKernel", "RescaleIntercept", "RescaleSlope", "RescaleType", "SliceLocation", "AcquisitionTime",
    "AcquisitionDate", "AcquisitionNumber", "ContrastBolusAgent", "ScanOptions", "HeartRate", "WindowCenter",
    "WindowWidth", "XRayTubeCurrent", "Exposure", "GantryDetectorTilt",
)  # fmt: skip


def enhanced(
    files: Sequence[bytes],
    *,
    order: Sequence[int] | None = None,
    slopes: Sequence[float] | None = None,
    stack: Callable[[int, Any], str] = lambda n, ds: "1",
    change: Callable[[Any], None] = lambda made: None,
) -> list[bytes]:
    """One object for the CT images among the files, the others as they are.

    Args:
        order: of the frames. slopes: of the frames as they lie in `files`; stored values are made anew by them.
        stack: the name of the stack in which an image lies. change: what else becomes of the object.
    """
    images = [ds for data in files if (ds := pydicom.dcmread(io.BytesIO(data))).Modality == "CT"]
    others = [data for data in files if pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True).Modality != "CT"]
    first = images[0]
    made = blanked(first, "1.2.840.10008.5.1.4.1.1.2.1", _OF_FRAMES)
    if "HeartRate" in first:
        made.CardiacSynchronizationTechnique = "PROSPECTIVE"
    if first.get("ContrastBolusAgent"):
        agent = item(CodeValue="xyz", CodingSchemeDesignator="99X", CodeMeaning=first.ContrastBolusAgent)
        made.ContrastBolusAgentSequence = agent
    shared = Dataset()
    shared.PlaneOrientationSequence = item(ImageOrientationPatient=first.ImageOrientationPatient)
    made.SharedFunctionalGroupsSequence = [shared]
    numbers = list(range(len(images))) if order is None else list(order)
    slopes = slopes or [float(first.RescaleSlope)] * len(images)
    made.PerFrameFunctionalGroupsSequence = [_frame(images[n], stack(n, images[n]), slopes[n], n) for n in numbers]
    made.NumberOfFrames = len(numbers)
    made.PixelData = b"".join(_stored(images[n], slopes[n]) for n in numbers)
    change(made)
    return [whole(made), *others]


def _stored(one: Any, slope: float) -> bytes:
    if slope == float(one.RescaleSlope):
        return bytes(one.PixelData)
    pixels: npt.NDArray[Any] = one.pixel_array
    return np.round(pixels * (float(one.RescaleSlope) / slope)).astype(pixels.dtype).tobytes()


def _frame(one: Any, stack: str, slope: float, number: int) -> Dataset:
    own = Dataset()
    own.PlanePositionSequence = item(ImagePositionPatient=one.ImagePositionPatient)
    thickness = {"PixelSpacing": one.PixelSpacing, "SliceThickness": one.SliceThickness}
    own.PixelMeasuresSequence = item(**thickness)
    own.PixelValueTransformationSequence = item(
        RescaleSlope=slope, RescaleIntercept=one.RescaleIntercept, RescaleType=one.get("RescaleType", "HU")
    )
    frame_type = {"PixelPresentation": "MONOCHROME", "VolumetricProperties": "VOLUME"}
    own.CTImageFrameTypeSequence = item(FrameType=[*one.ImageType[:2], "VOLUME", "NONE"], **frame_type)
    own.CTXRayDetailsSequence = item(KVP=one.KVP)
    own.CTReconstructionSequence = item(ConvolutionKernel=one.ConvolutionKernel)
    moment = f"20260302122000.{number:03d}"
    own.FrameContentSequence = item(StackID=stack, InStackPositionNumber=number + 1, FrameAcquisitionDateTime=moment)
    return own
