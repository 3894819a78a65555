"""What grey values tell."""

import numpy as np
import pytest

from isocenter.methods import greys

RNG = np.random.default_rng(0)


def chest(size: int = 256) -> np.ndarray:
    y, x = np.indices((size, size)) / size
    lungs = (((x - 0.28) / 0.14) ** 2 + ((y - 0.42) / 0.3) ** 2 < 1) | (
        ((x - 0.72) / 0.14) ** 2 + ((y - 0.42) / 0.3) ** 2 < 1
    )
    return np.where(lungs, 60.0, 180.0) + RNG.normal(0, 5, lungs.shape)


def test_clipping() -> None:
    normal = RNG.normal(100, 20, 100_000).round()
    assert greys.clipped_share(normal) == 0.0
    assert greys.clipped_share(np.minimum(normal, 110)) == pytest.approx(np.mean(normal >= 110))
    assert greys.clipped_share(np.full(10, 3.0)) == 0.0
    assert greys.clipped_share(np.minimum(normal, 110).astype(np.int16)) > 0.2


def test_a_white_letter_is_a_small_share() -> None:
    image = RNG.normal(100, 20, (256, 256)).round().clip(0, 200)
    image[5:25, 5:15] = 255
    assert greys.clipped_share(image) == pytest.approx(200 / 256**2)


def test_levels() -> None:
    assert greys.levels(np.arange(100.0) // 10) == 10


def test_blank_frames() -> None:
    low, high = np.array([0, 0, 3, 0, 5, 5]), np.array([0, 9, 3, 9, 9, 5])
    assert greys.blank_frames(low, high) == [2]
    assert greys.blank_frames(low, low) == []


def test_repeated_frames() -> None:
    stack = RNG.random((6, 32, 32))
    assert greys.repeated_frames(stack) == []
    stack[3] = stack[2]
    stack[4] = stack[5] = 0.0  # blank ones are another complaint
    assert greys.repeated_frames(stack) == [3]
    stack[3, 0, 0] += 1.0  # one pixel is enough to be another image
    assert greys.repeated_frames(stack) == []


def test_hounsfield_units_are_recognised() -> None:
    ct = np.r_[RNG.normal(-1000, 10, 5000), RNG.normal(40, 15, 5000), RNG.normal(-100, 20, 1000)]
    assert greys.looks_like_hounsfield(ct)
    assert not greys.looks_like_hounsfield(ct + 1024)
    assert not greys.looks_like_hounsfield(np.abs(RNG.normal(300, 100, 10_000)))
    assert not greys.looks_like_hounsfield(RNG.uniform(-4096, 4096, 10_000))  # MR phase


def test_missing_rescale_is_recognised() -> None:
    ct = np.r_[RNG.normal(-1000, 10, 5000), RNG.normal(40, 15, 5000)]
    assert greys.looks_unshifted(ct + 1024)
    assert not greys.looks_unshifted(ct)
    assert not greys.looks_unshifted(RNG.normal(40, 15, 5000))  # a crop without air is no fault


def test_lung() -> None:
    assert greys.lung_share(np.r_[np.full(3, -800.0), np.full(7, 40.0), np.full(90, -1000.0)]) == pytest.approx(0.3)
    assert greys.lung_share(np.full(5, -1000.0)) == 0.0


def test_a_chest_and_its_negative() -> None:
    image = chest()
    assert greys.mediastinum_contrast(image) > 0.3
    assert greys.mediastinum_contrast(-image) == pytest.approx(-greys.mediastinum_contrast(image), rel=1e-5)
    assert greys.mediastinum_contrast(np.full((64, 64), 2.0)) == 0.0
