"""Fat and decay of voxels that iron has left hardly an echo, from their neighbourhood together.

Where R2* is so fast that noise drowns the third echo, one voxel does not tell fat from decay: its answer is wild, and
the mean of such answers wrong. A neighbourhood shares decay and field (the slow part of which is taken away first),
while water and fat stay each voxel's own. Summed over it, the products of echoes hold all that least squares needs, and
the noise in them is known and taken away, so that it does not lift fat. The neighbourhood grows until the fraction is
known to a point. One that the model explains no better than noise has no answer.

Source: the elimination of linear unknowns follows Golub and Pereyra, SIAM J Numer Anal 10 (1973) 413; the error is the
bound of Cramer and Rao.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from isocenter.methods.shares import in_parts

__all__ = ["faint", "pool", "sound"]

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_UNSOUND_POINTS = 3.0  # of standard error, with all that the neighbourhood tells
_GONE = 2.6  # decays by the second echo, of which a fourteenth is left: only the first echo says anything
_DEPHASED = 0.7  # of the second echo that the usual fat leaves
_KNOWN_POINTS = 1.0
_FAINT = 6.0  # standard deviations of one channel that one of the later echoes must reach on the mean of 3 x 3 voxels
_DROWNED = 4.0  # the same of the voxel alone: beside bright tissue the mean says nothing
_HALVES = np.array([3, 5, 8])  # of the neighbourhood within a slice, voxels
_RATES = np.geomspace(20.0, 2000.0, 24)
_HERTZ = np.arange(-60.0, 61.0, 15.0)
_CHANCE = 2.0  # of the noise, energies
_NOISE = 0.5  # of what noise alone leaves, energies: tissue full of iron (first echo at 9 deviations) leaves a third
_OTHER = 0.75  # of the difference between middle and neighbourhood that is no error: the middle is another tissue
_FEW = 2.0  # decays by the second echo, of which a few voxels alone still tell
_LEAST = 12  # voxels of a neighbourhood
_PARABOLAS = 8
_ASTRAY_HZ = 120.0  # from the field round about, and
_TOO_FAST = 2.0 * _GONE  # decays by the second echo: a search that is led so far follows noise


def faint(echoes: npt.NDArray[Any], where: Mask, residual: Array) -> Mask:
    """Voxels whose echoes from the third on are all lost in noise, on the mean of 3 x 3 voxels.

    Args:
        echoes: (echoes, slices, rows, columns), complex; four or more echoes, or none is found.
        where: that were fitted.
        residual: what the fit left, 0 to 1 (root of the ratio of energies): it tells the noise.
    """
    n = len(echoes)
    out = np.zeros(where.shape, bool)
    if n < 4:
        return out
    lines = where.shape[0] * where.shape[1]
    left = np.full(where.shape, np.nan)
    in_parts(_energy_left, lines, echoes, where, residual, left)
    left = left[np.isfinite(left)]
    # Six real unknowns of 2 n numbers; the median of a chi-square is a little below its mean.
    noise = float(np.sqrt(np.median(left) / (2 * n - 6) * (1.0 + 2.0 / (9.0 * (2 * n - 6))) ** 3)) if left.size else 0.0
    if noise > 0.0:
        in_parts(_faint, lines, echoes, where, _FAINT * noise, _DROWNED * noise, out)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _energy_left(first: int, last: int, echoes: Any, where: Any, residual: Any, left: Any) -> None:
    rows = where.shape[1]
    for line in range(first, last):
        z, y = line // rows, line % rows
        for x in range(where.shape[2]):
            if where[z, y, x]:
                energy = 0.0
                for k in range(len(echoes)):
                    energy += echoes[k, z, y, x].real ** 2 + echoes[k, z, y, x].imag ** 2
                left[z, y, x] = np.float64(residual[z, y, x]) ** 2 * energy


@njit(cache=True, nogil=True, error_model="numpy")
def _faint(first: int, last: int, echoes: Any, where: Any, mean: float, own: float, out: Any) -> None:
    """Voxels whose later echoes all stay below `mean` on the mean of 3 x 3, or below `own` in the voxel itself."""
    n, _, rows, columns = echoes.shape
    for line in range(first, last):
        z, y = line // rows, line % rows
        for x in range(columns):
            if not where[z, y, x]:
                continue
            seen, bright = False, False
            for k in range(2, n):
                if not bright:
                    bright = abs(echoes[k, z, y, x]) >= own
                if not seen:
                    whole = 0.0
                    for j in range(y - 1, y + 2):
                        for i in range(x - 1, x + 2):  # the border counts twice beyond itself
                            whole += abs(echoes[k, z, min(max(j, 0), rows - 1), min(max(i, 0), columns - 1)])
                    seen = whole >= 9.0 * mean
                if seen and bright:
                    break
            out[z, y, x] = not (seen and bright)


def sound(together: npt.NDArray[np.float32], times: npt.NDArray[np.float64]) -> Mask:
    """Where an answer of `pool` is one: the fraction known to 3 points, and more left at the second echo than 7 %.

    With nothing but noise at the second echo every decay fits alike, and the one that fits best may look slow and well
    known: so what is left of the echo itself is asked, too.
    """
    least = _DEPHASED * np.exp(-_GONE * (times[1] - times[0]) / times[1])
    with np.errstate(invalid="ignore"):
        return np.asarray((together[3] <= _UNSOUND_POINTS) & (together[1] * times[1] <= _GONE) & (together[4] >= least))


def pool(
    echoes: npt.NDArray[np.complexfloating], mirrored: bool, times: npt.NDArray[np.float64],
    fat: npt.NDArray[np.complexfloating], where: Mask, field_hz: Array,
) -> npt.NDArray[np.float32]:  # fmt: skip
    """Fat fraction (%), R2* (1/s), field (Hz), the fraction's standard error (points) and second echo over first.

    Args:
        echoes: (echoes, slices, rows, columns).
        mirrored: whether phase turns the other way.
        times, fat: seconds, and fat's signal at them.
        where: voxels to do, which are one another's neighbours.
        field_hz: the field of each voxel as it was fitted alone.

    Returns:
        (5, slices, rows, columns), from neighbourhoods; NaN outside, and where too few neighbours tell nothing.
    """
    out = np.full((5, *where.shape), np.nan, np.float32)
    if not where.any():
        return out
    even = bool(np.ptp(np.diff(times)) < 1e-9)
    explained = _explained(np.asarray(times, np.float64), np.asarray(fat, np.complex128))
    held = np.ascontiguousarray(echoes[:, where].T, np.complex128)
    held = held.conj() if mirrored else held
    rank = np.full(where.shape, -1, np.int64)
    rank[where] = np.arange(len(held))
    # Voxels whose slow field is wrong add up out of phase: that of neighbourhoods is calmer, so it is done twice.
    for halves, known_hz, judged in ((_HALVES[:1], field_hz, False), (_HALVES, out[2], True)):
        slow = _calm(known_hz, where)
        still = held * np.exp(-2j * np.pi * slow[where].astype(np.float64)[:, None] * np.asarray(times))
        in_parts(
            _pool, where.shape[0] * where.shape[1], still, times, even, np.asarray(fat, np.complex128), rank, slow,
            halves, _RATES, _HERTZ, explained, _KNOWN_POINTS, _LEAST, judged, out,
        )  # fmt: skip
    return out


def _explained(times: npt.NDArray[np.float64], fat: npt.NDArray[np.complex128]) -> npt.NDArray[np.float64]:
    """For each rate and field that is tried, what turns products of echoes into the energy that water and fat explain.

    (n * n, rates * fields): real and imaginary parts of the projection onto both, in the order of `_pool`.
    """
    rates, hertz = _RATES[:, None, None], _HERTZ[:, None]
    turned = np.exp((2j * np.pi * hertz - rates) * times)
    made = np.stack(np.broadcast_arrays(turned, turned * fat), axis=-1)
    basis, _ = np.linalg.qr(made)
    onto = np.einsum("rfka,rfja->rfkj", basis, basis.conj())
    n = len(times)
    parts = [onto[..., a, a].real for a in range(n)]
    for a in range(n):
        for b in range(a):
            parts += [2.0 * onto[..., a, b].real, 2.0 * onto[..., a, b].imag]
    return np.stack([part.ravel() for part in parts])


def _calm(field_hz: Array, where: Mask) -> Array:
    """The field in `where` by the median of what is known there within 5 x 5 voxels, or farther off in that slice."""
    known = where & np.isfinite(field_hz)
    if not known.any():
        return np.zeros(where.shape, np.float32)
    out = np.full(where.shape, np.median(field_hz[known]), np.float32)
    in_parts(_medians, where.shape[0] * where.shape[1], field_hz, where, known, known.any(axis=(1, 2)), out)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _medians(first: int, last: int, field: Any, where: Any, known: Any, told: Any, out: Any) -> None:
    _, rows, columns = where.shape
    near = np.empty(rows * columns, np.float32)
    for line in range(first, last):
        z, y = line // rows, line % rows
        for x in range(columns):
            if not (where[z, y, x] and told[z]):
                continue
            half, count = 2, np.int64(0)  # for a plain 0, `_median` would be compiled once more
            while count == 0:
                for j in range(max(y - half, 0), min(y + half + 1, rows)):
                    for i in range(max(x - half, 0), min(x + half + 1, columns)):
                        if known[z, j, i]:
                            near[count] = field[z, j, i]
                            count += 1
                half *= 2
            out[z, y, x] = _median(near, count)


@njit(cache=True, nogil=True, error_model="numpy")
def _median(values: Any, count: int) -> float:
    """Of the first `count`, which are sorted by Shell's steps: NumPy's would take seconds more to compile."""
    gap = count // 2
    while gap > 0:
        for i in range(gap, count):
            value, j = values[i], i
            while j >= gap and values[j - gap] > value:
                values[j] = values[j - gap]
                j -= gap
            values[j] = value
        gap //= 2
    middle: float = (values[(count - 1) // 2] + values[count // 2]) / 2
    return middle


@njit(cache=True, nogil=True, error_model="numpy")
def _pool(
    first: int, last: int, echoes: Any, times: Any, even: bool, fat: Any, rank: Any, slow: Any, halves: Any, rates: Any,
    hertz: Any, explained: Any, known: float, least: int, judged: bool, out: Any,
) -> None:  # fmt: skip
    """Of echoes without their slow field, (voxels, echoes); `rank` says which is where, -1 for none.

    Neighbourhoods of one line overlap: products are summed down each column once, and columns then for each voxel.
    """
    n, (slices, rows, columns) = echoes.shape[1], rank.shape
    products, both = np.empty((n, n), np.complex128), np.empty((2, 2), np.complex128)
    packed, down, counts = np.empty(n * n), np.empty((columns, n * n)), np.empty(columns, np.int64)
    wanted, at = np.empty(columns, np.bool_), np.empty(6)
    energies, turned = np.empty(rates.size * hertz.size), np.empty(n, np.complex128)
    for line in range(first, last):
        z, y = line // rows, line % rows
        for x in range(columns):  # to a slice, the words of an error would be compiled too, for seconds
            wanted[x] = rank[z, y, x] >= 0
        for h in range(len(halves)):
            half, deep, ready = halves[h], 0 if h == 0 else 1, 0  # columns before `ready` are summed, as far as wanted
            for x in range(columns):
                if not wanted[x]:
                    continue
                left, right = max(x - half, 0), min(x + half + 1, columns)
                for i in range(max(left, ready), right):
                    down[i] = 0.0
                    counts[i] = 0
                    for k in range(max(z - deep, 0), min(z + deep + 1, slices)):
                        for j in range(max(y - half, 0), min(y + half + 1, rows)):
                            if rank[k, j, i] < 0:
                                continue
                            counts[i] += 1
                            _add(echoes[rank[k, j, i]], down[i])
                ready = right
                count = np.int64(0)  # for a plain 0, `_settle` would be compiled once more
                packed[:] = 0.0
                for i in range(left, right):
                    if counts[i]:
                        count += counts[i]
                        for p in range(n * n):
                            packed[p] += down[i, p]
                if count < least:
                    continue
                _unpack(packed, products)
                told = _settle(
                    products, packed, count, times, even, fat, rates, hertz, explained, energies, both, at, judged
                )
                if np.isfinite(at[0]) and at[3] < np.inf:
                    packed[:], near = 0.0, np.int64(0)
                    for j in range(max(y - 1, 0), min(y + 2, rows)):
                        for i in range(max(x - 1, 0), min(x + 2, columns)):
                            if rank[z, j, i] >= 0:
                                near += 1
                                _add(echoes[rank[z, j, i]], packed)
                    _unpack(packed, products)
                    _as_the_middle(
                        products, packed, near, times, even, fat, rates, hertz, explained, energies, both, at, turned
                    )
                out[0, z, y, x], out[1, z, y, x] = at[0], at[1]
                out[2, z, y, x], out[3, z, y, x], out[4, z, y, x] = slow[z, y, x] + at[2], at[3], at[4]
                wanted[x] = told and at[3] > known


@njit(cache=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def _turn(times: Any, even: bool, f: float, r: float, turned: Any) -> None:
    """How field and decay turn and shrink the signal at each echo; of evenly spaced ones each from the one before."""
    turned[0] = np.exp(complex(-r, 2.0 * np.pi * f) * times[0])
    step = np.exp(complex(-r, 2.0 * np.pi * f) * (times[1] - times[0])) if even else 0j
    for k in range(1, len(times)):
        turned[k] = turned[k - 1] * step if even else np.exp(complex(-r, 2.0 * np.pi * f) * times[k])


@njit(cache=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def _moments(
    products: Any, times: Any, even: bool, fat: Any, f: float, r: float, turned: Any
) -> tuple[float, float, float, complex, float, complex, float]:
    """Of echoes at a field and a decay: their energy; the inner products of the two model signals, water's, fat's, and
    the mixed one; and the products of the echoes with the model, in the same order.
    """
    n = len(times)
    whole, aa, bb, pp, qq = 0.0, 0.0, 0.0, 0.0, 0.0
    ab, pq = 0j, 0j
    _turn(times, even, f, r, turned)
    for k in range(n):
        size = turned[k].real ** 2 + turned[k].imag ** 2
        own = size * products[k, k].real
        whole += products[k, k].real
        aa += size
        bb += size * (fat[k].real ** 2 + fat[k].imag ** 2)
        ab += size * fat[k]
        pp += own
        pq += own * fat[k]
        qq += own * (fat[k].real ** 2 + fat[k].imag ** 2)
        for j in range(k):
            part = np.conj(turned[k]) * products[k, j] * turned[j]
            pp += 2.0 * part.real
            pq += part * fat[j] + np.conj(part) * fat[k]
            qq += 2.0 * (np.conj(fat[k]) * part * fat[j]).real
    return whole, aa, bb, ab, pp, pq, qq


@njit(cache=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def _rest(products: Any, times: Any, even: bool, fat: Any, f: float, r: float, turned: Any) -> float:
    """What water and fat of each voxel leave at a field and a decay, and no more than that: it is asked often."""
    whole, aa, bb, ab, pp, pq, qq = _moments(products, times, even, fat, f, r, turned)
    below = aa * bb - (ab.real**2 + ab.imag**2)
    left: float = whole - (bb * pp - 2.0 * (np.conj(ab) * pq).real + aa * qq) / below
    return left


@njit(cache=True, error_model="numpy")
def _left(
    products: Any, times: Any, even: bool, fat: Any, f: float, r: float, turned: Any, both: Any
) -> tuple[float, float, float, complex]:
    """What water and fat of each voxel leave at a field and a decay; the moments of water and fat stand in `both`.

    With it the inner products of the two model signals: water's, fat's, and the mixed one.
    """
    whole, aa, bb, ab, pp, pq, qq = _moments(products, times, even, fat, f, r, turned)
    below = aa * bb - (ab.real**2 + ab.imag**2)
    # The inverse of the model's own products, on both sides of those of the echoes with the model.
    ia, ib, ic = bb / below, -ab / below, aa / below
    one_p, one_q = ia * pp + ib * np.conj(pq), ia * pq + ib * qq
    two_p, two_q = np.conj(ib) * pp + ic * np.conj(pq), np.conj(ib) * pq + ic * qq
    both[0, 0], both[0, 1] = one_p * ia + one_q * np.conj(ib), one_p * ib + one_q * ic
    both[1, 0], both[1, 1] = two_p * ia + two_q * np.conj(ib), two_p * ib + two_q * ic
    return whole - (one_p + two_q).real, aa, bb, ab


@njit(cache=True, error_model="numpy")
def _fraction(both: Any, aa: float, bb: float, ab: complex, noise: float) -> float:
    """Fat's share of the signal in phase with the whole, percent, without the moments of noise."""
    below = aa * bb - (ab.real**2 + ab.imag**2)
    ww, ff, fw = both[0, 0].real, both[1, 1].real, both[1, 0].real
    ww, ff, fw = ww - noise * bb / below, ff - noise * aa / below, fw + noise * ab.real / below
    whole = ww + ff + 2.0 * fw
    share: float = 100.0 * (ff + fw) / whole if whole > 0.0 else np.nan
    return share


@njit(cache=True, error_model="numpy")
def _as_the_middle(
    products: Any, packed: Any, count: int, times: Any, even: bool, fat: Any, rates: Any, hertz: Any, explained: Any,
    energies: Any, both: Any, at: Any, turned: Any,
) -> None:  # fmt: skip
    """The answer of a neighbourhood, in `at`, as far as the few voxels in its middle agree with it; else theirs.

    A neighbourhood may reach beyond the border of a tissue. The middle has a fraction at that field and decay, and an
    error of it: of the difference as much counts as error is not likely to make (the estimator of James and Stein).
    Where that is most of it, the middle looks for a field and a decay of its own, if so few voxels can tell them.
    """
    share, r, f, error, second, noise = at[0], at[1], at[2], at[3], at[4], at[5]
    _, aa, bb, ab = _left(products, times, even, fat, f, r, turned, both)
    own = _fraction(both, aa, bb, ab, noise * count)
    below = aa * bb - (ab.real**2 + ab.imag**2)
    whole = (both[0, 0] + both[1, 1] + 2.0 * both[1, 0].real).real - noise * count * (aa + bb + 2.0 * ab.real) / below
    if not (whole > 0.0 and np.isfinite(own)) or own == share:
        return
    p = 0.01 * share
    spread = 0.5 * noise * ((1 - p) ** 2 * aa + p * p * bb + 2 * p * (1 - p) * ab.real) / below / whole
    kept = max(1.0 - 1e4 * spread / (own - share) ** 2, 0.0)
    if kept > _OTHER and r * times[1] < _FEW:
        judged = np.bool_(False)  # for a plain False, `_settle` would be compiled once more, for seconds
        told = _settle(products, packed, count, times, even, fat, rates, hertz, explained, energies, both, at, judged)
        if told and np.isfinite(at[2]):
            _, aa, bb, ab = _left(products, times, even, fat, at[2], at[1], turned, both)
            freely = _fraction(both, aa, bb, ab, noise * count)
            if np.isfinite(freely):
                own, r, f = freely, r + kept * (at[1] - r), f + kept * (at[2] - f)
    at[0], at[1], at[2], at[3], at[4], at[5] = share + kept * (own - share), r, f, error, second, noise


@njit(cache=True, error_model="numpy")
def _add(s: Any, packed: Any) -> None:
    """Add the products of a voxel's echoes: squares, then real and imaginary parts of those of two echoes."""
    pair = len(s)
    for a in range(len(s)):
        packed[a] += s[a].real ** 2 + s[a].imag ** 2
        for b in range(a):
            product = s[a] * np.conj(s[b])
            packed[pair] += product.real
            packed[pair + 1] += product.imag
            pair += 2


@njit(cache=True, error_model="numpy")
def _unpack(packed: Any, products: Any) -> None:
    pair = len(products)
    for a in range(len(products)):
        products[a, a] = packed[a]
        for b in range(a):
            products[a, b] = complex(packed[pair], packed[pair + 1])
            products[b, a] = np.conj(products[a, b])
            pair += 2


@njit(cache=True, error_model="numpy")
def _settle(
    products: Any, packed: Any, count: int, times: Any, even: bool, fat: Any, rates: Any, hertz: Any, explained: Any,
    energies: Any, both: Any, at: Any, judged: bool,
) -> bool:  # fmt: skip
    """Field and decay that leave least, by a search that halves its step; and where it is `judged`, what they tell.

    Fraction, decay, field, error and what the second echo has of the first, without noise, stand in `at`. Given is
    whether there is more than noise, of which a wider neighbourhood would tell more.
    """
    n = len(times)
    turned = np.empty(n, np.complex128)
    energies[:] = 0.0
    for k in range(len(packed)):
        for i in range(len(energies)):
            energies[i] += explained[k, i] * packed[k]
    most = np.argmax(energies)
    whole = 0.0
    for k in range(n):
        whole += packed[k]
    if whole - energies[most] > _NOISE * whole * (n - 2) / n:
        at[0], at[1], at[2], at[3], at[4] = np.nan, np.nan, np.nan, np.inf, 0.0
        return False
    r, f = rates[most // len(hertz)], hertz[most % len(hertz)]
    now = _rest(products, times, even, fat, f, r, turned)
    by_f, by_r = 0.5 * (hertz[1] - hertz[0]), 0.1 * r
    # Parabolas through the places around lead to the bottom of a round valley; in others the search halves its steps.
    for _ in range(_PARABOLAS):
        df, dr = 0.05 * by_f, 0.05 * by_r
        up, down = (
            _rest(products, times, even, fat, f + df, r, turned),
            _rest(products, times, even, fat, f - df, r, turned),
        )
        slope_f, bent_f = 0.5 * (up - down) / df, (up + down - 2.0 * now) / df**2
        up, down = (
            _rest(products, times, even, fat, f, r + dr, turned),
            _rest(products, times, even, fat, f, r - dr, turned),
        )
        slope_r, bent_r = 0.5 * (up - down) / dr, (up + down - 2.0 * now) / dr**2
        if not (bent_f > 0.0 and bent_r > 0.0):
            break
        f_new = f + min(max(-slope_f / bent_f, -4.0 * by_f), 4.0 * by_f)
        r_new = max(r + min(max(-slope_r / bent_r, -4.0 * by_r), 4.0 * by_r), 0.0)
        moved_f, moved_r = abs(f_new - f), abs(r_new - r)
        then = _rest(products, times, even, fat, f_new, r_new, turned)
        settled, better = moved_f < 0.02 and moved_r < 0.05, then < now
        if better:
            now, f, r = then, f_new, r_new
        if settled:
            by_f, by_r = 0.0, 0.0
        if settled or not better or abs(f) > _ASTRAY_HZ or r * times[1] > _TOO_FAST:
            break
    while by_f > 0.05 or by_r > 0.1:
        if abs(f) > _ASTRAY_HZ or r * times[1] > _TOO_FAST:
            break
        better = False
        for k in range(4):
            f_new = f + (by_f if k == 0 else (-by_f if k == 1 else 0.0))
            r_new = max(r + (by_r if k == 2 else (-by_r if k == 3 else 0.0)), 0.0)
            then = _rest(products, times, even, fat, f_new, r_new, turned)
            if then < now:
                now, f, r, better = then, f_new, r_new, True
        if not better:
            by_f, by_r = 0.5 * by_f, 0.5 * by_r
    if abs(f) > _ASTRAY_HZ or r * times[1] > _TOO_FAST:
        at[0], at[1], at[2], at[3], at[4] = np.nan, r, np.nan, np.inf, 0.0
        return True
    if not judged:
        at[0], at[1], at[2], at[3], at[4] = np.nan, r, f, np.inf, 0.0
        return True
    now, aa, bb, ab = _left(products, times, even, fat, f, r, turned, both)
    noise = now / max(count * (n - 2) - 1, 1)  # of both channels together
    share = _fraction(both, aa, bb, ab, noise * count)
    size = max((both[0, 0] + both[1, 1] + 2.0 * both[1, 0].real).real / count, 1e-30)
    below = aa * bb - (ab.real**2 + ab.imag**2)
    p = 0.01 * share
    # (1 - p) dF - p dW, with the covariance of W and F at a known decay and field; one of two channels counts.
    own = ((1 - p) ** 2 * aa + p * p * bb + 2 * p * (1 - p) * ab.real) / below
    error = 0.5 * noise * own / (size * count)
    # How share and what is left change with field and decay, by differences.
    df, dr = 0.5, max(0.01 * r, 1.0)
    up, a1, b1, c1 = _left(products, times, even, fat, f + df, r, turned, both)
    share_f = _fraction(both, a1, b1, c1, noise * count)
    down, a1, b1, c1 = _left(products, times, even, fat, f - df, r, turned, both)
    share_f = (share_f - _fraction(both, a1, b1, c1, noise * count)) / (200.0 * df)
    ff = (up + down - 2.0 * now) / df**2
    up, a1, b1, c1 = _left(products, times, even, fat, f, r + dr, turned, both)
    share_r = _fraction(both, a1, b1, c1, noise * count)
    down, a1, b1, c1 = _left(products, times, even, fat, f, r - dr, turned, both)
    share_r = (share_r - _fraction(both, a1, b1, c1, noise * count)) / (200.0 * dr)
    rr = (up + down - 2.0 * now) / dr**2
    crossed = _left(products, times, even, fat, f + df, r + dr, turned, both)[0]
    crossed += _left(products, times, even, fat, f - df, r - dr, turned, both)[0]
    crossed -= _left(products, times, even, fat, f + df, r - dr, turned, both)[0]
    crossed -= _left(products, times, even, fat, f - df, r + dr, turned, both)[0]
    crossed /= 4.0 * df * dr
    curved = ff * rr - crossed * crossed
    if curved > 0.0 and ff > 0.0:
        error += noise * (share_f**2 * rr - 2.0 * share_f * share_r * crossed + share_r**2 * ff) / curved
        at[3] = 100.0 * np.sqrt(error)
    else:
        at[3] = np.inf
    first, second = products[0, 0].real - noise * count, products[1, 1].real - noise * count
    # Voxels whose second echo is bright by chance alone pass for signal: of such, nothing is left.
    at[4] = np.sqrt(second / first) if first > 0.0 and second > _CHANCE * noise * count else 0.0
    at[0], at[1], at[2], at[5] = share, r, f, noise
    return True
