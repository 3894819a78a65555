"""How tubular each voxel is, over several scales: bright tubes on a darker ground (Frangi).

At each scale the image is smoothed and its second derivatives are taken, in millimetres and times the square of the
scale, so that scales compare. Of their eigenvalues |l1| <= |l2| <= |l3| a bright tube has l1 near 0, the others far
below it. A tube with a Gaussian profile of width s answers most at scale s, a uniform one of radius R at R / sqrt 2.

Source: Frangi et al., MICCAI 1998, LNCS 1496, 130.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from isocenter.errors import Refused

__all__ = ["tubularity", "vesselness"]

_PLATE, _BLOB = 0.5, 0.5
_AT_ONCE = 400_000  # voxels whose eigenvalues are taken together

Floats = npt.NDArray[np.floating]
Doubles = npt.NDArray[np.float64]
Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


def tubularity(image: Floats, spacing_mm: tuple[float, float, float], scale_mm: float, where: Mask) -> Floats:
    """(voxels, 3) eigenvalues of the scaled second derivatives, the smallest in size first.

    Args:
        image: (slices, rows, columns).
        scale_mm: standard deviation of the smoothing.
        where: voxels that are wanted.

    Raises:
        Refused: for a scale below half a voxel, at which derivatives are those of the grid.
    """
    if scale_mm < 0.5 * max(spacing_mm):
        raise Refused(
            f"a scale of {scale_mm:g} mm on voxels of {max(spacing_mm):g} mm",
            "derivatives would be those of the grid",
            "take larger scales, or thinner slices",
        )
    sigma = [scale_mm / mm for mm in spacing_mm]
    values = np.asarray(image, np.float32)
    parts = []
    for a in range(3):
        for b in range(a, 3):
            order = [0, 0, 0]
            order[a] += 1
            order[b] += 1
            bent = ndimage.gaussian_filter(values, sigma, order=order, mode="nearest", truncate=4.0)
            parts.append(bent[where] * np.float32(scale_mm**2 / (spacing_mm[a] * spacing_mm[b])))
    found = np.empty((len(parts[0]), 3), np.float32)
    for start in range(0, len(found), _AT_ONCE):
        own = _eigenvalues(*(p[start : start + _AT_ONCE].astype(np.float64) for p in parts))
        found[start : start + _AT_ONCE] = np.take_along_axis(own, np.abs(own).argsort(axis=1), axis=1)
    return found


def _eigenvalues(zz: Doubles, zy: Doubles, zx: Doubles, yy: Doubles, yx: Doubles, xx: Doubles) -> Doubles:
    """(n, 3) of n symmetric matrices of three rows, as roots of their cubics (Smith, CACM 4 (1961) 168).

    Of doubles they are right to 1e-8 of the largest, and come many times sooner than by a solver of any size of matrix.
    """
    mean = (zz + yy + xx) / 3
    a, b, c = zz - mean, yy - mean, xx - mean
    spread = np.sqrt((a * a + b * b + c * c + 2 * (zy * zy + zx * zx + yx * yx)) / 6)
    half_det = (a * (b * c - yx * yx) - zy * (zy * c - yx * zx) + zx * (zy * yx - b * zx)) / 2
    cosine = np.divide(half_det, spread**3, out=np.zeros_like(mean), where=spread > 0)
    angle = np.arccos(np.clip(cosine, -1, 1, out=cosine)) / 3
    most = mean + 2 * spread * np.cos(angle)
    least = mean + 2 * spread * np.cos(angle + 2 * np.pi / 3)
    return np.stack([least, 3 * mean - most - least, most], axis=-1)


def vesselness(
    image: Floats,
    spacing_mm: tuple[float, float, float],
    scales_mm: Sequence[float],
    where: Mask,
) -> tuple[Array, Array]:
    """Vesselness, 0 to 1, the largest over the scales, and the scale (mm) that gave it; 0 outside `where`.

    Raises:
        Refused: for no scales, an empty mask, or see `tubularity`.
    """
    if not len(scales_mm) or not where.any():
        raise Refused(
            f"{len(scales_mm)} scales in {int(where.sum())} voxels",
            "there is nothing to look at",
            "give scales and a region",
        )
    levels = [tubularity(image, spacing_mm, scale, where) for scale in scales_mm]
    strength = [np.sqrt((own**2).sum(axis=1)) for own in levels]
    half = 0.5 * max(float(s.max()) for s in strength)
    best, at = np.zeros(len(strength[0]), np.float32), np.zeros(len(strength[0]), np.float32)
    for scale, own, size in zip(scales_mm, levels, strength, strict=True):
        one, two, three = np.abs(own).T
        with np.errstate(divide="ignore", invalid="ignore"):
            plate = np.exp(-((two / three) ** 2) / (2 * _PLATE**2))
            blob = np.exp(-(one**2 / (two * three)) / (2 * _BLOB**2))
            said = (1 - plate) * blob * (1 - np.exp(-(size**2) / (2 * half**2 + 1e-30)))
        said = np.where((own[:, 1] < 0) & (own[:, 2] < 0) & np.isfinite(said), said, 0.0)
        better = said > best
        best[better], at[better] = said[better], scale
    out, scales = np.zeros(where.shape, np.float32), np.zeros(where.shape, np.float32)
    out[where], scales[where] = best, at
    return out, scales
