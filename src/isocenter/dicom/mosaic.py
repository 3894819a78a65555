"""The slices of a Siemens mosaic, which lays all of one volume into one picture."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from isocenter.dicom.classic_frames import classic
from isocenter.dicom.elements import File, parse
from isocenter.dicom.placed import Placed, finite
from isocenter.errors import NotAVolume
from isocenter.record import Instance, Series

__all__ = ["mosaic"]

_WANTED = frozenset({"NumberOfImagesInMosaic", "SliceNormalVector", "MosaicRefAcqTimes"})
_CLOCKS = ("moment", "clock")  # of the start of the volume
_LONGEST_MS = 60_000.0  # that a volume takes


def mosaic(series: Series, instance: Instance, read: Callable[[str], bytes]) -> list[Placed]:
    """The tiles of a Siemens mosaic as slices of their own.

    Number of slices and slice normal stand in private
    headers; the header's position is that of a slice as large as the whole picture, so the first tile is moved by
    half the difference (as in nibabel's and SPM's readers).

    Raises:
        NotAVolume: when the private header does not say how the tiles lie.
    """
    placed = classic(series, instance)
    if placed is None:
        raise NotAVolume("a mosaic without position", "its slices have no place in the patient", "export it again")
    facts = {**series.facts, **instance.facts}
    private = _siemens(parse(read(instance.digest), until_pixels=True))
    count = int(finite(facts.get("SiemensImagesInMosaic")) or finite(private.get("NumberOfImagesInMosaic")) or 0)
    normal = private.get("SliceNormalVector", [])
    step = finite(facts.get("SpacingBetweenSlices")) or placed.thickness
    if count < 1 or len(normal) != 3 or not step:
        raise NotAVolume(
            "a Siemens mosaic without the number of its slices, their normal or their distance",
            "its tiles cannot be placed in the patient",
            "export it with private attributes, or as single slices",
        )
    side = math.ceil(math.sqrt(count))
    rows, columns = instance.rows // side, instance.columns // side
    along = placed.orientation
    start = (
        placed.position
        + along[:3] * placed.spacing[1] * (instance.columns - columns) / 2
        + along[3:] * placed.spacing[0] * (instance.rows - rows) / 2
    )
    up = np.array(normal, dtype=np.float64)
    later = _later_s(private, count)
    return [
        replace(
            placed,
            keys={**placed.keys, **{k: placed.keys[k] + later[n] for k in _CLOCKS if placed.keys.get(k) is not None}},
            rows=rows,
            columns=columns,
            position=start + up * step * n,
            tile=((n // side) * rows, (n % side) * columns),
        )
        for n in range(count)
    ]


def _later_s(private: dict[str, list[Any]], count: int) -> list[float]:
    """How long after the first each slice was measured, s: a mosaic bears one time for all that it holds."""
    told = private.get("MosaicRefAcqTimes", [])
    if len(told) < count or any(ms is None or not 0.0 <= ms < _LONGEST_MS for ms in told[:count]):
        return [0.0] * count
    return [ms / 1000.0 for ms in told[:count]]


def _siemens(file: File) -> dict[str, list[Any]]:
    """The few numbers that we need of the CSA image header (0029,1010), whose layout nibabel documents."""
    slot = file.dataset.get(0x00291010)
    if slot is None:
        return {}
    raw = file.raw(slot)
    found: dict[str, list[Any]] = {}
    try:
        second = raw[:4] == b"SV10"
        at = 8 if second else 0
        less = 0
        count = struct.unpack_from("<I", raw, at)[0]
        at += 8
        for number in range(min(count, 256)):
            name = raw[at : at + 64].split(b"\0")[0].decode("latin-1")
            items = struct.unpack_from("<I", raw, at + 76)[0]
            at += 84
            less = items if not (second or number) else less  # the first kind of header counts it into each length
            values: list[Any] = []
            for _ in range(min(items, 1024)):
                length = struct.unpack_from("<i", raw, at + 4 * second)[0] - less
                at += 16
                if length < 0 or at + length > len(raw):
                    break
                text = raw[at : at + length].split(b"\0")[0].decode("latin-1").strip()
                at += (length + 3) // 4 * 4
                if text and name in _WANTED:
                    values.append(finite(text))
            if values:
                found[name] = values
    except struct.error:
        return found
    return found
