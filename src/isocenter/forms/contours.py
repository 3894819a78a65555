"""Outlines of a region on one image, in the pixels of that image."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isocenter.space import Region, Shape

__all__ = ["contours", "outlines"]


def outlines(mask: npt.NDArray[np.bool_]) -> list[npt.NDArray[np.float64]]:
    """Closed outlines of a two-dimensional mask, holes included.

    Args:
        mask: (rows, columns).

    Returns:
        Arrays (n, 2) of (column, row), where the centre of the first pixel is (0, 0); the first point is also the
        last. The line runs half way between a pixel inside and its neighbour outside.

    >>> [round(float(x), 1) for x in outlines(np.array([[True]]))[0][0]]
    [0.0, 0.5]
    """
    from skimage.measure import find_contours

    found = find_contours(np.pad(np.asarray(mask, dtype=np.float32), 1), 0.5)
    return [line[:, ::-1] - 1.0 for line in found]


def contours(region: Region, index: int) -> list[npt.NDArray[np.float64]]:
    """Outlines of a region on one slice of its own grid, as `outlines` gives them; empty where it does not reach.

    A polygon, a box or an ellipse is given by its line, a polyline as it stands (not closed), a point as one point.
    Shapes without a mask are shown on the slice nearest to each of them.
    """
    if region.mask is not None:
        if not region.voxels:
            return []
        (first, top, left), (last, foot, right) = region.bounds
        if not first <= index < last:
            return []
        return [line + np.array([left, top]) for line in outlines(region.mask[index, top:foot, left:right])]
    assert region.points_mm is not None
    at = region.geometry.to_index(region.points_mm)
    if round(float(at[:, 0].mean())) != index:
        return []
    flat = at[:, [2, 1]]
    if region.shape is Shape.BOX:
        (a, b), (c, d) = flat[0], flat[1]
        flat = np.array([(a, b), (c, b), (c, d), (a, d)])
    elif region.shape is Shape.ELLIPSE:
        centre, long, short = flat[:2].mean(axis=0), (flat[1] - flat[0]) / 2, (flat[3] - flat[2]) / 2
        turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)[:, None]
        flat = centre + np.cos(turn) * long + np.sin(turn) * short
    if region.shape in (Shape.POINT, Shape.POLYLINE):
        return [flat]
    return [np.vstack([flat, flat[:1]])]
