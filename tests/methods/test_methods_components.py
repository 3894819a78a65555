"""Parts of masks, against SciPy, and on the single lines that the library beneath stumbles over."""

import numpy as np
import pytest
from scipy import ndimage

from isocenter.methods.components import labelled


@pytest.mark.parametrize(
    "shape", [(7, 8, 9), (1, 20, 20), (20, 1, 20), (300, 1, 1), (1, 300, 1), (1, 1, 300), (1, 1, 1)]
)
def test_labels_equal_those_of_scipy(shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(0)
    for share in (0.0, 0.05, 0.3, 0.5, 0.9, 1.0):
        mask = rng.random(shape) < share
        labels, count = labelled(mask)
        truth, true_count = ndimage.label(mask, np.ones((3, 3, 3)))
        assert (labels.shape, count) == (shape, true_count)
        # The same parts, whatever their numbers.
        assert len(set(zip(labels.ravel().tolist(), truth.ravel().tolist(), strict=True))) == len(np.unique(truth))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_every_second_voxel_of_a_line(axis: int) -> None:
    mask = np.zeros((300, 1, 1), bool)
    mask[::2] = True
    assert labelled(np.moveaxis(mask, 0, axis))[1] == 150
