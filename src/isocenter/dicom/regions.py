"""RTSTRUCT contours to masks on the grid of the series they were drawn on.

A structure set stores polygons in patient millimetres, each in one plane. A voxel belongs to the structure when its
centre lies inside an odd number of the polygons of its plane, or on a line that bounds it (see `space.outline`). The
area that the polygons enclose goes with the mask, for what is measured finer than voxels.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from isocenter.dicom.elements import Dataset, File, parse
from isocenter.dicom.facts import text
from isocenter.errors import NotFound, Refused
from isocenter.record import Series
from isocenter.space import Geometry, Reference, Region, Shape, Volume
from isocenter.space.outline import doubtful, enclosed, filled, traced, united
from isocenter.space.slabs import crosses, slabs

__all__ = ["images_named", "regions"]

_ROIS, _CONTOURS_OF, _CONTOURS = 0x30060020, 0x30060039, 0x30060040
_NUMBER, _REFERENCED, _NAME, _KIND, _POINTS = 0x30060022, 0x30060084, 0x30060026, 0x30060042, 0x30060050
_ENCLOSE_NOTHING = ("POINT", "OPEN_PLANAR", "OPEN_NONPLANAR")  # all else is closed, misspelt or without a word, too
_EXCLUSIVE = ("CLOSEDPLANAR_XOR", "CLOSED_PLANAR_XOR")  # the standard's, and as the other terms are spelt
_FRAME, _THICKNESS = 0x30060024, 0x30060044
_DRAWN_ON, _IMAGE, _IMAGE_FRAME = 0x30060016, 0x00081155, 0x00081160
_OFF_PLANE = 0.5  # of the slice distance: a contour further from every slice belongs to none
_ONE_PLANE, _ROUNDED_MM = 0.05, 0.2  # of the slice distance; or as far as rounded coordinates part one plane
_UNEVEN = 0.15  # of the distance of planes
_SAME_LEVEL, _OTHER_STEP, _OFF_STEP = 0.05, 0.02, 0.1  # of the slice distance: one plane; those of another series
_MIDWAY = 0.4  # of the slice distance: so far from every slice a digit more or less moves a plane to another one
_Drawn = tuple[npt.NDArray[np.float64], str]  # an outline, and the image that it names
_Planes = dict[int, list[npt.NDArray[np.float64]]]
_SAME_MM = 1e-3  # corners that are one corner
_FARTHEST_LEAP = 5  # slices from one outline to the next
_LOST = 0.01  # part of a structure's contours that may lie outside the grid before it is refused


def regions(
    series: Series, read: Callable[[str], bytes], onto: Volume | None, *, across: bool = True
) -> tuple[Region, ...]:
    """The structures of a structure set as masks on a volume's grid.

    Args:
        series: the RTSTRUCT series; all its instances are read.
        read: Instance digest -> Part 10 bytes.
        onto: the volume of the series that was drawn on. Without it closed contours stand as polygons in patient
            space, one region for each structure with its largest outline.
        across: whether structures are taken that were drawn in other planes than the volume's slices (`space.slabs`).

    Returns:
        One region for each structure that has contours, in the order of the file; `label` is the ROI name.

    Raises:
        NotFound: when the series holds no structure set.
        Refused: when no structure can be placed: contours lie outside the volume, between its slices, on every n-th of
            them, in planes of several directions, or in another frame of reference; the message names the structure
            and how many of its contours are affected. Where others can, such a structure is a polygon that says why
            (`Region.unplaced`).
    """
    found: list[Region] = []
    seen = False
    for instance in series.instances:
        file = parse(read(instance.digest))
        if _CONTOURS_OF in file.dataset or _ROIS in file.dataset:
            seen = True
            found += _structures(file, onto, across=across)
    if not seen:
        raise NotFound(
            f"no structure set in {series.named} ({series.modality})",
            "",
            "choose a series of modality RTSTRUCT",
        )
    return tuple(found)


def images_named(data: bytes) -> frozenset[str]:
    """SOP Instance UIDs of the images that the contours of a structure set name."""
    file = parse(data)
    contours = (c for drawn in file.items(_CONTOURS_OF) for c in file.items(_CONTOURS, drawn))
    return frozenset(file.ascii(_IMAGE, i) for c in contours for i in file.items(_DRAWN_ON, c)) - {""}


def _structures(file: File, onto: Volume | None, *, across: bool) -> list[Region]:
    charsets = tuple(file.ascii(0x00080005).split("\\")) if 0x00080005 in file.dataset else ()
    named: dict[str, list[tuple[str, str]]] = {}
    for roi in file.items(_ROIS):
        number = file.ascii(_NUMBER, roi)
        told = text(file, _NAME, charsets, roi) or f"structure {number}", file.ascii(_FRAME, roi)
        named.setdefault(number, []).append(told)
    found: list[Region] = []
    refused: list[Refused] = []
    for drawn in file.items(_CONTOURS_OF):
        number = file.ascii(_REFERENCED, drawn)
        same = named.setdefault(number, [(f"structure {number}", "")])
        label, frame = same.pop(0) if len(same) > 1 else same[0]  # of two with one number, in their order
        try:
            outlines = _outlines(file, drawn, label)
        except Refused as why:  # nor must a damaged one
            if onto is None:
                raise
            refused.append(why)
            middle = np.tile(onto.geometry.to_patient(np.array(onto.geometry.shape) / 2), (3, 1))
            found.append(Region.of_unplaced(middle, why, frame=onto.geometry.frame_of_reference, label=label))
            continue
        if not outlines:
            continue
        if onto is None:
            found.append(_polygon([o for o, _ in outlines], label, frame))
        else:
            try:
                _same_frame(frame, onto.geometry, label)
                if _own_planes([o for o, _ in outlines], onto.geometry, label, across=across):
                    found.append(_with_voxels(_across(outlines, onto, label, file, drawn)))
                    continue
                found += [
                    _with_voxels(
                        _filled(
                            _planes(of_one, onto.geometry, name),
                            onto,
                            name,
                            exclusive=_is_exclusive(file, drawn),
                            images=images,
                        )
                    )
                    for name, of_one, images in _by_phase(outlines, onto, label)
                ]
            except Refused as why:
                # A couch that leaves the image must not cost the tumour; whoever needs this one is told (`unplaced`).
                refused.append(why)
                largest = max((o for o, _ in outlines), key=len)
                found.append(Region.of_unplaced(largest, why, frame=onto.geometry.frame_of_reference, label=label))
    if refused and len(refused) == len(found):
        raise refused[0]
    return found


def _outlines(file: File, drawn: Dataset, label: str) -> list[_Drawn]:
    found = []
    for contour in file.items(_CONTOURS, drawn):
        if file.ascii(_KIND, contour).upper() in _ENCLOSE_NOTHING:
            continue
        points = np.array(file.decimals(_POINTS, contour), dtype=np.float64)
        if len(points) % 3 or not np.isfinite(points).all():
            raise Refused(
                f"a contour of '{label}' has {len(points)} coordinates or one that is no number",
                "its outline is damaged",
                "export the structure set again",
            )
        if len(points) >= 9:
            images = [f"{file.ascii(_IMAGE, i)} {file.ascii(_IMAGE_FRAME, i)}" for i in file.items(_DRAWN_ON, contour)]
            found.append((points.reshape(-1, 3), images[0].strip() if len(images) == 1 else ""))
    return found


def _by_phase(
    outlines: list[_Drawn], onto: Volume, label: str
) -> list[tuple[str, list[npt.NDArray[np.float64]], frozenset[str]]]:
    """A structure under its name, and the images that it names, where every outline names one; one that was drawn on
    several phases of a slice phase by phase, counted from 1.

    Taken together such outlines would lie in each other, and an outline within another is a hole.
    """
    images: dict[int, set[str]] = {}
    beside = _midway([points for points, _ in outlines], onto.geometry)
    for points, image in outlines:
        level = float(np.median(onto.geometry.to_index(points)[:, 0])) - beside
        if abs(level - np.rint(level)) <= _OFF_PLANE - 1e-6:  # midway between two slices it lies in neither
            images.setdefault(int(np.rint(level)), set()).add(image)
    if max((len(held) for held in images.values()), default=1) == 1:
        named = frozenset(image for _, image in outlines)
        return [(label, [points for points, _ in outlines], frozenset() if "" in named else named)]
    place = {uid: n // onto.geometry.shape[0] for n, uid in enumerate(onto.instance_uids)}
    if len(onto.axes) != 1 or len(place) != len(onto.instance_uids) or not {i for _, i in outlines} <= place.keys():
        raise Refused(
            f"contours of '{label}' on several images of one slice",
            "taken together the inner ones would be holes in the outer ones",
            "name one structure for each phase",
        )
    phases: dict[int, list[_Drawn]] = {}
    for points, image in outlines:
        phases.setdefault(place[image], []).append((points, image))
    return [
        (f"{label} phase {n + 1}", [points for points, _ in phases[n]], frozenset(image for _, image in phases[n]))
        for n in sorted(phases)
    ]


def _same_frame(frame: str, geometry: Geometry, label: str) -> None:
    if geometry.reference is not Reference.PATIENT:
        raise Refused(
            f"'{label}' on an image without patient coordinates",
            "contours have no place there",
            "outline it on a series with Image Position and Image Orientation (Patient)",
        )
    if frame and geometry.frame_of_reference and frame != geometry.frame_of_reference:
        raise Refused(
            f"'{label}' was drawn in frame of reference {frame}, the image is in {geometry.frame_of_reference}",
            "positions in two frames of reference cannot be compared",
            "choose the series that the structure set refers to",
        )


def _polygon(outlines: list[npt.NDArray[np.float64]], label: str, frame: str) -> Region:
    largest = max(outlines, key=len)
    centre = largest.mean(axis=0)
    grid = Geometry.regular(
        shape=(1, 1, 1), origin_mm=(float(centre[0]), float(centre[1]), float(centre[2])), frame_of_reference=frame
    )
    return Region(grid, Shape.POLYGON, None, largest, label=label)


def _is_exclusive(file: File, drawn: Dataset) -> bool:
    """Whether contours are said to take from one another what they share (PS3.3, C.8.8.6.3)."""
    return any(file.ascii(_KIND, contour).upper() in _EXCLUSIVE for contour in file.items(_CONTOURS, drawn))


def _filled(planes: _Planes, onto: Volume, label: str, *, exclusive: bool, images: frozenset[str]) -> Region:
    geometry = onto.geometry
    mask = np.zeros(geometry.shape, dtype=bool)
    _, down, across = (geometry.affine[:3, axis] for axis in range(3))
    pixel_mm2 = float(np.linalg.norm(np.cross(down, across)))
    areas: dict[int, float] | None = {}
    shared = 0
    for number, lines in planes.items():
        shape = (geometry.shape[1], geometry.shape[2])
        shared += 0 if exclusive or len(lines) < 2 else doubtful(lines, shape)
        mask[number], crossed = (filled(lines, shape), False) if exclusive else united(lines, shape)
        area = None if areas is None or crossed else enclosed(lines, int(np.count_nonzero(mask[number])))
        if areas is None or area is None:
            areas = None
        else:
            areas[number] = area * pixel_mm2
    by_hand = {number: lines for number, lines in planes.items() if not traced(lines)}
    return Region.of_contours(
        geometry, mask, areas, series_uid=onto.series_uid, label=label, images=images, outlines=by_hand,
        shared_ml=shared * geometry.voxel_volume_mm3 / 1000.0,
    )  # fmt: skip


def _own_planes(
    outlines: list[npt.NDArray[np.float64]], geometry: Geometry, label: str, *, across: bool
) -> bool:  # fmt: skip
    """Whether a structure was drawn in planes across the slices, or in parallel ones at other distances than theirs.

    Raises:
        Refused: in the second case, where such planes are not to be taken: laid into the nearest slices they would
            leave others out, by which 29.7 mL came of 44.6. And where planes midway between slices are not.
    """
    if crosses(outlines, geometry):
        return across
    levels = np.unique(np.round([float(np.median(geometry.to_index(o)[:, 0])) for o in outlines], 3))
    steps = np.diff(levels[np.diff(levels, prepend=-np.inf) > _SAME_LEVEL])
    if not len(steps):
        return False
    usual = float(steps[steps < 1.5 * np.median(steps)].mean())
    since = levels - levels[0]
    rounded = min(0.25, max(_OFF_STEP, 0.11 / geometry.disk_mm[0]))  # coordinates in tenths of a millimetre
    midway = bool(_midway(outlines, geometry))
    as_slices = abs(usual - 1.0) <= _OTHER_STEP or bool(np.abs(since - np.rint(since)).max() <= rounded)
    if as_slices and (across or not midway):
        return False  # those of the slices, or of each second or third
    if usual < 1.0 and np.abs(steps / usual - np.rint(steps / usual)).max() > _UNEVEN:
        return False  # of two series, it may be, each of which has its part: in one slice they cannot be told apart
    if not across:
        raise Refused(
            f"contours of '{label}' lie {usual * geometry.disk_mm[0]:.3g} mm apart{midway * ' and between slices'}, "
            f"the slices of these images {geometry.disk_mm[0]:.3g} mm",
            "they were drawn on another series",
            "choose the series that the structure set refers to",
        )
    return True


def _midway(outlines: list[npt.NDArray[np.float64]], geometry: Geometry) -> float:
    """How far beside the slices to which they go outlines lie, in slices, where all lie about midway; else 0.

    They go to the slice on the same side of the patient, however the image is stored: laid into the nearest ones, which
    the last digit decides, some slices would hold two of them and others none.
    """
    levels = np.array([float(np.median(geometry.to_index(o)[:, 0])) for o in outlines])
    part = levels - np.floor(levels)
    if float(np.median(np.abs(part - 0.5))) >= 0.5 - _MIDWAY:
        return 0.0
    step = geometry.affine[:3, 0]
    onwards = step[int(np.abs(step).argmax())] > 0
    return float(np.median(part)) - (0.0 if onwards else 1.0)


def _across(outlines: list[_Drawn], onto: Volume, label: str, file: File, drawn: Dataset) -> Region:
    """A structure that was drawn in planes of its own, such as sagittal ones of an axial series."""
    once = {_corners(points): points for points, _ in outlines}
    lines = list(once.values())
    index = [onto.geometry.to_index(points) for points in lines]
    high = np.array(onto.geometry.shape)
    _few_outside(sum(bool((i < -1.0).any() or (i > high).any()) for i in index), len(lines), label)
    told = file.ascii(_THICKNESS, drawn) or next(
        (t for c in file.items(_CONTOURS, drawn) if (t := file.ascii(_THICKNESS, c))), ""
    )
    mask = slabs(
        lines,
        onto.geometry,
        label,
        thickness_mm=_positive(told),
        exclusive=_is_exclusive(file, drawn),
        one_each=bool(onto.axes),
    )
    return Region(onto.geometry, mask=mask, series_uid=onto.series_uid, label=label)


def _positive(told: str) -> float:
    try:
        value = float(told)
    except ValueError:
        return 0.0
    return value if np.isfinite(value) and value > 0 else 0.0


def _few_outside(outside: int, count: int, label: str) -> None:
    if outside > _LOST * count:
        raise Refused(
            f"{outside} of {count} contours of '{label}' lie outside the image",
            "its volume would be too small",
            "choose the series that the structure set refers to",
        )


def _with_voxels(region: Region) -> Region:
    """A structure that is there; one that is smaller than the pixels is not the same as none."""
    if region.voxels:
        return region
    raise Refused(
        f"contours of '{region.label}' that enclose no centre of a pixel",
        f"they are smaller than the pixels of these images ({max(region.geometry.spacing_mm[1:]):.2g} mm)",
        "send the images that it was drawn on, or delete it where it was drawn by mistake",
    )


def _planes(outlines: list[npt.NDArray[np.float64]], geometry: Geometry, label: str) -> _Planes:
    """Slice -> its outlines, as fractional (row, column)."""
    planes: _Planes = {}
    levels: dict[int, list[float]] = {}
    outside = between = 0
    drawn: set[bytes] = set()
    beside = _midway(outlines, geometry) if len(outlines) > 1 else 0.0
    for points in outlines:
        if (corners := _corners(points)) in drawn:
            continue  # written twice, it would be a hole in itself
        drawn.add(corners)
        index = geometry.to_index(points)
        depth = index[:, 0] - beside
        level = float(np.median(depth))
        number = int(np.rint(level))
        if np.abs(depth - level).max() > _OFF_PLANE or abs(level - number) > _OFF_PLANE - 1e-6:
            between += 1
        elif not 0 <= number < geometry.shape[0] or not _within(index[:, 1:], geometry):
            outside += 1
        else:
            planes.setdefault(number, []).append(index[:, 1:])
            levels.setdefault(number, []).append(level)
    apart = max(_ONE_PLANE, min(_ROUNDED_MM / geometry.spacing_mm[0], 0.3))
    thin = sum(max(depths) - min(depths) > apart for depths in levels.values())
    if thin:
        raise Refused(
            f"contours of '{label}' lie in several planes of one slice, in {thin} slices",
            "they were drawn on thinner slices than those of this series",
            "send the series that the structure set refers to as well",
        )
    if between:
        raise Refused(
            f"{between} of {len(outlines)} contours of '{label}' do not lie in a slice of the image",
            "they were drawn on another series or another orientation",
            "choose the series that the structure set refers to",
        )
    _few_outside(outside, len(outlines), label)
    if leap := _leap(planes):
        raise Refused(
            f"contours of '{label}' on every {leap}. slice only",
            "the slices between would be left out, and most of its volume with them",
            "interpolate the structure, or send the series that it was drawn on",
        )
    return planes


def _corners(points: npt.NDArray[np.float64]) -> bytes:
    """The corners of an outline, whichever comes first and whichever way it runs."""
    return np.unique(np.rint(points / _SAME_MM).astype(np.int64), axis=0).tobytes()


def _leap(planes: _Planes) -> int:
    """From how many slices to the next the outlines of a structure go, where it is not from each; else 0.

    Whoever outlines every second slice may add one at an end. Parts of a structure lie farther apart than that.
    """
    steps = np.diff(sorted(planes))
    if len(steps) < 2:
        return 0
    usual = int(np.bincount(steps).argmax())
    all_alike = int(steps.min()) == int(steps.max())
    most = len(steps) > 2 and usual <= _FARTHEST_LEAP and int(np.count_nonzero(steps == usual)) * 2 > len(steps)
    return usual if usual > 1 and (all_alike or most) else 0


def _within(corners: npt.NDArray[np.float64], geometry: Geometry) -> bool:
    """Whether an outline stays on the image, one pixel at its edge forgiven."""
    return bool((corners >= -1.0).all() and (corners <= np.array(geometry.shape[1:])).all())
