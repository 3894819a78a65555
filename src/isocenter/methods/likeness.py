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
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from isocenter.methods.trilinear import at_places
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
        values = at_places(fixed, index)
        self._points = np.ascontiguousarray(grid.to_patient(index).T)
        low, high = float(values.min()), float(values.max())
        width = (high - low) / (_BINS - 2 * _SPARE) or 1.0
        self._bins = np.clip((values - low) / width + _SPARE, _SPARE, _BINS - _SPARE - 1).astype(np.int32)
        self._room = np.empty((4, len(values)), np.float32), np.empty(len(values), np.int32)
        self._moving = np.ascontiguousarray(moving, np.float32)
        self._low = float(moving.min())
        self._width = (float(moving.max()) - self._low) / (_BINS - 2 * _SPARE) or 1.0
        self._to_index = np.linalg.inv(moving_grid.affine)

    def at(self, matrix: Floats) -> tuple[float, Floats]:
        """Mutual information (nats) and its derivative by the upper three rows of `matrix`, per entry."""
        to_index, *images = self.asked
        value, by_index = _mutual(np.ascontiguousarray((to_index @ matrix)[:3]), *images)
        return value, to_index[:3, :3].T @ by_index

    @property
    def asked(self) -> tuple[Any, ...]:
        """What compiled code is given: the way to the moving image's indices, both images, room to work in."""
        return self._to_index, self._points, self._bins, self._moving, self._low, self._width, *self._room

    @cached_property
    def middle(self) -> Floats:
        """Of the places that are asked, mm."""
        return np.asarray(self._points.mean(1))

    @cached_property
    def reach_mm(self) -> float:
        """Root mean square distance of the places from their middle."""
        return float(np.sqrt(((self._points.T - self.middle) ** 2).sum(1).mean()))


@numba.njit(cache=True, fastmath=True)
def _lie(points, step, a, b, c, held, which):  # type: ignore[no-untyped-def]  # pragma: no cover
    """In which cell of the moving image each point lies (-1 outside), and where in it: a loop of many at once."""
    s00, s01, s02, s03 = step[0, 0], step[0, 1], step[0, 2], step[0, 3]
    s10, s11, s12, s13 = step[1, 0], step[1, 1], step[1, 2], step[1, 3]
    s20, s21, s22, s23 = step[2, 0], step[2, 1], step[2, 2], step[2, 3]
    xs, ys, zs, us, vs, ws = points[0], points[1], points[2], held[0], held[1], held[2]
    rows, columns = np.int32(b), np.int32(c)
    for s in range(xs.size):
        x, y, z = xs[s], ys[s], zs[s]
        i = s00 * x + s01 * y + s02 * z + s03
        j = s10 * x + s11 * y + s12 * z + s13
        k = s20 * x + s21 * y + s22 * z + s23
        out = (i < 0.0) | (j < 0.0) | (k < 0.0) | (i > a - 1.0) | (j > b - 1.0) | (k > c - 1.0)
        ii = np.int32(min(max(i, 0.0), a - 2.0))
        jj = np.int32(min(max(j, 0.0), b - 2.0))
        kk = np.int32(min(max(k, 0.0), c - 2.0))
        us[s], vs[s], ws[s] = np.float32(i - ii), np.float32(j - jj), np.float32(k - kk)
        which[s] = np.int32(-1) if out else np.int32((ii * rows + jj) * columns + kk)


@numba.njit(cache=True, fastmath=True)
def _met(bins, moving, down, along, low, per, held, which, joint):  # type: ignore[no-untyped-def]  # pragma: no cover
    """What the moving image shows at each point, with its slopes, counted in the joint histogram (six times).

    `held` becomes the slopes and the place within a bin, `which` the first of the four cells that were added to.
    Unsigned places: of signed ones each would be asked whether it counts from the end.
    """
    us, vs, ws, ts = held[0], held[1], held[2], held[3]
    one, two, three = np.uint64(1), np.uint64(2), np.uint64(3)
    count = 0
    for s in range(us.size):
        if which[s] < 0:
            which[s] = 0
            us[s] = vs[s] = ws[s] = ts[s] = np.float32(0)  # adds nothing to any slope
            continue
        at = np.uint64(which[s])
        u, v, w = us[s], vs[s], ws[s]
        p000, p001 = moving[at], moving[at + one]
        p010, p011 = moving[at + along], moving[at + along + one]
        p100, p101 = moving[at + down], moving[at + down + one]
        p110, p111 = moving[at + down + along], moving[at + down + along + one]
        d00, d01, d10, d11 = p001 - p000, p011 - p010, p101 - p100, p111 - p110
        p00, p01 = p000 + w * d00, p010 + w * d01
        p10, p11 = p100 + w * d10, p110 + w * d11
        e0, e1 = p01 - p00, p11 - p10
        p0, p1 = p00 + v * e0, p10 + v * e1
        d0, d1 = d00 + v * (d01 - d00), d10 + v * (d11 - d10)
        place = (p0 + u * (p1 - p0) - low) * per + np.float32(_SPARE)
        bin_ = min(max(np.int32(place), np.int32(_SPARE)), np.int32(_BINS - _SPARE - 1))
        t = place - np.float32(bin_)
        us[s], vs[s], ws[s], ts[s] = p1 - p0, e0 + u * (e1 - e0), d0 + u * (d1 - d0), t
        to = np.int32(bins[s] * _BINS + bin_ - 1)
        which[s] = to
        cell = np.uint64(to)
        t2, t3 = t * t, t * t * t
        joint[cell] += np.float32(1) - np.float32(3) * t + np.float32(3) * t2 - t3
        joint[cell + one] += np.float32(4) - np.float32(6) * t2 + np.float32(3) * t3
        joint[cell + two] += np.float32(1) + np.float32(3) * t + np.float32(3) * t2 - np.float32(3) * t3
        joint[cell + three] += t3
        count += 1
    return count


@numba.njit(cache=True, fastmath=True)
def _rises(says, held, which):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Twice how much the information rises with what is shown at each point; in place of where it lies in its bin."""
    ts = held[3]
    one, two, three = np.uint64(1), np.uint64(2), np.uint64(3)
    for s in range(ts.size):
        cell, t = np.uint64(which[s]), ts[s]
        t2 = t * t
        ts[s] = (
            says[cell] * (np.float32(-1) + np.float32(2) * t - t2)
            + says[cell + one] * (np.float32(3) * t2 - np.float32(4) * t)
            + says[cell + two] * (np.float32(1) + np.float32(2) * t - np.float32(3) * t2)
            + says[cell + three] * t2
        )


@numba.njit(cache=True, fastmath=True)
def _summed(points, held, by_index):  # type: ignore[no-untyped-def]  # pragma: no cover
    xs, ys, zs, rises = points[0], points[1], points[2], held[3]
    for d in range(3):
        slopes = held[d]
        by_x = by_y = by_z = by_one = 0.0
        for s in range(xs.size):
            g = np.float64(rises[s] * slopes[s])
            by_x += g * xs[s]
            by_y += g * ys[s]
            by_z += g * zs[s]
            by_one += g
        by_index[d, 0], by_index[d, 1], by_index[d, 2], by_index[d, 3] = by_x, by_y, by_z, by_one


@numba.njit(cache=True, fastmath=True)
def _mutual(step, points, bins, moving, low, width, held, which):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Mutual information and its slope by `step`, in four short loops, each of which a processor does well.

    `held` (4, n) and `which` (n) are only room to work in.
    """
    n = which.size
    a, b, c = moving.shape
    joint = np.zeros(_BINS * _BINS)
    _lie(points, step, a, b, c, held, which)
    count = _met(
        bins, moving.reshape(-1), np.uint64(b * c), np.uint64(c), np.float32(low), np.float32(1.0 / width), held, which,
        joint,
    )  # fmt: skip
    by_index = np.zeros((3, 4))
    if count * 10 < n or count < 16:
        return 0.0, by_index
    share = 1.0 / (6.0 * count)
    mine = np.zeros(_BINS)
    theirs = np.zeros(_BINS)
    for f in range(_BINS):
        for m in range(_BINS):
            joint[f * _BINS + m] *= share
            mine[f] += joint[f * _BINS + m]
            theirs[m] += joint[f * _BINS + m]
    logs = np.empty(_BINS)
    for m in range(_BINS):
        logs[m] = np.log(theirs[m]) if theirs[m] > 0.0 else 0.0
    total = 0.0
    says = np.zeros(_BINS * _BINS, np.float32)
    for f in range(_BINS):
        own = np.log(mine[f]) if mine[f] > 0.0 else 0.0
        for m in range(_BINS):
            both = joint[f * _BINS + m]
            if both > 1e-16:
                said = np.log(both) - logs[m]
                says[f * _BINS + m] = said
                total += both * (said - own)
    _rises(says, held, which)
    _summed(points, held, by_index)
    return total, by_index * (0.5 / (count * width))


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
    first[:4] = _quaternion(turn @ other) * arm
    first[4:] = start[:3, :3] @ about + start[:3, 3]

    def laid(p: Floats) -> Floats:
        return _about(_turned(p[:4] / arm), p[4:], about)

    def alike(p: Floats) -> tuple[float, Floats]:
        slope = np.empty(7)
        return _turned_so(p, slope, about, arm, *images.asked), slope

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


def _quaternion(turn: Floats) -> Floats:
    """The unit quaternion of a turn, its real part first; to the bit as SciPy's `Rotation`, which takes long to load.

    >>> _quaternion(np.diag([1.0, -1.0, -1.0])).tolist()
    [0.0, 1.0, 0.0, 0.0]
    """
    trace = turn[0, 0] + turn[1, 1] + turn[2, 2]
    i = int(np.argmax([turn[0, 0], turn[1, 1], turn[2, 2], trace]))
    found = np.empty(4)
    if i == 3:
        found[:3] = turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]
        found[3] = 1.0 + trace
    else:
        j, k = (i + 1) % 3, (i + 2) % 3
        found[i] = 1.0 - trace + 2.0 * turn[i, i]
        found[j], found[k] = turn[j, i] + turn[i, j], turn[k, i] + turn[i, k]
        found[3] = turn[k, j] - turn[j, k]
    x, y, z, w = found
    return np.asarray(np.array([w, x, y, z]) / np.sqrt(x * x + y * y + z * z + w * w))


def _by_turn() -> Floats:
    """(4, 4, 3, 3) what each pair of a quaternion's parts adds to that matrix; each part's slope is linear in them."""
    parts = np.eye(4)
    return np.array([
        [(_turned(one + other) - _turned(one) - _turned(other)) / 2.0 for other in parts] for one in parts
    ])  # fmt: skip


_BY_TURN = _by_turn()


@numba.njit(cache=True)
def _turned_so(  # type: ignore[no-untyped-def]  # pragma: no cover
    p, slope, about, arm, to_index, points, bins, moving, low, width, held, which
):
    """How alike images are under a turn with a common scale and a place; `slope` becomes that by these seven numbers.

    A dozen small arrays take longer to make than a few thousand places to ask: all of it is compiled.
    """
    shape, slopes = np.zeros((3, 3)), np.zeros((4, 3, 3))
    for k in range(4):
        for m in range(4):
            for i in range(3):
                for j in range(3):
                    slopes[k, i, j] += 2.0 * _BY_TURN[k, m, i, j] * p[m] / arm
        for i in range(3):
            for j in range(3):
                shape[i, j] += 0.5 * slopes[k, i, j] * p[k] / arm
    step = np.zeros((3, 4))
    for i in range(3):
        step[i, 3] = to_index[i, 3]
        for k in range(3):
            there = p[4 + k]
            for j in range(3):
                step[i, j] += to_index[i, k] * shape[k, j]
                there -= shape[k, j] * about[j]
            step[i, 3] += to_index[i, k] * there
    value, by_index = _mutual(step, points, bins, moving, low, width, held, which)
    slope[:] = 0.0
    for i in range(3):
        by_there = 0.0
        for d in range(3):
            by_there += to_index[d, i] * by_index[d, 3]
        slope[4 + i] = by_there
        for j in range(3):
            by_shape = -by_there * about[j]
            for d in range(3):
                by_shape += to_index[d, i] * by_index[d, j]
            for k in range(4):
                slope[k] += slopes[k, i, j] * by_shape / arm
    return value
