"""Frames to regular stacks, or the proof that they are none.

Frames of one size, spacing and orientation that lie on one regular grid are a stack. Where several share a place, what
tells them apart becomes a leading axis, unless they are of different kinds: then each kind is a stack. A gap, a doubled
slice, or a place with more frames than another refuses the series, with the numbers that prove it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np

from isocenter.dicom.beat_shares import at_common_shares
from isocenter.dicom.copies import Same, crowded_once, renumbered_once, rewritten_once, usual_many, whole_series_once
from isocenter.dicom.frame_times import Pace, tells_apart
from isocenter.dicom.leading_axes import leading_axes
from isocenter.dicom.placed import Placed
from isocenter.dicom.places import Cells, nearly_at_one_place, normal, places
from isocenter.dicom.reconstructions import at_one_place, over_each_other
from isocenter.dicom.regular_grid import regular_grid
from isocenter.dicom.to_and_fro import frames_of_all
from isocenter.dicom.whole_echoes import whole_echoes
from isocenter.dicom.whole_times import WholeTimes, whole_times
from isocenter.errors import IsocenterError, NotAVolume, Refused
from isocenter.space import Axis, Geometry

__all__ = ["SAME_ECHO_MS", "Stack", "bridged", "stacks"]

_SAME_DIRECTION = 1e-3  # greatest difference of a direction cosine within one stack
SAME_ECHO_MS = 0.002  # echo times that lie closer are one; the shortest steps between echoes are tenths of a ms
_LEAST_SLICES = 3  # with an ID each, that are taken for one stack
_MOSTLY = 0.8  # of the stacks, that are whole
_TIMES = ("temporal", "offset", "moment", "reference", "trigger", "dynamic", "since", "begun")
_LEAST_PHASES = 8  # of a slice of a cine that may have been measured again
_LEAST_TIMES = 10  # that acquisitions must have to be those of one scan


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
    pace: Pace | None = None,
    same_pixels: Same = lambda a, b: False,
) -> tuple[list[Stack], list[IsocenterError]]:
    """Sort frames into regular stacks.

    Args:
        frames: of one series.
        frame_of_reference: of the series.
        pace: what the series states of its times as a whole.
        same_pixels: whether two frames at one place hold the same values, asked only for doubled slices.

    Returns:
        The stacks, largest first, and why the other groups of frames made none.

    Raises:
        NotAVolume: when the largest group makes no regular stack.
    """
    rules = _Rules(frame_of_reference, pace or Pace(), same_pixels)
    groups = sorted(_planes(_one_echo_time(frames)), key=lambda g: -len(g) * g[0].rows * g[0].columns)
    found: list[Stack] = []
    faults: list[IsocenterError] = []
    for n, group in enumerate(groups):
        try:
            found += _reconstructed(group, rules)
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
    pace: Pace
    same_pixels: Same


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
    """The frames of each Stack ID; all together where a scanner gave each slice, or each time, an ID of its own."""
    parts: dict[str, list[Placed]] = {}
    for one in group:
        parts.setdefault(one.stack, []).append(one)
    if len(parts) < _LEAST_SLICES or _are_times(parts.values(), group):
        return [group] if len(parts) >= _LEAST_SLICES else list(parts.values())
    if any(len(places(part)) > 1 for part in parts.values()):
        return list(parts.values())
    try:
        regular_grid(places(group), "")
    except NotAVolume:
        return list(parts.values())
    return [group]


def _are_times(parts: Collection[list[Placed]], group: list[Placed]) -> bool:
    """Whether stacks are one each of the times of a scan: with an image at each of the same places, told apart by time.

    Images of several kinds, or a time that lacks some, are sorted out as elsewhere.
    """
    cells = places(group)
    usual = usual_many(cells)
    whole = sum(len(part) == len(places(part)) == len(cells) for part in parts)
    if whole < max(_LEAST_SLICES, _MOSTLY * len(parts)) or usual < _LEAST_SLICES:
        return False
    return any(all(tells_apart(cell, (), key) for cell in cells) for key in _TIMES)


def _reconstructed(group: list[Placed], rules: _Rules) -> list[Stack]:
    """The stacks of a group, or of each reconstruction where several of one scan lie in it."""
    parts = at_one_place(group)
    try:
        return [stack for part in parts for stack in _split(part, rules)]
    except NotAVolume:
        if len(parts) > 1 or len(parts := over_each_other(group)) < 2:
            raise
        try:
            return [stack for part in parts for stack in _split(part, rules)]
        except NotAVolume:
            pass  # the fault of the whole tells more
        raise


def _split(group: list[Placed], rules: _Rules) -> list[Stack]:
    """One stack, or several where frames of different kinds share their places (magnitude and phase, fat and water)."""
    cells = places(group)
    notes: dict[str, Any] = {}
    if not _even(cells):
        for once in (rewritten_once, renumbered_once):
            cells = _noted(once(cells, rules.same_pixels), notes)
        if rules.pace.cardiac:
            cells = _measured_again(cells, notes)
        group = [one for cell in cells for one in cell]
    if (not _even(cells) or len(cells[0]) == 1) and (nearly := nearly_at_one_place(group)) is not None:
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
                return [_stack(places(part), rules, notes) for part in parts.values()]
            except NotAVolume:
                continue
    return [_stack(cells, rules, notes)]


def _measured_again(cells: Cells, notes: dict[str, Any]) -> Cells:
    """Of slices of a cine that were measured once more, as where a breath was not held, the later images."""
    usual = usual_many(cells)
    kept = [_latest(cell, usual) if len(cell) in (2 * usual, 3 * usual) else cell for cell in cells]
    again = [n for n, (before, after) in enumerate(zip(cells, kept, strict=True), 1) if len(after) < len(before)]
    if again:
        notes["MeasuredAgain"] = again
    return kept


def _latest(cell: list[Placed], usual: int) -> list[Placed]:
    """The last whole beat of a slice, where a clock or a number parts its beats; else all."""
    for key in ("moment", "clock", "acquisition"):
        beats: dict[Any, list[Placed]] = {}
        for one in cell:
            beats.setdefault(one.keys.get(key), []).append(one)
        whole = all(len(beat) == usual and tells_apart(beat, (), "trigger") for beat in beats.values())
        if None not in beats and whole and usual >= _LEAST_PHASES:
            return beats[max(beats)]
    return cell


def _is_course(cells: Cells) -> bool:
    """Whether acquisitions are the times of a scan, though not all slices have all of them."""
    many = [len(cell) for cell in cells]
    acquisitions = {one.keys.get("acquisition") for cell in cells for one in cell}
    return float(np.median(many)) > max(_LEAST_TIMES, 0.5 * len(acquisitions))


def _even(cells: Cells) -> bool:
    return len({len(cell) for cell in cells}) == 1


def _stack(cells: Cells, rules: _Rules, known: Mapping[str, Any]) -> Stack:
    notes = dict(known)
    for once in (whole_series_once, rewritten_once):
        cells = _noted(once(cells, rules.same_pixels), notes)
    cells = _equally_many(cells, rules, notes)
    geometry = regular_grid(cells, rules.frame_of_reference)
    if len(cells[0]) == 1:
        return Stack(geometry, (), tuple(cell[0] for cell in cells), notes)
    axes, phases, told = leading_axes(cells, rules.pace)
    return Stack(geometry, axes, tuple(one for phase in phases for one in phase), {**notes, **told})


def _noted(once: tuple[Cells, list[str]], notes: dict[str, Any]) -> Cells:
    cells, copies = once
    if copies:
        notes["DoubledInstances"] = sorted({*copies, *notes.get("DoubledInstances", ())})
    return cells


def _equally_many(cells: Cells, rules: _Rules, notes: dict[str, Any]) -> Cells:
    """Every place with equally many frames; copies of one frame are dropped and noted, anything else refuses."""
    usual = usual_many(cells)
    if rules.pace.cardiac and not _even(cells) and (shares := at_common_shares(cells)) is not None:
        notes["PhasesAtShares"] = sorted({len(cell) for cell in cells})
        return shares
    if (together := frames_of_all(cells)) is not None:
        notes["FramesLeft"] = sum(len(cell) for cell in cells) - sum(len(cell) for cell in together)
        return together
    if (whole := whole_times(cells)) is not None:
        return _lacking(whole, notes)
    kept, copies = once = crowded_once(cells, rules.same_pixels)
    _noted(once, notes)
    if copies and (whole := whole_times(kept)) is not None:
        return _lacking(whole, notes)
    if len({len(cell) for cell in kept}) > 1 and (echoes := whole_echoes(kept)) is not None:
        kept, notes["EchoesLacking"] = echoes
        return kept
    for number, cell in enumerate(kept, 1):
        if len(cell) != usual:
            raise NotAVolume(
                f"slice {number} of {len(cells)} has {len(cell)} images where others have {usual}",
                "images are missing, or there are too many, at one place"
                + (", or its Trigger Times do not share out a beat like theirs" if rules.pace.cardiac else ""),
                "send the series again, complete",
            )
    return kept


def _lacking(whole: WholeTimes, notes: dict[str, Any]) -> Cells:
    if whole.lacking:
        notes["TimesLacking"] = {"of": whole.times, "slices": len(whole.cells), "lacking": dict(whole.lacking)}
    return whole.cells


def bridged(frames: list[Placed]) -> tuple[list[Placed], list[int]]:
    """Frames of one image a slice with the neighbour's in place of each that is missing, and which slices these are.

    Args:
        frames: of one series; the largest group of one plane is taken.

    Raises:
        NotAVolume: when nothing is missing between them, or they do not lie on one even grid otherwise.
    """
    cells = places(max(_planes(frames), key=len))
    row = [cell[0] for cell in cells]
    across = normal(row[0])
    depth = np.array([one.position @ across for one in row])
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
