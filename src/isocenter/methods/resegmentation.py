"""Which voxels of a drawn region are measured: those within a range of intensities, and without outliers.

A lung tumour's outline takes in air and rib; air at -1000 HU would rule every statistic. The outline itself stays:
shape is measured on what was drawn.

Source: IBSI reference manual 2.5. Where both are asked, outliers are those of the whole region, not of what the range
left.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused

__all__ = ["resegmented"]

Mask = npt.NDArray[np.bool_]


def resegmented(
    image: npt.NDArray[np.floating],
    mask: Mask,
    *,
    within: tuple[float, float] | None = None,
    outliers_sd: float | None = None,
) -> Mask:
    """The voxels of a region that are to be measured.

    Args:
        image: (slices, rows, columns) intensities.
        mask: the region as it was drawn.
        within: lowest and highest intensity that are kept, both included.
        outliers_sd: voxels farther from the region's mean than so many standard deviations are left out.

    Raises:
        Refused: when the region is empty, holds values that are not numbers, or nothing is left.
    """
    x = np.asarray(image[mask], dtype=np.float64)
    if not x.size:
        raise Refused("a region without voxels", "there is nothing to measure", "look at the mask")
    if not np.isfinite(x).all():
        raise Refused(
            "intensities that are not numbers in the region",
            "a mean over them would not be one",
            "send the image again",
        )
    low, high = within or (-np.inf, np.inf)
    if outliers_sd is not None:
        mean, spread = float(x.mean()), float(x.std())
        low, high = max(low, mean - outliers_sd * spread), min(high, mean + outliers_sd * spread)
    kept = mask & (image >= low) & (image <= high)
    if not kept.any():
        raise Refused(
            f"no voxel of the region between {low:g} and {high:g}",
            f"its intensities run from {float(x.min()):g} to {float(x.max()):g}",
            "choose another range, or look whether the mask lies on this image",
        )
    return np.asarray(kept)
