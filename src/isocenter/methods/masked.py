"""What an image and its mask must be before numbers are taken from them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused

__all__ = ["must_be_mask", "must_fit"]


def must_be_mask(mask: npt.NDArray[Any]) -> None:
    """A mask says yes or no: labels 0, 1, 2 as indices would quietly take other voxels.

    Raises:
        Refused: for any other kind of array.
    """
    if mask.dtype != np.bool_:
        raise Refused(f"a mask of {mask.dtype}", "a mask is boolean", "choose the label first: labels == 1")


def must_fit(image: npt.NDArray[Any], mask: npt.NDArray[Any]) -> None:
    """The mask lies on the image, and what it holds are numbers.

    Raises:
        Refused: for a mask that is not boolean, of another shape, or over values that are no numbers.

    >>> must_fit(np.array([1.0, np.nan]), np.array([True, False]))
    """
    must_be_mask(mask)
    if mask.shape != image.shape:
        raise Refused(f"a mask of shape {mask.shape}", f"the image has {image.shape}", "resample one of them")
    if not np.isfinite(image[mask]).all():
        raise Refused("intensities that are not numbers", "they lie in the region", "take them out of the mask")
