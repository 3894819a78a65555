"""DICOM files written element by element, so that any of them can lie: the alphabet of the hostile corpus.

A library writes only what it believes to be right. Here a file is a list of elements with their bytes, and each length,
VR and delimiter can be given another value than the true one. Without changes the file is whole and valid.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Mapping

__all__ = [
    "BIG",
    "CT",
    "DEFLATED",
    "EXPLICIT",
    "IMPLICIT",
    "Elements",
    "deflated",
    "element",
    "fragments",
    "image",
    "item",
    "plain",
    "uid",
    "written",
]

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
DEFLATED, BIG = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
CT = "1.2.840.10008.5.1.4.1.1.2"
_LONG = frozenset(["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"])

Elements = dict[int, tuple[str, bytes]]
"""Tag to VR and value; written in the order of tags."""


def uid(rng: random.Random) -> str:
    """A UID that nothing else has."""
    return f"2.25.{rng.getrandbits(110) | 1}"


def plain(text: str, *, pad: bytes = b" ") -> bytes:
    """Text as a value of even length."""
    raw = text.encode("utf-8", "surrogateescape")
    return raw + pad * (len(raw) % 2)


def image(rng: random.Random, *, rows: int = 8, columns: int = 8, modality: str = "CT") -> Elements:
    """A small, valid CT image with identities of its own; what is hostile about it is for the caller to add."""
    study = uid(rng)
    texts = {
        0x00080005: ("CS", "ISO_IR 192"),
        0x00080008: ("CS", "ORIGINAL\\PRIMARY\\AXIAL"),
        0x00080020: ("DA", "20260102"),
        0x00080030: ("TM", "101530"),
        0x00080050: ("SH", "A1"),
        0x00080060: ("CS", modality),
        0x00081030: ("LO", "CT chest"),
        0x00100010: ("PN", "Hostile^Member"),
        0x00100020: ("LO", f"P{rng.randrange(10**9)}"),
        0x00100030: ("DA", "19700102"),
        0x00100040: ("CS", "O"),
        0x00200011: ("IS", "1"),
        0x00200013: ("IS", "1"),
        0x00200032: ("DS", "0\\0\\0"),
        0x00200037: ("DS", "1\\0\\0\\0\\1\\0"),
        0x00280004: ("CS", "MONOCHROME2"),
        0x00280030: ("DS", "1\\1"),
        0x00180050: ("DS", "1"),
        0x00281052: ("DS", "-1024"),
        0x00281053: ("DS", "1"),
    }
    names = {0x00080016: CT, 0x00080018: uid(rng), 0x0020000D: study, 0x0020000E: uid(rng), 0x00200052: uid(rng)}
    numbers = {
        0x00280002: 1,
        0x00280010: rows,
        0x00280011: columns,
        0x00280100: 16,
        0x00280101: 16,
        0x00280102: 15,
        0x00280103: 0,
    }
    made: Elements = {tag: (vr, plain(text)) for tag, (vr, text) in texts.items()}
    made |= {tag: ("UI", plain(text, pad=b"\0")) for tag, text in names.items()}
    made |= {tag: ("US", struct.pack("<H", number)) for tag, number in numbers.items()}
    made[0x7FE00010] = ("OW", rng.randbytes(rows * columns * 2))
    return made


def element(tag: int, vr: str, value: bytes, *, length: int | None = None, implicit: bool = False) -> bytes:
    """One element; `length` is what it says of itself where that is not the truth."""
    size = len(value) if length is None else length
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    if implicit:
        return head + struct.pack("<I", size & 0xFFFFFFFF) + value
    if vr in _LONG:
        return head + vr.encode("latin-1") + b"\0\0" + struct.pack("<I", size & 0xFFFFFFFF) + value
    return head + vr.encode("latin-1") + struct.pack("<H", size & 0xFFFF) + value


def item(content: bytes, *, length: int | None = None, closed: bool = True) -> bytes:
    """One item of a sequence; of undefined length where `length` is 0xFFFFFFFF, and then closed or not."""
    size = len(content) if length is None else length
    end = b"\xfe\xff\x0d\xe0\0\0\0\0" if size == 0xFFFFFFFF and closed else b""
    return b"\xfe\xff\x00\xe0" + struct.pack("<I", size) + content + end


def fragments(*parts: bytes, offsets: bytes = b"", closed: bool = True) -> bytes:
    """Encapsulated pixels as a whole element: the offset table, the fragments, the delimiter."""
    inside = b"".join(item(part + b"\0" * (len(part) % 2)) for part in (offsets, *parts))
    end = b"\xfe\xff\xdd\xe0\0\0\0\0" if closed else b""
    return b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff" + inside + end


def written(
    elements: Mapping[int, tuple[str, bytes]],
    *,
    syntax: str = EXPLICIT,
    tail: bytes = b"",
    preamble: bytes = b"\0" * 128,
    meta: bytes = b"",
    lies: Mapping[int, int] | None = None,
) -> bytes:
    """A Part 10 file.

    Args:
        tail: bytes behind the last element, such as encapsulated pixels.
        meta: more elements of file meta information, at its end.
        lies: tag to the length that it claims.
    """
    body = b"".join(
        element(tag, *elements[tag], length=(lies or {}).get(tag), implicit=syntax == IMPLICIT)
        for tag in sorted(elements)
    )
    return head(elements, syntax, preamble, meta) + body + tail


def head(
    elements: Mapping[int, tuple[str, bytes]], syntax: str, preamble: bytes = b"\0" * 128, meta: bytes = b""
) -> bytes:
    """Preamble and file meta information of an object."""
    inside = (
        element(0x00020001, "OB", b"\0\1")
        + element(0x00020002, "UI", elements.get(0x00080016, ("UI", b""))[1])
        + element(0x00020003, "UI", elements.get(0x00080018, ("UI", b""))[1])
        + element(0x00020010, "UI", plain(syntax, pad=b"\0"))
        + element(0x00020012, "UI", plain("2.25.7", pad=b"\0"))
        + meta
    )
    return preamble + b"DICM" + element(0x00020000, "UL", struct.pack("<I", len(inside))) + inside


def deflated(elements: Mapping[int, tuple[str, bytes]], body: bytes) -> bytes:
    """A file whose data set is this body, deflated."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(body) + packer.flush()
    return head(elements, DEFLATED) + packed + b"\0" * (len(packed) % 2)
