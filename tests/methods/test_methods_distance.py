"""Distances within a mask, against SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from isocenter.methods.distance import away_mm, deeper, depth_mm


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (3.27, 0.98, 0.98), (0.5, 2.0, 7.0)])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.98])
def test_every_distance_is_the_nearest_one(spacing: tuple[float, float, float], share: float) -> None:
    mask = np.random.default_rng(4).random((17, 30, 23)) < share
    expected = ndimage.distance_transform_edt(mask, sampling=spacing)
    assert depth_mm(mask, spacing) == pytest.approx(expected, rel=1e-5)


def test_a_mask_without_an_outside_and_one_without_an_inside() -> None:
    assert np.isinf(depth_mm(np.ones((3, 4, 5), bool), (1.0, 1.0, 1.0))).all()
    assert not depth_mm(np.zeros((3, 4, 5), bool), (1.0, 1.0, 1.0)).any()
    flat = np.zeros((1, 1, 6), bool)
    flat[..., 2] = True
    assert depth_mm(flat, (9.0, 9.0, 2.0)).ravel().tolist() == [0, 0, 2, 0, 0, 0]


@pytest.mark.parametrize("spacing", [(2.0, 2.0, 2.0), (3.27, 0.98, 0.98), (0.5, 2.0, 7.0)])
@pytest.mark.parametrize("up_to_mm", [1.9, 4.0, 10.0])
def test_what_lies_deeper_than_asked_is_infinite_and_all_else_as_it_is(
    spacing: tuple[float, float, float], up_to_mm: float
) -> None:
    mask = ndimage.binary_closing(np.random.default_rng(4).random((17, 30, 23)) < 0.8)
    whole = depth_mm(mask, spacing)
    expected = np.where(whole <= up_to_mm, whole, np.inf)
    assert depth_mm(mask, spacing, up_to_mm) == pytest.approx(expected, rel=1e-5)
    assert np.isinf(depth_mm(np.ones((3, 1, 1), bool), spacing, up_to_mm)).all()


@pytest.mark.parametrize("up_to_mm", [pytest.param(25.0, marks=pytest.mark.nightly), 31.8, 40.0])
def test_on_cubes_also_where_a_byte_would_not_hold_the_square(up_to_mm: float) -> None:
    mask = np.ones((40, 44, 36), bool)
    mask[3, 4, 5] = mask[37, 20, 30] = False
    whole = ndimage.distance_transform_edt(mask, sampling=2.0)
    expected = np.where(whole <= up_to_mm, whole, np.inf)
    assert depth_mm(mask, (2.0, 2.0, 2.0), up_to_mm) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("spacing", [(2.0, 2.0, 2.0), (1.3, 1.3, 1.3), (3.27, 0.98, 0.98)])
@pytest.mark.parametrize("depths", [(4.0,), (6.0, 10.0, 25.0), (1.9, 40.0)])
def test_deeper_than_so_much_is_what_the_distance_says(
    spacing: tuple[float, float, float], depths: tuple[float, ...]
) -> None:
    mask = ndimage.binary_closing(np.random.default_rng(4).random((37, 30, 33)) < 0.9, iterations=2)
    mask[:9] = True
    far = depth_mm(mask, spacing)
    for one, mm in zip(deeper(mask, spacing, *depths), depths, strict=True):
        assert np.array_equal(one, far > mm)
    assert all(one.all() for one in deeper(np.ones((5, 5, 5), bool), spacing, *depths))


@pytest.mark.parametrize("share", [0.0, 0.0004, 0.01, 0.5])
@pytest.mark.parametrize("up_to_mm", [11.0, 40.0])
def test_from_some_places_it_is_as_far_as_the_distance_of_all_says(share: float, up_to_mm: float) -> None:
    rng = np.random.default_rng(8)
    mask = rng.random((31, 24, 27)) < share
    places = np.stack([rng.integers(0, n, 400) for n in mask.shape], 1)
    whole = np.minimum(depth_mm(~mask, (2.0, 2.0, 2.0)), up_to_mm)[tuple(places.T)]
    assert away_mm(mask, places, 2.0, up_to_mm) == pytest.approx(whole, rel=1e-6)
