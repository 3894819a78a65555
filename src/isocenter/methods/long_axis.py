"""The longest diameter of something in one plane and the longest chord perpendicular to it, to less than a pixel.

**Of an outline** that a person drew both are those of its convex hull, exact to the last digit.

**Of pixels** the outline is not known: the distance between the outermost centres is too short, that between the points
half a pixel outside of them too long, because the longest of many directions is the one in which most sticks out. What
is known without bias is area: as many centres lie in a part of a shape as it has pixels' worth of area. So each end of
the longest diameter is found from the area near it. Counted from its tip, the area of a round end grows with the depth
to the power of 3/2, that of a corner with its square; the depths of the outermost centres, set against their count to
the inverse of that power, lie on a straight line, and where it meets zero is the tip. The short axis is taken half way
between that of the centres and that of the points half a pixel outside.

Sources: Eisenhauer et al., Eur J Cancer 45 (2009) 228 (RECIST 1.1: the short axis stands perpendicular on the long
one); the segment of a circle of radius r and depth s has an area of 4/3 √(2r) s^(3/2), to first order.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["around_pixels", "longest_mm", "of_outline", "of_pixels"]

Floats = npt.NDArray[np.float64]

_ROUND, _CORNER = 1.5, 2.0  # powers of the depth by which area grows from the tip of an end
_SURE = 2.0  # times less that a corner must leave unexplained before an end is taken for one
_LOOK, _FIT = 5.0, 3.0  # pixels: how deep an end is looked at to know its kind, and to find its tip
_OF_LENGTH, _OF_WIDTH = 0.25, 0.6  # no deeper than this part of the whole, where an end is no end any more
_THIN = 3.0  # pixels: what is thinner has ends of a pixel or two, which have no shape
_FEWEST = 4  # centres to lay a line through
_BEYOND = 1.2  # pixels that a tip may lie beyond the outermost centre: one more would hold another centre


def of_outline(points_mm: Floats) -> tuple[float, float]:
    """Longest distance between points of a plane, and the longest chord of their convex hull perpendicular to it.

    >>> of_outline(np.array([[0.0, 0.0], [4.0, 0.0], [2.0, 1.0], [2.0, -1.0]]))
    (4.0, 2.0)
    """
    long, short, _ = _axes(points_mm)
    return long, short


def of_pixels(mask: npt.NDArray[np.bool_], steps: Floats) -> tuple[float, float]:
    """Both axes of the pixels of one slice.

    Args:
        mask: (rows, columns) with one pixel at least.
        steps: (2, 2), in mm: from row to row and from column to column, in its columns.

    >>> of_pixels(np.ones((1, 1), bool), np.diag([2.0, 1.0]))
    (2.0, 1.0)
    """
    long_outside, short_outside = around_pixels(mask, steps)
    outermost = _first_and_last(mask, 0.0) @ steps.T
    if np.linalg.matrix_rank(outermost - outermost[0], tol=1e-6) < 2:
        return long_outside, short_outside
    long, short, directions = _axes(outermost)
    across = np.array([-directions[0, 1], directions[0, 0]])
    pixel = float(np.abs(across @ steps).sum())
    width = float(np.ptp(outermost @ across)) + pixel
    if width < _THIN * pixel:
        return long_outside, short_outside
    centres = np.argwhere(mask) @ steps.T
    # Several diameters may be equally long: whichever is taken must not hang on the last digit.
    long += float(np.mean([_beyond(centres @ u, steps.T @ u, long, width) for u in directions]))
    return long, min((short + short_outside) / 2.0, long)


def around_pixels(mask: npt.NDArray[np.bool_], steps: Floats) -> tuple[float, float]:
    """Both axes of the points half a pixel outside of the pixels of one slice: too long by up to a pixel.

    >>> around_pixels(np.ones((1, 3), bool), np.diag([2.0, 1.0]))
    (3.0, 2.0)
    """
    return of_outline(_first_and_last(mask, 0.5) @ steps.T)


def longest_mm(points_mm: Floats) -> float:
    """The longest distance between points that are corners of a hull."""
    from scipy.spatial.distance import pdist

    return float(pdist(points_mm).max())


def _beyond(places: Floats, step: Floats, long: float, width: float) -> float:
    """How far both tips lie beyond the outermost centres, from the places of all centres along the axis."""
    pixel = float(np.abs(step).sum())
    deepest = min(_OF_LENGTH * (long + pixel), _OF_WIDTH * width)
    return sum(_tip(side * places, pixel, deepest) for side in (1.0, -1.0))


def _tip(places: Floats, pixel: float, deepest: float) -> float:
    depth = np.sort(_nearest(places.max() - places, min(_LOOK * pixel, deepest)))
    near = np.sort(_nearest(depth, min(_FIT * pixel, deepest)))
    corner = _SURE * _line(depth, _CORNER)[1] + 1e-9 * pixel**2 < _line(depth, _ROUND)[1]
    return float(np.clip(_line(near, _CORNER if corner else _ROUND)[0], 0.0, _BEYOND * pixel))


def _nearest(depth: Floats, deepest: float) -> Floats:
    kept = depth[depth <= deepest + 1e-9]
    return kept if len(kept) >= _FEWEST else np.partition(depth, _FEWEST - 1)[:_FEWEST]


def _line(depth: Floats, power: float) -> tuple[float, float]:
    """Depth of centres against their count: how far outside it meets zero, and the mean square off the line."""
    count = (np.arange(len(depth)) + 0.5) ** (1.0 / power)
    about = count - count.mean()
    slope = float(about @ depth) / float(about @ about)
    outside = float(depth.mean()) - slope * float(count.mean())
    return -outside, float(np.mean((depth - slope * count - outside) ** 2))


def _axes(points_mm: Floats) -> tuple[float, float, Floats]:
    """Long axis, short axis, and the directions of all diameters that are as long."""
    from scipy.spatial import ConvexHull
    from scipy.spatial.distance import pdist, squareform

    hull = points_mm[ConvexHull(points_mm).vertices]
    distances = squareform(pdist(hull))
    long = float(distances.max())
    # Several pairs may be equally long (a square's diagonals): the one with the longest perpendicular counts.
    pairs = np.argwhere(np.triu(distances >= long - 1e-9))
    directions = np.array([(hull[j] - hull[i]) / long for i, j in pairs])
    return long, max(_perpendicular(hull - hull[i], u) for (i, _), u in zip(pairs, directions, strict=True)), directions


def _perpendicular(hull: Floats, along: Floats) -> float:
    """The longest chord across a diameter that begins at zero: a convex polygon is widest at one of its corners."""
    x, y = hull @ along, hull @ np.array([-along[1], along[0]])
    # No side stands upright on the longest diameter, as its far end would be farther away still: heights are functions.
    above, below = (np.interp(x, *_by_place(x[kept], y[kept])) for kept in (y >= -1e-9, y <= 1e-9))
    return float((above - below).max())


def _by_place(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    order = np.argsort(x)
    return x[order], y[order]


def _first_and_last(mask: npt.NDArray[np.bool_], outside: float) -> Floats:
    """Points so many pixels outside the first and last pixel of every row and column: corners of the hull are there."""
    found = []
    for axis in (0, 1):
        lines = mask.any(axis=axis)
        first = np.argmax(mask, axis=axis)[lines] - outside
        last = mask.shape[axis] - 1.0 - np.argmax(np.flip(mask, axis), axis=axis)[lines] + outside
        where = np.argwhere(lines).astype(np.float64)
        found += [np.insert(where, axis, first, axis=1), np.insert(where, axis, last, axis=1)]
    return np.concatenate(found)
