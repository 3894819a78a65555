"""How bright a header has the values of a picture shown: its VOI look-up table, or else its first window.

After the modality transformation (PS3.3 C.11.1) comes this one (C.11.2), and last what turns dark into bright:
MONOCHROME1, or a Presentation LUT Shape of INVERSE. `plane` turns the stored values first, so the curve runs over the
values as it gives them. Plain numbers, so that it can go with a picture: see `isocenter.methods.film_view.as_shown`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.dicom.elements import Dataset, File

__all__ = ["grey_curve"]

_TABLES, _DESCRIPTOR, _ENTRIES = 0x00283010, 0x00283002, 0x00283006
_CENTRE, _WIDTH, _FUNCTION = 0x00281050, 0x00281051, 0x00281056
_OF_FRAMES, _OF_ALL, _WINDOWS = 0x52009230, 0x52009229, 0x00289132
_REACH, _STEPS = 3.0, 600  # of a sigmoid: widths on each side (it is within 1e-5 of its ends there), and knots
_SIGNED_FROM = 1 << 15

Floats = npt.NDArray[np.float64]


def grey_curve(file: File, facts: Mapping[str, Any], turned_about: float | None) -> dict[str, Any] | None:
    """0 for black to 1 for white at even steps of the values of a picture; None where its header states none.

    Args:
        facts: of the instance. turned_about: what a value and the one before it was turned add up to; None where it
            was not turned.

    Returns:
        ``first``: the value at which the curve begins; ``step``: from one to the next; ``greys``: beyond both ends it
        goes on as the last.
    """
    found = _of_table(file, facts) or _of_window(file)
    if found is None:
        return None
    first, step, greys = found
    if turned_about is not None:  # what was the largest value is the least, and white is black
        first, greys = turned_about - (first + step * (len(greys) - 1)), 1.0 - greys[::-1]
    return {"first": first, "step": step, "greys": [float(g) for g in greys]}


def _of_table(file: File, facts: Mapping[str, Any]) -> tuple[float, float, Floats] | None:
    for table in file.items(_TABLES)[:1]:
        descriptor, slot = file.numbers(_DESCRIPTOR, table), table.get(_ENTRIES)
        if len(descriptor) != 3 or slot is None:
            return None
        count, first, bits = int(descriptor[0]) or 1 << 16, int(descriptor[1]), int(descriptor[2])
        raw = file.raw(slot)
        width = 1 if bits <= 8 and len(raw) < 2 * count else 2  # some write a byte into each word
        if len(raw) < width * count or count < 2:
            return None
        entries = np.frombuffer(raw, f"{'<' if file.little else '>'}u{width}", count=count).astype(np.float64)
        if first >= _SIGNED_FROM and _may_be_negative(facts):
            first -= 1 << 16
        greys = np.clip(entries / max(2.0**bits - 1.0, float(entries.max())), 0.0, 1.0)
        return (float(first), 1.0, greys) if np.ptp(greys) > 0 else None
    return None


def _may_be_negative(facts: Mapping[str, Any]) -> bool:
    shift = facts.get("RescaleIntercept")
    return bool(facts.get("PixelRepresentation")) or (isinstance(shift, (int, float)) and shift < 0)


def _of_window(file: File) -> tuple[float, float, Floats] | None:
    for among in (file.dataset, *_groups(file)):
        centres, widths = file.decimals(_CENTRE, among), file.decimals(_WIDTH, among)
        if not centres or not widths:
            continue
        centre, width = float(centres[0]), float(widths[0])
        if not math.isfinite(centre) or not math.isfinite(width) or width <= 0:
            continue
        function = file.ascii(_FUNCTION, among).upper() or "LINEAR"
        if function == "SIGMOID":
            away = np.linspace(-_REACH, _REACH, _STEPS + 1)
            step = 2 * _REACH * width / _STEPS
            return centre - _REACH * width, step, 1.0 / (1.0 + np.exp(-4.0 * away))
        if function != "LINEAR_EXACT" and width > 1:
            # Of whole numbers a window ends half a value earlier on each side (C.11.2.1.2.1).
            centre, width = centre - 0.5, width - 1.0
        return centre - width / 2, width, np.array([0.0, 1.0])
    return None


def _groups(file: File) -> list[Dataset]:
    """Where an enhanced object keeps the window of its first frame, or of all."""
    held = [*file.items(_OF_FRAMES)[:1], *file.items(_OF_ALL)[:1]]
    return [window for group in held for window in file.items(_WINDOWS, group)[:1]]
