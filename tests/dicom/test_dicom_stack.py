"""Frames to regular stacks, or the proof that they are none."""

from __future__ import annotations

import numpy as np
import pytest
from placed_frames import frame

from isocenter.dicom.stack import stacks
from isocenter.errors import NotAVolume


@pytest.mark.parametrize(
    "orientation", [[2, 0, 0, 0, 1, 0], [1, 0, 0, 1, 0, 0], [1, 0, 0, 0.5, 0.8, 0], [0, 0, 0, 0, 1, 0]]
)
def test_directions_that_are_none_refuse(orientation: list[float]) -> None:
    with pytest.raises(NotAVolume, match="right angles or not of length one"):
        stacks([frame(float(n), orientation=np.array(orientation, float)) for n in range(3)])


def test_a_phase_that_lacks_a_slice_refuses() -> None:
    frames = [frame(float(n), uid=f"{n}.{t}", keys={"temporal": float(t)}) for n in range(4) for t in range(3)]
    with pytest.raises(NotAVolume, match="slice 4 of 4 has 2 images where others have 3"):
        stacks(frames[:-1])


def test_acquisitions_that_cover_other_places_become_their_own_stacks() -> None:
    lower = [frame(float(n), uid=f"a{n}", keys={"acquisition": 1.0}) for n in range(6)]
    upper = [frame(float(n), uid=f"b{n}", keys={"acquisition": 2.0}) for n in range(4, 10)]
    found, _ = stacks([*lower, *upper])
    assert [s.geometry.shape[0] for s in found] == [6, 6]
