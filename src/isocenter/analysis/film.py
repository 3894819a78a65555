"""A radiograph as a reader sees it: as its header has it shown, dense tissue bright, padding dark.

The one place in which analyses, judging and training turn the values of a radiograph into greys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.dicom.padding import shown_between, surrounding
from isocenter.methods.film_view import FILMS, as_shown, dense_bright

__all__ = ["film_greys", "picture_greys", "within_collimator", "within_padding", "without_padding"]

_CORNER, _BESIDE = 0.02, 0.02  # of the sides; of the values of a picture, by which padding varies besides
_LOOKED_AT = 256  # lines of a film in which its border is sought
# Of the lines, that a collimator may shut out at one edge; of the range of greys, by which these vary, and above which
# they lie.
_WIDEST_SHUT, _EVEN, _WHITE = 0.3, 0.06, 0.85
_NOISE = 7  # neighbours along a line whose mean is taken
_WIDEST_RANGE = 0.5  # of the values of a picture, that a range of padding may take: beyond it tissue is meant as well


def film_greys(picture: npt.NDArray[Any], facts: Mapping[str, Any]) -> npt.NDArray[np.float32]:
    """The greys of a radiograph; see `isocenter.methods.film_view.dense_bright`.

    Args:
        picture: (rows, columns) of values as `isocenter.dicom.plane` gives them. facts: of the image.
    """
    values = np.asarray(picture, np.float32)
    held = _padding(values, facts)
    if held is None:
        return dense_bright(values, facts)
    seen = dense_bright(values, facts, ~held[0])
    around, least = surrounding(held[0]), seen[~held[0]].min()
    return np.asarray(np.where(around & (seen > least), least, seen), np.float32)


def picture_greys(picture: npt.NDArray[Any], facts: Mapping[str, Any]) -> npt.NDArray[np.float32]:
    """The greys of a picture of any kind as its header has it shown; of a radiograph as `film_greys`.

    Args:
        picture: (rows, columns) of values as `isocenter.dicom.plane` gives them. facts: of the image.
    """
    radiograph = str(facts.get("Modality") or "").strip().upper() in (*FILMS, "MG")
    return (film_greys if radiograph else as_shown)(picture, facts)


def without_padding(picture: npt.NDArray[np.float32], facts: Mapping[str, Any]) -> npt.NDArray[np.float32]:
    """What was put around a picture as dark as the darkest of the rest, as a viewer shows it.

    As bright pixels it would be tissue.

    Args:
        picture: (rows, columns). facts: of the image.
    """
    held = _padding(picture, facts)
    if held is None or (least := picture[~held[0]].min()) >= held[1]:
        return picture
    return np.asarray(np.where(surrounding(held[0]), least, picture), np.float32)


def within_padding(picture: npt.NDArray[np.float32], facts: Mapping[str, Any]) -> tuple[slice, slice]:
    """The rows and columns of a picture that are not padding from end to end."""
    held = _padding(picture, facts)
    if held is None:
        return slice(0, picture.shape[0]), slice(0, picture.shape[1])
    around = surrounding(held[0])
    down, across = (np.flatnonzero(~around.all(axis=1 - axis)) for axis in (0, 1))
    return slice(int(down[0]), int(down[-1]) + 1), slice(int(across[0]), int(across[-1]) + 1)


def within_collimator(film: npt.NDArray[np.float32], field: tuple[slice, slice]) -> tuple[slice, slice]:
    """The rows and columns of a film between what the collimator shut out, which is white but for noise.

    Args:
        film: (rows, columns), dense tissue bright (`film_greys`). A line that was shut out is even from end to end and
            as bright as the brightest of the picture; lines across a patient have air or lungs on them.
        field: the rows and columns that are left of it already, such as those within padding.

    >>> film = np.full((64, 64), 9.0, np.float32)
    >>> film[8:, 4:60] = np.arange(56)[:, None] % 7
    >>> within_collimator(film, (slice(0, 64), slice(0, 64)))
    (slice(8, 64, None), slice(4, 60, None))
    """
    from scipy.ndimage import uniform_filter1d  # takes longer to load than most films need

    seen = film[field]
    if not np.isfinite(seen).all():  # refused by whoever measures, by name
        return field
    step = max(1, min(seen.shape) // _LOOKED_AT)
    rows, columns = (side // step for side in seen.shape)
    coarse = seen[: rows * step, : columns * step].reshape(rows, step, columns, step).mean(axis=(1, 3))
    low, high = (float(v) for v in np.percentile(coarse, (0.5, 99.5)))
    ends = []
    for lines in (coarse, coarse[::-1], coarse.T, coarse.T[::-1]):
        few = uniform_filter1d(lines[: int(_WIDEST_SHUT * len(lines))], _NOISE, axis=1)
        spread = np.ptp(np.percentile(few, (2.0, 98.0), axis=1), axis=0)
        shut = (spread < _EVEN * (high - low)) & (np.median(few, axis=1) > low + _WHITE * (high - low))
        many = int(np.argmin(np.append(shut, False)))
        ends.append(many * step + (step - 1 if many else 0))  # the next block may be partly shut out
    top, bottom, left, right = ends
    down, across = field
    return slice(down.start + top, down.stop - bottom), slice(across.start + left, across.stop - right)


def _padding(picture: npt.NDArray[np.float32], facts: Mapping[str, Any]) -> tuple[npt.NDArray[np.bool_], float] | None:
    """Pixels of a value that the header calls padding, and the highest such value; None where there are none."""
    ends = shown_between(facts)
    if ends is not None and ends[1] - ends[0] > _WIDEST_RANGE * float(np.ptp(picture)):
        ends = shown_between({**facts, "PixelPaddingRangeLimit": None, "PaddingLookedUp": None})
    if ends is None:
        return None
    ends = _met_in_corners(picture, ends)
    padded = (picture >= np.float32(ends[0])) & (picture <= np.float32(ends[1]))
    return (padded, ends[1]) if padded.any() and not padded.all() else None


def _met_in_corners(picture: npt.NDArray[np.float32], ends: tuple[float, float]) -> tuple[float, float]:
    """The part of a range of padding that is in use: it lies in corners, and tissue may hold other values of it."""
    high, wide = (max(1, round(_CORNER * side)) for side in picture.shape)
    corners = np.concatenate([picture[r, c].ravel() for r in (slice(high), slice(-high, None))
                              for c in (slice(wide), slice(-wide, None))])  # fmt: skip
    met = corners[(corners >= np.float32(ends[0])) & (corners <= np.float32(ends[1]))]
    if not met.size or ends[0] == ends[1]:
        return ends
    beside = _BESIDE * float(np.ptp(picture))
    return max(ends[0], float(met.min()) - beside), min(ends[1], float(met.max()) + beside)
