"""A picture of any size and grey scale brought to the few pixels that a network sees.

The same arithmetic prepares a picture when a model is judged and when it answers in the clinic, so that its evidence
holds for what readers get.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused

__all__ = ["enlarged", "of_one_grey", "prepared", "resampled"]


@lru_cache(maxsize=64)
def _weights(wanted: int, given: int) -> npt.NDArray[np.float64]:
    """(wanted, given): triangle filter, widened where the picture shrinks so that no fine stripe turns into another."""
    scale = max(given / wanted, 1.0)
    centre = (np.arange(wanted) + 0.5) * given / wanted
    distance = np.abs(np.arange(given) + 0.5 - centre[:, None]) / scale
    triangle = np.clip(1 - distance, 0, None)
    return np.asarray(triangle / triangle.sum(axis=1, keepdims=True))


def resampled(picture: npt.NDArray[Any], rows: int, columns: int) -> npt.NDArray[np.float32]:
    """Bilinear with anti-aliasing, as Pillow's and torch's; (…, rows, columns) in and out.

    Summed in float64 and rounded once: in float32 processors that add in another order differ in the last bit, and half
    a grey level becomes another whole one, by which a picture would not be known again.

    >>> resampled(np.array([[0.0, 0.0, 4.0, 4.0]]), 1, 2).round(3).tolist()
    [[0.5709999799728394, 3.428999900817871]]
    """
    seen = np.asarray(picture, np.float64)
    down, across = _weights(rows, seen.shape[-2]), _weights(columns, seen.shape[-1])
    return np.asarray(down @ (seen @ across.T), np.float32)


def prepared(picture: npt.NDArray[Any], size: int, *, between: int = 224) -> npt.NDArray[np.float32]:
    """(size, size) float32 in 0 … 1, whatever the grey scale, exposure or matrix of the picture was.

    The picture is stretched to a square of `between` pixels, its grey values between the 1st and 99th percentile are
    spread over 0 … 1 in steps of 1/255 (the training pictures had 8 bits), and it is brought to `size`.

    Raises:
        Refused: when the picture is not two-dimensional, holds values that are not finite, or is of one grey.
    """
    if picture.ndim != 2:
        raise Refused(f"a picture of shape {picture.shape}", "one grey picture is wanted", "give rows and columns")
    if not np.isfinite(picture).all():
        raise Refused("pixels that are not finite", "they have no grey value", "send the picture again")
    square = resampled(picture, between, between)
    if of_one_grey(square):
        raise Refused("a picture of one grey", "nothing is to be seen on it", "send the picture again")
    low, high = np.percentile(square, (1, 99))
    grey = np.floor(np.clip((square - low) * (255.0 / (high - low)) + 0.5, 0, 255))
    return resampled(grey / 255.0, size, size)


def of_one_grey(picture: npt.NDArray[Any]) -> bool:
    """Whether nothing is to be seen on a picture: its 1st and 99th percentiles are the same.

    >>> of_one_grey(np.full((40, 40), 7)), of_one_grey(np.eye(40)), of_one_grey(np.eye(200))
    (True, False, True)
    """
    low, high = np.percentile(picture, (1, 99))
    return bool(high - low <= 1e-6 * max(1.0, abs(float(high))))


def enlarged(map_: npt.NDArray[Any], rows: int, columns: int) -> npt.NDArray[np.float32]:
    """A coarse map on the grid of the picture, smooth between its places."""
    return resampled(map_, rows, columns)
