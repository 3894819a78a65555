"""Means of blocks of pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.methods.blocks import block_means


@given(
    rows=st.integers(1, 9), columns=st.integers(1, 9), down=st.integers(1, 4), across=st.integers(1, 4),
    before=st.lists(st.integers(1, 3), max_size=2),
)  # fmt: skip
def test_each_block_has_its_mean(rows: int, columns: int, down: int, across: int, before: list[int]) -> None:
    pictures = np.random.default_rng(0).normal(size=(*before, rows, columns))
    found = block_means(pictures, down, across)
    assert found.shape == (*before, rows // down, columns // across)
    for row in range(rows // down):
        for column in range(columns // across):
            block = pictures[..., row * down : (row + 1) * down, column * across : (column + 1) * across]
            assert found[..., row, column] == pytest.approx(block.mean((-2, -1)))


def test_pictures_keep_their_precision() -> None:
    assert block_means(np.ones((4, 4), np.float32), 2, 2).dtype == np.float32
