"""How far each voxel lies from the nearest one outside of a mask: exact, and several times faster than by features.

Squared distances are made axis by axis as lower envelopes of parabolas, in linear time (Felzenszwalb and Huttenlocher,
Theory of Computing 8 (2012) 415). `scipy.ndimage.distance_transform_edt` finds the nearest voxel as well and needs
longer; whoever wants only the distance of a small crop, many times, takes this one.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["away_mm", "deeper", "depth_mm"]


def depth_mm(
    mask: npt.NDArray[np.bool_], spacing_mm: tuple[float, float, float], up_to_mm: float = np.inf
) -> npt.NDArray[np.float32]:
    """Distance from each voxel of a mask to the centre of the nearest voxel that is not of it, in mm; 0 outside.

    Args:
        mask: (slices, rows, columns).
        spacing_mm: of the grid.
        up_to_mm: what lies deeper need not be told apart, and is infinite: a few voxels are far faster than any depth.

    Returns:
        infinite everywhere in a mask that is everywhere.

    >>> line = np.array([False, True, True, True, False]).reshape(1, 1, 5)
    >>> depth_mm(line, (1.0, 1.0, 0.5)).ravel().tolist()
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    least, most = min(spacing_mm), max(spacing_mm)
    steps = (up_to_mm / least) ** 2 * 1.00001  # the most that is told apart, in squares of voxels
    if least == most and steps < _INFINITE:
        return np.asarray(np.take(_in_mm(least, int(steps)), _of_even(mask, int(steps))))
    squares = np.where(mask, np.float32(np.inf), np.float32(0.0))
    if up_to_mm < np.inf:
        out = np.empty_like(squares)
        furthest = np.float32(up_to_mm) ** 2
        _near(squares, out, np.array(spacing_mm, np.float32), furthest)
        out[out > furthest * np.float32(1.00001)] = np.inf
        return np.asarray(np.sqrt(out, out=out))
    for axis in (2, 1, 0):
        moved = np.ascontiguousarray(np.moveaxis(squares, axis, 2))
        _envelopes(moved.reshape(-1, moved.shape[2]), np.float64(spacing_mm[axis]) ** 2)
        squares = np.moveaxis(moved, 2, axis)
    return np.ascontiguousarray(np.sqrt(squares))


def deeper(
    mask: npt.NDArray[np.bool_], spacing_mm: tuple[float, float, float], *mm: float
) -> tuple[npt.NDArray[np.bool_], ...]:
    """What of a mask lies deeper than each of some depths: `depth_mm` compared with them, without the distances.

    >>> line = np.array([False, True, True, True, False]).reshape(1, 1, 5)
    >>> [one.ravel().astype(int).tolist() for one in deeper(line, (1.0, 1.0, 0.5), 0.0, 0.5, 1.0)]
    [[0, 1, 1, 1, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]]
    """
    least, most = min(spacing_mm), max(spacing_mm)
    steps = (max(mm) / least) ** 2 * 1.00001
    if least != most or steps >= _INFINITE:
        far = depth_mm(mask, spacing_mm, max(mm))
        return tuple(np.asarray(far > one) for one in mm)
    squares, told = _of_even(mask, int(steps)), _in_mm(least, int(steps))
    return tuple(squares > np.uint8(np.count_nonzero(told <= one) - 1) for one in mm)


def away_mm(
    mask: npt.NDArray[np.bool_], places: npt.NDArray[np.int_], spacing_mm: float, up_to_mm: float
) -> npt.NDArray[np.float32]:
    """Distance from some voxels to the centre of the nearest one of a mask, in mm; 0 in the mask.

    As `depth_mm` of all that is not the mask, where only a few places are asked for.

    Args:
        mask: (slices, rows, columns) of a grid of cubes.
        places: (n, 3) indices.
        spacing_mm: of the grid.
        up_to_mm: the most that is told; so much where the mask lies further away. At most 254 voxels.

    >>> line = np.array([True, False, False, False, False]).reshape(1, 1, 5)
    >>> away_mm(line, np.array([[0, 0, 0], [0, 0, 2], [0, 0, 4]]), 0.5, 1.5).tolist()
    [0.0, 1.0, 1.5]
    """
    out = np.full(len(places), np.float32(up_to_mm))
    furthest = int((up_to_mm / spacing_mm) ** 2 * 1.00001)
    rows = np.empty(mask.shape, np.uint8)
    _along_rows(np.ascontiguousarray(mask), rows, int(np.sqrt(furthest)) + 1)
    _nearest(rows, np.ascontiguousarray(places), furthest, np.float32(spacing_mm), out)
    return out


_INFINITE = 255  # of a byte


def _of_even(mask: npt.NDArray[np.bool_], furthest: int) -> npt.NDArray[np.uint8]:
    """On a grid of cubes squares of distances are whole numbers: a byte each, many at once."""
    squares = np.negative(np.ascontiguousarray(mask).view(np.int8)).view(np.uint8)  # 255 in the mask
    out = np.empty_like(squares)
    _near_even(squares, out, int(np.sqrt(furthest)))
    return out


def _in_mm(spacing_mm: float, furthest: int) -> npt.NDArray[np.float32]:
    """What each square of voxels is in mm."""
    told = np.sqrt(np.arange(_INFINITE + 1, dtype=np.float32)) * np.float32(spacing_mm)
    told[furthest + 1 :] = np.inf
    return np.asarray(told)


@numba.njit(cache=True)
def _copied(one, other):  # type: ignore[no-untyped-def]  # pragma: no cover
    """A loop: where an array is assigned to a slice, the words of an error are compiled too, for seconds."""
    for k in range(one.size):
        other[k] = one[k]


@numba.njit(cache=True)
def _lowered_byte(one, other, by):  # type: ignore[no-untyped-def]  # pragma: no cover
    """As `_lowered`, of bytes: what would be raised beyond the last one stays there."""
    room = np.uint8(255 - by)
    for k in range(one.size):
        kept = min(other[k], room)
        raised = np.uint8(kept + by)
        one[k] = min(raised, one[k])


@numba.njit(cache=True)
def _near_even(squares, out, reach):  # type: ignore[no-untyped-def]  # pragma: no cover
    """As `_near`, in squares of voxels."""
    a, b, c = squares.shape
    # Rows with so much room behind each that nothing reaches into the next are one loop, too.
    wide = np.full((b, c + reach), np.uint8(255))
    told = np.empty_like(wide)
    here, one = wide.reshape(-1), told.reshape(-1)
    for i in range(a):
        for j in range(b):
            _copied(squares[i, j], wide[j, :c])
        _copied(here, one)
        for n in range(1, min(c - 1, reach) + 1):
            by = np.uint8(n * n)
            _lowered_byte(one[: one.size - n], here[n:], by)
            _lowered_byte(one[n:], here[: one.size - n], by)
        for j in range(b):
            _copied(told[j, :c], out[i, j])
    for i in range(a):
        _copied(out[i].reshape(-1), squares[i].reshape(-1))
        for n in range(1, min(b - 1, reach) + 1):
            by = np.uint8(n * n)
            # Rows lie one behind the other: all that lie n apart are one loop.
            _lowered_byte(squares[i, : b - n].reshape(-1), out[i, n:].reshape(-1), by)
            _lowered_byte(squares[i, n:].reshape(-1), out[i, : b - n].reshape(-1), by)
    for i in range(a):
        _copied(squares[i].reshape(-1), out[i].reshape(-1))
        for n in range(1, reach + 1):
            by = np.uint8(n * n)
            if i >= n:
                _lowered_byte(out[i].reshape(-1), squares[i - n].reshape(-1), by)
            if i + n < a:
                _lowered_byte(out[i].reshape(-1), squares[i + n].reshape(-1), by)


@numba.njit(cache=True)
def _along_rows(mask, out, most):  # type: ignore[no-untyped-def]  # pragma: no cover
    """How many rows away the nearest voxel of the mask is in the same slice and column, up to a number."""
    a, b, _ = mask.shape
    for i in range(a):
        for j in range(b):
            own, told = mask[i, j], out[i, j]
            for k in range(own.size):
                told[k] = np.uint8(0) if own[k] else np.uint8(most)
            if j:
                _lowered_byte(told, out[i, j - 1], np.uint8(1))
        for j in range(b - 2, -1, -1):
            _lowered_byte(out[i, j], out[i, j + 1], np.uint8(1))


@numba.njit(cache=True)
def _nearest(rows, places, furthest, spacing, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """From each place outwards over slices and columns, as long as something nearer may lie there."""
    a, _, c = rows.shape
    for s in range(places.shape[0]):
        i, j, k = places[s, 0], places[s, 1], places[s, 2]
        best = furthest + 1
        down = 0
        while down * down < best:
            for y in (i - down, i + down):
                if y < 0 or y >= a:
                    continue
                along = 0
                while down * down + along * along < best:
                    for x in (k - along, k + along):
                        if 0 <= x < c:
                            away = np.int64(rows[y, j, x])
                            best = min(best, down * down + along * along + away * away)
                    along += 1
            down += 1
        if best <= furthest:
            out[s] = np.sqrt(np.float32(best)) * spacing


@numba.njit(cache=True)
def _lowered(one, other, by):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Each value becomes the other where that, raised, is lower: a loop that a processor does eight at once."""
    for k in range(one.size):
        raised = other[k] + by
        one[k] = raised if raised < one[k] else one[k]


@numba.njit(cache=True)
def _near(squares, out, spacing, most):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The smallest of the parabolas that stand within reach, axis by axis; the end is in `out`."""
    a, b, c = squares.shape
    reach = np.sqrt(most) + np.float32(1e-3)
    for i in range(a):
        for j in range(b):
            one, here = out[i, j], squares[i, j]
            _copied(here, one)
            for n in range(1, min(c - 1, int(reach / spacing[2])) + 1):
                _lowered(one[: c - n], here[n:], np.float32((n * spacing[2]) ** 2))
                _lowered(one[n:], here[: c - n], np.float32((n * spacing[2]) ** 2))
    for i in range(a):
        _copied(out[i].reshape(-1), squares[i].reshape(-1))
        for n in range(1, min(b - 1, int(reach / spacing[1])) + 1):
            by = np.float32((n * spacing[1]) ** 2)
            for j in range(b - n):
                _lowered(squares[i, j], out[i, j + n], by)
                _lowered(squares[i, j + n], out[i, j], by)
    for i in range(a):
        _copied(squares[i].reshape(-1), out[i].reshape(-1))
        for n in range(1, int(reach / spacing[0]) + 1):
            by = np.float32((n * spacing[0]) ** 2)
            for at in (i - n, i + n):
                if 0 <= at < a:
                    for j in range(b):
                        _lowered(out[i, j], squares[at, j], by)


@numba.njit(cache=True)
def _envelopes(lines, step):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Each line becomes the smallest of the parabolas that stand on its values; `step` is the square of its spacing."""
    n = lines.shape[1]
    at = np.empty(n, np.int64)  # where the parabolas of the envelope stand
    heights = np.empty(n, np.float64)
    begins = np.empty(n + 1, np.float64)  # from where on each is the lowest
    for number in range(lines.shape[0]):
        line = lines[number]
        last = -1
        for i in range(n):
            height = np.float64(line[i])
            if height == np.inf:
                continue
            crossing = -np.inf
            while last >= 0:
                j = at[last]
                crossing = (height - heights[last] + step * (i * i - j * j)) / (2.0 * step * (i - j))
                if crossing > begins[last]:
                    break
                last -= 1
            if last < 0:
                crossing = -np.inf
            last += 1
            at[last], heights[last], begins[last] = i, height, crossing
        if last < 0:
            continue  # infinite all along
        begins[last + 1] = np.inf
        k = 0
        for i in range(n):
            while begins[k + 1] < i:
                k += 1
            away = i - at[k]
            line[i] = heights[k] + step * away * away
