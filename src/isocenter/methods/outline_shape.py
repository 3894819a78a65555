"""What the outline of a left ventricle over its slices looks like: which way it leans, and how round it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["elongation", "lean_deg"]

Mask = npt.NDArray[np.bool_]


def lean_deg(cavity: Mask, slices: Sequence[int], spacing_mm: tuple[float, float, float]) -> float:
    """Angle between the normal of the slices and the line through the middles of the cavity.

    Args:
        cavity: (slices, rows, columns). slices: that count.
        spacing_mm: between slices, rows and columns.

    >>> leaning = np.zeros((3, 9, 9), bool)
    >>> leaning[0, 1:4, 4] = leaning[1, 2:5, 4] = leaning[2, 3:6, 4] = True
    >>> round(lean_deg(leaning, range(3), (1.0, 1.0, 1.0)))
    45
    """
    shown = [k for k in slices if cavity[k].any()]
    if len(shown) < 2:
        return 0.0
    middles = np.array([[float(at.mean()) for at in np.nonzero(cavity[k])] for k in shown]) * spacing_mm[1:]
    weights = np.sqrt([np.count_nonzero(cavity[k]) for k in shown])
    slope = np.polyfit(np.array(shown) * spacing_mm[0], middles, 1, w=weights)[0]
    return float(np.degrees(np.arctan(np.hypot(*slope))))


def elongation(mask: Mask, spacing_mm: tuple[float, float]) -> float:
    """Length by width: of an ellipse, that of its axes.

    >>> elongation(np.ones((4, 4), bool), (2.0, 1.0))
    2.0
    """
    spread = np.cov(np.array(np.nonzero(mask)) * np.array(spacing_mm)[:, None], bias=True)
    least, most = np.linalg.eigvalsh(spread)
    return float(np.sqrt(most / max(float(least), 1e-9)))
