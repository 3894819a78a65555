"""Words of a Big Endian file turned, for what reads little endian only."""

from __future__ import annotations

import io
from typing import Any

__all__ = ["BIG_ENDIAN", "little_endian", "turn_words"]

BIG_ENDIAN = "1.2.840.10008.1.2.2"
_EXPLICIT = "1.2.840.10008.1.2.1"
_WIDTHS = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}


def little_endian(dataset: Any) -> Any:
    """A data set that was read from a Big Endian file as if it had been read from a little endian one."""
    from pydicom import dcmread, dcmwrite

    turn_words(dataset)
    dataset.file_meta.TransferSyntaxUID = _EXPLICIT
    made = io.BytesIO()
    # dcmwrite takes what was decoded; Dataset.save_as would refuse to turn the byte order.
    dcmwrite(made, dataset, enforce_file_format=True)
    return dcmread(io.BytesIO(made.getvalue()))


def turn_words(dataset: Any) -> None:
    """Decode every element of a Big Endian data set, and turn the words that pydicom keeps as bytes."""
    for element in dataset.iterall():
        width = _WIDTHS.get(element.VR, 1)
        if element.keyword == "PixelData" and width > 1:
            width = max(width, int(dataset.get("BitsAllocated", 16)) // 8)
        raw = element.value
        if width > 1 and isinstance(raw, bytes) and len(raw) % width == 0:
            turned = bytearray(len(raw))
            for place in range(width):
                turned[place::width] = raw[width - 1 - place :: width]
            element.value = bytes(turned)
