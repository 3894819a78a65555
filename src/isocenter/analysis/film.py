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

__all__ = ["film_greys", "picture_greys", "within_padding", "without_padding"]

_CORNER, _BESIDE = 0.02, 0.02  # of the sides; of the values of a picture, by which padding varies besides
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
