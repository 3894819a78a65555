"""Features of one matrix by hand."""

import numpy as np
import pytest

from isocenter.methods.cooccurrence import features


def test_two_levels_by_hand() -> None:
    """p = [[0.4, 0.1], [0.1, 0.4]]: mean 1.5, variance 0.25, correlation 0.6."""
    found = {k: float(v[0]) for k, v in features(np.array([[[4.0, 1.0], [1.0, 4.0]]])).items()}
    assert found["joint_avg"] == pytest.approx(1.5) and found["joint_var"] == pytest.approx(0.25)
    assert found["corr"] == pytest.approx(0.6) and found["contrast"] == pytest.approx(0.2)
    assert found["energy"] == pytest.approx(0.34) and found["auto_corr"] == pytest.approx(0.4 + 0.4 + 1.6)
    assert found["inv_diff"] == pytest.approx(0.9) and found["inv_diff_norm"] == pytest.approx(0.8 + 0.2 / 1.5)
    assert found["inv_var"] == pytest.approx(0.2) and found["clust_tend"] == pytest.approx(0.8)
    entropy = -2 * (0.4 * np.log2(0.4) + 0.1 * np.log2(0.1))
    assert found["joint_entr"] == pytest.approx(entropy)
    assert found["info_corr1"] == pytest.approx(entropy - 2.0)
    assert found["info_corr2"] == pytest.approx(np.sqrt(1 - np.exp(-2 * (2 - entropy))))


def test_a_matrix_without_pairs_has_no_value() -> None:
    found = features(np.stack([np.zeros((3, 3)), np.eye(3)]))
    assert all(np.isnan(v[0]) for v in found.values())
    assert not any(np.isnan(v[1]) for v in found.values())
    assert len(found) == 25
