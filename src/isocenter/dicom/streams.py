"""Bytes that ride along with pixels and tell of the person: comments inside compressed streams, bits above the stored
ones, what follows the last pixel, the words of a colour profile (ICC.1:2022 section 7). The picture itself stays bit
for bit.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from isocenter.dicom.compressed import bare_rle, bare_stream
from isocenter.dicom.elements import PIXELS, File, Slot
from isocenter.dicom.pixels import frame_count, frames, native, of_frames
from isocenter.dicom.whole import native_length

__all__ = ["Box", "blanked", "fragments", "native_pixels", "neutral_profile"]

Box = tuple[int, int, int, int, int]
"""(frame, or -1 for all; first row; first column; row behind; column behind)."""

_ALLOCATED, _STORED, _SIGNED = 0x00280100, 0x00280101, 0x00280103
_ROWS, _COLUMNS = 0x00280010, 0x00280011
_RLE, _VIDEO = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.10"


def native_pixels(file: File, slot: Slot, tag: int) -> bytes | memoryview:
    """Native pixels without what follows the last of them, and without bits above Bits Stored (overlays of old).

    They are copied only where something has to be taken away.
    """
    value = memoryview(file.data)[slot[1] : slot[2]]
    value = value[: native_length(file)]
    if tag != PIXELS:
        return value
    allocated, stored = file.integer(_ALLOCATED), file.integer(_STORED)
    if not 0 < stored < allocated or allocated not in (8, 16, 32):
        return value
    order = "<" if file.little else ">"
    if file.integer(_SIGNED):
        words = np.frombuffer(value, f"{order}i{allocated // 8}")
        shift = allocated - stored
        if words.size and not -(1 << (stored - 1)) <= int(words.min()) <= int(words.max()) < 1 << (stored - 1):
            return bytes(((words << shift) >> shift).astype(words.dtype).tobytes())
        return value
    words = np.frombuffer(value, f"{order}u{allocated // 8}")
    if words.size and int(words.max()) >> stored:
        return bytes((words & words.dtype.type((1 << stored) - 1)).astype(words.dtype).tobytes())
    return value


def blanked(file: File, data: bytes, boxes: Sequence[Box]) -> np.ndarray[Any, Any]:
    """All frames decoded, with the boxes of each filled with its darkest value.

    Args:
        file: its places.
        data: the file, for a decoder.
        boxes: what is filled.

    Returns:
        (frames, rows, columns) or (frames, rows, columns, 3) RGB; a copy.
    """
    straight = native(file)
    pixels = np.array(frames(data) if straight is None else straight)
    for frame, top, left, bottom, right in boxes:
        which = slice(None) if frame < 0 else slice(frame, frame + 1)
        part = pixels[which, top:bottom, left:right]
        part[...] = pixels.min() if pixels.ndim == 3 else 0
    return pixels


def fragments(file: File, slot: Slot) -> list[bytes]:
    """Fragments of compressed pixels, one a frame, each with what a decoder needs alone; the offset table first.

    Raises:
        Refused: frames cannot be told apart, or one is of no known form.
    """
    if file.syntax.startswith(_VIDEO):
        return [b"", *(bytes(file.data[a:b]) for a, b in slot[3][1:])]
    found = []
    for places in of_frames(file, slot[3], frame_count(file)):
        joined = b"".join(bytes(file.data[a:b]) for a, b in places)
        pixels = file.integer(_ROWS) * file.integer(_COLUMNS)
        found.append(bare_rle(joined, pixels) if file.syntax == _RLE else bare_stream(joined))
    offsets, at = [], 0
    for part in found:
        offsets.append(at)
        at += 8 + len(part)
    return [struct.pack(f"<{len(offsets)}I", *offsets) if at < 1 << 32 else b"", *found]


_COLOUR_TAGS = frozenset(
    b"wtpt bkpt rXYZ gXYZ bXYZ rTRC gTRC bTRC kTRC chad A2B0 A2B1 A2B2 B2A0 B2A1 B2A2 gamt lumi".split()
)


def neutral_profile(profile: bytes) -> bytes:
    """A colour profile with its numbers and without its words (description, copyright, device); empty if it is none."""
    if len(profile) < 132 or profile[36:40] != b"acsp":
        return b""
    (count,) = struct.unpack_from(">I", profile, 128)
    if count > 100 or 132 + 12 * count > len(profile):
        return b""
    kept: list[tuple[bytes, bytes]] = []
    for n in range(count):
        name, offset, size = struct.unpack_from(">4sII", profile, 132 + 12 * n)
        if name in _COLOUR_TAGS and offset + size <= len(profile):
            kept.append((name, profile[offset : offset + size]))
    # `desc` and `cprt` must be there (ICC.1 section 8.2); they say what nobody can be known by.
    words = b"text\0\0\0\0removed\0"
    described = b"desc\0\0\0\0" + struct.pack(">I", 8) + b"removed\0" + b"\0" * 78
    kept += [(b"desc", described), (b"cprt", words)]
    at, index, body = 132 + 12 * len(kept), b"", b""
    for name, value in kept:
        index += struct.pack(">4sII", name, at + len(body), len(value))
        body += value + b"\0" * (-len(value) % 4)
    # Of the header stay version, class and spaces; creator, device, time and identity go.
    head = bytearray(128)
    head[8:24], head[36:40], head[64:80] = profile[8:24], b"acsp", profile[64:80]
    whole = bytes(head) + struct.pack(">I", len(kept)) + index + body
    return struct.pack(">I", len(whole)) + whole[4:]
