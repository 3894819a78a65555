"""Tubes whose best scale is known, and trees whose length and branches can be counted."""

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.vessel_tree import box_dimension, tree_of
from isocenter.methods.vesselness import _eigenvalues, tubularity, vesselness

Z, Y, X = np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in (33, 41, 41)), indexing="ij")


@pytest.mark.parametrize("along", [0, 1, 2])
def test_a_gaussian_tube_answers_most_at_its_own_width(along: int) -> None:
    tube = np.moveaxis(np.exp(-(Y**2 + X**2) / (2 * 2.0**2)), 0, along)
    where = np.zeros(tube.shape, bool)
    where[tuple(np.array(tube.shape) // 2)] = True
    scales = np.arange(1.0, 4.01, 0.25)
    second = [-tubularity(tube, (1.0, 1.0, 1.0), s, where)[0, 1] for s in scales]
    assert scales[int(np.argmax(second))] == pytest.approx(2.0, abs=0.25)


def test_a_uniform_tube_answers_most_at_its_radius_over_root_two() -> None:
    tube = (Y**2 + X**2 <= 4.0**2).astype(float)
    where = np.zeros(tube.shape, bool)
    where[16, 20, 20] = True
    scales = np.arange(1.5, 5.01, 0.25)
    second = [-tubularity(tube, (1.0, 1.0, 1.0), s, where)[0, 1] for s in scales]
    assert scales[int(np.argmax(second))] == pytest.approx(4.0 / np.sqrt(2), abs=0.3)


def test_tubes_are_told_from_plates_balls_and_dark_tubes() -> None:
    everywhere = np.ones(Z.shape, bool)

    def at_middle(image: np.ndarray) -> float:
        return float(vesselness(image, (1.0, 1.0, 1.0), (2.0,), everywhere)[0][16, 20, 20])

    tube = np.exp(-(Y**2 + X**2) / 8)
    # Where the strongest answer is: (1 - exp(-1 / 2 / 0.5^2)) (1 - exp(-1 / 2 / 0.5^2)).
    assert at_middle(tube) == pytest.approx((1 - np.exp(-2)) ** 2, abs=0.01)
    assert at_middle(np.exp(-(X**2) / 8)) < 0.05 and at_middle(-tube) == 0.0
    assert at_middle(np.exp(-(Z**2 + Y**2 + X**2) / 8)) < 0.3 * at_middle(tube)
    # In millimetres: the same tube on slices half as many.
    thick, _ = vesselness(tube[::2], (2.0, 1.0, 1.0), (2.0,), everywhere[::2])
    assert thick[8, 20, 20] == pytest.approx(at_middle(tube), abs=0.05)


def test_eigenvalues_are_those_of_a_solver_also_where_two_or_three_are_alike_or_all_are_none() -> None:
    rng = np.random.default_rng(4)
    turned = np.linalg.qr(rng.normal(size=(400, 3, 3)))[0]
    own = rng.normal(size=(400, 3))
    own[:100, 1] = own[:100, 2]
    own[100:200, 1] = own[100:200, 2] * (1 + 1e-9)
    own[200:250] = own[200:250, :1]
    own[250:] *= 10.0 ** rng.uniform(-12, 12, (150, 1))
    own[-1] = 0
    given = turned @ (own[:, :, None] * np.swapaxes(turned, 1, 2))
    zz, zy, zx, yy, yx, xx = (given[:, a, b] for a in range(3) for b in range(a, 3))
    found = _eigenvalues(zz, zy, zx, yy, yx, xx)
    away = np.abs(found - np.sort(own, axis=1)).max(axis=1)
    assert (away <= 3e-8 * np.abs(own).max(axis=1)).all(), (away / np.abs(own).max(axis=1)).max()


def test_a_fork_is_measured() -> None:
    mask = np.zeros((5, 60, 60), bool)
    mask[1:4, 29:32, 3:31] = True
    for n in range(26):
        mask[1:4, 29 + n : 32 + n, 30 + n : 33 + n] = True
        mask[1:4, 29 - n : 32 - n, 30 + n : 33 + n] = True
    tree = tree_of(mask, (1.0, 1.0, 1.0))
    assert tree.branch_points == 1 and tree.ends == 3
    assert tree.length_mm == pytest.approx(27 + 2 * 26 * np.sqrt(2), rel=0.06)
    assert tree.tortuosity == pytest.approx(1.0, abs=0.04)
    double = tree_of(mask, (2.0, 2.0, 2.0))
    assert double.length_mm == pytest.approx(2 * tree.length_mm) and double.radius_mm == pytest.approx(
        2 * tree.radius_mm
    )


def test_four_ways_that_meet_meet_once() -> None:
    """Thinning parts the crossing of thick vessels into two forks a few voxels from each other."""
    at = np.stack(np.meshgrid(*(np.arange(n) for n in (24, 64, 64)), indexing="ij"), axis=-1)
    mask = np.zeros(at.shape[:3], bool)
    for end in ((12, 4, 32), (18, 60, 14), (6, 58, 34), (12, 50, 58)):
        way = np.array(end) - np.array((12, 30, 32))
        off = at - np.array((12, 30, 32))
        along = np.clip((off @ way) / (way @ way), 0, 1)
        mask |= np.linalg.norm(off - along[..., None] * way, axis=-1) <= 3.5
    tree = tree_of(mask, (1.0, 1.0, 1.0))
    assert tree.ends == 4 and tree.branch_points == 1


def test_a_symmetric_tube_of_even_width_keeps_its_line() -> None:
    y, x = np.mgrid[:54, :54] - 26.5
    mask = np.broadcast_to(y**2 + x**2 <= 9.0, (54, 54, 54)).copy()
    tree = tree_of(mask, (1.0, 1.0, 1.0))
    assert tree.length_mm == pytest.approx(51.0, abs=3.0) and tree.branch_points == 0


def test_half_a_circle_is_as_long_as_it_is_and_more_than_its_chord() -> None:
    y, x = np.mgrid[:80, :80] - 40.0
    ring = (np.abs(np.hypot(y, x) - 30) < 1.5) & (y >= 0)
    tree = tree_of(np.stack([np.zeros_like(ring), ring, np.zeros_like(ring)]), (1.0, 1.0, 1.0))
    assert tree.tortuosity == pytest.approx(np.pi / 2, rel=0.08)
    assert tree.branch_points == 0 and tree.ends == 2


@pytest.mark.parametrize("along", [(0.16, -0.82, 0.55), (0.74, 0.54, -0.4), (-0.88, -0.08, -0.47)])
def test_an_oblique_vessel_is_not_longer_for_the_steps_of_its_voxels(along: tuple[float, float, float]) -> None:
    way = np.array(along) / np.linalg.norm(along)
    place = np.stack(np.meshgrid(*(np.arange(60) - 29.5,) * 3, indexing="ij"), axis=-1)
    deep = place @ way
    tube = (np.linalg.norm(place - deep[..., None] * way, axis=-1) <= 3.0) & (np.abs(deep) <= 25.0)
    tree = tree_of(tube, (1.0, 1.0, 1.0))
    assert tree.tortuosity == pytest.approx(1.0, abs=0.01)
    ends = np.argwhere(tree.line) @ way
    assert tree.length_mm == pytest.approx(np.ptp(ends), rel=0.02) and tree.branch_points == 0


def test_dimensions_of_lines_and_solids_and_what_is_refused() -> None:
    line, solid = np.zeros((1, 1, 64), bool), np.ones((32, 32, 32), bool)
    line[:] = True
    assert box_dimension(line) == pytest.approx(1.0) and box_dimension(solid) == pytest.approx(3.0)
    with pytest.raises(Refused, match="too small"):
        box_dimension(np.ones((3, 3, 3), bool))
    with pytest.raises(Refused, match="no tree"):
        tree_of(np.zeros((3, 3, 3), bool), (1.0, 1.0, 1.0))
    with pytest.raises(Refused, match="those of the grid"):
        tubularity(np.zeros((5, 5, 5)), (5.0, 1.0, 1.0), 1.0, np.ones((5, 5, 5), bool))
    with pytest.raises(Refused, match="nothing to look at"):
        vesselness(np.zeros((5, 5, 5)), (1.0, 1.0, 1.0), (), np.ones((5, 5, 5), bool))
