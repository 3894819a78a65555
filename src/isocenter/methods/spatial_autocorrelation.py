"""Whether near voxels are more alike than far ones: Moran's I and Geary's C (IBSI N365 and NPT7).

Both weigh every pair of voxels by the inverse of its distance. Summed pair by pair that takes a minute for a lung
tumour; but the weight depends on the step from one voxel to the other only, so that each sum over pairs is a product
of Fourier transforms, exact to rounding.

Source: IBSI reference manual 3.1.24 and 3.1.25; Moran 1950; Geary 1954; Dale et al., Ecography 25 (2002) 558.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused

__all__ = ["autocorrelation"]

Floats = npt.NDArray[np.float64]

_LARGE = 2**24  # voxels of the padded box from which single precision has to do: a trunk would take 5 GB in double


def autocorrelation(
    image: npt.NDArray[np.floating], mask: npt.NDArray[np.bool_], spacing_mm: tuple[float, float, float]
) -> tuple[float, float]:
    """Moran's I (0 without, 1 with full likeness of neighbours) and Geary's C (1 without, 0 with full likeness).

    Args:
        image: (slices, rows, columns) intensities.
        mask: the voxels of the region.
        spacing_mm: of (slices, rows, columns).

    Raises:
        Refused: with fewer than two voxels, or when all have one intensity.
    """
    box = tuple(slice(int(np.flatnonzero(a)[0]), int(np.flatnonzero(a)[-1]) + 1) for a in _shadows(mask))
    held = mask[box]
    count = int(np.count_nonzero(held))
    if count < 2:
        raise Refused(f"a region of {count} voxel", "there are no pairs to compare", "outline a larger region")
    x = np.where(held, np.asarray(image[box], dtype=np.float64), 0.0)
    x = np.where(held, x - x.sum() / count, 0.0)
    squares = float((x**2).sum())
    if squares == 0.0:
        raise Refused("one intensity everywhere", "likeness of neighbours has no meaning", "look at the image")
    weights, products, of_squares = _pairs(held.astype(np.float64), x, spacing_mm)
    moran = count / weights * products / squares
    geary = (count - 1) / (2.0 * weights) * (2.0 * of_squares - 2.0 * products) / squares
    return moran, geary


def _shadows(mask: npt.NDArray[np.bool_]) -> list[npt.NDArray[np.bool_]]:
    if not mask.any():
        raise Refused("a region without voxels", "there are no pairs to compare", "outline it on this image")
    return [np.atleast_1d(mask.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]


def _pairs(held: Floats, x: Floats, spacing_mm: tuple[float, float, float]) -> tuple[float, float, float]:
    """Sums over ordered pairs of w, w x_i x_j and w x_i^2."""
    from scipy import fft

    shape = [fft.next_fast_len(2 * n - 1, real=True) for n in held.shape]
    far = [s * np.minimum(np.arange(n), n - np.arange(n)) for s, n in zip(spacing_mm, shape, strict=True)]
    kind = np.float32 if np.prod(shape, dtype=np.int64) > _LARGE else np.float64
    far = [part.astype(kind) for part in far]
    distance = np.sqrt(far[0][:, None, None] ** 2 + far[1][:, None] ** 2 + far[2] ** 2)
    distance[0, 0, 0] = np.inf
    kernel = fft.rfftn(1.0 / distance).real
    a, b, c = (fft.rfftn(part.astype(kind), s=shape) for part in (held, x, x**2))
    # Parseval: a column of the half spectrum stands for two, but for the first and, of even lengths, the last.
    twice = np.full(kernel.shape[2], 2.0)
    twice[0] = 1.0
    if shape[2] % 2 == 0:
        twice[-1] = 1.0
    kernel *= (twice / float(np.prod(shape))).astype(kind)
    return (
        float((kernel * (a.real**2 + a.imag**2)).sum(dtype=np.float64)),
        float((kernel * (b.real**2 + b.imag**2)).sum(dtype=np.float64)),
        float((kernel * (c.real * a.real + c.imag * a.imag)).sum(dtype=np.float64)),
    )
