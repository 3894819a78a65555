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
from numpy.polynomial.polynomial import polygrid3d

from isocenter.errors import Refused

__all__ = ["Background", "Steadiness", "background", "steadiness", "unwrap"]

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_LEAST_STATIONARY = 400
_MOST_STATIONARY = 40_000


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
    mean = velocity.mean(axis=1, dtype=np.float32)
    variance = np.zeros(velocity.shape[2:], np.float32)
    for n in range(components):
        for t in range(frames):
            variance += (velocity[n, t] - mean[n]) ** 2
    deviation = np.sqrt(variance / max(frames - 1, 1))
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


def background(still: Steadiness, order: int = 2) -> Background:
    """Polynomial of whole order 1, 2 or 3 through the mean velocity of stationary tissue, each component by itself.

    Voxels that keep a steady velocity of their own, such as veins, are left out by two rounds of trimming.

    Raises:
        Refused: for another order.
    """
    if order not in (1, 2, 3):
        raise Refused(f"a background of order {order}", "1, 2 and 3 are offered")
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
        fields.append(polygrid3d(ends[0], ends[1], ends[2], table).astype(np.float32))
        before.append(float(np.sqrt(np.mean(value[kept] ** 2))))
        after.append(float(np.sqrt(np.mean(rest[kept] ** 2))))
    return Background(np.stack(fields), tuple(before), tuple(after), order, len(at))


def _spread(values: npt.NDArray[np.float64]) -> float:
    """Standard deviation by the median, never zero."""
    return max(1.4826 * float(np.median(np.abs(values - np.median(values)))), 1e-9)


def unwrap(velocity: Floats, venc: float, inside: Mask | None = None, *, beats: bool = True) -> tuple[Floats, int]:
    """Put back what turned over: a whole number of 2 VENC to each voxel and frame.

    Neighbours in space and time are joined, the surest first; a connected piece as a whole is set so that most of its
    edge, where blood stands at the wall, is not wrapped.

    Args:
        velocity: (frames, slices, rows, columns) of one component, in the unit of `venc`.
        venc: velocity of half a turn.
        inside: (slices, rows, columns) where to look; a voxel or two of what stands still around the vessel help.
        beats: the last frame is followed by the first.

    Returns:
        A copy, and how many voxels and frames were changed.

    Raises:
        Refused: for a VENC that is no positive number.

    >>> ramp = np.linspace(0, 1.8, 10, dtype=np.float32).reshape(1, 1, 1, 10)
    >>> wrapped = (ramp + 1) % 2 - 1
    >>> bool(np.allclose(unwrap(wrapped, 1.0)[0], ramp, atol=1e-6))
    True
    """
    if not (np.isfinite(venc) and venc > 0):
        raise Refused(f"a VENC of {venc}", "velocity cannot be unwrapped without one")
    where = np.ones(velocity.shape[1:], np.bool_) if inside is None else inside
    turns = _turns(np.ascontiguousarray(velocity, np.float32), np.float32(2.0 * venc), where, beats)
    out = velocity + np.float32(2.0 * venc) * turns
    return out.astype(np.float32, copy=False), int(np.count_nonzero(turns))


@njit(cache=True)
def _root(parent: Any, turn: Any, n: int) -> int:
    """Root of a node; on return its turn is counted from the root."""
    root, total = n, 0
    while parent[root] != root:
        total += turn[root]
        root = parent[root]
    while parent[n] != root and n != root:
        following, own = parent[n], turn[n]
        parent[n], turn[n] = root, total
        total -= own
        n = following
    return root


@njit(cache=True)
def _turns(velocity: Any, whole: Any, inside: Any, beats: bool) -> Any:
    frames, depth, rows, columns = velocity.shape
    number = np.full((depth, rows, columns), -1, np.int64)
    voxels = 0
    for z in range(depth):
        for y in range(rows):
            for x in range(columns):
                if inside[z, y, x]:
                    number[z, y, x] = voxels
                    voxels += 1
    place = np.empty((voxels, 3), np.int64)
    edge = np.zeros(voxels, np.bool_)
    for z in range(depth):
        for y in range(rows):
            for x in range(columns):
                n = number[z, y, x]
                if n < 0:
                    continue
                place[n, 0], place[n, 1], place[n, 2] = z, y, x
                for k in range(6):
                    a = z + (k == 0) - (k == 1)
                    b = y + (k == 2) - (k == 3)
                    c = x + (k == 4) - (k == 5)
                    outside = a < 0 or b < 0 or c < 0 or a >= depth or b >= rows or c >= columns
                    if outside:
                        edge[n] = edge[n] or k > 1 or depth > 1
                    elif number[a, b, c] < 0:
                        edge[n] = True
    # Edges of the graph by how far apart their ends are: a counting sort keeps it linear.
    bins = 64
    counts = np.zeros(bins + 1, np.int64)
    for written in range(2):
        if written == 1:
            for k in range(bins):
                counts[k + 1] += counts[k]
            total = counts[bins]
            ones = np.empty(total, np.int64)
            others = np.empty(total, np.int64)
            filled = counts.copy()
        for t in range(frames):
            later = t + 1
            if later == frames:
                later = 0 if beats and frames > 2 else -1
            for n in range(voxels):
                z, y, x = place[n, 0], place[n, 1], place[n, 2]
                here = velocity[t, z, y, x]
                for k in range(4):
                    if k == 0:
                        if later < 0:
                            continue
                        there, m = velocity[later, z, y, x], later * voxels + n
                    else:
                        a, b, c = z + (k == 1), y + (k == 2), x + (k == 3)
                        if a >= depth or b >= rows or c >= columns or number[a, b, c] < 0:
                            continue
                        there, m = velocity[t, a, b, c], t * voxels + number[a, b, c]
                    apart = here - there
                    apart -= whole * np.rint(apart / whole)
                    bin_ = min(int(abs(apart) / whole * 2 * bins), bins - 1)
                    if written == 0:
                        counts[bin_ + 1] += 1
                    else:
                        ones[filled[bin_]], others[filled[bin_]] = t * voxels + n, m
                        filled[bin_] += 1
    parent = np.arange(frames * voxels)
    turn = np.zeros(frames * voxels, np.int32)
    size = np.ones(frames * voxels, np.int32)
    for e in range(ones.size):
        i, j = ones[e], others[e]
        ri, rj = _root(parent, turn, i), _root(parent, turn, j)
        if ri == rj:
            continue
        p, q = place[i % voxels], place[j % voxels]
        apart = velocity[i // voxels, p[0], p[1], p[2]] - velocity[j // voxels, q[0], q[1], q[2]]
        more = int(np.rint(apart / whole)) + turn[i] * (i != ri) - turn[j] * (j != rj)  # of rj against ri
        if size[ri] < size[rj]:
            parent[ri], turn[ri] = rj, -more
            size[rj] += size[ri]
        else:
            parent[rj], turn[rj] = ri, more
            size[ri] += size[rj]
    most = 8
    index = np.full(frames * voxels, -1, np.int64)
    roots = 0
    for i in range(frames * voxels):
        r = _root(parent, turn, i)
        if index[r] < 0:
            index[r] = roots
            roots += 1
    votes = np.zeros((roots, 2 * most + 1), np.int32)
    for i in range(frames * voxels):
        r = _root(parent, turn, i)
        own = turn[i] if i != r else 0
        if abs(own) <= most:
            votes[index[r], own + most] += 1000 if edge[i % voxels] else 1
    out = np.zeros(velocity.shape, np.int8)
    for i in range(frames * voxels):
        r = _root(parent, turn, i)
        own = turn[i] if i != r else 0
        p = place[i % voxels]
        out[i // voxels, p[0], p[1], p[2]] = own - (np.argmax(votes[index[r]]) - most)
    return out
