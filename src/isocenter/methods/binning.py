"""Pixels of a slice averaged in blocks, and maps of blocks laid back on the pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, prange

__all__ = ["binned", "unbinned"]


def binned(frames: npt.NDArray[Any], by: int) -> npt.NDArray[np.float32]:
    """(frames, slices, rows, columns) -> means of `by` x `by` pixels, float32; blocks at the far edge may be narrower.

    >>> binned(np.arange(6.0).reshape(1, 1, 2, 3), 2)[0, 0].tolist()
    [[2.0, 3.5]]
    """
    if by == 1:
        return np.array(frames, np.float32)
    return np.asarray(_means(np.ascontiguousarray(frames), by))


def unbinned(values: npt.NDArray[Any], by: int, plane: tuple[int, int]) -> npt.NDArray[Any]:
    """(slices, rows, columns) of blocks -> the same on pixels, each with the value of its block."""
    if by == 1:
        return values
    return np.ascontiguousarray(values.repeat(by, axis=1).repeat(by, axis=2)[:, : plane[0], : plane[1]])


@njit(cache=True, parallel=True, error_model="numpy")
def _means(frames: npt.NDArray[Any], by: int) -> npt.NDArray[np.float32]:
    many, slices, rows, columns = frames.shape
    tall, wide = (rows + by - 1) // by, (columns + by - 1) // by
    out = np.empty((many, slices, tall, wide), np.float32)
    for item in prange(many * slices):
        f, k = item // slices, item % slices
        for i in range(tall):
            low, high = i * by, min(rows, (i + 1) * by)
            for j in range(wide):
                total = np.float32(0.0)
                right = min(columns, (j + 1) * by)
                for a in range(low, high):
                    for b in range(j * by, right):
                        total += np.float32(frames[f, k, a, b])
                out[f, k, i, j] = total / np.float32((high - low) * (right - j * by))
    return out
