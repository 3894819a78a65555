"""One picture without a place in the patient (ultrasound, radiograph), and outlines on it in its own millimetres."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.analysis.film import film_greys, without_padding
from isocenter.dicom.plane import BEYOND, NO_LENGTH, OVER_TIME, scales_at
from isocenter.errors import Refused
from isocenter.methods.volumetry import axes_of
from isocenter.space import Geometry, Reference, Region, Volume

__all__ = [
    "Ellipse",
    "age_said",
    "age_years",
    "calibrated",
    "ellipse_of",
    "frame_drawn_on",
    "grey",
    "longest_mm",
    "on_image",
]

_ROUNDED = 0.02  # of a decade, 5 %, by which one scale may be rounded; whole decades are mm taken for cm
_RADIOGRAPHS = ("CR", "DX", "MG", "RG")
_FEWEST_PIXELS = 32  # along a side


def grey(
    image: Volume, *, film: bool = False, shown: bool = False
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_] | None]:
    """(rows, columns) brightness of one picture, and which pixels are coloured (Doppler, text, overlays).

    Args:
        film: whether a film will do, of which the first frame is given: what is measured is not on its pixels.
        shown: whether a radiograph is given with dense tissue bright, as its header has it shown.

    Raises:
        Refused: for a film or a stack of slices, a picture of one value or of less than 32 pixels a side, or values
            that are not numbers.
    """
    array: npt.NDArray[Any] = image.array
    if image.geometry.shape[0] > 1:
        raise Refused(
            f"a stack of {image.geometry.shape[0]} slices",
            "one picture is looked at, and tomosynthesis or a volume is none",
            "send the plain picture",
        )
    for axis in image.axes:
        if axis.name != "channel" and len(axis) > 1 and not film:
            raise Refused(*_of_many_frames(len(axis), image.facts))
    if film:
        array = array[tuple(slice(None) if axis.name == "channel" else 0 for axis in image.axes)]
    coloured = None
    if any(axis.name == "channel" for axis in image.axes):
        where = [axis.name for axis in image.axes].index("channel")
        channels = np.moveaxis(array, where, 0).reshape(-1, *image.geometry.shape[1:]).astype(np.float32)
        coloured = np.asarray(channels.max(axis=0) - channels.min(axis=0) > 12.0)
        array = channels.mean(axis=0)
    picture = np.asarray(array, np.float32).reshape(image.geometry.shape[-2:] if array.size else (0, 0))
    if min(picture.shape) < _FEWEST_PIXELS:
        raise Refused(
            f"a picture of {picture.shape[0]} by {picture.shape[1]} pixels",
            "that is no image of a patient",
            "choose an image of the patient",
        )
    if not np.isfinite(picture).all():
        raise Refused(
            "a picture with values that are not numbers", "nothing can be measured on it", "send the image again"
        )
    if coloured is None:
        picture = (film_greys if shown else without_padding)(picture, image.facts)
    if picture.min() == picture.max():
        raise Refused(
            f"a picture of one value ({float(picture.flat[0]):g})", "there is no image in it", "send the image again"
        )
    return picture, coloured


def _of_many_frames(count: int, facts: Mapping[str, Any]) -> tuple[str, str, str]:
    if facts.get("Modality") in _RADIOGRAPHS:
        why = "one picture is looked at, and tomosynthesis, fluoroscopy or a volume is none"
        return f"an image of {count} frames", why, "send the plain picture"
    do = "send the frame that was measured as a still picture of the machine, with its calibration"
    return f"a film of {count} frames", "one picture is looked at, and nothing says which", do


def age_years(age: str) -> float | None:
    """DICOM's age string (PS3.5 6.2) in years; None where there is none.

    >>> age_years("018M"), age_years("")
    (1.5, None)
    """
    found = re.fullmatch(r"(\d{1,3})([DWMY])", age.strip())
    return int(found[1]) / {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}[found[2]] if found else None


def age_said(years: float) -> str:
    """An age as it is spoken: years, and months of those below two.

    >>> age_said(0.25), age_said(12.0)
    ('3 months', '12 years')
    """
    return f"{years:.0f} years" if years >= 2 else f"{12 * years:.0f} months"


def on_image(regions: Sequence[Region] | None, image: Volume) -> tuple[Region, ...]:
    """Outlines that lie on this picture, with its calibration.

    Raises:
        Refused: for outlines on a film, of which nothing says on which one frame they lie, and for those drawn on
            another matrix than the picture's.
    """
    kept: list[Region] = []
    frames = max((len(axis) for axis in image.axes if axis.name != "channel"), default=1)
    for region in regions or ():
        mine = not region.instance_uid or region.instance_uid in image.instance_uids
        same = region.geometry.shape == image.geometry.shape
        flat = region.geometry.reference is Reference.PIXEL and same
        if region.instance_uid in image.instance_uids and not same:
            of, on = (" by ".join(map(str, shape[-2:])) for shape in (region.geometry.shape, image.geometry.shape))
            raise Refused(
                f"{region.label or 'an outline'} of {of} pixels on a picture of {on}",
                "it was drawn on a copy of another size, so that nobody knows where it lies",
                "outline the picture as the scanner made it",
            )
        if mine and same and frames > 1 and len(region.frames & set(range(1, frames + 1))) != 1:
            raise Refused(
                f"{region.label or 'an outline'} on a film of {frames} frames",
                f"it was drawn on {len(region.frames)} of them"
                if region.frames
                else "nothing says on which of them it was drawn",
                "outline it on a still picture of the machine, or give what was measured there",
            )
        kept.append(replace(region, geometry=image.geometry) if mine and flat else region)
    return tuple(kept)


def frame_drawn_on(image: Volume, regions: Sequence[Region] | None) -> Volume:
    """The one frame of a film that all outlines say they were drawn on; any other image as it came."""
    axis = next((axis for axis in image.axes if axis.name != "channel" and len(axis) > 1), None)
    said = {n for r in regions or () if r.instance_uid in image.instance_uids for n in r.frames}
    if axis is None or len(said) != 1 or not all(r.frames for r in regions or ()):
        return image
    (number,) = said
    if not 1 <= number <= len(axis):
        return image
    return replace(image.at(axis.name, number - 1), instance_uids=image.instance_uids)


def calibrated(region: Region, image: Volume) -> Region:
    """An outline on the grid of the calibrated region of an ultrasound picture that it lies in.

    A picture may hold several regions (two views side by side, a Doppler curve below), each with its own scale.

    Raises:
        Refused: where pixels have no length: no Sequence of Ultrasound Regions, none in centimetres, or an outline that
            lies outside of them or in two.
    """
    if image.facts.get("SpacingFrom") == BEYOND:
        raise Refused(
            f"{region.label or 'an outline'} on a picture smaller than its calibrated regions",
            "it was cut or made smaller after it was calibrated, so that nobody knows how long a pixel is",
            "send the picture as the scanner made it",
        )
    if image.facts.get("SpacingFrom") == OVER_TIME:
        raise Refused(
            f"{region.label or 'an outline'} on a picture of an M-mode or Doppler curve",
            "it runs over time, and no part of it is stated to be tissue in centimetres",
            "measure on a 2-D picture with its calibration",
        )
    if image.facts.get("SpacingFrom") == NO_LENGTH:
        raise Refused(
            f"{region.label or 'an outline'} on a picture whose calibrated regions have no length",
            "its Sequence of Ultrasound Regions states no 2-D tissue in centimetres (Region Spatial Format 1, Physical "
            "Units 3), and no Pixel Spacing stands beside it",
            "send the picture as the scanner made it",
        )
    if region.geometry.reference is not Reference.PLANE:
        raise Refused(
            f"{region.label or 'an outline'} on a picture without calibration",
            "no Sequence of Ultrasound Regions or spacing says how long a pixel is",
            "send the picture as the scanner made it, not a screen shot",
        )
    held = image.facts.get("UltrasoundRegions") or []
    if not held or region.geometry != image.geometry:
        return region
    (_, top, left), (_, bottom, right) = region.bounds
    scales = scales_at(held, left, top, right - 1, bottom - 1)
    if not scales:
        raise Refused(
            f"{region.label or 'an outline'} outside the calibrated part of the picture",
            "lengths are known only within one region of the Sequence of Ultrasound Regions",
            "measure within one view",
        )
    if len(scales) > 1:
        raise Refused(
            f"{region.label or 'an outline'} in two regions of the picture", "their scales differ", "outline it in one"
        )
    across, down = scales[0]
    grid = Geometry.regular(
        shape=region.geometry.shape, spacing_mm=(1.0, down, across), reference=Reference.PLANE,
        frame_of_reference=region.geometry.frame_of_reference,
    )  # fmt: skip
    return replace(region, geometry=grid)


@dataclass(frozen=True)
class Ellipse:
    """An ellipse in a plane: full axes in millimetres and how well it fits the outline (intersection over union)."""

    long_mm: float
    short_mm: float
    fit: float

    @property
    def perimeter_mm(self) -> float:
        """Circumference by Ramanujan's second formula, right to 1e-5 for any head or abdomen."""
        a, b = self.long_mm / 2.0, self.short_mm / 2.0
        h = ((a - b) / (a + b)) ** 2
        return float(np.pi * (a + b) * (1.0 + 3.0 * h / (10.0 + np.sqrt(4.0 - 3.0 * h))))


def ellipse_of(region: Region) -> Ellipse:
    """The ellipse with the same area and second moments as a filled outline.

    Raises:
        Refused: for an outline of fewer than 100 pixels.
    """
    mask, spacing = _flat(region)
    index = np.argwhere(mask) * spacing
    if len(index) < 100:
        raise Refused(
            f"{region.label or 'an outline'} of {len(index)} pixels",
            "an ellipse needs a filled outline",
            "outline the whole structure, not a line or a point",
        )
    centre = index.mean(axis=0)
    # A pixel has extent: its own second moment is a twelfth of its side squared.
    moments = np.cov((index - centre).T, bias=True) + np.diag(spacing**2) / 12.0
    values, vectors = np.linalg.eigh(moments)
    short, long = 4.0 * np.sqrt(values)
    area = len(index) * float(spacing.prod())
    grow = np.sqrt(area / (np.pi * long * short / 4.0))
    every = np.moveaxis(np.indices(mask.shape), 0, -1) * spacing - centre
    along = every @ vectors
    inside = (along[..., 0] / (short / 2)) ** 2 + (along[..., 1] / (long / 2)) ** 2 <= 1.0
    fit = float(np.count_nonzero(inside & mask) / np.count_nonzero(inside | mask))
    return Ellipse(float(long * grow), float(short * grow), fit)


def scale_doubts(image: Volume) -> list[str]:
    """What to tell whoever measures on a picture whose two calibrations contradict each other."""
    pair, held = image.facts.get("PixelSpacing"), image.facts.get("UltrasoundRegions") or []
    if not held or not isinstance(pair, list) or len(pair) != 2 or pair == [1.0, 1.0] or min(pair) <= 0:
        return []
    if any(abs(math.log10(down / pair[0]) % 1.0 - 0.5) > 0.5 - _ROUNDED for *_, down, _ in held):
        return []
    return [
        f"WARNING: Pixel Spacing says {pair[0]:g} mm, the calibrated regions {held[0][5]:.3g} mm, and the regions were "
        "taken: was the picture enlarged or made smaller since?"
    ]


def longest_mm(region: Region) -> tuple[float, float]:
    """Longest diameter of an outline in the picture and the longest perpendicular to it."""
    _flat(region)
    axes = axes_of(region)
    return axes.long_mm, axes.short_mm


def _flat(region: Region) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    if region.mask is None or region.mask.shape[0] != 1 or not region.voxels:
        raise Refused(f"{region.label or 'an outline'} without pixels", "it cannot be measured", "outline it again")
    return region.mask[0], np.array(region.geometry.spacing_mm[1:], np.float64)
