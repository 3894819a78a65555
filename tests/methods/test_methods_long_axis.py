"""Axes of outlines exactly, and of pixels against discs, ellipses and turned rectangles of known length."""

from itertools import pairwise

import numpy as np
import pytest
from skimage.measure import points_in_poly

from isocenter.methods import long_axis


def test_short_axis_is_a_chord_and_not_a_shadow() -> None:
    # A thin parallelogram: its shadow across the long axis is wider than any line within it.
    corners = np.array([[0.0, 0.0], [10.0, 0.0], [14.0, 3.0], [4.0, 3.0]])
    long, short = long_axis.of_outline(corners)
    assert long == pytest.approx(np.hypot(14.0, 3.0))
    u = np.array([14.0, 3.0]) / long
    heights = np.sort(corners @ np.array([-u[1], u[0]]))
    assert short < heights[-1] - heights[0] - 0.1
    assert short == pytest.approx(_longest_chord(corners, u), abs=1e-3)


def _longest_chord(corners: np.ndarray, u: np.ndarray) -> float:
    """Sweep a line across the polygon in small steps."""
    n = np.array([-u[1], u[0]])
    longest = 0.0
    for at in np.linspace(*np.sort(corners @ u)[[0, -1]], 20001):
        hits = []
        for a, b in pairwise(np.vstack([corners, corners[:1]])):
            s, t = a @ u - at, b @ u - at
            if s * t <= 0 and s != t:
                hits.append((a + (b - a) * s / (s - t)) @ n)
        longest = max(longest, max(hits) - min(hits)) if hits else longest
    return longest


def turned(corners: np.ndarray, radians: float) -> np.ndarray:
    c, s = np.cos(radians), np.sin(radians)
    return corners @ np.array([[c, s], [-s, c]])


def ellipse(long: float, short: float) -> np.ndarray:
    t = np.linspace(0.0, 2.0 * np.pi, 720, endpoint=False)
    return np.column_stack([long / 2.0 * np.cos(t), short / 2.0 * np.sin(t)])


def rectangle(long: float, short: float) -> np.ndarray:
    """By its diagonal."""
    half = np.array([np.sqrt(long**2 - short**2), short]) / 2.0
    return half * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])


def pixels(corners: np.ndarray, steps: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """Whose centres lie within a polygon, laid onto the grid anywhere."""
    low = corners.min(axis=0) - steps * (1.0 + rng.random(2))
    size = np.ceil((corners.max(axis=0) - low) / steps).astype(int) + 2
    centres = np.stack(np.meshgrid(*map(np.arange, size), indexing="ij"), axis=-1).reshape(-1, 2) * steps + low
    return np.asarray(points_in_poly(centres, corners)).reshape(size)


def errors(shape: object, ratio: float, steps: tuple[float, float], seed: int) -> np.ndarray:
    """(n, 2): of both axes, in pixels, at turns and places by chance and along the grid."""
    rng, found = np.random.default_rng(seed), []
    for n in range(16):
        long = rng.uniform(10.0, 60.0)
        corners = shape(long, ratio * long)  # type: ignore[operator]
        mask = pixels(turned(corners, rng.uniform(0.0, np.pi) if n % 4 else 0.0), steps, rng)
        found.append(np.subtract(long_axis.of_pixels(mask, np.diag(steps)), long_axis.of_outline(corners)))
    return np.array(found) / max(steps)


def test_an_ellipse_is_as_long_as_it_is_drawn() -> None:
    assert long_axis.of_outline(turned(ellipse(50.0, 30.0), 0.7)) == pytest.approx((50.0, 30.0), abs=1e-9)
    assert long_axis.of_outline(ellipse(50.0, 50.0)) == pytest.approx((50.0, 50.0), abs=1e-9)


@pytest.mark.parametrize("ratio", [1.0, 0.7, 0.4])
@pytest.mark.parametrize("steps", [(1.0, 1.0), (1.0, 0.6)])
def test_pixels_of_a_round_shape_tell_its_axes_without_bias(ratio: float, steps: tuple[float, float]) -> None:
    found = errors(ellipse, ratio, steps, seed=int(10 * ratio))
    assert np.abs(found.mean(axis=0)).max() < 0.35
    assert np.abs(found[:, 0]).max() < 1.0


@pytest.mark.parametrize("ratio", [0.6, 0.4])
def test_pixels_of_a_turned_rectangle_tell_its_diagonal(ratio: float) -> None:
    found = errors(rectangle, ratio, (1.0, 1.0), seed=3)
    assert np.abs(found[:, 0].mean()) < 0.4
    assert np.abs(found[:, 0]).max() < 1.8


def test_a_disc_of_fifty_millimetres_is_not_fifty_one() -> None:
    """Between points half a pixel outside it was 50.9 mm, by which sums that met a limit fell to its other side."""
    rng, steps = np.random.default_rng(1), np.eye(2)
    masks = [pixels(ellipse(50.0, 50.0), (1.0, 1.0), rng) for _ in range(12)]
    fine = [long_axis.of_pixels(m, steps)[0] - 50.0 for m in masks]
    outside = [long_axis.around_pixels(m, steps)[0] - 50.0 for m in masks]
    assert np.mean(outside) > 0.7
    assert np.abs(fine).max() < 0.5 and np.mean(fine) < 0.25


def test_what_is_one_or_two_pixels_thin_is_as_long_as_its_pixels() -> None:
    for shape in ((1, 7), (7, 1), (2, 9)):
        found = long_axis.of_pixels(np.ones(shape, bool), np.eye(2))
        assert found == long_axis.around_pixels(np.ones(shape, bool), np.eye(2))
    assert long_axis.of_pixels(np.eye(5, dtype=bool), np.eye(2))[0] == pytest.approx(np.hypot(4, 5))


def test_flips_and_sizes_of_pixels_change_nothing() -> None:
    rng = np.random.default_rng(2)
    for _ in range(20):
        mask = rng.random((9, 11)) < 0.4
        mask[4, 5] = True
        found = long_axis.of_pixels(mask, np.eye(2))
        for other in (mask[::-1], mask[:, ::-1], mask.T):
            assert long_axis.of_pixels(other, np.eye(2)) == pytest.approx(found)
        assert np.array(long_axis.of_pixels(mask, 1.7 * np.eye(2))) == pytest.approx(1.7 * np.array(found))
