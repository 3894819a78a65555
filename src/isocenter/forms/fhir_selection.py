"""Where a finding lies, as FHIR R5 ImagingSelection: the images, and the outline on each in patient space.

A mask is given by its closed outlines (R5 `imageRegion3D`, millimetres in the frame of reference), holes included; a
region of more points than `MOST` names its images only, since the segmentation object holds it. R4 has no such
resource. Sources: HL7 FHIR R5 (5.0.0) ImagingSelection; HL7 DICOM SR to FHIR (graphic types as in DICOM SCOORD3D).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from isocenter.forms.contours import contours
from isocenter.record import Series, Study
from isocenter.space import Geometry, Reference, Region, Shape

__all__ = ["MOST", "graphics", "instances", "selection"]

MOST: Final = 20_000
"""Points of one region that are written; more is a matter of the segmentation object."""
_OF_INTEREST: Final = {
    "system": "http://dicom.nema.org/resources/ontology/DCM", "code": "113000", "display": "Of Interest",
}  # fmt: skip
_KIND: Final = {Shape.POINT: "point", Shape.POLYLINE: "polyline", Shape.ELLIPSE: "ellipse"}
_DIGITS: Final = 3  # thousandths of a millimetre


def selection(study: Study, where: Region, id: str) -> dict[str, Any] | None:
    """The resource, without subject, performer and label; None where the images of the region are not in the study."""
    series = next((s for s in study.series if s.uid == where.series_uid), None)
    if series is None:
        return None
    images = instances(series, where)
    if not images:
        return None
    told: dict[str, Any] = {
        "resourceType": "ImagingSelection",
        "id": id,
        "status": "available",
        "code": {"coding": [_OF_INTEREST]},
        "studyUid": study.uid,
        "seriesUid": series.uid,
        "instance": images,
    }
    if frame := where.geometry.frame_of_reference or series.frame_of_reference:
        told["frameOfReferenceUid"] = frame
    return told


def instances(series: Series, where: Region) -> list[dict[str, Any]]:
    """The images that a region lies on, with what is drawn on each."""
    kind = "imageRegion3D" if where.geometry.reference is Reference.PATIENT else "imageRegion2D"
    drawn: dict[str, list[dict[str, Any]]] = {}
    points = 0
    for index, shape, line in graphics(where):
        points += len(line)
        image = _image(series, where, index)
        if image is not None:
            flat = [round(float(v), _DIGITS) for v in line.ravel()]
            drawn.setdefault(image, []).append({"regionType": shape, "coordinate": flat})
    made: list[dict[str, Any]] = []
    for one in series.instances:
        if one.sop_uid in drawn:
            named = {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{one.sop_class}"}
            told: dict[str, Any] = {"uid": one.sop_uid, "sopClass": named}
            if one.number is not None and one.number >= 0:
                told["number"] = one.number
            made.append(told if points > MOST else told | {kind: drawn[one.sop_uid]})
    return made


def graphics(where: Region) -> Iterator[tuple[int, str, npt.NDArray[np.float64]]]:
    """What a region is drawn by: slice of its grid, kind as FHIR has it, and points.

    Points are (x, y, z) millimetres in patient space; of an image without one (column, row), where the corner of the
    first pixel is (0, 0).
    """
    if where.geometry.reference is not Reference.PATIENT:
        for index in _slices(where):
            for line in contours(where, index):
                yield index, "point" if where.shape is Shape.POINT else "polyline", line + 0.5
    elif where.mask is None and where.shape in _KIND:
        assert where.points_mm is not None
        yield next(iter(_slices(where))), _KIND[where.shape], where.points_mm
    else:
        for index in _slices(where):
            for line in contours(where, index):
                yield index, "polygon", _in_patient(where.geometry, index, line)


def _slices(where: Region) -> range:
    if where.mask is None:
        assert where.points_mm is not None
        index = round(float(where.geometry.to_index(where.points_mm)[:, 0].mean()))
        return range(index, index + 1)
    return range(where.bounds[0][0], where.bounds[1][0]) if where.voxels else range(0)


def _in_patient(grid: Geometry, index: int, line: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return grid.to_patient(np.column_stack([np.full(len(line), float(index)), line[:, 1], line[:, 0]]))


def _image(series: Series, where: Region, index: int) -> str | None:
    """The image of a slice: the one named, the only one, or the nearest along the normal of the grid."""
    if where.instance_uid or len(series.instances) == 1:
        return where.instance_uid or series.instances[0].sop_uid
    centre = where.geometry.to_patient([float(index), 0.0, 0.0])
    normal = np.cross(where.geometry.directions[:, 1], where.geometry.directions[:, 2])
    apart = [
        (abs(float((np.asarray(place, float) - centre) @ normal)), one.sop_uid)
        for one in series.instances
        if (place := one.facts.get("ImagePositionPatient")) is not None and len(place) == 3
    ]
    nearest = min(apart, default=None)
    thick = where.geometry.spacing_mm[0]
    return nearest[1] if nearest is not None and nearest[0] <= thick else None
