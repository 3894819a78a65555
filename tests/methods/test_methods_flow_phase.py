"""Velocities that turned over are put back, and a phase that was no motion is taken off."""

import numpy as np
import pytest
from laminar import Pipe
from scipy.ndimage import binary_dilation

from isocenter.errors import Refused
from isocenter.methods.flow_phase import background, steadiness, unwrap

VENC = 0.5


def beat(frames: int = 16) -> np.ndarray:
    t = np.arange(frames) / frames
    return np.where(t < 0.4, np.sin(np.pi * t / 0.4), -0.15 * np.sin(np.pi * (t - 0.4) / 0.6))


@pytest.mark.parametrize("frames", [16, 1])
def test_twice_venc_with_noise_is_put_back_in_every_voxel(frames: int) -> None:
    pipe = Pipe(12.0, 6.0)
    part = pipe.poiseuille(1.0)[0] / pipe.along[0]
    moving = (beat()[:, None, None, None] * 2 * VENC * part)[16 // 5 :][:frames] if frames == 1 else (
        beat()[:, None, None, None] * 2 * VENC * part
    )  # fmt: skip
    rng = np.random.default_rng(5)
    noisy = moving + VENC * 2**0.5 / np.pi / 10.0 * rng.standard_normal(moving.shape)  # SNR 10
    wrapped = ((noisy + VENC) % (2 * VENC) - VENC).astype(np.float32)
    inside = binary_dilation(pipe.inside, iterations=2)
    assert np.count_nonzero(np.abs(wrapped - noisy)[:, inside] > VENC) > 500 / (17 - frames)
    found, changed = unwrap(wrapped, VENC, inside)
    assert changed > 0
    assert float(np.abs(found - noisy)[:, inside].max()) < 1e-4
    assert np.array_equal(found[:, ~inside], wrapped[:, ~inside])


def test_without_venc_nothing_is_unwrapped() -> None:
    with pytest.raises(Refused, match="a VENC of 0"):
        unwrap(np.zeros((2, 3, 3, 3), np.float32), 0.0)


def scan(order: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Velocities (3, frames, ...) of tissue around a beating pipe, a magnitude with air, and the planted field."""
    shape = (10, 24, 26)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    field = np.stack([0.02 * x - 0.01 * y + 0.005, 0.015 * z + 0.01, -0.02 * y + 0.01 * x])
    if order == 2:
        field += np.stack([0.01 * x * x, -0.012 * y * z, 0.008 * y * y])
    vessel = (y**2 + x**2) < 0.08
    rng = np.random.default_rng(3)
    velocity = field[:, None] + 0.02 * rng.standard_normal((3, 12, *shape))
    velocity[2] += np.where(vessel, 0.4, 0.0) * beat(12)[:, None, None, None]
    air = (y**2 + x**2) > 1.3
    velocity = np.where(air, rng.uniform(-1, 1, velocity.shape), velocity).astype(np.float32)
    return velocity, np.where(air, 0.05, 1.0 + 0.5 * vessel), field


@pytest.mark.parametrize("order", [1, 2])
def test_a_planted_background_is_found_from_tissue_that_keeps_still(order: int) -> None:
    velocity, magnitude, field = scan(order)
    still = steadiness(velocity, magnitude, (1.0, 1.0, 1.0))
    vessel = magnitude > 1.2
    assert not (still.stationary & vessel).any() and still.tissue[magnitude < 0.5].mean() < 0.2
    assert not still.stationary[magnitude < 0.5].any()
    found = background(still, order)
    assert np.abs(found.field - field).max() < 0.004
    assert max(found.before) > 2 * max(found.after)
    assert 0.004 < max(found.after) < 0.008  # the noise of twelve frames


def test_a_vein_of_steady_flow_does_not_bend_the_background() -> None:
    velocity, magnitude, field = scan(1)
    velocity[2, :, :, 4:8, 4:8] += 0.2
    found = background(steadiness(velocity, magnitude, (1.0, 1.0, 1.0)), 1)
    assert np.abs(found.field - field).max() < 0.006


def test_scans_without_tissue_that_keeps_still_are_refused() -> None:
    velocity, magnitude, _ = scan(1)
    with pytest.raises(Refused, match="of tissue that does not move"):
        steadiness(velocity[:, :, :2, 9:15, 9:15], magnitude[:2, 9:15, 9:15], (1.0, 1.0, 1.0))
    noise = np.random.default_rng(0).uniform(-1, 1, velocity.shape).astype(np.float32)
    with pytest.raises(Refused, match="no tissue in which velocity keeps still"):
        steadiness(noise, magnitude, (1.0, 1.0, 1.0))
    with pytest.raises(Refused, match="background of order 4"):
        background(steadiness(velocity, magnitude, (1.0, 1.0, 1.0)), 4)
