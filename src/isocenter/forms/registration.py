"""A rigid registration as a DICOM Spatial Registration object, so that any viewer can lay one scan over another.

The object says where points of one frame of reference lie in another. How well it fits stands in its comment, for the
standard has no place for it; of an object from elsewhere the comment is given as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.forms import maker
from isocenter.forms.maker import Sources
from isocenter.record import Series, Study

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["Joined", "read", "write"]

_STORAGE = "1.2.840.10008.5.1.4.1.1.66.1"
_LONGEST = 64  # characters of a comment (VR LO) and of a component of a name
_TOLD = re.compile(r"residual ([0-9.]+) mm")


@dataclass(frozen=True, eq=False)
class Joined:
    """Two frames of reference and how one lies in the other.

    Args:
        moving, fixed: Frame of Reference UIDs.
        matrix: (4, 4) from the moving frame's millimetres to the fixed frame's (LPS).
        words: how well it fits, as the object says it.
        by: who accepted it.
    """

    moving: str
    fixed: str
    matrix: npt.NDArray[np.float64]
    words: str = ""
    by: str = ""

    @property
    def residual_mm(self) -> float | None:
        """How far there and back again misses, where the object says so in our words."""
        told = _TOLD.search(self.words)
        return float(told[1]) if told else None


def write(
    joined: Joined, study: Study, sources: Sources, *, of: Iterable[tuple[Study, Series]] = (), when: datetime
) -> bytes:
    """A Spatial Registration object (PS3.3 A.39.1) of two frames of reference.

    Args:
        study: the study to file it with; its first image lends patient and study.
        of: the series that were registered, each with its study; the object names them (PS3.3 C.12.2).

    Raises:
        Refused: when a frame has no UID or both are one, the matrix is not rigid, or the study has no instance.
    """
    if not joined.moving or not joined.fixed or joined.moving == joined.fixed:
        raise Refused(
            "a registration without two frames of reference",
            "it joins two that differ",
            "name the two frames of reference",
        )
    _must_be_rigid(joined.matrix)
    # Of the same result at another time it is another object: an archive holds one content under one UID.
    identity = repr((joined.moving, joined.fixed, np.round(joined.matrix, 6).tolist(), joined.by, when.isoformat()))
    made = maker.filed(study, sources, _STORAGE, "registration", identity)
    made.SeriesInstanceUID = maker.uid(study.uid, "registration", "series", identity)
    made.SeriesNumber, made.Modality = 9005, "REG"
    made.SeriesDescription = "Registration"
    made.FrameOfReferenceUID = joined.fixed
    made.PositionReferenceIndicator = ""
    made.ContentLabel, made.ContentDescription = "REGISTRATION", joined.words[:_LONGEST]
    made.ContentCreatorName = joined.by[:_LONGEST]
    made.RegistrationSequence = [
        _item(joined.fixed, np.eye(4), ""), _item(joined.moving, joined.matrix, joined.words[:_LONGEST]),
    ]  # fmt: skip
    _name(made, study, of)
    maker.settle(made, when, study.uid, "registration", identity)
    return maker.dump(made)


def read(data: bytes) -> list[Joined]:
    """Every frame of reference that an object registers rigidly with its own.

    Raises:
        Refused: when it is no Spatial Registration, or a matrix is not rigid.
    """
    with maker.reading("a spatial registration"):
        found = maker.load(data)
        if found.get("SOPClassUID") != _STORAGE or not found.get("FrameOfReferenceUID"):
            raise Refused(
                f"an object of SOP Class {found.get('SOPClassUID')}",
                "it registers nothing",
                "choose a Spatial Registration",
            )
        fixed, told = str(found.FrameOfReferenceUID), []
        for item in found.RegistrationSequence:
            moving = str(item.get("FrameOfReferenceUID", ""))
            if not moving or moving == fixed:
                continue
            matrix, words = np.eye(4), ""
            for step in item.MatrixRegistrationSequence:  # applied in the order of the sequence (PS3.3 C.20.2)
                for one in step.MatrixSequence:
                    numbers = np.array([float(v) for v in one.FrameOfReferenceTransformationMatrix])
                    matrix = numbers.reshape(4, 4) @ matrix
                words = str(step.get("FrameOfReferenceTransformationComment", "")) or words
            _must_be_rigid(matrix)
            told.append(Joined(moving, fixed, matrix, words, str(found.get("ContentCreatorName", ""))))
        return told


def _name(made: Dataset, study: Study, of: Iterable[tuple[Study, Series]]) -> None:
    """Which images were registered: of this study, and of others."""
    from pydicom import Dataset

    own: list[Dataset] = []
    elsewhere: list[Dataset] = []
    for where, series in of:
        item = Dataset()
        item.SeriesInstanceUID, item.ReferencedInstanceSequence = series.uid, []
        for instance in series.instances:
            image = Dataset()
            image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = instance.sop_class, instance.sop_uid
            item.ReferencedInstanceSequence.append(image)
        if where.uid == study.uid:
            own.append(item)
            continue
        other = Dataset()
        other.StudyInstanceUID, other.ReferencedSeriesSequence = where.uid, [item]
        elsewhere.append(other)
    if own:
        made.ReferencedSeriesSequence = own
    if elsewhere:
        made.StudiesContainingOtherReferencedInstancesSequence = elsewhere


def _item(frame: str, matrix: npt.NDArray[np.float64], words: str) -> Dataset:
    from pydicom import Dataset

    one, step, item = Dataset(), Dataset(), Dataset()
    one.FrameOfReferenceTransformationMatrixType = "RIGID"
    one.FrameOfReferenceTransformationMatrix = [f"{v:.9g}" for v in matrix.ravel()]
    step.MatrixSequence = [one]
    step.RegistrationTypeCodeSequence = []
    if words:
        step.FrameOfReferenceTransformationComment = words
    item.FrameOfReferenceUID = frame
    item.MatrixRegistrationSequence = [step]
    return item


def _must_be_rigid(matrix: npt.NDArray[np.float64]) -> None:
    turn = matrix[:3, :3]
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or np.abs(matrix[3] - (0, 0, 0, 1)).max() > 1e-6:
        raise Refused(
            "a matrix that moves nothing",
            "a registration has 4 x 4 numbers, the last row 0 0 0 1",
            "give such a matrix",
        )
    if np.abs(turn @ turn.T - np.eye(3)).max() > 1e-4 or np.linalg.det(turn) < 0:
        raise Refused(
            "a matrix that stretches or mirrors", "only turns and shifts lay one scan over another", "give a rigid one"
        )
