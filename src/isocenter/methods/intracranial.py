"""What lies within the skull: the brain with its vessels and fluid, and of it the tissue that perfusion is about.

Bone and air are told by their Hounsfield units, so on CT the brain is the largest soft part that is left when thin
layers (scalp, muscle between bones) are worn away. On MR of the brain the brain is what has signal.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from isocenter.errors import Refused
from isocenter.methods import in_plane
from isocenter.methods.components import labelled
from isocenter.methods.distance import depth_mm
from isocenter.methods.opening import filled

__all__ = ["brain_ct", "brain_mr", "tissue_ct", "tissue_mr"]

Floats = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]

_SOFT_HU = (-15.0, 120.0)
_FLUID_HU = 15.0
_CALCIUM_HU = 90.0
_WORN_MM = 5.0
_SMALLEST_ML = 50.0
_LARGEST_CM2 = (320.0, 400.0)  # of a slice: of brains up to 200; on MR face and neck may be joined to one
_BONE_HU, _BONE_MM, _ENCLOSED = 150.0, 12.0, 0.4  # skull, how far from the brain, along what share of its outline
_NO_CT, _NO_MR = "no brain on these CT images", "no brain on these MR images"
_COMPACT = (
    4.0  # area over that of the largest disc within: an ellipse of four to one; skull between scalp and brain has 20
)


def brain_ct(attenuation: Floats, spacing_mm: tuple[float, float, float]) -> Mask:
    """Within the skull, on unenhanced CT.

    Args:
        attenuation: (slices, rows, columns) HU: the mean of the frames before the bolus.
        spacing_mm: along (slice, row, column).

    Raises:
        Refused: when there is no such part of 50 mL.
    """
    calm = in_plane.blurred(attenuation[None].astype(np.float32), (1.0 / spacing_mm[1], 1.0 / spacing_mm[2]))[0]
    soft = np.asarray((calm > _SOFT_HU[0]) & (calm < _SOFT_HU[1]))
    brain = _largest_worn(soft, spacing_mm, _NO_CT, "a head has soft tissue within bone")
    _must_be_of_a_head(brain, spacing_mm, _NO_CT, _LARGEST_CM2[0])
    _must_lie_in_bone(brain, calm, spacing_mm)
    return brain


def brain_mr(signal: Floats, spacing_mm: tuple[float, float, float]) -> Mask:
    """What has signal, on a T2*-weighted image of the brain; scalp is left out where skull parts it from the brain.

    Raises:
        Refused: when there is no such part of 50 mL.
    """
    calm = in_plane.blurred(signal[None].astype(np.float32), (1.5 / spacing_mm[1], 1.5 / spacing_mm[2]))[0]
    if not calm.max() > calm.min():
        raise Refused(_NO_MR, f"every voxel has the value {float(calm.flat[0]):g}", "send the series again")
    bright = np.asarray(calm > _otsu(calm))
    filled = np.stack([one | _compact_holes(one, (spacing_mm[1], spacing_mm[2])) for one in bright])
    brain = _largest_worn(filled, spacing_mm, _NO_MR, "signal and background cannot be told apart")
    _must_be_of_a_head(brain, spacing_mm, _NO_MR, _LARGEST_CM2[1])
    return brain


def tissue_ct(attenuation: Floats, brain: Mask, spacing_mm: tuple[float, float, float]) -> Mask:
    """Brain without fluid and calcium: between 15 and 90 HU once noise is averaged within 2 mm."""
    calm = smooth_within(attenuation[None].astype(np.float32), brain, spacing_mm, 2.0)[0]
    tissue = np.zeros(brain.shape, bool)
    tissue[brain] = (calm > _FLUID_HU) & (calm < _CALCIUM_HU)
    return tissue


def tissue_mr(signal: Floats, brain: Mask) -> Mask:
    """Brain without fluid: fluid is brighter than 1.7 times the median on T2*-weighted images."""
    middle = float(np.median(signal[brain]))
    return np.asarray(brain & (signal < 1.7 * middle))


def smooth_within(
    frames: npt.NDArray[np.float32], mask: Mask, spacing_mm: tuple[float, float, float], width_mm: float
) -> npt.NDArray[np.float32]:
    """Curves of the voxels of a mask, smoothed in the slice by a Gaussian that takes nothing from outside of it.

    Args:
        frames: (frames, slices, rows, columns).
        width_mm: full width at half maximum; 0 for none.

    Returns:
        (frames, voxels), in the order of `frames[:, mask]`.
    """
    if width_mm <= 0:
        return np.asarray(frames[:, mask], np.float32)
    return in_plane.within(frames, mask, (width_mm / 2.3548 / spacing_mm[1], width_mm / 2.3548 / spacing_mm[2]))


def _largest_worn(soft: Mask, spacing_mm: tuple[float, float, float], what: str, why: str) -> Mask:
    """The largest part that stays joined when 5 mm are worn off in the slice, grown back within what it came from."""
    outside = np.pad(soft, ((0, 0), (1, 1), (1, 1)))
    worn = _in_slice(outside, (spacing_mm[1], spacing_mm[2]))[:, 1:-1, 1:-1] > _WORN_MM
    parts, count = labelled(worn)
    voxel_ml = float(np.prod(spacing_mm)) / 1000.0
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    sizes[0] = 0
    if not count or sizes.max() * voxel_ml < _SMALLEST_ML:
        raise Refused(what, why, "give a perfusion series of a head")
    kept = parts == int(sizes.argmax())
    radius = [max(1, round(_WORN_MM / s)) + 0.5 for s in spacing_mm[1:]]
    grown = (_in_slice(~kept, (1.0 / radius[0], 1.0 / radius[1])) <= 1.0) & soft
    return np.asarray(np.stack([filled(one) for one in grown]))


def _must_be_of_a_head(brain: Mask, spacing_mm: tuple[float, float, float], what: str, most_cm2: float) -> None:
    area_cm2 = float(np.count_nonzero(brain, axis=(1, 2)).max()) * spacing_mm[1] * spacing_mm[2] / 100.0
    if area_cm2 > most_cm2:
        raise Refused(
            what,
            f"the largest part has {area_cm2:.0f} cm2 in a slice, and a head at most {most_cm2:g}: it is a trunk",
            "give a perfusion series of a head",
        )


def _must_lie_in_bone(brain: Mask, attenuation: Floats, spacing_mm: tuple[float, float, float]) -> None:
    """Refuse soft tissue around which no skull lies; where a part of it was taken out, most of it is still there."""
    outline = brain & (_in_slice(brain, (spacing_mm[1], spacing_mm[2])) <= max(spacing_mm[1:]) + 1e-6)
    near = _in_slice(attenuation <= _BONE_HU, (spacing_mm[1], spacing_mm[2])) <= _BONE_MM
    share = float(near[outline].mean())
    if share < _ENCLOSED:
        raise Refused(
            _NO_CT,
            f"bone lies along {100 * share:.0f} % of the outline of the largest soft part: no skull is around it",
            "give a perfusion series of a head",
        )


def _compact_holes(bright: Mask, spacing_mm: tuple[float, float]) -> Mask:
    """Dark spots of one slice that lie within what is bright (a bleeding, a flow void), and not the dark skull between
    a bright scalp and the brain: filled, that would join the two.
    """
    holes = filled(bright) & ~bright
    parts, count = ndimage.label(holes)
    if not count:
        return np.zeros_like(bright)
    number = np.arange(1, count + 1)
    radius = ndimage.maximum(ndimage.distance_transform_edt(holes, sampling=spacing_mm), parts, number)
    area = ndimage.sum_labels(holes, parts, number) * spacing_mm[0] * spacing_mm[1]
    return np.asarray(np.concatenate([[False], area <= _COMPACT * np.pi * np.square(radius)])[parts])


def _in_slice(mask: Mask, spacing_mm: tuple[float, float]) -> npt.NDArray[np.float32]:
    """Distance within its slice to what is not of the mask; infinite in a slice that is all of it."""
    return np.concatenate([depth_mm(one[None], (1.0, *spacing_mm)) for one in mask])


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
