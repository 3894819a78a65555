"""Frames that were turned end at straight slanted edges, and what scanners leave empty does not."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.measure import approximate_polygon, find_contours

from isocenter.methods.slanted_edges import _STRAIGHT_PX, _straight, slanted_deg

SIDE, PHASES, SLICES = 96, 4, 3


def noisy(shown: np.ndarray, void: float = 0.0, seed: int = 0) -> np.ndarray:
    """(phases, slices, rows, columns) of noise where something is shown."""
    rng = np.random.default_rng(seed)
    return np.where(shown, 50 + rng.normal(0, 5, (PHASES, SLICES, *shown.shape[-2:])), void)


Shown = Callable[[np.ndarray, np.ndarray], np.ndarray]
RIGHT: dict[str, Shown] = {  # of rows and columns, -1 to 1 from side to side
    "filled": lambda y, x: np.abs(x) < 2,
    "a round field": lambda y, x: np.hypot(x, y) < 0.96,
    "a round field, cut at the foot": lambda y, x: (np.hypot(x, y) < 0.96) & (y < 0.5),
    "empty columns and rows": lambda y, x: (np.abs(x) < 0.7) & (y > -0.85),
    "sides that a gradient bent": lambda y, x: (np.abs(x) < 0.85 + 0.1 * y**2) & (np.abs(y) < 0.85 + 0.1 * x**2),
    "a body in nothing": lambda y, x: (
        (x / 1.25) ** 2 + ((y - 0.25) / 0.9) ** 2 < 1 - 0.2 * np.sin(3 * np.arctan2(y, x))
    ),
    "an oval field": lambda y, x: x**2 + (y / 0.6) ** 2 < 0.95,
}


@pytest.mark.parametrize("kind", RIGHT)
@pytest.mark.parametrize("side", [64, 96, 192, 320])
def test_what_scanners_leave_empty_has_no_slanted_edges(kind: str, side: int) -> None:
    y, x = (2 * np.mgrid[:side, :side] + 1) / side - 1
    assert slanted_deg(noisy(RIGHT[kind](y, x))) is None


def test_noise_of_the_air_is_no_empty_corner() -> None:
    assert slanted_deg(ndimage.rotate(noisy(np.eye(SIDE) < 1), 30, (2, 3), reshape=False, mode="nearest")) is None


def test_one_phase_over_and_over_says_nothing() -> None:
    assert slanted_deg(np.zeros((PHASES, SLICES, SIDE, SIDE))) is None


@settings(max_examples=25, deadline=None)
@given(
    degrees=st.floats(18, 72) | st.floats(-162, -108),
    order=st.sampled_from([0, 1, 3]),
    void=st.sampled_from([0.0, -1024.0, 7.0]),
    reshape=st.booleans(),
)
def test_a_turned_frame_is_told_with_its_turn(degrees: float, order: int, void: float, reshape: bool) -> None:
    frames = noisy(np.ones((SIDE, SIDE), bool))
    turned = ndimage.rotate(frames, degrees, (2, 3), reshape=reshape, order=order, mode="constant", cval=void)
    found = slanted_deg(turned)
    within = abs(degrees) % 90
    assert found == pytest.approx(min(within, 90 - within), abs=2)


def test_planes_cut_out_of_a_box_of_other_planes_are_told() -> None:
    box = noisy(np.ones((SIDE, SIDE), bool))[:, :1].repeat(40, 1)
    c, s = np.cos(np.deg2rad(50)), np.sin(np.deg2rad(50))
    turn = np.array([[c, s * 0.8, s * 0.6], [-s * 0.8, c + (1 - c) * 0.36, -(1 - c) * 0.48],
                     [-s * 0.6, -(1 - c) * 0.48, c + (1 - c) * 0.64]])  # fmt: skip
    middle = (np.array(box.shape[1:]) - 1) / 2
    cut = np.stack([ndimage.affine_transform(one, turn, middle - turn @ middle, order=1) for one in box])
    assert slanted_deg(cut) is not None


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), side=st.integers(40, 150), long=st.floats(0.1, 0.6))
def test_long_edges_are_those_of_the_line_as_scikit_image_simplifies_it(seed: int, side: int, long: float) -> None:
    rng = np.random.default_rng(seed)
    blot = ndimage.gaussian_filter(rng.normal(size=(side, side)), side / 10) > 0
    line = max(find_contours(np.pad(blot, 1).astype(float), 0.5), key=len)
    line = line + rng.normal(0, 1e-3, line.shape)  # of two corners that lie as far off, either may be the first
    edges = np.diff(approximate_polygon(line, _STRAIGHT_PX), axis=0)
    wanted = edges[np.hypot(*edges.T) >= long * side]
    found = _straight(line, long * side)
    assert sorted(map(tuple, found)) == sorted(map(tuple, wanted))
