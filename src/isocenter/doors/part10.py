"""The header that turns a data set from the wire into a file, and takes it off again.

What a modality sends is kept byte for byte. Only the Part 10 header (PS3.10 section 7) is ours, and it depends on
nothing but the identity of the instance and its encoding: the same image sent twice, by whomever, makes the same file.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Final

from isocenter.errors import NotWhole

__all__ = ["IMPLEMENTATION_UID", "IMPLEMENTATION_VERSION", "Meta", "harmless", "identity", "is_uid", "split", "wrap"]

IMPLEMENTATION_UID: Final = "2.25.293185581139407248614031063292994972119"
IMPLEMENTATION_VERSION: Final = "ISOCENTER_0_1"

_UID: Final = re.compile(r"[0-9]+(\.[0-9]+)*")
_BIG_ENDIAN: Final = "1.2.840.10008.1.2.2"
_IMPLICIT: Final = "1.2.840.10008.1.2"
_DEFLATED: Final = "1.2.840.10008.1.2.1.99"
_LONG: Final = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})


@dataclass(frozen=True, slots=True)
class Meta:
    """What the header of a file says: class, instance, transfer syntax, and where the data set begins."""

    sop_class: str
    sop_uid: str
    transfer_syntax: str
    start: int


def is_uid(text: str) -> bool:
    """Whether a text is a UID: digits and dots, at most 64 characters. Path characters never pass.

    >>> is_uid("1.2.840.10008.1.1"), is_uid("../../etc/passwd"), is_uid("1.2." + "3" * 64)
    (True, False, False)
    """
    return len(text) <= 64 and _UID.fullmatch(text) is not None


def wrap(sop_class: str, sop_uid: str, transfer_syntax: str) -> bytes:
    """The preamble and File Meta Information that stand before a data set.

    >>> split(wrap("1.2.3", "1.2.3.4", "1.2.840.10008.1.2.1")).sop_uid
    '1.2.3.4'
    """
    elements = (
        b"\x02\x00\x01\x00OB\0\0\x02\0\0\0\0\x01",
        _short(0x0002, b"UI", sop_class),
        _short(0x0003, b"UI", sop_uid),
        _short(0x0010, b"UI", transfer_syntax),
        _short(0x0012, b"UI", IMPLEMENTATION_UID),
        _short(0x0013, b"SH", IMPLEMENTATION_VERSION),
    )
    body = b"".join(elements)
    return b"\0" * 128 + b"DICM" + b"\x02\x00\x00\x00UL\x04\x00" + struct.pack("<I", len(body)) + body


def _short(element: int, vr: bytes, text: str) -> bytes:
    raw = text.encode("ascii")
    if len(raw) % 2:
        raw += b"\0" if vr == b"UI" else b" "
    return struct.pack("<HH2sH", 2, element, vr, len(raw)) + raw


def harmless(data: bytes) -> bytes:
    """A file as it leaves: nothing stands before its mark that another program would run (CVE-2019-11687).

    The archive keeps what its sender gave. The beginning of a TIFF stays: slides are both at once (PS3.10, 7.1).

    >>> harmless(b"MZ" + b"x" * 126 + b"DICM...")[:4], harmless(b"II*\\0" + b"x" * 124 + b"DICM")[:2]
    (b'\\x00\\x00\\x00\\x00', b'II')
    """
    if not any(data[:128]) or bytes(data[:4]) in (b"II*\0", b"MM\0*"):
        return data
    return b"\0" * 128 + bytes(data[128:])


def split(data: bytes | bytearray) -> Meta:
    """Read the header of a file, without touching the data set.

    Raises:
        NotWhole: there is no preamble with DICM, or the header names no transfer syntax.
    """
    if data[128:132] != b"DICM":
        raise NotWhole("No DICM at byte 128", "this is not a DICOM file", "send files with a Part 10 header")
    found: dict[int, str] = {}
    at = 132
    while at + 8 <= len(data) and data[at : at + 2] == b"\x02\x00":
        element = int.from_bytes(data[at + 2 : at + 4], "little")
        vr = bytes(data[at + 4 : at + 6])
        if vr in _LONG:
            length, at = int.from_bytes(data[at + 8 : at + 12], "little"), at + 12
        else:
            length, at = int.from_bytes(data[at + 6 : at + 8], "little"), at + 8
        if element in (0x0002, 0x0003, 0x0010):
            found[element] = data[at : at + length].decode("ascii", "replace").strip(" \0")
        at += length
    if 0x0010 not in found or at > len(data):
        raise NotWhole(
            "A file header without Transfer Syntax UID", "nobody can tell how to read the rest", "export the file again"
        )
    return Meta(found.get(0x0002, ""), found.get(0x0003, ""), found[0x0010], at)


def identity(data: bytes | bytearray | memoryview, transfer_syntax: str) -> tuple[str, str] | None:
    """SOP Class and Instance UID that a data set itself claims; None where they are not among its first elements.

    A sender that says one UID in its command and another in its data would have its image filed under the wrong name;
    this is read before anything is stored. Deflated data sets are not opened here.
    """
    if transfer_syntax == _DEFLATED:
        return None
    order = ">" if transfer_syntax == _BIG_ENDIAN else "<"
    implicit = transfer_syntax == _IMPLICIT
    found: dict[int, str] = {}
    at = 0
    while at + 12 <= len(data) and len(found) < 2:
        group, element = struct.unpack_from(order + "HH", data, at)
        if group > 0x0008 or (group == 0x0008 and element > 0x0018):
            break
        if implicit:
            length, at = struct.unpack_from(order + "I", data, at + 4)[0], at + 8
        elif bytes(data[at + 4 : at + 6]) in _LONG:
            length, at = struct.unpack_from(order + "I", data, at + 8)[0], at + 12
        else:
            length, at = struct.unpack_from(order + "H", data, at + 6)[0], at + 8
        if group == 0x0008 and element in (0x0016, 0x0018):
            found[element] = bytes(data[at : at + length]).decode("ascii", "replace").strip(" \0")
        at += length
    return (found[0x0016], found[0x0018]) if len(found) == 2 else None
