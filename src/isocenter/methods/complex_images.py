"""Complex MR images from what scanners send: magnitude and phase, or real and imaginary parts.

Phase comes in several scales: radians, thousandths of a radian, or whole numbers of which 4096 make a turn or half of
one. The scale is read from the range that the values fill, which noise outside the body always fills; a range that is
none of these is refused, since a phase of the wrong scale still makes a picture.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused

__all__ = ["from_magnitude_and_phase", "from_parts", "radians"]

Complex = npt.NDArray[np.complex64]

_FILLED = 0.97  # noise fills at least this part of the range


def radians(phase: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Phase in radians, from the range that it fills.

    Raises:
        Refused: when the range is no turn in any scale that is known.

    >>> round(float(radians(np.array([-4096.0, 0.0, 4094.0]))[2]), 3)
    3.14
    """
    low, high = float(phase.min()), float(phase.max())
    for most, whole in ((np.pi, 1.0), (1000.0 * np.pi, 1000.0), (4096.0, 4096.0 / np.pi)):
        if _FILLED * most <= max(-low, high) <= 1.001 * most and low < 0:
            return np.asarray(phase / np.float32(whole), np.float32)
    if low >= 0 and 4096 * _FILLED <= high <= 4096:
        return np.asarray((phase - 2048.0) * np.float32(np.pi / 2048.0), np.float32)
    raise Refused(
        f"phase from {low:g} to {high:g}",
        "it fills neither a turn in radians, nor thousandths, nor 4096 steps: its scale is not known",
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
        raise Refused(f"images of {one.shape} and {two.shape}", "the two parts of complex images must fit")
    if not (np.isfinite(one).all() and np.isfinite(two).all()):
        raise Refused("images with values that are not numbers", "no phase follows from them")
