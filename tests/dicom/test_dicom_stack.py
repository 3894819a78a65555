"""Frames to regular stacks, or the proof that they are none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from placed_frames import frame

from isocenter.dicom.frame_times import Pace
from isocenter.dicom.placed import Placed
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


@pytest.mark.parametrize("key", ["moment", "acquisition"])
def test_a_slice_of_a_cine_that_was_measured_again_counts_once(key: str) -> None:
    """A breath that was not held is the usual reason, and the later images are the good ones."""

    def beat(n: int, when: float, many: int = 10) -> list[Placed]:
        return [frame(float(n), uid=f"{n}.{when}.{t}", keys={"trigger": 40.0 * t, key: when}) for t in range(many)]

    frames = [one for n in range(5) for one in beat(n, 100.0)]
    (found,), _ = stacks([*frames, *beat(2, 200.0)], pace=Pace(cardiac=True))
    assert found.notes["MeasuredAgain"] == [3] and len(found.order) == 50
    assert [one.sop_uid.split(".")[1] for one in found.order[2::5]] == ["200"] * 10
    if key == "moment":  # acquisitions of other places become stacks of their own
        for more, cardiac in ((beat(2, 200.0, 9), True), (beat(2, 200.0), False)):
            with pytest.raises(NotAVolume, match="slice 3 of 5 has"):
                stacks([*frames, *more], pace=Pace(cardiac=cardiac))


def test_acquisitions_that_cover_other_places_become_their_own_stacks() -> None:
    lower = [frame(float(n), uid=f"a{n}", keys={"acquisition": 1.0}) for n in range(6)]
    upper = [frame(float(n), uid=f"b{n}", keys={"acquisition": 2.0}) for n in range(4, 10)]
    found, _ = stacks([*lower, *upper])
    assert [s.geometry.shape[0] for s in found] == [6, 6]


@pytest.mark.parametrize("key", ["moment", "offset", "temporal"])
def test_a_stack_id_for_each_time_is_a_course(key: str) -> None:
    frames = [frame(float(z), uid=f"{z}.{t}", stack=str(t), keys={key: float(t)}) for t in range(12) for z in range(4)]
    (found,), _ = stacks(frames)
    assert [len(a) for a in found.axes] == [12] and found.geometry.shape[0] == 4
    (fewer,), _ = stacks(frames[:-1])
    assert len(fewer.axes[0]) == 11
    alike = [replace(one, keys={key: 1.0}) for one in frames]  # other images of the same slices, of one moment
    assert len(stacks(alike)[0]) == 12
