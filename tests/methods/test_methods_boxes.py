"""Boxes: overlap, what is left out as said twice, and precision against sums made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.boxes import hits, overlaps, precision_of, suppressed


def test_overlap_is_that_of_the_pixels() -> None:
    rng = np.random.default_rng(0)
    corner = rng.integers(0, 20, (12, 2))
    boxes = np.concatenate([corner, corner + rng.integers(1, 15, (12, 2))], 1)
    y, x = np.indices((40, 40))
    masks = [(x >= a) & (x < c) & (y >= b) & (y < d) for a, b, c, d in boxes]
    by_hand = [[np.count_nonzero(m & n) / np.count_nonzero(m | n) for n in masks] for m in masks]
    assert np.allclose(overlaps(boxes, boxes), by_hand)
    assert overlaps([[1, 1, 1, 5]], [[1, 1, 1, 5]])[0, 0] == 0, "a box without extent is nothing"
    assert overlaps([], boxes).shape == (0, 12)


def test_the_surest_of_a_heap_stays_and_takes_no_neighbour_of_a_neighbour() -> None:
    row = np.array([[0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10]], float)
    assert suppressed(row, [0.9, 0.8, 0.7], 0.4).tolist() == [0, 2], "the third overlaps only what was taken out"
    assert suppressed(row, [0.5, 0.9, 0.7], 0.5).tolist() == [1, 2, 0]
    assert suppressed([], []).tolist() == []
    with pytest.raises(Refused, match="one score"):
        suppressed(row, [0.1])


def test_a_second_box_on_one_thing_is_a_false_alarm_and_the_next_best_is_taken() -> None:
    truth = [[0, 0, 10, 10], [3, 0, 13, 10]]
    assert hits([[1, 0, 11, 10], [0, 0, 10, 10], [0, 0, 10, 10]], truth).tolist() == [0, 1, -1]
    assert hits([[0, 0, 10, 10]], [], 0.5).tolist() == [-1]


def test_average_precision_by_hand() -> None:
    # right, wrong, right, right, wrong of 4: recall 1/4, 1/4, 2/4, 3/4; precision 1, 1/2, 2/3, 3/4: hull 1, 3/4, 3/4
    found = precision_of([0.9, 0.8, 0.7, 0.6, 0.5], [True, False, True, True, False], 4)
    assert found.average == pytest.approx(0.25 * (1 + 0.75 + 0.75))
    assert found.recall.tolist() == [0.25, 0.25, 0.5, 0.75, 0.75]
    assert precision_of([], [], 3).average == 0 and np.isnan(precision_of([0.2], [False], 0).average)
    with pytest.raises(Refused, match="no more hits"):
        precision_of([0.3, 0.2], [True, True], 1)
    with pytest.raises(Refused, match="all finite"):
        overlaps([[0, 0, np.nan, 1]], [[0, 0, 1, 1]])
