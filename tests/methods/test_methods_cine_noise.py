"""Noise of a cine: known noise on a chest that holds still about a heart that does not."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from isocenter.methods.cine_noise import noise_over_phases


def beating(phases: int, noise: float, *, smooth: float = 0.0, frozen: bool = False, size: int = 96) -> np.ndarray:
    """A disk of 200 that beats strongly in a chest of 100 beside air, with noise of that deviation in each pixel."""
    rng = np.random.default_rng(1)
    y, x = np.ogrid[:size, :size]
    distance = np.hypot(y - size / 2, x - size / 2)
    radii = 20 + 8 * np.cos(2 * np.pi * np.arange(phases) / phases)
    made = np.stack([np.where(distance < r, 200.0, np.where(distance < 44, 100.0, 0.0)) for r in radii])
    added = rng.standard_normal((1 if frozen else phases, size, size))
    if smooth:
        added = gaussian_filter(added, (0, smooth, smooth))
    return (made + noise * added / added.std())[:, None].astype(np.float32)


@pytest.mark.parametrize("phases", [8, 10, 20, 30])
def test_white_noise_is_found_beside_a_beating_heart(phases: int) -> None:
    for noise in (4.0, 12.0):
        found = noise_over_phases(beating(phases, noise), (1.4, 1.4), 50.0)
        assert found == pytest.approx(noise / 2, rel=0.25)
    assert noise_over_phases(beating(phases, 0.0), (1.4, 1.4), 50.0) < 0.01


def test_smoothed_noise_counts_for_more_and_frozen_noise_is_found() -> None:
    white, smoothed, frozen = (
        noise_over_phases(beating(20, 10.0, **how), (1.4, 1.4), 50.0) for how in ({}, {"smooth": 0.7}, {"frozen": True})
    )
    assert smoothed > 1.4 * white and frozen == pytest.approx(5.0, rel=0.15)


def test_blocks_have_one_size_whatever_the_pixels() -> None:
    fine, coarse = (noise_over_phases(beating(20, 10.0), (mm, mm), 50.0) for mm in (0.68, 2.7))
    assert fine == pytest.approx(2.5, rel=0.25) and coarse == pytest.approx(10.0, rel=0.25)


def test_where_nothing_is_bright_nothing_is_found() -> None:
    assert noise_over_phases(beating(20, 10.0), (1.4, 1.4), 1e6) == 0.0
