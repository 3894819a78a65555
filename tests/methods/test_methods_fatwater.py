"""Separation of fat and water: exact without noise, unbiased with it, and without exchange where the field is steep."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from isocenter.errors import Refused
from isocenter.methods.fat_spectrum import fat_signal
from isocenter.methods.fatwater import body, separate
from isocenter.testing.phantoms import abdomen_mr

SPACING = (5.0, 2.0, 2.0)
EVEN = (np.arange(6) * 1.15 + 1.1) / 1000
ODD = np.array([1.2, 2.5, 4.1, 5.4, 7.3, 8.8]) / 1000


def made(
    times: npt.NDArray[np.float64], field_t: float, pdff: Any, r2_star: Any, field_hz: Any, snr: float = np.inf
) -> npt.NDArray[np.complex128]:
    fat = fat_signal(times, field_t)[:, None, None, None]
    t = times[:, None, None, None]
    clean = ((100 - pdff) + pdff * fat) * np.exp((2j * np.pi * field_hz - r2_star) * t) * np.exp(0.7j)
    rng = np.random.default_rng(4)
    noise = rng.standard_normal((2, *clean.shape)) @ np.eye(clean.shape[-1]) * (100 / snr if np.isfinite(snr) else 0)
    return np.asarray(clean + noise[0] + 1j * noise[1])


def grid() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Fat 0 to 100 % down, R2* 0 to 500 across, in a field from -400 to 400 Hz."""
    rows, columns = np.meshgrid(np.arange(126), np.arange(120), indexing="ij")
    field = 400 * np.sin(columns / 38.0) * np.cos(rows / 60.0)
    return (rows // 6 * 5.0)[None], (columns // 10 * 45.0)[None], field[None]


@pytest.mark.parametrize(("times", "field_t"), [(EVEN, 3.0), (ODD, 1.5)])
def test_exact_without_noise_over_all_fat_decay_and_field(times: npt.NDArray[np.float64], field_t: float) -> None:
    pdff, r2_star, field = grid()
    found = separate(made(times, field_t, pdff, r2_star, field), times, field_t, SPACING)
    assert not found.conjugated and found.turning_sure
    assert np.abs(found.pdff - pdff).max() / 100 <= 1e-6
    assert np.abs(found.r2_star - r2_star).max() <= 1e-3
    assert np.nanmax(found.residual) < 1e-5
    other = separate(made(times, field_t, pdff, r2_star, field).conj(), times, field_t, SPACING)
    assert other.conjugated and np.abs(other.pdff - pdff).max() / 100 <= 1e-6


def test_unbiased_with_noise_from_none_to_half_fat() -> None:
    rows, columns = np.meshgrid(np.arange(120), np.arange(120), indexing="ij")
    pdff = (rows // 20 * 10.0)[None]
    field = (300 * np.sin(columns / 40.0) - 100 * np.cos(rows / 30.0))[None]
    found = separate(made(EVEN, 3.0, pdff, 50.0, field, snr=50.0), EVEN, 3.0, SPACING)
    for percent in range(0, 60, 10):
        assert abs(float((found.pdff - pdff)[pdff == percent].mean())) <= 0.3
    assert np.count_nonzero(np.abs(found.pdff - pdff) > 40) == 0


@pytest.mark.parametrize(("step_ms", "snr"), [(2.5, 500.0), (3.0, 50.0)])
def test_the_way_phase_turns_is_told_at_low_field_too(step_ms: float, snr: float) -> None:
    """At 0.55 T fat lies 80 Hz from water: mirrored phase with fat and water exchanged nearly fits."""
    times = (1.5 + step_ms * np.arange(6)) / 1000
    rows, columns = np.meshgrid(np.arange(80), np.arange(80), indexing="ij")
    pdff = (rows // 8 * 8.0)[None]
    r2_star, field = np.where(columns < 40, 40.0, 120.0)[None], (28 * np.sin(columns / 14.0))[None]
    echoes = made(times, 0.55, pdff, r2_star, field, snr=snr)
    for turned in (False, True):
        found = separate(echoes.conj() if turned else echoes, times, 0.55, SPACING)
        assert found.conjugated is turned and found.turning_sure
        assert np.count_nonzero(np.abs(found.pdff - pdff) > 20) == 0


def test_neighbours_decide_where_a_voxel_alone_would_exchange_fat_and_water() -> None:
    """Three echoes: each voxel has several fits as good as the true one."""
    times = np.array([2.87, 6.07, 9.27]) / 1000
    rows, columns = np.meshgrid(np.arange(96), np.arange(96), indexing="ij")
    pdff = np.where(np.hypot(rows - 48, columns - 48) < 26, 4.0, 92.0)[None]
    field = (150 * np.sin(columns / 30.0) + 60 * np.cos(rows / 25.0))[None]
    found = separate(made(times, 1.494, pdff, 40.0, field, snr=60.0), times, 1.494, SPACING)
    assert np.count_nonzero(np.abs(found.pdff - pdff) > 40) <= 0.001 * pdff.size
    assert found.gap < 0.1


def test_challenge_case_has_no_exchange(reference: Any) -> None:
    """No truth is given; marrow, fat and muscle of a shoulder must lie in large pieces that do not flip by slice."""
    data = np.load(reference / "fatwater-challenge17/mri_fatwater/data/17.npy")
    echoes = np.ascontiguousarray(np.moveaxis(data, 3, 1))
    found = separate(echoes, np.array([2.87, 6.07, 9.27]) / 1000, 1.494, SPACING)
    fat = found.pdff
    assert not found.conjugated and found.turning_sure
    # The field is smooth: a jump of 60 Hz between neighbours is an exchange (fat lies 96 Hz from water here).
    bright = np.abs(echoes[0]) > 0.15 * np.percentile(np.abs(echoes[0]), 98)
    period = 1 / 3.2e-3
    jump = np.diff(found.field_hz, axis=2)
    jump -= period * np.round(jump / period)
    both = bright[:, :, 1:] & bright[:, :, :-1]
    assert np.mean(np.abs(jump[both]) > 60) <= 0.001
    assert 0.2 < np.mean(fat[bright] > 70) < 0.6 and np.mean(fat[bright] < 30) > 0.2


def test_what_cannot_be_separated() -> None:
    flat = np.ones((6, 1, 16, 16), np.complex128)
    with pytest.raises(Refused, match="complex images"):
        separate(flat.real, EVEN, 3.0, SPACING)  # type: ignore[arg-type]
    with pytest.raises(Refused, match="2 echoes"):
        separate(flat[:2], EVEN[:2], 3.0, SPACING)
    with pytest.raises(Refused, match="must rise"):
        separate(flat, EVEN[::-1], 3.0, SPACING)
    with pytest.raises(Refused, match="not numbers"):
        separate(flat * np.nan, EVEN, 3.0, SPACING)
    with pytest.raises(Refused, match="without signal"):
        separate(flat * 0, EVEN, 3.0, SPACING)
    with pytest.raises(Refused, match="turning"):
        separate(flat, EVEN, 3.0, SPACING, turning="left")
    with pytest.raises(Refused, match="look alike"):
        separate(flat[:3], np.array([2.3, 4.6, 6.9]) / 1000, 3.0, SPACING)


def test_noise_in_air_is_left_out_of_the_body() -> None:
    """Air that is bright by chance: single specks, and whole clouds where noise is above the threshold of signal."""
    rng = np.random.default_rng(4)
    y, x = np.indices((64, 64))
    inside = np.broadcast_to((y - 32) ** 2 + (x - 32) ** 2 < 22**2, (3, 64, 64))
    vessel = (y - 32) ** 2 + (x - 40) ** 2 < 3**2
    residual = np.where(inside, 0.1, rng.normal(0.7, 0.1, inside.shape))
    residual[:, vessel] = 0.9  # blood that pulses fits no model, and is body all the same
    noisy = inside | (rng.random(inside.shape) < 0.9)
    told = body(noisy, 0.04, residual)
    assert told[inside].all() and np.count_nonzero(told & ~inside) < 0.01 * np.count_nonzero(told)
    specks = inside | (rng.random(inside.shape) < 0.02)
    alone = body(specks, 0.04)  # of three echoes, which leave no residual
    assert alone[inside].all() and np.count_nonzero(alone & ~inside) < 0.01 * np.count_nonzero(inside)


def test_iron_beside_tissue_is_no_fault_of_the_readout() -> None:
    echoes, truth = abdomen_mr.images(size=64, slices=1, snr=50.0, r2_star=1500.0, seed=2)
    found = separate(echoes, np.array(abdomen_mr.ECHOES_MS[1.5]) / 1000.0, 1.5, (8.0, 6.25, 6.25))
    assert found.unsound[truth["liver"] & found.signal].mean() > 0.95
    assert found.askew < 0.05
