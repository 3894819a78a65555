"""How alike two images are where one is laid upon the other, whatever their contrast, and which way makes them more so.

Mutual information (Mattes 2003): the joint histogram of what both show at the same places, the moving image's share of
it spread by a cubic B-spline, so that its derivative by every place is known and not guessed. It is asked at a few
thousand places that are shaken within their voxels by the same numbers each time: on a bare grid, images of one spacing
would seem most alike where their voxels coincide.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numba
import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial.transform import Rotation

from isocenter.space import Geometry

__all__ = ["Laid", "Likeness", "shaped", "similar"]

Floats = npt.NDArray[np.float64]

_BINS, _SPARE = 24, 2  # of which so many at either end take what the spline spreads
_SEED, _SHAKEN = 1, 1 / 3  # of a voxel's length
_ENOUGH = 1e-3  # of the rise that the slope promises
_STRETCH = 3.0  # nats that a head costs which is longer or narrower than another, a unit of squared logarithms


@dataclass(frozen=True, eq=False)
class Laid:
    """One image laid upon another.

    Args:
        matrix: (4, 4) from the fixed image's millimetres to the moving one's.
        value: mutual information there, nats.
        steps: how many places along the way were asked.
    """

    matrix: Floats
    value: float
    steps: int


class Likeness:
    """Two images to be laid upon each other.

    Args:
        fixed: (slices, rows, columns).
        grid: of `fixed`.
        seen: where `fixed` is known.
        moving, moving_grid: the image that is moved; outside of its grid nothing is compared.
        places: about how many are asked.
        thinned: only every so many voxels along each axis are asked.
    """

    def __init__(
        self, fixed: npt.NDArray[np.float32], grid: Geometry, seen: npt.NDArray[np.bool_],
        moving: npt.NDArray[np.float32], moving_grid: Geometry, places: int, thinned: int = 1,
    ) -> None:  # fmt: skip
        thin = tuple(slice(thinned // 2, None, thinned) for _ in range(3))
        lattice = np.zeros(fixed.shape, bool)
        lattice[thin] = True
        total = int(lattice.sum())
        at = np.flatnonzero(lattice)[:: max(1, round(total / places))]
        index = np.stack(np.unravel_index(at, fixed.shape), 1).astype(np.float64)
        index += np.random.default_rng(_SEED).normal(0, _SHAKEN * thinned, index.shape)
        near = np.rint(index).astype(int)
        inside = ((near >= 0) & (near < np.array(fixed.shape))).all(1)
        index, near = index[inside], near[inside]
        known = seen[tuple(near.T)]
        index = index[known]
        values = ndimage.map_coordinates(fixed, index.T, order=1, mode="nearest")
        self._points = np.ascontiguousarray(grid.to_patient(index))
        low, high = float(values.min()), float(values.max())
        width = (high - low) / (_BINS - 2 * _SPARE) or 1.0
        self._bins = np.clip((values - low) / width + _SPARE, _SPARE, _BINS - _SPARE - 1).astype(np.int64)
        self._moving = np.ascontiguousarray(moving, np.float32)
        self._low = float(moving.min())
        self._width = (float(moving.max()) - self._low) / (_BINS - 2 * _SPARE) or 1.0
        self._to_index = np.linalg.inv(moving_grid.affine)

    def at(self, matrix: Floats) -> tuple[float, Floats]:
        """Mutual information (nats) and its derivative by the upper three rows of `matrix`, per entry."""
        step = np.ascontiguousarray((self._to_index @ matrix)[:3])
        value, by_index = _mutual(self._points, self._bins, self._moving, step, self._low, self._width)
        return value, self._to_index[:3, :3].T @ by_index

    @cached_property
    def middle(self) -> Floats:
        """Of the places that are asked, mm."""
        return np.asarray(self._points.mean(0))

    @cached_property
    def reach_mm(self) -> float:
        """Root mean square distance of the places from their middle."""
        return float(np.sqrt(((self._points - self.middle) ** 2).sum(1).mean()))


@numba.njit(cache=True, fastmath=True)
def _mutual(points, bins, moving, step, low, width):  # type: ignore[no-untyped-def]  # pragma: no cover
    n = points.shape[0]
    joint = np.zeros((_BINS, _BINS))
    held = np.empty((n, 5), np.float32)
    which = np.full(n, -1, np.int64)
    a, b, c = moving.shape
    count = 0
    for s in range(n):
        x, y, z = points[s, 0], points[s, 1], points[s, 2]
        i = step[0, 0] * x + step[0, 1] * y + step[0, 2] * z + step[0, 3]
        j = step[1, 0] * x + step[1, 1] * y + step[1, 2] * z + step[1, 3]
        k = step[2, 0] * x + step[2, 1] * y + step[2, 2] * z + step[2, 3]
        if i < 0.0 or j < 0.0 or k < 0.0 or i > a - 1.0 or j > b - 1.0 or k > c - 1.0:
            continue
        ii, jj, kk = min(int(i), a - 2), min(int(j), b - 2), min(int(k), c - 2)
        u, v, w = np.float32(i - ii), np.float32(j - jj), np.float32(k - kk)
        p000, p001 = moving[ii, jj, kk], moving[ii, jj, kk + 1]
        p010, p011 = moving[ii, jj + 1, kk], moving[ii, jj + 1, kk + 1]
        p100, p101 = moving[ii + 1, jj, kk], moving[ii + 1, jj, kk + 1]
        p110, p111 = moving[ii + 1, jj + 1, kk], moving[ii + 1, jj + 1, kk + 1]
        p00, p01 = p000 + w * (p001 - p000), p010 + w * (p011 - p010)
        p10, p11 = p100 + w * (p101 - p100), p110 + w * (p111 - p110)
        d00, d01, d10, d11 = p001 - p000, p011 - p010, p101 - p100, p111 - p110
        p0, p1 = p00 + v * (p01 - p00), p10 + v * (p11 - p10)
        value = p0 + u * (p1 - p0)
        place = (value - low) / width + _SPARE
        bin_ = min(max(int(place), _SPARE), _BINS - _SPARE - 1)
        t = np.float32(place - bin_)
        held[s, 0] = t
        held[s, 1] = p1 - p0
        held[s, 2] = (p01 - p00) * (1 - u) + (p11 - p10) * u
        d0, d1 = d00 + v * (d01 - d00), d10 + v * (d11 - d10)
        held[s, 3] = d0 + u * (d1 - d0)
        which[s] = bin_
        row = bins[s]
        t2, t3 = t * t, t * t * t
        joint[row, bin_ - 1] += (1 - 3 * t + 3 * t2 - t3) / 6
        joint[row, bin_] += (4 - 6 * t2 + 3 * t3) / 6
        joint[row, bin_ + 1] += (1 + 3 * t + 3 * t2 - 3 * t3) / 6
        joint[row, bin_ + 2] += t3 / 6
        count += 1
    by_index = np.zeros((3, 4))
    if count * 10 < n or count < 16:
        return 0.0, by_index
    mine = np.zeros(_BINS)
    theirs = np.zeros(_BINS)
    for f in range(_BINS):
        for m in range(_BINS):
            joint[f, m] /= count
            mine[f] += joint[f, m]
            theirs[m] += joint[f, m]
    total = 0.0
    says = np.zeros((_BINS, _BINS))
    for f in range(_BINS):
        for m in range(_BINS):
            if joint[f, m] > 1e-16:
                says[f, m] = np.log(joint[f, m] / theirs[m])
                total += joint[f, m] * (says[f, m] - np.log(mine[f]))
    for s in range(n):
        bin_ = which[s]
        if bin_ < 0:
            continue
        t = held[s, 0]
        t2 = t * t
        row = bins[s]
        rise = (
            says[row, bin_ - 1] * (-1 + 2 * t - t2)
            + says[row, bin_] * (-4 * t + 3 * t2)
            + says[row, bin_ + 1] * (1 + 2 * t - 3 * t2)
            + says[row, bin_ + 2] * t2
        ) * 0.5
        x, y, z = points[s, 0], points[s, 1], points[s, 2]
        for d in range(3):
            g = rise * held[s, 1 + d]
            by_index[d, 0] += g * x
            by_index[d, 1] += g * y
            by_index[d, 2] += g * z
            by_index[d, 3] += g
    return total, by_index / (count * width)


def similar(images: Likeness, start: Floats, first_mm: float, least_mm: float, most: int = 60) -> Laid:
    """The turn, shift and common scale near `start` under which the images are most alike.

    Args:
        start: (4, 4) from the fixed image's millimetres to the moving one's; of its shape only turn and shift are used.
        first_mm: how far the first step goes.
        least_mm: a step shorter than this ends the way.
        most: places that are asked at most.
    """
    about, arm = images.middle, 2.0 * images.reach_mm
    turn, _, other = np.linalg.svd(start[:3, :3])
    first = np.empty(7)
    first[:4] = Rotation.from_matrix(turn @ other).as_quat(scalar_first=True) * arm
    first[4:] = start[:3, :3] @ about + start[:3, 3]

    def laid(p: Floats) -> Floats:
        return _about(_turned(p[:4] / arm), p[4:], about)

    def alike(p: Floats) -> tuple[float, Floats]:
        value, by_matrix = images.at(laid(p))
        by_shape = by_matrix[:, :3] - np.outer(by_matrix[:, 3], about)
        by = np.empty(7)
        by[:4] = np.einsum("kij,ij->k", _by_quaternion(p[:4] / arm), by_shape) / arm
        by[4:] = by_matrix[:, 3]
        return value, by

    best, value, steps = _climbed(alike, first, first_mm, least_mm, most)
    return Laid(laid(best), value, steps)


def shaped(images: Likeness, start: Floats, first_mm: float, least_mm: float, most: int = 60) -> Laid:
    """The affine way near `start` under which the images are most alike, where proportions that are unlike cost.

    Two people's heads differ in length and width by some hundredths. Without a price a few hundredths of likeness are
    bought with whatever stretch fits noise, and the place of the brows with them. A common scale costs nothing.

    Args:
        start, first_mm, least_mm, most: as of `similar`; here the shape of `start` counts, too.
    """
    about, arm = images.middle, images.reach_mm
    first = np.concatenate([start[:3, :3].ravel() * arm, start[:3, :3] @ about + start[:3, 3]])

    def laid(p: Floats) -> Floats:
        return _about(p[:9].reshape(3, 3) / arm, p[9:], about)

    def alike(p: Floats) -> tuple[float, Floats]:
        value, by_matrix = images.at(laid(p))
        price, by_price = _stretched(p[:9].reshape(3, 3) / arm)
        by_shape = by_matrix[:, :3] - np.outer(by_matrix[:, 3], about) - _STRETCH * by_price
        return value - _STRETCH * price, np.concatenate([by_shape.ravel() / arm, by_matrix[:, 3]])

    best, value, steps = _climbed(alike, first, first_mm, least_mm, most)
    return Laid(laid(best), value + _STRETCH * _stretched(best[:9].reshape(3, 3) / arm)[0], steps)


def _stretched(shape: Floats) -> tuple[float, Floats]:
    """Sum of the squared logarithms of what a shape stretches beside its common scale (where small), and its slope."""
    squares = shape.T @ shape
    common = np.trace(squares) / 3.0
    unlike = squares / common - np.eye(3)
    slope = (unlike - np.eye(3) * (unlike * squares).sum() / (3.0 * common)) / common
    return float((unlike**2).sum()) / 4.0, shape @ slope


def _climbed(
    alike: Callable[[Floats], tuple[float, Floats]], p: Floats, first_mm: float, least_mm: float, most: int
) -> tuple[Floats, float, int]:
    """Uphill by BFGS: parameters are in millimetres, and no step is longer than the first may be."""
    value, slope = alike(p)
    curved, known, steps = np.eye(len(p)), False, 1
    while steps < most:
        way = curved @ slope
        if way @ slope <= 0.0:
            curved, known, way = np.eye(len(p)), False, slope
        length = float(np.linalg.norm(way))
        if not length:
            break
        if not known or length > first_mm:
            way = way * (first_mm / length)
            length = first_mm
        while True:
            new = p + way
            other, ahead = alike(new)
            steps += 1
            rise = float(slope @ way)
            if other >= value + _ENOUGH * rise or length < least_mm or steps >= most:
                break
            # Where a parabola through both values and the slope has its top.
            share = min(max(0.5 * rise / max(rise - (other - value), 1e-12), 0.1), 0.5)
            way, length = way * share, length * share
        if other <= value:
            break
        bend = slope - ahead
        along = float(bend @ way)
        if along > 1e-12:
            if not known:
                curved = np.eye(len(p)) * (along / float(bend @ bend))
            keep = np.eye(len(p)) - np.outer(way, bend) / along
            curved = keep @ curved @ keep.T + np.outer(way, way) / along
            known = True
        p, value, slope = new, other, ahead
        if length < least_mm:
            break
    return p, value, steps


def _about(shape: Floats, there: Floats, about: Floats) -> Floats:
    matrix = np.eye(4)
    matrix[:3, :3] = shape
    matrix[:3, 3] = there - shape @ about
    return matrix


def _turned(q: Floats) -> Floats:
    """A quaternion as a matrix: rotation times its squared length."""
    w, x, y, z = q
    return np.array([
        [w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z],
    ])  # fmt: skip


def _by_quaternion(q: Floats) -> Floats:
    """(4, 3, 3) derivative of that matrix by each part."""
    w, x, y, z = 2.0 * q
    return np.array([
        [[w, -z, y], [z, w, -x], [-y, x, w]],
        [[x, y, z], [y, -x, -w], [z, w, -x]],
        [[-y, x, w], [x, y, z], [-w, z, -y]],
        [[-z, -w, x], [w, -z, y], [x, y, z]],
    ])  # fmt: skip
