"""A Segmentation as a stranger wrote it, completed with what the library that reads it asks for.

Codes, labels and groups that were left out say nothing of which voxels belong to a segment. How far its slices lie
apart does: the images that it was drawn on know it better than a Segmentation of one slice, or one that states another
distance than that of its frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.forms import maker

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["Cited", "Drawn", "completed"]

_NUMBER, _IDENTIFICATION = 0x0062000B, 0x0062000A  # Referenced Segment Number and the sequence that holds it
_POSITION, _PLANE_POSITION = 0x00200032, 0x00209113
_ON_IMAGE = 0.05  # of the slice distance: a frame so near to an image lies on it
_ALIKE = 1e-3
_ROUNDED_MM, _ROUNDED_PIXELS = 0.1, 0.2  # by which a place was rounded at most: a tenth of a millimetre each way
_THINNEST_MM = 0.01  # what is stated thinner is filling
_TISSUE = ("85756007", "SCT", "Tissue")
_CODED = ("SegmentedPropertyCategoryCodeSequence", "SegmentedPropertyTypeCodeSequence")
_BESIDE = (
    "SegmentationAlgorithmIdentificationSequence", "AnatomicRegionSequence", "PrimaryAnatomicStructureSequence",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Drawn:
    """The images that a Segmentation was drawn on.

    Args:
        series_uid: their series.
        places: (n, 3) centres of their first pixels, LPS mm.
        orientations: (n, 6) along a row, along a column.
        spacing: between rows, between columns, mm. size: rows, columns. frame: of reference.
    """

    series_uid: str
    places: npt.NDArray[np.float64]
    orientations: npt.NDArray[np.float64]
    spacing: tuple[float, float]
    size: tuple[int, int]
    frame: str

    @property
    def corners(self) -> npt.NDArray[np.float64]:
        """(4n, 3) centres of their outermost pixels."""
        across, down = self.orientations[:, :3] * self.spacing[1], self.orientations[:, 3:] * self.spacing[0]
        rows, columns = self.size
        ends = [r * down + c * across for r in (0, rows - 1) for c in (0, columns - 1)]
        return np.concatenate([self.places + end for end in ends])


@dataclass(frozen=True)
class Cited:
    """What a Segmentation says of where it was drawn: series and images that it names, and its frame of reference."""

    series: tuple[str, ...]
    images: frozenset[str]
    frame: str


Seek = Callable[[Cited], Drawn | None]


def completed(found: Dataset, seek: Seek = lambda _: None) -> Drawn | None:
    """Index the frames of an object, describe its segments and state the distance of its slices.

    Args:
        found: is changed.
        seek: the images that it was drawn on; None where they are not at hand.

    Returns:
        Those images.

    Raises:
        Refused: where nothing says which segment a frame shows, what its fractions are of, or how far slices lie apart.
    """
    from pydicom import Dataset

    if not found.get("SharedFunctionalGroupsSequence"):
        found.SharedFunctionalGroupsSequence = [Dataset()]
    if "SegmentationType" not in found and found.get("BitsAllocated") == 1:
        found.SegmentationType = "BINARY"
    found.SegmentationType = str(found.get("SegmentationType") or "").upper()
    if found.get("SegmentationType") == "FRACTIONAL" and not found.get("MaximumFractionalValue"):
        raise Refused(
            "a Segmentation of fractions without Maximum Fractional Value",
            "nothing says which value is all of a voxel",
            "export it again",
        )
    _index(found)
    _describe(found)
    _must_have_a_place(found)
    if not any(True for _ in _positions(found)):
        # A picture without a place in the patient has no thickness, and highdicom writes none and asks for one.
        for measures in (m for g in _groups(found) for m in g.get("PixelMeasuresSequence") or []):
            measures.SliceThickness = measures.get("SliceThickness") or "1"
        return None
    drawn_on = seek(_cited(found))
    if not found.get("FrameOfReferenceUID"):
        found.FrameOfReferenceUID = (drawn_on and drawn_on.frame) or maker.uid("frame", str(found.SOPInstanceUID))
    _unround(found, drawn_on)
    _set_apart(found, drawn_on)
    return drawn_on


def _cited(found: Dataset) -> Cited:
    series = found.get("ReferencedSeriesSequence") or []
    images = [i.get("ReferencedSOPInstanceUID") for s in series for i in s.get("ReferencedInstanceSequence") or []]
    for group in _groups(found):
        for derived in group.get("DerivationImageSequence") or []:
            images += [i.get("ReferencedSOPInstanceUID") for i in derived.get("SourceImageSequence") or []]
    named = tuple(str(s.get("SeriesInstanceUID")) for s in series)
    return Cited(named, frozenset(str(i) for i in images if i), str(found.get("FrameOfReferenceUID") or ""))


def _groups(found: Dataset) -> list[Any]:
    return [*found.SharedFunctionalGroupsSequence, *(found.get("PerFrameFunctionalGroupsSequence") or [])]


def _positions(found: Dataset) -> Iterator[tuple[float, ...]]:
    for group in _groups(found):
        for place in group.get("PlanePositionSequence") or []:
            if at := place.get("ImagePositionPatient"):
                yield tuple(map(float, at))


def _must_have_a_place(found: Dataset) -> None:
    """Go on only where frames in the patient state where they lie, and how large their pixels are."""
    groups = _groups(found)
    if any("PlanePositionSlideSequence" in g for g in groups) or "TILED" in str(found.get("DimensionOrganizationType")):
        return
    placed = any(True for _ in _positions(found))
    if not placed and not found.get("FrameOfReferenceUID"):
        return  # a picture, which has no place in the patient
    lacking = [
        words
        for words, group, keyword in (
            ("position", "PlanePositionSequence", "ImagePositionPatient"),
            ("orientation", "PlaneOrientationSequence", "ImageOrientationPatient"),
            ("size of pixels", "PixelMeasuresSequence", "PixelSpacing"),
        )
        if not any(i.get(keyword) for g in groups for i in g.get(group) or [])
    ]
    if lacking:
        raise Refused(
            f"a Segmentation whose frames state no {' and no '.join(lacking)}",
            "its voxels have no place in the patient",
            "export it again as an enhanced object with plane position, orientation and pixel measures",
        )


# ---- places ----------------------------------------------------------------------------------------------------------


def _unround(found: Dataset, images: Drawn | None) -> None:
    """Take places, directions and the size of pixels from the images on which all frames lie pixel for pixel.

    Makers round them, 0.9766 mm to 0.977: at the end of a row of 512 pixels that is a fifth of one, by which the mask
    was on another grid than its images.
    """
    groups = _groups(found)
    places = [i for g in groups for i in g.get("PlanePositionSequence") or [] if i.get("ImagePositionPatient")]
    measures = [m for g in groups for m in g.get("PixelMeasuresSequence") or []]
    turns = [w for g in groups for w in g.get("PlaneOrientationSequence") or []]
    if images is None or (int(found.Rows), int(found.Columns)) != images.size or not turns:
        return
    if not all(np.allclose(np.array(m.get("PixelSpacing") or (0, 0), float), images.spacing, rtol=_ALIKE)
               for m in measures):  # fmt: skip
        return
    way = np.array(turns[0].get("ImageOrientationPatient") or np.zeros(6), float)
    beside = np.abs(images.orientations - way).max(axis=1) <= _ALIKE
    if not beside.any() or not all(
        np.allclose(np.array(w.get("ImageOrientationPatient") or (0,), float), way, atol=_ALIKE) for w in turns
    ):
        return
    held, most = images.places[beside], min(_ROUNDED_MM, _ROUNDED_PIXELS * min(images.spacing))
    at = np.array([i.ImagePositionPatient for i in places], float)
    away = np.linalg.norm(at[:, None] - held, axis=2)
    if away.min(axis=1).max() > most:
        return
    for item, n in zip(places, away.argmin(axis=1), strict=True):
        item.ImagePositionPatient = [f"{mm:.10g}" for mm in held[n]]
    for item in turns:
        item.ImageOrientationPatient = [f"{v:.10g}" for v in images.orientations[beside][0]]
    for item in measures:
        item.PixelSpacing = [f"{mm:.10g}" for mm in images.spacing]


# ---- slices ----------------------------------------------------------------------------------------------------------


def _set_apart(found: Dataset, images: Drawn | None) -> None:
    """State by how much slices lie apart, and how thick they are, where their maker did not or cannot be right."""
    places = np.unique(np.array(list(_positions(found)), np.float64).round(4), axis=0)
    gaps = np.linalg.norm(places[1:] - places[:1], axis=1)
    for measures in (m for g in _groups(found) for m in g.get("PixelMeasuresSequence") or []):
        if not measures.get("SpacingBetweenSlices"):
            measures.pop("SpacingBetweenSlices", None)  # also one of 0
        apart = _apart_mm(found, measures, places, images)
        if apart:
            measures.SpacingBetweenSlices = f"{apart:.10g}"
        if not len(gaps) and "SpacingBetweenSlices" not in measures:
            thick = float(measures.get("SliceThickness") or 0.0)
            if thick < _THINNEST_MM:
                raise Refused(
                    "a Segmentation without Slice Thickness",
                    "its frames lie at one place, and nothing says how thick",
                    "export it again with the thickness, or send the images that it was drawn on",
                )
            measures.SpacingBetweenSlices = f"{thick:.10g}"
        if not measures.get("SliceThickness"):
            stated = float(measures.get("SpacingBetweenSlices") or 0.0)
            measures.SliceThickness = f"{abs(stated) or float(gaps.min()):.6g}"


def _apart_mm(found: Dataset, measures: Dataset, places: npt.NDArray[np.float64], images: Drawn | None) -> float:
    """Distance of the images, where the frames are pixel for pixel on them; else 0."""
    if images is None or (int(found.Rows), int(found.Columns)) != images.size:
        return 0.0
    if not np.allclose(np.array(measures.get("PixelSpacing") or (0, 0), float), images.spacing, rtol=_ALIKE):
        return 0.0
    ways = [w.get("ImageOrientationPatient") for g in _groups(found) for w in g.get("PlaneOrientationSequence") or []]
    if not ways or any(w is None or not np.allclose(np.array(w, float), ways[0], atol=_ALIKE) for w in ways):
        return 0.0
    way = np.array(ways[0], float)
    normal = np.cross(way[:3], way[3:])
    beside = np.abs(images.orientations - way).max(axis=1) <= _ALIKE  # not a scout in the same series
    depths = np.unique((images.places[beside] @ normal).round(3))
    if len(depths) < 2:
        return 0.0
    gaps = np.diff(depths)
    steps = np.maximum(np.rint(gaps / np.median(gaps)), 1.0)
    apart = float((depths[-1] - depths[0]) / steps.sum())  # not the median of rounded gaps: over 300 slices it adds up
    uneven = np.abs(gaps / apart - steps).max() > _ON_IMAGE
    aside = np.abs((places @ normal)[:, None] - depths).min(axis=1)
    return 0.0 if uneven or aside.max() > _ON_IMAGE * apart else apart


# ---- frames ----------------------------------------------------------------------------------------------------------


def _index(found: Dataset) -> None:
    """Index the frames by segment and place where their maker did not: highdicom looks for segments there alone."""
    from pydicom import Dataset

    frames = found.get("PerFrameFunctionalGroupsSequence") or []
    known = {int(i.DimensionIndexPointer) for i in found.get("DimensionIndexSequence") or []}
    indexed = _NUMBER in known and all("FrameContentSequence" in f for f in frames)
    if found.get("SegmentationType") == "LABELMAP" or not frames or indexed:
        return
    shared = found.SharedFunctionalGroupsSequence[0]
    places = [
        tuple(f.PlanePositionSequence[0].ImagePositionPatient) if "PlanePositionSequence" in f else () for f in frames
    ]
    rank = {place: n for n, place in enumerate(sorted(set(places)), start=1)}
    pointers = [(_NUMBER, _IDENTIFICATION), (_POSITION, _PLANE_POSITION)][: 2 if all(places) else 1]
    organisation = maker.uid("dimensions", str(found.get("SOPInstanceUID")))
    for frame, place in zip(frames, places, strict=True):
        named = frame.get("SegmentIdentificationSequence") or shared.get("SegmentIdentificationSequence")
        if not named:
            raise Refused(
                "a Segmentation whose frames name no segment", "nothing says what they show", "export it again"
            )
        frame.SegmentIdentificationSequence = named
        content = Dataset()
        content.DimensionIndexValues = [int(named[0].ReferencedSegmentNumber), rank[place]][: len(pointers)]
        frame.FrameContentSequence = [content]
    found.DimensionOrganizationSequence = [_item(DimensionOrganizationUID=organisation)]
    found.DimensionIndexSequence = [
        _item(DimensionOrganizationUID=organisation, DimensionIndexPointer=tag, FunctionalGroupPointer=group)
        for tag, group in pointers
    ]


# ---- segments --------------------------------------------------------------------------------------------------------


def _describe(found: Dataset) -> None:
    """Name and code segments of which it was left out, and describe those of which there are but frames."""
    described = {int(s.SegmentNumber) for s in found.SegmentSequence if "SegmentNumber" in s}
    shown = {
        int(i.ReferencedSegmentNumber) for g in _groups(found) for i in g.get("SegmentIdentificationSequence") or []
    }
    for number in sorted(shown - described):
        found.SegmentSequence.append(_item(SegmentNumber=number))
    for segment in found.SegmentSequence:
        if not segment.get("SegmentLabel"):
            segment.SegmentLabel = f"segment {segment.SegmentNumber}"
        if not segment.get("SegmentAlgorithmType"):
            segment.SegmentAlgorithmType = "MANUAL"  # of what is read, nobody asks how it was made
        for keyword in _CODED:
            if not _is_code(segment.get(keyword)):
                value, scheme, meaning = _TISSUE
                code = _item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)
                setattr(segment, keyword, [code])
        for keyword in _BESIDE:
            if keyword in segment and (keyword == _BESIDE[0] or not _is_code(segment[keyword].value)):
                delattr(segment, keyword)


def _is_code(items: Any) -> bool:
    """Whether each item has all that makes a code, and there is one."""
    values = ("CodeValue", "LongCodeValue", "URNCodeValue")
    return bool(items) and all(
        sum(bool(i.get(v)) for v in values) == 1 and i.get("CodingSchemeDesignator") and i.get("CodeMeaning")
        for i in items
    )


def _item(**values: Any) -> Dataset:
    from pydicom import Dataset

    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made
