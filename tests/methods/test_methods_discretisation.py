"""Grey levels, and what has none."""

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.discretisation import fixed_bin_number, fixed_bin_size, whole_numbers


def test_a_linear_change_of_scale_keeps_a_fixed_number() -> None:
    x = np.random.default_rng(0).normal(size=1000)
    assert (fixed_bin_number(x, 32) == fixed_bin_number(100.0 + 7.0 * x, 32)).all()
    assert fixed_bin_number(x, 32).min() == 1 and fixed_bin_number(x, 32).max() == 32


def test_a_fixed_size_counts_from_its_bound() -> None:
    assert fixed_bin_size(np.array([0.0, 0.49, 0.5, 3.0]), 0.5, 0.0).tolist() == [1, 1, 2, 7]


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (lambda: fixed_bin_number(np.array([1.0, 2.0]), 1), "one grey level has no texture"),
        (lambda: fixed_bin_number(np.array([2.0, 2.0]), 8), "one intensity everywhere"),
        (lambda: fixed_bin_size(np.array([1.0]), 0.0, 0.0), "a bin has a width"),
        (lambda: fixed_bin_size(np.array([-1.0]), 1.0, 0.0), "below the lower bound"),
        (lambda: fixed_bin_size(np.array([1e9]), 1.0, 0.0), "too many grey levels"),
        (lambda: whole_numbers(np.array([0.0, 1.0])), "whole numbers from 1 on"),
        (lambda: whole_numbers(np.array([1.5])), "whole numbers from 1 on"),
        (lambda: whole_numbers(np.array([])), "without voxels"),
        (lambda: whole_numbers(np.array([np.nan])), "not numbers"),
    ],
)
def test_refusals(work, words: str) -> None:
    with pytest.raises(Refused, match=words):
        work()
