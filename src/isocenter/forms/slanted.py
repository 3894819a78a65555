"""Segments on slices that do not lie straight above one another, as after a tilt of the gantry.

Their places differ by one vector that is not along their normal. The reader of Segmentations that we use makes grids
with slices at right angles only; the masks of such a CT are put together here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import LimitReached, Refused
from isocenter.space import Geometry

__all__ = ["frames_of", "slanted"]

_BESIDE = 0.05  # of the slice distance: what lies farther from its place on the line is not on the grid
_MOST_SLICES = 20_000


def frames_of(opened: Any, number: int) -> tuple[list[int], npt.NDArray[Any]]:
    """Numbers of the frames of one segment, from 0, and their values; none where the segment has no frame."""
    frames = np.asarray(opened.pixel_array).reshape(-1, int(opened.Rows), int(opened.Columns))
    if opened.SegmentationType == "LABELMAP":
        return list(range(len(frames))), (frames == number).astype(np.uint8)
    shared = opened.SharedFunctionalGroupsSequence[0]
    each = opened.get("PerFrameFunctionalGroupsSequence", [])
    said = [
        int((g if "SegmentIdentificationSequence" in g else shared)
            .SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        for g in each
    ]  # fmt: skip
    mine = [i for i, n in enumerate(said) if n == number]
    array = frames[mine]
    if opened.SegmentationType == "FRACTIONAL":
        array = array.astype(np.float32) / float(opened.MaximumFractionalValue)
    return mine, array


def slanted(opened: Any, number: int) -> tuple[npt.NDArray[Any], Geometry]:
    """One segment on the smallest grid that holds every frame of the object.

    Raises:
        Refused: when the frames do not lie on one straight line at even distances.
    """
    each, shared = opened.PerFrameFunctionalGroupsSequence, opened.SharedFunctionalGroupsSequence[0]

    def told(frame: Any, group: str) -> Any:
        return getattr(frame if group in frame else shared, group)[0]

    ways = {tuple(map(float, told(f, "PlaneOrientationSequence").ImageOrientationPatient)) for f in each}
    sizes = {tuple(map(float, told(f, "PixelMeasuresSequence").PixelSpacing)) for f in each}
    if len(ways) > 1 or len(sizes) > 1:
        raise Refused(
            "frames that make no regular grid",
            "they lie in several orientations or sizes",
            "send the frames of one orientation and size",
        )
    (way,), (size,) = ways, sizes
    normal = np.cross(way[:3], way[3:])
    places = np.array([told(f, "PlanePositionSequence").ImagePositionPatient for f in each], np.float64)
    depth = places @ normal
    first, last = places[depth.argmin()], places[depth.argmax()]
    levels = np.sort(depth)
    apart = np.diff(levels)[np.diff(levels) > 0.02]
    if not len(apart):
        raise Refused(
            "frames that make no regular grid",
            "several lie at one depth and not at one place",
            "send the frames of one place each",
        )
    count = round(float((levels[-1] - levels[0]) / apart.min()))
    if count + 1 > _MOST_SLICES:
        raise LimitReached(f"a grid of {count + 1} slices", "no image is that large")
    step = (last - first) / count
    at = np.round((depth - levels[0]) / float(step @ normal)).astype(int)
    if np.linalg.norm(places - (first + at[:, None] * step), axis=1).max() > _BESIDE * float(step @ normal):
        raise Refused(
            "frames that make no regular grid",
            "their positions are not evenly spaced along one line",
            "send all its frames",
        )
    mine, values = frames_of(opened, number)
    array = np.zeros((count + 1, *values.shape[1:]), values.dtype)
    array[at[mine]] = values
    geometry = Geometry.from_dicom(
        position=first,
        orientation=np.array(way),
        pixel_spacing=(size[0], size[1]),
        slice_step=step,
        shape=array.shape,
        frame_of_reference=str(opened.FrameOfReferenceUID),
    )
    return array, geometry
