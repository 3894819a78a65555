"""The shared formulae of runs, zones and dependences by hand."""

import numpy as np
import pytest

from isocenter.methods.emphases import NAMES, emphases, of_matrix


def test_a_matrix_by_hand() -> None:
    """Two runs of length 1 and level 1, one of length 2 and level 3: four voxels."""
    found = dict(zip(NAMES["rlm"], of_matrix(np.array([[2.0, 0], [0, 0], [0, 1.0]]), 4.0), strict=False))
    assert found["sre"] == pytest.approx((2 + 1 / 4) / 3) and found["lre"] == pytest.approx((2 + 4) / 3)
    assert found["lrhge"] == pytest.approx((2 + 36) / 3) and found["srlge"] == pytest.approx((2 + 1 / 36) / 3)
    assert found["glnu"] == pytest.approx(5 / 3) and found["rlnu_norm"] == pytest.approx(5 / 9)
    assert found["r_perc"] == 0.75 and found["gl_var"] == pytest.approx(8 / 9)
    assert found["rl_entr"] == pytest.approx(-(2 / 3 * np.log2(2 / 3) + 1 / 3 * np.log2(1 / 3)))


def test_pieces_of_one_entry_are_one_entry() -> None:
    pieces = emphases(np.array([2, 2, 1]), np.array([5, 5, 1]), np.ones(3), 11.0)
    assert pieces == pytest.approx(emphases(np.array([1, 2]), np.array([1, 5]), np.array([1.0, 2.0]), 11.0))


def test_nothing_counted_has_no_value() -> None:
    assert np.isnan(of_matrix(np.zeros((2, 2)), 0.0)).all()
