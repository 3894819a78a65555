"""The histogram of discretised intensities, and the intensity-volume histogram (IBSI families ZVCW and P88C).

Source: IBSI reference manual 3.4 and 3.5; El Naqa et al., Pattern Recognit 42 (2009) 1162.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods.intensity import summary

__all__ = ["histogram", "volume_histogram"]


def histogram(levels: npt.NDArray[np.integer], count: int = 0) -> dict[str, float]:
    """The 23 features of the intensity histogram by IBSI tag.

    Args:
        levels: (voxels,) discretised intensities inside the region, from 1.
        count: number of bins; 0 for the highest that occurs.

    Raises:
        Refused: when there are no voxels.

    >>> found = histogram(np.array([1, 1, 2, 4]))
    >>> found["ih_mode"], found["ih_entropy"], found["ih_min_grad_g"]
    (1.0, 1.5, 1.0)
    """
    x = np.asarray(levels).ravel()
    found = {f"ih_{name}": value for name, value in summary(x.astype(np.float64)).items()}
    bins = np.bincount(x, minlength=max(count, int(x.max())) + 1)[1:].astype(np.float64)
    p = bins[bins > 0] / len(x)
    most = np.flatnonzero(bins == bins.max()) + 1
    gradient = np.gradient(bins) if len(bins) > 1 else np.zeros(1)
    return found | {
        "ih_mode": float(most[np.argmin(np.abs(most - found["ih_mean"]))]),
        "ih_entropy": float(-(p * np.log2(p)).sum()),
        "ih_uniformity": float((p**2).sum()),
        "ih_max_grad": float(gradient.max()),
        "ih_max_grad_g": float(gradient.argmax() + 1),
        "ih_min_grad": float(gradient.min()),
        "ih_min_grad_g": float(gradient.argmin() + 1),
    }


def volume_histogram(
    values: npt.NDArray[np.floating], grid: npt.NDArray[np.floating] | None = None
) -> dict[str, float]:
    """Which share of the region has at least which intensity: six features by IBSI tag.

    Args:
        values: (voxels,) intensities inside the region, each one of `grid`.
        grid: every intensity that there could be, evenly spaced and rising; None for whole numbers between the lowest
            and the highest of `values`.

    Raises:
        Refused: when there are no voxels, or all have one intensity, so that no fraction of a range exists.
    """
    x = np.sort(np.asarray(values, dtype=np.float64).ravel())
    if not len(x):
        raise Refused("a region without voxels", "it has no histogram", "look at the mask and the range")
    g = np.arange(x[0], x[-1] + 1.0) if grid is None else np.asarray(grid, dtype=np.float64)
    if len(g) < 2:
        raise Refused(
            f"one intensity everywhere ({x[0]:g})",
            "there is no range of which to take a fraction",
            "outline a larger region",
        )
    step = (g[-1] - g[0]) / (len(g) - 1)
    volume = 1.0 - np.searchsorted(x, g - 0.25 * step) / len(x)  # values are on the grid, give or take rounding
    fraction = (g - g[0]) / (g[-1] - g[0])
    v10, v90 = (float(volume[np.argmax(fraction >= level - 1e-12)]) for level in (0.10, 0.90))
    i10, i90 = (_intensity(g, volume, share, step) for share in (0.10, 0.90))
    return {
        "ivh_v10": v10,
        "ivh_v90": v90,
        "ivh_i10": i10,
        "ivh_i90": i90,
        "ivh_diff_v10_v90": v10 - v90,
        "ivh_diff_i10_i90": i10 - i90,
    }


def _intensity(g: npt.NDArray[np.float64], volume: npt.NDArray[np.float64], share: float, step: float) -> float:
    """The lowest intensity that at most this share of the region reaches; one step beyond where every one has more."""
    enough = np.flatnonzero(volume <= share + 1e-12)
    return float(g[enough[0]]) if len(enough) else float(g[-1] + step)
