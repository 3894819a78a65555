"""Neighbourhoods of voxels whose later echoes are lost: the answer of least squares, and none from noise led astray."""

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from isocenter.methods import fat_pooled
from isocenter.methods.fat_spectrum import fat_signal

TIMES = np.array([1.2, 3.5, 5.8, 8.1, 10.4, 12.7]) / 1000.0
FAT = fat_signal(TIMES, 1.5)


def noise(shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(3)
    return np.asarray(rng.standard_normal((6, *shape)) + 1j * rng.standard_normal((6, *shape)))


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_neighbourhood_finds_the_field_and_decay_that_leave_least(mirrored: bool) -> None:
    shape = (1, 7, 7)  # all of it is the smallest neighbourhood of its middle
    made = 60.0 * (86 + 14 * FAT) / 100 * np.exp((2j * np.pi * 22.0 - 450.0) * TIMES)
    echoes = made[:, None, None, None] + noise(shape)
    where = np.ones(shape, bool)
    where[0, 1:3, 5] = False
    found = fat_pooled.pool(
        echoes.conj() if mirrored else echoes, mirrored, TIMES, FAT, where, np.full(shape, 10.0, np.float32)
    )[:, 0, 3, 3]

    def left(place: Any) -> float:
        basis = np.stack([np.ones(6), FAT], axis=1) * np.exp((2j * np.pi * place[0] - place[1]) * TIMES)[:, None]
        q, _ = np.linalg.qr(basis)
        seen = echoes[:, where]
        return float((np.abs(seen - q @ (q.conj().T @ seen)) ** 2).sum())

    least = minimize(left, (22.0, 450.0), method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-6})
    assert found[3] <= 1.0  # so that no larger neighbourhood was asked
    # The slow field, taken away first, varies a little over the place; that moves these by less than their noise.
    assert found[2] == pytest.approx(least.x[0], abs=0.5)
    assert found[1] == pytest.approx(least.x[1], abs=3.0)
    assert found[0] == pytest.approx(14.0, abs=3.0 * float(found[3]))


def test_noise_leads_to_no_field_far_from_that_round_about() -> None:
    air = noise((3, 64, 64))
    where = np.abs(air[:2]).max(axis=0) > 2.8  # bright by chance
    found = fat_pooled.pool(air, False, TIMES, FAT, where, np.zeros(where.shape, np.float32))
    astray = where & np.isinf(found[3])
    assert astray.any()
    assert np.isnan(found[2][astray]).all()
    assert not fat_pooled.sound(found, TIMES)[astray].any()
    told = found[2][where & np.isfinite(found[3])]
    assert np.abs(told).max() <= 240.0  # twice 120 Hz: the second round looks round the field of the first


def test_noise_alone_has_no_answer_however_wide_its_neighbourhood_and_faint_tissue_has_one() -> None:
    air = noise((3, 64, 64))
    where = np.ones(air.shape[1:], bool)
    found = fat_pooled.pool(air, False, TIMES, FAT, where, np.zeros(where.shape, np.float32))
    assert np.isnan(found[:3]).all() and not fat_pooled.sound(found, TIMES).any()
    made = 4.0 * (86 + 14 * FAT) / 100 * np.exp((2j * np.pi * 22.0 - 60.0) * TIMES)  # four times the noise
    tissue = made[:, None, None, None] + air
    found = fat_pooled.pool(tissue, False, TIMES, FAT, where, np.full(where.shape, 10.0, np.float32))
    assert fat_pooled.sound(found, TIMES).all()
    assert float(np.median(found[0])) == pytest.approx(14.0, abs=1.5)
