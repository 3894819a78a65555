"""Fat fraction where the phase of the images is lost: from magnitudes at several echoes, or from two echoes.

Without phase, a voxel of 30 % fat and one of 70 % beat alike but for fat's smaller peaks. Both answers are fitted, and
the one that leaves less is taken; where noise hides the difference the voxel is marked, and above 50 % nothing should
rest on it. Two echoes (Dixon) give a fraction of signal, uncorrected for decay, T1 and spectrum: a **fat fraction**,
never a proton density fat fraction.

Without phase a voxel may know its fraction to 10 or 30 points only (1.5 T, SNR 50), and the mean of such answers, which
cannot go below none, is wrong. There the mean square of a neighbourhood is fitted, without the square of noise.

Sources: Bray et al., Magn Reson Med 89 (2023) 384 (both answers looked for); Dixon, Radiology 153 (1984) 189.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy import ndimage

from isocenter.errors import Refused
from isocenter.methods.fat_spectrum import fat_signal, must_be_echo_times
from isocenter.methods.fatwater import foreground
from isocenter.methods.shares import in_parts

__all__ = ["Magnitudes", "fit_magnitudes", "two_point"]

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_KNOWN_POINTS, _LOOSE_POINTS = 1.5, 3.0  # standard error that a neighbourhood is asked for; that a voxel may have
_HALVES = np.array([2, 4, 7])  # of a neighbourhood within a slice, voxels
_APART = 16.0  # by how many noise variances the two answers of a neighbourhood must differ in what they leave
_FLOOR_KNOWN = 0.1  # part of it to which the square of noise is known
_STEPS = 40
_FASTEST = 3000.0
_CLEAR = 1.1  # the worse answer must leave this many times what the better one leaves, over the patch
_PATCH = 5
_IN_PHASE_TURNS = 0.2  # an echo may be this part of a turn off in or out of phase


@dataclass(frozen=True, eq=False)
class Magnitudes:
    """Maps from magnitude images, (slices, rows, columns) each; NaN where there is no signal.

    Args:
        pdff: percent.
        r2_star: 1/s.
        residual: what the model leaves of the signal, 0 to 1.
        signal: where there is signal enough to fit.
        unsure: where the answers below and above 50 % fit nearly alike.
        pooled: where the answer is that of a neighbourhood.
        unsound: where even that is not known to 3 points; NaN in fraction and decay.
        noise: variance of one part of the complex signal, by what the model leaves.
    """

    pdff: Array
    r2_star: Array
    residual: Array
    signal: Mask
    unsure: Mask
    pooled: Mask
    unsound: Mask
    noise: float


def fit_magnitudes(
    echoes: npt.NDArray[Any], times_s: npt.ArrayLike, field_t: float, *, signal: Mask | None = None
) -> Magnitudes:
    """Fat fraction and R2* from magnitude images.

    Args:
        echoes: (echoes, slices, rows, columns) magnitude.
        times_s: (echoes,) seconds; four or more.
        field_t: tesla.
        signal: where to fit; by default `foreground`.

    Raises:
        Refused: see `must_be_echo_times`; for fewer than four echoes, which do not tell fat from decay without phase;
            for negative or complex values.

    >>> t = np.array([1.2, 2.4, 3.6, 4.8, 6.0, 7.2]) / 1000
    >>> s = np.abs(80 + 20 * fat_signal(t, 1.5)) * np.exp(-45 * t)
    >>> found = fit_magnitudes(s[:, None, None, None], t, 1.5)
    >>> round(float(found.pdff[0, 0, 0]), 3), round(float(found.r2_star[0, 0, 0]), 2)
    (20.0, 45.0)
    """
    times = must_be_echo_times(times_s, field_t, least=4)
    if np.iscomplexobj(echoes) or echoes.ndim != 4 or len(echoes) != len(times):
        raise Refused(
            f"images of {echoes.shape} ({echoes.dtype})",
            f"{len(times)} magnitude images are needed",
            "give a magnitude image for each echo time",
        )
    if not np.isfinite(echoes).all() or echoes.min() < 0:
        raise Refused(
            "magnitudes below zero, or values that are no numbers",
            "they are no magnitudes",
            "choose the series of magnitudes",
        )
    where = foreground(echoes) if signal is None else signal
    if not where.any():
        raise Refused("images without signal", "there is neither fat nor water in them", "choose a series with signal")
    stored, fat = np.ascontiguousarray(echoes, np.float64), fat_signal(times, field_t)
    lines = where.shape[0] * where.shape[1]
    both = np.full((2, 4, *echoes.shape[1:]), np.nan, np.float32)
    in_parts(_fit, lines, stored, where, times, fat, _STEPS, _FASTEST, both)
    # A voxel's noise may prefer the wrong answer; its neighbourhood seldom does.
    left = np.where(where, np.nan_to_num(both[:, 2]), 0.0)
    around = np.stack([ndimage.uniform_filter(each, (1, _PATCH, _PATCH)) for each in left])
    fatty = around[1] < around[0]
    maps = np.where(fatty, both[1], both[0])
    with np.errstate(invalid="ignore", divide="ignore"):
        energy = (np.asarray(echoes, np.float64) ** 2).sum(axis=0)
        alike = around.max(axis=0) < _CLEAR * np.maximum(around.min(axis=0), 1e-8 * energy)
        residual = np.sqrt(maps[2] / energy).astype(np.float32)
    unsure = where & alike & (np.abs(both[0, 0] - both[1, 0]) > 5.0)
    # Three of the squares that noise leaves are fitted away; the median of a chi-square is a little below its mean.
    free = len(times) - 3
    left_over = np.fmin(both[0, 2], both[1, 2])[where]
    noise = float(np.nanmedian(left_over)) / (free * (1.0 - 2.0 / (9.0 * free)) ** 3)
    none = np.zeros(where.shape, bool)
    noisy = noise > 1e-12 * float(np.median(energy[where]))
    pooled = where & ~(np.sqrt(noise) * maps[3] <= _LOOSE_POINTS) if noisy else none
    unsound = none
    if pooled.any():
        together = np.full((5, *echoes.shape[1:]), np.nan, np.float32)
        in_parts(
            _fit_around,
            lines,
            stored,
            pooled,
            noise,
            times,
            fat,
            _HALVES,
            _KNOWN_POINTS,
            _APART,
            _STEPS,
            _FASTEST,
            together,
        )
        maps[:2, pooled] = together[:2, pooled]
        residual[pooled] = together[2, pooled]
        unsure = np.where(pooled, together[4] < _APART, unsure)
        unsound = pooled & ~(together[3] <= _LOOSE_POINTS)
        maps[:2, unsound] = np.nan
    return Magnitudes(maps[0], maps[1], residual, where, unsure, pooled, unsound, noise)


@njit(cache=True, nogil=True, error_model="numpy")
def _fit(
    first: int, last: int, echoes: Any, where: Any, times: Any, fat: Any, most: int, fastest: float, both: Any
) -> None:
    """Both answers of each voxel: started from little fat, and from much."""
    n, _, rows, columns = echoes.shape
    s, m, slope, p = np.empty(n), np.empty(n), np.empty((3, n)), np.empty(3)
    for line in range(first, last):
        z, y = line // rows, line % rows
        for x in range(columns):
            if not where[z, y, x]:
                continue
            high = 0.0
            for k in range(n):
                s[k] = echoes[k, z, y, x]
                high = max(high, s[k])
            for start in range(2):
                p[0] = high * (0.9 if start == 0 else 0.15)
                p[1] = high * (0.1 if start == 0 else 0.85)
                p[2] = 40.0
                left = _levenberg(s, times, fat, p, most, fastest, m, slope)
                if p[0] + p[1] > 0.0:
                    both[start, 0, z, y, x] = 100.0 * p[1] / (p[0] + p[1])
                both[start, 1, z, y, x] = p[2]
                both[start, 2, z, y, x] = left
                both[start, 3, z, y, x] = _error(times, fat, p, s, 1.0, np.int64(0), 0.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _fit_around(
    first: int, last: int, echoes: Any, where: Any, noise: float, times: Any, fat: Any, halves: Any, known: float,
    apart: float, most: int, fastest: float, out: Any,
) -> None:  # fmt: skip
    """Fraction, decay, what is left, error, and by how many noise variances the other answer leaves more."""
    n, _, rows, columns = echoes.shape
    s, m, slope, p = np.empty(n), np.empty(n), np.empty((3, n)), np.empty(3)
    for line in range(first, last):
        z, y = line // rows, line % rows
        for x in range(columns):
            if not where[z, y, x]:
                continue
            for h in range(len(halves)):
                half, count = halves[h], 0
                s[:] = 0.0
                for j in range(max(y - half, 0), min(y + half + 1, rows)):
                    for i in range(max(x - half, 0), min(x + half + 1, columns)):
                        if where[z, j, i]:
                            count += 1
                            for k in range(n):
                                s[k] += echoes[k, z, j, i] ** 2
                high, whole = 0.0, 0.0
                for k in range(n):
                    whole += s[k] / count
                    s[k] = np.sqrt(max(s[k] / count - 2.0 * noise, 0.0))
                    high = max(high, s[k])
                best, other = np.inf, np.inf
                for start in range(2):
                    p[0] = high * (0.9 if start == 0 else 0.15)
                    p[1] = high * (0.1 if start == 0 else 0.85)
                    p[2] = 40.0
                    left = _levenberg(s, times, fat, p, most, fastest, m, slope)
                    if left < best:
                        # One answer from both starts is no second one.
                        if abs(out[0, z, y, x] - 100.0 * p[1] / (p[0] + p[1])) > 5.0 or start == 0:
                            other = best
                        best = left
                        out[0, z, y, x] = 100.0 * p[1] / (p[0] + p[1])
                        out[1, z, y, x] = p[2]
                        out[2, z, y, x] = np.sqrt(left / whole)
                        out[3, z, y, x] = _error(times, fat, p, s, noise, count, left)
                    elif abs(out[0, z, y, x] - 100.0 * p[1] / (p[0] + p[1])) > 5.0:
                        other = left
                # What the model leaves beyond noise counts as noise.
                out[4, z, y, x] = (other - best) / max(noise / count, best / (n - 3))
                if out[3, z, y, x] <= known and out[4, z, y, x] > apart:
                    break


@njit(cache=True, error_model="numpy")
def _error(times: Any, fat: Any, p: Any, s: Any, noise: float, count: int, left: float) -> float:
    """Standard error of the fraction, points: the bound of Cramer and Rao, and what a tenth of noise too much makes.

    For a count of 0 that of one voxel, by its noise alone.
    """
    normal, gradient, step, lifted = np.zeros((3, 3)), np.zeros(3), np.empty(3), np.zeros(3)
    slope = np.empty(3)
    whole = p[0] + p[1]
    if not whole > 0.0:
        return np.inf
    for k in range(len(times)):
        fade = np.exp(-p[2] * times[k])
        real, imag = p[0] + p[1] * fat[k].real, p[1] * fat[k].imag
        size = max(np.sqrt(real * real + imag * imag), 1e-30)
        slope[0] = fade * real / size
        slope[1] = fade * (real * fat[k].real + imag * fat[k].imag) / size
        slope[2] = -times[k] * fade * size
        for a in range(3):
            lifted[a] += slope[a] * _FLOOR_KNOWN * noise / max(s[k], np.sqrt(noise))
            for b in range(3):
                normal[a, b] += slope[a] * slope[b]
    gradient[0], gradient[1] = -100.0 * p[1] / whole**2, 100.0 * p[0] / whole**2
    _damped_step(normal, gradient, 0.0, step)
    found = gradient[0] * step[0] + gradient[1] * step[1]
    if not found >= 0.0:
        return np.inf
    if count:
        bias = step[0] * lifted[0] + step[1] * lifted[1] + step[2] * lifted[2]
        found = found * max(noise / count, left / (len(times) - 3)) + bias * bias
    else:
        found *= noise
    error: float = np.sqrt(found)
    return error


@njit(cache=True, error_model="numpy")
def _made(times: Any, fat: Any, s: Any, p: Any, m: Any) -> float:
    left = 0.0
    for k in range(len(times)):
        m[k] = np.exp(-p[2] * times[k]) * abs(p[0] + p[1] * fat[k])
        left += (s[k] - m[k]) ** 2
    return left


@njit(cache=True, error_model="numpy")
def _damped_step(normal: Any, gradient: Any, damping: float, step: Any) -> None:
    """(normal + damping diag(normal)) step = gradient for three unknowns, by Cramer's rule: normal is symmetric."""
    a, d, f = (normal[0, 0], normal[1, 1], normal[2, 2])
    a, d, f = a * (1.0 + damping) + 1e-30, d * (1.0 + damping) + 1e-30, f * (1.0 + damping) + 1e-30
    b, c, e = normal[0, 1], normal[0, 2], normal[1, 2]
    u, v, w = gradient[0], gradient[1], gradient[2]
    one, two, three = d * f - e * e, c * e - b * f, b * e - c * d
    whole = a * one + b * two + c * three
    step[0] = (u * one + v * two + w * three) / whole
    step[1] = (u * two + v * (a * f - c * c) + w * (b * c - a * e)) / whole
    step[2] = (u * three + v * (b * c - a * e) + w * (a * d - b * b)) / whole


@njit(cache=True, error_model="numpy")
def _levenberg(s: Any, times: Any, fat: Any, p: Any, most: int, fastest: float, m: Any, slope: Any) -> float:
    """Refine (water, fat, R2*) in place; what they leave."""
    normal, gradient, trial, step = np.empty((3, 3)), np.empty(3), np.empty(3), np.empty(3)
    damping = 1e-3
    now: float = _made(times, fat, s, p, m)
    for _ in range(most):
        for k in range(len(times)):
            fade = np.exp(-p[2] * times[k])
            real, imag = p[0] + p[1] * fat[k].real, p[1] * fat[k].imag
            size = max(np.sqrt(real * real + imag * imag), 1e-30)
            slope[0, k] = fade * real / size
            slope[1, k] = fade * (real * fat[k].real + imag * fat[k].imag) / size
            slope[2, k] = -times[k] * m[k]
        for a in range(3):
            gradient[a] = 0.0
            for k in range(len(times)):
                gradient[a] += slope[a, k] * (s[k] - m[k])
            for b in range(3):
                normal[a, b] = 0.0
                for k in range(len(times)):
                    normal[a, b] += slope[a, k] * slope[b, k]
        better, change = False, 0.0
        for _try in range(8):
            _damped_step(normal, gradient, damping, step)
            trial[0], trial[1] = max(p[0] + step[0], 0.0), max(p[1] + step[1], 0.0)
            trial[2] = min(max(p[2] + step[2], 0.0), fastest)
            then = _made(times, fat, s, trial, m)
            if then < now:
                better, change = True, now - then
                for a in range(3):
                    p[a] = trial[a]
                now = then
                damping = max(damping * 0.1, 1e-12)
                break
            damping *= 10.0
        if not better or change <= 1e-14 * now:
            break
        _made(times, fat, s, p, m)
    return now


def two_point(echoes: npt.NDArray[Any], times_s: npt.ArrayLike, field_t: float) -> tuple[Array, Mask]:
    """Signal fat fraction (percent) from an echo in phase and one out of phase, and where there is signal.

    From magnitudes it folds at 50 %: a voxel of more fat than water reads as if the two were exchanged.

    Args:
        echoes: (2, slices, rows, columns).
        times_s: (2,) seconds, in either order of phase.
        field_t: tesla.

    Raises:
        Refused: when the two are not one in and one out of phase.
    """
    times = must_be_echo_times(times_s, field_t, least=2)
    if len(times) != 2 or len(echoes) != 2:
        raise Refused(f"{len(times)} echoes", "a two-point Dixon has two", "use every echo with a fit")
    turns = np.abs(np.angle(fat_signal(times, field_t))) / (2 * np.pi)  # 0 in phase, 0.5 out of phase
    inside, outside = int(turns.argmin()), int(turns.argmax())
    if turns[inside] > _IN_PHASE_TURNS or turns[outside] < 0.5 - _IN_PHASE_TURNS:
        raise Refused(
            f"echoes at {1000 * times[0]:.2f} and {1000 * times[1]:.2f} ms at {field_t:g} T",
            "not one in phase and one out of phase: the sum and difference are not water and fat",
            "acquire in and out of phase, or three echoes or more",
        )
    size = np.abs(echoes).astype(np.float32)
    where = foreground(size)
    with np.errstate(divide="ignore", invalid="ignore"):
        fraction = 50.0 * (size[inside] - size[outside]) / size[inside]
    return np.where(where, fraction, np.nan).astype(np.float32), where
