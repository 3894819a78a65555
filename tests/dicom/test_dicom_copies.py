"""Frames that were sent or written more than once count once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from placed_frames import frame, one

from isocenter.dicom.copies import crowded_once, renumbered_once, rewritten_once, usual_many, whole_series_once
from isocenter.dicom.placed import Placed
from isocenter.dicom.stack import stacks
from isocenter.errors import NotAVolume


def test_a_doubled_slice_is_dropped_when_equal_and_refused_when_not() -> None:
    frames = [*(frame(float(n)) for n in range(4)), frame(2.0, uid="1.copy")]
    found = one(frames, same_pixels=lambda a, b: True)
    assert found.notes["DoubledInstances"] == ["1.copy"] and found.geometry.shape[0] == 4
    with pytest.raises(NotAVolume, match="slice 3 of 4 has 2 images where others have 1"):
        stacks(frames, same_pixels=lambda a, b: False)


def test_a_copy_and_a_loss_at_once_are_both_seen() -> None:
    frames = [frame(float(k), uid=f"{k}.{n}", keys={"moment": 1.5 * n, "number": 4.0 * n + k})
              for n in range(24) for k in range(4) if (n, k) != (9, 1)]  # fmt: skip
    copy = replace(frames[50], sop_uid="copy", keys={**frames[50].keys, "number": 400.0})
    found = one([*frames, copy], same_pixels=lambda a, b: a.keys["moment"] == b.keys["moment"])
    assert found.notes["DoubledInstances"] == ["copy"] and found.notes["TimesLacking"]["lacking"] == {10: 1}


@pytest.mark.parametrize("number", [None, 400.0])
def test_copies_of_some_images_of_numbered_acquisitions_count_once(number: float | None) -> None:
    """Three images that were sent twice made forty stacks of one time each, and none with a time axis."""
    frames = [frame(float(k), uid=f"{k}.{n}", keys={"moment": 1.5 * n, "acquisition": n + 1.0, "number": 4.0 * n + k})
              for n in range(24) for k in range(4)]  # fmt: skip
    twice = [frames[n] for n in (10, 43, 70)]
    copies = [replace(one, sop_uid=f"copy {n}", keys={**one.keys, "number": number or one.keys["number"]})
              for n, one in enumerate(twice)]  # fmt: skip
    found = one([*frames, *copies], same_pixels=lambda a, b: a.keys["moment"] == b.keys["moment"])
    assert [len(a) for a in found.axes] == [24] and len(found.order) == 96
    assert found.notes["DoubledInstances"] == ["copy 0", "copy 1", "copy 2"]


Same = Callable[[Placed, Placed], bool]
SAME: Same = lambda a, b: a.keys.get("held") == b.keys.get("held")  # noqa: E731
WAYS = (whole_series_once, rewritten_once, renumbered_once, crowded_once)


def uids(cells: list[list[Placed]]) -> list[list[str]]:
    return [[one.sop_uid for one in cell] for cell in cells]


@pytest.mark.parametrize("once", WAYS)
def test_what_is_not_equal_is_no_copy(once: Callable[..., Any]) -> None:
    cells = [[frame(float(k), uid=f"{k}.{n}", keys={"number": 1.0}) for n in range(2 + (k == 1))] for k in range(3)]
    assert once(cells, lambda a, b: False) == (cells, [])


def test_a_series_that_was_sent_again_counts_once_only_where_every_frame_was() -> None:
    cells = [
        [frame(float(k), uid=f"{k}.{n}.{m}", keys={"moment": 1.5 * n, "number": 10.0 * m + n, "held": (k, n)})
         for m in range(3) for n in range(2)]
        for k in range(2)
    ]  # fmt: skip
    kept, copies = whole_series_once(cells, SAME)
    assert uids(kept) == [["0.0.0", "0.1.0"], ["1.0.0", "1.1.0"]] and len(copies) == 8
    cells[1][5].keys["held"] = "another"
    assert whole_series_once(cells, SAME) == (cells, [])


@pytest.mark.parametrize(("number", "by"), [(1.0, (1, 2, 3)), (40.0, (2, 3)), (None, (2, 3))])
def test_each_way_of_writing_an_image_again_is_known_by_its_own_test(number: float | None, by: tuple[int, ...]) -> None:
    keys = {"moment": 1.5, "number": 1.0 if number else None}
    cells = [[frame(float(k), uid=f"{k}", keys=keys)] for k in range(3)]
    cells[1].append(frame(1.0, uid="copy", keys={**keys, "number": number}))
    found = tuple(n for n, once in enumerate(WAYS) if once(cells, SAME)[1] == ["copy"])
    assert found == by
    cells[1][1].keys["moment"] = 9.0  # a copy whose header tells another moment is known at a crowded place only
    assert [once(cells, SAME)[1] for once in WAYS] == [[], [], [], ["copy"]]


def test_places_with_as_many_frames_as_others_are_not_looked_at() -> None:
    cells = [[frame(float(k), uid=f"{k}.{n}", keys={"number": float(n)}) for n in range(2)] for k in range(3)]

    def never(a: Placed, b: Placed) -> bool:
        raise AssertionError

    assert renumbered_once(cells, never) == crowded_once(cells, never) == (cells, [])
    assert usual_many([*cells, cells[0][:1]]) == 2
