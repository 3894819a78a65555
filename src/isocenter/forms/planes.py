"""Which image, and which frame of it, carries a slice of a region's grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from isocenter.errors import Refused
from isocenter.forms import maker
from isocenter.forms.maker import Sources
from isocenter.record import Series, Study
from isocenter.space import Geometry, Reference, Region

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["Plane", "cited", "planes"]

_NEAR = 0.1  # of a slice step: an image within it carries the slice


@dataclass(frozen=True, eq=False)
class Plane:
    """One slice on one image: its header, and the frame (from 1) of a multi-frame image; 0 for a single frame."""

    image: Dataset
    frame: int = 0

    @property
    def sop_uid(self) -> str:
        """SOP Instance UID of the image."""
        return str(self.image.SOPInstanceUID)


def planes(study: Study, region: Region, sources: Sources) -> dict[int, Plane]:
    """Slice index of the region's grid -> the image that carries it, ascending; each slice once.

    Where the region names an image, that image goes before others at the same place (another phase, another echo).
    A grid without patient space has one slice, on the image that the region names.

    Raises:
        NotFound: when the study has no such series.
        Refused: when no image of the series lies on the grid, or frames of reference differ.
    """
    series = maker.series_of(study, region.series_uid)
    if not series.instances:
        raise Refused(f"series {series.uid} has no images", "nothing can be cited", "receive its images first")
    if region.geometry.reference != Reference.PATIENT:
        return {0: Plane(_projection(series, region, sources))}
    multi = [i for i in series.instances if i.frames > 1]
    if multi:
        named = [i for i in multi if i.sop_uid == region.instance_uid]
        image = maker.header(sources, (named or multi)[0].sop_uid)
        _share(image)
        found = {k: Plane(image, frame) for k, frame in _frames(image, region.geometry).items()}
    else:
        taken = _instances(series, region, sources)
        found = {k: Plane(maker.header(sources, taken[k])) for k in sorted(taken)}
    if not found:
        raise Refused(
            f"no image of series {series.uid} lies on the region's slices",
            "the region was not made on this series",
            "resample it onto the series, or name the right one",
        )
    _must_be_in_frame(next(iter(found.values())).image, region.geometry)
    return found


def cited(found: dict[int, Plane]) -> list[Dataset]:
    """The images of these planes, each once."""
    return list({p.sop_uid: p.image for p in found.values()}.values())


def _instances(series: Series, region: Region, sources: Sources) -> dict[int, str]:
    taken: dict[int, str] = {}
    for instance in sorted(series.instances, key=lambda i: i.sop_uid != region.instance_uid):
        position = instance.facts.get("ImagePositionPatient")
        if position is None:
            position = maker.load(sources(instance.sop_uid), pixels=False).get("ImagePositionPatient")
        if position is not None and (k := _slice(region.geometry, position)) is not None:
            taken.setdefault(k, instance.sop_uid)
    return taken


def _frames(image: Dataset, grid: Geometry) -> dict[int, int]:
    taken: dict[int, int] = {}
    for number, group in enumerate(image.get("PerFrameFunctionalGroupsSequence", []), start=1):
        if "PlanePositionSequence" in group:
            k = _slice(grid, group.PlanePositionSequence[0].ImagePositionPatient)
            if k is not None:
                taken.setdefault(k, number)
    return dict(sorted(taken.items()))


def _share(image: Dataset) -> None:
    """Give the shared groups what only the frames say: highdicom looks for it there, though we state our own grid."""
    shared, frames = image.get("SharedFunctionalGroupsSequence"), image.get("PerFrameFunctionalGroupsSequence")
    for keyword in ("PixelMeasuresSequence", "PlaneOrientationSequence"):
        if shared and frames and keyword not in shared[0] and keyword in frames[0]:
            setattr(shared[0], keyword, getattr(frames[0], keyword))


def _slice(grid: Geometry, position: object) -> int | None:
    # The step along the slice axis decides alone: rows and columns may have been flipped when the grid was made.
    at = float(grid.to_index(np.asarray(position, dtype=np.float64))[0])
    near = round(at)
    return near if abs(at - near) < _NEAR and 0 <= near < grid.shape[0] else None


def _must_be_in_frame(image: Dataset, grid: Geometry) -> None:
    frame = str(image.get("FrameOfReferenceUID", ""))
    if not frame:
        raise Refused(
            f"image {image.SOPInstanceUID} names no frame of reference",
            "a region in patient space must say in which space it lies",
            "give the region in the pixels of the image instead",
        )
    if grid.frame_of_reference and grid.frame_of_reference != frame:
        raise Refused(
            f"a region in frame of reference {grid.frame_of_reference} on images in {frame}",
            "it would be shown at another place",
            "register the region to the series first",
        )


def _projection(series: Series, region: Region, sources: Sources) -> Dataset:
    wanted = region.instance_uid or (series.instances[0].sop_uid if len(series.instances) == 1 else "")
    if not wanted:
        raise Refused(
            f"a region on one of {len(series.instances)} images without saying which",
            "they share no patient space",
            "name the image in instance_uid",
        )
    image = maker.header(sources, wanted)
    size = (int(image.Rows), int(image.Columns))
    if size != region.geometry.shape[1:]:
        raise Refused(
            f"a region on a grid of {region.geometry.shape[1:]} for an image of {size}",
            "without patient space it must lie pixel for pixel on the image",
            "outline it on this image",
        )
    if "ImageOrientationPatient" not in image and "FrameOfReferenceUID" in image:
        del image.FrameOfReferenceUID  # it names a space in which the image does not say where it lies
    return image
