"""On which side of a left ventricle it is brighter: on the textbook's short axis the right ventricle lies there.

The liver lies below it; to the patient's left lies lung, which is dark. In a picture that was
turned or mirrored it lies elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["brighter_side"]

_NEAR_MM, _FAR_MM = 2.0, 25.0  # from the epicardium

Mask = npt.NDArray[np.bool_]


def brighter_side(
    pictures: npt.NDArray[np.float32], cavity: Mask, muscle: Mask, slices: Sequence[int],
    spacing_mm: tuple[float, float],
) -> tuple[float, float]:  # fmt: skip
    """(direction in degrees, counter-clockwise from the right of the picture; strength from 0 to about 0.5).

    Args:
        pictures: (slices, rows, columns) at one phase.
        cavity, muscle: masks of the ventricle on them. slices: that count, from base to apex; the middle half is asked.
        spacing_mm: between rows and between columns.
    """
    from scipy.ndimage import distance_transform_edt

    ends, pulls = len(slices) // 4, []
    for k in slices[ends : len(slices) - ends]:
        blood, flesh = float(np.median(pictures[k][cavity[k]])), float(np.median(pictures[k][muscle[k]]))
        if blood <= flesh:
            continue
        away = distance_transform_edt(~(cavity[k] | muscle[k]), sampling=spacing_mm)
        rows, columns = np.nonzero((away > _NEAR_MM) & (away < _FAR_MM))
        at = np.stack([
            (columns - np.nonzero(cavity[k])[1].mean()) * spacing_mm[1],
            (np.nonzero(cavity[k])[0].mean() - rows) * spacing_mm[0],
        ])  # fmt: skip
        bright = np.clip((pictures[k][rows, columns] - flesh) / (blood - flesh), -1.0, 1.5)
        pulls.append((bright * at / np.maximum(np.hypot(*at), 1e-6)).mean(axis=1))
    if not pulls:
        return 0.0, 0.0
    across, up = np.mean(pulls, axis=0)
    return float(np.degrees(np.arctan2(up, across)) % 360.0), float(np.hypot(across, up))
