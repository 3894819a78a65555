"""Ghosts of motion in MR: copies of the object beside it, along the direction of phase encoding.

Air beside the object is equally dark on all sides, unless something moved between the phase-encoding steps: then
copies of it lie before and behind it along that direction only.

Source: ACR MRI quality control manual (2015), percent signal ghosting: the difference of the two pairs of background
regions over twice the mean signal; a phantom scan is accepted up to 2.5 %.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isocenter.methods.noise import otsu

__all__ = ["ghosting"]

_MARGIN = 0.04  # of the side of the image, kept free of the object's own soft edge


def ghosting(image: npt.NDArray[np.floating], phase_axis: int) -> float | None:
    """Ghost signal as a share of the object's signal; None where the object leaves no background to look at.

    Args:
        image: (rows, columns) magnitude.
        phase_axis: 0 when phase is encoded along a column (``COL``), 1 along a row (``ROW``).

    >>> image = np.zeros((100, 100)); image[30:70, 30:70] = 100.0; image[5:15, 30:70] = 10.0
    >>> round(ghosting(image, 0), 3), round(ghosting(image, 1), 3)
    (0.02, -0.02)
    """
    rows, columns = image.shape
    body = image > otsu(image)
    if not body.any():
        return None
    lines, across = np.flatnonzero(body.mean(axis=1) > 0.02), np.flatnonzero(body.mean(axis=0) > 0.02)
    if not len(lines) or not len(across):
        return None
    edge = [max(2, int(n * _MARGIN)) for n in image.shape]
    top, bottom = lines[0] - edge[0], lines[-1] + 1 + edge[0]
    left, right = across[0] - edge[1], across[-1] + 1 + edge[1]
    # A thin outer rim is left out as well: scanners pad and taper it.
    a, b = (max(1, n // 64) for n in image.shape)
    column, row = slice(across[0], across[-1] + 1), slice(lines[0], lines[-1] + 1)
    before_after = [image[a:top, column] if top > a else None, image[bottom : rows - a, column]]
    beside = [image[row, b:left] if left > b else None, image[row, right : columns - b]]
    vertical, horizontal = _mean(before_after, 0, edge[0]), _mean(beside, 1, edge[1])
    if vertical is None or horizontal is None:
        return None
    signal = float(np.median(image[body]))
    along, other = (vertical, horizontal) if phase_axis == 0 else (horizontal, vertical)
    return (along - other) / signal if signal > 0 else None


def _mean(strips: list[npt.NDArray[np.floating] | None], axis: int, least: int) -> float | None:
    wide = [s for s in strips if s is not None and s.shape[axis] >= least and s.size]
    return float(np.mean([s.mean() for s in wide])) if wide else None
