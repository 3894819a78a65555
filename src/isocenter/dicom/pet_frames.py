"""Where the frames of a multi-frame PET lie and when they were taken, as a plan must know it before pixels are read.

Each classic image states this in its own header. Frames state it in functional groups (PS3.3 C.7.6.16), and a bed of a
scan that came as such an object is found by it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from isocenter.dicom.elements import File
from isocenter.dicom.enhanced_frames import enhanced
from isocenter.dicom.placed import Placed
from isocenter.errors import NotAVolume
from isocenter.record import Instance

__all__ = ["pet_frames"]

_FACT = "FramesInPatient"
_GROUPS, _CONTENT, _LASTED_MS = 0x52009230, 0x00209111, 0x00189220
_SAME_MM, _SAME_TURN = 1e-3, 1e-4
_A_DAY_S = 86400.0


def pet_frames(instance: Instance, file: File) -> dict[str, Any]:
    """The fact ``FramesInPatient`` of a multi-frame PET; empty where its frames make no one stack.

    It holds ``orientation`` and ``spacing`` as classic images state them, ``ends`` (the positions of the two outermost
    frames), ``each`` (how many frames of one kind lie at each place, at least: more than one are times or gates),
    ``unit`` (UCUM), ``lasted_ms`` of one frame where it is that of all, and where frames tell it ``begun`` and
    ``done``: from when to when they were acquired.
    """
    return {_FACT: _one_stack(instance, file)}


def _one_stack(instance: Instance, file: File) -> dict[str, Any]:
    if not file.items(_GROUPS):
        return {}
    try:
        frames = enhanced(instance, file)
    except NotAVolume:
        return {}  # the object is kept as it is, and whoever asks for its volume is told
    first = frames[0]
    if not all(_like(one, first) for one in frames):
        return {}
    with np.errstate(all="ignore"):  # a place may be any number that a file states
        normal = np.cross(first.orientation[:3], first.orientation[3:])
        order = sorted(frames, key=lambda one: float(one.position @ normal))
        apart = np.diff([one.position @ normal for one in order])
    if not np.isfinite(apart).all():
        return {}
    place = np.concatenate([[0], np.cumsum(apart >= _SAME_MM)])
    alike = Counter((int(at), one.stack, one.kind) for at, one in zip(place, order, strict=True))
    each = min(alike.values())
    if each == 1 and len(frames) > int(place[-1]) + 1:
        return {}  # beds that overlap, or images of several kinds at one place
    units = {one.unit for one in frames}
    told = {
        "orientation": first.orientation.tolist(),
        "spacing": list(first.spacing),
        "ends": [order[0].position.tolist(), order[-1].position.tolist()],
        "each": each,
        "unit": units.pop() if len(units) == 1 else "",
    }
    lasted = _lasted_ms(file)
    same = {"lasted_ms": lasted[0]} if lasted[0] and len(set(lasted)) == 1 else {}
    return {**told, **same, **_when(frames, lasted)}


def _like(one: Placed, first: Placed) -> bool:
    return one.spacing == first.spacing and np.allclose(one.orientation, first.orientation, rtol=0.0, atol=_SAME_TURN)


def _when(frames: Sequence[Placed], lasted_ms: Sequence[float]) -> dict[str, str]:
    moments = [float(m) for one in frames if (m := one.keys.get("moment")) is not None and m >= _A_DAY_S]
    if len(moments) < len(frames):
        return {}
    ends = [m + lasted / 1000.0 for m, lasted in zip(moments, lasted_ms, strict=True)]
    try:
        return {"begun": _said(min(moments)), "done": _said(max(ends))}
    except (ValueError, OverflowError):
        return {}  # a day that no calendar has


def _lasted_ms(file: File) -> list[float]:
    told = []
    for group in file.items(_GROUPS):
        content = (file.items(_CONTENT, group) or [{}])[0]
        stated = file.numbers(_LASTED_MS, content, "d") if _LASTED_MS in content else ()
        told.append(float(stated[0]) if stated and 0.0 < stated[0] < 1000.0 * _A_DAY_S else 0.0)
    return told


def _said(moment_s: float) -> str:
    days, seconds = divmod(moment_s, _A_DAY_S)
    return f"{datetime.fromordinal(int(days)) + timedelta(seconds=seconds):%Y%m%d%H%M%S.%f}"
