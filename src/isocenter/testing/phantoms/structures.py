"""An RTSTRUCT of closed outlines on an in-silico series, as a contouring workstation writes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.testing.phantoms.patient import Person, new, written

__all__ = ["Outline", "structure_set"]

Outline = tuple[npt.NDArray[np.float64], str]
"""Corners (n, 3) in patient millimetres, and the SOP Instance UID of the image they were drawn on."""


def structure_set(
    kind: str,
    person: Person,
    image: Any,
    outlines: Mapping[str, Sequence[Outline]],
    *,
    seed: int,
    at: datetime,
    label: str = "OUTLINES",
    series_number: int = 90,
) -> bytes:
    """The whole file.

    Args:
        kind: goes into the UIDs.
        image: dataset of an image of the series that was drawn on: its study, series and frame of reference are named.
        outlines: name of a structure -> its outlines.
    """
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence as Items

    ds = new(
        kind, person, seed=seed, sop_class="1.2.840.10008.5.1.4.1.1.481.3", modality="RTSTRUCT",
        study=str(image.StudyDescription), series=label.title(), at=at, series_number=series_number,
    )  # fmt: skip
    for keyword in ("AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime"):
        delattr(ds, keyword)
    ds.StudyInstanceUID, ds.StudyDate, ds.StudyTime = image.StudyInstanceUID, image.StudyDate, image.StudyTime
    ds.OperatorsName, ds.ApprovalStatus = "", "UNAPPROVED"
    ds.StructureSetLabel, ds.StructureSetName = label[:16], label
    ds.StructureSetDate, ds.StructureSetTime = ds.SeriesDate, ds.SeriesTime
    ds.FrameOfReferenceUID = image.FrameOfReferenceUID

    def named(uid: str) -> Dataset:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = image.SOPClassUID, uid
        return item

    used = sorted({uid for lines in outlines.values() for _, uid in lines})
    series, study, frame = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = image.SeriesInstanceUID
    series.ContourImageSequence = Items([named(uid) for uid in used])
    study.ReferencedSOPClassUID, study.ReferencedSOPInstanceUID = "1.2.840.10008.3.1.2.3.1", image.StudyInstanceUID
    study.RTReferencedSeriesSequence = Items([series])
    frame.FrameOfReferenceUID = image.FrameOfReferenceUID
    frame.RTReferencedStudySequence = Items([study])
    ds.ReferencedFrameOfReferenceSequence = Items([frame])
    rois, drawn, said = [], [], []
    for number, (name, lines) in enumerate(outlines.items(), 1):
        roi, outline, observation = Dataset(), Dataset(), Dataset()
        roi.ROINumber, roi.ReferencedFrameOfReferenceUID = number, image.FrameOfReferenceUID
        roi.ROIName, roi.ROIGenerationAlgorithm = name, "MANUAL"
        contours = []
        for points, uid in lines:
            contour = Dataset()
            contour.ContourImageSequence = Items([named(uid)])
            contour.ContourGeometricType, contour.NumberOfContourPoints = "CLOSED_PLANAR", len(points)
            contour.ContourData = [f"{v:.4f}" for v in np.asarray(points, dtype=np.float64).ravel()]
            contours.append(contour)
        outline.ROIDisplayColor, outline.ReferencedROINumber = [255, 120, 0], number
        outline.ContourSequence = Items(contours)
        observation.ObservationNumber, observation.ReferencedROINumber = number, number
        observation.RTROIInterpretedType, observation.ROIInterpreter = "ORGAN", ""
        rois.append(roi)
        drawn.append(outline)
        said.append(observation)
    ds.StructureSetROISequence, ds.ROIContourSequence = Items(rois), Items(drawn)
    ds.RTROIObservationsSequence = Items(said)
    return written(ds, 1)
