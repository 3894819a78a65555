"""What crosses a row stroke by stroke is written; a vessel along it and grain of one value are not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from isocenter.dicom.burned_in import written_lines
from isocenter.dicom.strokes import Least, is_written

ROW = (0, 0, 12, 96)
FAR = Least(0.4, apart=6, apart_dense=0.4)


def strokes(count: int) -> tuple[np.ndarray, np.ndarray]:
    """So many upright strokes in a row: the mask, and the picture."""
    mask = np.zeros((12, 96), bool)
    for n in range(count):
        mask[:, 4 + n * 88 // count : 6 + n * 88 // count] = True
    return mask, np.where(mask, 0.9, 0.2).astype(np.float32)


@pytest.mark.parametrize(
    ("count", "demand", "expected"),
    [
        (10, FAR, True),
        (5, FAR, False),  # too few
        (10, Least(0.8, apart=6), False),  # stands out too little
        (10, Least(0.4, apart=6, apart_dense=3.0), False),  # too few in a length of its height
        (10, Least(0.4, apart=6, contrast=0.8), False),
        (10, Least(0.4, crossed=11), False),
    ],
)
def test_a_row_is_written_where_enough_strokes_cross_it(count: int, demand: Least, expected: bool) -> None:
    mask, light = strokes(count)
    relief = np.where(mask, 0.7, 0.0).astype(np.float32)
    assert is_written(mask, relief, light, ROW, demand) is expected
    turned = (0, 0, 96, 12)
    assert is_written(mask.T, relief.T, light.T, turned, demand) is expected


def test_strokes_between_which_the_ground_does_not_show_are_not_counted() -> None:
    mask, light = strokes(10)
    light[:] = np.where(mask, 0.9, 0.8)  # pieces of what runs along the row, and is as light between them
    light[:2] = light[-2:] = 0.1
    relief = np.where(mask, 0.7, 0.0).astype(np.float32)
    assert not is_written(mask, relief, light, ROW, FAR)
    assert is_written(mask, relief, light, ROW, Least(0.4, crossed=6))  # by the mask alone it had passed


def vessels(seed: int) -> np.ndarray:
    """An angiogram: smooth curves of contrast medium, in grain."""
    rng = np.random.default_rng(seed)
    out = np.zeros((256, 256))
    for _ in range(8):
        at, going = rng.uniform(0, 256, 2), rng.uniform(0, 2 * np.pi)
        for _ in range(220):
            out[tuple(np.clip(at, 0, 255).astype(int))] = 1.0
            going += rng.normal(0, 0.04)
            at += np.array([np.sin(going), np.cos(going)])
    wide = ndimage.maximum_filter(out, int(rng.integers(4, 8)))
    picture = 0.55 - 0.35 * ndimage.gaussian_filter(wide, 1.0) + rng.normal(0, rng.uniform(0.01, 0.03), out.shape)
    return (np.clip(picture, 0, 1) * 255).round().astype(np.uint8)


def test_vessels_in_grain_are_no_writing_and_three_signs_beside_them_are() -> None:
    empty = [vessels(seed) for seed in range(8)]
    assert sum(bool(written_lines(one)) for one in empty) <= 2  # seven of them were before strokes had to be apart
    for one in empty:
        for n in range(3):  # three signs of strokes, as a short name in Chinese has
            left = 100 + 30 * n
            for stroke in (0, 10, 20):
                one[20:44, left + stroke : left + stroke + 2] = 0
            one[42:44, left : left + 22] = 0
        boxes = written_lines(one)
        assert any(a <= 20 and b <= 100 and c >= 44 and d >= 182 for a, b, c, d in boxes), boxes
