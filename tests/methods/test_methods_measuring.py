"""Lengths, angles and areas that a ruler gives too, values of pixels that can be counted, and every refusal once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.errors import Refused
from isocenter.methods.measuring import (
    angle_deg,
    bidirectional,
    ellipse_area,
    ellipse_inside,
    length,
    plane_through,
    polygon_area,
    polygon_inside,
    values_of,
)
from isocenter.space import Geometry

OBLIQUE = Geometry.from_dicom(
    position=(-40.0, 12.0, 7.0),
    orientation=(0.8, 0.6, 0.0, 0.0, 0.0, -1.0),
    pixel_spacing=(0.7, 0.5),
    slice_step=(-1.8, 2.4, 0.0),
    shape=(1, 90, 120),
)


def on(plane: Geometry, *pixels: tuple[float, float]) -> np.ndarray:
    """(row, column) of a plane as points of the patient."""
    return plane.to_patient([(0.0, r, c) for r, c in pixels])


@given(st.floats(0.1, 300.0), st.floats(0.0, 6.3), st.floats(-500, 500))
def test_a_length_is_that_of_the_ruler_wherever_it_lies(mm: float, turn: float, shift: float) -> None:
    ends = np.array([[0.0, 0, 0], [np.cos(turn) * mm, np.sin(turn) * mm, 0.0]]) + shift
    assert length(ends) == pytest.approx(mm, abs=1e-9)


def test_lengths_on_an_oblique_image_follow_its_spacing() -> None:
    assert length(on(OBLIQUE, (10, 10), (50, 10))) == pytest.approx(40 * 0.7)
    assert length(on(OBLIQUE, (10, 10), (10, 70))) == pytest.approx(60 * 0.5)
    assert bidirectional(on(OBLIQUE, (10, 10), (60, 10), (30, 0), (30, 40))) == pytest.approx((35.0, 20.0))
    assert angle_deg(on(OBLIQUE, (10, 10), (40, 10), (40, 50))) == pytest.approx(90.0)


def test_an_angle_may_be_flat_or_tiny() -> None:
    assert angle_deg(np.array([[-1.0, 0, 0], [0, 0, 0], [1, 0, 0]])) == pytest.approx(180.0)
    assert angle_deg(np.array([[1.0, 0, 0], [0, 0, 0], [1, 1e-7, 0]])) == pytest.approx(np.degrees(1e-7))


def test_an_ellipse_counts_the_pixels_within_and_its_area_is_exact() -> None:
    ends = on(OBLIQUE, (20, 60), (60, 60), (40, 30), (40, 90))  # semi-axes of 14 and 15 mm
    assert ellipse_area(ends) == pytest.approx(np.pi * 14 * 15)
    inside = ellipse_inside(ends, OBLIQUE)
    rows, columns = np.mgrid[:90, :120]
    assert np.array_equal(inside, ((rows - 40) / 20) ** 2 + ((columns - 60) / 30) ** 2 <= 1 + 1e-9)
    image = np.where(inside, 50.0, 1000.0)
    image[40, 60] = 150.0
    told = values_of(image, inside)
    n = int(inside.sum())
    assert (told.count, told.low, told.high) == (n, 50.0, 150.0)
    assert told.mean == pytest.approx(50 + 100 / n)
    assert told.deviation == pytest.approx(np.std(image[inside], ddof=1))


def test_a_turned_ellipse_and_one_beside_the_image() -> None:
    centre, long, short = np.array([40.0, 60.0]), np.array([20.0, 20.0]), np.array([-10.0, 10.0])
    flat = Geometry.regular(shape=(1, 90, 120))
    ends = on(flat, *(tuple(centre + d) for d in (-long, long, -short, short)))
    inside = ellipse_inside(ends, flat)
    assert inside.sum() == pytest.approx(ellipse_area(ends), rel=0.01)
    assert not ellipse_inside(on(flat, (-60, 5), (-50, 5), (-55, 0), (-55, 10)), flat).any()


def test_a_closed_line_has_the_area_of_its_polygon_and_counts_its_pixels() -> None:
    line = on(OBLIQUE, (10.5, 10.5), (10.5, 50.5), (40.5, 50.5), (40.5, 30.5), (25.5, 30.5), (25.5, 10.5))
    assert polygon_area(line) == pytest.approx((30 * 40 - 15 * 20) * 0.35)
    inside = polygon_inside(line, OBLIQUE)
    assert inside.sum() == 30 * 40 - 15 * 20
    assert inside[11, 11]
    assert not inside[30, 20]
    assert not polygon_inside(on(OBLIQUE, (-9, -9), (-9, -5), (-5, -7)), OBLIQUE).any()


def test_a_plane_for_a_line_on_a_reformatted_image_holds_it() -> None:
    grid = Geometry.regular(shape=(10, 20, 30), spacing_mm=(4.0, 1.0, 2.0), frame_of_reference="1.2")
    points = np.array([[5.0, 3, 2], [5, 14, 2], [5, 14, 30], [5, 3, 30]])
    plane = plane_through(points, grid, np.array([1.0, 0, 0]))
    assert plane.spacing_mm == pytest.approx((1, 1, 1))
    assert plane.frame_of_reference == "1.2"
    at = plane.to_index(points)
    assert np.abs(at[:, 0]).max() < 1e-9
    assert (at[:, 1:] >= 1).all()
    assert (at[:, 1:] <= np.array(plane.shape[1:]) - 2).all()
    assert polygon_inside(points, plane).sum() == 12 * 29  # the line runs through pixel centres, which belong to it


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: length(np.zeros((1, 3))), "1 points"),
        (lambda: length(np.ones((2, 3))), "without length"),
        (lambda: bidirectional(np.zeros((3, 3))), "3 points"),
        (lambda: bidirectional(np.array([[0.0, 0, 0], [10, 0, 0], [4, -3, 0], [6, 3, 0]])), "lean by 18"),
        (lambda: bidirectional(np.array([[0.0, 0, 0], [4, 0, 0], [2, -3, 0], [2, 3, 0]])), "longer than"),
        (lambda: bidirectional(np.array([[0.0, 0, 0], [10, 0, 0], [4, 1, 0], [4, 3, 0]])), "do not cross"),
        (lambda: bidirectional(np.array([[0.0, 0, 0], [10, 0, 0], [14, -1, 0], [14, 3, 0]])), "do not cross"),
        (lambda: angle_deg(np.zeros((2, 3))), "2 points"),
        (lambda: angle_deg(np.zeros((3, 3))), "without length"),
        (lambda: ellipse_area(np.zeros((2, 3))), "2 points"),
        (lambda: ellipse_area(np.array([[0.0, 0, 0], [1, 0, 0], [0, 0, 0], [2, 0, 0]])), "without area"),
        (lambda: polygon_area(np.zeros((2, 3))), "2 points"),
        (lambda: polygon_area(np.array([[0.0, 0, 0], [4, 4, 0], [4, 0, 0], [0, 4, 0]])), "crosses itself"),
        (lambda: polygon_area(np.array([[0.0, 0, 0], [4, 0, 0], [4, 4, 2], [0, 4, 0]])), "leave their plane"),
        (lambda: polygon_area(np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]])), "without area"),
        (lambda: values_of(np.zeros((3, 3)), np.zeros((3, 3), bool)), "holds no pixel"),
        (lambda: values_of(np.full((3, 3), np.nan), np.ones((3, 3), bool)), "not numbers"),
        (lambda: plane_through(np.zeros((2, 3)), OBLIQUE, np.zeros(3)), "without a normal"),
        (lambda: plane_through(np.array([[0.0, 0, 0], [0, 0, 9]]), OBLIQUE, np.array([0.0, 0, 1])), "leave their"),
        (lambda: plane_through(np.array([[0.0, 0, 0], [9999, 0, 0]]), OBLIQUE, np.array([0.0, 0, 1])), "4096"),
    ],
)
def test_what_has_no_number_is_refused(call: object, words: str) -> None:
    with pytest.raises(Refused, match=words):
        call()  # type: ignore[operator]
