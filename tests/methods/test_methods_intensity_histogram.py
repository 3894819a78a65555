"""Histograms by hand."""

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.intensity_histogram import histogram, volume_histogram


def test_empty_bins_count_in_the_gradient() -> None:
    found = histogram(np.array([1] * 5 + [4] * 3), 5)
    assert (found["ih_max_grad"], found["ih_max_grad_g"]) == (1.5, 3.0)
    assert (found["ih_min_grad"], found["ih_min_grad_g"]) == (-5.0, 1.0)
    assert found["ih_uniformity"] == pytest.approx((25 + 9) / 64)


def test_of_two_modes_the_one_nearer_to_the_mean() -> None:
    assert histogram(np.array([1, 1, 5, 5, 6]))["ih_mode"] == 5.0


def test_volume_histogram_of_a_ramp() -> None:
    found = volume_histogram(np.arange(0.0, 101.0))
    assert found["ivh_v10"] == pytest.approx(91 / 101) and found["ivh_v90"] == pytest.approx(11 / 101)
    assert (found["ivh_i10"], found["ivh_i90"]) == (91.0, 11.0)
    assert found["ivh_diff_i10_i90"] == 80.0


def test_beyond_the_last_intensity() -> None:
    assert volume_histogram(np.array([1.0, 3.0, 3.0, 3.0]))["ivh_i10"] == 4.0
    with pytest.raises(Refused, match="one intensity"):
        volume_histogram(np.array([2.0, 2.0]))
    with pytest.raises(Refused, match="without voxels"):
        volume_histogram(np.array([]))
