"""Blocks of pixels, and back."""

import numpy as np
import pytest

from isocenter.methods.binning import binned, unbinned


@pytest.mark.parametrize("kind", [np.int16, np.float32])
def test_blocks_are_means(kind: type) -> None:
    frames = np.arange(2 * 3 * 6 * 8).reshape(2, 3, 6, 8).astype(kind)
    means = frames.reshape(2, 3, 3, 2, 4, 2).mean(axis=(3, 5))
    assert binned(frames, 2) == pytest.approx(means)
    assert np.array_equal(binned(frames, 1), frames)


def test_what_is_left_over_makes_narrower_blocks() -> None:
    frames = np.ones((1, 1, 5, 7), np.int16)
    small = binned(frames, 3)
    assert small.shape == (1, 1, 2, 3) and (small == 1).all()
    assert unbinned(small[0], 3, (5, 7)).shape == (1, 5, 7)


def test_back_on_the_pixels() -> None:
    assert unbinned(np.array([[[1, 2]]]), 2, (2, 4)).tolist() == [[[1, 1, 2, 2], [1, 1, 2, 2]]]
