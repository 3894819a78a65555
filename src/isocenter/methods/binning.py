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
    return np.asarray(_means(_native(frames), by))


def unbinned(values: npt.NDArray[Any], by: int, plane: tuple[int, int]) -> npt.NDArray[Any]:
    """(slices, rows, columns) of blocks -> the same on pixels, each with the value of its block."""
    if by == 1:
        return values
    return np.asarray(_spread(_native(values), by, *plane))


def _native(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.ascontiguousarray(values, values.dtype.newbyteorder("="))


@njit(cache=True, parallel=True, error_model="numpy")
def _means(frames: npt.NDArray[Any], by: int) -> npt.NDArray[np.float32]:
    many, slices, rows, columns = frames.shape
    tall, wide = (rows + by - 1) // by, (columns + by - 1) // by
    out = np.empty((many, slices, tall, wide), np.float32)
    for item in prange(many * slices):
        f, k = item // slices, item % slices
        line = np.empty(columns, np.float32)  # sums down the block, of a whole row at once
        for i in range(tall):
            low, high = i * by, min(rows, (i + 1) * by)
            line[:] = 0.0
            for a in range(low, high):
                row = frames[f, k, a]
                for j in range(columns):
                    line[j] += np.float32(row[j])
            share = np.float32(1.0 / ((high - low) * by))
            for j in range(columns // by):
                total = np.float32(0.0)
                for b in range(by):
                    total += line[j * by + b]
                out[f, k, i, j] = total * share
            if wide > columns // by:
                rest = line[columns // by * by :]
                out[f, k, i, wide - 1] = rest.sum() / np.float32((high - low) * len(rest))
    return out


@njit(cache=True, parallel=True, error_model="numpy")
def _spread(values: npt.NDArray[Any], by: int, rows: int, columns: int) -> npt.NDArray[Any]:
    slices = values.shape[0]
    out = np.empty((slices, rows, columns), values.dtype)
    for line in prange(slices * rows):
        k, i = line // rows, line % rows
        row, into = values[k, i // by], out[k, i]
        for j in range(columns):
            into[j] = row[j // by]
    return out
