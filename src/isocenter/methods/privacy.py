"""How much can be learnt of one person from noisy sums: (ε, δ) of repeated Gaussian noise on random parts of a group.

Each step draws every person with chance q, adds up what they give, each at most 1 long, and adds Gaussian noise of
standard deviation σ. Two accountants answer independently. `spent` is the one to go by: Rényi divergences add up over
steps and are turned into (ε, δ) at the end (Mironov 2017; Mironov, Talwar, Zhang 2019; conversion of Balle et al.
2020). `spent_exactly` follows the whole distribution of the privacy loss by Fourier transform (Koskela et al. 2020,
with the discretisation of Doroshenko et al. 2022, which errs to the safe side); it is tighter and serves as the check.
For q = 1 both can be held against the closed form of Balle and Wang 2018 (`gaussian_delta`).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import log_ndtr, ndtr

from isocenter.errors import Refused

__all__ = ["ORDERS", "gaussian_delta", "renyi", "spent", "spent_exactly"]

_Losses = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], float]
ORDERS: tuple[float, ...] = (
    *(1 + k / 20 for k in range(1, 200)), *range(11, 64), *(64 * 2 ** (k / 4) for k in range(21)),
)  # fmt: skip
"""Rényi orders that are tried; each gives a bound, the smallest counts."""


def _checked(chance: float, noise: float, steps: int, delta: float = 0.5) -> None:
    if not (0 < chance <= 1 and noise > 0 and steps >= 0 and 0 < delta < 1):
        raise Refused(
            f"privacy with chance {chance:g}, noise {noise:g}, {steps} steps, δ {delta:g}",
            "chance and δ lie between 0 and 1, and noise is positive", "change the agreement",
        )  # fmt: skip


def renyi(chance: float, noise: float, order: float) -> float:
    """Rényi divergence of one step, in nats: ln E[((1−q) + q·exp((2x−1)/2σ²))^α] / (α−1) with x ~ N(0, σ²).

    The expectation is summed on a grid over everything that counts; on such a smooth and falling function equal steps
    converge faster than any power.

    >>> round(renyi(1.0, 2.0, 8.0), 10)  # without drawing it is α / 2σ²
    1.0
    """
    _checked(chance, noise, 1)
    if chance == 1.0:
        return order / (2 * noise**2)
    # The mass lies between x = 0 (nobody drawn) and x = α (all weight on the drawn), each as wide as σ.
    x = np.linspace(-14 * noise, order + 14 * noise, max(4001, int(40 * (order / noise + 28)) | 1))
    inner = np.logaddexp(math.log1p(-chance), math.log(chance) + (2 * x - 1) / (2 * noise**2))
    logs = order * inner - x**2 / (2 * noise**2) - 0.5 * math.log(2 * math.pi * noise**2)
    top = float(logs.max())
    return max(0.0, (top + math.log(float(np.exp(logs - top).sum() * (x[1] - x[0])))) / (order - 1))


@lru_cache(maxsize=256)
def _renyis(chance: float, noise: float) -> npt.NDArray[np.float64]:
    return np.array([renyi(chance, noise, a) for a in ORDERS])


def spent(chance: float, noise: float, steps: int, delta: float) -> float:
    """ε after some steps, by Rényi divergences: an upper bound.

    Args:
        chance: that one person is drawn in a step. noise: σ in units of what one person can give. steps: taken.
        delta: the δ at which ε is told.

    Raises:
        Refused: when a number is out of its range.

    >>> round(spent(0.01, 1.1, 1000, 1e-5), 2)
    1.71
    """
    _checked(chance, noise, steps, delta)
    if steps == 0:
        return 0.0
    a = np.asarray(ORDERS)
    bound = steps * _renyis(chance, noise) + np.log1p(-1 / a) - (math.log(delta) + np.log(a)) / (a - 1)
    return max(0.0, float(bound.min()))


def gaussian_delta(noise: float, epsilon: float) -> float:
    """δ of one sum with noise σ at ε, exactly (Balle and Wang 2018, theorem 8)."""
    upper = 1 / (2 * noise) - epsilon * noise
    return float(ndtr(upper) - math.exp(epsilon + log_ndtr(upper - 1 / noise)))


def _curve(chance: float, noise: float, epsilon: npt.NDArray[np.float64], gone: bool) -> npt.NDArray[np.float64]:
    """δ(ε) of one step: a person is taken away (`gone`), or comes in."""
    if gone:  # mixture against N(0, σ²): the loss grows with x
        inner = np.expm1(epsilon) + chance
        with np.errstate(divide="ignore", invalid="ignore"):
            x = np.where(inner > 0, noise**2 * np.log(np.maximum(inner, 1e-300) / chance) + 0.5, -np.inf)
        under = ndtr(-x / noise)
        over = (1 - chance) * under + chance * ndtr(-(x - 1) / noise)
        # e^ε·Q is taken away; both tails are small together, so the difference is safe
        return np.asarray(np.clip(over - np.exp(epsilon) * under, 0.0, 1.0), np.float64)
    inner = np.expm1(-epsilon) + chance  # N against the mixture: the loss falls with x
    with np.errstate(divide="ignore", invalid="ignore"):
        x = np.where(inner > 0, noise**2 * np.log(np.maximum(inner, 1e-300) / chance) + 0.5, -np.inf)
    under = ndtr(x / noise)
    mixed = (1 - chance) * under + chance * ndtr((x - 1) / noise)
    return np.asarray(np.clip(under - np.exp(epsilon) * mixed, 0.0, 1.0), np.float64)


def _composed(chance: float, noise: float, steps: int, gone: bool, bound: float, step: float) -> _Losses:
    """Losses, their chances after all steps, and the chance that anything may happen."""
    half = math.ceil(bound / step)
    loss = np.arange(-half, half + 1, dtype=np.float64) * step
    delta = _curve(chance, noise, loss, gone)
    # Between two points δ is taken as a straight line in e^ε: above the truth, since δ is convex there. Its kinks are
    # the masses of a distribution with finitely many losses.
    u = np.exp(loss)
    slope = np.diff(delta, prepend=1.0) / np.diff(u, prepend=0.0)
    slope = np.minimum(slope, 0.0)
    kinks = np.diff(slope, append=0.0)
    mass = np.maximum(kinks * u, 0.0)
    beyond = float(delta[-1])
    mass *= max(0.0, 1 - beyond) / max(float(mass.sum()), 1e-300)
    size = 1 << (4 * half + 1).bit_length()
    turned = np.zeros(size)
    turned[np.arange(-half, half + 1) % size] = mass
    whole = np.fft.irfft(np.fft.rfft(turned) ** steps, size)
    order = np.arange(-(size // 2), size // 2)
    chances = np.asarray(np.maximum(whole[order % size], 0.0), np.float64)
    return order.astype(np.float64) * step, chances, 1 - (1 - beyond) ** steps


def spent_exactly(chance: float, noise: float, steps: int, delta: float, *, step: float = 0.0) -> float:
    """ε after some steps, from the distribution of the privacy loss: tighter than `spent`, and slower.

    Args:
        step: of the grid of losses; by default as fine as the answer needs.

    Raises:
        Refused: when a number is out of its range.

    >>> 1.2 < spent_exactly(0.01, 1.1, 1000, 1e-5) < spent(0.01, 1.1, 1000, 1e-5)
    True
    """
    _checked(chance, noise, steps, delta)
    if steps == 0:
        return 0.0
    # Losses beyond this have, by the other accountant, a chance of less than a billionth of δ.
    bound = 1.2 * spent(chance, noise, steps, delta * 1e-4) + 1.0
    fine = step or max(bound / 2**17, min(1e-3, bound / 2**14))

    def over(epsilon: float) -> float:
        found = 0.0
        for loss, mass, beyond in parts:
            above = loss > epsilon
            found = max(found, beyond + float((mass[above] * -np.expm1(epsilon - loss[above])).sum()))
        return found - delta

    parts = [_composed(chance, noise, steps, gone, bound, fine) for gone in (True, False)]
    if over(0.0) <= 0:
        return 0.0
    return float(brentq(over, 0.0, bound, xtol=1e-6))
