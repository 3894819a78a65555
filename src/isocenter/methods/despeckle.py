"""Speckle made less, edges kept: Lee's filter, anisotropic diffusion (SRAD) and non-local means (OBNLM).

All three take the envelope (linear amplitude, see `speckle.envelope`) of shape (rows, columns) and give float32 of the
same shape. What they show is easier to look at; nothing is measured on it, because texture is what they remove.

Sources: Lee, IEEE Trans PAMI 2 (1980) 165; Yu & Acton, IEEE Trans Image Process 11 (2002) 1260 (SRAD); Coupe et al.,
IEEE Trans Image Process 18 (2009) 2221 (OBNLM, Pearson distance).
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused

__all__ = ["lee", "non_local_means", "srad"]

_FADING = 0.6  # of the variation that counts as speckle, for each unit of time; slower lets edges flow
_RAYLEIGH_VARIATION = float(np.sqrt((4.0 - np.pi) / np.pi))

Floats = npt.NDArray[np.floating]
Picture = npt.NDArray[np.float32]


def lee(amplitude: Floats, *, radius: int = 3, looks: float = 0.0) -> Picture:
    """Lee's filter: the local mean where only speckle is, the pixel itself where there is more.

    Args:
        amplitude: (rows, columns), zero and up.
        radius: of the square window, pixels.
        looks: (mean/SD)² of pure speckle in this amplitude; 0 for a Rayleigh envelope (3.66).

    Raises:
        Refused: for what is no picture of amplitudes, or a radius below one.
    """
    held = _picture(amplitude, radius)
    speckle = 1.0 / (looks if looks > 0 else np.pi / (4.0 - np.pi))
    mean, square = _box(held, radius)
    return np.asarray(_lee(held, mean, square, np.float32(speckle)), np.float32)


def srad(amplitude: Floats, *, steps: int = 40, step: float = 0.15) -> Picture:
    """Speckle-reducing anisotropic diffusion: flow stops where the local variation exceeds that of speckle.

    Args:
        steps: how often; each lets grey flow over one pixel.
        step: of time; at most 0.25 is stable.

    Raises:
        Refused: as `lee`, or for a step that is not stable.
    """
    held = _picture(amplitude, 1)
    if not 0 < step <= 0.25:
        raise Refused(f"a time step of {step:g}", "diffusion is stable up to 0.25", "give 0.25 or less")
    if steps < 1:
        raise Refused(f"{steps} steps", "at least one is needed", "give 1 or more")
    now = np.maximum(held, np.float32(1e-6) * held.max())
    other = np.empty_like(now)
    coefficient = np.empty_like(now)
    for n in range(steps):
        # A Rayleigh envelope varies by 0.523 of its mean; as speckle is smoothed, Yu and Acton's q0 falls with time.
        q0 = np.float32(_RAYLEIGH_VARIATION * np.exp(-_FADING * step * n))
        _diffuse(now, coefficient, other, q0 * q0, np.float32(step))
        now, other = other, now
    return np.asarray(now, np.float32)


def non_local_means(amplitude: Floats, *, patch: int = 2, search: int = 6, strength: float = 1.0) -> Picture:
    """Optimised Bayesian non-local means: pixels whose surroundings look alike are averaged.

    Args:
        patch: radius of the surroundings. search: radius within which alike ones are sought.
        strength: how unlike surroundings may be; larger is smoother.

    Raises:
        Refused: as `lee`.
    """
    held = _picture(amplitude, min(patch, search))
    if not strength > 0:
        raise Refused(f"a strength of {strength:g}", "it lies above zero", "give a number above it")
    reach = patch + search
    padded = np.pad(np.maximum(held, np.float32(1e-6) * held.max()), reach, mode="reflect")
    return np.asarray(_alike(padded, held.shape[0], held.shape[1], patch, search, np.float32(strength)), np.float32)


def _picture(amplitude: Floats, radius: int) -> Picture:
    held = np.ascontiguousarray(amplitude, np.float32)
    if radius < 1:
        raise Refused(f"a radius of {radius}", "it is at least one pixel", "give 1 or more")
    if held.ndim != 2 or min(held.shape) < 16:
        raise Refused(
            f"a picture of shape {held.shape}",
            "at least 16 by 16 pixels of one plane are filtered",
            "give a larger picture of one plane",
        )
    if not np.isfinite(held).all() or held.min() < 0 or held.max() <= 0:
        raise Refused(
            "amplitudes below zero, none or not finite", "the envelope is zero and up", "undo the compression"
        )
    return held


def _box(held: Picture, radius: int) -> tuple[Picture, Picture]:
    """Local mean and mean square."""
    from scipy.ndimage import uniform_filter

    width = 2 * radius + 1
    return (
        uniform_filter(held, width, mode="nearest"),
        uniform_filter(held * held, width, mode="nearest"),
    )


@numba.njit(cache=True, fastmath=True)
def _lee(held: Picture, mean: Picture, square: Picture, speckle: float) -> Picture:  # pragma: no cover - compiled
    out = np.empty_like(held)
    for i in range(held.shape[0]):
        for j in range(held.shape[1]):
            m = mean[i, j]
            variance = square[i, j] - m * m
            signal = (variance - m * m * speckle) / (np.float32(1.0) + speckle)
            weight = signal / variance if signal > 0 and variance > 0 else np.float32(0.0)
            out[i, j] = m + weight * (held[i, j] - m)
    return out


@numba.njit(cache=True, fastmath=True)
def _diffuse(
    now: Picture, coefficient: Picture, out: Picture, q0: float, step: float
) -> None:  # pragma: no cover - compiled
    rows, columns = now.shape
    for i in range(rows):
        up, down = max(i - 1, 0), min(i + 1, rows - 1)
        for j in range(columns):
            left, right = max(j - 1, 0), min(j + 1, columns - 1)
            c = now[i, j]
            n, s, w, e = now[up, j] - c, now[down, j] - c, now[i, left] - c, now[i, right] - c
            gradient = (n * n + s * s + w * w + e * e) / (c * c)
            laplace = (n + s + w + e) / c
            below = np.float32(1.0) + np.float32(0.25) * laplace
            q = (np.float32(0.5) * gradient - np.float32(0.0625) * laplace * laplace) / (below * below)
            k = np.float32(1.0) / (np.float32(1.0) + (q - q0) / (q0 * (np.float32(1.0) + q0)))
            coefficient[i, j] = min(max(k, np.float32(0.0)), np.float32(1.0))
    for i in range(rows):
        up, down = max(i - 1, 0), min(i + 1, rows - 1)
        for j in range(columns):
            left, right = max(j - 1, 0), min(j + 1, columns - 1)
            c = now[i, j]
            here = coefficient[i, j]
            flow = (
                coefficient[down, j] * (now[down, j] - c)
                + here * (now[up, j] - c)
                + coefficient[i, right] * (now[i, right] - c)
                + here * (now[i, left] - c)
            )
            out[i, j] = max(c + step * flow, np.float32(1e-12))


@numba.njit(cache=True, fastmath=True, parallel=False)
def _alike(
    padded: Picture, rows: int, columns: int, patch: int, search: int, strength: float
) -> Picture:  # pragma: no cover - compiled
    reach = patch + search
    total = np.zeros((rows, columns), np.float32)
    weights = np.zeros((rows, columns), np.float32)
    size = np.float32((2 * patch + 1) ** 2)
    # For one shift at a time the distance of all patches is a box sum of one image of squared differences.
    height, width = rows + 2 * patch, columns + 2 * patch
    difference = np.empty((height, width), np.float32)
    along = np.empty((height, columns), np.float32)
    for dy in range(-search, search + 1):
        for dx in range(-search, search + 1):
            for i in range(height):
                for j in range(width):
                    a = padded[i + search, j + search]
                    b = padded[i + search + dy, j + search + dx]
                    difference[i, j] = (a - b) * (a - b) / (a * b)  # Pearson: speckle grows with its mean
            for i in range(height):
                running = np.float32(0.0)
                for j in range(2 * patch):
                    running += difference[i, j]
                for j in range(columns):
                    running += difference[i, j + 2 * patch]
                    along[i, j] = running
                    running -= difference[i, j]
            for j in range(columns):
                running = np.float32(0.0)
                for i in range(2 * patch):
                    running += along[i, j]
                for i in range(rows):
                    running += along[i + 2 * patch, j]
                    weight = np.exp(-running / size / strength)
                    running -= along[i, j]
                    total[i, j] += weight * padded[i + reach + dy, j + reach + dx]
                    weights[i, j] += weight
    return total / weights
