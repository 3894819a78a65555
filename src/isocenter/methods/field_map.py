"""The map of the main field's error from multi-echo images, without exchange of fat and water.

For each voxel the best fit of fat and water leaves a residual that depends on the field alone (variable projection),
and that residual has several valleys: the true one, and others at which fat passes for water or a whole turn is missed.
Which valley is right is decided for all places together. The image is cut into blocks of a few millimetres; the
covariance of the echoes, summed over a block, gives the residual of the whole block at any field in a few operations
(a block that holds fat beside water has the valley of both in one place only). The valleys of each block are the
labels of a Markov field whose neighbours should have like fields, and sequential tree-reweighted message passing finds
the labelling, together with a lower bound that no labelling can beat: how far from the best it can be is known.

Sources: Hernando et al., Magn Reson Med 59 (2008) 571 and 63 (2010) 79 (variable projection, graph cut); Berglund &
Skorpil, Magn Reson Med 78 (2017) 941 (valleys as labels); Kolmogorov, IEEE Trans Pattern Anal 28 (2006) 1568 (TRW-S).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from isocenter.methods.shares import in_parts

__all__ = ["Blocks", "FieldMap", "blocks_of", "solve", "valleys"]

_GRID = 48  # fields that are tried in one period
_RATES = (10.0, 60.0, 200.0, 600.0)  # R2* that is supposed while the field is looked for, 1/s
_RATES_OF_THREE = (15.0, 60.0, 200.0)
_MOST = 12  # valleys of a block
_OWN = 3  # of which in one period
_SMOOTH = 0.02  # price of a difference between neighbours, in units of what a block pays for leaving its valley
_FLOOR = 0.02  # part of the usual price that is paid in air as well: fields do not jump over it
_SMALL = 1e-4  # the same price for a large field: labellings a whole period apart would else be equal
_PASSES = 30
_DARK = 3e-3  # of the energy of bright blocks: below is air, which knows no field and hands none on

Complex = npt.NDArray[np.complexfloating]


@dataclass(frozen=True, eq=False)
class Blocks:
    """Images summed over small blocks.

    Args:
        size: voxels of a block along each axis.
        covariance: (blocks…, echoes, echoes): sum of conj(s_m) s_n over a block.
    """

    size: tuple[int, int, int]
    covariance: Complex


@dataclass(frozen=True, eq=False)
class FieldMap:
    """The field of each block.

    Args:
        hertz: (blocks…) deviation of the field.
        weight: (blocks…) how sharply the block itself asks for it.
        residual: what the chosen valleys leave of the whole signal, 0 to 1.
        gap: by how much, relative to the energy found, the best labelling could be better.
    """

    hertz: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]
    residual: float
    gap: float


def blocks_of(echoes: Complex, spacing_mm: tuple[float, float, float], *, edge_mm: float = 5.0) -> Blocks:
    """Sum images over blocks of about `edge_mm`.

    Args:
        echoes: (echoes, slices, rows, columns) complex.
    """
    size = tuple(int(np.clip(round(edge_mm / mm), 1, 8)) for mm in spacing_mm)
    n, shape = len(echoes), echoes.shape[1:]
    held = tuple(-(-a // b) for a, b in zip(shape, size, strict=True))
    covariance = np.zeros((*held, n, n), np.complex128)
    in_parts(_covariances, held[0] * held[1], echoes, np.array(size), covariance)
    return Blocks((size[0], size[1], size[2]), covariance)


@njit(cache=True, nogil=True, error_model="numpy")
def _covariances(first: int, last: int, echoes: Any, size: Any, out: Any) -> None:
    n, slices, rows, columns = echoes.shape
    high, wide = out.shape[1], out.shape[2]
    one = np.empty(n, np.complex128)
    for at in range(first, last):
        bz, by = at // high, at % high
        for bx in range(wide):
            for z in range(bz * size[0], min(slices, (bz + 1) * size[0])):
                for y in range(by * size[1], min(rows, (by + 1) * size[1])):
                    for x in range(bx * size[2], min(columns, (bx + 1) * size[2])):
                        for m in range(n):
                            one[m] = echoes[m, z, y, x]
                        for m in range(n):
                            for k in range(m + 1):
                                out[bz, by, bx, m, k] += np.conj(one[m]) * one[k]


def projectors(times_s: npt.NDArray[np.float64], fat: Complex, rates: tuple[float, ...]) -> Complex:
    """(rates, echoes, echoes): projection on what fat and water with one decay can make."""
    out = []
    for rate in rates:
        basis = np.stack([np.ones(len(times_s)), fat], axis=1) * np.exp(-rate * times_s)[:, None]
        q, _ = np.linalg.qr(basis)
        out.append(q @ q.conj().T)
    return np.array(out)


def period_hz(times_s: npt.NDArray[np.float64]) -> float:
    """After how many hertz evenly spaced echoes repeat; 0 for others."""
    steps = np.diff(times_s)
    return float(1.0 / steps.mean()) if np.ptp(steps) < 1e-3 * steps.mean() else 0.0


def costs(
    blocks: Blocks, times_s: npt.NDArray[np.float64], fat: Complex, widest_hz: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """What the best fat and water leave of each block's signal at each field.

    Returns:
        (blocks, fields) cost, (fields,) hertz: one period for evenly spaced echoes.
    """
    n = len(times_s)
    grid = _fields(times_s, widest_hz)
    pairs = [(m, k) for m in range(n) for k in range(m)]
    gaps = np.array([times_s[m] - times_s[k] for m, k in pairs])
    # Pairs of echoes that are as far apart turn together: one term for each distance.
    lags, which = np.unique(np.round(gaps * 1e7).astype(np.int64), return_inverse=True)
    seconds = np.array([gaps[which == j].mean() for j in range(len(lags))])
    turn = np.exp(2j * np.pi * grid[None, :] * seconds[:, None])
    own = blocks.covariance.reshape(-1, n, n)
    cost = np.empty((len(own), len(grid)), np.float32)
    project = projectors(times_s, fat, _RATES)
    in_parts(_covariance_costs, len(own), own, project, np.array(pairs), which.astype(np.int64), turn, cost)
    return cost, grid


def costs_of_one_phase(
    echoes: Complex, size: tuple[int, int, int], times_s: npt.NDArray[np.float64], fat: Complex, widest_hz: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """The same where fat and water start with one phase, which three echoes need: else they leave nothing anywhere.

    Args:
        echoes: (echoes, slices, rows, columns).
        size: voxels of a block along each axis.
    """
    grid = _fields(times_s, widest_hz)
    basis = np.stack([np.ones(len(times_s)), fat], axis=1)
    fades = np.exp(-np.array(_RATES_OF_THREE)[:, None] * times_s[None, :])
    inverse = np.array([np.linalg.inv((basis.conj().T @ (f[:, None] ** 2 * basis)).real) for f in fades])
    turn = np.exp(-2j * np.pi * grid[:, None] * times_s[None, :])
    held = tuple(-(-a // b) for a, b in zip(echoes.shape[1:], size, strict=True))
    cost = np.zeros((*held, len(grid)), np.float64)
    energy = (np.abs(echoes) ** 2).sum(axis=0)
    in_parts(
        _one_phase_costs, held[0] * held[1], np.asarray(echoes, np.complex128), np.array(size), fades, fat.conj(),
        inverse, turn, 1e-3 * float(energy.max()), cost,
    )  # fmt: skip
    return cost.reshape(-1, len(grid)).astype(np.float32), grid


def _fields(times_s: npt.NDArray[np.float64], widest_hz: float) -> npt.NDArray[np.float64]:
    period = period_hz(times_s)
    many, span = (_GRID, period) if period else (4 * _GRID, 2.0 * widest_hz)
    return np.asarray((np.arange(many) / many - 0.5) * span)


@njit(cache=True, nogil=True, error_model="numpy")
def _covariance_costs(
    first: int, last: int, own: Any, project: Any, pairs: Any, which: Any, turn: Any, cost: Any
) -> None:
    lags, fields = turn.shape
    terms = np.empty(lags, np.complex128)
    real, imaginary = np.ascontiguousarray(turn.real), np.ascontiguousarray(turn.imag)
    here = np.empty(fields)
    for b in range(first, last):
        total = 0.0
        for m in range(own.shape[1]):
            total += own[b, m, m].real
        for r in range(len(project)):
            level = total
            for m in range(own.shape[1]):
                level -= project[r, m, m].real * own[b, m, m].real
            terms[:] = 0
            for j in range(len(pairs)):
                terms[which[j]] += project[r, pairs[j, 0], pairs[j, 1]] * own[b, pairs[j, 0], pairs[j, 1]]
            here[:] = level
            for k in range(lags):  # all fields at once, which the processor does side by side
                along, across = 2.0 * terms[k].real, 2.0 * terms[k].imag
                for f in range(fields):
                    here[f] -= along * real[k, f] - across * imaginary[k, f]
            for f in range(fields):
                if r == 0 or here[f] < cost[b, f]:
                    cost[b, f] = here[f]


@njit(cache=True, nogil=True, error_model="numpy")
def _one_phase_costs(
    first: int, last: int, echoes: Any, size: Any, fades: Any, lipid: Any, inverse: Any, turn: Any, least: float,
    cost: Any,
) -> None:  # fmt: skip
    n, slices, rows, columns = echoes.shape
    high = cost.shape[1]
    back, also = np.empty(n, np.complex128), np.empty(n, np.complex128)
    for at in range(first, last):
        bz, by = at // high, at % high
        for z in range(bz * size[0], min(slices, (bz + 1) * size[0])):
            for y in range(by * size[1], min(rows, (by + 1) * size[1])):
                for x in range(columns):
                    whole = 0.0
                    for k in range(n):
                        whole += echoes[k, z, y, x].real ** 2 + echoes[k, z, y, x].imag ** 2
                    if whole < least:
                        continue
                    for f in range(len(turn)):
                        for k in range(n):
                            back[k] = turn[f, k] * echoes[k, z, y, x]
                            also[k] = lipid[k] * back[k]
                        best = 0.0
                        for r in range(len(fades)):
                            water, fat = 0j, 0j
                            for k in range(n):
                                water += fades[r, k] * back[k]
                                fat += fades[r, k] * also[k]
                            a, b, c = inverse[r, 0, 0], inverse[r, 0, 1], inverse[r, 1, 1]
                            plain = (
                                a * (water.real**2 + water.imag**2)
                                + c * (fat.real**2 + fat.imag**2)
                                + 2.0 * b * (water.real * fat.real + water.imag * fat.imag)
                            )
                            square = a * water * water + 2.0 * b * water * fat + c * fat * fat
                            best = max(best, 0.5 * (plain + abs(square)))
                        cost[bz, by, x // size[2], f] += whole - best


def valleys(
    cost: npt.NDArray[np.float32], grid: npt.NDArray[np.float64], period: float, widest_hz: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Fields at which each block's cost is a local minimum.

    Returns:
        (blocks, 12) hertz, (blocks, 12) cost, (blocks,) curvature of the deepest, (blocks,) how many there are.
    """
    count = len(cost)
    hertz, left = np.zeros((count, _MOST)), np.zeros((count, _MOST))
    bend, many = np.zeros(count), np.zeros(count, np.int64)
    in_parts(_valleys, count, cost, grid, period, widest_hz, hertz, left, bend, many)
    return hertz, left, bend, many


@njit(cache=True, nogil=True, error_model="numpy")
def _valleys(
    first: int, last: int, costs: Any, grid: Any, period: float, widest: float, hertz: Any, left: Any, bend: Any,
    many: Any,
) -> None:  # fmt: skip
    fields = len(grid)
    step = grid[1] - grid[0]
    places, depths = np.empty(fields), np.empty(fields)
    for b in range(first, last):
        cost = costs[b]
        found = 0
        for f in range(fields):
            if period == 0.0 and (f == 0 or f == fields - 1):
                continue
            before, after = cost[f - 1], cost[(f + 1) % fields]
            if cost[f] <= before and cost[f] < after:
                curve = before - 2.0 * cost[f] + after
                shift = 0.5 * (before - after) / curve if curve > 0 else 0.0
                places[found] = grid[f] + shift * step
                depths[found] = cost[f] - 0.25 * (before - after) * shift
                if found == 0 or depths[found] < left[b, 0]:
                    left[b, 0] = depths[found]
                    bend[b] = curve / step**2
                found += 1
        kept = 0
        for _own in range(min(found, _OWN)):
            low = np.argmin(depths[:found])
            turns = int(np.ceil(2.0 * widest / period)) if period > 0.0 else 0
            for t in range(-turns, turns + 1):
                at = places[low] + t * period
                if abs(at) <= max(widest, 0.5 * period) and kept < _MOST:
                    hertz[b, kept] = at
                    left[b, kept] = max(depths[low], 0.0)
                    kept += 1
            depths[low] = np.inf
        if kept == 0:
            left[b, 0] = max(cost.min(), 0.0)
            kept = 1
        many[b] = kept


def solve(
    cost: npt.NDArray[np.float32],
    grid: npt.NDArray[np.float64],
    blocks: Blocks,
    times_s: npt.NDArray[np.float64],
    widest_hz: float,
    spacing_mm: tuple[float, float, float],
) -> FieldMap:
    """Choose one valley for each block, so that neighbours agree.

    Args:
        cost, grid: from `costs` or `costs_of_one_phase`.
        blocks: from `blocks_of`.
        times_s: (echoes,) seconds.
        widest_hz: largest deviation that is looked for.
        spacing_mm: of the voxels.
    """
    period = period_hz(times_s)
    hertz, left, bend, many = valleys(cost, grid, period, widest_hz)
    most = int(many.max(initial=1))  # messages hold so many numbers each: room for no more of them is run through
    hertz, left = np.ascontiguousarray(hertz[:, :most]), np.ascontiguousarray(left[:, :most])
    energy = np.trace(blocks.covariance, axis1=-2, axis2=-1).real.ravel()
    dark = energy < _DARK * np.percentile(energy, 98)
    many[dark], bend[dark] = 1, 0.0
    shape = blocks.covariance.shape[:3]
    edges = np.array([n * mm for n, mm in zip(blocks.size, spacing_mm, strict=True)])
    near = (edges.min() / edges) ** 2  # neighbours further apart may differ more
    usual = float(np.median(bend[bend > 0])) if (bend > 0).any() else 0.0
    labels = np.zeros(len(hertz), np.int64)
    bound, found = _message_passing(
        np.array(shape),
        hertz,
        left + _SMALL * bend[:, None] * hertz**2,
        bend,
        many,
        near,
        _SMOOTH,
        _FLOOR * usual,
        _PASSES,
        labels,
    )
    rows = np.arange(len(hertz))
    chosen = hertz[rows, labels]
    if period and bend.sum() > 0:
        order = np.argsort(chosen)
        middle = order[np.searchsorted(np.cumsum(bend[order]), 0.5 * bend.sum())]
        chosen = chosen - period * np.round(chosen[middle] / period)
    return FieldMap(
        chosen.reshape(shape),
        bend.reshape(shape),
        float(left[rows, labels].sum()) / max(float(energy.sum()), 1e-300),
        max(0.0, (found - bound) / max(found, 1e-300)),
    )


@njit(cache=True, error_model="numpy")
def _price(bend: Any, i: int, j: int, near: float, smooth: float, floor: float) -> float:
    if bend[i] == 0.0 or bend[j] == 0.0:  # nothing was measured there
        return 0.0
    price: float = smooth * near * (min(bend[i], bend[j]) + floor)
    return price


@njit(cache=True, error_model="numpy")
def _message_passing(
    shape: Any, hertz: Any, left: Any, bend: Any, many: Any, near: Any, smooth: float, floor: float, passes: int,
    labels: Any,
) -> tuple[float, float]:  # fmt: skip
    """Sequential tree-reweighted message passing on a grid; `labels` is filled, and bound and energy returned."""
    count, most = hertz.shape
    stride = np.array([shape[1] * shape[2], shape[2], 1])
    # to_next[i, a]: what node i hears from its follower along axis a; to_last[i, a]: from the one before.
    from_next, from_last = np.zeros((count, 3, most)), np.zeros((count, 3, most))
    belief = np.empty(most)
    best, bound, calm = np.inf, -np.inf, 0
    trial = np.zeros(count, np.int64)
    for sweep in range(passes):
        lower = 0.0
        for way in range(2):
            for n in range(count):
                i = n if way == 0 else count - 1 - n
                if bend[i] == 0.0:
                    lower += left[i, 0] if way == 1 else 0.0
                    continue
                place = (i // stride[0], (i // stride[1]) % shape[1], i % shape[2])
                ahead, behind = 0, 0
                for k in range(many[i]):
                    belief[k] = left[i, k]
                for a in range(3):
                    if place[a] + 1 < shape[a]:
                        ahead += 1
                        for k in range(many[i]):
                            belief[k] += from_next[i, a, k]
                    if place[a] > 0:
                        behind += 1
                        for k in range(many[i]):
                            belief[k] += from_last[i, a, k]
                share = 1.0 / max(1, ahead, behind)
                if way == 1:  # the bound is counted while going back
                    low = belief[0]
                    for k in range(1, many[i]):
                        low = min(low, belief[k])
                    lower += low
                    for k in range(many[i]):
                        belief[k] -= low
                for a in range(3):
                    if way == 0:
                        if place[a] + 1 >= shape[a]:
                            continue
                        j = i + stride[a]
                        mine, theirs = from_next[i, a], from_last[j, a]
                    else:
                        if place[a] == 0:
                            continue
                        j = i - stride[a]
                        mine, theirs = from_last[i, a], from_next[j, a]
                    price = _price(bend, i, j, near[a], smooth, floor)
                    if price == 0.0:
                        continue
                    low = np.inf
                    for q in range(many[j]):
                        value = np.inf
                        for k in range(many[i]):
                            apart = hertz[i, k] - hertz[j, q]
                            value = min(value, share * belief[k] - mine[k] + price * apart * apart)
                        theirs[q] = value
                        low = min(low, value)
                    for q in range(many[j]):
                        theirs[q] -= low
                    if way == 1:
                        lower += low
        bound = max(bound, lower)
        energy = _decoded(shape, stride, hertz, left, bend, many, near, smooth, floor, from_next, trial)
        if energy < best * (1.0 - 1e-4):
            calm = 0
        else:
            calm += 1
        if energy < best:
            best = energy
            for i in range(count):
                labels[i] = trial[i]
        if (best - bound <= 1e-4 * best and sweep > 1) or calm >= 4:
            break
    return bound, best


@njit(cache=True, error_model="numpy")
def _decoded(
    shape: Any, stride: Any, hertz: Any, left: Any, bend: Any, many: Any, near: Any, smooth: float, floor: float,
    from_next: Any, labels: Any,
) -> float:  # fmt: skip
    """Labels one after another, each knowing those before it and hearing those after it; their energy."""
    total = 0.0
    for i in range(len(hertz)):
        place = (i // stride[0], (i // stride[1]) % shape[1], i % shape[2])
        best, chosen, own = np.inf, 0, 0.0
        for k in range(many[i]):
            paid = left[i, k]
            heard = 0.0
            for a in range(3):
                if place[a] > 0:
                    j = i - stride[a]
                    apart = hertz[i, k] - hertz[j, labels[j]]
                    paid += _price(bend, i, j, near[a], smooth, floor) * apart * apart
                if place[a] + 1 < shape[a]:
                    heard += from_next[i, a, k]
            if paid + heard < best:
                best, chosen, own = paid + heard, k, paid
        labels[i] = chosen
        total += own
    return total
