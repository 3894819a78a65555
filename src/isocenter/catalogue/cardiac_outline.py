"""Whether what a network outlined on a cine is a left ventricle cut across, whole and of blood and muscle."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods.outline_shape import elongation, lean_deg
from isocenter.methods.short_axis import Turned
from isocenter.methods.ventricle import Outlined

__all__ = ["must_be_a_ventricle"]

Pictures = npt.NDArray[Any]

_LEANS_DEG = 28.0
"""Between the normal of the slices and the line through the middles of the cavity: 1 to 20 in two patients and 63
virtual hearts, 31 to 39 where planes were cut 45 degrees and more off and a ventricle was found in them."""
_LONGER = 1.8
"""Length of the cavity by its width, of the middle one of its slices: up to 1.25 in the same hearts, 2.0 and 2.2 where
half of the blood was dark."""
_BRIGHT, _BRIGHT_PART = 0.8, 0.2
"""Part of the muscle that is nearly as bright as blood (of the difference, slice by slice): up to 0.10 in the same
hearts, 0.32 and more where muscle and blood had changed places."""
_CUT_SLICES, _CHORD = 2, 0.5
"""Slices whose ventricle reaches the edge of the picture, and is at least half as wide there as at its widest: cut so
it has lost 3 % of its area or more, and one that only touches what is shown has a shorter chord."""


def must_be_a_ventricle(turn: Turned, found: Outlined, accept_turned: bool) -> list[str]:
    """Refuse an outline that is cut by the edge of the picture, of other planes, or of another contrast.

    With `accept_turned` slices that lie across the long axis are told of and measured.

    Raises:
        Refused: when it is.
    """
    slices = [k for k in found.slices["ed"] if found.cavity["ed"][k].any() and found.muscle["ed"][k].any()]
    if not slices:
        return []
    cavity, whole = found.cavity["ed"], found.cavity["ed"] | found.muscle["ed"]
    pictures = turn.array[found.ed]
    if _cut(pictures[slices], whole[slices]) >= _CUT_SLICES:
        raise Refused(
            "a ventricle that reaches the edge of the picture, or of what is not empty in it",
            "what lies outside would not be counted",
            "send the cine as it was acquired, or outline by hand",
        )
    bright = float(np.median([_bright(pictures[k], cavity[k], found.muscle["ed"][k]) for k in slices]))
    if bright > _BRIGHT_PART:
        raise Refused(
            f"a wall of which {100 * bright:.0f} % is as bright as blood",
            f"of muscle at most a tenth is, above {100 * _BRIGHT_PART:.0f} % something else was outlined",
            "send the bright-blood cine, or outline by hand",
        )
    longer = float(np.median([elongation(cavity[k], turn.geometry.spacing_mm[1:]) for k in slices]))
    if longer > _LONGER:
        raise Refused(
            f"a cavity that is {longer:.1f} times as long as wide in its slices",
            f"across its long axis a left ventricle is rounder, up to {_LONGER:.1f} times: a part of the blood was not "
            "seen, or the planes are others",
            "send the short-axis stack, or outline by hand",
        )
    leans = lean_deg(cavity, slices, turn.geometry.spacing_mm)
    if leans > _LEANS_DEG:
        what = f"slices {90 - leans:.0f}° to the long axis of the ventricle that is found in them"
        why = f"short axes lie across it, to {_LEANS_DEG:.0f}° at most: walls seem thicker and segments are misnamed"
        if not accept_turned:
            raise Refused(what, why, "send the short-axis stack, or accept_turned=True for volumes")
        return [f"WARNING: {what}: {why}"]
    return []


def _cut(pictures: Pictures, whole: Pictures) -> int:
    """In how many slices a mask reaches the edge of what is shown: (slices, rows, columns) each."""
    touched = np.zeros(len(whole), bool)
    for axis in (1, 2):
        other = 3 - axis
        shown = np.flatnonzero(np.ptp(pictures, axis=(0, other)) > 0)
        if len(shown):
            wide = whole.sum(axis=other)
            ends = np.maximum(wide[:, : int(shown[0]) + 1].max(axis=1), wide[:, int(shown[-1]) :].max(axis=1))
            touched |= ends > _CHORD * wide.max(axis=1)
    return int(np.count_nonzero(touched))


def _bright(picture: Pictures, cavity: Pictures, muscle: Pictures) -> float:
    """The part of the muscle that is nearly as bright as blood."""
    blood, flesh = float(np.median(picture[cavity])), float(np.median(picture[muscle]))
    return float(np.mean(picture[muscle] > flesh + _BRIGHT * (blood - flesh)))
