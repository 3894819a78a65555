"""Stress on the wall of pipes whose flow is exact, and the vectors of another program."""

import numpy as np
import pytest
from laminar import Pipe
from scipy.special import jv

from isocenter.errors import Refused
from isocenter.methods.flow_wall import oscillatory_index, tangent, voxels_across, wall_shear


@pytest.mark.parametrize(("voxels", "within"), [(4, 0.05), (6, 0.03)])
def test_a_pipe(voxels: int, within: float) -> None:
    pipe = Pipe(12.0, voxels)
    found = wall_shear(pipe.poiseuille(1.0)[:, None], pipe.inside, pipe.spacing_mm)
    exact = 2 * 0.0035 * 1.0 / 0.012
    assert found.mean_pa.mean() == pytest.approx(exact, rel=within)
    assert np.percentile(np.abs(found.mean_pa / exact - 1), 90) < 2 * within
    along = found.shear_pa[0] @ pipe.along
    assert along.mean() == pytest.approx(exact, rel=within)  # it points down the stream


def test_noise_averages_out_over_the_wall() -> None:
    pipe = Pipe(12.0, 6)
    rng = np.random.default_rng(2)
    noisy = pipe.poiseuille(1.0)[:, None] + 0.05 * rng.standard_normal((3, 1, *pipe.inside.shape)).astype(np.float32)
    found = wall_shear(noisy, pipe.inside, pipe.spacing_mm)
    assert (found.shear_pa[0] @ pipe.along).mean() == pytest.approx(2 * 0.0035 / 0.012, rel=0.08)


def test_an_oscillating_pipe_turns_its_stress_round() -> None:
    pipe, alpha = Pipe(12.0, 6), 3.0
    frames = [pipe.womersley(phase, alpha, 300.0, 1060.0, 0.0035)[0] for phase in np.arange(8) / 8 * 2 * np.pi]
    found = wall_shear(np.stack(frames, axis=1), pipe.inside, pipe.spacing_mm)
    root = 1j**1.5 * alpha
    amplitude = abs(300.0 * 0.012 / root * jv(1, root) / jv(0, root))
    seen = np.linalg.norm(found.shear_pa, axis=2).mean(axis=1).max()
    assert seen == pytest.approx(amplitude, rel=0.08)
    assert oscillatory_index(found.shear_pa).mean() > 0.45


def test_voxels_that_are_longer_one_way() -> None:
    n, mm = (22, 14, 14), np.array([1.5, 1.5, 2.5])
    place = (np.indices(n).astype(float) - (np.array(n) - 1)[:, None, None, None] / 2) * mm[:, None, None, None]
    r2 = (place[0] ** 2 + place[2] ** 2) / 14.0**2
    velocity = np.zeros((3, 1, *n), np.float32)
    velocity[1, 0] = np.clip(1 - r2, 0, None)
    found = wall_shear(velocity, r2 < 1, (1.5, 1.5, 2.5))
    assert found.mean_pa.mean() == pytest.approx(2 * 0.0035 / 0.014, rel=0.06)


def test_a_lumen_of_four_voxels_is_refused() -> None:
    pipe = Pipe(12.0, 2)
    assert voxels_across(pipe.inside) < 5
    with pytest.raises(Refused, match="voxels across the lumen"):
        wall_shear(pipe.poiseuille(1.0)[:, None], pipe.inside, pipe.spacing_mm)


def test_tangents_of_another_program() -> None:
    # Numbers of wss_mri_calculator (MIT), of its own tests.
    v, n = (0.64604717, 0.0196206, 0.08837089), (0.6021105, 0.40786213, 0.6863755)
    assert tangent(v, n) == pytest.approx((0.370491361, -0.167037462, -0.225748788), abs=1e-7)
    assert np.linalg.norm(tangent(v, n)) == pytest.approx(0.464895555, abs=1e-7)
    assert np.linalg.norm(tangent(v, (0.24887183, 0.48617426, 0.8376738))) == pytest.approx(0.60486809, abs=1e-7)
