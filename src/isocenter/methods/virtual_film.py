"""How a virtual chest is shown on a film: attenuation, scatter, what lies over it, the curve of grey values, noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Layers", "developed"]

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Layers:
    """Path lengths along each ray, in halves of the inner width of the thorax.

    Args:
        soft, air, bone: of soft tissue, of aerated lung, of bone and vessels. there: 0 outside of the body, else 1.
    """

    soft: Array
    air: Array
    bone: Array
    there: Array


def developed(layers: Layers, masks: Array, rng: np.random.Generator) -> Array:
    """(n, n) brightness from 0 to 1, dense parts bright.

    Args:
        masks: (3, n, n) lungs and heart, for the films of flat shadows.
    """
    from scipy.ndimage import gaussian_filter, zoom

    u, shape = rng.uniform, layers.soft.shape
    grain = sum(gaussian_filter(rng.standard_normal(shape), s) * s for s in (0.7, 1.5, 4.0))
    texture = np.maximum(1.0 + u(0.0, 0.10) * grain, 0.1)
    dense = u(0.10, 0.45)
    path = u(2.0, 3.6) * (layers.soft + dense * layers.air * texture) + u(1.5, 5.0) * layers.bone
    if rng.random() < 0.12:  # flat shadows in place of depths
        lungs, heart = masks[0] + masks[1], masks[2]
        path = layers.there * u(0.5, 0.7) - u(0.15, 0.45) * lungs + u(0.0, 0.3) * heart * (1 - lungs)
        path = path + u(0.0, 0.25) * (1 - lungs) * layers.there + u(0.3, 1.0) * layers.bone
    primary = np.exp(-path)
    scattered = primary + u(0.0, 0.6) * gaussian_filter(primary, shape[0] / u(4, 12)) + 0.003
    density = -np.log(scattered)
    density = density + u(0.0, 0.12) * gaussian_filter(rng.standard_normal(shape), u(6, 25)) * 12
    density = _overlaid(density, rng)
    if rng.random() < 0.6:  # systems sharpen, and level the whole picture
        density = density + u(0.0, 0.7) * (density - gaussian_filter(density, u(1.5, 6.0)))
    if rng.random() < 0.5:
        density = density - u(0.0, 0.7) * gaussian_filter(density, shape[0] / u(3, 10))
    inside = density[layers.there > 0.5] if (layers.there > 0.5).any() else density
    low, high = np.percentile(inside, (u(0, 4), 100 - u(0, 4)))
    level = (density - low) / max(float(high - low), 1e-6)
    if rng.random() < 0.5:
        gain, centre = u(2.0, 8.0), u(0.25, 0.75)
        level = 1 / (1 + np.exp(-gain * (level - centre)))
        level = (level - level.min()) / max(float(np.ptp(level)), 1e-6)
    shown = np.clip(level, 0.0, 1.0) ** np.exp(rng.normal(0, 0.35))
    shown = shown * u(0.75, 1.0) + u(0.0, 0.2)
    blur = u(0.0, 1.3)
    if blur > 0.3:
        shown = gaussian_filter(shown, blur)
    if rng.random() < 0.15:  # from a small copy
        small = zoom(shown, u(0.35, 0.8), order=1)
        shown = zoom(small, (shape[0] / small.shape[0], shape[1] / small.shape[1]), order=1)
    shown = shown + 0.06 * u(0.0, 1.0) ** 2 * rng.standard_normal(shape)
    return np.asarray(np.clip(_framed(shown, rng), 0.0, 1.0), np.float32)


def _overlaid(density: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Wires, electrodes, tubes, a pacemaker."""
    from scipy.ndimage import gaussian_filter

    u, n = rng.uniform, len(density)
    if rng.random() > 0.4:
        return density
    drawn = np.zeros_like(density)
    t = np.linspace(0, 1, 3 * n)
    for _ in range(rng.integers(1, 6)):
        ends = u(0, n - 1, (4, 2))
        curve = sum(
            w[:, None] * p for w, p in zip(((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3), ends,
                                           strict=True)
        )  # fmt: skip
        i, j = np.clip(np.asarray(curve).astype(int), 0, n - 1).T
        drawn[i, j] = np.maximum(drawn[i, j], u(0.3, 1.5))
    row, column = np.indices(density.shape)
    for _ in range(rng.integers(0, 4)):
        at, radius = u(0, n, 2), u(1.0, 0.05 * n)
        drawn[np.hypot(row - at[0], column - at[1]) < radius] = u(0.3, 2.0)
    return np.asarray(density + gaussian_filter(drawn, u(0.4, 0.9)))


def _framed(shown: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Letters, and the edge of the collimator or of the film."""
    u, n = rng.uniform, len(shown)
    for _ in range(rng.integers(0, 4)):
        high, wide = rng.integers(2, max(3, n // 10), 2)
        at = rng.integers(0, n - max(high, wide), 2)
        if rng.random() < 0.8:  # at the side, where letters stand
            at[1] = rng.choice([rng.integers(0, n // 6), rng.integers(n - n // 5, n - wide)])
        letters = rng.random((high, wide)) < u(0.3, 0.9)
        part = shown[at[0] : at[0] + high, at[1] : at[1] + wide]
        part[letters] = rng.choice([0.0, 1.0])
    if rng.random() < 0.3:
        value = rng.choice([0.0, 0.0, 1.0, u(0, 1)])
        sides = (u(0, 0.07, 4) * n * (rng.random(4) < 0.6)).astype(int)
        shown[: sides[0]], shown[n - sides[1] :] = value, value
        shown[:, : sides[2]], shown[:, n - sides[3] :] = value, value
    return shown
