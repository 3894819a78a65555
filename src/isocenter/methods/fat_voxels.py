"""Fat, water, decay and field of each voxel by itself, from a start near its field: Gauss and Newton.

S(t) = (W + F a(t)) exp(p t), with p = i 2 pi f - R2* and a(t) the signal of fat, is analytic in p (T2*-IDEAL): at each
p the best W and F are known, and what they leave tells where to go. Voxels are fitted side by side, as the
processor has arithmetic for several numbers at once; a voxel that is done makes room for the next. Voxels do not touch
one another: an answer does not depend on its neighbours.

Source: Yu et al., Magn Reson Med 60 (2008) 1122.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from isocenter.methods.shares import in_parts

__all__ = ["fit"]

_R2_STAR = (-50.0, 3000.0)
_FIRST_R2_STAR = 40.0
_STEPS, _TRIES, _SHORTER = 25, 6, 0.4
_LONGEST_HZ = 60.0  # of one step
_SETTLED = 3e-5  # turn at the last echo, radians, of a step whose square does not count
_LANES = 32  # voxels side by side: with fewer the loops over them are too short to pay

# Where things stand in the work of one model, a lane for each voxel: what it leaves, the slope along p with its energy,
# water and fat and how they change with p; then, of the products of water's signal (a), fat's (b) and the echoes (s),
# sums over the echoes: plain, with time (t), and with its square (tt).
(
    _LEFT, _STEEP, _ALONG, _ALONG_I, _WATER, _WATER_I, _FAT, _FAT_I, _DW, _DW_I, _DF, _DF_I,
    _AA, _BB, _AB, _AB_I, _T_AA, _T_BB, _T_AB, _T_AB_I, _TT_AA, _TT_BB, _TT_AB, _TT_AB_I,
    _SA, _SA_I, _SB, _SB_I, _T_SA, _T_SA_I, _T_SB, _T_SB_I, _SIZE, _BACK, _BACK_I, _END,
) = range(0, 36 * _LANES, _LANES)  # fmt: skip

Array = npt.NDArray[np.float32]


def fit(
    echoes: npt.NDArray[np.complexfloating], mirrored: bool, where: npt.NDArray[np.bool_],
    times: npt.NDArray[np.float64], fat: npt.NDArray[np.complexfloating], size: tuple[int, int, int],
    hertz: npt.NDArray[np.float64], weight: npt.NDArray[np.float64], period: float, maps: Array,
) -> None:  # fmt: skip
    """Fit every voxel of `where`.

    Args:
        echoes: (echoes, slices, rows, columns).
        mirrored: whether phase turns the other way.
        where: voxels to fit.
        times, fat: seconds, and fat's signal at them.
        size: voxels of a block along each axis.
        hertz, weight: (blocks…) the field, and how well a block knows it; a voxel starts between blocks.
        period: after how many hertz fields are one field; 0 for none.
        maps: (7, slices, rows, columns) fat fraction (%), R2* (1/s), field (Hz), water, fat, residual (0 to 1) and the
            part of the signal that fat has at right angles to water; written in `where` only, NaN without signal.
    """
    even = bool(np.ptp(np.diff(times)) < 1e-9)
    in_parts(
        _fit, where.shape[0] * where.shape[1], echoes, mirrored, where, times, even, np.asarray(fat, np.complex128),
        np.array(size), hertz, weight, period, maps,
    )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def _fit(
    first: int, last: int, echoes: Any, mirrored: bool, where: Any, times: Any, even: bool, fat: Any, size: Any,
    hertz: Any, weight: Any, period: float, maps: Any,
) -> None:  # fmt: skip
    n, _, rows, columns = echoes.shape
    held, turn, work = np.ones(2 * n * _LANES), np.empty(2 * n * _LANES), np.zeros(_END + _LANES)
    f, r, f_new, r_new = np.zeros(_LANES), np.zeros(_LANES), np.zeros(_LANES), np.zeros(_LANES)
    change_f, change_r, share = np.zeros(_LANES), np.zeros(_LANES), np.zeros(_LANES)
    whole, best, steps, tries = (
        np.zeros(_LANES),
        np.zeros(_LANES),
        np.zeros(_LANES, np.int64),
        np.zeros(_LANES, np.int64),
    )
    place = np.full(_LANES, -1)  # -1 where a lane is free
    kept = np.zeros((_LANES, 8))  # water, fat, and how they change, at the best place so far
    at, part = np.empty((3, 2), np.int64), np.empty((3, 2))
    line, busy = first, 0
    x: Any = np.int64(0)  # for a plain 0, `_between` would be compiled once more
    while True:
        for lane in range(_LANES):
            while place[lane] < 0 and line < last:
                if x == columns:
                    line, x = line + 1, 0
                    continue
                z, y, here = line // rows, line % rows, x
                x += 1
                if not where[z, y, here]:
                    continue
                energy = 0.0
                for k in range(n):
                    value = echoes[k, z, y, here]
                    real, imaginary = np.float64(value.real), np.float64(value.imag)
                    energy += real * real + imaginary * imaginary
                    held[2 * k * _LANES + lane] = real
                    held[(2 * k + 1) * _LANES + lane] = -imaginary if mirrored else imaginary
                if energy == 0.0:
                    maps[:, z, y, here] = np.nan
                    continue
                place[lane], whole[lane], best[lane], steps[lane] = line * columns + here, energy, np.inf, 0
                f[lane], r[lane] = _between(hertz, weight, period, size, z, y, here, at, part), _FIRST_R2_STAR
                f_new[lane], r_new[lane], share[lane], tries[lane] = f[lane], r[lane], 0.0, 0
                kept[lane] = np.nan
                busy += 1
        if busy == 0:
            break
        _models(held, turn, times, even, fat, f_new, r_new, work)
        for lane in range(_LANES):
            if place[lane] < 0:
                continue
            done = False
            if work[_LEFT + lane] <= best[lane]:
                best[lane] = work[_LEFT + lane]
                f[lane], r[lane] = f_new[lane], r_new[lane]
                for j in range(8):
                    kept[lane, j] = work[_WATER + j * _LANES + lane]
                steep = work[_STEEP + lane]
                steps[lane] += 1
                if steps[lane] > _STEPS or not steep > 1e-24 * whole[lane]:
                    done = True
                else:
                    steep = 1.0 / steep
                    by_f = steep * work[_ALONG_I + lane] / (2.0 * np.pi)
                    change_f[lane] = min(max(by_f, -_LONGEST_HZ), _LONGEST_HZ)
                    change_r[lane] = -steep * work[_ALONG + lane]
                    share[lane], tries[lane] = 1.0, 0
            else:
                share[lane] *= _SHORTER
                tries[lane] += 1
                done = tries[lane] == _TRIES
            if not done:
                f_new[lane] = f[lane] + share[lane] * change_f[lane]
                r_new[lane] = min(max(r[lane] + share[lane] * change_r[lane], _R2_STAR[0]), _R2_STAR[1])
                by_i, by = 2.0 * np.pi * (f_new[lane] - f[lane]), r[lane] - r_new[lane]
                if tries[lane] > 0 or (by * by + by_i * by_i) * times[n - 1] ** 2 > _SETTLED**2:
                    continue
                # The last step is so short that water and fat follow it along a line.
                f[lane], r[lane] = f_new[lane], r_new[lane]
                for j in (0, 2):
                    dr, di = kept[lane, 4 + j], kept[lane, 5 + j]
                    kept[lane, j] -= dr * by - di * by_i
                    kept[lane, j + 1] -= dr * by_i + di * by
            z, y, here = place[lane] // columns // rows, place[lane] // columns % rows, place[lane] % columns
            place[lane] = -1
            busy -= 1
            a, b, c, d = kept[lane, 0], kept[lane, 1], kept[lane, 2], kept[lane, 3]
            water, lipid = np.sqrt(a * a + b * b), np.sqrt(c * c + d * d)
            both = (a + c) * (a + c) + (b + d) * (b + d)
            if both > 0.0:
                sum_ = np.sqrt(both)
                maps[0, z, y, here] = 100.0 * (lipid / sum_ if lipid > water else 1.0 - water / sum_)
                maps[6, z, y, here] = (a * d - b * c) / both
            else:
                maps[0, z, y, here], maps[6, z, y, here] = np.nan, np.nan
            maps[1, z, y, here], maps[2, z, y, here] = r[lane], f[lane]
            maps[3, z, y, here], maps[4, z, y, here] = water, lipid
            maps[5, z, y, here] = np.sqrt(best[lane] / whole[lane])


@njit(cache=True, error_model="numpy")
def _between(hertz: Any, weight: Any, period: float, size: Any, z: int, y: int, x: int, at: Any, part: Any) -> float:
    """The field at a voxel between the centres of blocks, those counting more that know it better.

    Fields a whole period apart are one field to evenly spaced echoes: all are taken near that of the voxel's own block.
    `at` and `part` are room to work in.
    """
    own = hertz[z // size[0], y // size[1], x // size[2]]
    total, sum_ = 0.0, 0.0
    for a in range(3):
        voxel = z if a == 0 else (y if a == 1 else x)
        place = (voxel + 0.5) / size[a] - 0.5
        low = int(np.floor(place))
        share = place - low
        last = hertz.shape[a] - 1
        at[a, 0], at[a, 1] = min(max(low, 0), last), min(max(low + 1, 0), last)
        part[a, 0], part[a, 1] = 1.0 - share, share
    for i in range(2):
        for j in range(2):
            for k in range(2):
                share = part[0, i] * part[1, j] * part[2, k] * weight[at[0, i], at[1, j], at[2, k]]
                total += share
                apart = hertz[at[0, i], at[1, j], at[2, k]] - own
                if period > 0.0:
                    apart -= period * np.round(apart / period)
                sum_ += share * apart
    found: float = own + sum_ / total if total > 0.0 else own
    return found


@njit(cache=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def _turns(f: Any, r: Any, t: float, turn: Any, at: int) -> None:
    """exp((i 2 pi f - r) t), to the last digit or two: the series of half the angle is one that compilers line up."""
    for j in range(_LANES):
        turn[at + j] = np.exp(-r[j] * t)
    for j in range(_LANES):
        turns = f[j] * t
        half = np.pi * (turns - np.floor(turns + 0.5))
        q = half * half
        sine = 1.0 - q / 342.0 * (1.0 - q / 420.0)
        sine = 1.0 - q / 156.0 * (1.0 - q / 210.0 * (1.0 - q / 272.0 * sine))
        sine = half * (
            1.0 - q / 6.0 * (1.0 - q / 20.0 * (1.0 - q / 42.0 * (1.0 - q / 72.0 * (1.0 - q / 110.0 * sine))))
        )
        cosine = 1.0 - q / 306.0 * (1.0 - q / 380.0 * (1.0 - q / 462.0))
        cosine = 1.0 - q / 132.0 * (1.0 - q / 182.0 * (1.0 - q / 240.0 * cosine))
        cosine = 1.0 - q / 2.0 * (1.0 - q / 12.0 * (1.0 - q / 30.0 * (1.0 - q / 56.0 * (1.0 - q / 90.0 * cosine))))
        size = turn[at + j]
        turn[at + j] = size * (1.0 - 2.0 * sine * sine)
        turn[at + _LANES + j] = size * (2.0 * sine * cosine)


@njit(cache=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def _models(echoes: Any, turn: Any, times: Any, even: bool, fat: Any, f: Any, r: Any, w: Any) -> None:
    """Best W and F at a field and a decay: the sum of squares that they leave, and the slope along p.

    The slope is orthogonal to fat and water: what they can mimic moves nothing. Given are its energy and its product
    with the rest. Both need only sums over echoes with their times, for the rest is orthogonal to fat and water too.
    """
    n = len(times)
    if even:
        _turns(f, r, times[1] - times[0], turn, 2 * _LANES)
        for j in range(_LANES):
            w[_BACK + j], w[_BACK_I + j] = turn[2 * _LANES + j], turn[3 * _LANES + j]
        _turns(f, r, times[0], turn, np.int64(0))
        for k in range(1, n):
            here, last = 2 * k * _LANES, 2 * (k - 1) * _LANES
            for j in range(_LANES):
                a, b = turn[last + j], turn[last + _LANES + j]
                turn[here + j] = a * w[_BACK + j] - b * w[_BACK_I + j]
                turn[here + _LANES + j] = a * w[_BACK_I + j] + b * w[_BACK + j]
    else:
        for k in range(n):
            _turns(f, r, times[k], turn, 2 * k * _LANES)
    for j in range(_LANES * 20):
        w[_AA + j] = 0.0
    for k in range(n):
        t, a, b, here = times[k], fat[k].real, fat[k].imag, 2 * k * _LANES
        energy = a * a + b * b
        for j in range(_LANES):
            x, y = turn[here + j], turn[here + _LANES + j]
            u, v = echoes[here + j], echoes[here + _LANES + j]
            w[_SIZE + j] = x * x + y * y
            w[_BACK + j] = x * u + y * v
            w[_BACK_I + j] = x * v - y * u
        for j in range(_LANES):
            size, back, back_i = w[_SIZE + j], w[_BACK + j], w[_BACK_I + j]
            fatty, fatty_i = a * back + b * back_i, a * back_i - b * back
            w[_AA + j] += size
            w[_BB + j] += size * energy
            w[_AB + j] += size * a
            w[_AB_I + j] += size * b
            size *= t
            w[_T_AA + j] += size
            w[_T_BB + j] += size * energy
            w[_T_AB + j] += size * a
            w[_T_AB_I + j] += size * b
            size *= t
            w[_TT_AA + j] += size
            w[_TT_BB + j] += size * energy
            w[_TT_AB + j] += size * a
            w[_TT_AB_I + j] += size * b
            w[_SA + j] += back
            w[_SA_I + j] += back_i
            w[_SB + j] += fatty
            w[_SB_I + j] += fatty_i
            w[_T_SA + j] += t * back
            w[_T_SA_I + j] += t * back_i
            w[_T_SB + j] += t * fatty
            w[_T_SB_I + j] += t * fatty_i
    for j in range(_LANES):
        aa, bb, ab, ab_i = w[_AA + j], w[_BB + j], w[_AB + j], w[_AB_I + j]
        share = 1.0 / (aa * bb - (ab * ab + ab_i * ab_i))
        sa, sa_i, sb, sb_i = w[_SA + j], w[_SA_I + j], w[_SB + j], w[_SB_I + j]
        water, water_i = share * (bb * sa - (ab * sb - ab_i * sb_i)), share * (bb * sa_i - (ab * sb_i + ab_i * sb))
        lipid, lipid_i = share * (aa * sb - (ab * sa + ab_i * sa_i)), share * (aa * sb_i - (ab * sa_i - ab_i * sa))
        w[_WATER + j], w[_WATER_I + j], w[_FAT + j], w[_FAT_I + j] = water, water_i, lipid, lipid_i
        mixed, mixed_i = w[_T_AB + j], w[_T_AB_I + j]
        da = w[_T_AA + j] * water + (mixed * lipid - mixed_i * lipid_i)
        da_i = w[_T_AA + j] * water_i + (mixed * lipid_i + mixed_i * lipid)
        db = w[_T_BB + j] * lipid + (mixed * water + mixed_i * water_i)
        db_i = w[_T_BB + j] * lipid_i + (mixed * water_i - mixed_i * water)
        u, u_i = share * (bb * da - (ab * db - ab_i * db_i)), share * (bb * da_i - (ab * db_i + ab_i * db))
        v, v_i = share * (aa * db - (ab * da + ab_i * da_i)), share * (aa * db_i - (ab * da_i - ab_i * da))
        w[_DW + j], w[_DW_I + j], w[_DF + j], w[_DF_I + j] = u, u_i, v, v_i
        mixed, mixed_i = w[_TT_AB + j], w[_TT_AB_I + j]
        mixed, mixed_i = mixed * lipid - mixed_i * lipid_i, mixed * lipid_i + mixed_i * lipid
        w[_STEEP + j] = (
            w[_TT_AA + j] * (water * water + water_i * water_i)
            + w[_TT_BB + j] * (lipid * lipid + lipid_i * lipid_i)
            + 2.0 * (water * mixed + water_i * mixed_i)
            - (u * da + u_i * da_i + v * db + v_i * db_i)
        )
        da, da_i, db, db_i = w[_T_SA + j] - da, w[_T_SA_I + j] - da_i, w[_T_SB + j] - db, w[_T_SB_I + j] - db_i
        w[_ALONG + j] = water * da + water_i * da_i + lipid * db + lipid_i * db_i
        w[_ALONG_I + j] = water * da_i - water_i * da + lipid * db_i - lipid_i * db
        w[_LEFT + j] = 0.0
    for k in range(n):
        a, b, here = fat[k].real, fat[k].imag, 2 * k * _LANES
        for j in range(_LANES):
            made = w[_WATER + j] + w[_FAT + j] * a - w[_FAT_I + j] * b
            made_i = w[_WATER_I + j] + w[_FAT + j] * b + w[_FAT_I + j] * a
            x, y = turn[here + j], turn[here + _LANES + j]
            off, off_i = echoes[here + j] - (x * made - y * made_i), echoes[here + _LANES + j] - (x * made_i + y * made)
            w[_LEFT + j] += off * off + off_i * off_i
