"""Smoothing in the slice, of many frames at once: every core takes whole slices, and what is masked out costs nothing.

`scipy.ndimage` goes through a series of frames once for each axis and on one core; here a slice stays in the cache of
the core that has it. Kernels and the way in which edges are met (mirrored) are the same.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from isocenter.methods.shares import in_parts

__all__ = ["blurred", "highest_mean", "within"]

_Frames = npt.NDArray[np.float32]


def blurred(frames: _Frames, sigma: tuple[float, float], truncate: float = 4.0) -> _Frames:
    """Every slice of every frame smoothed by a Gaussian.

    Args:
        frames: (frames, slices, rows, columns).
        sigma: standard deviation along (row, column), in pixels.
        truncate: standard deviations at which the Gaussian ends.

    >>> picture = np.zeros((1, 1, 9, 9), np.float32); picture[0, 0, 4, 4] = 1
    >>> round(float(blurred(picture, (1.0, 1.0))[0, 0, 4, 4]), 3)
    0.159
    """
    held = np.ascontiguousarray(frames, np.float32)
    out = np.empty_like(held)
    in_parts(_blur, held.shape[0] * held.shape[1], held, *(_kernel(s, truncate) for s in sigma), out)
    return out


def within(frames: _Frames, mask: npt.NDArray[np.bool_], sigma: tuple[float, float], truncate: float = 3.0) -> _Frames:
    """Curves of the voxels of a mask, smoothed by a Gaussian that takes nothing from outside of the mask.

    Args:
        frames: (frames, slices, rows, columns).
        mask: (slices, rows, columns).
        sigma: standard deviation along (row, column), in pixels.

    Returns:
        (frames, voxels), in the order of `frames[:, mask]`.

    >>> mask = np.array([[[True, True, False]]]); frames = np.array([[[[2.0, 2.0, 900.0]]]], np.float32)
    >>> within(frames, mask, (1.0, 1.0)).tolist()
    [[2.0, 2.0]]
    """
    starts = np.concatenate([[0], np.cumsum(np.count_nonzero(mask, axis=(1, 2)))])
    held, boxes = np.ascontiguousarray(frames, np.float32), np.array([_box(one) for one in mask])
    kernels = tuple(_kernel(s, truncate) for s in sigma)
    voxels = int(starts[-1])
    share, found = np.empty((1, voxels), np.float32), np.empty((len(held), voxels), np.float32)
    for values, into in ((np.ones((1, *mask.shape), np.float32), share), (held, found)):
        in_parts(_masked, len(values) * len(mask), values, mask, starts, boxes, *kernels, into)
    found *= 1.0 / np.maximum(share[0], np.float32(1e-6))
    return found


def highest_mean(frames: _Frames) -> _Frames:
    """(slices, rows, columns): the highest mean of 3 x 3 pixels that any frame shows.

    >>> picture = np.zeros((2, 1, 3, 3), np.float32); picture[1, 0, 1, 1] = 9
    >>> float(highest_mean(picture)[0, 1, 1])
    1.0
    """
    held = np.ascontiguousarray(frames, np.float32)
    out = np.full(held.shape[1:], -np.inf, np.float32)
    in_parts(_highest, held.shape[1] * held.shape[2], held, out)
    return out


def _box(mask: npt.NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """(first row, row behind the last, first column, column behind the last) of a mask; zeros where it is empty."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return (int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1) if len(rows) else (0, 0, 0, 0)


def _kernel(sigma: float, truncate: float) -> npt.NDArray[np.float32]:
    if sigma <= 0:
        return np.ones(1, np.float32)
    away = np.arange(-int(truncate * sigma + 0.5), int(truncate * sigma + 0.5) + 1)
    weight = np.exp(-0.5 * (away / sigma) ** 2)
    return np.asarray(weight / weight.sum(), np.float32)


@njit(cache=True, inline="always")
def _mirror(i: int, n: int) -> int:
    """The index within 0 ... n-1 that lies mirrored at the edge (d c b a | a b c d | d c b a)."""
    i %= 2 * n
    return i if i < n else 2 * n - 1 - i


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _along(line: npt.NDArray[np.float32], weights: npt.NDArray[np.float32], into: npt.NDArray[np.float32]) -> None:
    """A line folded with a kernel; it is longer than what comes out by the kernel less one."""
    n, taps = len(into), len(weights)
    whole = taps - taps % 4
    for j in range(n):
        into[j] = 0.0
    for t in range(0, whole, 4):
        a, b, c, d = weights[t], weights[t + 1], weights[t + 2], weights[t + 3]
        p, q, r, s = line[t : t + n], line[t + 1 : t + 1 + n], line[t + 2 : t + 2 + n], line[t + 3 : t + 3 + n]
        for j in range(n):
            into[j] += a * p[j] + b * q[j] + c * r[j] + d * s[j]
    for t in range(whole, taps):
        a, p = weights[t], line[t : t + n]
        for j in range(n):
            into[j] += a * p[j]


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _down(
    rows: npt.NDArray[np.float32],
    which: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float32],
    into: npt.NDArray[np.float32],
) -> None:
    """Rows of a picture added up with weights; a row below 0 is one of zeros."""
    n, taps = len(into), len(weights)
    for j in range(n):
        into[j] = 0.0
    t = 0
    while t < taps:
        if t + 4 <= taps and min(which[t], which[t + 1], which[t + 2], which[t + 3]) >= 0:
            a, b, c, d = weights[t], weights[t + 1], weights[t + 2], weights[t + 3]
            p, q, r, s = rows[which[t]], rows[which[t + 1]], rows[which[t + 2]], rows[which[t + 3]]
            for j in range(n):
                into[j] += a * p[j] + b * q[j] + c * r[j] + d * s[j]
            t += 4
            continue
        if which[t] >= 0:
            a, p = weights[t], rows[which[t]]
            for j in range(n):
                into[j] += a * p[j]
        t += 1


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _blur(
    first: int, last: int, frames: _Frames, down: npt.NDArray[np.float32], across: npt.NDArray[np.float32], out: _Frames
) -> None:
    _, slices, rows, columns = frames.shape
    reach, wide = len(down) // 2, len(across) // 2
    line, which = np.empty(columns + 2 * wide, np.float32), np.empty(len(down), np.int64)
    for item in range(first, last):
        f, k = item // slices, item % slices
        for i in range(rows):
            for t in range(len(down)):
                which[t] = _mirror(i + t - reach, rows)
            _down(frames[f, k], which, down, line[wide : wide + columns])
            for j in range(wide):
                line[j] = line[wide + _mirror(j - wide, columns)]
                line[wide + columns + j] = line[wide + _mirror(columns + j, columns)]
            _along(line, across, out[f, k, i])


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _masked(
    first: int,
    last: int,
    frames: _Frames,
    mask: npt.NDArray[np.bool_],
    starts: npt.NDArray[np.int64],
    boxes: npt.NDArray[np.int64],
    down: npt.NDArray[np.float32],
    across: npt.NDArray[np.float32],
    out: _Frames,
) -> None:
    """As `_blur`, of values that are 0 outside of the mask, within the box of the mask in each slice."""
    _, slices, rows, columns = frames.shape
    reach, wide = len(down) // 2, len(across) // 2
    for item in range(first, last):
        f, k = item // slices, item % slices
        top, bottom, left, right = boxes[k]
        if bottom == 0:
            continue
        n = right - left
        held = np.empty((bottom - top, n), np.float32)
        for i in range(bottom - top):
            for j in range(n):
                held[i, j] = frames[f, k, top + i, left + j] if mask[k, top + i, left + j] else np.float32(0.0)
        line, one = np.empty(n + 2 * wide, np.float32), np.empty(n, np.float32)
        which = np.empty(len(down), np.int64)
        v = starts[k]
        for i in range(bottom - top):
            for t in range(len(down)):
                # What lies beyond the edge of the image is mirrored into it; what lies beyond the box is 0.
                r = _mirror(top + i + t - reach, rows) - top
                which[t] = r if r < bottom - top else -1
            _down(held, which, down, line[wide : wide + n])
            for j in range(wide):
                p, q = _mirror(left + j - wide, columns) - left, _mirror(right + j, columns) - left
                line[j] = line[wide + p] if 0 <= p < n else np.float32(0.0)
                line[wide + n + j] = line[wide + q] if 0 <= q < n else np.float32(0.0)
            _along(line, across, one)
            for j in range(n):
                if mask[k, top + i, left + j]:
                    out[f, v] = one[j]
                    v += 1


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _highest(first: int, last: int, frames: _Frames, out: _Frames) -> None:
    many, _, rows, columns = frames.shape
    three = np.empty(columns + 2, np.float32)
    for line in range(first, last):
        k, i = line // rows, line % rows
        above, below = max(i - 1, 0), min(i + 1, rows - 1)
        for f in range(many):
            for j in range(columns):
                three[j + 1] = frames[f, k, above, j] + frames[f, k, i, j] + frames[f, k, below, j]
            three[0], three[columns + 1] = three[1], three[columns]
            for j in range(columns):
                mean = (three[j] + three[j + 1] + three[j + 2]) * np.float32(1.0 / 9.0)
                out[k, i, j] = max(out[k, i, j], mean)
