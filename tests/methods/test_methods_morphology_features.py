"""Shapes with a formula."""

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods import morphology_features as morphology


def test_an_ellipsoid() -> None:
    spacing, half = (1.5, 1.0, 1.0), np.array([12.0, 16.0, 20.0])
    place = (np.indices((21, 41, 49)) - np.reshape([10, 20, 24], (3, 1, 1, 1))) * np.reshape(spacing, (3, 1, 1, 1))
    found = morphology.shape((place**2 / np.reshape(half, (3, 1, 1, 1)) ** 2).sum(axis=0) <= 1.0, spacing)
    volume = 4 / 3 * np.pi * half.prod()
    assert found["morph_volume"] == pytest.approx(volume, rel=0.02)  # marching cubes cut corners
    assert found["morph_vol_approx"] == pytest.approx(volume, rel=0.01)
    # A solid ellipsoid's variance along an axis is a fifth of its half axis squared.
    assert found["morph_pca_maj_axis"] == pytest.approx(4 * 20 / np.sqrt(5), rel=0.01)
    assert found["morph_pca_flatness"] == pytest.approx(0.6, rel=0.01)
    assert found["morph_diam"] == pytest.approx(40.0, abs=1.2)
    assert 0.9 < found["morph_vol_dens_conv_hull"] < 1.0
    assert found["morph_sphericity"] * found["morph_sph_dispr"] == pytest.approx(1.0)
    assert found["morph_comp_1"] ** 2 * 36 * np.pi**2 == pytest.approx(found["morph_comp_2"])


def test_the_series_of_the_manual_for_an_ellipsoid() -> None:
    """Exact for a ball; with two equal axes the series has a sum."""
    a, b = 3.0, 2.0
    e = np.sqrt(1 - (b / a) ** 2)
    summed = 2 * np.pi * a * b * (1 + (1 - e**2) / e * np.arctanh(e))
    assert morphology._ellipsoid_surface(np.array([a, b, b])) == pytest.approx(summed, rel=1e-6)
    assert morphology._ellipsoid_surface(np.array([a, a, a])) == pytest.approx(4 * np.pi * a**2, rel=1e-9)


def test_the_heavy_side_pulls_the_centre() -> None:
    mask = np.ones((2, 2, 10), bool)
    image = np.where(np.arange(10) < 5, 1.0, 3.0) * np.ones(mask.shape)
    found = morphology.shape_with_intensity(image, mask, mask, (1.0, 1.0, 2.0), 80.0)
    assert found["morph_com"] == pytest.approx(2.5) and found["morph_integ_int"] == pytest.approx(160.0)


def test_flat_and_tiny_regions() -> None:
    flat = morphology.shape(np.ones((1, 5, 6), bool), (2.0, 1.0, 1.0))
    assert "morph_vol_dens_aee" not in flat and flat["morph_pca_least_axis"] == 0.0
    with pytest.raises(Refused, match="1 voxel"):
        morphology.shape(np.ones((1, 1, 1), bool), (1.0, 1.0, 1.0))
