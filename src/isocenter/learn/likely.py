"""How well the measures of an image go together: a second test beside a border, which shares nothing with its network.

Measures of one kind of thing keep to few directions (Jolliffe 2002, the residual of principal components): what is off
them is none of its kind, though every measure alone may be usual. Where the limit lies is taken from right images that
the directions were not fitted to (Vovk 2005: of those, no more than the part given up lies beyond, on the mean).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.learn.besides import with_test

__all__ = ["INPUT", "Likely", "fit_likely", "with_likely"]

INPUT = "measures"
"""Under this name a border is given the measures of an image, where it asks for them."""
_KEPT = 30

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Likely:
    """Directions to which the measures of right images keep.

    Args:
        middle, spread: (d,) of each measure. axes: (d, k) the directions, of length 1. limit: right images lie nearer.
    """

    middle: Array
    spread: Array
    axes: Array
    limit: float

    def off(self, measures: Array) -> npt.NDArray[np.float64]:
        """(n,) how far off the directions the measures (n, d) lie, in parts of the limit."""
        seen = (np.asarray(measures, np.float64) - self.middle) / self.spread
        return np.asarray(np.linalg.norm(seen - (seen @ self.axes) @ self.axes.T, axis=1) / self.limit)


def fit_likely(measures: Array, held: npt.NDArray[np.bool_], given_up: float = 0.02) -> Likely:
    """Directions of right images, and the limit by those held back.

    Args:
        measures: (n, d). held: (n,) which only lay the limit. given_up: part of right images beyond it, at most.

    Raises:
        Refused: fewer images than a limit or 30 directions take.
    """
    inside, laying = np.asarray(measures[~held], np.float64), measures[held]
    rank = math.ceil((len(laying) + 1) * (1 - given_up))
    if rank > len(laying) or len(inside) < 10 * _KEPT:
        raise Refused(
            f"{len(inside)} images and {len(laying)} held back",
            f"directions take {10 * _KEPT}, and a limit that {given_up:g} lie beyond {math.ceil(1 / given_up) - 1}",
            "give more images, or give up a larger part",
        )  # fmt: skip
    middle, spread = inside.mean(0), inside.std(0) + 1e-6
    _, axes = np.linalg.eigh(np.cov(((inside - middle) / spread).T))
    found = Likely(middle, spread, axes[:, ::-1][:, :_KEPT], 1.0)
    return Likely(middle, spread, found.axes, float(np.sort(found.off(laying))[rank - 1]))


def with_likely(border: bytes, likely: Likely) -> bytes:
    """The file of a border that also asks for measures; its strangeness is the higher of both.

    Raises:
        Refused: one that asks for them already.
    """
    # The columns of `off` are what is left of a measure, so that one product takes the directions away.
    off = (np.eye(len(likely.middle)) - likely.axes @ likely.axes.T) / likely.limit
    numbers = {"middle": likely.middle, "spread": likely.spread, "off": off, "axis": np.array([1])}
    return with_test(border, INPUT, len(likely.middle), numbers, [
        ("Sub", ("", "middle"), {}), ("Div", ("", "spread"), {}), ("MatMul", ("", "off"), {}),
        ("ReduceL2", ("", "axis"), {"keepdims": 0}),
    ])  # fmt: skip
