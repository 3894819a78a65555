"""What lies beyond both ends of a left ventricle on the short axis: the blood of the atrium, or fat, lung and liver.

Beyond the base the cavity goes on, as atrium and outflow; beyond the apex it is closed by muscle. So the slice beyond
the end where more blood lies is the one towards the base.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Beyond", "beyond_ventricle"]

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
_BESIDE = 3  # slices of the ventricle whose greys say how bright blood and muscle are at that end


@dataclass(frozen=True)
class Beyond:
    """Mean share of blood, 0 to 1, in the place of the cavity one slice beyond it; None where no slice lies there.

    Args:
        first, last: before the first and after the last slice that counts.
    """

    first: float | None
    last: float | None


def beyond_ventricle(pictures: Array, cavity: Mask, muscle: Mask, slices: Sequence[int]) -> Beyond:
    """How much blood lies one slice beyond either end, on a scale from the muscle to the blood of that end.

    Args:
        pictures: (phases, slices, rows, columns) over one beat, of which the mean counts.
        cavity, muscle: masks (slices, rows, columns) of the ventricle. slices: that count, one after the other.
    """
    first, last = slices[:_BESIDE], slices[-_BESIDE:]
    return Beyond(
        _blood(pictures, cavity, muscle, first, slices[0], slices[0] - 1),
        _blood(pictures, cavity, muscle, last, slices[-1], slices[-1] + 1),
    )


def _blood(pictures: Array, cavity: Mask, muscle: Mask, beside: Sequence[int], end: int, beyond: int) -> float | None:
    if not 0 <= beyond < pictures.shape[1] or not cavity[end].any():
        return None
    chosen = list(beside)
    mean = pictures[:, chosen].mean(axis=0)
    inner, ring = cavity[chosen], muscle[chosen]
    if not ring.any():
        return None
    blood, flesh = float(np.median(mean[inner])), float(np.median(mean[ring]))
    if blood <= flesh:
        return None
    there = pictures[:, beyond][:, cavity[end]].mean(axis=0)
    return float(np.clip((there - flesh) / (blood - flesh), 0.0, 1.0).mean())
