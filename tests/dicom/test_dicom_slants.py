"""What lies along a slant is cut out level, and covered whole by boxes that hold nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.dicom.slants import boxes_of, cover, level

HALF = 3.0  # pixels: the least margin


def across_and_along(degrees: float, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.indices(shape)
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return rows * cos - columns * sin, rows * sin + columns * cos


@pytest.mark.parametrize("degrees", [0.0, 20.0, 45.0, 78.75, 90.0, 101.3, 150.0])
def test_a_row_at_a_slant_is_covered_whole_with_its_margin_and_nothing_else_is(degrees: float) -> None:
    across, along = across_and_along(degrees, (90, 120))
    middle = int(across[45, 60]), int(along[45, 60])
    row = middle[0] - 4, middle[1] - 30, middle[0] + 5, middle[1] + 31
    covered = np.zeros((90, 120), bool)
    cover(covered, degrees, row)
    inside = (across >= row[0]) & (across <= row[2]) & (along >= row[1]) & (along <= row[3])
    near = (across >= row[0] - HALF) & (across <= row[2] + HALF) & (along >= row[1] - 6) & (along <= row[3] + 6)
    assert inside.any() and covered[inside].all() and not covered[~near].any()
    boxed = np.zeros_like(covered)
    for top, left, bottom, right in boxes_of(covered):
        assert not boxed[top:bottom, left:right].any()
        boxed[top:bottom, left:right] = True
    assert np.array_equal(boxed, covered)
    (shown,), there = level((covered,), degrees, row)
    assert shown[there].all()


def test_rows_that_reach_beyond_the_picture_are_cut_and_a_block_is_one_box() -> None:
    covered = np.zeros((20, 30), bool)
    cover(covered, 45.0, (-400, -400, -390, -380))
    assert not covered.any() and boxes_of(covered) == []
    covered[3:9, 4:20] = covered[12:20, 25:30] = True
    assert boxes_of(covered) == [(3, 4, 9, 20), (12, 25, 20, 30)]
