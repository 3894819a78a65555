"""Frames at places, without files."""

from __future__ import annotations

from typing import Any

import numpy as np

from isocenter.dicom.placed import Placed
from isocenter.dicom.stack import Stack, stacks


def frame(z: float, *, x: float = 0.0, uid: str = "", keys: dict[str, Any] | None = None, **more: Any) -> Placed:
    base: dict[str, Any] = {
        "sop_uid": uid or f"1.{z}.{x}",
        "digest": "d",
        "frame": 0,
        "rows": 4,
        "columns": 6,
        "position": np.array([x, 0.0, z]),
        "orientation": np.array([1.0, 0, 0, 0, 1, 0]),
        "spacing": (1.0, 1.0),
    }
    return Placed(**{**base, "keys": keys or {}, **more})


def one(frames: list[Placed], **options: Any) -> Stack:
    (found,), faults = stacks(frames, **options)
    assert not faults
    return found
