"""What a reader measures on an image: lengths, angles, areas, and the values within a line.

Points lie in one plane and carry the unit of their grid: millimetres in the patient or in the plane of a detector,
pixels where an image is not calibrated. Values are those of the pixels whose centres lie within the line; a line so
small that it holds no centre has no mean, and that is said.

Source: RECIST 1.1, Eisenhauer et al., Eur J Cancer 45 (2009) 228 (the short axis stands perpendicular on the long one).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.space import Geometry
from isocenter.space.outline import filled

__all__ = [
    "Values",
    "angle_deg",
    "bidirectional",
    "ellipse_area",
    "ellipse_inside",
    "length",
    "plane_through",
    "polygon_area",
    "polygon_inside",
    "values_of",
]

Points = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_UPRIGHT_DEG = 5.0  # a hand does not draw better than this
_FLAT = 1e-3  # of the extent: how far points may leave their plane


@dataclass(frozen=True)
class Values:
    """Of the pixels within a line: mean, standard deviation (n - 1), smallest, largest and how many."""

    mean: float
    deviation: float
    low: float
    high: float
    count: int


def length(points: Points) -> float:
    """Length of a line through (n, 3) points.

    >>> length(np.array([[0.0, 0, 0], [3, 4, 0], [3, 4, 12]]))
    17.0
    """
    if len(points) < 2:
        raise Refused(f"a line of {len(points)} points", "it has no length", "set two points")
    total = float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())
    if not total:
        raise Refused("a line without length", "both ends are one point", "set the ends apart")
    return total


def bidirectional(points: Points) -> tuple[float, float]:
    """Long and short axis of four points: the ends of the one, then of the other.

    Raises:
        Refused: when the short axis is the longer one, does not cross the long one, or leans by more than 5 degrees
            from its perpendicular.

    >>> bidirectional(np.array([[0.0, 0, 0], [10, 0, 0], [4, -3, 0], [4, 3, 0]]))
    (10.0, 6.0)
    """
    _four(points, "two axes")
    first, second = length(points[:2]), length(points[2:])
    along, across = (points[1] - points[0]) / first, (points[3] - points[2]) / second
    leaning = abs(90.0 - float(np.degrees(np.arccos(np.clip(along @ across, -1.0, 1.0)))))
    if leaning > _UPRIGHT_DEG:
        raise Refused(
            f"axes that lean by {leaning:.0f} degrees from the perpendicular",
            "the short axis is measured at right angles to the long one (RECIST 1.1)",
            "draw it again",
        )
    if second > first + 1e-9:
        raise Refused(
            "a short axis longer than the long one", "their names would be wrong", "draw the longer one first"
        )
    ends = (points[2:] - points[0]) @ along
    sides = (points[2:] - points[0]) - ends[:, None] * along
    if not (-1e-6 <= ends.mean() <= first + 1e-6) or sides[0] @ sides[1] > 1e-9:
        raise Refused("two axes that do not cross", "they are not of one thing", "draw the short axis through the long")
    return first, second


def angle_deg(points: Points) -> float:
    """The angle at the middle one of three points.

    >>> round(angle_deg(np.array([[1.0, 0, 0], [0, 0, 0], [0, 2, 0]])), 6)
    90.0
    """
    if len(points) != 3:
        raise Refused(f"an angle of {len(points)} points", "it has three", "set an end, the vertex and the other end")
    a, b = points[0] - points[1], points[2] - points[1]
    if not (np.linalg.norm(a) and np.linalg.norm(b)):
        raise Refused("an angle with an arm without length", "it has no direction", "set the points apart")
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)))


def ellipse_area(points: Points) -> float:
    """Area of an ellipse from the ends of its two axes.

    >>> round(ellipse_area(np.array([[-2.0, 0, 0], [2, 0, 0], [0, -1, 0], [0, 1, 0]])), 6)
    6.283185
    """
    _four(points, "an ellipse")
    area = float(np.pi * np.linalg.norm(np.cross(points[1] - points[0], points[3] - points[2])) / 4.0)
    if not area:
        raise Refused("an ellipse without area", "its axes lie on one line", "draw it wider")
    return area


def polygon_area(points: Points) -> float:
    """Area within a closed line through (n, 3) points of one plane.

    Raises:
        Refused: fewer than three points, points that leave their plane, a line that crosses itself, or no area.

    >>> polygon_area(np.array([[0.0, 0, 5], [4, 0, 5], [4, 3, 5], [0, 3, 5]]))
    12.0
    """
    flat = _flat(points)
    if _crosses_itself(flat):
        raise Refused("a line that crosses itself", "what it encloses is counted twice or not at all", "draw it again")
    x, y = flat.T
    area = abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2.0
    if area <= 0:
        raise Refused("a line without area", "all its points lie on one line", "draw it wider")
    return area


def ellipse_inside(points: Points, plane: Geometry) -> Bools:
    """(rows, columns) of a plane: which pixel centres lie within the ellipse."""
    at = plane.to_index(points)[:, 1:]
    centre, axes = at.mean(axis=0), np.column_stack([at[1] - at[0], at[3] - at[2]]) / 2.0
    around = _pixels(plane, at, np.abs(axes).sum(axis=1) + 1.0)
    if around is None:
        return np.zeros(plane.shape[1:], dtype=bool)
    rows, columns = around
    grid = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1) - centre
    inside = np.zeros(plane.shape[1:], dtype=bool)
    unit = grid @ np.linalg.inv(axes).T
    inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = (unit**2).sum(axis=-1) <= 1.0 + 1e-9
    return inside


def polygon_inside(points: Points, plane: Geometry) -> Bools:
    """(rows, columns) of a plane: which pixel centres lie within the closed line (even-odd rule) or on it."""
    return filled([plane.to_index(points)[:, 1:]], (plane.shape[1], plane.shape[2]))


def values_of(image: npt.NDArray[np.number], inside: Bools) -> Values:
    """Statistics of the pixels within a line, in float64.

    Raises:
        Refused: no pixel centre lies within, or a value is not finite.
    """
    chosen = np.asarray(image[inside], dtype=np.float64)
    if not chosen.size:
        raise Refused("a line that holds no pixel", "it has no mean", "draw it larger, or use the probe")
    if not np.isfinite(chosen).all():
        raise Refused("a region with values that are not numbers", "its mean would be none either", "move the line")
    deviation = float(chosen.std(ddof=1)) if chosen.size > 1 else 0.0
    return Values(float(chosen.mean()), deviation, float(chosen.min()), float(chosen.max()), int(chosen.size))


def plane_through(points: Points, grid: Geometry, normal: Points) -> Geometry:
    """A plane of square pixels through points drawn on a reformatted image, just large enough to hold them.

    Args:
        points: (n, 3) millimetres.
        grid: of the volume; the finest of its steps is the plane's pixel.
        normal: (3,) of the plane.

    Raises:
        Refused: the points leave the plane, or the plane would have more than 4096 pixels a side.
    """
    across = np.asarray(normal, dtype=np.float64)
    if not np.linalg.norm(across):
        raise Refused("a plane without a normal", "it has no direction", "give the normal of the plane")
    across = across / np.linalg.norm(across)
    depth = (points - points[0]) @ across
    step = min(grid.spacing_mm)
    if np.ptp(depth) > max(_FLAT * float(np.ptp(points, axis=0).max()), 0.05 * step):
        raise Refused("points that leave their plane", "they were not drawn on one image", "draw it again")
    helper = np.eye(3)[int(np.abs(across).argmin())]
    row = np.cross(across, helper)
    row /= np.linalg.norm(row)
    column = np.cross(across, row)
    at = np.column_stack([(points - points[0]) @ row, (points - points[0]) @ column])
    low = np.floor(at.min(axis=0) / step) - 2
    size = (np.ceil(at.max(axis=0) / step) - low + 3).astype(int)
    if size.max() > 4096:
        raise Refused(
            "a line larger than 4096 pixels", "that is no measurement on this image", "draw it within the image"
        )
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = across * step, row * step, column * step
    affine[:3, 3] = points[0] + (row * low[0] + column * low[1]) * step
    return Geometry(affine, (1, int(size[0]), int(size[1])), grid.frame_of_reference, grid.reference)


def _four(points: Points, what: str) -> None:
    if len(points) != 4:
        raise Refused(
            f"{what} of {len(points)} points", "it has four: the ends of one axis, then of the other", "draw both axes"
        )


def _pixels(plane: Geometry, at: Points, reach: Points) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None:
    low, high = at.mean(axis=0) - reach, at.mean(axis=0) + reach
    n = np.array(plane.shape[1:])
    first, last = np.maximum(np.floor(low), 0).astype(int), np.minimum(np.ceil(high), n - 1).astype(int)
    if (last < first).any():
        return None
    return np.arange(first[0], last[0] + 1), np.arange(first[1], last[1] + 1)


def _flat(points: Points) -> Points:
    """(n, 3) points of one plane as (n, 2) in that plane."""
    if len(points) < 3:
        raise Refused(f"a closed line of {len(points)} points", "it has no area", "set three points or more")
    around = points - points.mean(axis=0)
    _, size, axes = np.linalg.svd(around, full_matrices=False)
    if size[2] > _FLAT * max(size[0], 1e-12):
        raise Refused("points that leave their plane", "their area would be none of one image", "draw it again")
    flat: Points = around @ axes[:2].T
    return flat


def _crosses_itself(flat: Points) -> bool:
    """Whether two sides of a closed line that are no neighbours meet."""
    a, b = flat, np.roll(flat, -1, axis=0)
    n = len(a)
    for i in range(n - 2):
        others = np.arange(i + 2, n - (1 if i == 0 else 0))
        if not len(others):
            continue
        s, e = a[others], b[others]
        first = _side(a[i], b[i], s) * _side(a[i], b[i], e)
        second = _side(s, e, a[i]) * _side(s, e, b[i])
        if ((first < 0) & (second < 0)).any():
            return True
    return False


def _side(a: Points, b: Points, c: Points) -> Points:
    u, v = b - a, c - a
    return np.asarray(u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0])
