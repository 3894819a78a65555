"""One frame with its place in the patient and with what tells it from others at the same place.

Classic objects say this in each instance's header (`classic_frames`), enhanced ones in functional groups
(`enhanced_frames`), Siemens mosaics in a private header (`mosaic`), and some state one place and steps from it
(`stepped_frames`). All become `Placed` frames, so that sorting, checking and filling are written once; here is what
they share.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import NotAVolume

__all__ = ["Placed", "beat_ms", "direction", "finite", "is_scaled", "scale", "spacing", "vector"]


@dataclass(frozen=True, eq=False)
class Placed:
    """One frame, or one tile of a mosaic.

    Args:
        sop_uid, digest: the instance that holds it.
        frame: its number within the instance, from 0.
        rows, columns: its size.
        position: (3,) centre of its first pixel, LPS mm.
        orientation: (6,) direction along a row, then along a column.
        spacing: between rows, between columns, mm.
        thickness: of the slice, mm; 0 where unknown.
        slope, intercept: stored value to real value.
        scaled: whether slope or intercept is stated.
        unit: UCUM unit of a real-world map, where that is what scales the frame.
        scaled_to: Rescale Type of a frame of an enhanced object; a classic image has it among its facts.
        maker_scale: Scale Slope (2005,100E) of Philips in a frame of an enhanced object; 0 where none is stated.
        kind: words of Image Type or Frame Type, without those that number or name a single image.
        keys: what may differ between frames at one place: echo, b_value, direction, energy, trigger, time, ...
        tile: (row, column) of the first pixel in the stored frame, for mosaics.
        kernel: with which a CT was reconstructed; empty where that is not told, and for others than CT.
        stated: facts that a frame of an enhanced object states for itself, None for one of the object's that is not
            its own; empty for classic images, whose headers have them.
    """

    sop_uid: str
    digest: str
    frame: int
    rows: int
    columns: int
    position: npt.NDArray[np.float64]
    orientation: npt.NDArray[np.float64]
    spacing: tuple[float, float]
    thickness: float = 0.0
    slope: float = 1.0
    intercept: float = 0.0
    scaled: bool = True
    unit: str = ""
    scaled_to: str = ""
    maker_scale: float = 0.0
    kind: tuple[str, ...] = ()
    stack: str = ""
    keys: Mapping[str, Any] = field(default_factory=dict)
    tile: tuple[int, int] | None = None
    kernel: str = ""
    stated: Mapping[str, Any] = field(default_factory=dict)


def vector(value: Any, length: int, name: str, where: str) -> npt.NDArray[np.float64]:
    """So many numbers of a place in the patient.

    Raises:
        NotAVolume: they are not that many, or no numbers.
    """
    try:
        found = np.array([float(v) for v in value], dtype=np.float64)
    except (TypeError, ValueError):
        found = np.full(1, np.nan)
    if found.shape != (length,) or not np.isfinite(found).all():
        raise NotAVolume(
            f"{name} of {where} is {value!r}", "its place in the patient is not a number", "export the series again"
        )
    return found


def spacing(value: Any, where: str) -> tuple[float, float]:
    """Between rows and between columns, mm.

    Raises:
        NotAVolume: no two numbers above zero.
    """
    found = vector(value, 2, "Pixel Spacing", where)
    if (found <= 0).any():
        raise NotAVolume(f"Pixel Spacing of {where} is {value!r}", "pixels without extent have no area", "export again")
    return float(found[0]), float(found[1])


def finite(value: Any) -> float | None:
    """A finite number, or None."""
    if isinstance(value, (list, tuple)):
        value = value[0] if value else None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def scale(facts: Mapping[str, Any], where: str) -> tuple[float, float]:
    """Slope and intercept from stored to real value; a real-world map serves where there is no rescale.

    Raises:
        NotAVolume: when a slope stands there and is zero or no number: the values would mean nothing.
    """
    slope, intercept = facts.get("RescaleSlope"), facts.get("RescaleIntercept")
    if slope is None and facts.get("DoseGridScaling") is not None:
        slope = facts["DoseGridScaling"]
    if slope is None and intercept is None and "RealWorldValueSlope" in facts:
        slope, intercept = facts["RealWorldValueSlope"], facts.get("RealWorldValueIntercept")
    a = 1.0 if slope is None else finite(slope)
    b = 0.0 if intercept is None else finite(intercept)
    if a is None or b is None or a == 0.0:
        raise NotAVolume(
            f"Rescale Slope {slope!r} and Intercept {intercept!r} of {where}",
            "stored values cannot be turned into real ones",
            "export the series again",
        )
    return a, b


def is_scaled(facts: Mapping[str, Any]) -> bool:
    """Whether slope or intercept is stated."""
    return any(facts.get(k) is not None for k in ("RescaleSlope", "RescaleIntercept", "RealWorldValueSlope"))


def beat_ms(rate: float | None, interval: float | None) -> float | None:
    """How long a beat lasted while this image was taken; each breath-hold has its own."""
    return 60_000.0 / rate if rate and rate > 0 else interval if interval and interval > 0 else None


def direction(value: Any) -> tuple[float, ...] | None:
    """A direction of three numbers, to four digits; None where it is none."""
    if not isinstance(value, (list, tuple)) or len(value) != 3:
        return None
    parts = [finite(v) for v in value]
    return None if any(p is None for p in parts) else tuple(round(float(p or 0.0), 4) for p in parts)
