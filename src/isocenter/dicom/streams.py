"""Bytes that ride along with pixels and tell of the person: comments inside compressed streams, bits above the stored
ones, what follows the last pixel, the words of a colour profile. The picture itself stays bit for bit.

Formats: JPEG (ITU-T T.81 annex B) and JPEG-LS (T.87) markers, JPEG 2000 (T.800 annex A), ICC.1:2022 section 7.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from isocenter.dicom.elements import PIXELS, File, Slot
from isocenter.dicom.pixels import frames
from isocenter.dicom.whole import native_length

__all__ = ["Box", "blanked", "bare_stream", "fragments", "native_pixels", "neutral_profile"]

Box = tuple[int, int, int, int, int]
"""(frame, or -1 for all; first row; first column; row behind; column behind)."""

_ALLOCATED, _STORED, _SIGNED = 0x00280100, 0x00280101, 0x00280103
_SAMPLES, _ROWS, _COLUMNS, _PLANAR, _FRAMES = 0x00280002, 0x00280010, 0x00280011, 0x00280006, 0x00280008
_COMMENT, _SCAN, _ADOBE = 0xFE, 0xDA, 0xEE
_J2K_COMMENT, _J2K_TILE = 0xFF64, 0xFF90


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


def blanked(data: bytes, boxes: Sequence[Box]) -> np.ndarray[Any, Any]:
    """All frames decoded, with the boxes of each filled with its darkest value.

    Returns:
        (frames, rows, columns) or (frames, rows, columns, 3) RGB; a copy.
    """
    pixels = np.array(frames(data))
    for frame, top, left, bottom, right in boxes:
        which = slice(None) if frame < 0 else slice(frame, frame + 1)
        part = pixels[which, top:bottom, left:right]
        part[...] = pixels.min() if pixels.ndim == 3 else 0
    return pixels


def fragments(file: File, slot: Slot) -> list[bytes]:
    """Fragments of compressed pixels, the offset table first and anew, each stream without its comments."""
    places = slot[3]
    table = file.data[places[0][0] : places[0][1]] if places else b""
    had = len(table) // 4
    found = [bare_stream(bytes(file.data[a:b]), file.syntax) for a, b in places[1:]]
    count = len(found)
    frame_count = had or (count if _one_a_frame(file, count) else 0)
    offsets = b""
    if frame_count and frame_count == count:
        at, starts = 0, []
        for part in found:
            starts.append(at)
            at += 8 + len(part)
        if at < 1 << 32:
            offsets = struct.pack(f"<{count}I", *starts)
    elif had:
        old = {a - 8 - places[1][0] + 8: n for n, (a, _) in enumerate(places[1:])}
        at, new = 0, []
        for part in found:
            new.append(at)
            at += 8 + len(part)
        said = struct.unpack(f"<{had}I", table[: had * 4])
        if all(o in old for o in said):
            offsets = struct.pack(f"<{had}I", *(new[old[o]] for o in said))
    return [offsets, *found]


def _one_a_frame(file: File, count: int) -> bool:
    said = file.decimals(_FRAMES)
    return count == (int(min(said[0], 2**31 - 1)) if said and said[0] == said[0] else 1)


def bare_stream(stream: bytes, syntax: str) -> bytes:
    """A compressed stream without comments, application segments and what follows its end; padded to even length."""
    if stream[:2] == b"\xff\xd8":
        stream = _bare_jpeg(stream)
    elif stream[:2] == b"\xff\x4f":
        stream = _bare_j2k(stream)
    return stream + b"\0" * (len(stream) % 2)


def _bare_jpeg(stream: bytes) -> bytes:
    out, at = bytearray(stream[:2]), 2
    while at + 4 <= len(stream) and stream[at] == 0xFF:
        marker = stream[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        stop = at + 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
        if marker == _SCAN or marker == 0xD9:
            break
        # Adobe's twelve bytes say how colours are stored; other application segments hold previews and free text.
        if marker != _COMMENT and not (0xE0 <= marker <= 0xEF and not (marker == _ADOBE and stop - at == 16)):
            out += stream[at:stop]
        at = stop
    body = stream[at:]
    end = body.rfind(b"\xff\xd9")
    return bytes(out) + (body[: end + 2] if end >= 0 else body)


def _bare_j2k(stream: bytes) -> bytes:
    out, at = bytearray(stream[:2]), 2
    while at + 4 <= len(stream):
        marker, length = struct.unpack_from(">HH", stream, at)
        if marker == _J2K_TILE or marker < 0xFF00:
            break
        if marker != _J2K_COMMENT:
            out += stream[at : at + 2 + length]
        at += 2 + length
    body = stream[at:]
    end = body.rfind(b"\xff\xd9")
    return bytes(out) + (body[: end + 2] if end >= 0 else body)


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
