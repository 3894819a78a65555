"""Frames of a table that goes to and fro, and begins or ends at one side: those that all slices have."""

from __future__ import annotations

import numpy as np

from isocenter.dicom.frame_times import tells_apart
from isocenter.dicom.places import Cells

__all__ = ["frames_of_all"]

_LEAST = 10  # frames of a slice
_ASIDE = 0.6  # of a frame, by which the times of two slices may drift apart; a frame that is missing makes it one


def frames_of_all(cells: Cells) -> Cells | None:
    """The frames that all slices have, where some have one more at the beginning or the end.

    None where the slices have equally many, where no clock tells their frames apart, and where one lacks a frame
    between others: those after it would lie against the wrong ones.
    """
    few = min(len(cell) for cell in cells)
    more = max(len(cell) for cell in cells) - few
    if not 0 < more <= max(1, few // 20) or few < _LEAST:
        return None
    for key in ("moment", "reference", "offset"):
        if not all(tells_apart(cell, [], key) for cell in cells):
            continue
        rows = [sorted(cell, key=lambda one: one.keys[key]) for cell in cells]
        clocks = [np.array([one.keys[key] for one in row], np.float64) for row in rows]
        least = next(clock for clock in clocks if len(clock) == few)
        step = float(np.median(np.diff(least)))
        kept: Cells = []
        for row, clock in zip(rows, clocks, strict=True):
            apart = [clock[n : n + few] - least for n in range(len(clock) - few + 1)]
            spread = [float(np.ptp(one)) for one in apart]
            first = min(range(len(apart)), key=lambda n: (spread[n] > _ASIDE * step, abs(float(np.mean(apart[n])))))
            if spread[first] > _ASIDE * step or abs(float(np.mean(apart[first]))) > step:
                return None
            kept.append(row[first : first + few])
        return kept
    return None
