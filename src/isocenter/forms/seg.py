"""Regions as a DICOM Segmentation, and a Segmentation as regions.

A reader in any viewer sees the region where we saw it: on the same voxels of the same series, marked with who drew
it (an algorithm by name and version, or a person) and followed through time by its tracking UID. Three encodings
(PS3.3 C.8.20): one bit for each segment, fractions of probability or of occupancy, and one label for each voxel.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import LimitReached, Refused
from isocenter.forms import maker, planes
from isocenter.forms.completed import Drawn, Seek, completed
from isocenter.forms.maker import Sources
from isocenter.forms.slanted import frames_of, slanted
from isocenter.record import Code, Finding, Result, Study, Verdict, codes
from isocenter.space import Geometry, Reference, Region, Shape, Volume
from isocenter.space.regrid import onto

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = [
    "Kind",
    "check_labelmap",
    "identity",
    "read",
    "read_fractions",
    "segments",
    "tracking_uid",
    "write",
    "write_fractions",
]

_LARGEST = 2**31  # voxels; a lie in a header must not become an allocation

_PARTS_OF_BODY = frozenset({"SCT:123037004", "SCT:91723000", "SCT:113343008"})  # structure (two codes), organ
_UNNAMED = _PARTS_OF_BODY | {"SCT:85756007"}  # tissue: which, it does not say
_BACKGROUND = ("DCM", "125040")
_UID = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+")  # PS3.5 9.1
_ALTERED = Code("49755003", "SCT", "Morphologically Altered Structure")
_ANATOMY = Code("123037004", "SCT", "Anatomical Structure")
_ANATOMICAL = (codes.STRUCTURE, codes.LUNG, codes.CHEST, codes.HEART, codes.BRAIN, codes.BODY)


# Label, code and Tracking UID of a segment, the images that it is of, and their frames.
_Said = tuple[str, str, str, frozenset[str], frozenset[int]]


class Kind(StrEnum):
    """How voxels say that they belong to a segment."""

    BINARY = "BINARY"  # one bit for each segment; segments may overlap
    PROBABILITY = "PROBABILITY"  # 0 to 1 in 255 steps: how likely
    OCCUPANCY = "OCCUPANCY"  # 0 to 1 in 255 steps: how much of the voxel
    LABELMAP = "LABELMAP"  # one number for each voxel; segments may not overlap


@dataclass(frozen=True)
class _Segment:
    finding: Finding
    region: Region
    number: int

    @property
    def label(self) -> str:
        return (self.region.label or str(self.finding.what))[:64]


def segments(result: Result) -> tuple[tuple[tuple[int, Finding], ...], ...]:
    """Findings that become segments, one group for each grid, numbered from 1 in the order of the result.

    Findings that a person struck, and those without voxels, are left out.
    """
    groups: list[list[tuple[int, Finding]]] = []
    for finding in result.findings:
        where = finding.where
        if where is None or where.shape != Shape.MASK or not where.voxels or finding.verdict is Verdict.STRUCK:
            continue
        for group in groups:
            first = group[0][1].where
            if first is not None and first.series_uid == where.series_uid and first.geometry == where.geometry:
                group.append((len(group) + 1, finding))
                break
        else:
            groups.append([(1, finding)])
    return tuple(tuple(g) for g in groups)


def identity(result: Result, group: int, kind: Kind | str = Kind.BINARY) -> tuple[str, str]:
    """(Series Instance UID, SOP Instance UID) that `write` gives to the object of one group."""
    words = (result.id, "seg", Kind(kind).value, str(group))
    return maker.uid(*words, "series"), maker.uid(*words, "instance")


def write(result: Result, study: Study, sources: Sources, *, kind: Kind | str = Kind.BINARY) -> tuple[bytes, ...]:
    """One Segmentation for each grid on which the result has regions.

    Args:
        result: of a machine (written as AUTOMATIC) or of a person (SEMIAUTOMATIC where it corrects a machine's
            result, else MANUAL).
        study: the study that the result is about, with its series and instances.
        sources: gives the stored file of a SOP Instance UID; only headers are read.
        kind: the encoding; a mask in a fractional encoding is 0 or 1.

    Raises:
        Refused: when no finding has voxels, the grid is sheared (tilted gantry), segments of a label map overlap, or
            the grid has no place in the source images.
        NotFound: when the study has no such series.
    """
    maker.must_belong(result, study)
    kind = Kind(kind)
    groups = segments(result)
    if not groups:
        raise Refused("a result without regions", "a Segmentation needs voxels", "write a structured report instead")
    made = []
    for number, group in enumerate(groups):
        parts = [_Segment(f, f.where, n) for n, f in group if f.where is not None]
        made.append(_object(result, study, sources, kind, parts, None, identity(result, number, kind)))
    return tuple(made)


def write_fractions(
    fractions: Volume, finding: Finding, result: Result, study: Study, sources: Sources, *, kind: Kind | str
) -> bytes:
    """One segment whose voxels say how likely, or how much, they belong to it.

    Args:
        fractions: values from 0 to 1; they are kept in 255 steps.
        finding: what the segment is.
        kind: `Kind.PROBABILITY` or `Kind.OCCUPANCY`.

    Raises:
        Refused: when a value lies outside 0 to 1, or `kind` is not fractional.
    """
    maker.must_belong(result, study)
    kind = Kind(kind)
    if kind not in (Kind.PROBABILITY, Kind.OCCUPANCY):
        raise Refused(f"fractions as {kind}", "it has no fractions", "choose PROBABILITY or OCCUPANCY")
    values = np.asarray(fractions.array, dtype=np.float32)
    if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
        raise Refused(
            "fractions outside 0 to 1", "they are neither a probability nor an occupancy", "give numbers between these"
        )
    if not values.any():
        raise Refused("fractions that are zero everywhere", "there is no segment to write", "outline something")
    region = Region(fractions.geometry, mask=values > 0, series_uid=fractions.series_uid, label=str(finding.what))
    words = (result.id, "fractions", kind.value, fractions.quantity, finding.tracking)
    both = maker.uid(*words, "series"), maker.uid(*words, "instance")
    return _object(result, study, sources, kind, [_Segment(finding, region, 1)], values, both)


def _object(
    result: Result,
    study: Study,
    sources: Sources,
    kind: Kind,
    parts: Sequence[_Segment],
    fractions: npt.NDArray[np.float32] | None,
    uids: tuple[str, str],
) -> bytes:
    import highdicom as hd
    from highdicom.seg import Segmentation

    grid = parts[0].region.geometry
    if grid.reference == Reference.PATIENT and not grid.is_orthogonal:
        raise Refused(
            "a sheared grid (tilted gantry)",
            "most viewers place the slices of a Segmentation along their normal and would show it shifted",
            "resample the region onto an upright grid first",
        )
    # Slices without a region are not stored; leaving them out at once spares their headers and their voxels.
    first = min(p.region.bounds[0][0] for p in parts)
    last = max(p.region.bounds[1][0] for p in parts)
    grid = grid.cropped((first, 0, 0), (last, *grid.shape[1:]))
    # One number for each voxel where segments do not overlap: a mask for each of a hundred would fill gigabytes.
    labels, twice = _labels(parts, first, last)
    array: npt.NDArray[Any] = labels
    if fractions is not None:
        array = fractions[first:last, ..., None].astype(np.float32)
    elif twice and kind is Kind.LABELMAP:
        raise Refused(
            f"{twice} voxels belong to more than one segment",
            "a label map has one label for each voxel, so one region would silently lose them",
            "write BINARY, which allows overlap",
        )
    elif twice or kind not in (Kind.BINARY, Kind.LABELMAP):
        array = np.stack([np.asarray(p.region.mask)[first:last] for p in parts], axis=-1).astype(
            np.uint8 if kind is Kind.BINARY else np.float32
        )
    named = array.ndim == 4
    cited = _cited(
        study, replace(parts[0].region, geometry=grid, mask=np.asarray(parts[0].region.mask)[first:last]), sources
    )
    pixels: Any
    if grid.reference == Reference.PATIENT:
        channels = {"SegmentNumber": [p.number for p in parts]} if named else None
        pixels = hd.Volume(array, grid.affine, "PATIENT", cited[0].FrameOfReferenceUID, channels=channels)
    else:
        pixels = array  # a single projection: pixel for pixel on the source image
    try:
        made = Segmentation(
            source_images=cited,
            pixel_array=pixels,
            segmentation_type="FRACTIONAL" if kind in (Kind.PROBABILITY, Kind.OCCUPANCY) else kind.value,
            fractional_type=kind.value if kind in (Kind.PROBABILITY, Kind.OCCUPANCY) else None,
            max_fractional_value=255,
            segment_descriptions=[_description(p, result) for p in parts],
            series_instance_uid=uids[0],
            series_number=9001,
            sop_instance_uid=uids[1],
            instance_number=1,
            omit_empty_frames=True,
            content_label=f"{kind.value[:11]}_SEG",
            content_description=(f"{result.origin.name}: research, not for diagnosis")[:64],
            content_creator_name=maker.person_name(result.origin.name[:63]) if result.origin.kind == "person" else None,
            series_description=f"{result.origin.name[:48]} regions",
            content_qualification="RESEARCH" if kind is not Kind.LABELMAP else None,
            **maker.equipment(),
        )
    except (ValueError, TypeError, AttributeError, KeyError) as bad:
        raise Refused(
            "a Segmentation that these images cannot carry", str(bad)[:300], "check the headers of the source images"
        ) from bad
    if grid.reference != Reference.PATIENT:
        maker.lay_on(made, cited[0])
    maker.settle(made, result.made, result.id, kind.value, uids[1])
    return maker.dump(made)


def _labels(parts: Sequence[_Segment], first: int, last: int) -> tuple[npt.NDArray[Any], int]:
    """One number for each voxel of some slices, and how many voxels belong to more than one segment."""
    shape = parts[0].region.geometry.shape
    labels = np.zeros((last - first, *shape[1:]), dtype=np.uint16 if len(parts) > 255 else np.uint8)
    twice = 0
    for part in parts:
        start, stop = part.region.bounds
        held = labels[start[0] - first : stop[0] - first, start[1] : stop[1], start[2] : stop[2]]
        cut = part.region.cut
        twice += int(np.count_nonzero(held[cut]))
        held[cut] = part.number
    return labels, twice


def _description(part: _Segment, result: Result) -> Any:
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.seg import SegmentDescription

    finding = part.finding
    category = _ANATOMY if finding.what in _ANATOMICAL else _ALTERED
    how, identification = _by_whom(finding, result), None
    if how != "MANUAL":
        if result.origin.kind == "machine":
            name, number = maker.algorithm_words(result.origin)
        else:
            name, number = "Correction of a machine result", maker.version()
        identification = AlgorithmIdentificationSequence(
            name=name, family=maker.coded(maker.ANALYSIS_FAMILY), version=number, source=maker.MAKER
        )
    tracking = finding.tracking or maker.uid(result.id, str(part.number))
    return SegmentDescription(
        segment_number=part.number,
        segment_label=part.label,
        segmented_property_category=maker.coded(category),
        segmented_property_type=maker.coded(finding.what),
        algorithm_type=how,
        algorithm_identification=identification,
        tracking_uid=tracking_uid(tracking),
        tracking_id=tracking[:64],
        anatomic_regions=[maker.coded(finding.site)] if finding.site else None,
    )


def tracking_uid(tracking: str) -> str:
    """A finding's tracking identity as a UID; words that are no UID get one that follows from them."""
    valid = len(tracking) <= 64 and _UID.fullmatch(tracking)
    return tracking if valid else maker.uid("tracking", tracking)


def _by_whom(finding: Finding, result: Result) -> str:
    if result.origin.kind == "machine":
        return "AUTOMATIC"
    return "SEMIAUTOMATIC" if result.replaces and finding.verdict is not Verdict.ADDED else "MANUAL"


def _cited(study: Study, region: Region, sources: Sources) -> list[Dataset]:
    images = planes.cited(planes.planes(study, region, sources))
    first = images[0]
    if region.geometry.reference != Reference.PATIENT and int(first.get("NumberOfFrames", 1) or 1) > 1:
        raise Refused(
            f"image {first.SOPInstanceUID} has {first.NumberOfFrames} frames and no patient space",
            "DICOM has no Segmentation for such a film",
            "write a structured report with image coordinates instead",
        )
    return images


# ---- reading ---------------------------------------------------------------------------------------------------------


def read(
    data: bytes,
    geometry: Geometry | None = None,
    *,
    seek: Seek = lambda _: None,
) -> tuple[Region, ...]:
    """Every segment as a region, in the order of segment numbers; a fraction counts from one half.

    Args:
        data: a stored Segmentation of any of the three types, ours or a stranger's.
        geometry: the grid that is wanted, such as that of the source series; without it, the smallest grid that
            holds the frames that the object has.
        seek: the images that it was drawn on, where they are at hand: they say how far its slices lie apart.

    Raises:
        Refused: when it is no Segmentation, its frames make no regular grid, or voxels lie outside `geometry`.
    """
    with maker.reading("a Segmentation"):
        opened, images = _open(data, seek)
        series_uid, instance_uid = _of(opened)
        series_uid = images.series_uid if images else series_uid
        occupied = opened.SegmentationType == "FRACTIONAL" and opened.get("SegmentationFractionalType") == "OCCUPANCY"
        found = []
        for (label, coded, tracking, drawn_on, frames), array, placed in _each(opened, geometry):
            # Images that name no frame of reference are in that of what was drawn on them.
            grid = replace(placed, frame_of_reference="") if images and not images.frame else placed
            region = Region(
                grid,
                mask=array >= (0.5 if array.dtype.kind == "f" else 1),
                series_uid=series_uid,
                instance_uid=instance_uid if grid.reference != Reference.PATIENT else "",
                label=label,
                coded=coded,
                tracking=tracking,
                images=drawn_on,
                frames=frames if grid.reference is not Reference.PATIENT else frozenset(),
            )
            if occupied and grid.reference is Reference.PATIENT:
                region = _occupied(region, array)
            elif array.dtype.kind == "f" and not region.voxels and array.any():
                region = _never_likely(region, array, int(opened.MaximumFractionalValue))
            found.append(region)
        return tuple(found)


def _never_likely(region: Region, fractions: npt.NDArray[Any], full: int) -> Region:
    """A structure of which no voxel is more likely in than out: it is there, and has no border that its file states."""
    most = float(fractions.max())
    why = Refused(
        f"'{region.label or 'a structure'}' has no voxel of a probability of 50 % or more (at most {100 * most:.3g} %, "
        f"stored as {round(most * full)} of {full})",
        "a voxel counts from one half, so that nothing of it is left",
        "cut it where its maker means the border to be and send it as BINARY, or correct Maximum Fractional Value "
        "where that is wrong",
    )
    corners = region.geometry.to_patient(np.argwhere(fractions > 0))[[0, 0, -1]]
    return Region.of_unplaced(corners, why, frame=region.geometry.frame_of_reference, label=region.label)


def _occupied(region: Region, fractions: npt.NDArray[Any]) -> Region:
    """A region with the volume that its fractions add up to; what fills no voxel by half is there all the same."""
    ml = float(fractions.sum(dtype=np.float64)) * region.geometry.voxel_volume_mm3 / 1000.0
    if region.voxels or not ml:
        return region.of_occupancy(ml)
    why = Refused(
        f"'{region.label or 'a structure'}' fills no voxel by half (at most {float(fractions.max()):.0%})",
        f"its fractions add up to {ml:.3g} mL, which have no border on these voxels",
        "send it as a mask on finer voxels",
    )
    corners = region.geometry.to_patient(np.argwhere(fractions > 0))[[0, 0, -1]]
    return Region.of_unplaced(corners, why, frame=region.geometry.frame_of_reference, label=region.label)


def read_fractions(data: bytes, geometry: Geometry | None = None) -> tuple[Volume, ...]:
    """Every segment of a FRACTIONAL object with its values from 0 to 1.

    Raises:
        Refused: when the object is not FRACTIONAL.
    """
    with maker.reading("a Segmentation"):
        opened, _ = _open(data)
        if opened.SegmentationType != "FRACTIONAL":
            raise Refused(f"a Segmentation of type {opened.SegmentationType}", "it holds no fractions", "use read")
        quantity = str(opened.get("SegmentationFractionalType", "PROBABILITY")).lower()
        return tuple(
            Volume(array.astype(np.float32), grid, quantity, "1", series_uid=_of(opened)[0])
            for _, array, grid in _each(opened, geometry)
        )


def _open(data: bytes, seek: Seek = lambda _: None) -> tuple[Any, Drawn | None]:
    from highdicom.seg import Segmentation

    found = maker.load(data)
    if found.get("Modality") != "SEG" or "SegmentSequence" not in found:
        raise Refused(
            f"an object of modality {found.get('Modality', 'none')}",
            "it is not a DICOM Segmentation",
            "choose a Segmentation (SEG)",
        )
    images = completed(found, seek)
    try:
        return Segmentation.from_dataset(found, copy=False), images
    except (ValueError, AttributeError, TypeError, KeyError) as bad:
        raise Refused(
            "a Segmentation that cannot be read", str(bad)[:200], "ask whoever made it to send it again"
        ) from bad


def _of(opened: Any) -> tuple[str, str]:
    for item in opened.get("ReferencedSeriesSequence", []):
        images = item.get("ReferencedInstanceSequence", [])
        return str(item.SeriesInstanceUID), str(images[0].ReferencedSOPInstanceUID) if images else ""
    return "", ""


def _each(opened: Any, wanted: Geometry | None) -> Iterator[tuple[_Said, npt.NDArray[Any], Geometry]]:
    """What is said of each segment, its values and its grid, one by one: a hundred organs fill gigabytes."""
    labels: dict[int, _Said] = {
        n: (str(s.get("SegmentLabel", "")), _coded(s), str(s.get("TrackingUID") or ""), *_drawn_on(opened, n))
        for s in opened.SegmentSequence
        for n in [int(s.SegmentNumber)]
    }
    ground = {int(s.SegmentNumber) for s in opened.SegmentSequence if _is_background(s)}
    numbers = [int(n) for n in opened.segment_numbers if int(n) not in ground]
    if not opened.get("FrameOfReferenceUID"):
        yield from ((labels[n], *_flat(opened, n, wanted)) for n in numbers)
    elif opened.SegmentationType == "LABELMAP" and _is_upright(opened):
        whole, grid = _placed(opened, None, wanted)  # decoded once, not once for each segment
        yield from ((labels[n], whole == n, grid) for n in numbers)
        held = np.flatnonzero(np.bincount(whole.ravel())) if whole.dtype.kind == "u" else ()
        ground |= {0, int(opened.get("PixelPaddingValue", 0))}
        not_described = [int(n) for n in held if int(n) not in labels and int(n) not in ground]
        yield from (((f"segment {n}", "", "", *_drawn_on(opened, n)), whole == n, grid) for n in not_described)
    else:
        yield from ((labels[n], *_placed(opened, n, wanted)) for n in numbers)


def _drawn_on(opened: Any, number: int) -> tuple[frozenset[str], frozenset[int]]:
    """The images that a segment's frames say they were made from, else those of the object; and their frames."""
    shared = opened.SharedFunctionalGroupsSequence[0]
    series = opened.get("ReferencedSeriesSequence") or []
    found = [i for s in series for i in s.get("ReferencedInstanceSequence") or []]
    sources: list[Any] = []
    for group in opened.get("PerFrameFunctionalGroupsSequence") or []:
        which = (group if "SegmentIdentificationSequence" in group else shared).get("SegmentIdentificationSequence")
        if opened.SegmentationType == "LABELMAP" or (which and int(which[0].ReferencedSegmentNumber) == number):
            derived = group.get("DerivationImageSequence") or []
            sources += [i for d in derived for i in d.get("SourceImageSequence") or []]
    told = [i.get("ReferencedFrameNumber") for i in sources]
    frames = {int(n) for one in told if one for n in np.ravel(one)}  # one number, or several
    uids = (i.get("ReferencedSOPInstanceUID") for i in (sources or found))
    return frozenset(str(uid) for uid in uids if uid), frozenset(frames)


def _is_background(segment: Dataset) -> bool:
    """Whether a segment is what lies around all others, which a label map may describe as one of them."""
    kinds = segment.get("SegmentedPropertyTypeCodeSequence") or []
    return any((k.get("CodingSchemeDesignator"), k.get("CodeValue")) == _BACKGROUND for k in kinds)


def _coded(segment: Dataset) -> str:
    """Which part of the body a segment is coded as, with its modifiers (side), in SNOMED's numbers where it has them.

    Only of anatomy: "mass" says of no two lesions that they are one.
    """
    category = _codes(segment.get("SegmentedPropertyCategoryCodeSequence"))
    kinds = segment.get("SegmentedPropertyTypeCodeSequence") or []
    if not set(category) & _PARTS_OF_BODY or not (which := _codes(kinds[:1])) or which[0] in _UNNAMED:
        return ""
    return " ".join([*which, *sorted(_codes(kinds[0].get("SegmentedPropertyTypeModifierCodeSequence")))])


def _codes(items: Any) -> list[str]:
    from pydicom.sr._snomed_dict import mapping

    said = []
    for item in items or []:
        scheme, value = str(item.get("CodingSchemeDesignator", "")), str(item.get("CodeValue", ""))
        if scheme in ("SRT", "SNM3", "99SDM") and value in mapping["SRT"]:
            scheme, value = "SCT", str(mapping["SRT"][value])
        if value:
            said.append(f"{scheme}:{value}")
    return said


def _is_upright(opened: Any) -> bool:
    try:
        return opened.get_volume_geometry() is not None
    except (ValueError, RuntimeError, TypeError, AttributeError):
        return False


def _flat(opened: Any, number: int, wanted: Geometry | None) -> tuple[npt.NDArray[Any], Geometry]:
    """A segment on a projection image, which has no patient space."""
    _, array = frames_of(opened, number)
    if opened.SegmentationType == "LABELMAP":
        array = array[:1]
    elif not len(array):
        array = np.zeros((1, *array.shape[1:]), array.dtype)
    if len(array) > 1:
        raise Refused(
            f"a segment on {len(array)} frames without a place in the patient",
            "an outline lies on one picture, or on one frame of a film",
            "send an outline of one of them",
        )
    if wanted is None:
        return array, Geometry.regular(shape=(1, *array.shape[1:]), reference=Reference.PIXEL)
    if wanted.shape != (1, *array.shape[1:]):
        raise Refused(
            f"a Segmentation of {array.shape[1:]} for an image of {wanted.shape}",
            "they are two images",
            "choose the Segmentation of this image",
        )
    return array, wanted


def _placed(opened: Any, number: int | None, wanted: Geometry | None) -> tuple[npt.NDArray[Any], Geometry]:
    """A segment with its frames put where their positions say; or, of a label map, all of them by their numbers."""
    try:
        where = opened.get_volume_geometry()
        if where is None and number is not None:
            array, own = slanted(opened, number)
            return (array, own) if wanted is None else (onto(array, own, wanted), wanted)
        if int(np.prod(where.spatial_shape, dtype=np.int64)) > _LARGEST:
            raise LimitReached(f"a grid of {tuple(where.spatial_shape)} voxels", "no image is that large")
        some = {"combine_segments": True} if number is None else {"segment_numbers": [number]}
        volume = opened.get_volume(**some)
    except (ValueError, RuntimeError, TypeError, AttributeError) as bad:
        if isinstance(bad, Refused):
            raise
        raise _unfit(str(bad)) from bad
    array = np.asarray(volume.array)
    array = array if number is None else array[..., 0]
    slide = str(volume.coordinate_system.value) != "PATIENT"
    own = Geometry(
        volume.affine,
        array.shape,
        str(opened.FrameOfReferenceUID),
        Reference.PLANE if slide else Reference.PATIENT,
    )
    return (array, own) if wanted is None else (onto(array, own, wanted), wanted)


def _unfit(said: str) -> Refused:
    """Why frames make no grid, where the library that reads them says so, in words of what to do."""
    if "MaximumFractionalValue" in said:
        return Refused(
            "a Segmentation with fractions above its Maximum Fractional Value",
            "that value is all of a voxel, and none holds more",
            "correct Maximum Fractional Value (0062,000E), or export it again",
        )
    if "uniquely identify" in said:
        return Refused(
            "a Segmentation with several frames of one segment at one place",
            "which of them holds is not known",
            "export it again with one frame for each segment and place",
        )
    return Refused("frames that make no regular grid", said[:200], "send all its frames")


def check_labelmap(data: bytes) -> tuple[str, ...]:
    """What is wrong with a label map by PS3.3 C.8.20; empty when nothing is.

    Debian's validator does not know this object, so its rules are held here: every value that a pixel has is
    described, segment numbers are unique, no two frames lie at one place, and the padding value is the background.
    """
    with maker.reading("a Segmentation"):
        found = maker.load(data)
        if found.get("SegmentationType") != "LABELMAP":
            return (f"Segmentation Type is {found.get('SegmentationType')}, not LABELMAP",)
        wrong = []
        if found.SOPClassUID != "1.2.840.10008.5.1.4.1.1.66.7":
            wrong.append(f"SOP Class is {found.SOPClassUID}")
        numbers = [int(s.SegmentNumber) for s in found.SegmentSequence]
        if len(set(numbers)) != len(numbers):
            wrong.append("two segments have the same number")
        if missing := sorted(set(np.unique(found.pixel_array).tolist()) - set(numbers)):
            wrong.append(f"pixels have values without a segment: {missing}")
        places = [
            tuple(float(x) for x in g.PlanePositionSequence[0].ImagePositionPatient)
            for g in found.get("PerFrameFunctionalGroupsSequence", [])
            if "PlanePositionSequence" in g
        ]
        if len(set(places)) != len(places):
            wrong.append("two frames lie at the same place")
        if found.get("PixelPaddingValue") not in (None, 0):
            wrong.append(f"Pixel Padding Value is {found.PixelPaddingValue}, the background is 0")
        if found.get("SegmentsOverlap", "NO") != "NO":
            wrong.append(f"Segments Overlap is {found.SegmentsOverlap}")
        return tuple(wrong)
