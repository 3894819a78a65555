"""Whether things on a picture are as large a part of it as those that a detector learnt from: a test beside a border.

A part of a picture that was cut out shows them larger, however it was kept: enlarged, made smaller, stretched or as
JPEG. A whole picture shows them as large as before in any size and any stretch. So it is asked how large they are, as
a part of the picture, by the boxes that the detector itself finds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.learn.besides import Step, with_test

if TYPE_CHECKING:
    from isocenter.learn.judge_boxes import Found

__all__ = ["INPUT", "extents", "limits_of", "with_extent"]

INPUT = "extents"
"""Under this name a border is given the extents of the things on a picture, where it asks for them."""
_NONE = -20.0
"""What stands for the extent where none was found."""
_EDGE = 0.01
"""Part of the side within which a box touches the edge: what it holds may be cut off there."""

Array = npt.NDArray[Any]


def extents(found: Found, shape: Sequence[int], thresholds: Sequence[float]) -> npt.NDArray[np.float32]:
    """(classes,) logarithm of the median side of the boxes of each class, as a part of the picture; whole things only.

    The side is the root of the share of the area that a box has, so that no stretch changes it.

    Args:
        shape: rows and columns of the picture. thresholds: score of each class from which a box counts.
    """
    rows, columns = shape[:2]
    sides = found.boxes / [columns, rows, columns, rows]
    whole = (sides[:, :2] > _EDGE).all(1) & (sides[:, 2:] < 1 - _EDGE).all(1)
    area = (sides[:, 2:] - sides[:, :2]).prod(1)
    told = np.full(len(thresholds), _NONE, np.float32)
    for kind, least in enumerate(thresholds):
        own = area[(found.kinds == kind) & (found.scores >= least) & whole]
        if len(own) and np.median(own) > 0:
            told[kind] = np.log(np.median(own)) / 2
    return told


def limits_of(told: Array, given_up: float) -> tuple[int, float, float]:
    """The class that is asked about, the one most pictures show; and the least and the greatest extent of it.

    Args:
        told: (n, classes) of right pictures. given_up: part of them beyond both limits together, at most.

    Raises:
        Refused: fewer pictures that show it than the limits take.
    """
    seen = np.asarray(told, np.float64)
    kind = int((seen > _NONE).sum(0).argmax())
    own = np.sort(seen[seen[:, kind] > _NONE, kind])
    rank = int((len(own) + 1) * given_up / 2)  # as many of those to come lie beyond each, on the mean (Vovk 2005)
    if rank < 1 or own[-rank] <= own[rank - 1]:
        raise Refused(f"{len(own)} pictures that show one kind", f"limits that {given_up:g} lie beyond take "
                      f"{int(np.ceil(2 / given_up))}", "give more pictures, or give up a larger part")  # fmt: skip
    return kind, float(own[rank - 1]), float(own[-rank])


def with_extent(border: bytes, kind: int, least: float, most: float, classes: int) -> bytes:
    """The file of a border that also asks for extents; its strangeness is the higher of both.

    That of an extent is how far it is from the middle of both limits, so that it is 1 at either.

    Raises:
        Refused: one that asks for them already.
    """
    numbers = {
        "kind": np.array(kind, np.int64), "middle": np.array([(least + most) / 2]),
        "half": np.array([(most - least) / 2]),
    }  # fmt: skip
    steps: list[Step] = [
        ("Gather", ("", "kind"), {"axis": 1}), ("Sub", ("", "middle"), {}), ("Div", ("", "half"), {}),
        ("Abs", ("",), {}),
    ]  # fmt: skip
    return with_test(border, INPUT, classes, numbers, steps)
