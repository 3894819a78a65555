"""Outlines run half way between inside and outside, in the pixels of the image."""

import numpy as np
import pytest

from isocenter.forms.contours import contours, outlines
from isocenter.space import Geometry, Region, Shape

GRID = Geometry.regular(shape=(3, 10, 12), spacing_mm=(2, 1, 0.5))


def area(line: np.ndarray) -> float:  # type: ignore[type-arg]
    """Enclosed area by the shoelace formula."""
    x, y = line[:, 0], line[:, 1]
    return abs(float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))) / 2


def test_a_box_is_outlined_at_its_edges_even_at_the_border() -> None:
    mask = np.zeros((10, 12), bool)
    mask[0:4, 7:12] = True
    (line,) = outlines(mask)
    assert np.array_equal(line[0], line[-1])
    assert line.min(axis=0).tolist() == [6.5, -0.5] and line.max(axis=0).tolist() == [11.5, 3.5]
    assert area(line) == pytest.approx(20 - 0.5)  # four corners are cut by an eighth each


def test_holes_and_islands_are_lines_of_their_own() -> None:
    mask = np.zeros((10, 12), bool)
    mask[1:8, 1:8] = True
    mask[3:5, 3:5] = False
    mask[9, 11] = True
    assert len(outlines(mask)) == 3
    assert outlines(np.zeros((4, 4), bool)) == []


def test_a_mask_is_outlined_on_its_slices_only() -> None:
    mask = np.zeros(GRID.shape, bool)
    mask[1, 2:5, 2:5] = True
    region = Region(GRID, mask=mask)
    assert [len(contours(region, k)) for k in (-1, 0, 1, 2, 3)] == [0, 0, 1, 0, 0]
    assert contours(region, 1)[0].min(axis=0).tolist() == [1.5, 1.5]
    assert contours(Region(GRID, mask=np.zeros(GRID.shape, bool)), 1) == []


@pytest.mark.parametrize(
    ("shape", "index", "points", "closed"),
    [
        (Shape.POINT, [(1, 3, 4)], 1, False),
        (Shape.POLYLINE, [(1, 3, 4), (1, 6, 8)], 2, False),
        (Shape.POLYGON, [(1, 3, 4), (1, 6, 8), (1, 3, 8)], 4, True),
        (Shape.BOX, [(1, 3, 4), (1, 6, 8)], 5, True),
        (Shape.ELLIPSE, [(1, 5, 2), (1, 5, 8), (1, 3, 5), (1, 7, 5)], 65, True),
    ],
)
def test_shapes_lie_on_their_slice(shape: Shape, index: list[tuple[int, ...]], points: int, closed: bool) -> None:
    region = Region(GRID, shape, points_mm=GRID.to_patient(index))
    assert contours(region, 0) == [] and contours(region, 2) == []
    (line,) = contours(region, 1)
    assert len(line) == points and np.array_equal(line[0], line[-1]) == (closed or points == 1)
    if shape in (Shape.POINT, Shape.POLYLINE):
        assert line.tolist() == [[float(c), float(r)] for _, r, c in index]
    if shape is Shape.BOX:
        assert area(line) == pytest.approx(12)
    if shape is Shape.ELLIPSE:
        assert area(line) == pytest.approx(np.pi * 3 * 2, rel=0.01)
