"""Which times of a dynamic scan have an image of every slice, where some images were lost on the way.

A time at which one slice is missing is no image of the whole slab, and what lay in the lost slice nobody knows: such a
time is left out of all slices, and the times of the others stay what they were. Only a clock that tells the images of
each slice apart can say which time it is that a slice lacks; without one the frames behind the gap would be laid
against the wrong ones.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.dicom.placed import Placed

__all__ = ["WholeTimes", "whole_times"]

_LEAST = 10  # times, of which one may be left out: of the phases of a liver each is asked for by itself
_MOST_LACKING = 0.2  # of the times
_NEAR = 0.4  # of the step, by which a slice may be off its own even pace
_WITHIN = 1.2  # steps, by which a slice of a frame may be measured before or after another
_NUMBERED = ("temporal", "acquisition")
_TIMED = ("offset", "moment", "clock", "reference", "dynamic", "content")


@dataclass(frozen=True)
class WholeTimes:
    """Frames of the times that all slices have.

    Args:
        cells: the frames of each slice, in time.
        times: how many the scan had, those included that are left out.
        lacking: (number of the time, counted from 1; how many slices lack it).
    """

    cells: list[list[Placed]]
    times: int
    lacking: tuple[tuple[int, int], ...]


def whole_times(cells: list[list[Placed]]) -> WholeTimes | None:
    """The times that all slices have; None where none is lost, and where it cannot be told which are.

    Args:
        cells: the frames of each slice.
    """
    most = max(len(cell) for cell in cells)
    if most < _LEAST or len(cells) < 2 or len({len(cell) for cell in cells}) == 1:
        return None
    for key in (*_TIMED, *_NUMBERED):
        if not all(_tells(cell, key) for cell in cells):
            continue
        rows = [sorted(cell, key=lambda one: float(one.keys[key])) for cell in cells]
        told = [np.array([one.keys[key] for one in row], np.float64) for row in rows]
        which = _alike(told) or _alongside(told)
        if which is not None and (found := _in_all(rows, which)) is not None:
            return found
    return None


def _tells(cell: list[Placed], key: str) -> bool:
    values = [one.keys.get(key) for one in cell]
    return None not in values and len(set(values)) == len(values)


def _alike(told: list[npt.NDArray[np.float64]]) -> list[list[int]] | None:
    """The time of each frame by its number, where slices share one clock, or one count; None where they do not."""
    values = sorted({float(v) for one in told for v in one})
    if len(values) > (1.0 + _MOST_LACKING) * max(len(one) for one in told):
        return None
    number = {value: n for n, value in enumerate(values)}
    return [[number[float(v)] for v in one] for one in told]


def _alongside(told: list[npt.NDArray[np.float64]]) -> list[list[int]] | None:
    """The same, where each slice is measured at times of its own that run beside those of the others.

    The fullest slice sets the pace. Another begins so many frames later as makes its times follow that pace best; one
    that lies further off than a frame, as slices of a cine that are measured one after another, tells nothing.
    """
    pace = max(told, key=len)
    step = float(np.median(np.diff(pace)))
    found = []
    for own in told:
        tries = []
        for first in range(len(pace) - len(own) + 1):
            later = own[0] - pace[first]
            at = np.abs((own - later)[:, None] - pace[None, :]).argmin(axis=1)
            off = own - pace[at]
            spread = float(np.ptp(off)) if (np.diff(at) > 0).all() else np.inf
            tries.append((spread > _NEAR * step or abs(later) > _WITHIN * step, abs(later), at.tolist()))
        aside, _, at = min(tries)
        if aside:
            return None
        found.append(at)
    return found


def _in_all(rows: list[list[Placed]], which: list[list[int]]) -> WholeTimes | None:
    """The frames of times that each row has, unless too few are left."""
    many = Counter(n for row in which for n in row)
    lacking = tuple((n + 1, len(rows) - many[n]) for n in sorted(many) if many[n] < len(rows))
    if len(lacking) > _MOST_LACKING * len(many):
        return None
    cells = [
        [one for one, n in zip(row, numbers, strict=True) if many[n] == len(rows)]
        for row, numbers in zip(rows, which, strict=True)
    ]
    return WholeTimes(cells, len(many), lacking)
