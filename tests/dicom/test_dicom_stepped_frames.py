"""Frames that are steps from one position."""

from __future__ import annotations

from typing import Any

import made
import numpy as np
import pytest

from isocenter.dicom.elements import parse
from isocenter.dicom.placed import Placed
from isocenter.dicom.stepped_frames import stepped
from isocenter.errors import NotAVolume

DOSE = "1.2.840.10008.5.1.4.1.1.481.2"


def read(**facts: Any) -> list[Placed]:
    data = made.made(
        sop_class=DOSE, modality="RTDOSE", pixels=np.zeros((3, 4, 6), np.uint16), **{"DoseGridScaling": "0.5", **facts}
    )
    series, _ = made.record([data])
    return stepped(series, series.instances[0], parse(data))


@pytest.mark.parametrize("offsets", [[0, 2, 4], [1, 3, 5]])
def test_offsets_are_steps_along_the_normal_wherever_they_begin(offsets: list[float]) -> None:
    """Where they are positions they begin at that of the first frame."""
    found = read(GridFrameOffsetVector=offsets)
    assert [f.position[2] for f in found] == [1.0, 3.0, 5.0] and [f.frame for f in found] == [0, 1, 2]
    assert found[0].slope == 0.5


def test_without_offsets_the_distance_of_slices_is_the_step() -> None:
    assert [f.position[2] for f in read(SpacingBetweenSlices=-3)] == [1.0, -2.0, -5.0]
    assert [f.position[2] for f in read(SliceThickness=2)] == [1.0, 3.0, 5.0]
    with pytest.raises(NotAVolume, match="Spacing Between Slices is missing"):
        read(SliceThickness=None)


def test_frames_without_a_place_or_with_too_few_steps_refuse() -> None:
    with pytest.raises(NotAVolume, match="3 frames without a position in the patient"):
        read(ImagePositionPatient=None)
    with pytest.raises(NotAVolume, match="2 slice offsets for 3 frames"):
        read(GridFrameOffsetVector=[0, 2])
