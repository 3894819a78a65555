"""Riesz transforms of waves."""

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.riesz import riesz, riesz_log, riesz_simoncelli


def test_a_wave_along_the_row_is_shifted_by_a_quarter() -> None:
    x = np.broadcast_to(np.arange(16.0), (8, 8, 16))
    wave = np.cos(2 * np.pi * x / 8)
    assert riesz(wave, (1, 0, 0)) == pytest.approx(np.sin(2 * np.pi * x / 8), abs=1e-9)
    assert np.abs(riesz(wave, (0, 1, 0))).max() < 1e-9
    assert riesz(wave, (2, 0, 0)) == pytest.approx(-wave, abs=1e-9)


def test_all_of_an_order_keep_the_energy() -> None:
    """The weights make the components of an order a partition of what is not constant."""
    image = np.random.default_rng(0).normal(size=(9, 9, 9))
    orders = [(a, b, 2 - a - b) for a in range(3) for b in range(3 - a)]
    energy = sum((riesz(image, o) ** 2).sum() for o in orders)
    assert energy == pytest.approx(((image - image.mean()) ** 2).sum())


def test_after_a_filter() -> None:
    image = np.random.default_rng(0).normal(size=(12, 12, 12))
    assert riesz_log(image, (0, 1, 0), 1.5, (1.0, 1.0, 1.0)).shape == image.shape
    turned = riesz_simoncelli(image.transpose(2, 1, 0), (0, 0, 2))
    assert turned == pytest.approx(riesz_simoncelli(image, (2, 0, 0)).transpose(2, 1, 0))
    with pytest.raises(Refused, match="order"):
        riesz(image, (0, 0, 0))
