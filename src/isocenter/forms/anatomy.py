"""The anatomy under a map: the grey image of the source series, sampled on slices of the map's grid.

The window is that of the image's own header, as a reader would see it first. Pixels of the map find their pixel of the
image through the patient, so that a grid whose rows or columns were turned round still lies right.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.dicom.pixels import rendered
from isocenter.errors import IsocenterError
from isocenter.forms.maker import Sources
from isocenter.forms.planes import Plane, planes
from isocenter.record import Map, Study
from isocenter.space import Geometry, Reference, Region, Shape

__all__ = ["anatomy"]


def anatomy(of: Map, which: Iterable[int], study: Study, sources: Sources) -> dict[int, npt.NDArray[np.uint8]]:
    """Slice of the map -> (rows, columns) grey on the map's grid; a slice that no image carries is left out.

    A map without its images is still a map: what cannot be read costs the anatomy and not the figure.
    """
    middle = [(n - 1) / 2 for n in of.geometry.shape]
    anchor = Region(of.geometry, Shape.POINT, points_mm=of.geometry.to_patient([middle]), series_uid=of.series_uid)
    try:
        found = planes(study, anchor, sources)
    except IsocenterError:
        return {}
    grey = {}
    for k in which:
        if k not in found:
            continue
        try:
            picture = _picture(found[k], sources)
        except IsocenterError:
            continue
        lies = _lies(found[k], of.geometry, k, picture.shape)
        if lies is not None:
            grey[k] = _sampled(picture, *lies)
    return grey


def _picture(plane: Plane, sources: Sources) -> npt.NDArray[np.uint8]:
    from PIL import Image

    data = rendered(sources(plane.sop_uid), max(0, plane.frame - 1) if plane.frame else 0)
    return np.asarray(Image.open(io.BytesIO(data)).convert("L"))


def _lies(
    plane: Plane, grid: Geometry, k: int, size: tuple[int, ...]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None:
    """Row and column of the image for each pixel of slice `k`; None where the header does not say where it lies."""
    rows, columns = np.meshgrid(np.arange(grid.shape[1]), np.arange(grid.shape[2]), indexing="ij")
    if grid.reference != Reference.PATIENT:
        return (rows, columns) if grid.shape[1:] == size else None
    position, orientation, spacing = (_said(plane, w) for w in _PLACE)
    if position is None or orientation is None or spacing is None:
        return None
    at = grid.to_patient(np.stack([np.full(rows.shape, k), rows, columns], axis=-1)) - np.asarray(position, float)
    along = np.asarray(orientation, float).reshape(2, 3)
    return (
        np.round(at @ along[1] / float(spacing[0])).astype(np.int64),
        np.round(at @ along[0] / float(spacing[1])).astype(np.int64),
    )


_PLACE = (
    ("ImagePositionPatient", "PlanePositionSequence"),
    ("ImageOrientationPatient", "PlaneOrientationSequence"),
    ("PixelSpacing", "PixelMeasuresSequence"),
)


def _said(plane: Plane, where: tuple[str, str]) -> Any:
    """A value of the image, or of the functional groups of its frame or of all its frames."""
    keyword, sequence = where
    groups = []
    if plane.frame:
        groups += list(plane.image.get("PerFrameFunctionalGroupsSequence", []))[plane.frame - 1 : plane.frame]
        groups += list(plane.image.get("SharedFunctionalGroupsSequence", []))
    for group in groups:
        if sequence in group and keyword in group[sequence][0]:
            return group[sequence][0][keyword].value
    return plane.image.get(keyword)


def _sampled(
    picture: npt.NDArray[np.uint8], rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]
) -> npt.NDArray[np.uint8]:
    inside = (rows >= 0) & (rows < picture.shape[0]) & (columns >= 0) & (columns < picture.shape[1])
    return np.where(inside, picture[np.where(inside, rows, 0), np.where(inside, columns, 0)], 0).astype(np.uint8)
