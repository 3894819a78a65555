"""Colours that stand for numbers: perceptually uniform scales by their name, and the marks beyond their ends.

A step of a value is the same step to the eye wherever it lies on the scale, in print and for those who see few colours,
so that no edge is seen where the map has none. Rainbow scales are left out for that reason (Crameri 2020,
doi:10.1038/s41467-020-19160-7).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused

__all__ = ["ABOVE", "BELOW", "SCALES", "Scale", "colour_css", "inferno", "scale_for"]

ABOVE, BELOW = (255, 79, 216), (0, 229, 255)
"""A voxel above the upper end (pink) and below the lower end (cyan) of any scale: both are in none of them."""

_STOPS = {
    "viridis": "440154 472D7B 3B528B 2C728E 21908C 27AD81 5DC863 AADC32 FDE725",
    "magma": "000004 1D1147 51127C 822681 B63679 E65164 FB8861 FEC287 FCFDBF",
    "vik": "001261 033E7D 1E6F9D 71A8C4 C9DDE7 ECE5E0 EACEBD D39774 BE6533 8B2706 590008",
}
"""viridis and magma: matplotlib (CC0), at equal steps. vik: ten colours after Crameri's scientific
colour maps (MIT) and a middle; its evenness is tested, its colours were not held against the published file."""
_PLACES = {"vik": (0, 1 / 9, 2 / 9, 3 / 9, 4 / 9, 0.5, 5 / 9, 6 / 9, 7 / 9, 8 / 9, 1)}
SCALES = ("inferno", "viridis", "magma", "vik")


@dataclass(frozen=True)
class Scale:
    """A named scale of colours; a diverging one has its brightest colour in the middle, for the value zero."""

    name: str

    def __post_init__(self) -> None:
        if self.name not in SCALES:
            raise Refused(f"colours '{self.name}'", f"known are {', '.join(SCALES)}", "name one of these")

    @property
    def diverging(self) -> bool:
        """Whether its middle stands for zero."""
        return self.name == "vik"

    def colours(self, part: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
        """Colours of parts from 0 to 1, as (…, 3) red, green and blue; beyond that the ends."""
        places, table = _table(self.name)
        return np.round(np.stack([np.interp(part, places, table[:, i]) for i in range(3)], axis=-1)).astype(np.uint8)


def inferno(part: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """The colours of a map in the reading room: 0 (dark) to 1 (bright).

    >>> inferno(np.array([0.0, 1.0])).tolist()
    [[0, 0, 4], [252, 255, 164]]
    """
    return Scale("inferno").colours(part)


def scale_for(quantity: str, unit: str, low: float, high: float) -> Scale:
    """Which scale a map is drawn in: vik where values go both ways from zero, viridis for times, magma for shares
    of a whole, inferno for the rest.

    >>> scale_for("field", "Hz", -80, 90).name, scale_for("transit time", "s", 0, 12).name
    ('vik', 'viridis')
    """
    if low < 0 < high and min(-low, high) > 0.1 * max(-low, high):
        return Scale("vik")
    if unit in ("s", "ms", "min"):
        return Scale("viridis")
    return Scale("magma" if unit in ("%", "1") else "inferno")


def colour_css(rgb: tuple[int, int, int] | npt.NDArray[np.uint8]) -> str:
    """Red, green and blue as they are written in SVG.

    >>> colour_css(ABOVE)
    '#FF4FD8'
    """
    return "#{:02X}{:02X}{:02X}".format(*(int(c) for c in rgb))


@cache
def _table(name: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    if (
        name == "inferno"
    ):  # nine colours at equal steps, between which it is close to straight; the browser reads the file
        table = np.array(json.loads(files("isocenter.forms").joinpath("inferno.json").read_text()), dtype=np.float64)
    else:
        table = np.array([list(bytes.fromhex(c)) for c in _STOPS[name].split()], dtype=np.float64)
    return np.asarray(_PLACES.get(name, np.linspace(0, 1, len(table)))), table
