"""What all placed frames share: numbers of a place, odd ones, and the scale."""

from __future__ import annotations

from typing import Any

import pytest

from isocenter.dicom.placed import beat_ms, direction, finite, is_scaled, scale, spacing, vector
from isocenter.errors import NotAVolume


def test_scale_prefers_rescale_then_dose_then_real_world() -> None:
    assert scale({}, "x") == (1.0, 0.0)
    assert scale({"RescaleSlope": 2.0, "RescaleIntercept": 3.0, "RealWorldValueSlope": 9.0}, "x") == (2.0, 3.0)
    assert scale({"DoseGridScaling": 0.5}, "x") == (0.5, 0.0)
    assert scale({"RealWorldValueSlope": 9.0, "RealWorldValueIntercept": 1.0}, "x") == (9.0, 1.0)
    for wrong in ("abc", 0.0, "nan"):
        with pytest.raises(NotAVolume, match="Rescale Slope"):
            scale({"RescaleSlope": wrong}, "x")


@pytest.mark.parametrize("wrong", [None, "left", [1.0, 2.0], [1.0, 2.0, "x"], [1.0, 2.0, float("nan")]])
def test_a_place_that_is_no_number_refuses(wrong: Any) -> None:
    assert vector(["1", 2, 3.5], 3, "Image Position (Patient)", "image 4").tolist() == [1.0, 2.0, 3.5]
    with pytest.raises(NotAVolume, match=r"Image Position \(Patient\) of image 4 is "):
        vector(wrong, 3, "Image Position (Patient)", "image 4")


def test_pixels_without_extent_refuse() -> None:
    assert spacing(["0.5", "0.7"], "image 4") == (0.5, 0.7)
    for wrong in ([0.0, 1.0], [1.0, -1.0]):
        with pytest.raises(NotAVolume, match="pixels without extent"):
            spacing(wrong, "image 4")


def test_odd_numbers_are_none() -> None:
    assert [finite(v) for v in ("2.5", [3, 4], [], None, "x", "inf")] == [2.5, 3.0, None, None, None, None]
    assert direction(["1", 0, 0.00004]) == (1.0, 0.0, 0.0)
    assert direction([1, 0]) is direction([1, 0, "x"]) is direction("100") is None
    assert (beat_ms(60.0, 900.0), beat_ms(None, 900.0), beat_ms(0.0, -1.0)) == (1000.0, 900.0, None)
    assert is_scaled({"RescaleIntercept": 0.0}) and not is_scaled({"RescaleSlope": None})
