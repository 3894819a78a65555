"""A mask kept as bits of the box that holds it, and opened when it is looked at.

A hundred organs of one CT are a hundred masks of a hundred million voxels: ten gigabytes as bytes, and some tens of
megabytes as bits of their boxes. Those that were opened last stay open, up to a sum that is set here, so that looking
at one region again and again costs nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["LARGE", "Packed"]

Mask = npt.NDArray[np.bool_]
Corner = tuple[int, int, int]

LARGE = 2**22
"""Voxels from which a mask is packed; smaller ones are not worth the opening."""
_OPEN_BYTES = 2**28  # what stays open at most, but for the last one


@dataclass(frozen=True, eq=False)
class Packed:
    """A mask of a shape, of which only the box from `start` to `stop` has marked voxels.

    Args:
        bits: the voxels of the box in C order, eight to a byte, the first in the highest bit.
        voxels: how many are marked.
    """

    shape: Corner
    start: Corner
    stop: Corner
    bits: npt.NDArray[np.uint8]
    voxels: int

    @classmethod
    def of(cls, mask: Mask) -> Packed:
        """What a mask holds; one that was opened here is what it was before."""
        if (known := _opened.packed(mask)) is not None:
            return known
        start, stop = box_of(mask)
        cut = mask[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]
        a, b, c = mask.shape
        return cls((a, b, c), start, stop, np.packbits(cut), int(np.count_nonzero(cut)))

    @property
    def box(self) -> Mask:
        """The voxels from `start` to `stop`."""
        size = tuple(b - a for a, b in zip(self.start, self.stop, strict=True))
        return np.unpackbits(self.bits, count=int(np.prod(size))).astype(bool).reshape(size)

    def opened(self) -> Mask:
        """The whole mask, which others may be looking at: it cannot be written to."""
        return _opened.mask(self, self._shared)

    def unpacked(self) -> Mask:
        """The whole mask, for whoever asks alone."""
        mask = np.zeros(self.shape, dtype=bool)
        mask[tuple(slice(a, b) for a, b in zip(self.start, self.stop, strict=True))] = self.box
        return mask

    def padded(self, before: Corner, after: Corner) -> Packed:
        """With empty voxels before and after along each axis."""

        def moved(ends: Corner) -> Corner:
            return ends[0] + before[0], ends[1] + before[1], ends[2] + before[2]

        a, b, c = moved(self.shape)
        shape = (a + after[0], b + after[1], c + after[2])
        return replace(self, shape=shape, start=moved(self.start), stop=moved(self.stop))

    def _shared(self) -> Mask:
        mask = self.unpacked()
        mask.setflags(write=False)
        return mask


def box_of(mask: Mask) -> tuple[Corner, Corner]:
    """Smallest index box (start, stop) that holds every marked voxel; an empty box at the origin where none is."""
    slices = np.flatnonzero(mask.any(axis=(1, 2)))
    if not len(slices):
        return (0, 0, 0), (0, 0, 0)
    first, last = int(slices[0]), int(slices[-1]) + 1
    seen: npt.NDArray[np.bool_] = np.asarray(mask[first:last].any(axis=0))
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    return (first, int(rows[0]), int(columns[0])), (last, int(rows[-1]) + 1, int(columns[-1]) + 1)


class _Opened:
    """The masks that were opened last, the newest at the end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: list[tuple[Packed, Mask]] = []

    def mask(self, of: Packed, make: Callable[[], Mask]) -> Mask:
        with self._lock:
            found = next((pair for pair in self._held if pair[0] is of), None)
            if found is not None:
                self._held.remove(found)
                self._held.append(found)
                return found[1]
        made = make()
        with self._lock:
            self._held.append((of, made))
            while len(self._held) > 1 and sum(mask.nbytes for _, mask in self._held) > _OPEN_BYTES:
                self._held.pop(0)
        return made

    def packed(self, mask: Mask) -> Packed | None:
        with self._lock:
            return next((of for of, held in self._held if held is mask), None)


_opened = _Opened()


class Held:
    """A mask as an attribute: given as voxels or packed, kept packed where it is large, seen as voxels."""

    def __get__(self, owner: Any, kind: type | None = None) -> Mask | None:
        held: Mask | Packed | None = None if owner is None else owner.__dict__.get("_mask")
        return held.opened() if isinstance(held, Packed) else held

    def __set__(self, owner: Any, value: Mask | Packed | None) -> None:
        owner.__dict__["_mask"] = value
