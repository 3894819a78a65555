"""Decay of magnitudes that tell no fat, against signals written out by hand."""

import numpy as np
import pytest

from isocenter.methods.decay_alone import decay_alone

PPM = np.array([-3.80, -3.40, -2.60, -1.94, -0.39, 0.60])
SHARE = np.array([0.087, 0.693, 0.128, 0.004, 0.039, 0.048])
TIMES = np.array([1.3 + 2.2 * n for n in range(8)]) / 1000.0  # in and out of phase, nearly, at 1.5 T
SIGMA = 1.0 / 70.0


def magnitudes(r2_star: np.ndarray, fat: float, noise: float = SIGMA) -> np.ndarray:
    beat = (SHARE * np.exp(2j * np.pi * 63.866 * PPM * TIMES[:, None])).sum(axis=1) / SHARE.sum()
    signal = (1.0 - fat + fat * beat)[:, None, None, None] * np.exp(-r2_star * TIMES[:, None, None, None])
    rng = np.random.default_rng(1)
    parts = rng.standard_normal((2, *signal.shape)) * noise
    return np.abs(signal + parts[0] + 1j * parts[1])


@pytest.mark.parametrize("r2_star", [40.0, 350.0, 600.0])
@pytest.mark.parametrize("fat", [0.01, 0.15, 0.3])
def test_the_decay_is_known_whatever_the_fat(r2_star: float, fat: float) -> None:
    mask = np.ones((2, 30, 30), bool)
    found = decay_alone(magnitudes(np.full(mask.shape, r2_star), fat), TIMES, 1.5, mask, SIGMA**2)
    assert found.r2_star == pytest.approx(r2_star, rel=0.03)
    assert found.low <= found.r2_star <= found.high < 1.06 * found.low
    assert found.rates.shape == (mask.sum(),)


def test_a_vessel_that_outlasts_the_liver_does_not_lower_its_decay() -> None:
    """All voxels together would: a twentieth of them is all that is left at the later echoes."""
    mask, rates = np.ones((2, 30, 30), bool), np.full((2, 30, 30), 350.0)
    rates[:, 10:17, 10:17] = 30.0
    found = decay_alone(magnitudes(rates, 0.03), TIMES, 1.5, mask, SIGMA**2)
    assert found.r2_star == pytest.approx(350.0, rel=0.03)


def test_where_noise_hides_the_decay_its_neighbourhoods_scatter() -> None:
    mask = np.ones((1, 12, 12), bool)
    found = decay_alone(magnitudes(np.full(mask.shape, 900.0), 0.1, 0.1), TIMES, 1.5, mask, 0.01)
    assert found.spread > found.r2_star > 0.0  # 754 for 900
    clear = decay_alone(magnitudes(np.full(mask.shape, 350.0), 0.1), TIMES, 1.5, mask, SIGMA**2)
    assert clear.spread < 0.1 * clear.r2_star
