"""How an image looks, in three numbers that no scale of its values changes, to see whether images have changed.

They describe no disease and are no evidence of quality: they are there to be compared with those of earlier images.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["look"]

_MOST = 262_144  # values that are looked at, evenly over the image


def look(array: npt.NDArray[np.generic]) -> tuple[float, float, float] | None:
    """Where the middle of the grey values lies, how far they spread, how rough the image is; None of an even image.

    Values are taken between the 1st (0) and the 99th percentile (1). Other contrast moves the middle and the spread,
    noise, blur and another resolution the roughness, the mean step from one column to the next.

    >>> look(np.arange(400.0).reshape(20, 20))
    (0.5, 0.295, 0.003)
    >>> look(np.zeros((4, 4)))
    """
    x = np.asarray(array)
    if x.ndim < 2 or x.shape[-1] < 2 or np.iscomplexobj(x):
        return None
    rows = x.reshape(-1, x.shape[-1])
    rows = rows[:: max(1, -(-rows.size // _MOST))].astype(np.float32)
    known = rows[np.isfinite(rows)]
    if not known.size:
        return None
    low, middle, high = np.percentile(known, (1, 50, 99))
    if not high > low:
        return None
    grey = np.clip((rows - low) / (high - low), 0, 1)
    steps = np.abs(np.diff(grey, axis=1))
    told = (middle - low) / (high - low), np.nanstd(grey), np.nanmean(steps)
    return tuple(round(float(v), 3) for v in told)  # type: ignore[return-value]
