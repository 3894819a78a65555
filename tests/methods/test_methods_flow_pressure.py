"""Pressure from velocities: exact in a pipe, in an oscillating pipe, and where streams meet."""

import numpy as np
import pytest
from laminar import Pipe

from isocenter.methods.flow_pressure import PA_PER_MMHG, pressure_mmhg


def slope_pa_m(pipe: Pipe, pressure: np.ndarray) -> float:
    inside = pipe.inside
    return float(np.polyfit(pipe.distance_mm[inside] / 1000.0, pressure[inside] * PA_PER_MMHG, 1)[0])


def test_a_pipe_loses_pressure_by_friction_and_finer_voxels_see_it_better() -> None:
    errors = []
    for voxels in (4, 8):
        pipe = Pipe(12.0, voxels)
        velocity = pipe.poiseuille(1.0)
        exact = -4 * 0.0035 * 1.0 / 0.012**2
        found = slope_pa_m(pipe, pressure_mmhg(velocity, 0 * velocity, pipe.inside, pipe.spacing_mm))
        errors.append(abs(found / exact - 1))
    assert errors[1] < 0.005 and errors[1] < errors[0]


@pytest.mark.parametrize("phase", [0.0, 1.0])
def test_an_oscillating_pipe(phase: float) -> None:
    pipe = Pipe(12.0, 8)
    velocity, change = pipe.womersley(phase, 4.0, 300.0, 1060.0, 0.0035)
    found = slope_pa_m(pipe, pressure_mmhg(velocity, change, pipe.inside, pipe.spacing_mm))
    assert found == pytest.approx(-300.0 * np.cos(phase), abs=0.04 * 300.0)


def test_a_stream_that_meets_a_wall_gains_what_bernoulli_says() -> None:
    n, rate = 21, 60.0  # 1/s
    z, y, x = (np.indices((9, n, n)).astype(float) - np.array([4, 10, 10])[:, None, None, None]) / 1000.0
    velocity = np.stack([0 * z, rate * y, -rate * x]).astype(np.float32)
    inside = np.ones(z.shape, bool)
    found = pressure_mmhg(velocity, 0 * velocity, inside, (1.0, 1.0, 1.0))
    exact = -0.5 * 1060 * np.sum(velocity**2, axis=0) / PA_PER_MMHG
    assert np.abs(found - (exact - exact.mean())).max() < 0.02 * np.ptp(exact)
