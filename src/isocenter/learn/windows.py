"""Outlines of a volume of any size and spacing, looked at in windows that overlap, in bounded memory.

The chances of a hundred structures in a whole volume are a hundred volumes. Here only what another window will still
add to is kept, in 16 bits; all else becomes labels at once. What is kept is the overlap of one layer of windows, so
that the memory grows with the face of a volume and not with what it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise, product

import numpy as np
import numpy.typing as npt

__all__ = ["OVERLAP", "Ask", "Grey", "labels_in_windows", "starts"]

Grey = npt.NDArray[np.float32]
Ask = Callable[[Grey], Grey]

OVERLAP = 16
_STEPS = 60_000  # of a chance that is kept; all that add up to 1 stay within 16 bits


def starts(side: int, window: int) -> list[int]:
    """Where windows begin along an axis: as few as overlap by `OVERLAP` at least, evenly spread.

    >>> starts(60, 96), starts(384, 96)
    ([0], [0, 72, 144, 216, 288])
    """
    if side <= window:
        return [0]
    count = -(-(side - OVERLAP) // max(1, window - OVERLAP))
    return [round(k * (side - window) / (count - 1)) for k in range(count)]


@dataclass(frozen=True, eq=False)
class _Axis:
    """One axis of the volume, for each window along it.

    Args:
        seen: what a window sees of the grid of the network. into: the voxels of the answer that it adds to.
        made: how each of these is made of what it saw, divided by how many windows saw that; none where both grids are
            the same.
        weight: of what it says there, one for each of these voxels.
        parts: of the voxels of the answer, each with the windows that add to it.
    """

    seen: list[slice]
    into: list[slice]
    made: list[Grey]
    weight: list[Grey]
    parts: list[tuple[slice, list[int]]]


def _axis(side: int, window: int, wanted: int) -> _Axis:
    seen = [slice(a, min(a + window, side)) for a in starts(side, window)]
    times = np.zeros(side, np.float32)
    for part in seen:
        times[part] += 1
    into, made, weight = seen, list[Grey](), [np.float32(1) / times[part] for part in seen]
    if wanted != side:  # linear between the centres of voxels, beyond the last ones as these
        at = np.clip((np.arange(wanted) + 0.5) * side / wanted - 0.5, 0, side - 1)
        rows, low = np.arange(wanted), np.minimum(at.astype(np.int64), max(0, side - 2))
        whole = np.zeros((wanted, side + 1), np.float32)
        whole[rows, low], whole[rows, low + 1] = 1 - (at - low), at - low
        touched = [np.flatnonzero(whole[:, part].any(1)) for part in seen]
        into = [slice(int(rows[0]), int(rows[-1]) + 1) for rows in touched]
        made = [whole[to, part] / times[part] for to, part in zip(into, seen, strict=True)]
        weight = [np.ones(len(one), np.float32) for one in made]
    edges = sorted({edge for part in into for edge in (part.start, part.stop)})
    parts = [
        (slice(a, b), [k for k, part in enumerate(into) if part.start <= a and b <= part.stop])
        for a, b in pairwise(edges)
    ]
    return _Axis(seen, into, made, weight, parts)


def labels_in_windows(
    volume: Grey, ask: Ask, *, window: Sequence[int], step: int, shape: Sequence[int]
) -> npt.NDArray[np.uint8]:
    """The most likely label of each voxel: the mean of what the windows say, brought to another grid linearly.

    Args:
        volume: (x, y, z), or (rows, columns) of a picture, on the grid of the network.
        ask: (1, 1, x, y, z), whose sides are multiples of `step`, → (1, 1 + classes, x, y, z) chances that add up to 1.
        window: largest sides that are asked at once. shape: of the answer; the same part of space on another grid.
    """
    axes = [_axis(side, w, wanted) for side, w, wanted in zip(volume.shape, window, shape, strict=True)]
    labels = np.zeros(tuple(shape), np.uint8)
    waiting: dict[tuple[int, ...], tuple[npt.NDArray[np.uint16], int]] = {}
    for corner in product(*(range(len(axis.seen)) for axis in axes)):
        at = list(zip(axes, corner, strict=True))
        piece = volume[tuple(axis.seen[k] for axis, k in at)]
        wide = np.pad(piece, [(0, -side % step) for side in piece.shape], mode="edge")
        said = ask(np.ascontiguousarray(wide)[None, None])[0][(slice(None), *(slice(0, n) for n in piece.shape))]
        for number, (axis, k) in enumerate(at, start=1):
            if axis.made:
                said = np.moveaxis(np.tensordot(said, axis.made[k], ((number,), (1,))), -1, number)
        weight = reduce(np.multiply.outer, (axis.weight[k] for axis, k in at)) * np.float32(_STEPS)
        touched = [[(n, part, len(by)) for n, (part, by) in enumerate(axis.parts) if k in by] for axis, k in at]
        for cell in product(*touched):
            key, where, adding = zip(*cell, strict=True)
            own = tuple(
                slice(part.start - axis.into[k].start, part.stop - axis.into[k].start)
                for part, (axis, k) in zip(where, at, strict=True)
            )
            chances = said[(slice(None), *own)]
            of = int(np.prod(adding))
            if of == 1:
                labels[where] = chances.argmax(0)
                continue
            kept, heard = (chances * weight[own] + np.float32(0.5)).astype(np.uint16), 1
            if key in waiting:
                before, had = waiting.pop(key)
                kept, heard = kept + before, heard + had
            if heard == of:
                labels[where] = kept.argmax(0)
            else:
                waiting[key] = kept, heard
    return labels
