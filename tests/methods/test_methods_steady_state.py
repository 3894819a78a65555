"""First frames that are brighter than the steady state, by the exact recovery of magnetisation."""

import numpy as np
import pytest

from isocenter.methods.steady_state import unsteady


def approached(t1_s: float, repetition_s: float, flip_deg: float, frames: int) -> np.ndarray:
    """Signal of spoiled excitations that begin at rest."""
    e1, angle = np.exp(-repetition_s / t1_s), np.deg2rad(flip_deg)
    along, seen = 1.0, []
    for _ in range(frames):
        seen.append(along * np.sin(angle))
        along = 1.0 + (along * np.cos(angle) - 1.0) * e1
    return np.array(seen)


@pytest.mark.parametrize(("flip_deg", "most"), [(90.0, 1), (60.0, 4), (30.0, 6)])
def test_frames_before_the_steady_state_are_counted(flip_deg: float, most: int) -> None:
    course = approached(1.3, 1.5, flip_deg, 40)
    first = unsteady(course)
    assert 1 <= first <= most
    assert course[first:] == pytest.approx(course[-1], rel=0.011)


def test_what_is_steady_keeps_every_frame() -> None:
    rng = np.random.default_rng(4)
    assert unsteady(100.0 + rng.normal(0.0, 0.2, 30)) == 0
    assert unsteady(100.0 + rng.normal(0.0, 3.0, 30)) == 0
    assert unsteady([100.0, 90.0, 80.0]) == 0


def test_a_bolus_is_no_approach() -> None:
    falling = np.array([100.0, 96.0, 88.0, 78.0, 72.0, 74.0, 80.0, 86.0, 90.0, 92.0, 93.0, 93.5])
    assert unsteady(falling) == 0
    assert unsteady(200.0 - falling) == 0
    assert unsteady(np.concatenate([np.linspace(70.0, 100.0, 5), np.full(20, 100.0)])) == 0
