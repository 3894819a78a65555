"""Where frames lie, and which share a place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from placed_frames import frame, one

from isocenter.errors import NotAVolume


@settings(max_examples=80, deadline=None)
@given(st.integers(2, 12), st.floats(0.05, 20), st.randoms(use_true_random=False))
def test_slices_lie_along_the_normal_in_whatever_order_they_come(count: int, step: float, shuffle: Any) -> None:
    frames = [frame(n * step) for n in range(count)]
    shuffle.shuffle(frames)
    found = one(frames)
    depth = [p.position[2] for p in found.order]
    assert depth == sorted(depth) and found.geometry.shape == (count, 4, 6)
    assert np.isclose(found.geometry.spacing_mm[0], step)


@pytest.mark.parametrize("moved_mm", [0.03, 0.15])
def test_slices_that_follow_the_head_by_a_fraction_of_their_thickness_stay_one_place(moved_mm: float) -> None:
    """A scanner that moves its slices with the head made series of single slices of a dynamic scan."""
    rng = np.random.default_rng(1)
    moved = np.round(rng.uniform(-moved_mm, moved_mm, 20), 3)
    frames = [frame(4.0 * k + m, x=m, uid=f"{k}.{t}", keys={"moment": 2.0 * t}, thickness=4.0)
              for t, m in enumerate(moved) for k in range(3)]  # fmt: skip
    found = one(frames)
    assert found.geometry.shape[0] == 3 and len(found.axes[0]) == 20
    assert [p.sop_uid for p in found.order[:3]] == ["0.0", "1.0", "2.0"]
    with pytest.raises(NotAVolume):
        one([p for p in frames if p.sop_uid != "1.7"])
    far = [replace(p, position=p.position * np.array([1.0, 0, 1]) + [0, 0, 30 * moved_mm * (n % 7)])
           for n, p in enumerate(frames)]  # fmt: skip
    with pytest.raises(NotAVolume):
        one(far)
