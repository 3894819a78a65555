"""Echoes that came in parts: by how much the phase and the brightness of one part differ from those of another.

Two runs of a scanner need not begin with one phase, nor with one gain. At the field and the decay of a separation,
water, fat and a small change of field and decay are taken out of each voxel; what is left, held against one part of the
echoes, tells the complex factor between the parts. It is known well, for all voxels share it: 0.1 rad, which moves a
fat fraction by about a point, is seen in a few hundred voxels.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isocenter.methods.fat_spectrum import fat_signal
from isocenter.methods.fatwater import FatWater

__all__ = ["differ"]

_VOXELS, _LEAST_ECHOES = 8000, 4  # three complex unknowns leave nothing of three echoes
_SURE = 4.0  # standard errors


def differ(
    echoes: npt.NDArray[np.complexfloating],
    times_s: npt.NDArray[np.float64],
    field_t: float,
    found: FatWater,
    part: npt.NDArray[np.bool_],
) -> tuple[float, float]:
    """Radians, and natural logarithm of the brightness, by which some echoes lie beside the others; 0 within the error.

    To first order: of a large difference it tells that there is one.

    Args:
        echoes: (echoes, slices, rows, columns), complex.
        times_s, field_t: of the echoes, and tesla.
        found: their separation as one scan.
        part: (echoes,) which of them came by themselves.
    """
    usable = found.signal & np.isfinite(found.field_hz) & np.isfinite(found.r2_star) & ~found.pooled
    every = np.argwhere(usable)
    if len(times_s) < _LEAST_ECHOES or not len(every):
        return 0.0, 0.0
    z, y, x = every[:: -(-len(every) // _VOXELS)].T
    held = np.asarray(echoes[:, z, y, x].T, np.complex128)
    held = held.conj() if found.conjugated else held
    turn = np.exp((2j * np.pi * found.field_hz[z, y, x] - found.r2_star[z, y, x])[:, None].astype(complex) * times_s)
    made = np.stack([turn, turn * fat_signal(times_s, field_t)], axis=2)
    model = held - _beside(held, made)
    made = np.concatenate([made, (times_s * model)[:, :, None]], axis=2)
    rest, along = _beside(held, made), _beside(np.where(part, model, 0.0), made)
    energy = (np.abs(rest) ** 2).sum(axis=1)
    weight = 1.0 / (1.0 + energy / (np.median(energy) + 1e-30))
    told = float((weight * (np.abs(along) ** 2).sum(axis=1)).sum())
    if not told > 0:
        return 0.0, 0.0
    factor = complex((weight * (along.conj() * rest).sum(axis=1)).sum()) / told
    noise = float((weight * energy).sum() / weight.sum()) / (2 * len(times_s) - 6)
    error = np.sqrt(noise / told)
    turned = -factor.imag if found.conjugated else factor.imag
    return (turned if abs(turned) > _SURE * error else 0.0), (factor.real if abs(factor.real) > _SURE * error else 0.0)


def _beside(
    values: npt.NDArray[np.complexfloating], made: npt.NDArray[np.complexfloating]
) -> npt.NDArray[np.complexfloating]:
    """What the columns of `made` (voxels, echoes, columns) leave of values (voxels, echoes)."""
    across = made.conj().transpose(0, 2, 1)
    amounts = np.linalg.solve(across @ made + 1e-12 * np.eye(made.shape[2]), across @ values[:, :, None])
    return np.asarray(values - (made @ amounts)[:, :, 0])
