"""What was put around an image and is none of it: Pixel Padding Value and Pixel Padding Range Limit (PS3.3 C.7.5).

Padding is believed where it surrounds the image: it is in one piece with what lies beyond the picture, and reaches
three of its corners. The same values within are values of the image, and so is what reaches fewer corners: saturated
tissue at an edge, on a picture whose console states the value of white and pads nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["of_ct", "shown_between", "surrounding", "words_between"]

_CORNERS = 3  # of a picture that padding reaches; an abdomen below a chest takes two, a pectoral muscle one
_LEAST_LEFT = 0.1  # of a picture: a range that leaves less is no padding
_LOWEST_HU = -1024.0  # of a CT of 12 bits: a range that begins below air ends here, whatever it says
_TISSUE_HU = -900.0  # nobody fills a picture with air of this

Words = tuple[int, int]


def words_between(value: int, limit: int | None, *, signed: bool) -> Words:
    """The least and the greatest stored value that is padding, both belonging to it; without a limit the value alone.

    Args:
        value, limit: as unsigned words, in either order.
        signed: whether pixels are (Pixel Representation).

    >>> words_between(63536, 64000, signed=True), words_between(4095, 4000, signed=False)
    ((-2000, -1536), (4000, 4095))
    """
    ends = [word - 2**16 if signed and word >= 2**15 else word for word in (value, value if limit is None else limit)]
    return min(ends), max(ends)


def surrounding(padded: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Of the pixels that may be padding those that surround a picture; none where they do not.

    >>> picture = np.ones((4, 4), bool); picture[1:3, 1:3] = False; picture[3, 3] = False
    >>> int(surrounding(picture).sum()), int(surrounding(np.eye(4) > 0).sum())
    (11, 0)
    """
    from scipy import ndimage  # takes longer to load than most pictures, which have no padding

    labels, _ = ndimage.label(np.pad(padded, 1, constant_values=True), np.ones((3, 3)))
    outside = np.asarray((labels == labels[0, 0])[1:-1, 1:-1] & padded)
    enough = np.count_nonzero(outside[[0, 0, -1, -1], [0, -1, 0, -1]]) >= _CORNERS
    if not enough or np.count_nonzero(~outside) < _LEAST_LEFT * outside.size:
        return np.zeros_like(padded)
    return outside


def shown_between(facts: Mapping[str, Any]) -> tuple[float, float] | None:
    """The least and the greatest value of padding in a picture as it was read; None where none is stated."""
    said, limit = facts.get("PixelPaddingValue"), facts.get("PixelPaddingRangeLimit")
    if not isinstance(said, int):
        return None
    signed, bits = bool(facts.get("PixelRepresentation")), int(facts.get("BitsStored") or 16)
    ends: list[float] = list(words_between(said, limit if isinstance(limit, int) else None, signed=signed))
    if isinstance(looked_up := facts.get("PaddingLookedUp"), list):
        ends = looked_up
    elif facts.get("ModalityLUT"):
        return None
    if facts.get("InvertedFromMonochrome1"):
        ends = [(-1 if signed else 2**bits - 1) - end for end in ends]
    slope, shift = (facts.get(k) for k in ("RescaleSlope", "RescaleIntercept"))
    if isinstance(slope, (int, float)) and isinstance(shift, (int, float)):
        ends = [end * slope + shift for end in ends]
    return min(ends), max(ends)


def of_ct(
    stored: npt.NDArray[Any], value: int, limit: int | None, *, slope: float, intercept: float
) -> npt.NDArray[Any]:
    """Stored values of CT images, (images, rows, columns), of which padding is one value, darker than air.

    In unsigned words padding may be negative: -2000 is written as 63536, and taken as it stands it is the brightest of
    the picture. A range that reaches from below air into tissue is believed below air only: air has noise.

    Args:
        value, limit: as unsigned words.
        slope, intercept: to Hounsfield units.
    """
    unsigned = stored.dtype == np.uint16
    negative = unsigned and value >= 2**15 and intercept > -(2**13)  # some write water as the middle of the words
    held = stored
    if negative and (stored >= 2**15).any():
        held = stored.astype(np.int32)
        held[stored >= 2**15 if limit is not None else stored == value] -= 2**16
    low, high = words_between(value, limit, signed=negative or not unsigned)
    one = value - 2**16 if (negative or not unsigned) and value >= 2**15 else value
    ends = sorted(word * slope + intercept for word in (low, high))
    if (limit is None and one * slope + intercept < _TISSUE_HU) or slope <= 0:
        return held
    if ends[0] < _TISSUE_HU:
        high = min(high, int(np.ceil((_LOWEST_HU - intercept) / slope)) - 1)
    padded = (held >= low) & (held <= high)
    if not padded.any() or padded.all():
        return held
    dark = one if one * slope + intercept < _LOWEST_HU else int((_LOWEST_HU * 2 - intercept) / slope)
    out = held.astype(np.int32) if held.dtype != np.int32 else held
    for image, where in zip(out, padded, strict=True):
        if where.any():
            image[surrounding(where)] = dark
    return out
