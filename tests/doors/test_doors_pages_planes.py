"""Where images lie and in which order one scrolls, from the record alone."""

from __future__ import annotations

from typing import Any

import pytest

from isocenter.doors.pages_planes import in_order, planes
from isocenter.record import Instance, Series


def image(uid: str, number: int | None, z: Any = None, **facts: Any) -> Instance:
    told: dict[str, Any] = {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "PixelSpacing": [0.5, 0.5]}
    if z is not None:
        told["ImagePositionPatient"] = [0, 0, z]
    return Instance(uid, "c", "t", "d", 1, number, 4, 6, 1, {**told, **facts})


def series(*many: Instance, **facts: Any) -> Series:
    return Series("S", "CT", facts=facts, frame_of_reference="F", instances=many)


def order(*many: Instance) -> list[str]:
    return [i.sop_uid for i in in_order(series(*many))]


def test_planes_carry_their_place_their_frame_and_the_distance_to_the_next() -> None:
    found = planes(series(image("b", 2, 7.5), image("a", 1, 5.0)))
    assert list(found) == ["a", "b"]
    assert found["a"].spacing_mm == pytest.approx((2.5, 0.5, 0.5))
    assert found["b"].origin_mm == (0, 0, 7.5)
    assert found["a"].frame_of_reference == "F"
    assert found["a"].shape == (1, 4, 6)


def test_a_single_plane_is_as_thick_as_its_header_says() -> None:
    assert planes(series(image("a", 1, 5.0), SliceThickness=3.0))["a"].spacing_mm[0] == pytest.approx(3.0)
    assert planes(series(image("a", 1, 5.0)))["a"].spacing_mm[0] == pytest.approx(1.0)


def test_values_that_a_series_shares_are_found_at_the_series() -> None:
    alone = Instance("a", "c", "t", "d", 1, 1, 4, 6, 1, {"ImagePositionPatient": [0, 0, 1]})
    found = planes(series(alone, ImageOrientationPatient=[1, 0, 0, 0, 1, 0], PixelSpacing=[1, 2]))
    assert found["a"].spacing_mm[1:] == (1, 2)


@pytest.mark.parametrize(
    "facts",
    [
        {"ImagePositionPatient": "0\\0\\1"},
        {"ImagePositionPatient": [0, 1]},
        {"ImagePositionPatient": [0, "x", 1]},
        {"PixelSpacing": [0, 0]},
        {"ImageOrientationPatient": [0, 0, 0, 0, 0, 0]},
        {"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]},
        {"ImagePositionPatient": [0, 0, float("nan")]},
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_an_image_without_a_sensible_place_is_shown_but_not_placed(facts: dict[str, Any]) -> None:
    crooked = image("a", 1, 0.0, **facts)
    assert planes(series(crooked)) == {}
    assert order(crooked) == ["a"]


def test_one_scrolls_along_the_stack_and_not_along_wrong_numbers() -> None:
    assert order(image("c", 1, 3.0), image("a", 2, 1.0), image("b", 3, 2.0)) == ["a", "b", "c"]


def test_the_way_round_is_that_of_the_numbers() -> None:
    assert order(image("a", 3, 1.0), image("b", 2, 2.0), image("c", 1, 3.0)) == ["c", "b", "a"]
    assert order(image("a", 1, 1.0), image("b", 2, 2.0)) == ["a", "b"]


def test_phases_at_one_place_and_mixed_directions_go_by_number() -> None:
    assert order(image("b", 2, 1.0), image("a", 1, 1.0), image("c", 3, 2.0)) == ["a", "b", "c"]
    turned = image("z", 1, 9.0, ImageOrientationPatient=[0, 1, 0, 0, 0, -1])
    assert order(image("b", 2, 1.0), turned) == ["z", "b"]


def test_images_without_number_come_last() -> None:
    assert order(image("b", None), image("a", 5), image("c", 4)) == ["c", "a", "b"]
