"""Where frames lie along the normal of their plane, and which of them share a place.

Slices are ordered by Image Position (Patient); Slice Location is never asked, for it is optional, rounded, and on some
scanners relative to the table.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isocenter.dicom.placed import Placed

__all__ = ["Cells", "least_apart_mm", "nearly_at_one_place", "normal", "places"]

Cells = list[list[Placed]]
"""The frames of each place, places in order along the normal."""

_APART_MM = 0.02  # closer than this, two frames lie at one place
_NEARLY = 0.1  # of the thickness of a slice
_LEAST_TIMES = 10  # by which slices that moved with the head are known


def normal(one: Placed) -> npt.NDArray[np.float64]:
    """The direction across the plane of a frame, of length one."""
    across: npt.NDArray[np.float64] = np.cross(one.orientation[:3], one.orientation[3:])
    return across / np.linalg.norm(across)


def least_apart_mm(one: Placed) -> float:
    """How far apart frames must lie to be at two places."""
    return min(_APART_MM, 0.1 * min(one.spacing))


def places(group: list[Placed]) -> Cells:
    """Frames by place, ordered along the normal."""
    across = normal(group[0])
    depth = np.array([one.position @ across for one in group])
    apart = least_apart_mm(group[0])
    cells: Cells = []
    last = -np.inf
    for n in np.argsort(depth, kind="stable"):
        if depth[n] - last > apart:
            cells.append([])
            last = depth[n]
        cells[-1].append(group[int(n)])
    return cells


def nearly_at_one_place(group: list[Placed]) -> Cells | None:
    """Frames by place, where a scanner moved its slices with the head by less than a tenth of their thickness.

    None where they do not make as many frames at each place then, far from those of the next.
    """
    across, thick = normal(group[0]), min(one.thickness for one in group)
    depth = np.array([one.position @ across for one in group])
    order = np.argsort(depth, kind="stable")
    cuts = np.flatnonzero(np.diff(depth[order]) > _NEARLY * thick) + 1
    parts = np.split(order, cuts)
    spread = max(float(np.ptp(depth[part])) for part in parts)
    if len({len(part) for part in parts}) > 1 or len(parts[0]) < _LEAST_TIMES or spread > _NEARLY * thick:
        return None
    return [[group[int(n)] for n in part] for part in parts]
