"""Steps by faces give what scipy gives."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from isocenter.methods.cross_steps import closed, dilated, eroded, filled_in_slices, opened


@pytest.mark.parametrize("shape", [(9, 11, 13), (1, 7, 8), (2, 1, 9), (20, 24, 22)])
@pytest.mark.parametrize("share", [0.1, 0.55, 0.93])
def test_masks_grow_and_wear_as_by_the_structuring_element(shape: tuple[int, int, int], share: float) -> None:
    mask = np.random.default_rng([*shape, int(100 * share)]).random(shape) < share
    given = mask.copy()
    for steps in (1, 2):
        assert np.array_equal(dilated(mask, steps), ndimage.binary_dilation(mask, iterations=steps))
        assert np.array_equal(eroded(mask, steps), ndimage.binary_erosion(mask, iterations=steps))
        assert np.array_equal(opened(mask, steps), ndimage.binary_opening(mask, iterations=steps))
        assert np.array_equal(closed(mask, steps), ndimage.binary_closing(mask, iterations=steps))
    assert np.array_equal(filled_in_slices(mask), np.stack([ndimage.binary_fill_holes(one) for one in mask]))
    assert np.array_equal(mask, given)
