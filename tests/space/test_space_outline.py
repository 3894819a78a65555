"""Outlines to pixels: what is inside, what lies on the line, and that the order of the axes changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.space.outline import enclosed, filled

SHAPE = (12, 15)
# Quarters of a pixel: lines through pixel centres, corners on them, and lines between them are all common.
CORNERS = st.lists(st.tuples(st.integers(-8, 52), st.integers(-8, 64)), min_size=3, max_size=12)
DRAWN = st.lists(CORNERS.map(lambda c: np.array(c, dtype=np.float64) / 4.0), min_size=1, max_size=3)


@settings(max_examples=80, deadline=None)
@given(DRAWN, st.integers(0, 11))
def test_law_the_order_of_axes_corners_and_outlines_changes_nothing(drawn: list[np.ndarray], turn: int) -> None:
    mask = filled(drawn, SHAPE)
    rows, columns = SHAPE
    assert (np.flip(filled([o * [-1, 1] + [rows - 1, 0] for o in drawn], SHAPE), 0) == mask).all()
    assert (np.flip(filled([o * [1, -1] + [0, columns - 1] for o in drawn], SHAPE), 1) == mask).all()
    assert (mask == filled([o[:, ::-1] for o in drawn], SHAPE[::-1]).T).all()
    assert (filled([np.roll(o, turn, axis=0)[::-1] for o in drawn[::-1]], SHAPE) == mask).all()
    # What decimal text and a turned grid do to coordinates does not reach the pixels.
    assert (filled([o + 3e-5 * np.sin(7.0 * o[:, ::-1]) for o in drawn], SHAPE) == mask).all()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(-3, 15), st.floats(-3, 15)), min_size=3, max_size=12))
def test_law_inside_is_an_odd_number_of_crossings(points: list[tuple[float, float]]) -> None:
    corners = np.array(points)
    mask = filled([corners], (12, 12))
    for row in range(12):
        for column in range(12):
            if distance(corners, np.array([row, column])) > 2e-3:
                assert mask[row, column] == (crossings(corners, row, column) % 2 == 1)


def crossings(corners: np.ndarray, row: int, column: int) -> int:
    count = 0
    for (y0, x0), (y1, x1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if (y0 <= row) != (y1 <= row) and x0 + (row - y0) / (y1 - y0) * (x1 - x0) <= column:
            count += 1
    return count


def distance(corners: np.ndarray, at: np.ndarray) -> float:
    along = np.roll(corners, -1, axis=0) - corners
    part = ((at - corners) * along).sum(1) / np.maximum((along**2).sum(1), 1e-12)
    return float(np.linalg.norm(at - corners - part.clip(0, 1)[:, None] * along, axis=1).min())


def test_the_outermost_pixels_traced_through_their_centres_come_back() -> None:
    square = np.array([[2.0, 3], [2, 8], [6, 8], [6, 3]])
    mask = filled([square], SHAPE)
    assert mask.sum() == 5 * 6
    assert mask[2:7, 3:9].all()
    # A hole keeps the line that bounds it: the pixels around it were traced.
    hole = np.array([[3.0, 4], [3, 7], [5, 7], [5, 4]])
    assert filled([square, hole], SHAPE).sum() == 5 * 6 - 1 * 2


def test_a_bridge_to_a_hole_or_between_islands_adds_nothing() -> None:
    keyhole = [[1, 1], [1, 9], [9, 9], [9, 1], [4, 1], [4, 4], [6, 4], [6, 6], [4, 6], [4, 4], [4, 1]]
    ring = filled([[[1, 1], [1, 9], [9, 9], [9, 1]], [[4, 4], [6, 4], [6, 6], [4, 6]]], SHAPE)
    assert (filled([keyhole], SHAPE) == ring).all()
    islands = [[1, 1], [1, 3], [3, 3], [3, 8], [5, 8], [5, 10], [3, 10], [3, 8], [3, 3], [3, 1]]
    assert not filled([islands], SHAPE)[3, 4:8].any()


def test_a_disc_has_its_area_and_nothing_drawn_is_nothing() -> None:
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    disc = filled([np.stack([100.2 + 80 * np.sin(angle), 100.3 + 80 * np.cos(angle)], axis=1)], (200, 200))
    assert disc.sum() == pytest.approx(np.pi * 80**2, rel=2e-3)
    assert not filled([], SHAPE).any()
    assert not filled([[[40.0, 40], [40, 50], [50, 50]]], SHAPE).any()


# ---- area


def disc(radius: float, row: float = 20.3, column: float = 21.7, corners: int = 90) -> np.ndarray:
    angle = np.linspace(0.0, 2.0 * np.pi, corners, endpoint=False)
    return np.column_stack([row + radius * np.sin(angle), column + radius * np.cos(angle)])


def area(*outlines: np.ndarray) -> float | None:
    return enclosed(outlines, int(filled(outlines, (44, 44)).sum()))


def of_disc(radius: float, corners: int = 90) -> float:
    return corners / 2.0 * np.sin(2.0 * np.pi / corners) * radius**2


def test_area_of_what_outlines_enclose() -> None:
    assert area(disc(15.0)) == pytest.approx(of_disc(15.0))
    ring = (disc(15.0), disc(6.0)[::-1])
    assert area(*ring) == area(*ring[::-1]) == pytest.approx(of_disc(15.0) - of_disc(6.0))
    island = disc(2.0)
    assert area(*ring, island) == pytest.approx(of_disc(15.0) - of_disc(6.0) + of_disc(2.0))
    apart = (disc(6.0, 12.0, 10.4), disc(5.0, 30.0, 31.0))
    assert area(*apart) == pytest.approx(of_disc(6.0) + of_disc(5.0))
    bridged = np.concatenate([disc(15.0), disc(15.0)[:1], disc(6.0)[::-1], disc(6.0)[-1:]])
    assert area(bridged) == pytest.approx(of_disc(15.0) - of_disc(6.0), rel=2e-3)


def test_where_no_area_is_told() -> None:
    """What was traced from pixels is worth its pixels; what crosses or is drawn twice has no sum of this kind."""
    assert area(np.array([[3.0, 3.0], [3.0, 20.0], [20.0, 20.0], [20.0, 3.0]])) is None
    assert area(disc(15.0), disc(15.0)) is None
    assert area(disc(12.0, 20.0, 16.0), disc(12.0, 20.0, 26.0)) is None
    assert area() is None
