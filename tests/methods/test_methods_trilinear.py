"""Values on another grid, against SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from isocenter.methods.trilinear import at_places, sampled, shared


@pytest.mark.parametrize("seed", range(4))
def test_every_value_is_that_of_an_affine_transform_of_order_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    array = rng.random((14, 17, 20)).astype(np.float32)
    step = np.eye(4)
    step[:3, :3] = np.diag((1.0, -0.5, 2.0))[rng.permutation(3)] if seed % 2 else np.eye(3) + rng.normal(0, 0.2, (3, 3))
    step[:3, 3] = rng.normal(4, 4, 3)
    expected = ndimage.affine_transform(array, step[:3, :3], step[:3, 3], output_shape=(15, 16, 18), order=1)
    assert sampled(array, step, (15, 16, 18)) == pytest.approx(expected, abs=1e-4)
    inside = rng.random(expected.shape) < 0.8
    mask = (rng.random(expected.shape) < 0.5) & inside
    theirs = (expected > 0.5) & inside
    dice = 2 * (theirs & mask).sum() / (theirs.sum() + mask.sum())
    assert shared(array, step, 0.5, mask, inside) == pytest.approx(dice, abs=1e-3)


def test_values_hold_to_the_outer_face_of_a_voxel_and_no_further() -> None:
    array = np.arange(1, 9, dtype=np.float32).reshape(2, 2, 2)
    step = np.diag((0.25, 0.25, 0.25, 1.0))
    step[:3, 3] = -0.5
    found = sampled(array, step, (10, 10, 10), beyond=0.5)
    assert (found[:9, :9, :9] > 0).all() and found[0, 0, 0] == 1 and found[8, 8, 8] == 8
    assert not found[9].any() and not found[:, 9].any() and not found[:, :, 9].any()


def test_two_masks_of_which_nothing_is_there_do_not_overlap() -> None:
    nothing = np.zeros((3, 3, 3), bool)
    assert shared(np.zeros((3, 3, 3), np.float32), np.eye(4), 0.5, nothing, ~nothing) == 0.0


@pytest.mark.parametrize("shape", [(9, 12, 7), (1, 12, 2)])
def test_values_at_scattered_places_are_those_of_scipy_to_the_bit(shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(5)
    array = rng.normal(300.0, 90.0, shape).astype(np.float32)
    index = rng.uniform(-2.0, np.array(shape) + 1.0, (5000, 3))
    index[:50] = np.rint(index[:50])
    assert np.array_equal(at_places(array, index), ndimage.map_coordinates(array, index.T, order=1, mode="nearest"))
