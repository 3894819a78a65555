"""Statistics of the intensities of a region, and its local peaks (IBSI families UHIW and 9ST6).

Source: IBSI reference manual 3.2 and 3.3. Variances are those of a population; percentiles lie straight between the
ordered values; kurtosis is in excess of a normal distribution's.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from isocenter.errors import Refused
from isocenter.methods.masked import as_spacing, must_fit

__all__ = ["local_peaks", "statistics", "summary"]

Floats = npt.NDArray[np.float64]

PEAK_RADIUS_MM = (3.0 / (4.0 * np.pi)) ** (1.0 / 3.0) * 10.0  # of a ball of 1 cm3


def statistics(values: npt.NDArray[np.floating]) -> dict[str, float]:
    """The 18 intensity statistics by IBSI tag.

    Args:
        values: (voxels,) intensities inside the region.

    Raises:
        Refused: when there are none, or some are not numbers.

    >>> found = statistics(np.array([1.0, 1.0, 1.0, 3.0]))
    >>> found["stat_mean"], found["stat_energy"], found["stat_iqr"]
    (1.5, 12.0, 0.5)
    """
    x = np.asarray(values, dtype=np.float64).ravel()
    found = summary(x)
    return {f"stat_{name}": value for name, value in found.items()} | {
        "stat_energy": float(x @ x),
        "stat_rms": float(np.sqrt(x @ x / len(x))),
    }


def summary(x: Floats) -> dict[str, float]:
    """What statistics and histogram have in common: mean to quartile coefficient of dispersion, by the tag's end."""
    if not len(x):
        raise Refused("a region without voxels", "it has no intensities", "look at the mask and the range")
    if not np.isfinite(x).all():
        raise Refused("intensities that are not numbers", "a mean over them would not be one", "send the image again")
    mean = float(x.mean())
    from_mean = x - mean
    squares = from_mean**2
    variance = float(squares.mean())
    p10, p25, median, p75, p90 = (float(v) for v in np.percentile(x, (10, 25, 50, 75, 90)))
    middle = x[(x >= p10) & (x <= p90)]
    low, high = float(x.min()), float(x.max())
    flat = variance == 0.0
    return {
        "mean": mean,
        "var": variance,
        "skew": 0.0 if flat else float((squares * from_mean).mean()) / variance**1.5,
        "kurt": 0.0 if flat else float((squares**2).mean()) / variance**2 - 3.0,
        "median": median,
        "min": low,
        "p10": p10,
        "p90": p90,
        "max": high,
        "iqr": p75 - p25,
        "range": high - low,
        "mad": float(np.abs(from_mean).mean()),
        "rmad": float(np.abs(middle - middle.mean()).mean()) if middle.size else float("nan"),
        "medad": float(np.abs(x - median).mean()),
        "cov": float(np.sqrt(variance)) / mean if mean else float("nan"),
        "qcod": (p75 - p25) / (p75 + p25) if p75 + p25 else float("nan"),
    }


def local_peaks(
    image: npt.NDArray[np.floating], mask: npt.NDArray[np.bool_], spacing_mm: tuple[float, float, float]
) -> dict[str, float]:
    """Local and global intensity peak: means over balls of 1 cm3, which may reach out of the region.

    The local peak is that around the voxel of highest intensity (of several, the highest of their peaks); the global
    peak is the highest of all voxels of the region. A ball takes the voxels of the image whose centres it holds.

    Raises:
        Refused: when the region is empty, or no mask of this image; see `isocenter.methods.masked`.
    """
    mask, spacing_mm = must_fit(image, mask), as_spacing(spacing_mm)
    if not mask.any():
        raise Refused("a region without voxels", "it has no peak", "outline it on this image")
    reach = [int(PEAK_RADIUS_MM // s) for s in spacing_mm]
    steps = np.stack(np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij"), axis=-1).reshape(-1, 3)
    ball = steps[np.linalg.norm(steps * spacing_mm, axis=1) <= PEAK_RADIUS_MM]
    at = np.argwhere(mask)
    means = _means(np.ascontiguousarray(image, dtype=np.float64), at, ball)
    held = image[mask]
    return {"loc_peak_loc": float(means[held == held.max()].max()), "loc_peak_glob": float(means.max())}


@njit(cache=True)
def _means(image, at, ball):  # type: ignore[no-untyped-def]
    slices, rows, columns = image.shape
    means = np.empty(len(at))
    for n in range(len(at)):
        total, count = 0.0, 0
        for m in range(len(ball)):
            z, y, x = at[n, 0] + ball[m, 0], at[n, 1] + ball[m, 1], at[n, 2] + ball[m, 2]
            if 0 <= z < slices and 0 <= y < rows and 0 <= x < columns:
                total += image[z, y, x]
                count += 1
        means[n] = total / count
    return means
