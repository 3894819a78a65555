"""Which clock tells frames apart, and what time each has."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from placed_frames import frame, one

from isocenter.dicom.frame_times import Pace, order_in_time, tells_apart, time_axis
from isocenter.dicom.placed import Placed
from isocenter.errors import NotAVolume


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


def repeated(key: str, *clocks: list[float]) -> list[dict[tuple[Any, ...], list[Placed]]]:
    return [{(): [frame(float(k), uid=f"{k}.{t}", keys={key: t}) for t in clock]} for k, clock in enumerate(clocks)]


def test_the_first_clock_that_tells_all_frames_apart_orders_them() -> None:
    cells = [[frame(0.0, uid=f"{n}", keys={"temporal": 1.0, "moment": 2.0 * n, "number": float(n)}) for n in range(3)]]
    assert order_in_time(cells, [], Pace()) == "moment"
    for n, one_frame in enumerate(cells[0]):
        one_frame.keys["trigger"] = float(n)
    assert order_in_time(cells, [], Pace(cardiac=True)) == "trigger"
    for one_frame in cells[0]:
        one_frame.keys.clear()
    with pytest.raises(NotAVolume, match="3 images at one place and nothing that tells them apart"):
        order_in_time(cells, [], Pace())


def test_a_key_may_repeat_where_another_name_differs() -> None:
    cell = [frame(0.0, uid=f"{e}{t}", keys={"energy": e, "moment": t}) for e in (80.0, 140.0) for t in (0.0, 1.0)]
    assert tells_apart(cell, ["energy"], "moment") and not tells_apart(cell, [], "moment")
    assert not tells_apart(cell, ["energy"], "offset")


@pytest.mark.parametrize(("key", "second"), [("offset", 1.0), ("reference", 1e-3), ("trigger", 1e-3), ("since", 1.0)])
def test_each_clock_has_its_own_unit(key: str, second: float) -> None:
    axis, told = time_axis(repeated(key, [5.5, 7.0, 9.5]), 3, key, Pace())
    assert axis.unit == "s" and axis.values == pytest.approx([0.0, 1.5 * second, 4.0 * second]) and not told


def test_a_heart_phase_stays_in_milliseconds_from_the_beat() -> None:
    axis, _ = time_axis(repeated("trigger", [12.0, 40.0]), 2, "trigger", Pace(cardiac=True))
    assert (axis.name, axis.unit, axis.values) == ("trigger", "ms", (12.0, 40.0))


def test_a_clock_of_whole_seconds_is_evened_out_and_told() -> None:
    """Frames of 1.5 s."""
    axis, told = time_axis(repeated("moment", [float(int(1.5 * n)) for n in range(40)]), 40, "moment", Pace())
    assert np.abs(np.array(axis.values) - 1.5 * np.arange(40)).max() < 0.5
    assert told == {"TimedBy": "Acquisition Time in whole seconds, evened out"}


def test_whole_seconds_that_lie_on_even_steps_stay_as_they_are_and_nothing_is_told() -> None:
    """Frames of 4 s, of which one is missing."""
    shown = [4.0 * n for n in range(40) if n != 10]
    axis, told = time_axis(repeated("moment", shown), 39, "moment", Pace())
    assert axis.values == pytest.approx(shown) and not told


def test_a_stated_step_serves_where_no_frame_has_a_time_and_is_told_where_it_is_none() -> None:
    missing = repeated("temporal", [1.0, 2.0, 4.0])
    axis, told = time_axis(missing, 3, "temporal", Pace(False, 1.4, "Repetition Time"))
    assert axis.values == pytest.approx((0.0, 1.4, 4.2)) and told == {"TimedBy": "Repetition Time"}
    axis, told = time_axis(missing, 3, "temporal", Pace(False, 1.4))
    assert axis.unit == "s" and not told
    axis, told = time_axis(missing, 3, "temporal", Pace())
    assert axis.unit == "" and axis.values == (0, 1, 2) and not told


@pytest.mark.parametrize("key", ["content", "acquisition"])
def test_a_time_that_is_missing_leaves_its_time_free_though_only_the_repetition_time_is_known(key: str) -> None:
    """All later frames came one step too early, without a word."""
    each = 1.5 if key == "content" else 1.0
    frames = [frame(z, uid=f"{z}.{n}", keys={key: each * n}) for n in range(24) if n != 9 for z in (0.0, 1.0, 2.0)]
    found = one(frames, pace=Pace(repetition_s=1.5, repetition_said="Repetition Time"))
    assert found.axes[0].values == tuple(1.5 * n for n in range(24) if n != 9)
    assert found.notes["TimedBy"] == ("Content Time" if key == "content" else "Repetition Time")
    late = [frame(z, uid=f"{z}.{n}", keys={key: 2 * each * n}) for n in range(24) for z in (0.0, 1.0, 2.0)]
    axis = one(late, pace=Pace(repetition_s=1.5)).axes[0]  # images that were made, or counted, otherwise
    assert axis.values == tuple(1.5 * n for n in range(24))
