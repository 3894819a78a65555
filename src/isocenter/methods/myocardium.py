"""Wall thickness, thickening and the 17 segments of the left ventricle (Cerqueira et al., Circulation 105 (2002) 539).

Thickness is taken at points of the middle line of the muscle as the sum of the distances to the endocardial and to the
epicardial outline, which is the length of the chord across the wall; for two circles about one centre it is the
difference of their radii. Angles count counter-clockwise from the patient's left in the picture of the textbook (septum
on the left); segment 1 (anterior) is centred on the direction `anterior_deg`, by default upwards, towards the head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from isocenter.errors import Refused

__all__ = ["SEGMENTS", "levels", "segment_means", "thickening_percent", "wall_thickness"]

SEGMENTS = (
    "basal anterior", "basal anteroseptal", "basal inferoseptal", "basal inferior", "basal inferolateral",
    "basal anterolateral", "mid anterior", "mid anteroseptal", "mid inferoseptal", "mid inferior", "mid inferolateral",
    "mid anterolateral", "apical anterior", "apical septal", "apical inferior", "apical lateral", "apex",
)  # fmt: skip
"""The 17 segments in the order of their numbers."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Thickness:
    """Thickness of the wall of one slice around the clock: angles in degrees and millimetres."""

    angle_deg: Floats
    thickness_mm: Floats

    @property
    def mean_mm(self) -> float:
        """Mean over the circumference."""
        return float(self.thickness_mm.mean())


def wall_thickness(endo_mm: npt.ArrayLike, epi_mm: npt.ArrayLike, *, points: int = 72) -> Thickness:
    """Thickness around the clock from two closed outlines of one slice.

    Args:
        endo_mm, epi_mm: (n, 2) corners (row, column) in millimetres, rows counted downwards.
        points: angles at which the wall is measured.

    Raises:
        Refused: when an outline has too few corners or the epicardium does not lie around the endocardium.

    >>> t = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    >>> circle = np.stack([np.sin(t), np.cos(t)], 1)
    >>> round(wall_thickness(20 * circle, 29 * circle).mean_mm, 2)
    9.0
    """
    inner, outer = _dense(endo_mm), _dense(epi_mm)
    centre = inner.mean(axis=0)
    angle = np.linspace(0.0, 360.0, points, endpoint=False)
    r_in, r_out = _radius(inner - centre, angle), _radius(outer - centre, angle)
    if (r_out <= r_in).any():
        raise Refused(
            "an epicardial outline that crosses the endocardial", "the wall would have no thickness", "draw them again"
        )
    direction = np.stack([-np.sin(np.radians(angle)), np.cos(np.radians(angle))], axis=1)
    low, high = r_in.copy(), r_out.copy()
    for _ in range(14):  # where both outlines are equally far is the middle of the wall, to 0.003 mm in one of 50 mm
        middle = (low + high) / 2.0
        at = centre + middle[:, None] * direction
        nearer = _nearest_mm(at, inner) < _nearest_mm(at, outer)
        low, high = np.where(nearer, middle, low), np.where(nearer, high, middle)
    at = centre + ((low + high) / 2.0)[:, None] * direction
    return Thickness(angle, _nearest_mm(at, inner) + _nearest_mm(at, outer))


def levels(slices: Sequence[int]) -> dict[int, str]:
    """Slice -> basal, mid or apical: thirds of the slices that hold the cavity, given from base to apex.

    >>> levels([3, 4, 5, 6, 7, 8])
    {3: 'basal', 4: 'basal', 5: 'mid', 6: 'mid', 7: 'apical', 8: 'apical'}
    """
    n = len(slices)
    return {k: ("basal", "mid", "apical")[min(2, i * 3 // n)] for i, k in enumerate(slices)}


def segment_means(by_slice: Sequence[tuple[str, Thickness]], *, anterior_deg: float = 90.0) -> tuple[float | None, ...]:
    """Mean of a value around the clock in each of the 17 segments; None where there is none.

    Args:
        by_slice: level (``"basal"``, ``"mid"``, ``"apical"``) and values of each slice.
        anterior_deg: direction of the middle of segment 1.

    Returns:
        17 values. The apex (17) lies beyond the cavity and is not seen by a short axis: None.
    """
    held: list[list[float]] = [[] for _ in range(17)]
    for level, values in by_slice:
        count, first = {"basal": (6, 0), "mid": (6, 6), "apical": (4, 12)}[level]
        width = 360.0 / count
        place = np.floor(((values.angle_deg - anterior_deg + width / 2.0) % 360.0) / width).astype(int) % count
        for segment in range(count):
            held[first + segment] += values.thickness_mm[place == segment].tolist()
    return tuple(float(np.mean(v)) if v else None for v in held)


def thickening_percent(
    diastole_mm: Sequence[float | None], systole_mm: Sequence[float | None]
) -> tuple[float | None, ...]:
    """(systole - diastole) / diastole for each segment, per cent; None where either is missing.

    >>> thickening_percent([8.0, None], [12.0, 9.0])
    (50.0, None)
    """
    return tuple(
        None if a is None or b is None or a <= 0 else 100.0 * (b - a) / a
        for a, b in zip(diastole_mm, systole_mm, strict=True)
    )


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"nnan"})  # the least of several at once
def _nearest_mm(points: Floats, line: Floats) -> Floats:
    """How far each point lies from the nearest corner of a line: of so few, looking at all is faster than a tree."""
    found = np.empty(len(points))
    for i in range(len(points)):
        least = np.inf
        for j in range(len(line)):
            down, across = line[j, 0] - points[i, 0], line[j, 1] - points[i, 1]
            least = min(least, down * down + across * across)
        found[i] = np.sqrt(least)
    return found


def _dense(outline: npt.ArrayLike, step_mm: float = 0.25) -> Floats:
    points = np.asarray(outline, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 3 or not np.isfinite(points).all():
        raise Refused(
            f"an outline of shape {points.shape}",
            "it needs three finite corners (row, column) or more",
            "outline it again",
        )
    closed = np.vstack([points, points[:1]])
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    at = np.linspace(0.0, length[-1], max(16, int(length[-1] / step_mm)), endpoint=False)
    return np.stack([np.interp(at, length, closed[:, i]) for i in range(2)], axis=1)


def _radius(around: Floats, angle_deg: Floats) -> Floats:
    """Distance of an outline from the centre at each angle (the farthest where a ray meets it more than once)."""
    angle = np.degrees(np.arctan2(-around[:, 0], around[:, 1])) % 360.0
    distance = np.linalg.norm(around, axis=1)
    order = np.argsort(angle, kind="stable")
    return np.asarray(np.interp(angle_deg, angle[order], distance[order], period=360.0), dtype=np.float64)
