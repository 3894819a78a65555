"""Greys of blood and muscle on painted rings of known brightness, bent to the contrast that was learnt."""

import numpy as np
import pytest

from isocenter.methods.blood_and_muscle import bent, blood_and_muscle, even_gamma


def rings(muscle: float, slices: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Greys, cavity and wall of disks of blood (0.8) in muscle that is `muscle` times as bright."""
    line = np.arange(96) - 47.5
    r = np.hypot(line[:, None], line[None])
    inner, ring = (np.repeat(m[None], slices, 0) for m in (r < 18, (r >= 18) & (r < 25)))
    return (0.8 * inner + 0.8 * muscle * ring).astype(np.float32), inner, ring


@pytest.mark.parametrize("muscle", [0.25, 0.37, 0.5])
def test_greys_are_bent_until_muscle_is_as_bright_as_was_learnt(muscle: float) -> None:
    pictures, inner, ring = rings(muscle)
    pictures[:, 40:44, 40:56] = 0.8 * muscle  # a papillary muscle in the blood decides nothing
    gamma = even_gamma(pictures, inner, ring, 1.5)
    made = bent(pictures, gamma)
    assert made[ring].mean() / made[inner].max() == pytest.approx(0.37, abs=1e-3)
    assert (gamma < 1) is (muscle < 0.37 - 1e-6) or gamma == pytest.approx(1.0, abs=1e-3)
    # No farther than was learnt; and not at all where hardly a slice shows both.
    assert even_gamma(*rings(0.1), 1.5) == 0.62 and even_gamma(*rings(0.8), 1.5) == 1.62
    assert even_gamma(*rings(0.25, slices=2), 1.5) == 1.0
    assert bent(np.float32([-0.2, 0.0, 0.25]), 0.5) == pytest.approx([-np.sqrt(0.2), 0.0, 0.5])


def test_greys_are_those_well_within_each_and_a_slice_without_either_does_not_count() -> None:
    pictures, inner, ring = rings(0.4)
    r = np.hypot(*(np.indices((96, 96)) - 47.5))
    pictures[:, (r > 16) & (r < 19)] = 0.6  # where both share a pixel
    pictures[1, r < 40] += 0.1
    ring[3], inner[4] = False, False
    told = blood_and_muscle(pictures, inner, ring, 1.5)
    assert np.allclose(told, [(0.8, 0.32), (0.9, 0.42), (0.8, 0.32)])
