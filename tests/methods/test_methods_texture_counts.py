"""The counts, each on a grid small enough to count by eye."""

import numpy as np

from isocenter.methods import texture_counts as counts

GRID = np.array([[[1, 1, 2], [0, 2, 2], [1, 1, 1]]], np.int32)


def test_thirteen_directions_and_four_in_the_slice() -> None:
    assert len(counts.DIRECTIONS) == 13 and (counts.DIRECTIONS[:4, 0] == 0).all()
    both = {tuple(d) for d in counts.DIRECTIONS} | {tuple(-d) for d in counts.DIRECTIONS}
    assert len(both) == 26


def test_pairs_along_a_row_are_counted_both_ways() -> None:
    along = [tuple(d) for d in counts.DIRECTIONS].index((0, 0, 1))
    assert counts.cooccurrences(GRID, 2, along, by_slice=True)[0].tolist() == [[6.0, 1.0], [1.0, 2.0]]


def test_runs_along_a_row() -> None:
    along = [tuple(d) for d in counts.DIRECTIONS].index((0, 0, 1))
    assert counts.runs(GRID, 2, along, by_slice=False)[0].tolist() == [[0.0, 1.0, 1.0], [1.0, 1.0, 0.0]]


def test_zones_touch_by_corners_and_know_their_distance() -> None:
    made = counts.zones(GRID, counts.border_distance(GRID > 0, by_slice=True), by_slice=True)
    assert list(zip(made.grey, made.size, made.distance, strict=True)) == [(1, 2, 1), (2, 3, 1), (1, 3, 1)]
    cube = np.ones((5, 5, 5), bool)
    assert counts.border_distance(cube, by_slice=False)[2, 2, 2] == 3
    assert counts.border_distance(cube, by_slice=True)[0, 2, 2] == 3


def test_neighbourhoods_within_the_region() -> None:
    voxels, differences, dependent = counts.neighbourhoods(GRID, 2, by_slice=True)
    assert voxels.tolist() == [[5.0, 3.0]]
    # The upper left 1 has neighbours 1 and 2: their mean is 1.5.
    lone = counts.neighbourhoods(GRID[:, :2], 2, by_slice=True)
    assert lone[1][0, 0] == 0.5 + 3 / 4
    assert dependent.sum() == 8.0
    assert counts.neighbourhoods(GRID, 2, by_slice=True, coarseness=1)[2][0].sum(axis=0).argmax() > 1
    assert differences.shape == (1, 2)
