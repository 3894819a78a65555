"""How sharp an image is: the width of its steepest edges.

An edge that rises by a contrast c with a greatest slope s per pixel is c / s pixels wide. Blur makes every edge wide,
noise does not, and an image without edges says nothing. The steepest edges are taken because anatomy has soft edges
too; only when even the steepest are wide is the image blurred.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["edge_width"]

_REACH = 8  # pixels about an edge in which its contrast is sought; wider edges count as twice this
_STEEPEST = 0.002


def edge_width(image: npt.NDArray[np.floating], noise: float = 0.0) -> float | None:
    """Median width of the steepest edges in pixels; None where no edge stands out of the noise.

    Args:
        image: (rows, columns), at its own pixels: a resized image has other edges.
        noise: standard deviation of the noise, in the image's unit.

    >>> step = np.zeros((64, 64)); step[:, 32:] = 100.0
    >>> edge_width(step)
    2.0
    """
    from scipy import ndimage

    if min(image.shape) < 2 * _REACH:
        return None
    # Light smoothing keeps single noisy pixels from being the steepest; its own width is taken off at the end.
    smooth = ndimage.gaussian_filter(image.astype(np.float32), 0.7) if noise > 0 else image.astype(np.float32)
    gy, gx = (np.abs(g) for g in np.gradient(smooth))
    slope = np.hypot(gx, gy)
    count = max(16, int(slope.size * _STEEPEST))
    least = np.partition(slope.ravel(), -count)[-count]
    if least <= 3.0 * noise * 0.4 or least <= 0:  # smoothing leaves about 0.4 of the noise in a slope
        return None
    at = slope >= least
    size = 2 * _REACH + 1
    high = ndimage.maximum_filter(smooth, size)[at]
    low = ndimage.minimum_filter(smooth, size)[at]
    return float(np.median((high - low) / slope[at]))
