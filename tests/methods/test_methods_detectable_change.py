"""Smallest detectable change: planted repeatability is found, the border model covers what a grid does; refusals."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.detectable_change import (
    border_length_mm,
    border_volume_ml,
    delta,
    from_variation,
    grid_volume_ml,
    repeatability,
)


def test_a_planted_spread_is_found() -> None:
    rng = np.random.default_rng(1)
    truth = rng.uniform(40.0, 60.0, 400)
    first, second = truth + rng.normal(0, 2.0, 400), truth + rng.normal(0, 2.0, 400)
    found = repeatability(first, second)
    assert found.within_sd == pytest.approx(2.0, rel=0.1)
    assert found.within_cv == pytest.approx(0.04, rel=0.15)
    beyond = np.abs(rng.normal(0, 2.0, 100_000) - rng.normal(0, 2.0, 100_000)) > 1.96 * np.sqrt(2) * 2.0
    assert beyond.mean() == pytest.approx(0.05, abs=0.003)
    assert found.smallest_change == pytest.approx(1.96 * np.sqrt(2) * found.within_sd, rel=1e-4)
    assert from_variation(50.0, found.within_cv) == pytest.approx(found.smallest_change, rel=0.1)


def test_what_a_grid_does_to_a_ball_stays_below_the_border_model() -> None:
    rng = np.random.default_rng(2)
    beyond = 0
    for _ in range(100):
        radius, step = rng.uniform(5.0, 12.0), rng.uniform(1.0, 3.0)
        n = int(2 * radius / step) + 5
        volumes = []
        for _ in range(2):
            axes = [(np.arange(n) - n / 2) * step + rng.uniform(-0.5, 0.5) * step for _ in range(3)]
            inside = axes[0][:, None, None] ** 2 + axes[1][:, None] ** 2 + axes[2] ** 2 <= radius**2
            volumes.append(np.count_nonzero(inside) * step**3 / 1000.0)
        beyond += abs(volumes[1] - volumes[0]) > border_volume_ml(4 * np.pi * radius**2, step)
    assert beyond <= 5
    assert border_volume_ml(100.0, 2.0) == pytest.approx(2 * border_volume_ml(100.0, 1.0))
    assert border_length_mm(2.0) == pytest.approx(2 * 1.96 * 2 * np.sqrt(2 / 12), rel=1e-4)


@pytest.mark.parametrize("steps", [(1.0, 1.0, 1.0), (3.0, 1.5, 1.5), (5.0, 1.0, 1.0)])
def test_what_a_grid_does_to_a_turned_ellipsoid_is_known(steps: tuple[float, float, float]) -> None:
    """95 of 100 pairs of the same body, laid and turned anew, differ by less, and the spread is the one foretold."""
    rng = np.random.default_rng(4)
    half = np.array([10.0, 7.0, 5.0])
    surface = 4 * np.pi * (((half[0] * half[1]) ** 1.6 + (half[0] * half[2]) ** 1.6 + (half[1] * half[2]) ** 1.6) / 3)
    surface = surface ** (1 / 1.6) * (4 * np.pi) ** (1 - 1 / 1.6)  # Knud Thomsen's formula, right to 1 %
    volumes = []
    for _ in range(160):
        turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        axes = [np.arange(-11.0 - s, 11.0 + s, s) + rng.uniform(0, s) for s in steps]
        place = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
        volumes.append(np.count_nonzero((((place @ turn) / half) ** 2).sum(axis=-1) <= 1.0) * np.prod(steps) / 1000.0)
    least = grid_volume_ml(float(surface), [np.diag(steps)] * 2)
    assert np.std(volumes) == pytest.approx(least / (1.96 * np.sqrt(2.0)), rel=0.2)
    assert 0.015 < np.mean(np.abs(np.subtract(volumes[::2], volumes[1::2])) > least) < 0.12
    assert least < border_volume_ml(float(surface), float(np.prod(steps)) ** (1 / 3))


def test_the_grid_of_leaning_voxels_and_of_two_sizes() -> None:
    # Of cubes Σ 1/|k|⁴ over all whole k but zero is Epstein's zeta of 2, 16.5323.
    assert grid_volume_ml(1000.0, [np.eye(3)] * 2) == pytest.approx(
        1.959964e-3 * np.sqrt(2 * 1000 * 16.5323 / (8 * np.pi**3)), rel=2e-3
    )
    leaning = np.eye(3) + np.outer([1.0, 0.0, 0.0], [0.0, 1.0, 0.0])  # another basis of the same lattice
    assert grid_volume_ml(1000.0, [leaning] * 2) == pytest.approx(grid_volume_ml(1000.0, [np.eye(3)] * 2), rel=1e-2)
    both = grid_volume_ml(1000.0, [np.eye(3), 2 * np.eye(3)])
    assert both == pytest.approx(np.sqrt((1 + 16) / 2) * grid_volume_ml(1000.0, [np.eye(3)] * 2), rel=1e-6)


@pytest.mark.parametrize(("diameter", "step", "apart"), [(7.0, 0.4, 5.0), (10.0, 0.5, 5.0), (12.0, 1.0, 3.0)])
def test_slices_beside_the_middle_of_a_ball_change_its_diameter(diameter: float, step: float, apart: float) -> None:
    """By the voxels of the slice alone a ball of 7 mm on slices of 5 mm changed by chance in half of the pairs."""
    rng = np.random.default_rng(3)
    middles = rng.uniform(0.0, 0.5, (2, 2000)) * apart  # of the slice that lies nearest
    long = np.sqrt(diameter**2 - 4 * middles**2) + rng.uniform(-0.5, 0.5, (2, 2, 2000)).sum(axis=0) * step
    off = np.abs(long[1] - long[0])
    least = border_length_mm(step, slice_mm=apart, long_mm=diameter)
    assert (off > least).mean() <= 0.05
    assert border_length_mm(step, long_mm=diameter) == border_length_mm(step) < least


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ([1.0] * 9, [1.0] * 9, "9 pairs"),
        ([1.0] * 10, [1.0] * 9, "measured twice"),
        ([1.0] * 10, [0.0] + [1.0] * 9, "no positive number"),
        ([1.0] * 10, [float("nan")] + [1.0] * 9, "no positive number"),
    ],
)
def test_pairs_that_say_nothing(first: list[float], second: list[float], words: str) -> None:
    with pytest.raises(Refused, match=words):
        repeatability(first, second)


def test_delta_takes_features_that_repeat() -> None:
    assert delta(4.0, 3.0, icc=0.9) == -0.25
    for icc in (0.89, float("nan")):
        with pytest.raises(Refused, match="mostly error"):
            delta(4.0, 3.0, icc=icc)
    with pytest.raises(Refused, match="was 0"):
        delta(0.0, 3.0, icc=0.95)
    with pytest.raises(Refused, match="was -600"):  # a mean of HU that rises to -300 was a change of -50 %
        delta(-600.0, -300.0, icc=0.95)
