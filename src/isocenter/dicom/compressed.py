"""What a compressed picture needs to be decoded, and nothing that rides along with it.

Encoders and devices write comments, previews and names into compressed streams: in segments for applications, between
scans, in the headers of tiles, in boxes around the stream, behind its end. So a stream is walked from its start, of
its segments those are taken that a decoder needs and that are made as the format asks, and the walk ends with the
picture. What is coded as pixels is not looked into.

Formats: JPEG (ITU-T T.81 annex B), JPEG-LS (T.87 annex C), JPEG 2000 (T.800 annexes A and I), RLE (PS3.5 annex G).
"""

from __future__ import annotations

import re
import struct

from isocenter.errors import Refused

__all__ = ["bare_rle", "bare_stream", "is_irreversible", "precision"]

_SOI, _EOI, _SCAN, _ADOBE, _COLOURS_OF_LS = 0xD8, 0xD9, 0xDA, 0xEE, 0xE8
_FRAME_OF_LS, _PARAMETERS_OF_LS = 0xF7, 0xF8
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
# Where coded data end: 0xFF followed by what is neither stuffing, a restart nor filling.
_AFTER_DATA = re.compile(rb"\xff(?=[\x01-\xcf\xd8-\xfe])")
_AFTER_DATA_OF_LS = re.compile(rb"\xff(?=[\x80-\xcf\xd8-\xfe])")

_J2K_TILE, _J2K_DATA, _J2K_END = 0xFF90, 0xFF93, b"\xff\xd9"
# SIZ, COD, COC, RGN, QCD, QCC, POC, CAP, CPF, TLM, PLM, PLT, PPM, PPT, CRG: all but comments.
_J2K_NEEDED = frozenset({0xFF51, 0xFF52, 0xFF53, 0xFF5E, 0xFF5C, 0xFF5D, 0xFF5F, 0xFF50, 0xFF59,
                         0xFF55, 0xFF57, 0xFF58, 0xFF60, 0xFF61, 0xFF63})  # fmt: skip
_J2K_BITS = 42  # where SIZ, the first segment, says how many bits the first component has
_CODING_STYLE, _WAVELET = 0x52, 13  # the segment COD, and where in it the wavelet stands
_JP2 = b"\0\0\0\x0cjP  \r\n\x87\n"

_RLE_HEADER, _RLE_MOST = 64, 15
_RLE_FILLED = 3  # bytes behind a segment up to which its end is found by decoding: most have one, to an even length
_RLE_GROWS, _RLE_AT_ONCE = 64, 1 << 28  # two bytes make 128 at most; so many may be made to be counted


def bare_stream(stream: bytes) -> bytes:
    """A compressed stream of JPEG, JPEG-LS or JPEG 2000 with what a decoder needs alone; padded to even length.

    Raises:
        Refused: it is none of these.

    >>> bare_stream(b"Petersen")
    Traceback (most recent call last):
        ...
    isocenter.errors.Refused: a compressed picture of an unknown form: what rides along with it cannot be taken out. \
Send it in another transfer syntax.
    """
    if stream[:12] == _JP2:
        stream = _out_of_boxes(stream)
    if stream[:2] == b"\xff\xd8":
        bare = _bare_jpeg(stream)
    elif stream[:2] == b"\xff\x4f":
        bare = _bare_j2k(stream)
    else:
        raise _unknown()
    return bare + b"\0" * (len(bare) % 2)


def precision(bare: bytes) -> int:
    """How many bits a value has in a bare stream (`bare_stream`); 0 where it does not say.

    >>> precision(bytes.fromhex("ffd8ffc3000b0c0004000401001100ffd9"))
    12
    """
    if bare[:4] == b"\xff\x4f\xff\x51" and len(bare) > _J2K_BITS:
        return (bare[_J2K_BITS] & 0x7F) + 1
    at = 2
    while bare[at : at + 1] == b"\xff" and at + 5 <= len(bare):
        if bare[at + 1] in _FRAMES or bare[at + 1] == _FRAME_OF_LS:
            return bare[at + 4]
        at += 2 + int.from_bytes(bare[at + 2 : at + 4], "big")
    return 0


def is_irreversible(stream: bytes) -> bool:
    """Whether a stream of JPEG 2000 is made by the wavelet that does not give back what went in (9-7).

    A stream made by the other one may have been cut short all the same, of which nothing tells.

    >>> is_irreversible(bytes.fromhex("ff4fff52000c00000001000004040000ffd9"))
    True
    """
    if stream[:12] == _JP2:
        stream = _out_of_boxes(stream)
    at = 2
    while stream[at : at + 1] == b"\xff" and at + _WAVELET < len(stream) and stream[at + 1] != _J2K_TILE & 0xFF:
        if stream[at + 1] == _CODING_STYLE:
            return stream[at + _WAVELET] == 0
        at += 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
    return False


def _unknown() -> Refused:
    return Refused(
        "a compressed picture of an unknown form", "what rides along with it cannot be taken out",
        "send it in another transfer syntax",
    )  # fmt: skip


def _bare_jpeg(stream: bytes) -> bytes:
    out, at, of_ls = bytearray(stream[:2]), 2, False
    while at + 2 <= len(stream):
        marker = stream[at + 1]
        if stream[at] != 0xFF or marker == 0xFF:  # filling, or what belongs to no segment
            at += 1
            continue
        if marker == _EOI:
            return bytes(out + stream[at : at + 2])
        stop = at + 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
        of_ls = of_ls or marker == _FRAME_OF_LS
        if _is_needed(marker, stream[at + 4 : stop]):
            out += stream[at:stop]
        at = stop
        if marker == _SCAN:
            end = (_AFTER_DATA_OF_LS if of_ls else _AFTER_DATA).search(stream, at)
            out += stream[at : end.start() if end else len(stream)]
            at = end.start() if end else len(stream)
    return bytes(out)


def _is_needed(marker: int, said: bytes) -> bool:
    """Whether a decoder needs a segment, and whether it is made as it should: a name may stand in a false one."""
    if marker in _FRAMES or marker == _FRAME_OF_LS:
        return len(said) >= 6 and len(said) == 6 + 3 * said[5]
    if marker == _SCAN:
        return len(said) >= 1 and len(said) == 4 + 2 * said[0]
    if marker in (0xC4, 0xDB):  # tables: several may stand in one segment
        while said:
            size = 17 + sum(said[1:17]) if marker == 0xC4 else 129 if said[0] >> 4 else 65
            if len(said) < size:
                return False
            said = said[size:]
        return True
    if marker == 0xCC:
        return len(said) % 2 == 0
    if marker in (0xDC, 0xDD):  # number of lines, restart interval
        return len(said) == 2
    if marker == _PARAMETERS_OF_LS:
        return said[:1] in (b"\2", b"\3", b"\4") or (said[:1] == b"\1" and len(said) == 11)
    if marker == _ADOBE:  # its twelve bytes say how colours are stored
        return said[:5] == b"Adobe" and len(said) == 12
    return marker == _COLOURS_OF_LS and said[:4] == b"mrfx" and len(said) == 5


def _bare_j2k(stream: bytes) -> bytes:
    out, at = bytearray(stream[:2]), 2
    while at + 4 <= len(stream):
        marker, length = struct.unpack_from(">HH", stream, at)
        if marker == _J2K_TILE:
            break
        if marker in _J2K_NEEDED:
            out += stream[at : at + 2 + length]
        at += 2 + length
    while stream[at : at + 2] == b"\xff\x90" and at + 12 <= len(stream):
        part, at = _tile_part(stream, at)
        out += part
    return bytes(out) + _J2K_END


def _tile_part(stream: bytes, start: int) -> tuple[bytes, int]:
    """One part of a tile, and where it ends; comments in its header are blanked, since tables tell its length."""
    (length,) = struct.unpack_from(">I", stream, start + 6)
    part, at = bytearray(stream[start : start + length] if length else stream[start:]), 12
    while at + 4 <= len(part):
        marker, size = struct.unpack_from(">HH", part, at)
        if marker == _J2K_DATA:
            break
        if marker not in _J2K_NEEDED:
            room = min(at + 2 + size, len(part)) - at - 4
            part[at : at + 2] = b"\xff\x64"
            part[at + 4 : at + 4 + room] = (b"\0\1" + b" " * room)[:room]
        at += 2 + size
    if not length:  # the last part of all: coded data never hold the mark of the end
        end = part.find(_J2K_END, at)
        part = part[:end] if end >= 0 else part
    return bytes(part), start + len(part)


def _out_of_boxes(stream: bytes) -> bytes:
    """The stream that lies in the boxes of a JP2 file."""
    at = 0
    while at + 8 <= len(stream):
        length, kind = struct.unpack_from(">I4s", stream, at)
        head = 8
        if length == 1 and at + 16 <= len(stream):
            (length,) = struct.unpack_from(">Q", stream, at + 8)
            head = 16
        stop = at + length if length else len(stream)
        if kind == b"jp2c":
            return stream[at + head : stop]
        if stop < at + head:
            break
        at = stop
    raise _unknown()


def bare_rle(stream: bytes, pixels: int) -> bytes:
    """A frame in RLE: of each segment what makes its bytes, and a header of nothing else.

    Args:
        stream: the frame.
        pixels: rows by columns; so many bytes each segment makes.

    Raises:
        Refused: it is no such frame.

    >>> bare_rle(b"\\1\\0\\0\\0\\x40\\0\\0\\0" + b"Petersen" * 7 + b"\\xfe\\7Petersen", 3)[64:]
    b'\\xfe\\x07'
    """
    if len(stream) < _RLE_HEADER:
        raise _unknown()
    count, *starts = struct.unpack_from("<16I", stream)
    if not 1 <= count <= _RLE_MOST:
        raise _unknown()
    stops = [*starts[1:count], len(stream)]
    said, parts, at = [], [], _RLE_HEADER
    for start, stop in zip(starts[:count], stops, strict=True):
        if not _RLE_HEADER <= start <= stop <= len(stream):
            raise _unknown()
        part = stream[start : start + _coded(stream, start, stop, pixels)]
        part += b"\0" * (len(part) % 2)
        said.append(at)
        parts.append(part)
        at += len(part)
    return struct.pack("<16I", count, *said, *[0] * (_RLE_MOST - count)) + b"".join(parts)


def _coded(stream: bytes, start: int, stop: int, wanted: int) -> int:
    """How many bytes of a segment make as many as are wanted."""
    if _makes(stream[start:stop], wanted):
        for end in range(stop - 1, max(stop - 1 - _RLE_FILLED, start), -1):
            if not _makes(stream[start:end], wanted):
                return end + 1 - start
    at, made = start, 0
    while made < wanted and at < stop:
        lead = stream[at]
        if lead < 128:
            made += lead + 1
            at += lead + 2
        elif lead > 128:
            made += 257 - lead
            at += 2
        else:
            at += 1
    return min(at, stop) - start


def _makes(segment: bytes, wanted: int) -> bool:
    """Whether a segment makes just the bytes that are wanted; a filling or a byte behind them makes nothing more."""
    if _RLE_GROWS * len(segment) > _RLE_AT_ONCE:
        return False
    from rle.rle import decode_segment  # type: ignore[import-not-found]  # most objects have no such frames

    try:
        return len(decode_segment(segment)) == wanted
    except ValueError:
        return False
