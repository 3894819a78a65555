"""Values of a volume on the grid of another, in compiled code: what `scipy.ndimage.affine_transform` of order 1 gives.

What is asked is float32 all along. Whoever wants other interpolations or kinds takes `isocenter.space.resample`.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["at_places", "sampled", "shared", "stretch"]


def sampled(
    array: npt.NDArray[np.float32], step: npt.NDArray[np.float64], shape: tuple[int, int, int], *, beyond: float = 0.0
) -> npt.NDArray[np.float32]:
    """Values at the voxel centres of another grid; zero outside.

    Args:
        array: (slices, rows, columns).
        step: (4, 4) from the other grid's indices to the array's.
        shape: of the other grid.
        beyond: of a voxel: how far outside of the outermost centres the outermost values still hold.

    >>> line = np.array([0, 10, 20], np.float32).reshape(1, 1, 3)
    >>> half = np.diag([1.0, 1.0, 0.5, 1.0])
    >>> sampled(line, half, (1, 1, 7)).ravel().tolist()
    [0.0, 5.0, 10.0, 15.0, 20.0, 0.0, 0.0]
    >>> sampled(line, half, (1, 1, 7), beyond=0.5).ravel().tolist()
    [0.0, 5.0, 10.0, 15.0, 20.0, 20.0, 0.0]
    """
    out = np.zeros(shape, np.float32)
    _sampled(np.ascontiguousarray(array, np.float32), np.ascontiguousarray(step, np.float64), out, beyond + 1e-6)
    return out


def shared(
    array: npt.NDArray[np.float32], step: npt.NDArray[np.float64], above: float, mask: npt.NDArray[np.bool_],
    inside: npt.NDArray[np.bool_],
) -> float:  # fmt: skip
    """Overlap (Dice) of a mask with where the array, laid upon its grid, is above a value; only `inside` counts.

    Args:
        array, step: as for `sampled`.
        above: the array's value.
        mask, inside: on one grid; the mask is all within.
    """
    both, theirs = _shared(
        np.ascontiguousarray(array, np.float32), np.ascontiguousarray(step, np.float64), above,
        np.ascontiguousarray(mask), np.ascontiguousarray(inside),
    )  # fmt: skip
    size = theirs + int(np.count_nonzero(mask))
    return 2.0 * both / size if size else 0.0


def at_places(array: npt.NDArray[np.float32], index: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Values at scattered places, the outermost ones beyond the border; to the bit as `scipy.ndimage.map_coordinates`.

    Args:
        array: (slices, rows, columns).
        index: (n, 3) places in its indices.

    >>> at_places(np.array([[[0, 10, 20]]], np.float32), np.array([[0, 0, 0.25], [0, 0, 7]])).tolist()
    [2.5, 20.0]
    """
    out = np.empty(len(index), np.float32)
    _at_places(np.ascontiguousarray(array, np.float32), np.ascontiguousarray(index, np.float64), out)
    return out


@numba.njit(cache=True)
def _at_places(array, index, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    places, shares = np.empty((3, 2), np.int64), np.empty((3, 2))
    for n in range(out.size):
        for axis in range(3):
            last = array.shape[axis] - 1
            at = min(max(index[n, axis], 0.0), float(last))
            below = int(np.floor(at))
            places[axis, 0], places[axis, 1] = below, min(below + 1, last)
            shares[axis, 0] = 1.0 - (at - below)
            shares[axis, 1] = 1.0 - shares[axis, 0]
        total = 0.0
        for i in range(2):
            for j in range(2):
                for k in range(2):
                    one = np.float64(array[places[0, i], places[1, j], places[2, k]])
                    total += one * shares[0, i] * shares[1, j] * shares[2, k]
        out[n] = np.float32(total)


@numba.njit(cache=True, inline="always")
def _between(flat, a, b, c, x, y, z):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Places are unsigned: of signed ones each would be asked whether it counts from the end."""
    x, y, z = min(max(x, 0.0), a - 1.0), min(max(y, 0.0), b - 1.0), min(max(z, 0.0), c - 1.0)
    i, j, k = int(x), int(y), int(z)
    u, v, w = np.float32(x - i), np.float32(y - j), np.float32(z - k)
    at = np.uint64((i * b + j) * c + k)
    down = np.uint64(b * c if i < a - 1 else 0)
    along = np.uint64(c if j < b - 1 else 0)
    next_ = np.uint64(1 if k < c - 1 else 0)
    p000, p010, p100, p110 = flat[at], flat[at + along], flat[at + down], flat[at + down + along]
    p00 = p000 + w * (flat[at + next_] - p000)
    p01 = p010 + w * (flat[at + along + next_] - p010)
    p10 = p100 + w * (flat[at + down + next_] - p100)
    p11 = p110 + w * (flat[at + down + along + next_] - p110)
    p0, p1 = p00 + v * (p01 - p00), p10 + v * (p11 - p10)
    return p0 + u * (p1 - p0)


@numba.njit(cache=True)
def stretch(start, rise, low, high, n):  # type: ignore[no-untyped-def]  # pragma: no cover
    """From where to where along a line of n places start + rise * k lies between two values."""
    if rise == 0.0:
        return (0, n) if low <= start <= high else (0, 0)
    one, other = (low - start) / rise, (high - start) / rise
    if one > other:
        one, other = other, one
    first, last = max(0.0, np.ceil(one)), min(float(n - 1), np.floor(other))
    return (int(first), int(last) + 1) if first <= last else (0, 0)


@numba.njit(cache=True)
def _sampled(array, step, out, beyond):  # type: ignore[no-untyped-def]  # pragma: no cover
    a, b, c = out.shape
    flat = array.reshape(-1)
    slices, rows, columns = array.shape
    for i in range(a):
        for j in range(b):
            x = step[0, 0] * i + step[0, 1] * j + step[0, 3]
            y = step[1, 0] * i + step[1, 1] * j + step[1, 3]
            z = step[2, 0] * i + step[2, 1] * j + step[2, 3]
            begin, end = stretch(x, step[0, 2], -beyond, array.shape[0] - 1 + beyond, c)
            low, high = stretch(y, step[1, 2], -beyond, array.shape[1] - 1 + beyond, c)
            begin, end = max(begin, low), min(end, high)
            low, high = stretch(z, step[2, 2], -beyond, array.shape[2] - 1 + beyond, c)
            begin, end = max(begin, low), min(end, high)
            for k in range(begin, end):
                out[i, j, k] = _between(
                    flat, slices, rows, columns, x + step[0, 2] * k, y + step[1, 2] * k, z + step[2, 2] * k
                )


@numba.njit(cache=True)
def _shared(array, step, above, mask, inside):  # type: ignore[no-untyped-def]  # pragma: no cover
    a, b, c = mask.shape
    both, theirs = 0, 0
    flat = array.reshape(-1)
    slices, rows, columns = array.shape
    for i in range(a):
        for j in range(b):
            x = step[0, 0] * i + step[0, 1] * j + step[0, 3]
            y = step[1, 0] * i + step[1, 1] * j + step[1, 3]
            z = step[2, 0] * i + step[2, 1] * j + step[2, 3]
            begin, end = stretch(x, step[0, 2], 0.0, array.shape[0] - 1.0, c)
            low, high = stretch(y, step[1, 2], 0.0, array.shape[1] - 1.0, c)
            begin, end = max(begin, low), min(end, high)
            low, high = stretch(z, step[2, 2], 0.0, array.shape[2] - 1.0, c)
            begin, end = max(begin, low), min(end, high)
            for k in range(begin, end):
                if not inside[i, j, k]:
                    continue
                value = _between(
                    flat, slices, rows, columns, x + step[0, 2] * k, y + step[1, 2] * k, z + step[2, 2] * k
                )
                if value > above:
                    theirs += 1
                    both += mask[i, j, k]
    return both, theirs
