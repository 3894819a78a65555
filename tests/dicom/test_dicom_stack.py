"""Frames to regular stacks, or the proof that they are none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.dicom.placed import Placed
from isocenter.dicom.stack import Stack, stacks
from isocenter.errors import NotAVolume


def frame(z: float, *, x: float = 0.0, uid: str = "", keys: dict[str, Any] | None = None, **more: Any) -> Placed:
    base: dict[str, Any] = {
        "sop_uid": uid or f"1.{z}.{x}",
        "digest": "d",
        "frame": 0,
        "rows": 4,
        "columns": 6,
        "position": np.array([x, 0.0, z]),
        "orientation": np.array([1.0, 0, 0, 0, 1, 0]),
        "spacing": (1.0, 1.0),
    }
    return Placed(**{**base, "keys": keys or {}, **more})


def one(frames: list[Placed], **options: Any) -> Stack:
    (found,), faults = stacks(frames, **options)
    assert not faults
    return found


@settings(max_examples=80, deadline=None)
@given(st.integers(2, 12), st.floats(0.05, 20), st.randoms(use_true_random=False))
def test_slices_lie_along_the_normal_in_whatever_order_they_come(count: int, step: float, shuffle: Any) -> None:
    frames = [frame(n * step) for n in range(count)]
    shuffle.shuffle(frames)
    found = one(frames)
    depth = [p.position[2] for p in found.order]
    assert depth == sorted(depth) and found.geometry.shape == (count, 4, 6)
    assert np.isclose(found.geometry.spacing_mm[0], step)


@settings(max_examples=80, deadline=None)
@given(st.integers(5, 30), st.data())
def test_any_missing_slice_inside_is_found_and_named(count: int, data: st.DataObject) -> None:
    gone = data.draw(st.integers(2, count - 2))
    with pytest.raises(NotAVolume, match=rf"slice {gone + 1} missing: gap of 5 mm where 2\.5 mm"):
        stacks([frame(2.5 * n) for n in range(count) if n != gone])


def test_a_gap_of_several_slices_is_proved_with_numbers() -> None:
    with pytest.raises(NotAVolume, match="slices 41 to 43 missing: gap of 20 mm where 5 mm"):
        stacks([frame(5.0 * n) for n in range(60) if n not in (40, 41, 42)])


def test_many_gaps_are_counted() -> None:
    kept = [n for n in range(60) if n % 10]
    with pytest.raises(NotAVolume, match="and 2 gaps more"):
        stacks([frame(float(n)) for n in kept])


def test_uneven_distances_refuse() -> None:
    with pytest.raises(NotAVolume, match=r"slice distances vary from 1 to 1\.3 mm"):
        stacks([frame(z) for z in (0, 1, 2, 3.3, 4.3, 5.3)])


def test_rounding_of_positions_is_forgiven() -> None:
    found = one([frame(round(n * 3.2700001, 2)) for n in range(40)])
    assert np.isclose(found.geometry.spacing_mm[0], 3.27, atol=1e-3)


def test_slices_beside_the_line_refuse() -> None:
    with pytest.raises(NotAVolume, match="beside a straight line"):
        stacks([frame(float(n), x=3.0 * (n % 2)) for n in range(7)])


def test_a_sheared_stack_is_one() -> None:
    found = one([frame(float(n), x=0.4 * n) for n in range(7)])
    assert np.allclose(found.geometry.affine[:3, 0], (0.4, 0, 1))


@pytest.mark.parametrize(
    "orientation", [[2, 0, 0, 0, 1, 0], [1, 0, 0, 1, 0, 0], [1, 0, 0, 0.5, 0.8, 0], [0, 0, 0, 0, 1, 0]]
)
def test_directions_that_are_none_refuse(orientation: list[float]) -> None:
    with pytest.raises(NotAVolume, match="right angles or not of length one"):
        stacks([frame(float(n), orientation=np.array(orientation, float)) for n in range(3)])


def test_one_slice_takes_its_thickness() -> None:
    assert one([frame(1.0, thickness=7.0)]).geometry.spacing_mm[0] == 7.0
    assert one([frame(1.0)]).geometry.spacing_mm[0] == 1.0


def test_a_doubled_slice_is_dropped_when_equal_and_refused_when_not() -> None:
    frames = [*(frame(float(n)) for n in range(4)), frame(2.0, uid="1.copy")]
    found = one(frames, same_pixels=lambda a, b: True)
    assert found.notes["DoubledInstances"] == ["1.copy"] and found.geometry.shape[0] == 4
    with pytest.raises(NotAVolume, match="slice 3 of 4 has 2 images where others have 1"):
        stacks(frames, same_pixels=lambda a, b: False)


def test_a_phase_that_lacks_a_slice_refuses() -> None:
    frames = [frame(float(n), uid=f"{n}.{t}", keys={"temporal": float(t)}) for n in range(4) for t in range(3)]
    with pytest.raises(NotAVolume, match="slice 4 of 4 has 2 images where others have 3"):
        stacks(frames[:-1])


CLOCKS: dict[str, Any] = {
    "one clock": lambda n, k: {"moment": 1.5 * n},
    "each slice its own": lambda n, k: {"moment": 1.5 * n + 0.3 * k},
    "from the last slice": lambda n, k: {"moment": 1.5 * n - 0.3 * k},
    "positions": lambda n, k: {"temporal": n + 1.0},
    "acquisitions": lambda n, k: {"acquisition": n + 1.0},
}


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize(
    "lost", [{(7, 2)}, {(7, 3)}, {(7, 0), (8, 0)}, {(3, 1), (12, 2)}, {(9, 0), (9, 1), (9, 3)}, {(5, 3), (17, 3)}]
)
def test_a_time_that_lacks_a_slice_is_left_out_of_all(clock: str, lost: set[tuple[int, int]]) -> None:
    """One image that was lost on its way declined a whole dynamic scan."""
    frames = [frame(float(k), uid=f"{k}.{n}", keys=CLOCKS[clock](n, k))
              for n in range(24) for k in range(4) if (n, k) not in lost]  # fmt: skip
    found = one(frames)
    gone = sorted({n for n, _ in lost})
    kept = [n for n in range(24) if n not in gone]
    assert [p.sop_uid for p in found.order] == [f"{k}.{n}" for n in kept for k in range(4)]
    lacking = {n + 1: sum(n == m for m, _ in lost) for n in gone}
    assert found.notes["TimesLacking"] == {"of": 24, "slices": 4, "lacking": lacking}
    if "moment" in frames[0].keys:
        assert found.axes[0].values == pytest.approx([1.5 * n for n in kept])


@pytest.mark.parametrize("many", [5, 6, 20])
def test_a_scan_that_lost_more_than_a_fifth_of_its_times_refuses(many: int) -> None:
    frames = [frame(float(k), uid=f"{k}.{n}", keys={"moment": 1.5 * n})
              for n in range(24) for k in range(4) if k or n >= many]  # fmt: skip
    with pytest.raises(NotAVolume, match=f"slice 1 of 4 has {24 - many} images where others have 24"):
        stacks(frames)


@pytest.mark.parametrize("lost", [0, 7, 23])
def test_slices_that_were_measured_minutes_apart_do_not_tell_which_time_one_lacks(lost: int) -> None:
    frames = [frame(float(k), uid=f"{k}.{n}", keys={"content": 0.04 * n + 12.0 * k, "trigger": 40.0 * n})
              for n in range(24) for k in range(4) if (n, k) != (lost, 2)]  # fmt: skip
    with pytest.raises(NotAVolume, match="slice 3 of 4 has 23 images where others have 24"):
        stacks(frames, cardiac=True)


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


def test_images_at_one_height_but_beside_each_other_refuse() -> None:
    frames = [frame(float(n), x=x, uid=f"{n}.{x}", keys={"temporal": x}) for n in range(3) for x in (0.0, 40.0)]
    with pytest.raises(NotAVolume, match=r"lie 40\.00 mm apart in their plane"):
        stacks(frames)


def test_acquisitions_that_cover_other_places_become_their_own_stacks() -> None:
    lower = [frame(float(n), uid=f"a{n}", keys={"acquisition": 1.0}) for n in range(6)]
    upper = [frame(float(n), uid=f"b{n}", keys={"acquisition": 2.0}) for n in range(4, 10)]
    found, _ = stacks([*lower, *upper])
    assert [s.geometry.shape[0] for s in found] == [6, 6]


def test_a_key_that_jitters_is_no_axis() -> None:
    frames = [
        frame(float(k), uid=f"{k}.{t}", keys={"temporal": float(t), "echo": 30.0 + 0.01 * ((k * 7 + t) % 5)})
        for k in range(4)
        for t in range(3)
    ]
    found = one(frames)
    assert [a.name for a in found.axes] == ["time"]


def test_slices_that_were_measured_one_after_another_keep_their_times() -> None:
    frames = [
        frame(float(k), uid=f"{k}.{t}", keys={"moment": 2.8 * t + 1.4 * (k > 1)}) for k in range(4) for t in range(3)
    ]
    found = one(frames)
    assert found.axes[0].values == pytest.approx((0.0, 2.8, 5.6))
    assert found.notes["SliceTimes"][1] == pytest.approx([2.1, 2.1, 3.5, 3.5])  # the axis begins between the slices
    together = [
        frame(float(k), uid=f"{k}.{t}", keys={"moment": 2.8 * t + 0.01 * k}) for k in range(4) for t in range(3)
    ]
    assert "SliceTimes" not in one(together).notes


def test_an_energy_that_alternates_and_repeats_in_time_gives_both_axes() -> None:
    frames = [
        frame(float(k), uid=f"{k}.{t}.{e}", keys={"energy": e, "moment": 10.0 * t + k})
        for k in range(3)
        for t in range(4)
        for e in (80.0, 140.0)
    ]
    found = one(frames)
    assert [(a.name, a.values) for a in found.axes] == [("time", (0.0, 10.0, 20.0, 30.0)), ("energy", (80.0, 140.0))]


@pytest.mark.parametrize(("made", "unit"), [((60.0, 61.5, 63.0), "s"), ((60.0, 60.1, 63.0), "")])
def test_times_of_making_serve_where_they_tick_evenly_and_are_told(made: tuple[float, ...], unit: str) -> None:
    frames = [
        frame(z, uid=f"1.{z}.{n}", keys={"content": t + 0.01 * z, "number": float(n)})
        for n, t in enumerate(made)
        for z in (0, 1, 2)
    ]
    found = one(frames)
    (axis,) = found.axes
    assert axis.name == "time" and axis.unit == unit
    assert found.notes.get("TimedBy") == ("Content Time" if unit else None)
    if unit:
        assert axis.values == pytest.approx((0.0, 1.5, 3.0))


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
