"""Energy, friction, whirl and mass of flows that are known exactly."""

import numpy as np
import pytest
from laminar import Pipe

from isocenter.methods.flow_field import (
    arrangement,
    divergence_share,
    kinetic_energy_mj,
    slopes,
    viscous_loss_mw,
    vorticity,
)


@pytest.fixture(scope="module")
def pipe() -> Pipe:
    return Pipe(12.0, 8.0)


def test_kinetic_energy_of_a_pipe(pipe: Pipe) -> None:
    length_m = float(pipe.inside.sum()) * pipe.mm**3 / (np.pi * pipe.radius_mm**2) / 1000.0
    exact = np.pi * 1060 * (pipe.radius_mm / 1000) ** 2 * 0.8**2 / 6 * length_m * 1000
    assert kinetic_energy_mj(pipe.poiseuille(0.8), pipe.inside, pipe.mm**3) == pytest.approx(exact, rel=0.01)


def test_friction_of_a_pipe_is_its_pressure_drop_times_flow(pipe: Pipe) -> None:
    slope = slopes(pipe.poiseuille(0.8), pipe.inside, pipe.spacing_mm)
    length_m = float(pipe.inside.sum()) * pipe.mm**3 / (np.pi * pipe.radius_mm**2) / 1000.0
    exact = 2 * np.pi * 0.0035 * 0.8**2 * length_m * 1000  # 8 pi mu mean velocity^2 a metre
    assert viscous_loss_mw(slope, pipe.inside, pipe.mm**3) == pytest.approx(exact, rel=0.02)


def test_mass_is_conserved_and_a_wrong_order_or_sign_is_seen(pipe: Pipe) -> None:
    velocity = pipe.poiseuille(1.0)
    slope = slopes(velocity, pipe.inside, pipe.spacing_mm)
    assert divergence_share(slope, pipe.inside) < 0.03
    assert arrangement(slope, pipe.inside)[:2] == ((0, 1, 2), (1, 1, 1))
    swapped = slopes(velocity[[0, 2, 1]], pipe.inside, pipe.spacing_mm)
    order, signs, best, given = arrangement(swapped, pipe.inside)
    assert (order, signs) == ((0, 2, 1), (1, 1, 1)) and best < 0.5 * given
    turned = slopes(velocity * np.array([1, -1, 1], np.float32)[:, None, None, None], pipe.inside, pipe.spacing_mm)
    assert arrangement(turned, pipe.inside)[1] == (1, -1, 1)


def test_vorticity_of_solid_rotation_and_of_a_lamb_oseen_vortex() -> None:
    n, mm = 40, 1.0
    z, y, x = (np.indices((5, n, n)).astype(float) - np.array([2, 19.5, 19.5])[:, None, None, None]) * mm
    inside = np.ones(z.shape, bool)
    solid = np.stack([0 * z, 3.0 * x, -3.0 * y]).astype(np.float32) / 1000.0  # rows against columns
    found = vorticity(slopes(solid, inside, (mm, mm, mm)))
    assert np.allclose(np.linalg.norm(found, axis=0), 6.0, atol=1e-3)
    core, circulation = 6.0e-3, 5.0e-3
    r = np.hypot(y, x) / 1000.0
    swirl = circulation / (2 * np.pi * r) * (1 - np.exp(-((r / core) ** 2)))
    vortex = np.stack([0 * z, swirl * x / 1000 / r, -swirl * y / 1000 / r]).astype(np.float32)
    exact = circulation / (np.pi * core**2) * np.exp(-((r / core) ** 2))
    seen = np.linalg.norm(vorticity(slopes(vortex, inside, (mm, mm, mm))), axis=0)[:, 1:-1, 1:-1]
    assert np.abs(seen - exact[:, 1:-1, 1:-1]).max() < 0.06 * exact.max()
