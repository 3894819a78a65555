"""Moran's I and Geary's C against all pairs, one by one."""

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.spatial_autocorrelation import autocorrelation


def test_against_all_pairs() -> None:
    rng = np.random.default_rng(5)
    image, mask, spacing = rng.normal(size=(6, 7, 8)), rng.random((6, 7, 8)) < 0.6, (3.0, 1.0, 1.5)
    x, place = image[mask], np.argwhere(mask) * spacing
    with np.errstate(divide="ignore"):
        w = 1.0 / np.linalg.norm(place[:, None] - place, axis=2)
    np.fill_diagonal(w, 0.0)
    d = x - x.mean()
    moran = len(x) / w.sum() * (w * d[:, None] * d).sum() / (d**2).sum()
    geary = (len(x) - 1) / (2 * w.sum()) * (w * (x[:, None] - x) ** 2).sum() / (d**2).sum()
    assert autocorrelation(image, mask, spacing) == pytest.approx((moran, geary), rel=1e-9)


def test_single_precision_for_what_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    image, mask, spacing = 500.0 + rng.normal(size=(9, 12, 12)), rng.random((9, 12, 12)) < 0.6, (3.0, 1.0, 1.5)
    exact = autocorrelation(image, mask, spacing)
    monkeypatch.setattr("isocenter.methods.spatial_autocorrelation._LARGE", 1)
    assert autocorrelation(image, mask, spacing) == pytest.approx(exact, abs=2e-5)


def test_refusals() -> None:
    mask = np.zeros((3, 3, 3), bool)
    with pytest.raises(Refused, match="without voxels"):
        autocorrelation(np.ones(mask.shape), mask, (1.0, 1.0, 1.0))
    mask[1, 1, 1] = True
    with pytest.raises(Refused, match="no pairs"):
        autocorrelation(np.ones(mask.shape), mask, (1.0, 1.0, 1.0))
    with pytest.raises(Refused, match="one intensity"):
        autocorrelation(np.ones(mask.shape), ~mask, (1.0, 1.0, 1.0))
