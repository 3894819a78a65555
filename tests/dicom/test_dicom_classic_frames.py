"""The frame of a classic object."""

from __future__ import annotations

from typing import Any

import made
import pytest

from isocenter.dicom.classic_frames import alone, classic
from isocenter.dicom.elements import parse
from isocenter.dicom.placed import Placed
from isocenter.errors import NotAVolume


def read(**facts: Any) -> Placed | None:
    series, _ = made.record([made.made(3, sop_class=made.MR, modality="MR", **facts)])
    return classic(series, series.instances[0])


def test_a_header_says_where_a_slice_lies_and_what_tells_it_apart() -> None:
    found = read(
        ImagePositionPatient=[1, 2, 3], PixelSpacing=[0.5, 0.7], SliceThickness=4, EchoTime=30, FlipAngle=15,
        AcquisitionDate="20260102", AcquisitionTime="000010", HeartRate=75, ImageType=["ORIGINAL", "PRIMARY", "M"],
    )  # fmt: skip
    assert found is not None and found.position.tolist() == [1.0, 2.0, 3.0] and found.spacing == (0.5, 0.7)
    assert found.thickness == 4.0 and found.kind == ("ORIGINAL", "PRIMARY", "M") and not found.scaled
    assert (found.keys["echo"], found.keys["flip"], found.keys["beat_ms"]) == (30.0, 15.0, 800.0)
    assert found.keys["moment"] == found.keys["clock"] and found.keys["moment"] % 86400 == 10.0


def test_the_date_and_time_of_a_frame_go_before_its_time_alone() -> None:
    found = read(AcquisitionDateTime="20260102000020", AcquisitionDate="20260102", AcquisitionTime="000010")
    assert found is not None and found.keys["moment"] - found.keys["clock"] == 10.0


def test_without_a_place_there_is_no_frame_and_with_a_wrong_one_it_refuses() -> None:
    assert read(ImagePositionPatient=None) is None
    with pytest.raises(NotAVolume, match=r"Pixel Spacing of image 3 is"):
        read(PixelSpacing=[0, 1])


def test_a_slice_that_is_asked_by_itself_lies_where_its_whole_record_says() -> None:
    data = made.made(3, ImagePositionPatient=[1, 2, 3], RescaleSlope=2)
    series, _ = made.record([data])
    whole, found = classic(series, series.instances[0]), alone(parse(data))
    assert whole is not None and found is not None
    assert found.position.tolist() == whole.position.tolist() and (found.slope, found.intercept) == (2.0, -1024.0)
    for facts in ({"ImagePositionPatient": None}, {"ImageType": ["DERIVED", "PRIMARY", "MOSAIC"]}):
        assert alone(parse(made.made(3, **facts))) is None
