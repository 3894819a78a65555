"""What lies within the skull: the brain with its vessels and fluid, and of it the tissue that perfusion is about.

Bone and air are told by their Hounsfield units, so on CT the brain is the largest soft part that is left when thin
layers (scalp, muscle between bones) are worn away. On MR of the brain the brain is what has signal.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from isocenter.errors import Refused
from isocenter.methods.components import labelled

__all__ = ["brain_ct", "brain_mr", "tissue_ct", "tissue_mr"]

Floats = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]

_SOFT_HU = (-15.0, 120.0)
_FLUID_HU = 15.0
_CALCIUM_HU = 90.0
_WORN_MM = 5.0
_SMALLEST_ML = 50.0


def brain_ct(attenuation: Floats, spacing_mm: tuple[float, float, float]) -> Mask:
    """Within the skull, on unenhanced CT.

    Args:
        attenuation: (slices, rows, columns) HU: the mean of the frames before the bolus.
        spacing_mm: along (slice, row, column).

    Raises:
        Refused: when there is no such part of 50 mL.
    """
    calm = ndimage.gaussian_filter(attenuation, (0, 1.0 / spacing_mm[1], 1.0 / spacing_mm[2]))
    soft = np.asarray((calm > _SOFT_HU[0]) & (calm < _SOFT_HU[1]))
    return _largest_worn(soft, spacing_mm, "no brain on these CT images", "a head has soft tissue within bone")


def brain_mr(signal: Floats, spacing_mm: tuple[float, float, float]) -> Mask:
    """What has signal, on a T2*-weighted image of the brain; scalp that is not joined to it is left out.

    Raises:
        Refused: when there is no such part of 50 mL.
    """
    calm = ndimage.gaussian_filter(signal.astype(np.float32), (0, 1.5 / spacing_mm[1], 1.5 / spacing_mm[2]))
    if not calm.max() > calm.min():
        raise Refused("no brain on these MR images", f"every voxel has the value {float(calm.flat[0]):g}")
    bright = np.asarray(calm > _otsu(calm))
    filled = np.stack([ndimage.binary_fill_holes(one) for one in bright])
    return _largest_worn(
        filled, spacing_mm, "no brain on these MR images", "signal and background cannot be told apart"
    )


def tissue_ct(attenuation: Floats, brain: Mask, spacing_mm: tuple[float, float, float]) -> Mask:
    """Brain without fluid and calcium: between 15 and 90 HU once noise is averaged within 2 mm."""
    calm = smooth_within(attenuation[None].astype(np.float32), brain, spacing_mm, 2.0)[0]
    return np.asarray(brain & (calm > _FLUID_HU) & (calm < _CALCIUM_HU))


def tissue_mr(signal: Floats, brain: Mask) -> Mask:
    """Brain without fluid: fluid is brighter than 1.7 times the median on T2*-weighted images."""
    middle = float(np.median(signal[brain]))
    return np.asarray(brain & (signal < 1.7 * middle))


def smooth_within(
    frames: npt.NDArray[np.float32], mask: Mask, spacing_mm: tuple[float, float, float], width_mm: float
) -> npt.NDArray[np.float32]:
    """Gaussian smoothing in the slice that takes nothing from outside the mask.

    Args:
        frames: (frames, slices, rows, columns).
        width_mm: full width at half maximum.

    Returns:
        smoothed within the mask, 0 outside.
    """
    if width_mm <= 0:
        return np.where(mask, frames, np.float32(0)).astype(np.float32)
    sigma = [0.0, *(width_mm / 2.3548 / s for s in spacing_mm[1:])]
    share = ndimage.gaussian_filter(mask.astype(np.float32), sigma, truncate=3.0)
    scale = np.where(mask, 1.0 / np.maximum(share, 1e-6), 0.0).astype(np.float32)
    out = np.empty_like(frames, dtype=np.float32)
    for n, frame in enumerate(frames):
        held = np.where(mask, frame, np.float32(0))
        out[n] = ndimage.gaussian_filter(held, sigma, truncate=3.0) * scale
    return out


def _largest_worn(soft: Mask, spacing_mm: tuple[float, float, float], what: str, why: str) -> Mask:
    """The largest part that stays joined when 5 mm are worn off in the slice, grown back within what it came from."""
    radius = [max(1, round(_WORN_MM / s)) for s in spacing_mm[1:]]
    rows, columns = np.ogrid[-radius[0] : radius[0] + 1, -radius[1] : radius[1] + 1]
    disk = (rows / (radius[0] + 0.5)) ** 2 + (columns / (radius[1] + 0.5)) ** 2 <= 1
    away = np.stack(
        [ndimage.distance_transform_edt(one, sampling=spacing_mm[1:]) for one in np.pad(soft, ((0, 0), (1, 1), (1, 1)))]
    )
    worn = away[:, 1:-1, 1:-1] > _WORN_MM
    parts, count = labelled(worn)
    voxel_ml = float(np.prod(spacing_mm)) / 1000.0
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    sizes[0] = 0
    if not count or sizes.max() * voxel_ml < _SMALLEST_ML:
        raise Refused(what, why, "give a perfusion series of a head")
    kept = parts == int(sizes.argmax())
    grown = np.stack([ndimage.binary_dilation(one, disk) for one in kept]) & soft
    return np.asarray(np.stack([ndimage.binary_fill_holes(one) for one in grown]))


def _otsu(image: Floats) -> float:
    """The threshold that parts two classes of grey best (Otsu 1979)."""
    counts, edges = np.histogram(image, 256)
    middles = 0.5 * (edges[1:] + edges[:-1])
    below = np.cumsum(counts)
    above = below[-1] - below
    total = np.cumsum(counts * middles)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (total / below - (total[-1] - total) / above) ** 2
    return float(middles[int(np.nanargmax(between[:-1]))]) if np.isfinite(between[:-1]).any() else float(edges[0])
