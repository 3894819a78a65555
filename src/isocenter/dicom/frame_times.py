"""Which clock tells the frames of one place apart, and what time each of them has.

Headers state many clocks, and each vendor fills others. One that is the time of a measurement goes before one that
only counts, and the moment at which an image was made serves last, where it ticks evenly, and is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from isocenter.dicom.placed import Placed
from isocenter.dicom.places import Cells
from isocenter.errors import NotAVolume
from isocenter.space import Axis

__all__ = ["Pace", "Repeated", "order_in_time", "tells_apart", "time_axis"]

Repeated = list[dict[tuple[Any, ...], list[Placed]]]
"""For each place: what tells its frames apart but for time -> the frames, in time."""

_ORDER = (
    "temporal", "offset", "moment", "clock", "reference", "trigger", "dynamic", "since", "begun", "content",
    "acquisition", "number",
)  # fmt: skip
_TIMED_BY = (
    ("offset", 1.0), ("reference", 1e-3), ("moment", 1.0), ("clock", 1.0), ("trigger", 1e-3),
    ("dynamic", 1.0), ("since", 1.0), ("begun", 1.0),
)  # fmt: skip
"""(key, seconds of its unit)"""
_ACQUIRED = ("moment", "clock", "begun")  # Acquisition Time, with its date or without
_COUNTED = ("temporal", "acquisition")
_TICK = 0.05  # of a step
_LEAST_EVENED = 10  # frames, and seconds, by which a clock of whole seconds tells how long a frame is
_MOST_LOST = 0.2  # of the frames, that may be missing where even steps are sought
_NOTHING = 1e-6  # s
_WHOLE_SECOND = 1.1  # s, that times cut to whole seconds spread about even ones


@dataclass(frozen=True)
class Pace:
    """What a series states of its times as a whole.

    Args:
        cardiac: whether trigger times count from the heart beat.
        repetition_s: seconds between two volumes, where no frame states its time.
        repetition_said: what that is taken from, where it is no statement of the time between two volumes.
    """

    cardiac: bool = False
    repetition_s: float | None = None
    repetition_said: str = ""


def order_in_time(cells: Cells, names: Sequence[str], pace: Pace) -> str:
    """The key that orders frames of one place in time.

    Args:
        cells: the frames of each place.
        names: of the keys that tell frames apart besides.
        pace: of the series.

    Raises:
        NotAVolume: none does.
    """
    for key in ("trigger", *_ORDER) if pace.cardiac else _ORDER:
        if all(tells_apart(cell, names, key) for cell in cells):
            return key
    raise NotAVolume(
        f"{len(cells[0])} images at one place and nothing that tells them apart",
        "echo, b-value, direction, energy, trigger and times are all equal",
        "send the parts as series of their own",
    )


def tells_apart(cell: list[Placed], names: Sequence[str], key: str) -> bool:
    """Whether no two frames of a place share the value of a key, but where those of other names differ."""
    by: dict[tuple[Any, ...], list[Any]] = {}
    for one in cell:
        by.setdefault(tuple(one.keys.get(name) for name in names), []).append(one.keys.get(key))
    return all(None not in many and len(set(many)) == len(many) for many in by.values())


def time_axis(cells: Repeated, repeats: int, clock: str, pace: Pace) -> tuple[Axis, dict[str, Any]]:
    """The axis of frames that follow each other, and what is to be noted of it.

    Args:
        cells: the frames of each place.
        repeats: how many follow each other.
        clock: the key that ordered them.
        pace: of the series.
    """

    def means(key: str) -> list[float] | None:
        table: list[list[Any]] = [[m[n].keys.get(key) for by in cells for m in by.values()] for n in range(repeats)]
        if any(v is None for row in table for v in row):
            return None
        found = [float(np.mean(row)) for row in table]
        return found if all(b > a for a, b in pairwise(found)) else None

    if clock == "trigger" and pace.cardiac:
        return Axis("trigger", tuple(round(v, 6) for v in means("trigger") or range(repeats)), "ms"), {}
    for key, second in _TIMED_BY:
        even = _evened(cells, repeats, key) if key in _ACQUIRED else None
        if even is not None:
            return Axis("time", even, "s"), {"TimedBy": "Acquisition Time in whole seconds, evened out"}
        found = means(key)
        if found is not None:
            axis = Axis("time", tuple(round((v - found[0]) * second, 6) for v in found), "s")
            return axis, _slice_times(cells, repeats, key, second, found)
    if pace.repetition_s:
        made = means("content")
        if made is not None and _shows_holes(made, pace.repetition_s):
            return Axis("time", tuple(round(v - made[0], 6) for v in made), "s"), {"TimedBy": "Content Time"}
        counted = means(clock) if clock in _COUNTED else None
        whole = counted is not None and min(b - a for a, b in pairwise(counted)) == 1.0  # 1, 2, 4: the third is missing
        steps = [n - counted[0] for n in counted] if counted and whole else range(repeats)
        said = {"TimedBy": pace.repetition_said} if pace.repetition_said else {}
        return Axis("time", tuple(round(n * pace.repetition_s, 6) for n in steps), "s"), said
    # When an image was made need not be when it was measured: it serves where it ticks evenly, and is told.
    if (even := _evened(cells, repeats, "content")) is not None:
        return Axis("time", even, "s"), {"TimedBy": "Content Time in whole seconds, evened out"}
    made = means("content")
    if made is not None and _ticks_evenly(made):
        return Axis("time", tuple(round(v - made[0], 6) for v in made), "s"), {"TimedBy": "Content Time"}
    return Axis("time", tuple(range(repeats)), ""), {}


def _evened(cells: Repeated, repeats: int, key: str) -> tuple[float, ...] | None:
    """Even times, where a clock that was written in whole seconds shows frames that follow each other evenly.

    Frames of 1.5 s read 0, 1, 3, 4, and several shorter than a second read the same. Some may be missing between. None
    where the clock tells fractions, where its steps are equal as they stand, and where no even steps explain what it
    shows.
    """
    told = np.array([[m[n].keys.get(key) for by in cells for m in by.values()] for n in range(repeats)], np.float64)
    if repeats < _LEAST_EVENED or not np.isfinite(told).all() or (told != np.round(told)).any():
        return None
    shown = told.mean(axis=1)
    steps = np.diff(shown)
    if (np.diff(told, axis=0) < 0).any() or np.ptp(steps) == 0.0 or np.ptp(told, axis=1).max() > 1.0:
        return None
    if shown[-1] - shown[0] < _LEAST_EVENED:
        return None
    for lost in range(int(_MOST_LOST * repeats) + 1):
        many = repeats - 1 + lost
        at = np.rint((shown - shown[0]) * many / (shown[-1] - shown[0])) if lost else np.arange(repeats)
        step, start = np.polyfit(at, shown, 1)
        off = told - (start + step * at)[:, None]
        if float(np.ptp(off)) < _NOTHING:
            return None  # they lie on even steps as they stand, with some missing between
        if (np.diff(at) > 0).all() and float(np.ptp(off)) <= _WHOLE_SECOND:
            return tuple(round(float(n * step), 6) for n in at)
    return None


def _slice_times(cells: Repeated, repeats: int, key: str, second: float, frames: list[float]) -> dict[str, Any]:
    """The times of each slice (s, on the clock of the axis) under ``SliceTimes``, where a frame has several.

    A table that goes to and fro, and slices that are excited one after another, measure each at a time of its own.
    """
    told = [[float(np.mean([m[n].keys[key] for m in by.values()])) - frames[0] for by in cells] for n in range(repeats)]
    times = second * np.array(told)
    step = second * (frames[-1] - frames[0]) / (repeats - 1)
    if float(np.ptp(times, axis=1).max()) > _TICK * step:
        return {"SliceTimes": np.round(times, 6).tolist()}
    return {}


def _shows_holes(times: list[float], step_s: float) -> bool:
    """Whether frames were made in steps of the time between volumes, of which some are missing."""
    alike = abs(float(np.median(np.diff(times))) - step_s) <= _TICK * step_s
    return alike and _ticks_evenly(times) and round((times[-1] - times[0]) / step_s) >= len(times)


def _ticks_evenly(times: list[float]) -> bool:
    """Whether frames follow each other evenly, some of them missing between others."""
    steps = np.diff(times) / np.median(np.diff(times))
    many = np.maximum(np.rint(steps), 1.0)
    return bool(np.abs(steps - many).max() <= _TICK and (many - 1.0).sum() <= _MOST_LOST * len(times))
