"""Where in a fat-water scan of the abdomen the liver is measured, and what is left out of it.

The liver is looked for as the largest thick piece of watery tissue on the right of the body: what lies more than a
centimetre from fat, air and bone. That is a place to measure in, well inside, and no segmentation. Vessels and bile
ducts inside differ from the liver around them in fat and in R2*; what differs far more than the liver itself varies is
left out (the rule: no vessels wider than 3 mm in the region).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from isocenter.errors import Refused
from isocenter.methods.distance import depth_mm

__all__ = ["liver_core", "without_vessels"]

Array = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]

_DEEP_MM, _MARGIN_MM = 12.0, 6.0
_WATERY_PERCENT = 65.0
_LEAST_ML = 40.0
_MOST_LEFT_OUT = 0.4
_UNLIKE, _UNLIKE_FAT = 0.35, 15.0  # of the middle; fat varies by fewer points within one liver, however fat it is
_FAR = 3.5  # in robust standard deviations


def liver_core(pdff: Array, signal: Mask, spacing_mm: tuple[float, float, float], right: Mask) -> Mask:
    """A region well inside the liver.

    Args:
        pdff: (slices, rows, columns) percent.
        signal: where there is signal.
        spacing_mm: of the voxels.
        right: the right half of the patient's body.

    Raises:
        Refused: when no thick watery piece of 40 mL lies there.
    """
    watery = signal & (np.nan_to_num(pdff, nan=100.0) < _WATERY_PERCENT)
    watery = ndimage.binary_closing(watery, np.ones((1, 3, 3), bool), border_value=0)
    # Slices at the ends are no borders of the liver: only distance within a slice counts.
    flat = (1e6, spacing_mm[1], spacing_mm[2])
    depth = depth_mm(watery, flat, _DEEP_MM + 1.0)
    labels, count = ndimage.label((depth > _DEEP_MM) & right)
    voxel_ml = float(np.prod(spacing_mm)) / 1000.0
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    if not count or sizes.max() * voxel_ml < 0.2 * _LEAST_ML:
        raise Refused(
            "no liver was found", "no thick piece of watery tissue lies on the right", "draw the liver or its segments"
        )
    seed = labels == 1 + int(sizes.argmax())
    near = depth_mm(~seed, flat, _DEEP_MM) <= _DEEP_MM - _MARGIN_MM
    core = np.asarray(near & (depth > _MARGIN_MM))
    if core.sum() * voxel_ml < _LEAST_ML:
        raise Refused(
            f"a liver of {core.sum() * voxel_ml:.0f} mL", f"less than {_LEAST_ML:g} mL are no liver", "draw the liver"
        )
    return core


def without_vessels(region: Mask, *maps: Array) -> tuple[Mask, float]:
    """The region without what differs far from it, and the share that was left out.

    Args:
        region: (slices, rows, columns).
        maps: of the same shape: the fat fraction in per cent, then others such as R2*.

    Raises:
        Refused: when more than 40 % would have to be left out, or the values are no one tissue's.
    """
    kept = region.copy()
    # What lies more than a voxel from the region is not looked at.
    box = tuple(slice(max(int(at.min()) - 1, 0), int(at.max()) + 2) for at in np.nonzero(region))
    region = region[box]
    for number, each in enumerate(whole[box] for whole in maps):
        # The mean of what there is: a hole in the map beside a voxel says nothing of it.
        known = ndimage.uniform_filter(np.isfinite(each).astype(np.float64), (1, 3, 3))
        smooth = ndimage.uniform_filter(np.nan_to_num(each).astype(np.float64), (1, 3, 3)) / np.maximum(known, 1e-9)
        values = smooth[region]
        middle = float(np.median(values))
        # The nearest quarter says how much liver varies, also where much of the region is something else.
        spread = float(np.percentile(np.abs(values - middle), 25)) / 0.3186
        most = 4.0 + _UNLIKE * abs(middle)
        if spread > (most if number else min(most, _UNLIKE_FAT)):
            raise Refused(
                f"a region whose values lie around {middle:.0f} with a spread of {spread:.0f}",
                "no one tissue varies so much: it holds more than liver, and differs from the rest of it",
                "draw it inside the liver, away from vessels",
            )
        kept[box] &= np.isfinite(each) & (np.abs(smooth - middle) <= _FAR * max(spread, 1e-6 + 0.05 * abs(middle)))
    share = 1.0 - float(kept.sum()) / max(1, int(region.sum()))
    if share > _MOST_LEFT_OUT:
        raise Refused(
            f"{100 * share:.0f} % of the region differs from the rest",
            "it holds more than liver: vessels, fat or air",
            "draw it inside the liver, away from vessels",
        )
    return kept, share
