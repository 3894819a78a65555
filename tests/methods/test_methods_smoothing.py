"""What is blurred is what SciPy blurs, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from isocenter.methods.smoothing import smoothed


@pytest.mark.parametrize("shape", [(20, 23, 31), (1, 40, 2), (3, 1, 5)])
@pytest.mark.parametrize("sigma", [0.7, 1.0, 1.9])
def test_every_value_is_that_of_scipy_also_where_the_bell_is_wider_than_the_volume(
    shape: tuple[int, int, int], sigma: float
) -> None:
    array = np.random.default_rng(3).normal(300.0, 90.0, shape).astype(np.float32)
    given = array.copy()
    assert np.array_equal(smoothed(array, sigma), ndimage.gaussian_filter(array, sigma))
    nearest = ndimage.gaussian_filter(array, sigma, mode="nearest")
    assert np.array_equal(smoothed(array, sigma, mirrored=False), nearest)
    assert np.array_equal(array, given)


def test_a_part_of_a_larger_volume_is_blurred_as_if_it_stood_alone() -> None:
    whole = np.random.default_rng(5).normal(0.0, 1.0, (12, 14, 16)).astype(np.float32)
    part = whole[2:9, 3:12, 1:15]
    assert np.array_equal(smoothed(part, 0.7), ndimage.gaussian_filter(part.copy(), 0.7))
