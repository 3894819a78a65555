"""The frames of a multi-frame object."""

from __future__ import annotations

from typing import Any

import made
import numpy as np
import pytest
from pydicom.dataset import Dataset

from isocenter.dicom.elements import parse
from isocenter.dicom.enhanced_frames import enhanced
from isocenter.dicom.placed import Placed
from isocenter.errors import NotAVolume


def group(**facts: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in facts.items():
        setattr(ds, keyword, value)
    return ds


def frame(number: int) -> Dataset:
    return group(
        PlanePositionSequence=[group(ImagePositionPatient=[0, 0, 2 * number])],
        FrameContentSequence=[group(StackID="1", FrameAcquisitionDateTime=f"2026010200000{number}")],
        MREchoSequence=[group(EffectiveEchoTime=10.0 + number)],
    )


def read(frames: list[Dataset], count: int = 3, **shared: Any) -> list[Placed]:
    ds = made.dataset(
        sop_class=made.ENHANCED_MR, modality="MR", pixels=np.zeros((count, 4, 6), np.uint16),
        ImagePositionPatient=None, ImageOrientationPatient=None, PixelSpacing=None, SliceThickness=None,
    )  # fmt: skip
    ds.SharedFunctionalGroupsSequence = [group(**{
        "PlaneOrientationSequence": [group(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
        "PixelMeasuresSequence": [group(PixelSpacing=[0.5, 0.7], SliceThickness=2)],
        **shared,
    })]  # fmt: skip
    ds.PerFrameFunctionalGroupsSequence = frames
    data = made.written(ds)
    series, _ = made.record([data])
    return enhanced(series.instances[0], parse(data))


def test_groups_of_a_frame_and_of_all_say_where_each_lies_and_what_tells_it_apart() -> None:
    transform = [group(RescaleSlope=2, RescaleIntercept=-1, RescaleType="US")]
    found = read([frame(n) for n in range(3)], PixelValueTransformationSequence=transform)
    assert [f.position[2] for f in found] == [0.0, 2.0, 4.0] and {f.spacing for f in found} == {(0.5, 0.7)}
    assert [f.keys["echo"] for f in found] == [10.0, 11.0, 12.0]
    assert np.diff([f.keys["moment"] for f in found]).tolist() == [1.0, 1.0]
    assert {(f.slope, f.intercept, f.scaled, f.scaled_to, f.stack) for f in found} == {(2.0, -1.0, True, "US", "1")}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"NominalCardiacTriggerDelayTime": 40.0, "ActualCardiacTriggerDelayTime": 41.0}, 40.0),
        ({"ActualCardiacTriggerDelayTime": 41.0}, 41.0),
        ({"NominalPercentageOfCardiacPhase": 5.0, "RRIntervalTimeNominal": 800.0}, 40.0),
        ({"NominalPercentageOfCardiacPhase": 5.0}, None),
    ],
)
def test_where_in_the_beat_a_frame_lies(said: dict[str, float], told: float | None) -> None:
    (found,) = read([frame(0)], 1, CardiacSynchronizationSequence=[group(**said)])
    assert found.keys["trigger"] == told


def test_frames_without_a_group_or_a_place_refuse() -> None:
    with pytest.raises(NotAVolume, match="2 functional groups for 3 frames"):
        read([frame(n) for n in range(2)])
    lost = frame(1)
    del lost.PlanePositionSequence
    with pytest.raises(NotAVolume, match="frame 2 states no position or orientation"):
        read([frame(0), lost, frame(2)])
