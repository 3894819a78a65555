"""A cold middle is told from noise, from a loose outline and from a lesion that is hot on one side."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from isocenter.methods.cold_core import cold_core

MM = (4.0, 4.0, 4.0)
PLACE = (np.stack(np.meshgrid(*(np.arange(30),) * 3, indexing="ij"), axis=-1) - 15.0) * 4.0
FAR = np.linalg.norm(PLACE, axis=-1)


def seen(uptake: np.ndarray, seed: int = 0) -> np.ndarray:
    """As a scanner with 6 mm of blur and a tenth of noise shows it."""
    noise = np.random.default_rng(seed).normal(1.0, 0.1, uptake.shape)
    return np.asarray(gaussian_filter(uptake, 6.0 / 2.355 / 4.0) * noise)


@pytest.mark.parametrize("radius", [18.0, 24.0, 36.0])
@pytest.mark.parametrize("margin", [0.0, 4.0])
def test_a_dead_middle_is_found(radius: float, margin: float) -> None:
    """Of half the radius and more; the outline may lie a voxel wide."""
    image = seen(np.where(radius * 0.6 > FAR, 0.8, np.where(radius > FAR, 8.0, 1.0)))
    found = cold_core(image, MM, radius + margin > FAR)
    assert found is not None and found.core < 0.6 * found.rim


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("margin", [0.0, 8.0])
def test_a_solid_lesion_has_none(seed: int, margin: float) -> None:
    solid = np.where(FAR < 22.0, 8.0, 1.0)
    assert cold_core(seen(solid, seed), MM, 22.0 + margin > FAR) is None
    beside = np.where((FAR < 22.0) & (PLACE[..., 2] > 0), 8.0, 1.0)
    assert cold_core(seen(beside, seed), MM, 22.0 + margin > FAR) is None
    small = np.where((FAR < 7.0) & (FAR > 4.0), 8.0, 1.0)
    assert cold_core(seen(small, seed), MM, FAR < 7.0) is None


def test_nothing_has_no_middle() -> None:
    assert cold_core(np.ones((3, 3, 3)), MM, np.zeros((3, 3, 3), bool)) is None
