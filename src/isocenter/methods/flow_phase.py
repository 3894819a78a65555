"""Velocities of phase-contrast MR made right: stationary tissue to zero, and what turned over put back.

Velocity is VENC times phase over pi, so what moves faster than VENC comes back from the other side, a whole number of
2 VENC away. And gradients leave a slow phase of their own behind (eddy currents, concomitant fields), which a
polynomial through tissue that does not move takes out.

Sources: Walker 1993 (background by stationary tissue); Herraez 2002 (joining the surest neighbours first);
Dyverfeldt 2015; Bissell 2023.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from isocenter.errors import Refused
from isocenter.methods.shares import in_parts

__all__ = ["Background", "Steadiness", "background", "steadiness", "unwrap", "unwrap_all", "without"]

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_LEAST_STATIONARY = 400
_MOST_STATIONARY = 40_000
_RANKS = 64  # of edges, by how far apart their ends are


@dataclass(frozen=True, eq=False)
class Steadiness:
    """What each voxel does over the beat, and which are tissue that does not move.

    Args:
        mean: (components, slices, rows, columns) mean velocity, in the unit that was given.
        deviation: (slices, rows, columns) standard deviation over the beat, all components together.
        signal: (slices, rows, columns) magnitude over that of usual tissue.
        tissue: where there is signal, blood included.
        stationary: tissue whose velocity keeps still.
        noise: usual deviation of stationary tissue, of one component.
    """

    mean: Floats
    deviation: Floats
    signal: Floats
    tissue: Mask
    stationary: Mask
    noise: float


@dataclass(frozen=True, eq=False)
class Background:
    """Phase that was not motion.

    Args:
        field: (components, slices, rows, columns) to be taken off every frame.
        before, after: root mean square of the mean velocity of stationary tissue, each component, before and after.
        order: of the polynomial.
        voxels: of stationary tissue that it was fitted to.
    """

    field: Floats
    before: tuple[float, ...]
    after: tuple[float, ...]
    order: int
    voxels: int


def steadiness(velocity: Floats, magnitude: npt.NDArray[Any], venc: tuple[float, ...]) -> Steadiness:
    """Tell tissue that keeps still from what flows, and both from air.

    In air phase is anything, so its velocities spread over the whole turn; tissue is what spreads less, or has signal.

    Args:
        velocity: (components, frames, slices, rows, columns), not wrapped in stationary tissue.
        magnitude: (slices, rows, columns), mean over the beat.
        venc: of each component, in the unit of velocity.

    Raises:
        Refused: when the magnitude has no signal, or too little of what has signal keeps still.
    """
    components, frames = velocity.shape[:2]
    mean = np.empty((components, *velocity.shape[2:]), np.float32)
    deviation = np.empty(velocity.shape[2:], np.float32)
    in_parts(_moments, velocity.shape[2], np.ascontiguousarray(velocity, np.float32), mean, deviation)
    anything = float(np.sqrt(np.sum(np.square(venc)) / 3.0))
    calm = deviation < 0.3 * anything
    if not calm.any() or not float(np.median(magnitude[calm])) > 0:
        raise Refused(
            "no tissue in which velocity keeps still",
            "phase is noise everywhere, or there is no magnitude to tell tissue by",
            "send phase and magnitude of the same scan",
        )
    signal = np.maximum(magnitude, 0).astype(np.float32) / np.float32(np.median(magnitude[calm]))
    tissue = (deviation < 0.75 * anything) | (signal >= 0.5)
    seen = deviation[tissue]
    # The quietest tenth holds no vessel.
    quiet = float(np.percentile(seen, 10.0))
    level = float(np.median(seen[seen <= 2.0 * max(quiet, 1e-9)]))
    stationary = tissue & (signal >= 0.4) & (deviation <= 1.6 * level) if frames > 1 else tissue
    if int(stationary.sum()) < _LEAST_STATIONARY:
        raise Refused(
            f"{int(stationary.sum())} voxels of tissue that does not move",
            f"the background needs at least {_LEAST_STATIONARY} to be told from flow",
            "scan with chest wall and spine in the field of view",
        )
    return Steadiness(mean, deviation, signal, tissue, stationary, level / components**0.5)


@njit(cache=True, nogil=True, error_model="numpy")
def _moments(first: int, last: int, velocity: Any, mean: Any, deviation: Any) -> None:
    """Mean of each component over the frames, and the deviation of all together, in one look at each slice."""
    components, frames, _, rows, columns = velocity.shape
    total, squares = np.empty((rows, columns)), np.empty((rows, columns))
    for z in range(first, last):
        deviation[z] = 0.0
        for n in range(components):
            total[:] = 0.0
            squares[:] = 0.0
            for t in range(frames):
                for y in range(rows):
                    for x in range(columns):
                        value = np.float64(velocity[n, t, z, y, x])
                        total[y, x] += value
                        squares[y, x] += value * value
            for y in range(rows):
                for x in range(columns):
                    usual = total[y, x] / frames
                    mean[n, z, y, x] = usual
                    deviation[z, y, x] += max(squares[y, x] - total[y, x] * usual, 0.0)
        for y in range(rows):
            for x in range(columns):
                deviation[z, y, x] = np.sqrt(deviation[z, y, x] / max(frames - 1, 1))


def background(still: Steadiness, order: int = 2) -> Background:
    """Polynomial of whole order 1, 2 or 3 through the mean velocity of stationary tissue, each component by itself.

    Voxels that keep a steady velocity of their own, such as veins, are left out by two rounds of trimming.

    Raises:
        Refused: for another order.
    """
    if order not in (1, 2, 3):
        raise Refused(f"a background of order {order}", "1, 2 and 3 are offered", "give one of these")
    shape = still.stationary.shape
    ends = [np.linspace(-1.0, 1.0, n) if n > 1 else np.zeros(1) for n in shape]
    powers = [p for p in product(range(order + 1), repeat=3) if sum(p) <= order]
    powers = [p for p in powers if all(n > 1 or not k for n, k in zip(shape, p, strict=True))]
    at = np.argwhere(still.stationary)
    step = max(1, len(at) // _MOST_STATIONARY)
    at = at[::step]
    z, y, x = (ends[k][at[:, k]] for k in range(3))
    terms = np.stack([z**a * y**b * x**c for a, b, c in powers], axis=1)
    fields, before, after = [], [], []
    for mean in still.mean:
        value = mean[at[:, 0], at[:, 1], at[:, 2]].astype(np.float64)
        kept = np.abs(value - np.median(value)) <= 6.0 * _spread(value)
        for _ in range(2):
            fitted, *_ = np.linalg.lstsq(terms[kept], value[kept], rcond=None)
            rest = value - terms @ fitted
            kept = np.abs(rest - np.median(rest)) <= 3.0 * _spread(rest[kept])
        table = np.zeros((order + 1,) * 3)
        for (a, b, c), number in zip(powers, fitted, strict=True):
            table[a, b, c] = number
        along = [np.power.outer(end, np.arange(order + 1)) for end in ends]
        plane = np.einsum("abc,yb,xc->ayx", table, along[1], along[2], optimize=True).astype(np.float32)
        fields.append(np.tensordot(along[0].astype(np.float32), plane, 1))
        before.append(float(np.sqrt(np.mean(value[kept] ** 2))))
        after.append(float(np.sqrt(np.mean(rest[kept] ** 2))))
    return Background(np.stack(fields), tuple(before), tuple(after), order, len(at))


def without(velocity: Floats, field: Floats) -> Floats:
    """Velocities less a background, in an array of their own.

    Args:
        velocity: (components, frames, slices, rows, columns).
        field: (components, slices, rows, columns), of `background`.
    """
    out = np.empty(velocity.shape, np.float32)

    def off(first: int, last: int) -> None:
        part = (slice(None), slice(None), slice(first, last))
        np.subtract(velocity[part], field[:, None, first:last], out=out[part])

    in_parts(off, velocity.shape[2])
    return out


def _spread(values: npt.NDArray[np.float64]) -> float:
    """Standard deviation by the median, never zero."""
    return max(1.4826 * float(np.median(np.abs(values - np.median(values)))), 1e-9)


def unwrap(
    velocity: Floats, venc: float, inside: Mask | None = None, *, beats: bool = True, copy: bool = True
) -> tuple[Floats, int]:
    """Put back what turned over: a whole number of 2 VENC to each voxel and frame.

    Neighbours in space and time are joined, the surest first; a connected piece as a whole is set so that most of its
    edge, where blood stands at the wall, is not wrapped.

    Args:
        velocity: (frames, slices, rows, columns) of one component, in the unit of `venc`.
        venc: velocity of half a turn.
        inside: (slices, rows, columns) where to look; a voxel or two of what stands still around the vessel help.
        beats: the last frame is followed by the first.
        copy: leave the array that is given alone; without it, one of float32 is changed in place.

    Returns:
        The velocities, and how many voxels and frames were changed.

    Raises:
        Refused: for a VENC that is no positive number.

    >>> ramp = np.linspace(0, 1.8, 10, dtype=np.float32).reshape(1, 1, 1, 10)
    >>> wrapped = (ramp + 1) % 2 - 1
    >>> bool(np.allclose(unwrap(wrapped, 1.0)[0], ramp, atol=1e-6))
    True
    """
    if not (np.isfinite(venc) and venc > 0):
        raise Refused(f"a VENC of {venc}", "velocity cannot be unwrapped without one", "give the VENC in cm/s")
    where = np.ones(velocity.shape[1:], np.bool_) if inside is None else inside
    place, following, edge = _neighbours(where)
    out = np.array(velocity, np.float32, order="C") if copy else np.ascontiguousarray(velocity, np.float32)
    whole = np.float32(2.0 * venc)
    values = np.stack([frame.reshape(-1)[place] for frame in out])
    order = np.empty(4 * values.size, np.int32 if 4 * values.size < 2**31 else np.int64)
    turns = _turns(values, whole, following, edge, beats, order)
    values += whole * turns
    for frame, found in zip(out, values, strict=True):
        frame.reshape(-1)[place] = found
    return out, int(np.count_nonzero(turns))


def unwrap_all(velocity: Floats, venc: tuple[float, ...], inside: Mask) -> int:
    """`unwrap` every component in place, side by side; how many voxels and frames were changed.

    Args:
        velocity: (components, frames, slices, rows, columns), float32 in the order of C.
        venc: of each component.
        inside: (slices, rows, columns) where to look.
    """
    changed = np.zeros(len(velocity), np.int64)

    def one(first: int, last: int) -> None:
        for k in range(first, last):
            changed[k] = unwrap(velocity[k], venc[k], inside, copy=False)[1]

    in_parts(one, len(velocity))
    return int(changed.sum())


def _neighbours(inside: Mask) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int32], Mask]:
    """Voxels of a mask by number: flat index, the number of the next along each axis or -1, and whether at the edge."""
    place = np.flatnonzero(inside)
    # A rim that belongs to nothing, so that what lies beyond the images is asked like what lies beyond the mask.
    number = np.full([n + 2 for n in inside.shape], -1, np.int32)
    number[1:-1, 1:-1, 1:-1][inside] = np.arange(len(place), dtype=np.int32)
    around = [
        number[tuple(slice(1 + step * (a == axis), n - 1 + step * (a == axis)) for a, n in enumerate(number.shape))]
        for step in (1, -1)
        for axis in range(3)
    ]
    next_to = np.stack([one[inside] for one in around])
    alone = inside.shape[0] == 1  # nothing lies above and below
    edge = (next_to[[1, 2, 4, 5] if alone else slice(None)] < 0).any(axis=0)
    return place, next_to[:3].copy(), np.asarray(edge, np.bool_)


@njit(cache=True, nogil=True)
def _root(parent: Any, turn: Any, n: int) -> tuple[int, int]:
    """Root of a node, and its turn counted from there; ways are halved while they are gone."""
    total = 0
    while parent[n] >= 0:
        above = parent[n]
        if parent[above] >= 0:
            turn[n] += turn[above]
            parent[n] = parent[above]
        total += turn[n]
        n = parent[n]
    return n, total


@njit(cache=True, nogil=True)
def _ranked(values: Any, whole: Any, following: Any, beats: bool, order: Any) -> Any:
    """Edges of the graph in `order`, those first whose ends are least apart, and where each of 64 ranks begins.

    An edge is four times the number of its node, and 0 towards the next frame, 1 to 3 towards the next voxel. A
    counting sort keeps it linear.
    """
    frames, voxels = values.shape
    ranks = np.full(4 * values.size, 255, np.uint8)
    counts = np.zeros(_RANKS + 1, np.int64)
    for t in range(frames):
        later = t + 1
        if later == frames:
            later = 0 if beats and frames > 2 else -1
        for n in range(voxels):
            here = values[t, n]
            for k in range(4):
                if k == 0:
                    if later < 0:
                        continue
                    there = values[later, n]
                else:
                    m = following[k - 1, n]
                    if m < 0:
                        continue
                    there = values[t, m]
                apart = here - there
                apart -= whole * np.rint(apart / whole)
                rank = min(int(abs(apart) / whole * 2 * _RANKS), _RANKS - 1)
                ranks[4 * (t * voxels + n) + k] = rank
                counts[rank + 1] += 1
    for k in range(_RANKS):
        counts[k + 1] += counts[k]
    filled = counts.copy()
    for e in range(len(ranks)):
        rank = ranks[e]
        if rank < 255:
            order[filled[rank]] = e
            filled[rank] += 1
    return counts


@njit(cache=True, nogil=True)
def _joined(values: Any, whole: Any, following: Any, order: Any, starts: Any) -> Any:
    """Pieces of nodes that hang together: the parent of each, and its turn against it.

    A root holds how many hang on it, as a number below zero.
    """
    voxels, nodes, flat = values.shape[1], values.size, values.ravel()
    parent = np.full(nodes, -1, order.dtype)
    turn = np.zeros(nodes, np.int32)
    for rank in range(_RANKS):
        first = 0  # node of the frame: within a rank edges come in the order of their nodes
        for at in range(starts[rank], starts[rank + 1]):
            i = order[at] >> 2
            k = order[at] & 3
            while i >= first + voxels:
                first += voxels
            j = (i + voxels) % nodes if k == 0 else first + following[k - 1, i - first]
            ri, own = _root(parent, turn, i)
            rj, other = _root(parent, turn, j)
            if ri == rj:
                continue
            more = int(np.rint((flat[i] - flat[j]) / whole)) + own - other  # of rj against ri
            if parent[ri] > parent[rj]:
                parent[rj] += parent[ri]
                parent[ri], turn[ri] = rj, -more
            else:
                parent[ri] += parent[rj]
                parent[rj], turn[rj] = ri, more
    return parent, turn


@njit(cache=True, nogil=True)
def _turns(values: Any, whole: Any, following: Any, edge: Any, beats: bool, order: Any) -> Any:
    """(frames, voxels) whole turns to be added; `order` is room for four edges a node."""
    frames, voxels = values.shape
    parent, turn = _joined(values, whole, following, order, _ranked(values, whole, following, beats, order))
    # Each piece is set by what most of its edge says.
    most, roots, nodes = 8, 0, values.size
    index = np.full(nodes, -1, np.int32)
    piece, own = np.empty(nodes, np.int32), np.empty(nodes, np.int32)
    for i in range(nodes):
        root, own[i] = _root(parent, turn, i)
        if index[root] < 0:
            index[root] = roots
            roots += 1
        piece[i] = index[root]
    votes = np.zeros((roots, 2 * most + 1), np.int64)
    for t in range(frames):
        for n in range(voxels):
            i = t * voxels + n
            if abs(own[i]) <= most:
                votes[piece[i], own[i] + most] += 1000 if edge[n] else 1
    usual = np.empty(roots, np.int32)
    for r in range(roots):
        usual[r] = np.argmax(votes[r]) - most
    out = np.empty((frames, voxels), np.int8)
    for t in range(frames):
        for n in range(voxels):
            out[t, n] = own[t * voxels + n] - usual[piece[t * voxels + n]]
    return out
