"""What a reader draws on an image, as a correction of the reading: measured here, from patient coordinates and pixels.

The browser shows a preview; the number that counts is computed here in float64 from the points and from the stored
pixels, and it says by which spacing it was made. A mark keeps the image, the window and the calibration under which it
was drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from isocenter.dicom.plane import scales_at
from isocenter.errors import NotFound, Refused
from isocenter.forms import words
from isocenter.methods import measuring
from isocenter.reading.session import Correction
from isocenter.record import Code, Instance, Measurement, Series, Study, Verdict, codes
from isocenter.site.volumes import volumes_of
from isocenter.space import Geometry, Reference, Region, Shape, Volume

__all__ = ["KINDS", "Drawn", "Image", "image_of", "measured"]

Points = npt.NDArray[np.float64]

KINDS: Mapping[str, tuple[Shape, int]] = {
    "length": (Shape.POLYLINE, 2),
    "bidirectional": (Shape.POLYLINE, 4),
    "angle": (Shape.POLYLINE, 3),
    "ellipse": (Shape.ELLIPSE, 4),
    "probe": (Shape.POINT, 1),
    "freehand": (Shape.POLYGON, 3),
}
"""Tool -> shape of its region, and its number of points (of a freehand line the least)."""

_NAMES = {"ellipse": "Ellipse", "freehand": "Area", "length": "Length", "angle": "Angle", "probe": "Probe"}
_VALUE = Code("value", "99ISO", "Value of the voxel")
_OF_ANGLE = "between the two arms"  # no spacing makes it larger or smaller
_CALIBRATIONS = {
    "PixelSpacing": "Pixel Spacing",
    "ImagerPixelSpacing": "Imager Pixel Spacing: at the detector, larger than in the patient",
    "NominalScannedPixelSpacing": "Nominal Scanned Pixel Spacing",
    "SequenceOfUltrasoundRegions": "ultrasound region",
    "none": "px, not calibrated",
}


@dataclass(frozen=True)
class Drawn:
    """A mark as it was drawn.

    Args:
        kind: one of `KINDS`.
        points: (n, 3) in patient space (mm), or (n, 2) column and row of the image.
        series_uid: the series on whose pixels it was drawn.
        instance_uid: the stored image; empty on a plane through the volume, which then has a `normal`.
        frame: of the stored image, from 0.
        normal: of a plane through the volume.
        window: lower and upper value of what was black and white.
        tracking, result: of a mark that is drawn anew; empty for a new one.
        words: what the reader calls it; empty for the plain name.
    """

    kind: str
    points: Points
    series_uid: str = ""
    instance_uid: str = ""
    frame: int = 0
    normal: tuple[float, float, float] | None = None
    window: tuple[float, float] | None = None
    tracking: str = ""
    result: str = ""
    words: str = ""


@dataclass(frozen=True)
class Image:
    """What a mark is drawn on: values on one plane, and where each came from.

    Args:
        volume: of one slice and without leading axes (colour excepted), or the whole volume behind a plane.
        calibration: the words of the spacing.
        facts: of the header.
    """

    volume: Volume
    series_uid: str
    instance_uid: str
    calibration: str


def image_of(study: Study, drawn_on: tuple[str, str, int], get: Callable[[str], bytes]) -> Image:
    """The image of a study on which something was drawn.

    Args:
        drawn_on: Series Instance UID, SOP Instance UID (empty for the whole volume), frame.
        get: digest -> stored file.

    Raises:
        NotFound: the study has no such image.
    """
    series_uid, sop_uid, frame = drawn_on
    series, instance = _named(study, series_uid, sop_uid)
    if instance is None:
        volume = volumes_of(series, get)[0]
        if volume.geometry.reference is not Reference.PATIENT:
            raise Refused(
                "a plane through images without a place in the patient",
                "they make no volume",
                "draw on one of its images instead",
            )
    else:
        volume = _one(volumes_of(replace(series, instances=(instance,)), get)[0], frame)
    source = "PixelSpacing" if volume.geometry.reference is Reference.PATIENT else str(volume.facts.get("SpacingFrom"))
    return Image(volume, series.uid, sop_uid, _CALIBRATIONS.get(source, source))


def measured(study: Study, drawn: Drawn, get: Callable[[str], bytes]) -> Correction:
    """A mark with its numbers, as something that the reader adds (or draws anew).

    Raises:
        NotFound: the study has no such image.
        Refused: an unknown kind, another number of points, points beside the image, or points that carry no number.
    """
    if drawn.kind not in KINDS:
        raise Refused(f"a mark of the kind '{drawn.kind}'", f"known are {', '.join(KINDS)}", "choose one of these")
    shape, least = KINDS[drawn.kind]
    if len(drawn.points) < least or (shape is not Shape.POLYGON and len(drawn.points) != least):
        raise Refused(f"{drawn.kind} with {len(drawn.points)} points", f"it has {least}", "draw it again")
    image = image_of(study, (drawn.series_uid, drawn.instance_uid, drawn.frame), get)
    points, grid = _placed(drawn, image)
    numbers = _numbers(drawn, points, grid, image)
    region = Region(grid, shape, None, points, image.series_uid, image.instance_uid, _NAMES.get(drawn.kind, ""))
    said = _sentence(drawn.kind, numbers, image)
    told = {
        "tool": drawn.kind, "frame": drawn.frame, "said": said,
        **({} if drawn.kind in ("angle", "probe") else {"calibration": image.calibration}),
        **({"window": list(drawn.window)} if drawn.window else {}),
        **({"normal": list(drawn.normal)} if drawn.normal else {}),
    }  # fmt: skip
    return Correction(
        Verdict.CHANGED if drawn.tracking else Verdict.ADDED, drawn.tracking, drawn.result,
        what=codes.REGION, words=drawn.words or said, measurements=numbers,
        where=region, drawn=told,
    )  # fmt: skip


# ---- where it lies


def _named(study: Study, series_uid: str, sop_uid: str) -> tuple[Series, Instance | None]:
    for series in study.series:
        if sop_uid:
            for instance in series.instances:
                if instance.sop_uid == sop_uid:
                    return series, instance
        elif series.uid == series_uid:
            return series, None
    raise NotFound("this study has no such image", "a mark belongs to an image of its study", "load the study again")


def _one(volume: Volume, frame: int) -> Volume:
    """One frame of a cine; colours stay together."""
    for axis in volume.axes:
        if axis.name != "channel":
            if volume.geometry.shape[0] > 1:
                raise Refused(
                    f"an image with {axis.name} and slices at once", "the frame does not say which of them is meant",
                    "measure on its series",
                )  # fmt: skip
            if not 0 <= frame < len(axis):
                raise NotFound(f"frame {frame}", f"the image has {len(axis)}", "name one of them, counted from 0")
            volume = volume.at(axis.name, frame)
    return volume


def _placed(drawn: Drawn, image: Image) -> tuple[Points, Geometry]:
    """Points in the unit of the image, and the grid of the one slice (or of the volume) that they lie on."""
    points = np.asarray(drawn.points, dtype=np.float64)
    grid = image.volume.geometry
    if points.ndim != 2 or not np.isfinite(points).all() or points.shape[1] not in (2, 3):
        raise Refused("points that are no places", "a mark has finite numbers, two or three each", "draw it again")
    if points.shape[1] == 2:
        if not drawn.instance_uid or grid.shape[0] != 1:
            raise Refused("columns and rows without one stored image", "they have no place", "give points_mm")
        points = grid.to_patient(np.column_stack([np.zeros(len(points)), points[:, 1], points[:, 0]]))
    elif grid.reference is not Reference.PATIENT:
        raise Refused(
            "millimetres of a patient on an image without a place in one",
            "they mean nothing there",
            "give columns and rows of the image",
        )
    if not grid.contains(points).all():
        raise Refused("a mark outside its image", "it would point at nothing", "draw it on the image")
    if drawn.normal is not None and not drawn.instance_uid:
        return points, grid
    depth = grid.to_index(points)[:, 0]
    slice_ = int(np.clip(round(float(depth.mean())), 0, grid.shape[0] - 1))
    if np.abs(depth - slice_).max() > 0.5 + 1e-6:
        raise Refused("points of several slices", "a mark lies on one image", "draw it again")
    return points, grid.cropped((slice_, 0, 0), (slice_ + 1, *grid.shape[1:]))


# ---- its numbers


def _numbers(drawn: Drawn, points: Points, grid: Geometry, image: Image) -> tuple[Measurement, ...]:
    points, unit, source = _calibrated(points, grid, image)
    square = "mm2" if unit == "mm" else unit
    if drawn.kind == "length":
        return (Measurement(codes.LENGTH, measuring.length(points), unit, definition=source),)
    if drawn.kind == "bidirectional":
        long, short = measuring.bidirectional(points)
        return (
            Measurement(codes.LONG_AXIS, long, unit, definition=source),
            Measurement(codes.SHORT_AXIS, short, unit, definition=source),
        )
    if drawn.kind == "angle":
        return (Measurement(codes.ANGLE, measuring.angle_deg(points), "deg", definition=_OF_ANGLE),)
    if drawn.kind == "probe":
        value = _value_at(drawn, grid, image)
        return (Measurement(_VALUE, value, image.volume.unit, definition="the voxel that holds the point"),)
    area = measuring.ellipse_area(points) if drawn.kind == "ellipse" else measuring.polygon_area(points)
    return (Measurement(codes.AREA, area, square, definition=source), *_values(drawn, grid, image))


def _calibrated(points: Points, grid: Geometry, image: Image) -> tuple[Points, str, str]:
    """Points in the unit in which lengths are true, that unit, and by what it is known."""
    if grid.reference is Reference.PIXEL:
        return points, "{pixels}", image.calibration
    regions = image.volume.facts.get("UltrasoundRegions")
    if not regions:
        return points, "mm", image.calibration
    pixels = grid.to_index(points)[:, [2, 1]]
    low, high = pixels.min(axis=0) + 0.5, pixels.max(axis=0) - 0.5
    scales = scales_at(regions, low[0], low[1], high[0], high[1])
    if len(scales) == 1:
        return np.column_stack([pixels * scales[0], np.zeros(len(pixels))]), "mm", image.calibration
    flat = np.column_stack([pixels, np.zeros(len(pixels))])
    return flat, "{pixels}", "px, not calibrated: outside of one ultrasound region"


def _one_value(image: Image) -> Volume:
    if image.volume.axes:
        raise Refused("values of a colour image", "a colour is no measured quantity", "measure its length or area")
    return image.volume


def _value_at(drawn: Drawn, grid: Geometry, image: Image) -> float:
    volume = _one_value(image)
    points, _ = _placed(drawn, image)
    at = np.clip(np.round(volume.geometry.to_index(points[0])).astype(int), 0, np.array(volume.geometry.shape) - 1)
    value = float(volume.array[tuple(at)])
    if not np.isfinite(value):
        raise Refused("a voxel whose value is no number", "there is nothing to read", "probe another place")
    return value


def _values(drawn: Drawn, grid: Geometry, image: Image) -> tuple[Measurement, ...]:
    """Mean, deviation, smallest and largest value within the line; a colour image has an area only."""
    if image.volume.axes:
        return ()
    volume = image.volume
    points, _ = _placed(drawn, image)
    if grid.shape[0] == 1:
        plane, how = grid, "pixels whose centre lies within"
        values = volume.array[round(float(volume.geometry.to_index(grid.to_patient((0, 0, 0)))[0]))]
    else:
        from scipy.ndimage import map_coordinates

        assert drawn.normal is not None
        plane = measuring.plane_through(points, volume.geometry, np.array(drawn.normal))
        rows, columns = np.mgrid[: plane.shape[1], : plane.shape[2]]
        at = volume.geometry.to_index(plane.to_patient(np.stack([np.zeros_like(rows), rows, columns], axis=-1)))
        values = map_coordinates(volume.array.astype(np.float64), np.moveaxis(at, -1, 0), order=1, mode="nearest")
        how = f"plane through the volume, linear, pixels of {plane.spacing_mm[1]:.3g} mm"
    inside = measuring.ellipse_inside if drawn.kind == "ellipse" else measuring.polygon_inside
    told = measuring.values_of(values, inside(points, plane))
    unit = volume.unit
    return (
        Measurement(codes.MEAN, told.mean, unit, definition=how),
        Measurement(codes.STANDARD_DEVIATION, told.deviation, unit, definition="n - 1"),
        Measurement(codes.MINIMUM, told.low, unit),
        Measurement(codes.MAXIMUM, told.high, unit),
        Measurement(codes.COUNT, told.count, "{pixels}"),
    )


def _sentence(kind: str, numbers: tuple[Measurement, ...], image: Image) -> str:
    """The mark in one line: what it is, its first numbers and, where a length is not of the patient, by what."""
    first = words.number(numbers[0].value, numbers[0].unit)
    if kind == "bidirectional":
        text = f"{first} × {words.number(numbers[1].value, numbers[1].unit)}"
    elif kind in ("ellipse", "freehand") and len(numbers) > 1:
        mean, deviation = (words.number(m.value, m.unit) for m in numbers[1:3])
        text = f"{_NAMES[kind]} {first}, mean {mean}, SD {deviation}"
    else:
        text = f"{_NAMES[kind]} {first}"
    own = image.volume.geometry.reference is Reference.PATIENT or kind in ("probe", "angle")
    return text if own else f"{text}, {numbers[0].definition}"
