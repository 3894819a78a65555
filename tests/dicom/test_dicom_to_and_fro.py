"""A table that goes to and fro, and ends at one side."""

from __future__ import annotations

import pytest
from placed_frames import frame

from isocenter.dicom.placed import Placed
from isocenter.dicom.to_and_fro import frames_of_all


def rows(*clocks: list[float], key: str = "moment") -> list[list[Placed]]:
    return [[frame(float(k), uid=f"{k}.{t}", keys={key: t}) for t in clock] for k, clock in enumerate(clocks)]


PACE = [3.0 * n for n in range(20)]


@pytest.mark.parametrize("key", ["moment", "reference", "offset"])
def test_the_frame_that_one_side_has_more_is_left_at_either_end(key: str) -> None:
    later = [t + 1.5 for t in PACE]
    for cells, kept in ((rows(PACE, later[1:], key=key), (PACE[1:], later[1:])),
                        (rows(PACE, later[:-1], key=key), (PACE[:-1], later[:-1]))):  # fmt: skip
        found = frames_of_all(cells)
        assert found is not None
        assert [[one.keys[key] for one in cell] for cell in found] == [list(times) for times in kept]


def test_a_frame_that_is_missing_between_others_is_no_end() -> None:
    assert frames_of_all(rows(PACE, [t + 1.5 for t in PACE if t != 30.0])) is None


def test_frames_that_no_clock_tells_apart_or_of_which_more_are_missing_are_left_to_others() -> None:
    assert frames_of_all(rows(PACE, PACE)) is None
    assert frames_of_all(rows(PACE, PACE[3:])) is None
    assert frames_of_all(rows(PACE[:9], PACE[1:9])) is None
    assert frames_of_all(rows(PACE, PACE[1:], key="content")) is None
