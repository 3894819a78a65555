"""Windows over a volume give what the whole sum of chances gives, and keep a part of it only."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import zoom

from isocenter.learn.windows import OVERLAP, Ask, Grey, labels_in_windows, starts


def asked(kinds: int) -> Ask:
    """Chances that depend on the grey value and on the place within the window, as those of a network do."""
    centres = np.linspace(-2, 2, kinds, dtype=np.float32)[None, :, None, None, None]

    def ask(x: Grey) -> Grey:
        lean = np.linspace(0, 1, x.shape[2], dtype=np.float32)[None, None, :, None, None]
        z = -((x - centres + 0.3 * lean) ** 2)
        z = np.exp(z - z.max(1, keepdims=True))
        return np.asarray(z / z.sum(1, keepdims=True), np.float32)

    return ask


def whole(volume: Grey, ask: Ask, window: int, shape: tuple[int, ...], kinds: int) -> npt.NDArray[np.float32]:
    """Mean of the windows over all of the volume, then brought to the other grid: what needs memory for all classes."""
    total, times = np.zeros((kinds, *volume.shape), np.float64), np.zeros(volume.shape)
    begin = [starts(side, window) for side in volume.shape]
    for corner in ((a, b, c) for a in begin[0] for b in begin[1] for c in begin[2]):
        where = tuple(slice(a, a + window) for a in corner)
        total[(slice(None), *where)] += ask(volume[where][None, None])[0]
        times[where] += 1
    factors = [a / b for a, b in zip(shape, volume.shape, strict=True)]
    return np.stack([zoom(c, factors, order=1, mode="nearest", grid_mode=True) for c in total / times])


@pytest.mark.parametrize("shape", [(40, 56, 33), (61, 56, 20), (40, 91, 66)])
def test_the_labels_are_those_of_the_whole_sum(shape: tuple[int, int, int]) -> None:
    volume = np.random.default_rng(0).normal(size=(40, 56, 33)).astype(np.float32)
    ask = asked(5)
    said = labels_in_windows(volume, ask, window=(24, 24, 24), step=1, shape=shape)
    wanted = whole(volume, ask, 24, shape, 5)
    first, second = np.sort(wanted, 0)[::-1][:2]
    told = first - second > 1e-3  # where two are alike, 16 bits may choose the other
    assert said.shape == shape and told.mean() > 0.98
    assert np.array_equal(said[told], wanted.argmax(0)[told])


def test_windows_reach_both_ends_and_overlap() -> None:
    for side in range(25, 200):
        begin = starts(side, 24)
        assert begin[0] == 0 and begin[-1] == side - 24
        assert max(b - a for a, b in pairwise(begin)) <= 24 - OVERLAP
    assert starts(24, 24) == [0]


def test_sides_that_are_no_multiple_are_filled_up_and_cut() -> None:
    shapes = []

    def ask(x: Grey) -> Grey:
        shapes.append(x.shape[2:])
        return np.concatenate([x < 0, x >= 0], 1).astype(np.float32)

    volume = np.random.default_rng(1).normal(size=(13, 9, 30)).astype(np.float32)
    said = labels_in_windows(volume, ask, window=(96, 96, 96), step=8, shape=volume.shape)
    assert shapes == [(16, 16, 32)] and np.array_equal(said, volume >= 0)


def test_memory_does_not_hold_the_chances_of_the_whole() -> None:
    kinds, side = 40, 96
    volume = np.random.default_rng(2).normal(size=(side,) * 3).astype(np.float32)

    def ask(x: Grey) -> Grey:
        return np.full((1, kinds, *x.shape[2:]), 1 / kinds, np.float32)

    tracemalloc.start()
    labels_in_windows(volume, ask, window=(32, 32, 32), step=8, shape=volume.shape)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < kinds * side**3 * 4 / 3, f"{peak / 1e6:.0f} MB"
