"""Whether a picture holds the detail of its grid, or is a part of another that was enlarged: a test beside a border.

A picture brought to a grid from a finer one has something to show up to the finest waves of that grid. A part of it
that is enlarged again has nothing there (Shannon 1949), however it was enlarged: smooth, or by repeating its pixels.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.learn.besides import with_test

__all__ = ["INPUT", "detail", "limit_of", "with_detail"]

INPUT = "detail"
"""Under this name a border is given the detail of a picture, where it asks for it."""
_FINEST, _REPEATED, _NONE = 7 / 8, 1 / 8, -20.0
"""From which part of the shortest wave on; the part of rows or columns that may repeat their neighbour, and what stands
for no detail at all, as of a picture of one grey."""

Array = npt.NDArray[Any]


def detail(picture: Array) -> float:
    """Logarithm of the share of the variance that lies in the finest waves, by cosine transform.

    Args:
        picture: (rows, columns) or (rows, columns, 3), of at least 16 × 16 pixels.
    """
    from scipy import fft

    x = np.asarray(picture, np.float64)
    x = x.mean(-1) if x.ndim == 3 else x
    variance = float(x.var())
    if variance <= 0 or max(_repeated(x), _repeated(x.T)) > _REPEATED:
        return _NONE
    waves = fft.dctn(x - x.mean(), norm="ortho") ** 2 / (variance * x.size)
    rows, columns = np.indices(x.shape)
    fine = np.maximum(rows / x.shape[0], columns / x.shape[1]) >= _FINEST
    return max(math.log(float(waves[fine].sum()) + 1e-12), _NONE)


def _repeated(x: Array) -> float:
    """Part of the rows that are as the one before; of rows of one grey nothing is said."""
    told = np.ptp(x[1:], axis=1) > 0
    return float(np.mean((x[1:] == x[:-1]).all(1)[told])) if told.any() else 0.0


def limit_of(details: npt.ArrayLike, given_up: float) -> tuple[float, float]:
    """Below which detail a picture is declined, and how much of it counts as a strangeness of 1.

    Args:
        details: of right pictures that teach nothing else. given_up: part of right ones below the limit, at most.

    Raises:
        Refused: fewer pictures than the limit takes.
    """
    seen = np.sort(np.asarray(details, np.float64))
    rank = math.floor((len(seen) + 1) * given_up)  # as many of those to come lie below it, on the mean (Vovk 2005)
    if rank < 1:
        least = math.ceil(1 / given_up) - 1
        raise Refused(f"{len(seen)} pictures", f"a limit that {given_up:g} lie below takes {least}",
                      "give more pictures, or give up a larger part")  # fmt: skip
    return float(seen[rank - 1]), float(seen.std()) or 1.0


def with_detail(border: bytes, limit: float, spread: float) -> bytes:
    """The file of a border that also asks for detail; its strangeness is the higher of both.

    Raises:
        Refused: one that asks for it already.
    """
    numbers = {"least": np.array([limit + spread]), "spread": np.array([spread])}
    return with_test(border, INPUT, None, numbers, [("Sub", ("least", ""), {}), ("Div", ("", "spread"), {})])
