"""Pixels of a slice averaged in blocks, and maps of blocks laid back on the pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from isocenter.methods.shares import in_parts

__all__ = ["binned", "unbinned"]


def binned(frames: npt.NDArray[Any], by: int) -> npt.NDArray[np.float32]:
    """(frames, slices, rows, columns) -> means of `by` x `by` pixels, float32; blocks at the far edge may be narrower.

    >>> binned(np.arange(6.0).reshape(1, 1, 2, 3), 2)[0, 0].tolist()
    [[2.0, 3.5]]
    """
    if by == 1:
        return np.array(frames, np.float32)
    tall, wide = (-(-n // by) for n in frames.shape[2:])
    out = np.empty((*frames.shape[:2], tall, wide), np.float32)
    # Stored grey values come as they are, which spares a pass over them; all else becomes one type.
    held = np.ascontiguousarray(frames, np.int16 if frames.dtype == np.int16 else np.float32)
    in_parts(_means, out.shape[0] * out.shape[1], held, by, out)
    return out


def unbinned(values: npt.NDArray[Any], by: int, plane: tuple[int, int]) -> npt.NDArray[Any]:
    """(slices, rows, columns) of blocks -> the same on pixels, each with the value of its block."""
    if by == 1:
        return values
    rows, columns = plane
    out = np.empty((len(values), rows, columns), values.dtype)
    for offset in range(by):  # a row of blocks once, then the rows of a block are copies of each other
        wide = len(range(offset, columns, by))
        out[:, ::by, offset::by] = values[:, :, :wide]
    for below in range(1, by):
        many = len(range(below, rows, by))
        out[:, below::by] = out[:, ::by][:, :many]
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _means(first: int, last: int, frames: npt.NDArray[Any], by: int, out: npt.NDArray[np.float32]) -> None:
    _, slices, rows, columns = frames.shape
    tall, wide = out.shape[2:]
    line = np.empty(columns, np.float32)  # sums down the block, of a whole row at once
    for item in range(first, last):
        f, k = item // slices, item % slices
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
