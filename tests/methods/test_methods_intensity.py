"""Statistics and peaks."""

import warnings

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.intensity import PEAK_RADIUS_MM, local_peaks, statistics


def test_moments_of_a_known_distribution() -> None:
    x = np.random.default_rng(0).gamma(4.0, 2.0, 200_000)
    found = statistics(x)
    assert found["stat_mean"] == pytest.approx(8.0, rel=0.01) and found["stat_var"] == pytest.approx(16.0, rel=0.02)
    assert found["stat_skew"] == pytest.approx(1.0, rel=0.03) and found["stat_kurt"] == pytest.approx(1.5, rel=0.1)
    assert found["stat_rms"] ** 2 * len(x) == pytest.approx(found["stat_energy"])
    assert found["stat_range"] == found["stat_max"] - found["stat_min"]


def test_one_intensity_has_no_skewness() -> None:
    found = statistics(np.full(5, 3.0))
    assert (found["stat_skew"], found["stat_kurt"], found["stat_var"]) == (0.0, 0.0, 0.0)
    with pytest.raises(Refused, match="without voxels"):
        statistics(np.array([]))
    with pytest.raises(Refused, match="not numbers"):
        statistics(np.array([1.0, np.nan]))


def test_two_values_have_no_middle() -> None:
    """Neither lies between their percentiles 10 and 90: no value, and no warning of a mean of nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = statistics(np.array([1.0, 3.0]))
    assert np.isnan(found["stat_rmad"]) and found["stat_mad"] == 1.0


def test_a_peak_is_the_mean_of_a_ball_of_one_millilitre() -> None:
    assert 4 / 3 * np.pi * PEAK_RADIUS_MM**3 == pytest.approx(1000.0)
    image = np.zeros((9, 9, 9))
    image[4, 4, 4] = 246.0
    image[1:4, 1:4, 1:4] = 1.0
    mask = np.zeros(image.shape, bool)
    mask[3:6, 3:6, 3:6] = True
    found = local_peaks(image, mask, (2.0, 2.0, 2.0))
    # 123 voxels of 2 mm have their centre within 6.2 mm.
    assert found["loc_peak_loc"] == pytest.approx((246.0 + np.sum(image[1:4, 1:4, 1:4][_near()])) / 123)
    assert found["loc_peak_glob"] >= found["loc_peak_loc"]
    with pytest.raises(Refused, match="no peak"):
        local_peaks(image, np.zeros_like(mask), (2.0, 2.0, 2.0))


def _near() -> np.ndarray:
    place = np.indices((3, 3, 3)) + 1 - 4
    return np.asarray(np.sqrt((place**2).sum(axis=0)) * 2.0 <= PEAK_RADIUS_MM)
