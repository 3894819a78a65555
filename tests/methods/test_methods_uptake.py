"""SUVpeak, hot components and the liver's threshold, against formulae and brute force."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.errors import Refused
from isocenter.methods import uptake
from isocenter.space import Geometry, Region, Volume

GRID = Geometry.regular(shape=(20, 24, 24), spacing_mm=(3.27, 4.0, 4.0))


def brute_force(array: np.ndarray, geometry: Geometry, mask: np.ndarray, radius: float) -> float:
    """Every voxel cut into 11 x 11 x 11 points, every sphere summed by hand."""
    inner = (np.arange(11) + 0.5) / 11 - 0.5
    fine = np.stack(np.meshgrid(inner, inner, inner, indexing="ij"), axis=-1).reshape(-1, 3)
    index = np.argwhere(np.ones_like(mask))
    best = -np.inf
    for centre in np.argwhere(mask):
        offset = (index[:, None, :] + fine[None] - centre) @ geometry.affine[:3, :3].T
        weight = (np.linalg.norm(offset, axis=-1) <= radius).mean(axis=1)
        best = max(best, float((weight * array.ravel()).sum() / weight.sum()))
    return best


def test_the_sphere_holds_one_millilitre() -> None:
    assert pytest.approx(6.204, abs=5e-4) == uptake.PEAK_RADIUS_MM
    for spacing in ((2.0, 2.0, 2.0), (3.27, 4.6875, 4.6875), (5.0, 5.5, 5.5)):
        grid = Geometry.regular(shape=(9, 9, 9), spacing_mm=spacing)
        weights = uptake.sphere_weights(grid)
        assert weights.sum() * grid.voxel_volume_mm3 == pytest.approx(1000.0, rel=0.01)
        assert all(n % 2 for n in weights.shape)


def test_a_voxel_larger_than_the_sphere() -> None:
    grid = Geometry.regular(shape=(5, 5, 5), spacing_mm=(20.0, 20.0, 20.0))
    assert uptake.sphere_weights(grid).shape == (1, 1, 1)
    array = np.arange(125, dtype=np.float32).reshape(5, 5, 5)
    assert uptake.best_mean(array, grid, array == 60.0) == 60.0


def test_peak_equals_brute_force() -> None:
    rng = np.random.default_rng(3)
    small = Geometry.regular(shape=(9, 9, 9), spacing_mm=(3.27, 4.0, 4.5))
    array = rng.random(small.shape).astype(np.float32)
    mask = np.zeros(small.shape, bool)
    mask[3:6, 3:6, 3:6] = True
    truth = brute_force(array, small, mask, uptake.PEAK_RADIUS_MM)
    assert uptake.best_mean(array, small, mask) == pytest.approx(truth, rel=1e-6)


def test_the_transform_and_the_sum_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    array = rng.random(GRID.shape).astype(np.float32)
    mask = np.zeros(GRID.shape, bool)
    mask[4:16, 4:20, 4:20] = True
    by_sum = uptake.best_mean(array, GRID, mask)
    monkeypatch.setattr(uptake, "_GATHER_LIMIT", 0)
    assert uptake.best_mean(array, GRID, mask) == pytest.approx(by_sum, rel=1e-12)


def test_a_sphere_that_leaves_the_image_is_left_out() -> None:
    array = np.ones(GRID.shape, np.float32)
    corner = np.zeros(GRID.shape, bool)
    corner[0, 0, 0] = True
    assert uptake.best_mean(array, GRID, corner) is None


def test_one_hot_voxel_is_no_peak() -> None:
    array = np.ones(GRID.shape, np.float32)
    array[10, 12, 12] = 100.0
    mask = array > 50
    peak = uptake.best_mean(array, GRID, mask)
    share = GRID.voxel_volume_mm3 / 1000.0
    assert peak == pytest.approx(1.0 + 99.0 * share, rel=0.01)


def test_an_empty_lesion_is_refused() -> None:
    array = np.ones(GRID.shape, np.float32)
    with pytest.raises(Refused, match="empty mask"):
        uptake.best_mean(array, GRID, np.zeros(GRID.shape, bool))
    with pytest.raises(Refused, match="mask of shape"):
        uptake.best_mean(array, GRID, np.zeros((2, 2, 2), bool))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2), st.permutations([0, 1, 2]), st.integers(0, 1000))
def test_flips_and_permutations_change_no_peak(axis: int, order: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    array = rng.random(GRID.shape).astype(np.float32)
    mask = np.zeros(GRID.shape, bool)
    mask[6:12, 8:15, 9:14] = True
    before = uptake.best_mean(array, GRID, mask)
    turned = uptake.best_mean(np.flip(array, axis), GRID.flipped(axis), np.flip(mask, axis))
    assert turned == pytest.approx(before, rel=1e-9)
    way = (order[0], order[1], order[2])
    moved = uptake.best_mean(array.transpose(way), GRID.permuted(way), mask.transpose(way))
    assert moved == pytest.approx(before, rel=1e-9)


def test_a_large_lesion_is_quick() -> None:
    grid = Geometry.regular(shape=(80, 80, 80), spacing_mm=(1.0, 1.0, 1.0))
    array = np.random.default_rng(0).random(grid.shape).astype(np.float32)
    mask = np.zeros(grid.shape, bool)
    mask[20:60, 20:60, 20:60] = True  # 64,000 voxels under spheres of about 1,000
    uptake.best_mean(array, grid, mask)
    best = min(_seconds(lambda: uptake.best_mean(array, grid, mask)) for _ in range(3))
    assert best < 2.0  # a tenth of it on a quiet machine; ten times as long means that a loop crept in


def _seconds(work: object) -> float:
    started = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - started


def test_hot_components_come_hottest_first() -> None:
    array = np.zeros((12, 12, 12), np.float32)
    array[2:4, 2:4, 2:4] = 5.0
    array[7:10, 7:10, 7:10] = 6.0
    array[8, 8, 8] = 9.0
    array[0, 11, 11] = 50.0
    found = uptake.hot_components(array, 4.0, voxels_at_least=2)
    assert [(c.maximum, c.voxels) for c in found] == [(9.0, 27), (5.0, 8)]
    assert np.array_equal(found[0].whole(array.shape), (array >= 6.0) & (array < 50.0))
    assert uptake.hot_components(array, 100.0) == []


def test_hot_components_are_of_numbers() -> None:
    grid = Geometry.regular(shape=(4, 4, 4))
    mask = np.zeros(grid.shape, bool)
    mask[1, 1, 1] = True
    assert [c.voxels for c in uptake.hot_components(mask, 1.0)] == [1]
    for what in (Region(grid, mask=mask), Volume(mask, grid), mask[0], np.full((2, 2, 2), "hot")):
        with pytest.raises(Refused, match="Give the array"):
            uptake.hot_components(what, 1.0)  # type: ignore[arg-type]


def test_corners_touch() -> None:
    array = np.zeros((4, 4, 4), np.float32)
    array[1, 1, 1] = array[2, 2, 2] = 5.0
    assert len(uptake.hot_components(array, 4.0)) == 1


def test_above_stays_in_the_mask() -> None:
    array = np.array([[[1.0, 5.0, 9.0]]])
    mask = np.array([[[True, True, False]]])
    assert uptake.above(array, mask, 5.0).tolist() == [[[False, True, False]]]


def test_liver_threshold() -> None:
    grid = Geometry.regular(shape=(30, 30, 30), spacing_mm=(4.0, 4.0, 4.0))
    rng = np.random.default_rng(1)
    array = rng.normal(2.0, 0.1, grid.shape)
    liver = np.zeros(grid.shape, bool)
    liver[5:25, 5:25, 5:25] = True
    assert uptake.liver_threshold(array, grid, liver) == pytest.approx(1.5 * 2.0 + 2 * 0.1, abs=0.05)
    thin = np.zeros(grid.shape, bool)
    thin[10:13, 5:25, 5:25] = True
    with pytest.raises(Refused, match="mm thick"):
        uptake.liver_threshold(array, grid, thin)


def test_reference_organs_are_measured_deepest_inside_their_outline() -> None:
    grid = Geometry.regular(shape=(24, 40, 40), spacing_mm=(4.0, 3.0, 3.0))
    index = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), axis=-1)
    away = np.linalg.norm(grid.to_patient(index) - grid.to_patient((12, 20, 20)), axis=-1)
    image = np.where(away <= 12.0, 2.0, 50.0).astype(np.float32)
    image[12, 20, 20] = 3.0
    organ = away <= 40.0
    vessel = uptake.blood_pool(image, grid, organ)  # 1 cm by 2 cm lies within the ball of 12 mm
    assert vessel.highest == 3.0 and vessel.mean == pytest.approx(2.0 + 1.0 / vessel.voxels)
    assert vessel.measurable == pytest.approx(2 * vessel.mean + 2 * vessel.sd)
    drawn = away <= 15.0  # a person's own sphere of 3 cm is a liver too
    assert uptake.liver(image, grid, drawn).voxels == np.count_nonzero(drawn)
    assert uptake.liver(image, grid, organ).voxels == np.count_nonzero(drawn)
    scaled = vessel.scaled(0.5)
    assert (scaled.mean, scaled.highest) == (pytest.approx(vessel.mean / 2), 1.5)
    with pytest.raises(Refused, match=r"at most .* mm thick"):
        uptake.liver(image, grid, away <= 9.0)
    with pytest.raises(Refused, match="2 cm of the descending aorta"):
        uptake.blood_pool(image, grid, away <= 4.0)
