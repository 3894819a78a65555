"""One head laid upon another: the derivative is that of the value, and a way that is known is found again."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from isocenter.methods.likeness import Likeness, _quaternion, _stretched, shaped, similar
from isocenter.space import Geometry
from isocenter.testing.phantoms import head

FIXED, _ = head.volume("T1", step_mm=4.0, pixel_mm=4.0)
SEEN = np.ones(FIXED.array.shape, bool)


def likeness(moving: npt.NDArray[np.float32], grid: Geometry, places: int = 20_000) -> Likeness:
    return Likeness(FIXED.array, FIXED.geometry, SEEN, moving, grid, places)


def moved_by(
    degrees: tuple[float, float, float], mm: tuple[float, float, float], widths: tuple[float, ...]
) -> npt.NDArray[np.float64]:
    matrix = np.eye(4)
    matrix[:3, :3] = head.turned(degrees) @ np.diag(widths)
    matrix[:3, 3] = mm
    return matrix


def apart_mm(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    """Largest distance between where both lay the corners of a brain."""
    corners = np.array([(x, y, z, 1.0) for x in (-70, 70) for y in (-90, 80) for z in (-50, 80)])
    return float(np.linalg.norm((corners @ (one - other).T)[:, :3], axis=1).max())


def test_the_derivative_is_what_a_small_step_changes() -> None:
    smooth = ndimage.gaussian_filter(FIXED.array, 1.5)
    inside = ndimage.binary_erosion(SEEN, iterations=8)  # so that no place comes or goes at the border
    images = Likeness(FIXED.array, FIXED.geometry, inside, smooth, FIXED.geometry, 20_000)
    matrix = moved_by((2.0, -1.0, 3.0), (3.0, -2.0, 1.0), (1.02, 0.99, 1.0))
    _, slope = images.at(matrix)
    for row in range(3):
        for column in range(4):
            by = 1e-3 if column == 3 else 1e-5
            step = np.zeros((4, 4))
            step[row, column] = by
            expected = (images.at(matrix + step)[0] - images.at(matrix - step)[0]) / (2 * by)
            assert slope[row, column] == pytest.approx(expected, rel=0.02, abs=0.02 * np.abs(slope[:, column]).max())


def test_the_information_is_that_of_the_joint_histogram() -> None:
    rng = np.random.default_rng(3)
    fixed = rng.random((12, 14, 16)).astype(np.float32)
    moving = ndimage.gaussian_filter(fixed, 1.0) + 0.1 * rng.random(fixed.shape).astype(np.float32)
    grid = Geometry.regular(shape=fixed.shape, spacing_mm=(2.0, 2.0, 2.0))
    images = Likeness(fixed, grid, np.ones(fixed.shape, bool), moving, grid, 4_000)
    matrix = moved_by((2.0, -1.0, 3.0), (5.0, -3.0, 4.0), (1.02, 0.99, 1.0))
    at = grid.to_index(images._points.T @ matrix[:3, :3].T + matrix[:3, 3])
    inside = ((at >= 0) & (at <= np.array(moving.shape) - 1)).all(1)
    assert 0.1 < inside.mean() < 0.95
    shown = ndimage.map_coordinates(moving, at[inside].T, order=1)
    place = (shown - moving.min()) / (float(np.ptp(moving)) / 20) + 2
    joint = np.zeros((24, 24))
    for bin_ in range(24):
        away = np.abs(place - bin_)
        spline = np.where(away < 1, 2 / 3 - away**2 + away**3 / 2, np.clip(2 - away, 0, None) ** 3 / 6)
        np.add.at(joint[:, bin_], images._bins[inside], spline)
    joint /= inside.sum()
    alone = np.outer(joint.sum(1), joint.sum(0))
    some = joint > 1e-16
    expected = float((joint[some] * np.log(joint[some] / alone[some])).sum())
    assert images.at(matrix)[0] == pytest.approx(expected, abs=1e-5) and expected > 0.03


@pytest.mark.parametrize(
    ("kind", "degrees", "mm"),
    [("T1", (14.0, -6.0, 9.0), (12.0, -9.0, 15.0)), ("T2", (-8.0, 5.0, -12.0), (-6.0, 10.0, 4.0))],
)
def test_a_way_that_is_known_is_found_within_a_millimetre_and_a_degree(
    kind: str, degrees: tuple[float, float, float], mm: tuple[float, float, float]
) -> None:
    # The same head in another contrast, of which a header says that it lies elsewhere.
    other, _ = head.volume(kind, step_mm=3.0, pixel_mm=3.0)
    there = moved_by(degrees, mm, (1.0, 1.0, 1.0))
    grid = Geometry(there @ other.geometry.affine, other.array.shape)
    images = likeness(other.array, grid)
    found = similar(images, np.eye(4), 4.0, 0.05)
    turn, widths, rest = np.linalg.svd(found.matrix[:3, :3] @ there[:3, :3].T)
    assert apart_mm(found.matrix, there) < 1.0 and widths == pytest.approx(1.0, abs=0.01)
    assert np.degrees(np.arccos(min(1.0, (np.trace(turn @ rest) - 1) / 2))) < 1.0
    assert found.value > images.at(np.eye(4))[0] + 0.1


@pytest.mark.parametrize("order", list(permutations((0, 1, 2)))[1:])
def test_neither_the_order_of_axes_nor_their_direction_matters(order: tuple[int, int, int]) -> None:
    axes = np.eye(4)
    axes[:3, :3] = np.eye(3)[:, list(order)]
    array = np.transpose(FIXED.array, order)[::-1]
    axes[:3, 0] *= -1
    axes[order[0], 3] = FIXED.array.shape[order[0]] - 1
    grid = Geometry(FIXED.geometry.affine @ axes, array.shape)
    matrix = moved_by((4.0, 0.0, -3.0), (2.0, 5.0, 1.0), (1.0, 1.0, 1.0))
    one, other = likeness(FIXED.array, FIXED.geometry), likeness(np.ascontiguousarray(array), grid)
    assert one.at(matrix)[0] == pytest.approx(other.at(matrix)[0], rel=1e-4)
    assert one.at(matrix)[1] == pytest.approx(other.at(matrix)[1], rel=1e-2, abs=1e-4)


def test_a_head_that_is_turned_by_half_can_be_begun_from() -> None:
    half = np.diag((-1.0, -1.0, 1.0, 1.0))
    there = half @ (moved_by((5.0, 3.0, -6.0), (4.0, 2.0, 6.0), (1.0, 1.0, 1.0)))
    images = likeness(FIXED.array, Geometry(there @ FIXED.geometry.affine, FIXED.array.shape))
    assert apart_mm(similar(images, half, 4.0, 0.05).matrix, there) < 1.0


def test_images_that_do_not_touch_are_not_alike_and_the_way_ends_where_it_began() -> None:
    far = np.eye(4)
    far[:3, 3] = 2_000.0
    images = likeness(FIXED.array, FIXED.geometry)
    value, slope = images.at(far)
    assert value == 0.0 and not slope.any()
    found = similar(images, far, 4.0, 0.05)
    assert found.value == 0.0 and found.steps == 1 and found.matrix == pytest.approx(far)
    flat = likeness(np.ones_like(FIXED.array), FIXED.geometry)
    assert flat.at(np.eye(4))[0] == pytest.approx(0.0, abs=1e-9)


def test_the_price_of_unlike_proportions_is_of_squared_logarithms_and_its_slope_is_known() -> None:
    turn = head.turned((20.0, -10.0, 5.0))
    assert _stretched(1.3 * turn)[0] == pytest.approx(0.0, abs=1e-12)
    price, _ = _stretched(turn @ np.diag((1.02, 1.0, 0.98)))
    assert price == pytest.approx(np.square(np.log((1.02, 1.0, 0.98))).sum(), rel=0.05)
    shape = turn @ np.diag((1.1, 1.0, 0.9))
    step = np.random.default_rng(1).normal(0, 1e-5, (3, 3))
    change = _stretched(shape + step)[0] - _stretched(shape - step)[0]
    assert 2 * (_stretched(shape)[1] * step).sum() == pytest.approx(change, rel=1e-3)


def test_a_common_scale_costs_nothing() -> None:
    grown = np.diag((1.12, 1.12, 1.12, 1.0))
    images = likeness(FIXED.array, Geometry(grown @ FIXED.geometry.affine, FIXED.array.shape))
    assert apart_mm(shaped(images, np.eye(4), 4.0, 0.03).matrix, grown) < 1.0


def test_a_turn_has_the_quaternion_of_scipy_to_the_bit() -> None:
    rng = np.random.default_rng(7)
    turns = [np.linalg.qr(rng.normal(size=(3, 3)))[0] for _ in range(200)]
    turns = [t if np.linalg.det(t) > 0 else -t for t in turns]
    for turn in [*turns, np.eye(3), np.diag([1.0, -1, -1]), np.diag([-1.0, 1, -1]), np.diag([-1.0, -1, 1])]:
        assert np.array_equal(_quaternion(turn), Rotation.from_matrix(turn).as_quat(scalar_first=True))
