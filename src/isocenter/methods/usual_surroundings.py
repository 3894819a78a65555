"""How what lies about a left ventricle on the short axis is turned against what lies about usual ones, and mirrored.

The pattern of grey, moving blood and lung about the ventricle (`beside_ventricle.Beside.pattern`) is laid over that of
usual hearts at every turn, as it is and mirrored: where it fits best tells the turn, and how much better it fits
elsewhere than near its place, how sure that is. All around counts, not only the sides where most of it lies. Pictures
that were mirrored lie mirrored about an axis of the picture, so that a turn to fit better costs, both mirrored and not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Lie", "lie_of"]

Array = npt.NDArray[np.float64]
_STEPS = 120  # turns that are tried, of 3 degrees
_TURN_COSTS = 0.1  # of the correlation, for a turn by 30 degrees, and as the square of it for others
USUAL: Array = np.array([
    [-84, -83, -82, -83, -83, -72, -49, -15, 38, 91, 135, 159, 155, 134, 101, 59, 18, -8, -15, -28, -45, -72, -86, -86],
    [-104, -102, -101, -101, -94, -76, -58, -27, 19, 53, 67, 65, 49, 26, 29, 44, 65, 81, 85, 74, 61, 58, -17, -94],
    [-72, -62, -68, -70, -68, -59, -36, 1, 52, 112, 157, 152, 130, 115, 98, 59, 0, -46, -59, -67, -64, -63, -70, -75],
    [-92, -91, -92, -92, -92, -81, -58, -17, 29, 75, 105, 120, 122, 109, 93, 71, 54, 46, 41, 17, -21, -61, -90, -94],
    [-104, -103, -100, -101, -95, -76, -64, -42, -10, 9, 20, 18, 16, 10, 28, 72, 109, 137, 140, 115, 83, 54, -21, -94],
], np.float64)  # fmt: skip
"""Mean pattern of virtual hearts in hundredths (`benchmarks/usual_surroundings.py`); rows as of `Beside.pattern`."""


@dataclass(frozen=True)
class Lie:
    """Where the surroundings lie.

    Args:
        turn_deg: by how much they are turned, counter-clockwise, where they fit best unmirrored; -180 to 180.
        turned, mirrored: correlation where they fit best beyond the turns that a heart may have, and where they fit
            best mirrored, less that where they fit best within those turns.
        fit, fit_mirrored: correlation where they fit best, as they are and mirrored.
        flipped: correlation where they fit best mirrored about the rows or the columns of the picture, less that where
            they fit best as they are; a turn costs, both beside these axes and beside the header.
    """

    turn_deg: float
    turned: float
    mirrored: float
    fit: float
    fit_mirrored: float
    flipped: float


def lie_of(pattern: Array, header_deg: float, within_deg: float, *, other_hand: bool = False) -> Lie:
    """Lay a pattern over the usual one.

    Args:
        pattern: (5, parts of the turn), each row of mean 0.
        header_deg: by how much the usual one is turned by the header.
        within_deg: turns to both sides that a heart may have.
        other_hand: whether the header's axes make a mirrored picture.
    """
    straight, across = _fits(USUAL, pattern), _fits(_mirrored(USUAL), pattern)
    if other_hand:
        straight, across = across, straight
    turns: Array = (np.arange(_STEPS, dtype=np.float64) * (360.0 / _STEPS) - header_deg + 180.0) % 360.0 - 180.0
    near = np.abs(turns) <= within_deg
    best = float(straight[near].max())
    apart, mirrored = float(straight[~near].max()) - best, float(across.max()) - best
    beside_axis: Array = np.abs((turns + 2.0 * header_deg + 90.0) % 180.0 - 90.0)
    flipped = float(np.max(across - _cost(beside_axis))) - float(np.max(straight - _cost(turns)))
    return Lie(float(turns[straight.argmax()]), apart, mirrored, float(straight.max()), float(across.max()), flipped)


def _cost(turns_deg: Array) -> Array:
    cost: Array = _TURN_COSTS * (turns_deg / 30.0) ** 2
    return cost


def _fits(usual: Array, pattern: Array) -> Array:
    """Correlation of all rows at each of `_STEPS` turns."""
    parts = pattern.shape[1]
    spectrum: npt.NDArray[Any] = (np.conj(np.fft.rfft(usual)) * np.fft.rfft(pattern)).sum(axis=0)
    made: Array = np.fft.irfft(spectrum, _STEPS) * (_STEPS / parts)
    size = float(np.linalg.norm(usual)) * float(np.linalg.norm(pattern))
    return made / max(size, 1e-9)


def _mirrored(usual: Array) -> Array:
    """Upside down: what lies at an angle lies at its negative."""
    return usual[:, ::-1]
