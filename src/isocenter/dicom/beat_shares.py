"""Slices of a cine that were taken with different numbers of phases: each with the phases nearest to common shares of
its own beat.

A breath-hold that was repeated with another setting, or that a scanner sampled by the heart rate of that moment, has
25 phases beside 20. Where each samples its beat evenly the shares of the beat are known, and those of the fewest serve.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from isocenter.dicom.frame_times import tells_apart
from isocenter.dicom.places import Cells

__all__ = ["at_common_shares"]

_LEAST_PHASES = 8  # of each slice
_EVEN = 0.1  # of a step, by which steps of one slice may differ; a lost image leaves a wider one
_OTHERWISE = 0.05  # by which steps differ where beats were sampled otherwise, and not cut short
_ONE_BEAT = 0.25  # by which beats of breath-holds may differ


def at_common_shares(cells: Cells) -> Cells | None:
    """As many phases of each slice as the slice with the fewest has; None where that is not known to be right.

    Args:
        cells: the frames of each slice.
    """
    fewest = min(len(cell) for cell in cells)
    if fewest < _LEAST_PHASES or not all(tells_apart(cell, (), "trigger") for cell in cells):
        return None
    rows = [sorted(cell, key=lambda one: float(one.keys["trigger"])) for cell in cells]
    steps: dict[int, list[float]] = {}
    beats = []
    for row in rows:
        each = np.diff([float(one.keys["trigger"]) for one in row])
        usual = float(np.median(each))
        if float(np.abs(each - usual).max()) > _EVEN * usual:
            if len(row) == fewest:
                continue  # it is taken as it is, like the slices of any stack
            return None
        steps.setdefault(len(row), []).append(usual)
        beats.append(usual * len(row))
    medians = [float(np.median(many)) for _, many in sorted(steps.items())]
    parted = all(b < (1.0 - _OTHERWISE) * a for a, b in pairwise(medians))
    if len(steps) < 2 or fewest not in steps or not parted or max(beats) > (1.0 + _ONE_BEAT) * min(beats):
        return None
    return [[row[round(n * len(row) / fewest) % len(row)] for n in range(fewest)] for row in rows]
