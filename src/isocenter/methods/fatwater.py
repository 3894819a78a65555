"""Fat, water and R2* from complex images at several echo times.

S(t) = (W + F a(t)) exp(i 2 pi f t) exp(-R2* t), with a(t) the six-peak signal of fat and f the field's error. The field
of small blocks is found first, for all places together (`field_map`); from there each voxel is refined by Gauss and
Newton in the complex field f + i R2* / 2 pi, in which the model is analytic (`fat_voxels`). W and F are complex, so
noise does not lift them; the fat fraction takes the weaker of the two from the difference to the whole (magnitude
discrimination), so that noise does not lift it near 0 either. Where iron leaves the later echoes to noise, a voxel's
neighbourhood is fitted together (`fat_pooled`).

Sources: Yu et al., Magn Reson Med 60 (2008) 1122; Hernando et al., Magn Reson Med 63 (2010) 79; Liu et al., Magn Reson
Med 58 (2007) 354; QIBA Profile PDFF.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods import fat_pooled, fat_voxels, field_map
from isocenter.methods.components import labelled
from isocenter.methods.fat_spectrum import GAMMA_MHZ_PER_T, fat_signal, must_be_echo_times
from isocenter.methods.opening import filled

__all__ = ["FatWater", "body", "foreground", "of_region", "separate"]

_WIDEST_PPM = 9.0  # shoulders and the dome of the liver
_FADED = 3.0  # decays, of which a twentieth is left
_PATCH = 8
_UNLIKE = 0.5  # of the signal that the model leaves; noise alone leaves about 0.7, tissue at an SNR of 10 about 0.1
_LEAST_ML = 2.0  # of a part of the body
_ENOUGH = 4096  # voxels that tell which way phase turns
_REACH = 8  # voxels to a side, of the widest neighbourhood
_FEW_POOLED = 0.02  # of a region: so few change nothing in it
_ALONE = 0.1  # of what lies beside an organ, fitted by neighbourhoods as the organ is
_ROUNDS, _SETTLED = 3, 0.01  # of looking for what is another tissue, and share of a region that may still change
_WILD, _WILD_PATCH = 3.0, 1.5  # of the usual rest: of noise alone a voxel in 200 leaves as much, of patches fewer
_SURE = 0.9  # residual of one turning direction over the other's, above which data do not tell

Complex = npt.NDArray[np.complexfloating]
Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class FatWater:
    """Maps of a separation, (slices, rows, columns) each; NaN where there is no signal.

    Args:
        pdff: proton density fat fraction, percent; noise may carry it a little below 0 or above 100.
        r2_star: 1/s.
        field_hz: deviation of the field.
        water, fat: magnitude at time zero, in the unit of the images.
        residual: what the model leaves of the signal, 0 to 1 (root of the ratio of energies).
        signal: where there is signal enough to fit.
        conjugated: whether the phase of the data turned the other way and was mirrored.
        turning_sure: whether the data themselves told which way; else the way asked for stands.
        askew: by how much fat and water differ in phase at time zero, where they should not: the part of the signal
            that one has at right angles to the other, root mean square over patches of 8 x 8 voxels. Readouts in
            alternate directions (bipolar) leave the echoes phases of alternate sign, and the fit takes them for fat of
            another phase.
        gap: by how much the labelling of the field could be better at most, relative to its energy.
        pooled: where fat, decay and field come from a neighbourhood together, since noise drowns the later echoes.
        unsound: where even the neighbourhood does not tell the fat fraction to 3 points; NaN in fraction and decay.
        other: what `of_region` saw to be of another tissue than the rest of a region, such as its vessels.
    """

    pdff: Array
    r2_star: Array
    field_hz: Array
    water: Array
    fat: Array
    residual: Array
    signal: Mask
    conjugated: bool
    turning_sure: bool
    askew: float
    gap: float
    pooled: Mask
    unsound: Mask
    other: Mask


def foreground(echoes: npt.NDArray[Any], *, share: float = 0.06) -> Mask:
    """Voxels whose first echoes are brighter than a share of the bright ones (98th percentile) and than the noise.

    Args:
        echoes: (echoes, slices, rows, columns), complex or magnitude.
    """
    first = np.abs(echoes[: min(2, len(echoes))]).max(axis=0)
    return np.asarray((first > share * np.percentile(first, 98)) & (first > 0))


def body(signal: Mask, voxel_ml: float, residual: npt.NDArray[np.floating] | None = None) -> Mask:
    """Where maps are worth showing: noise in air that is bright by chance has a fat fraction of any value.

    The rule: signal that the model explains at least half of, in connected parts of 2 mL or more, and what signal they
    enclose within a slice (a vessel that pulses stays).

    Args:
        signal: (slices, rows, columns), as `foreground` gives it.
        voxel_ml: volume of a voxel.
        residual: what the model leaves, 0 to 1; None where echoes are too few to leave anything.
    """
    explained = signal if residual is None else signal & (np.nan_to_num(residual, nan=1.0) < _UNLIKE)
    labels, count = labelled(explained)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    large = sizes * voxel_ml >= _LEAST_ML
    large[0] = False
    whole = np.stack([filled(part) for part in large[labels]])
    return np.asarray(signal & whole)


def separate(
    echoes: Complex,
    times_s: npt.ArrayLike,
    field_t: float,
    spacing_mm: tuple[float, float, float],
    *,
    turning: str = "find",
    signal: Mask | None = None,
    pooling: bool = True,
) -> FatWater:
    """Fat fraction, R2* and field of complex images.

    Args:
        echoes: (echoes, slices, rows, columns) complex, in any unit.
        times_s: (echoes,) seconds.
        field_t: tesla.
        spacing_mm: between slices, rows, columns.
        turning: which way phase turns: ``"find"`` tries both and keeps what leaves less, ``"as is"`` (fat, of lower
            frequency, turns backward), ``"mirrored"``.
        signal: where to fit; by default `foreground`.
        pooling: whether voxels whose later echoes are lost in noise are fitted by neighbourhoods; else they stay NaN.

    Raises:
        Refused: see `must_be_echo_times`; and for images that are not complex, that hold no signal, or values that are
            no numbers.

    >>> t = np.array([1.2, 2.4, 3.6, 4.8, 6.0, 7.2]) / 1000
    >>> s = (80 + 20 * fat_signal(t, 1.5)) * np.exp(2j * np.pi * 60 * t - 45 * t)
    >>> found = separate(np.tile(s[:, None, None, None], (1, 1, 6, 6)), t, 1.5, (5.0, 2.0, 2.0))
    >>> [round(float(m[0, 3, 3]), 3) for m in (found.pdff, found.r2_star, found.field_hz)]
    [20.0, 45.0, 60.0]
    """
    times = must_be_echo_times(times_s, field_t)
    if echoes.ndim != 4 or len(echoes) != len(times) or not np.iscomplexobj(echoes):
        raise Refused(
            f"images of shape {echoes.shape} ({echoes.dtype})",
            f"{len(times)} complex images of slices are needed",
            "give a complex image for each echo time",
        )
    if turning not in ("find", "as is", "mirrored"):
        raise Refused(f"turning '{turning}'", "it is 'find', 'as is' or 'mirrored'", "name one of these")
    stored = echoes if echoes.dtype in (np.complex64, np.complex128) else np.asarray(echoes, np.complex128)
    blocks = field_map.blocks_of(stored, spacing_mm)
    if not np.isfinite(np.einsum("...kk", blocks.covariance)).all():
        raise Refused("images with values that are not numbers", "no model fits them", "send the series again")
    where = foreground(echoes) if signal is None else signal
    if not where.any():
        raise Refused("images without signal", "there is neither fat nor water in them", "choose a series with signal")
    fat = fat_signal(times, field_t)
    widest = _WIDEST_PPM * GAMMA_MHZ_PER_T * field_t
    ways = [mirrored for mirrored, words in ((False, "as is"), (True, "mirrored")) if turning in ("find", words)]

    room = np.full((7, *echoes.shape[1:]), np.nan, np.float32)

    def fitted(mirrored: bool, within: Mask, hertz: npt.NDArray[np.float64], weight: npt.NDArray[np.float64]) -> Array:
        maps = room  # of one search after another: to clear all of it each time took longer than some searches
        fat_voxels.fit(
            stored, mirrored, within, times, fat, blocks.size, hertz, weight, field_map.period_hz(times), maps
        )
        return maps

    def left(mirrored: bool) -> float:
        # The costs know four decays only: a wrong turning that meets one of them can cost less than the right one.
        # At low field fat lies so near water that a block's deepest valley may be the wrong one: the next is tried too.
        few = _some(where)
        shape, shares = blocks.covariance.shape[:3], []
        places = tuple(at // size for at, size in zip(np.nonzero(few), blocks.size, strict=True))
        held = np.unique(np.ravel_multi_index(places, shape))
        asked = replace(blocks, covariance=blocks.covariance.reshape(-1, len(times), len(times))[held])
        cost, grid = _costs(stored, asked, mirrored, times, fat, widest)
        for lowest in _valleys(cost, field_map.period_hz(times) > 0.0):
            hertz = np.zeros(shape)
            hertz.ravel()[held] = grid[lowest]
            shares.append(fitted(mirrored, few, hertz, np.zeros(shape))[5][few].astype(np.float64))
        energy = (np.abs(echoes[:, few]) ** 2).sum(axis=0)
        return float(np.nansum(np.fmin(*shares) ** 2 * energy))

    if len(times) == 3:  # three echoes leave nothing where both phases are free
        costs = {way: _costs(stored, blocks, way, times, fat, widest) for way in ways}
        mirrored, sure = _turning({way: float(costs[way][0].min(axis=1).sum()) for way in ways})
        chosen = costs[mirrored]
    else:
        mirrored, sure = _turning({way: left(way) if len(ways) > 1 else 0.0 for way in ways})
        chosen = _costs(stored, blocks, mirrored, times, fat, widest)
    field = field_map.solve(*chosen, blocks, times, widest, spacing_mm)
    maps = fitted(mirrored, where, field.hertz, field.weight + 1e-12)
    # Where iron has left nothing by the third echo, phase is that of noise and tells of no readout.
    lasting = where & (maps[1] * times[min(2, len(times) - 1)] < _FADED)
    pooled = fat_pooled.faint(echoes, where, maps[5])
    askew = _askew(maps[6], lasting & ~pooled)
    unsound = np.zeros(where.shape, bool)
    if not pooling:
        maps[:3, pooled] = np.nan
    elif pooled.any():
        together = fat_pooled.pool(echoes, mirrored, times, fat, pooled, maps[2])
        unsound = pooled & ~fat_pooled.sound(together, times)
        maps[:3, pooled] = together[:3, pooled]
        maps[:2, unsound] = np.nan
    return FatWater(
        maps[0], maps[1], maps[2], maps[3], maps[4], maps[5], where, mirrored, sure, askew, field.gap, pooled, unsound,
        np.zeros(where.shape, bool),
    )  # fmt: skip


def of_region(found: FatWater, echoes: Complex, times_s: npt.ArrayLike, field_t: float, region: Mask) -> FatWater:
    """The same maps, with what came from neighbourhoods in a region fitted by neighbourhoods within it.

    Where the whole image has little signal, neighbourhoods reach into what lies beside an organ. What decays slowly
    outlasts it at the later echoes, so that a few voxels of it lower the decay of all. A region is of one organ; its
    vessels, and what else in it the decay found does not explain, are neighbours of one another only.

    Args:
        found: of `separate`, from these echoes.
        region: (slices, rows, columns).
    """
    from scipy.ndimage import maximum_filter

    times = must_be_echo_times(times_s, field_t)
    where = found.pooled & region
    if np.count_nonzero(where) <= _FEW_POOLED * np.count_nonzero(region):
        return found
    near = maximum_filter(where.view(np.uint8), (1, 2 * _REACH + 1, 2 * _REACH + 1))
    beside = near.view(bool) & found.signal & ~region
    if not beside.any() or found.pooled[beside].mean() < _ALONE:
        return found  # of an organ full of iron the neighbourhoods hold hardly anything else
    fat, other = fat_signal(times, field_t), np.zeros(where.shape, bool)
    together = np.full((5, *where.shape), np.nan, np.float32)
    for _ in range(_ROUNDS):
        own = where & ~other
        together[:, own] = fat_pooled.pool(echoes, found.conjugated, times, fat, own, found.field_hz)[:, own]
        last, other = other, _unexplained(echoes, found.conjugated, times, fat, together, where)
        if np.count_nonzero(last ^ other) <= _SETTLED * np.count_nonzero(where):
            break
    other = last  # as the last neighbourhoods knew it
    together[:, other] = fat_pooled.pool(echoes, found.conjugated, times, fat, other, found.field_hz)[:, other]
    sound = fat_pooled.sound(together, times)
    pdff, r2_star, field_hz = (m.copy() for m in (found.pdff, found.r2_star, found.field_hz))
    for held, made in zip((pdff, r2_star, field_hz), together, strict=False):
        held[where] = np.where(sound, made, np.nan)[where] if held is not field_hz else made[where]
    unsound = np.where(where, ~sound & ~other, found.unsound)
    return replace(found, pdff=pdff, r2_star=r2_star, field_hz=field_hz, unsound=unsound, other=found.other | other)


def _unexplained(
    echoes: Complex, mirrored: bool, times: npt.NDArray[np.float64], fat: Complex, together: Array, where: Mask
) -> Mask:
    """Voxels, or patches of 3 x 3, of which decay and field of their neighbourhood leave more than noise does."""
    from scipy.ndimage import uniform_filter

    asked = where & np.isfinite(together[1]) & np.isfinite(together[2])
    if not asked.any():
        return np.asarray(asked, np.bool_)
    held = np.asarray(echoes[:, asked].T, np.complex128)
    held = held.conj() if mirrored else held
    turn = np.exp((2j * np.pi * together[2][asked] - together[1][asked]).astype(np.complex128)[:, None] * times)
    made = np.stack([turn, turn * fat], axis=2)
    across = made.conj().transpose(0, 2, 1)
    amounts = np.linalg.solve(across @ made, across @ held[:, :, None])
    left = np.zeros(where.shape)
    left[asked] = (np.abs(held - (made @ amounts)[:, :, 0]) ** 2).sum(axis=1)
    usual = float(np.median(left[asked]))
    many = uniform_filter(asked.astype(np.float64), (1, 3, 3))
    patches = uniform_filter(left, (1, 3, 3)) / np.maximum(many, 1e-9)
    return np.asarray(asked & ((left > _WILD * usual) | (patches > _WILD_PATCH * usual)))


def _costs(
    echoes: Complex, blocks: field_map.Blocks, mirrored: bool, times: npt.NDArray[np.float64], fat: Complex,
    widest: float,
) -> tuple[Array, npt.NDArray[np.float64]]:  # fmt: skip
    if len(times) == 3:
        turned = echoes.conj() if mirrored else echoes
        return field_map.costs_of_one_phase(turned, blocks.size, times, fat, widest)
    if mirrored:
        blocks = replace(blocks, covariance=blocks.covariance.conj())
    return field_map.costs(blocks, times, fat, widest)


def _askew(share: Array, where: Mask) -> float:
    rows, columns = (_PATCH * (n // _PATCH) for n in share.shape[1:])
    held = (share.shape[0], rows // _PATCH, _PATCH, columns // _PATCH, _PATCH)
    inside = where[:, :rows, :columns].reshape(held).sum(axis=(2, 4))
    # One voxel of noise may be wild; a patch is judged by what its voxels mostly say, those full of iron left out.
    asked = np.where(where, np.clip(np.nan_to_num(share), -1.0, 1.0), 0.0)
    sums = asked[:, :rows, :columns].reshape(held).sum(axis=(2, 4))
    whole = inside >= _PATCH * _PATCH // 2
    return float(np.sqrt(np.mean((sums[whole] / inside[whole]) ** 2))) if whole.any() else 0.0


def _valleys(cost: npt.NDArray[np.float32], closed: bool) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where along the field the cost of each block is least, and where that of its next valley is; or twice the one.

    Args:
        cost: (blocks, fields).
        closed: whether the last field neighbours the first.
    """
    before, after = np.roll(cost, 1, axis=1), np.roll(cost, -1, axis=1)
    if not closed:
        before[:, 0] = after[:, -1] = np.inf
    first = cost.argmin(axis=1)
    held = np.where((cost < before) & (cost <= after), cost, np.float32(np.inf))
    held[np.arange(len(cost)), first] = np.inf
    second = held.argmin(axis=1)
    return first, np.where(np.isfinite(held.min(axis=1)), second, first)


def _some(where: Mask) -> Mask:
    """Enough voxels, from everywhere, to tell which way phase turns."""
    every = np.flatnonzero(where)
    few = np.zeros(where.shape, bool)
    few.ravel()[every[:: -(-len(every) // _ENOUGH)]] = True
    return few


def _turning(left: dict[bool, float]) -> tuple[bool, bool]:
    """Whether mirrored phase fits better, and whether that is clear; what a person asked for is."""
    if len(left) == 1:
        return next(iter(left)), True
    sure = min(left.values()) < _SURE * max(left.values())
    return sure and left[True] < left[False], sure
