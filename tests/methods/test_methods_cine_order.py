"""Phases in order differ less from their neighbours than from any other, and shuffled ones do not."""

import numpy as np
import pytest

from isocenter.methods.cine_order import neighbours_apart


def beat(phases: int) -> np.ndarray:
    """(phases, 2, 60, 60) of a disk whose radius follows a beat that lasts two thirds of the cycle."""
    y, x = np.mgrid[:60, :60] - 29.5
    squeeze = np.sin(np.pi * np.minimum(np.arange(phases) / phases * 1.5, 1.0)) ** 2
    made = [np.where(np.hypot(y, x) < 20 - 8 * s, 1.0, 0.3) for s in squeeze]
    return np.repeat(np.array(made, np.float32)[:, None], 2, 1)


@pytest.mark.parametrize(("phases", "most"), [(8, 0.5), (10, 0.4), (20, 0.2), (30, 0.2)])
def test_a_beat_in_order(phases: int, most: float) -> None:
    assert neighbours_apart(beat(phases), (1.5, 1.5)).max() < most


def test_shuffled_phases_and_noise_alone_have_no_order() -> None:
    rng = np.random.default_rng(3)
    shuffled = [neighbours_apart(beat(20)[rng.permutation(20)], (1.5, 1.5)).min() for _ in range(20)]
    assert sum(one > 0.55 for one in shuffled) >= 18  # chance may draw an order that is nearly one
    noise = rng.normal(5, 1, (20, 3, 60, 60)).astype(np.float32)
    assert (abs(neighbours_apart(noise, (1.5, 1.5)) - 1) < 0.2).all()
    assert neighbours_apart(np.ones((8, 2, 9, 9), np.float32), (1.5, 1.5)).tolist() == [1, 1]  # nothing moves


def test_noise_of_a_scan_does_not_hide_the_order() -> None:
    noisy = beat(20) + np.random.default_rng(5).normal(0, 0.07 * 0.7, beat(20).shape).astype(np.float32)
    assert neighbours_apart(noisy, (1.5, 1.5)).max() < 0.3
