"""A volume without its finest structure, in compiled code: what `scipy.ndimage.gaussian_filter` gives, to the bit.

Whole rows and planes are added at once, in SciPy's order of axes and of terms. Whoever wants other borders (SciPy's
are ``reflect`` and ``nearest`` here) or kinds takes SciPy's.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["smoothed"]

_TRUNCATED = 4.0  # standard deviations that the bell reaches to


def smoothed(array: npt.NDArray[np.float32], sigma: float, *, mirrored: bool = True) -> npt.NDArray[np.float32]:
    """Blurred by a bell.

    Args:
        array: (slices, rows, columns).
        sigma: standard deviation of the bell, voxels.
        mirrored: beyond the border the volume is mirrored, its outermost voxels included; else these go on.

    >>> spike = np.zeros((1, 1, 5), np.float32); spike[0, 0, 2] = 1
    >>> [round(float(value), 3) for value in smoothed(spike, 0.7).ravel()]
    [0.01, 0.205, 0.57, 0.205, 0.01]
    """
    reach = int(_TRUNCATED * sigma + 0.5)
    bell = np.exp(-0.5 / (sigma * sigma) * np.arange(-reach, reach + 1) ** 2)
    bell = (bell / bell.sum())[reach:]
    one = np.ascontiguousarray(array, np.float32)
    other = np.empty_like(one)
    _along_slices(one, other, bell, mirrored)
    held = np.empty_like(one)
    _within_slices(other, held, bell, mirrored)
    return held


@numba.njit(cache=True)
def _stands(at, n, mirrored):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Which of n voxels stands at a place, also at one beyond the border."""
    if not mirrored:
        return min(max(at, 0), n - 1)
    at %= 2 * n
    return at if at < n else 2 * n - 1 - at


@numba.njit(cache=True)
def _added(sums, before, after, share):  # type: ignore[no-untyped-def]  # pragma: no cover
    for k in range(sums.size):
        sums[k] += (np.float64(before[k]) + np.float64(after[k])) * share


@numba.njit(cache=True)
def _begun(sums, middle, share):  # type: ignore[no-untyped-def]  # pragma: no cover
    for k in range(sums.size):
        sums[k] = np.float64(middle[k]) * share


@numba.njit(cache=True)
def _told(sums, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    for k in range(sums.size):
        out[k] = np.float32(sums[k])


@numba.njit(cache=True)
def _along_slices(array, out, bell, mirrored):  # type: ignore[no-untyped-def]  # pragma: no cover
    slices, rows, columns = array.shape
    sums = np.empty(rows * columns)
    for i in range(slices):
        _begun(sums, array[i].reshape(-1), bell[0])
        for n in range(bell.size - 1, 0, -1):
            before, after = array[_stands(i - n, slices, mirrored)], array[_stands(i + n, slices, mirrored)]
            _added(sums, before.reshape(-1), after.reshape(-1), bell[n])
        _told(sums, out[i].reshape(-1))


@numba.njit(cache=True)
def _within_slices(array, out, bell, mirrored):  # type: ignore[no-untyped-def]  # pragma: no cover
    slices, rows, columns = array.shape
    reach = bell.size - 1
    sums, wide = np.empty(columns), np.empty(columns + 2 * reach, np.float32)
    for i in range(slices):
        here, there = array[i], out[i]
        for j in range(rows):
            _begun(sums, here[j], bell[0])
            for n in range(reach, 0, -1):
                before, after = here[_stands(j - n, rows, mirrored)], here[_stands(j + n, rows, mirrored)]
                _added(sums, before, after, bell[n])
            _told(sums, wide[reach : reach + columns])
            for n in range(1, reach + 1):
                wide[reach - n] = wide[reach + _stands(-n, columns, mirrored)]
                wide[reach + columns - 1 + n] = wide[reach + _stands(columns - 1 + n, columns, mirrored)]
            _begun(sums, wide[reach : reach + columns], bell[0])
            for n in range(reach, 0, -1):
                _added(sums, wide[reach - n : reach - n + columns], wide[reach + n : reach + n + columns], bell[n])
            _told(sums, there[j])
