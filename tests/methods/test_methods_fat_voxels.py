"""Voxels fitted side by side: each gets the answer that it gets alone, and those without an answer say so."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from isocenter.methods import fat_voxels
from isocenter.methods.fat_spectrum import fat_signal

EVEN = np.array([1.1, 2.25, 3.4, 4.55, 5.7, 6.85]) / 1000
UNEVEN = np.array([1.2, 2.5, 4.1, 5.4, 7.3, 8.8]) / 1000


def fitted(
    echoes: npt.NDArray[Any], times: npt.NDArray[np.float64], hertz: float, where: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float32]:
    maps = np.full((7, *echoes.shape[1:]), -1.0, np.float32)
    field, weight = np.full((1, 1, 1), hertz), np.ones((1, 1, 1))
    fat_voxels.fit(echoes, False, where, times, fat_signal(times, 3.0), echoes.shape[1:], field, weight, 0.0, maps)
    return maps


def noisy(times: npt.NDArray[np.float64]) -> npt.NDArray[np.complex128]:
    rng = np.random.default_rng(7)
    fraction, decay = rng.uniform(0, 1, (3, 11, 17)), rng.uniform(0, 900, (3, 11, 17))
    field = rng.uniform(-30, 30, (3, 11, 17))
    t, fat = times[:, None, None, None], fat_signal(times, 3.0)[:, None, None, None]
    clean = (1 - fraction + fraction * fat) * np.exp((2j * np.pi * field - decay) * t)
    noise = rng.standard_normal((2, *clean.shape))
    return np.asarray(clean + 0.02 * (noise[0] + 1j * noise[1]))


@pytest.mark.parametrize("times", [EVEN, UNEVEN])
def test_the_answer_is_the_least_of_all_and_that_of_the_voxel_alone(times: npt.NDArray[np.float64]) -> None:
    echoes = noisy(times)
    where = np.ones(echoes.shape[1:], bool)
    maps = fitted(echoes, times, 0.0, where)
    fat = fat_signal(times, 3.0)
    for place in ((0, 0, 0), (1, 5, 9), (2, 10, 16)):
        one = np.zeros_like(where)
        one[place] = True
        alone = fitted(echoes, times, 0.0, one)
        assert np.array_equal(alone[(slice(None), *place)], maps[(slice(None), *place)])
        assert (alone[:, ~one] == -1.0).all()

        def left(hertz: float, rate: float, s: Any = echoes[(slice(None), *place)]) -> float:
            model = np.stack([np.ones(len(times)), fat], axis=1) * np.exp((2j * np.pi * hertz - rate) * times)[:, None]
            return float(np.linalg.norm(s - model @ np.linalg.lstsq(model, s, rcond=None)[0]) / np.linalg.norm(s))

        rate, hertz, residual = (float(maps[(k, *place)]) for k in (1, 2, 5))
        assert residual == pytest.approx(left(hertz, rate), abs=1e-6)
        assert all(left(hertz + a, rate + b) >= residual - 1e-7 for a, b in ((1, 0), (-1, 0), (0, 5), (0, -5)))


def test_voxels_without_signal_have_no_answer_and_the_others_keep_theirs() -> None:
    echoes = noisy(EVEN)
    echoes[:, 1, 4] = 0.0
    where = np.ones(echoes.shape[1:], bool)
    maps = fitted(echoes, EVEN, 0.0, where)
    assert np.isnan(maps[:, 1, 4]).all()
    assert np.isfinite(np.delete(maps.reshape(7, 33, 17), 15, axis=1)).all()
    single = fitted(echoes.astype(np.complex64), EVEN, 0.0, where)
    assert np.nanmax(np.abs(single[3] - maps[3])) < 1e-4
