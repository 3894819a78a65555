"""Readouts in alternate directions (bipolar): the phase between odd and even echoes, found and taken away.

A gradient that reads forward and backward delays the centre of k-space to one side and then to the other, so that echo
n carries a phase of (-1)^n (a + b y + c x): linear along the readout, wherever that lies in the image, with a constant.
With evenly spaced echoes S(n-1) S(n+1) conj(S(n))^2 turns by four times that phase, and the field's error drops out:
its change from voxel to voxel gives b and c, its mean a first a. Gauss and Newton then fit all three to voxels from
everywhere, in the model in which fat and water leave the pulse with one phase. What amplitude, phase, field and decay
of a voxel can mimic is taken out first, so that the rest also says how well the three are known.

Sources: Lu et al., Magn Reson Med 60 (2008) 198; Yu et al., J Magn Reson Imaging 31 (2010) 1264; Peterson and Mansson,
Magn Reson Med 71 (2014) 219; Bydder et al., Magn Reson Imaging 29 (2011) 216 (one phase for fat and water).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods.fat_spectrum import fat_signal
from isocenter.methods.fatwater import FatWater, foreground, separate

__all__ = ["AlternatePhase", "separate_alternate", "untold", "without"]

_VOXELS, _LEAST_VOXELS = 12000, 50
_SLICES = 8
_ROUNDS = 15
_UNEVEN = 0.02  # of a step
_LEAST_ECHOES = 4
_SURE = 4.0  # standard errors
_SEEN_RAD = 0.005  # a hundredth moves a fat fraction by about a point where echoes are as far apart as fat and water
_CERTAIN_RAD = 0.01
_SMALL_RAD = 0.1  # the field of a separation that knows nothing of the phase is good enough

Complex = npt.NDArray[np.complexfloating]
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class AlternatePhase:
    """Echo n, counted from 0, carries (-1)^n (constant + row y + column x), with y and x from -1/2 to 1/2.

    Args:
        constant_rad: in the middle of the image.
        row_rad: change from the first row to the last.
        column_rad: change from the first column to the last.
        error_rad: standard error of the phase, root mean square over the voxels that were looked at.
        size_rad: the phase itself, root mean square over the same voxels.
    """

    constant_rad: float
    row_rad: float
    column_rad: float
    error_rad: float = 0.0
    size_rad: float = 0.0

    @property
    def there(self) -> bool:
        """Whether there is more of it than error, and enough to move a fat fraction."""
        return self.size_rad > max(_SEEN_RAD, _SURE * self.error_rad)

    def over(self, shape: tuple[int, int]) -> Array:
        """(rows, columns) radians."""
        y, x = (np.linspace(-0.5, 0.5, n) if n > 1 else np.zeros(1) for n in shape)
        return np.asarray(self.constant_rad + self.row_rad * y[:, None] + self.column_rad * x[None, :])


def without(echoes: Complex, phase: AlternatePhase) -> npt.NDArray[np.complex64]:
    """The images without that phase.

    Args:
        echoes: (echoes, slices, rows, columns), complex.

    >>> read = np.exp(0.2j * np.array([1, -1, 1, -1]))[:, None, None, None]
    >>> float(np.abs(np.angle(without(read, AlternatePhase(0.2, 0.0, 0.0)))).max()) < 1e-6
    True
    """
    turn = np.exp(-1j * phase.over((echoes.shape[2], echoes.shape[3]))).astype(np.complex64)
    out = np.empty(echoes.shape, np.complex64)
    out[::2], out[1::2] = echoes[::2] * turn, echoes[1::2] * turn.conj()
    return out


def separate_alternate(
    echoes: Complex,
    times_s: npt.ArrayLike,
    field_t: float,
    spacing_mm: tuple[float, float, float],
    *,
    turning: str = "find",
) -> tuple[FatWater, AlternatePhase]:
    """Fat and water of echoes whose readouts may alternate, and the phase between odd and even echoes.

    Where there is no such phase the images are separated as they are. Even a small one counts: 0.1 rad at 1.5 T with
    echoes 2.3 ms apart looks like 4 points of fat.

    Args:
        echoes, times_s, field_t, spacing_mm, turning: as for `isocenter.methods.fatwater.separate`.

    Raises:
        Refused: as `separate`; fewer than four echoes or unevenly spaced ones, which do not tell this phase from fat;
            too little signal; a phase that stays uncertain.
    """
    times = np.asarray(times_s, np.float64)
    if why := untold(times):
        raise Refused(
            f"echoes at {', '.join(f'{1000 * t:g}' for t in times)} ms", why, "take four or more, evenly spaced"
        )
    where = foreground(echoes)
    # Of a phase that is there voxels full of noise say nothing; with none suspected, this separation may be the answer.
    plain = separate(echoes, times, field_t, spacing_mm, turning=turning, signal=where)
    phase, rest = _refined(echoes, times, field_t, plain, AlternatePhase(0.0, 0.0, 0.0))
    start = _coarse(echoes, where)
    if start.size_rad >= _SMALL_RAD:
        # The first guess may see a phase where there is none (iron; echoes about half a turn of fat apart), and a
        # separation without it may turn the wrong way: what leaves less is kept.
        first = separate(
            without(echoes, start), times, field_t, spacing_mm, turning=turning, signal=where, pooling=False
        )
        guessed, guessed_rest = _refined(echoes, times, field_t, first, start)
        phase = guessed if guessed_rest < rest else phase
    if not phase.there:
        return plain, phase
    if phase.error_rad > _CERTAIN_RAD:
        raise Refused(
            f"odd and even echoes apart by {phase.size_rad:.2f} rad, known to {phase.error_rad:.2f} only",
            "readouts in alternate directions leave a phase that these images do not tell from fat",
            "acquire with readouts in one direction, or with more echoes",
        )
    return separate(without(echoes, phase), times, field_t, spacing_mm, turning=turning), phase


def untold(times_s: npt.ArrayLike) -> str:
    """Why such a phase cannot be told at these echo times; empty where it can.

    >>> untold([0.001, 0.003, 0.005]), untold([0.001, 0.002, 0.003, 0.004])
    ('3 echoes do not tell a phase between odd and even ones from fat and field', '')
    """
    times = np.asarray(times_s, np.float64)
    steps = np.diff(times)
    if len(times) < _LEAST_ECHOES:
        return f"{len(times)} echoes do not tell a phase between odd and even ones from fat and field"
    if np.ptp(steps) > _UNEVEN * steps.mean():
        return "unevenly spaced echoes do not tell a phase between odd and even ones"
    return ""


def _second_turn(echoes: Complex) -> Complex:
    """A complex number that turns by four times the phase; echoes are the first axis."""
    turned = np.asarray(echoes[:-2] * echoes[2:] * np.conj(echoes[1:-1]) ** 2, np.complex128)
    size = np.abs(turned)
    # Amplitudes to the fourth would let a few voxels speak for all.
    turned = np.divide(turned, size**0.75, out=np.zeros_like(turned), where=size > 0)
    turned[1::2] = turned[1::2].conj()
    return np.asarray(turned.sum(axis=0))


def _coarse(echoes: Complex, signal: npt.NDArray[np.bool_]) -> AlternatePhase:
    """Slopes from neighbours, then the constant."""
    step = -(-echoes.shape[1] // _SLICES)
    turned = np.where(signal[::step], _second_turn(echoes[:, ::step]), 0)
    slopes = []
    for axis in (1, 2):
        n = turned.shape[axis]
        one, next_ = np.take(turned, range(n - 1), axis=axis), np.take(turned, range(1, n), axis=axis)
        slopes.append(float(np.angle(np.vdot(one, next_))) / 4.0 * (n - 1) if n > 1 else 0.0)
    back = turned * np.exp(-4j * AlternatePhase(0.0, slopes[0], slopes[1]).over(turned.shape[1:]))
    constant = float(np.angle(back.sum())) / 4.0
    phase = AlternatePhase(constant, slopes[0], slopes[1])
    here = np.broadcast_to(phase.over(turned.shape[1:]), turned.shape)[signal[::step]]
    return AlternatePhase(constant, slopes[0], slopes[1], 0.0, float(np.sqrt(np.mean(here**2))) if here.size else 0.0)


def _refined(
    echoes: Complex, times: Array, field_t: float, found: FatWater, start: AlternatePhase
) -> tuple[AlternatePhase, float]:
    """The phase, and the energy that the model with it leaves in a voxel."""
    usable = found.signal & np.isfinite(found.field_hz) & np.isfinite(found.r2_star)
    every = np.argwhere(usable)
    if len(every) < _LEAST_VOXELS:
        raise Refused(
            f"{len(every)} voxels with signal", "a phase over the image needs more", "send images with signal"
        )
    z, y, x = every[:: -(-len(every) // _VOXELS)].T
    rows, columns = echoes.shape[2:]
    basis = np.stack([np.ones(len(z)), y / max(rows - 1, 1) - 0.5, x / max(columns - 1, 1) - 0.5], axis=1)
    held = np.asarray(echoes[:, z, y, x].T, np.complex128)
    sign = -1.0 if found.conjugated else 1.0
    held = held.conj() if found.conjugated else held
    now = sign * np.array([start.constant_rad, start.row_rad, start.column_rad])
    field, decay = found.field_hz[z, y, x].astype(np.float64), found.r2_star[z, y, x].astype(np.float64)
    fat, parity = fat_signal(times, field_t), np.where(np.arange(len(times)) % 2 == 0, 1.0, -1.0)
    for _ in range(_ROUNDS):
        rest, own, model = _one_phase(held * np.exp(-1j * parity * (basis @ now)[:, None]), times, fat, field, decay)
        across = own.transpose(0, 2, 1)
        back = np.linalg.solve(across @ own, across)
        along = _parts(1j * parity * model)
        free = along - (own @ (back @ along[:, :, None]))[:, :, 0]
        energy = ((rest - (own @ (back @ rest[:, :, None]))[:, :, 0]) ** 2).sum(axis=1)
        weight = 1.0 / (1.0 + energy / (np.median(energy) + 1e-30))
        normal = np.einsum("v,vi,vj->ij", weight * (free**2).sum(axis=1), basis, basis)
        change = np.linalg.pinv(normal) @ (basis.T @ (weight * (free * rest).sum(axis=1)))
        change = np.clip(change, -0.3, 0.3)
        now += change
        local = (back @ (rest - along * (basis @ change)[:, None])[:, :, None])[:, :, 0]
        field += np.clip(local[:, 3], -20.0, 20.0)
        decay = np.clip(decay + np.clip(local[:, 4], -60.0, 60.0), -50.0, 3000.0)
        if np.abs(change).max() < 1e-6:
            break
    noise = float((weight * energy).sum() / weight.sum()) / max(2 * len(times) - 6, 1)
    spread = noise * np.linalg.pinv(normal)
    error = float(np.sqrt(np.einsum("vi,ij,vj->v", basis, spread, basis).mean()))
    here = basis @ now
    constant, row, column = (float(sign * v) for v in now)
    return AlternatePhase(constant, row, column, error, float(np.sqrt(np.mean(here**2)))), noise


def _parts(values: Complex) -> Array:
    return np.concatenate([values.real, values.imag], axis=1)


def _one_phase(
    held: Complex, times: Array, fat: Complex, field: Array, decay: Array
) -> tuple[Array, npt.NDArray[Any], Complex]:
    """What the model with one phase leaves, its slopes along amplitudes, phase, field and decay, and itself."""
    turn = np.exp((2j * np.pi * field - decay)[:, None] * times)
    made = np.stack([turn, turn * fat], axis=2)
    inverse = np.linalg.inv(np.einsum("vki,vkj->vij", made.conj(), made).real)
    seen = np.einsum("vki,vk->vi", made.conj(), held)
    phase = 0.5 * np.angle(np.einsum("vi,vij,vj->v", seen, inverse, seen))
    amounts = np.einsum("vij,vj->vi", inverse, (seen * np.exp(-1j * phase)[:, None]).real)
    made *= np.exp(1j * phase)[:, None, None]
    model = np.einsum("vki,vi->vk", made, amounts)
    slopes = (made[:, :, 0], made[:, :, 1], 1j * model, 2j * np.pi * times * model, -times * model)
    return _parts(held - model), np.stack([_parts(s) for s in slopes], axis=2), model
