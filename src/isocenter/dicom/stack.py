"""Frames to regular stacks, or the proof that they are none.

Slices are ordered by Image Position (Patient) along the normal of their plane; Slice Location is never asked, for it
is optional, rounded, and on some scanners relative to the table. Where several frames share a place, what tells them
apart (echo, b-value, direction, energy, heart phase, time) becomes a leading axis. A gap, a doubled slice, or a place
with more frames than another refuses the series, with the numbers that prove it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.dicom.placed import Placed
from isocenter.dicom.whole_times import WholeTimes, whole_times
from isocenter.errors import IsocenterError, NotAVolume, Refused
from isocenter.space import Axis, Geometry

__all__ = ["SAME_ECHO_MS", "Stack", "bridged", "stacks"]

_SAME_DIRECTION = 1e-3  # greatest difference of a direction cosine within one stack
SAME_ECHO_MS = 0.002  # echo times that lie closer are one; the shortest steps between echoes are tenths of a ms
_APART_MM = 0.02  # closer than this, two frames lie at one place
_LEAST_SLICES = 3  # with an ID each, that are taken for one stack
_REGULAR = 0.05  # a slice may lie this part of the slice distance beside its place on the regular grid
_DISCRETE = ("echo", "inversion", "flip", "energy", "b_value", "direction", "encoding")
_UNITS = {
    "echo": "ms",
    "inversion": "ms",
    "flip": "deg",
    "energy": "kV",
    "b_value": "s/mm2",
    "direction": "1",
    "encoding": "1",
}


@dataclass(frozen=True, eq=False)
class Stack:
    """Frames in array order (leading axes first, then slices), the grid they fill, and what was noted on the way."""

    geometry: Geometry
    axes: tuple[Axis, ...]
    order: tuple[Placed, ...]
    notes: dict[str, Any] = field(default_factory=dict)


def stacks(
    frames: list[Placed],
    *,
    frame_of_reference: str = "",
    cardiac: bool = False,
    repetition_s: float | None = None,
    repetition_said: str = "",
    same_pixels: Callable[[Placed, Placed], bool] = lambda a, b: False,
) -> tuple[list[Stack], list[IsocenterError]]:
    """Sort frames into regular stacks.

    Args:
        frames: of one series.
        frame_of_reference: of the series.
        cardiac: whether trigger times count from the heart beat.
        repetition_s: seconds between two volumes, where no frame states its time.
        repetition_said: what that is taken from, where it is no statement of the time between two volumes.
        same_pixels: whether two frames at one place hold the same values, asked only for doubled slices.

    Returns:
        The stacks, largest first, and why the other groups of frames made none.

    Raises:
        NotAVolume: when the largest group makes no regular stack.
    """
    rules = _Rules(frame_of_reference, cardiac, repetition_s, repetition_said, same_pixels)
    groups = sorted(_planes(_one_echo_time(frames)), key=lambda g: -len(g) * g[0].rows * g[0].columns)
    found: list[Stack] = []
    faults: list[IsocenterError] = []
    for n, group in enumerate(groups):
        try:
            found += _split(group, rules)
        except Refused as fault:
            if n == 0:
                raise
            faults.append(fault)
    found.sort(key=lambda s: (-len(s.order) * s.geometry.shape[1] * s.geometry.shape[2], _is_derived(s)))
    return found, faults


def _one_echo_time(frames: list[Placed]) -> list[Placed]:
    """Frames whose echo times differ by what rounding leaves, from slice to slice, with one of them for all.

    Where all that state one state the same, frames that state none have it, too.
    """
    told = sorted({v for one in frames if isinstance(v := one.keys.get("echo"), (int, float))})
    first: dict[float, float] = {}
    for before, value in pairwise([-np.inf, *told]):
        first[value] = first[before] if value - before <= SAME_ECHO_MS else value
    alone = next(iter(set(first.values()))) if len(set(first.values())) == 1 else None
    gaps = alone is not None and any(one.keys.get("echo") is None for one in frames)
    if len(set(first.values())) == len(told) and not gaps:
        return frames
    return [replace(one, keys={**one.keys, "echo": alone if e is None else first.get(e, e)})
            if (e := one.keys.get("echo")) is not None or gaps else one for one in frames]  # fmt: skip


def _is_derived(stack: Stack) -> bool:
    """Whether its images were computed of others, which of two stacks of one size go first."""
    return all("DERIVED" in one.kind[:1] for one in stack.order)


@dataclass(frozen=True)
class _Rules:
    frame_of_reference: str
    cardiac: bool
    repetition_s: float | None
    repetition_said: str
    same_pixels: Callable[[Placed, Placed], bool]


def _planes(frames: list[Placed]) -> list[list[Placed]]:
    """Frames of one size, one spacing, one orientation and one stack."""
    groups: list[list[Placed]] = []
    for one in frames:
        row, column = one.orientation[:3], one.orientation[3:]
        lengths = np.linalg.norm(row), np.linalg.norm(column)
        if abs(lengths[0] - 1) > 0.01 or abs(lengths[1] - 1) > 0.01 or abs(float(row @ column)) > 0.01:
            raise NotAVolume(
                f"Image Orientation (Patient) {np.round(one.orientation, 4).tolist()}",
                "its two directions are not at right angles or not of length one",
                "export the series again",
            )
        for group in groups:
            first = group[0]
            if (
                (first.rows, first.columns) == (one.rows, one.columns)
                and np.allclose(first.spacing, one.spacing, rtol=1e-3, atol=1e-5)
                and np.abs(first.orientation - one.orientation).max() <= _SAME_DIRECTION
            ):
                group.append(one)
                break
        else:
            groups.append([one])
    return [part for group in groups for part in _stacks_stated(group)]


def _stacks_stated(group: list[Placed]) -> list[list[Placed]]:
    """The frames of each Stack ID; all together where some scanner gave every slice an ID of its own."""
    parts: dict[str, list[Placed]] = {}
    for one in group:
        parts.setdefault(one.stack, []).append(one)
    if len(parts) < _LEAST_SLICES or any(len(_places(part)) > 1 for part in parts.values()):
        return list(parts.values())
    try:
        _grid(_places(group), "")
    except NotAVolume:
        return list(parts.values())
    return [group]


def _split(group: list[Placed], rules: _Rules) -> list[Stack]:
    """One stack, or several where frames of different kinds share their places (magnitude and phase, fat and water)."""
    cells = _places(group)
    notes: dict[str, Any] = {}
    if not _even(cells):
        cells = _without_copies(_written_once(cells, rules, notes), rules, notes)
        group = [one for cell in cells for one in cell]
    if (not _even(cells) or len(cells[0]) == 1) and (nearly := _nearly_at_one_place(group)) is not None:
        cells = nearly
    if max(len(cell) for cell in cells) == 1:
        return [_stack(cells, rules, notes)]
    for name in ("kind", "acquisition"):
        if name == "acquisition" and (whole_times(cells) is not None or _is_course(cells)):
            break
        parts: dict[Any, list[Placed]] = {}
        for one in group:
            parts.setdefault(one.kind if name == "kind" else one.keys.get(name), []).append(one)
        # Acquisitions that repeat every place are the steps of a time series, not volumes of their own.
        if len(parts) > 1 and (name == "kind" or not _even(cells)):
            try:
                return [_stack(_places(part), rules, notes) for part in parts.values()]
            except NotAVolume:
                continue
    return [_stack(cells, rules, notes)]


def _is_course(cells: list[list[Placed]]) -> bool:
    """Whether acquisitions are the times of a scan, though not all slices have all of them."""
    many = [len(cell) for cell in cells]
    acquisitions = {one.keys.get("acquisition") for cell in cells for one in cell}
    return float(np.median(many)) > max(_LEAST_EVENED, 0.5 * len(acquisitions))


def _nearly_at_one_place(group: list[Placed]) -> list[list[Placed]] | None:
    """Frames by place, where a scanner moved its slices with the head by less than a tenth of their thickness.

    None where they do not make as many frames at each place then, far from those of the next.
    """
    normal, thick = _normal(group[0]), min(one.thickness for one in group)
    depth = np.array([one.position @ normal for one in group])
    order = np.argsort(depth, kind="stable")
    cuts = np.flatnonzero(np.diff(depth[order]) > _NEARLY * thick) + 1
    parts = np.split(order, cuts)
    spread = max(float(np.ptp(depth[part])) for part in parts)
    if len({len(part) for part in parts}) > 1 or len(parts[0]) < _LEAST_EVENED or spread > _NEARLY * thick:
        return None
    return [[group[int(n)] for n in part] for part in parts]


def _even(cells: list[list[Placed]]) -> bool:
    return len({len(cell) for cell in cells}) == 1


def _normal(one: Placed) -> npt.NDArray[np.float64]:
    normal: npt.NDArray[np.float64] = np.cross(one.orientation[:3], one.orientation[3:])
    return normal / np.linalg.norm(normal)


def _places(group: list[Placed]) -> list[list[Placed]]:
    """Frames by place, ordered along the normal."""
    normal = _normal(group[0])
    depth = np.array([one.position @ normal for one in group])
    apart = min(_APART_MM, 0.1 * min(group[0].spacing))
    cells: list[list[Placed]] = []
    last = -np.inf
    for n in np.argsort(depth, kind="stable"):
        if depth[n] - last > apart:
            cells.append([])
            last = depth[n]
        cells[-1].append(group[int(n)])
    return cells


def _stack(cells: list[list[Placed]], rules: _Rules, known: Mapping[str, Any]) -> Stack:
    notes = dict(known)
    cells = _written_once(_sent_once(cells, rules, notes), rules, notes)
    cells = _without_doubles(cells, rules, notes)
    geometry = _grid(cells, rules.frame_of_reference)
    if len(cells[0]) == 1:
        return Stack(geometry, (), tuple(cell[0] for cell in cells), notes)
    axes, phases = _phases(cells, rules, notes)
    return Stack(geometry, axes, tuple(one for phase in phases for one in phase), notes)


def _sent_once(cells: list[list[Placed]], rules: _Rules, notes: dict[str, Any]) -> list[list[Placed]]:
    """Each frame once, where a whole series was sent again under new UIDs: its copies are dropped and noted.

    Copies share all but their number and when they were written, and hold the same pixels. Only where every frame has
    equally many of them are they such: that the frames before a bolus are alike, on a drawing, drops none.
    """
    kept: list[list[Placed]] = []
    dropped: list[str] = []
    many = 0
    for cell in cells:
        alike: dict[Any, list[Placed]] = {}
        for one in cell:
            told = tuple(sorted((k, repr(v)) for k, v in one.keys.items() if k not in _OF_A_COPY))
            alike.setdefault((one.kind, told), []).append(one)
        once: list[Placed] = []
        for several in alike.values():
            while several:
                copies = [one for one in several[1:] if rules.same_pixels(several[0], one)]
                many = many or len(copies)
                if not copies or len(copies) != many:
                    return cells
                once.append(several[0])
                dropped += [one.sop_uid for one in copies]
                several = [one for one in several[1:] if not any(one is copy for copy in copies)]
        kept.append(once)
    if dropped:
        notes["DoubledInstances"] = sorted({*dropped, *notes.get("DoubledInstances", ())})
    return kept


def _written_once(cells: list[list[Placed]], rules: _Rules, notes: dict[str, Any]) -> list[list[Placed]]:
    """Each frame once, where some of them were sent again under new UIDs.

    Such a copy shares everything that its header tells, its number and its times too, and holds the same pixels.
    """
    dropped: list[str] = []
    kept: list[list[Placed]] = []
    for cell in cells:
        alike: dict[Any, list[Placed]] = {}
        for one in cell:
            told = tuple(sorted((k, repr(v)) for k, v in one.keys.items()))
            same = alike.setdefault((one.kind, told), [])
            if one.keys.get("number") is not None and any(rules.same_pixels(one, other) for other in same):
                dropped.append(one.sop_uid)
            else:
                same.append(one)
        kept.append([one for same in alike.values() for one in same])
    if dropped:
        notes["DoubledInstances"] = sorted({*dropped, *notes.get("DoubledInstances", ())})
        return kept
    return cells


def _without_copies(cells: list[list[Placed]], rules: _Rules, notes: dict[str, Any]) -> list[list[Placed]]:
    """Each frame once at places with more frames than others, where one was sent again under a new number.

    Such a copy is of the same moment, and holds the same pixels.
    """
    usual = Counter(len(cell) for cell in cells).most_common(1)[0][0]
    dropped: list[str] = []
    kept: list[list[Placed]] = []
    for cell in cells:
        alike: dict[Any, list[Placed]] = {}
        for one in cell:
            told = tuple(sorted((k, repr(v)) for k, v in one.keys.items() if k not in _OF_A_COPY))
            same = alike.setdefault((one.kind, told), [])
            if len(cell) > usual and any(rules.same_pixels(one, other) for other in same):
                dropped.append(one.sop_uid)
            else:
                same.append(one)
        kept.append([one for same in alike.values() for one in same])
    if not dropped:
        return cells
    notes["DoubledInstances"] = sorted({*dropped, *notes.get("DoubledInstances", ())})
    return kept


def _without_doubles(cells: list[list[Placed]], rules: _Rules, notes: dict[str, Any]) -> list[list[Placed]]:
    """Every place with equally many frames; copies of one frame are dropped and noted, anything else refuses."""
    usual = Counter(len(cell) for cell in cells).most_common(1)[0][0]
    if (together := _frames_of_all(cells)) is not None:
        notes["FramesLeft"] = sum(len(cell) for cell in cells) - sum(len(cell) for cell in together)
        return together
    if (whole := whole_times(cells)) is not None:
        return _noted(whole, notes)
    kept, dropped = [], []
    for cell in cells:
        if len(cell) > usual:
            unlike: list[Placed] = []
            for one in cell:
                if any(rules.same_pixels(one, other) for other in unlike):
                    dropped.append(one.sop_uid)
                else:
                    unlike.append(one)
            cell = unlike
        kept.append(cell)
    if dropped:
        notes["DoubledInstances"] = sorted({*dropped, *notes.get("DoubledInstances", ())})
        if (whole := whole_times(kept)) is not None:
            return _noted(whole, notes)
    for number, cell in enumerate(kept, 1):
        if len(cell) != usual:
            raise NotAVolume(
                f"slice {number} of {len(cells)} has {len(cell)} images where others have {usual}",
                "images are missing, or there are too many, at one place",
                "send the series again, complete",
            )
    return kept


def _noted(whole: WholeTimes, notes: dict[str, Any]) -> list[list[Placed]]:
    if whole.lacking:
        notes["TimesLacking"] = {"of": whole.times, "slices": len(whole.cells), "lacking": dict(whole.lacking)}
    return whole.cells


def _frames_of_all(cells: list[list[Placed]]) -> list[list[Placed]] | None:
    """The frames that all slices have, where a table that goes to and fro begins or ends at one side of them.

    None where the slices have equally many, where no clock tells their frames apart, and where one lacks a frame
    between others: those after it would lie against the wrong ones.
    """
    few = min(len(cell) for cell in cells)
    more = max(len(cell) for cell in cells) - few
    if not 0 < more <= max(1, few // 20) or few < _LEAST_EVENED:
        return None
    for key in ("moment", "reference", "offset"):
        if not all(_distinct(cell, [], key) for cell in cells):
            continue
        rows = [sorted(cell, key=lambda one: one.keys[key]) for cell in cells]
        clocks = [np.array([one.keys[key] for one in row], np.float64) for row in rows]
        least = next(clock for clock in clocks if len(clock) == few)
        step = float(np.median(np.diff(least)))
        kept = []
        for row, clock in zip(rows, clocks, strict=True):
            apart = [clock[n : n + few] - least for n in range(len(clock) - few + 1)]
            spread = [float(np.ptp(one)) for one in apart]
            first = min(range(len(apart)), key=lambda n: (spread[n] > _ASIDE * step, abs(float(np.mean(apart[n])))))
            if spread[first] > _ASIDE * step or abs(float(np.mean(apart[first]))) > step:
                return None
            kept.append(row[first : first + few])
        return kept
    return None


def _grid(cells: list[list[Placed]], frame_of_reference: str) -> Geometry:
    first = cells[0][0]
    normal = _normal(first)
    apart = max(min(_APART_MM, 0.1 * min(first.spacing)), 1e-6)
    for cell in cells:
        spread = max(float(np.abs(one.position - cell[0].position).max()) for one in cell)
        if spread > max(apart, 0.5 * min(first.spacing)):
            raise NotAVolume(
                f"images of one slice lie {spread:.2f} mm apart in their plane",
                "they are not the same place of the patient",
                "send the parts as series of their own",
            )
    places = np.array([cell[0].position for cell in cells])
    if len(places) == 1:
        step = normal * (first.thickness if first.thickness > 0 else 1.0)
    else:
        _must_be_regular(places @ normal)
        step = (places[-1] - places[0]) / (len(places) - 1)
        distance = float(step @ normal)
        ideal = places[0] + np.arange(len(places))[:, None] * step
        off = float(np.linalg.norm(places - ideal, axis=1).max())
        if off > max(_REGULAR * distance, apart):
            raise NotAVolume(
                f"slices lie up to {off:.2f} mm beside a straight line",
                "they do not make one regular grid",
                "send the parts as series of their own",
            )
    return Geometry.from_dicom(
        position=places[0],
        orientation=first.orientation,
        pixel_spacing=first.spacing,
        slice_step=step,
        shape=(len(places), first.rows, first.columns),
        frame_of_reference=frame_of_reference,
    )


def bridged(frames: list[Placed]) -> tuple[list[Placed], list[int]]:
    """Frames of one image a slice with the neighbour's in place of each that is missing, and which slices these are.

    Args:
        frames: of one series; the largest group of one plane is taken.

    Raises:
        NotAVolume: when nothing is missing between them, or they do not lie on one even grid otherwise.
    """
    cells = _places(max(_planes(frames), key=len))
    row = [cell[0] for cell in cells]
    depth = np.array([one.position @ _normal(row[0]) for one in row])
    usual = float(np.median(np.diff(depth))) if len(row) > 2 else 0.0
    steps = np.rint(np.diff(depth) / usual).astype(int) if usual else np.ones(0, int)
    if max(map(len, cells)) > 1 or not (steps > 1).any() or steps.sum() > 2 * len(row):
        raise NotAVolume("slices of which none is missing between two others", "there is no gap")
    whole, lacking = [row[0]], []
    for before, after, step in zip(row, row[1:], steps, strict=False):
        for n in range(1, step):
            at = before.position + (after.position - before.position) * n / step
            lacking.append(len(whole))
            whole.append(replace(before, position=at))
        whole.append(after)
    return whole, lacking


def _must_be_regular(depth: npt.NDArray[np.float64]) -> None:
    steps = np.diff(depth)
    usual = float(np.median(steps))
    wide = np.flatnonzero(steps > usual * (1 + 2 * _REGULAR) + 1e-3)
    if len(wide) and float(steps.max()) >= 1.5 * usual:
        said = []
        number = 1  # counted as they would be numbered if none were missing
        for n, step in enumerate(steps):
            many = round(float(step) / usual) - 1
            if n in wide and many >= 1:
                which = f"slice {number + 1}" if many == 1 else f"slices {number + 1} to {number + many}"
                said.append(f"{which} missing: gap of {step:g} mm where {usual:g} mm")
            number += max(many, 0) + 1
        if said:
            raise NotAVolume(
                "; ".join(said[:3]) + (f" and {len(said) - 3} gaps more" if len(said) > 3 else ""),
                "a volume with holes would give wrong volumes and shapes",
                "send the series again, complete",
            )
    if float(np.abs(steps - usual).max()) > max(2 * _REGULAR * usual, 1e-3):
        raise NotAVolume(
            f"slice distances vary from {steps.min():g} to {steps.max():g} mm",
            "the slices do not make one regular grid",
            "send the parts as series of their own",
        )


_OF_A_COPY = frozenset({"number", "content"})  # may differ between copies of one image
_TICK = 0.05  # of a step
_CLOCKS = dict.fromkeys(("moment", "clock", "begun"), "Acquisition Time")
_LEAST_EVENED = 10  # frames, and seconds, by which a clock of whole seconds tells how long a frame is
_NEARLY = 0.1  # of the thickness of a slice
_ASIDE = 0.6  # of a frame, by which the times of two slices may drift apart; a frame that is missing makes it one
_MOST_LOST = 0.2  # of the frames, that may be missing where even steps are sought
_WHOLE_SECOND = 1.1  # s, that times cut to whole seconds spread about even ones


# ---- frames that share their places --------------------------------------------------------------------------------


def _phases(
    cells: list[list[Placed]], rules: _Rules, notes: dict[str, Any]
) -> tuple[tuple[Axis, ...], list[list[Placed]]]:
    """Leading axes, and for each position along them the frames of all places."""
    names = _telling(cells)
    combos = Counter(tuple(one.keys.get(name) for name in names) for one in cells[0])
    repeats = set(combos.values())
    values = [sorted({combo[n] for combo in combos}, key=_order) for n in range(len(names))]
    full = len(combos) == int(np.prod([len(v) for v in values])) and len(repeats) == 1
    sorted_cells: list[dict[tuple[Any, ...], list[Placed]]] = []
    clock = _clock(cells, names, rules) if max(repeats) > 1 else ""
    for cell in cells:
        by: dict[tuple[Any, ...], list[Placed]] = {}
        for one in cell:
            by.setdefault(tuple(one.keys.get(name) for name in names), []).append(one)
        for many in by.values():
            many.sort(key=lambda p: p.keys.get(clock) or 0.0 if clock else 0.0)
        sorted_cells.append(by)
    if full:
        return _product(names, values, repeats.pop(), sorted_cells, clock, rules, notes)
    listed = [(combo, n) for combo, many in combos.items() for n in range(many)]
    listed.sort(key=lambda c: float(np.mean([by[c[0]][c[1]].keys.get("number") or 0.0 for by in sorted_cells])))
    main = "b_value" if "b_value" in names else names[0]
    axis = Axis(main, tuple(combo[names.index(main)] for combo, _ in listed), _UNITS[main])
    for name in names:
        if name != main:
            notes[f"along_{main}_{name}"] = [combo[names.index(name)] for combo, _ in listed]
    return (axis,), [[by[combo][n] for by in sorted_cells] for combo, n in listed]


def _order(value: Any) -> Any:
    return (0, ()) if value is None else (1, value if isinstance(value, tuple) else (value,))


def _telling(cells: list[list[Placed]]) -> list[str]:
    """Keys that differ within a place, and in the same way at every place."""
    names = []
    for name in _DISCRETE:
        patterns = [Counter(one.keys.get(name) for one in cell) for cell in cells]
        if len(patterns[0]) > 1 and all(p == patterns[0] for p in patterns[1:]):
            names.append(name)
    return names


def _clock(cells: list[list[Placed]], names: list[str], rules: _Rules) -> str:
    """The key that orders frames of one place in time."""
    order = ["temporal", "offset", "moment", "clock", "reference", "trigger", "dynamic", "since", "begun", "content"]
    order += ["acquisition", "number"]
    if rules.cardiac:
        order.insert(0, "trigger")
    for key in order:
        if all(_distinct(cell, names, key) for cell in cells):
            return key
    raise NotAVolume(
        f"{len(cells[0])} images at one place and nothing that tells them apart",
        "echo, b-value, direction, energy, trigger and times are all equal",
        "send the parts as series of their own",
    )


def _distinct(cell: list[Placed], names: list[str], key: str) -> bool:
    by: dict[tuple[Any, ...], list[Any]] = {}
    for one in cell:
        by.setdefault(tuple(one.keys.get(name) for name in names), []).append(one.keys.get(key))
    return all(None not in many and len(set(many)) == len(many) for many in by.values())


def _product(
    names: list[str],
    values: list[list[Any]],
    repeats: int,
    cells: list[dict[tuple[Any, ...], list[Placed]]],
    clock: str,
    rules: _Rules,
    notes: dict[str, Any],
) -> tuple[tuple[Axis, ...], list[list[Placed]]]:
    axes = [Axis(name, tuple(v), _UNITS[name]) for name, v in zip(names, values, strict=True)]
    combos: list[tuple[Any, ...]] = [()]
    for v in values:
        combos = [(*combo, one) for combo in combos for one in v]
    phases = []
    if repeats > 1:
        axes.insert(0, _time(cells, repeats, clock, rules, notes))
    for n in range(repeats):
        for combo in combos:
            phases.append([by[combo][n] for by in cells])
    return tuple(axes), phases


def _time(
    cells: list[dict[tuple[Any, ...], list[Placed]]], repeats: int, clock: str, rules: _Rules, notes: dict[str, Any]
) -> Axis:
    def means(key: str) -> list[float] | None:
        table: list[list[Any]] = [[m[n].keys.get(key) for by in cells for m in by.values()] for n in range(repeats)]
        if any(v is None for row in table for v in row):
            return None
        found = [float(np.mean(row)) for row in table]
        return found if all(b > a for a, b in pairwise(found)) else None

    if clock == "trigger" and rules.cardiac:
        return Axis("trigger", tuple(round(v, 6) for v in means("trigger") or range(repeats)), "ms")
    timed_by = (
        ("offset", 1.0), ("reference", 1e-3), ("moment", 1.0), ("clock", 1.0), ("trigger", 1e-3),
        ("dynamic", 1.0), ("since", 1.0), ("begun", 1.0),
    )  # fmt: skip
    for key, second in timed_by:
        even = _evened(cells, repeats, key) if key in _CLOCKS else None
        if even is not None:
            notes["TimedBy"] = f"{_CLOCKS[key]} in whole seconds, evened out"
            return Axis("time", even, "s")
        found = means(key)
        if found is not None:
            _note_slice_times(cells, repeats, key, second, found, notes)
            return Axis("time", tuple(round((v - found[0]) * second, 6) for v in found), "s")
    if rules.repetition_s:
        counted = means("temporal") if clock == "temporal" else None
        whole = counted is not None and min(b - a for a, b in pairwise(counted)) == 1.0  # 1, 2, 4: the third is missing
        steps = [n - counted[0] for n in counted] if counted and whole else range(repeats)
        if rules.repetition_said:
            notes["TimedBy"] = rules.repetition_said
        return Axis("time", tuple(round(n * rules.repetition_s, 6) for n in steps), "s")
    # When an image was made need not be when it was measured: it serves where it ticks evenly, and is told.
    if (even := _evened(cells, repeats, "content")) is not None:
        notes["TimedBy"] = "Content Time in whole seconds, evened out"
        return Axis("time", even, "s")
    made = means("content")
    if made is not None and _ticks_evenly(made):
        notes["TimedBy"] = "Content Time"
        return Axis("time", tuple(round(v - made[0], 6) for v in made), "s")
    return Axis("time", tuple(range(repeats)), "")


def _evened(cells: list[dict[tuple[Any, ...], list[Placed]]], repeats: int, key: str) -> tuple[float, ...] | None:
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
        if (np.diff(at) > 0).all() and float(np.ptp(off)) <= _WHOLE_SECOND:
            return tuple(round(float(n * step), 6) for n in at)
    return None


def _note_slice_times(
    cells: list[dict[tuple[Any, ...], list[Placed]]], repeats: int, key: str, second: float, frames: list[float],
    notes: dict[str, Any],
) -> None:  # fmt: skip
    """The times of each slice (s, on the clock of the axis) under ``SliceTimes``, where a frame has several.

    A table that goes to and fro, and slices that are excited one after another, measure each at a time of its own.
    """
    told = [[float(np.mean([m[n].keys[key] for m in by.values()])) - frames[0] for by in cells] for n in range(repeats)]
    times = second * np.array(told)
    step = second * (frames[-1] - frames[0]) / (repeats - 1)
    if float(np.ptp(times, axis=1).max()) > _TICK * step:
        notes["SliceTimes"] = np.round(times, 6).tolist()


def _ticks_evenly(times: list[float]) -> bool:
    """Whether frames follow each other evenly, some of them missing between others."""
    steps = np.diff(times) / np.median(np.diff(times))
    many = np.maximum(np.rint(steps), 1.0)
    return bool(np.abs(steps - many).max() <= _TICK and (many - 1.0).sum() <= _MOST_LOST * len(times))
