"""Fine structure in compiled code is that of the definition, to the last bit where no sum is rounded, at any size."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from isocenter.dicom.fine_structure import STROKE, relief, standing_out

SHAPES = [(1, 1), (1, 40), (40, 1), (2, 3), (6, 7), (7, 7), (8, 33), (33, 8), (64, 50), (100, 131)]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_relief_is_the_white_top_hat_of_a_square(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(shape)
    for light in (rng.random(shape, np.float32), np.round(rng.random(shape, np.float32) * 4) / 4):
        least = ndimage.minimum_filter(light, STROKE, mode="constant", cval=np.inf)
        wanted = light - ndimage.maximum_filter(least, STROKE, mode="constant", cval=-np.inf)
        assert np.array_equal(relief(light), wanted) and relief(light).dtype == np.float32
    whole = rng.random((shape[0] * 2, shape[1] * 2), np.float32)
    assert np.array_equal(relief(whole[::2, ::2]), relief(whole[::2, ::2].copy())), "every other pixel of a picture"


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("around", [0, 1, 5, 16])
def test_what_stands_out_is_more_than_so_many_times_what_is_around(shape: tuple[int, int], around: int) -> None:
    thin = np.random.default_rng(shape).random(shape, np.float32) ** 4
    power = ndimage.uniform_filter(thin.astype(np.float64) ** 2, 2 * around + 1, mode="reflect")
    limit = np.maximum(0.1, 1.5 * np.sqrt(power))
    close = np.abs(thin - limit) < 1e-6  # where rounding decides
    found = standing_out(thin, around, 0.1, 1.5)
    assert np.array_equal(found | close, (thin > limit) | close) and found.dtype == bool
