"""Complex MR images from what scanners send: magnitude and phase, or real and imaginary parts.

Phase comes in several scales: radians, thousandths of a radian, degrees, or whole numbers of which a power of two makes
a turn or half of one; it begins at minus half a turn, or at zero. The scale is read from the range that the values
fill, which noise outside the body always fills; a range that is none of these is refused, since a phase of the wrong
scale still makes a picture.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused

__all__ = ["from_magnitude_and_phase", "from_parts", "radians"]

Complex = npt.NDArray[np.complex64]

_FILLED = 0.97  # noise fills at least this part of the range
_HALF_TURNS = (np.pi, 180.0, 2048.0, 1000.0 * np.pi, 4096.0, 32768.0)
_ONE_SIDED = (np.pi, 1000.0 * np.pi, 4096.0)  # that are known by one of their ends
_FROM_ZERO = (2048.0,)  # to 4096, which no velocities fill


def radians(phase: npt.NDArray[Any], *, or_velocity: bool = False) -> npt.NDArray[np.float32]:
    """Phase in radians, from the range that it fills.

    Args:
        or_velocity: the values may be velocities: ranges that these fill as well (180, 2048 or 32768 to either side)
            tell no scale then.

    Raises:
        Refused: when the range is no turn in any scale that is known.

    >>> round(float(radians(np.array([-4096.0, 0.0, 4094.0]))[2]), 3)
    3.14
    """
    low, high = float(phase.min()), float(phase.max())
    for half in _HALF_TURNS:
        filled = (max if half in _ONE_SIDED else min)(-low, high) >= _FILLED * half
        told = not or_velocity or half in (_ONE_SIDED if low < 0 else _FROM_ZERO)
        if told and low < 0 and filled and max(-low, high) <= 1.001 * half:
            return np.asarray(phase * np.float32(np.pi / half), np.float32)
        if told and low >= 0 and 2.0 * _FILLED * half <= high <= 2.002 * half:
            begun = half if half > 180.0 and half.is_integer() else 0.0  # whole numbers begin at minus half a turn
            return np.asarray((phase - np.float32(begun)) * np.float32(np.pi / half), np.float32)
    raise Refused(
        f"phase from {low:g} to {high:g}",
        "it fills no turn in radians, thousandths of them, degrees or steps of a power of two: its scale is not known",
        "send phase as the scanner wrote it, not cropped or windowed",
    )


def from_magnitude_and_phase(magnitude: npt.NDArray[Any], phase: npt.NDArray[Any]) -> Complex:
    """Complex images.

    Raises:
        Refused: for different shapes, or a phase whose scale is not known.
    """
    _must_fit(magnitude, phase)
    angle = radians(phase)
    out = np.empty(magnitude.shape, np.complex64)
    out.real, out.imag = magnitude * np.cos(angle), magnitude * np.sin(angle)
    return out


def from_parts(real: npt.NDArray[Any], imaginary: npt.NDArray[Any]) -> Complex:
    """Complex images.

    Raises:
        Refused: for different shapes, or parts that never are negative: then an offset was added that is not known.
    """
    _must_fit(real, imaginary)
    if min(float(real.min()), float(imaginary.min())) >= 0:
        raise Refused(
            "real and imaginary parts that are never negative",
            "an offset was added that the header does not take away",
            "send them with their rescale",
        )
    out = np.empty(real.shape, np.complex64)
    out.real, out.imag = real, imaginary
    return out


def _must_fit(one: npt.NDArray[Any], two: npt.NDArray[Any]) -> None:
    if one.shape != two.shape:
        raise Refused(
            f"images of {one.shape} and {two.shape}",
            "the two parts of complex images must fit",
            "choose two series of one scan",
        )
    if not (np.isfinite(one).all() and np.isfinite(two).all()):
        raise Refused("images with values that are not numbers", "no phase follows from them", "send the series again")
