"""What an image, its mask and its spacing must be before numbers are taken from them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused

__all__ = ["Spacing", "as_image", "as_mask", "as_spacing", "must_fit"]

Spacing = tuple[float, float, float]


def as_mask(mask: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """A mask says yes or no: booleans, or zeros and ones of any kind, as files hold them.

    Raises:
        Refused: for any other value: labels 0, 1, 2 as a mask would quietly measure another region.

    >>> as_mask(np.array([0.0, 1.0], np.float32))
    array([False,  True])
    """
    held = np.asarray(mask)
    if held.dtype == np.bool_:
        return held
    if held.dtype.kind not in "iuf":
        raise Refused(f"a mask of {held.dtype}", "a mask is boolean", "choose the label first: labels == 1")
    yes = held == 1
    if not (yes | (held == 0)).all():
        raise Refused(
            "a mask with other values than 0 and 1", "a mask is boolean", "choose the label first: labels == 1"
        )
    return np.asarray(yes)


def as_spacing(spacing_mm: Any) -> Spacing:
    """Distances of slices, rows and columns, in millimetres.

    Raises:
        Refused: for anything but three positive numbers.

    >>> as_spacing(np.array([2, 1, 1]))
    (2.0, 1.0, 1.0)
    """
    try:
        found = tuple(float(step) for step in spacing_mm)
    except (TypeError, ValueError):
        found = ()
    if len(found) != 3 or not all(np.isfinite(step) and step > 0 for step in found):
        raise Refused(
            f"spacing {spacing_mm} mm",
            "it is three positive numbers: of slices, of rows, of columns",
            "give millimetres of all three",
        )
    return found[0], found[1], found[2]


def as_image(image: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Intensities of a volume that a filter may spread over their neighbours.

    Raises:
        Refused: for other than three axes, no voxels, or values that are not numbers.
    """
    held = np.asarray(image, dtype=np.float64)
    if held.ndim != 3 or not held.size:
        raise Refused(
            f"an image of shape {held.shape}", "filters take (slices, rows, columns)", "give an image of three axes"
        )
    if not np.isfinite(held).all():
        raise Refused(
            "intensities that are not numbers", "a filter would spread them over the image", "send the image again"
        )
    return held


def must_fit(image: npt.NDArray[Any], mask: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """The mask as booleans; it lies on the image, and what it holds are numbers.

    Raises:
        Refused: for what is no mask, a mask of another shape, or one over values that are no numbers.

    >>> must_fit(np.array([1.0, np.nan]), [True, False])
    array([ True, False])
    """
    held = as_mask(mask)
    if held.shape != image.shape:
        raise Refused(f"a mask of shape {held.shape}", f"the image has {image.shape}", "resample one of them")
    if not np.isfinite(image[held]).all():
        raise Refused("intensities that are not numbers", "they lie in the region", "take them out of the mask")
    return held
