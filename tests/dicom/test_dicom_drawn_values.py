"""A value that somebody drew with is told from one that grain or rounding made frequent."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(["<i2", ">i2", "<u2", "u1", "i1", "<i4", "<u4"]),
    rows=st.integers(1, 60),
    columns=st.integers(1, 60),
    spread=st.sampled_from([1, 3, 20, 100]),
    middle=st.sampled_from([0, 100, 5000, 1 << 31]),
    strokes=st.integers(0, 3),
    seed=st.integers(0, 1 << 16),
)
def test_a_value_is_called_drawn_by_its_definition_whatever_its_bits(
    kind: str, rows: int, columns: int, spread: int, middle: int, strokes: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    limits = np.iinfo(np.dtype(kind))
    image = np.clip(rng.normal(middle, spread, (rows, columns)), limits.min, limits.max).astype(kind)
    for _ in range(strokes):
        top, left = rng.integers(rows), rng.integers(columns)
        image[top : top + rng.integers(1, 20), left : left + rng.integers(1, 5)] = image.flat[rng.integers(image.size)]
    for one in (image, image[:, ::2]):
        assert has_drawn_value(one) == _by_definition(one)


def _by_definition(image: npt.NDArray[Any]) -> bool:
    """Value by value, pixel by pixel."""
    values = image.astype(np.int32)
    low, high = int(values.min()), int(values.max())
    if (values == high).sum() >= 12:
        return True
    if not 8 <= high - low <= 1 << 17:
        return False
    counts = {value: int((values == value).sum()) for value in np.unique(values).tolist()}
    for value, count in counts.items():
        if count < 12 or value - low <= int((high - low) * 0.06):
            continue
        beside = sum(counts.get(min(max(value + step, low), high), 0) for step in (-4, -3, -2, -1, 1, 2, 3, 4))
        if count - beside / 8 <= 6 * np.sqrt(beside / 8 + 1):
            continue
        touching = 0
        for row, column in np.argwhere(values == value).tolist():
            near = values[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
            touching += int((near == value).sum()) > 1
        chance = min(1.0, 8 * count / values.size) * count
        if count < 100 or touching > chance + 6 * np.sqrt(chance):
            return True
    return False
