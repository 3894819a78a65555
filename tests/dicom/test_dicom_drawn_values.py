"""A value that somebody drew with is told from one that grain or rounding made frequent."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.dicom.drawn_values import has_drawn_value

GRAIN = np.random.default_rng(1).normal(0, 300, (256, 256))


@pytest.mark.parametrize("kind", ["<i2", ">i2", "<i4"])
def test_strokes_of_one_value_are_told_from_grain_that_was_cut_to_whole_numbers(kind: str) -> None:
    cut = GRAIN.astype(kind)  # towards zero: twice as many zeros as ones
    assert (cut == 0).sum() > 1.5 * (cut == 1).sum() and not has_drawn_value(cut)
    drawn = cut.copy()
    drawn[100:112, 50:52] = drawn[100:112, 60:62] = drawn[105:107, 50:62] = 700
    assert has_drawn_value(drawn)
    long = cut.copy()
    long[20:240:8, 10:200] = 5  # hundreds of pixels, all in lines, at a value that is frequent already
    assert has_drawn_value(long)


def test_the_brightest_value_counts_wherever_it_lies_and_the_darkest_never() -> None:
    clipped = np.minimum(GRAIN, 600).astype(np.int16)
    dark = np.maximum(np.rint(GRAIN), -600).astype(np.int16)
    assert has_drawn_value(clipped) and not has_drawn_value(dark)
    assert has_drawn_value(np.full((4, 4), 7)) and not has_drawn_value(np.zeros((0, 4), np.int16))
