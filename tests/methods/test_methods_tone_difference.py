"""The example of the IBSI manual's chapter, and regions without change."""

import numpy as np
import pytest

from isocenter.methods.tone_difference import NAMES, tone_features


def test_two_levels_by_hand() -> None:
    found = dict(zip(NAMES, tone_features(np.array([3.0, 0, 1.0]), np.array([2.0, 0, 1.0])), strict=True))
    assert found["coarseness"] == pytest.approx(1 / (0.75 * 2 + 0.25))
    assert found["contrast"] == pytest.approx(2 * 0.75 * 0.25 * 4 / 2 * 3 / 4)
    assert found["busyness"] == 0.0 or found["busyness"] > 1e6  # 1 x 0.75 and 3 x 0.25 are equal
    assert found["complexity"] == pytest.approx(2 * 2 * (1.5 + 0.25) / 1.0 / 4)
    assert found["strength"] == pytest.approx(2 * 4 / 3)


def test_no_change_and_no_neighbours() -> None:
    assert tone_features(np.array([0.0, 5.0]), np.zeros(2)) == (1e6, 0.0, 0.0, 0.0, 0.0)
    assert np.isnan(tone_features(np.zeros(2), np.zeros(2))).all()
    assert tone_features(np.array([1.0, 1.0]), np.zeros(2)) == (1e6, 0.0, 0.0, 0.0, 0.0)
