"""Smoothing in the slice is that of scipy, and what is masked out neither gives nor takes."""

import numpy as np
import pytest
from scipy import ndimage

from isocenter.methods import in_plane

FRAMES = np.random.default_rng(3).normal(size=(3, 2, 21, 34)).astype(np.float32)


@pytest.mark.parametrize("sigma", [(1.3, 0.7), (0.0, 2.0), (9.0, 12.0)])
def test_every_slice_is_smoothed_as_scipy_does_it(sigma: tuple[float, float]) -> None:
    wanted = ndimage.gaussian_filter(FRAMES, (0, 0, *sigma))
    assert in_plane.blurred(FRAMES, sigma) == pytest.approx(wanted, abs=1e-6)


def test_a_mask_that_touches_the_edge_and_one_that_is_empty() -> None:
    mask = np.random.default_rng(4).random((2, 21, 34)) > 0.4
    mask[1] = False
    mask[1, 5:9, :7] = True
    share = ndimage.gaussian_filter(mask.astype(np.float32), (0, 1.9, 2.4), truncate=3.0)
    smooth = np.stack([ndimage.gaussian_filter(f * mask, (0, 1.9, 2.4), truncate=3.0) for f in FRAMES])
    wanted = smooth[:, mask] / share[mask]
    assert in_plane.within(FRAMES, mask, (1.9, 2.4)) == pytest.approx(wanted, abs=1e-6)
    mask[0] = False
    found = in_plane.within(FRAMES, mask, (1.9, 2.4))
    assert found.shape == (3, 28) and np.isfinite(found).all()


def test_the_highest_mean_of_nine() -> None:
    wanted = np.stack([ndimage.uniform_filter(f, (0, 3, 3)) for f in FRAMES]).max(axis=0)
    assert in_plane.highest_mean(FRAMES) == pytest.approx(wanted, abs=1e-6)
