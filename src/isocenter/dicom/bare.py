"""A data set that was saved without its envelope, as old archives and some converters do: what is needed to read it.

Part 10 puts 128 bytes, a mark and the file meta information in front of a data set, and these say in which transfer
syntax it is written. Where they are gone, the first element tells: its byte order, and whether it names its VR. The
walk over every element that each file is held to then proves the guess, for with another syntax no length would fit.
"""

from __future__ import annotations

import struct

from isocenter.dicom.elements import parse
from isocenter.errors import IsocenterError, NotWhole

__all__ = ["enveloped", "is_bare"]

_IMPLICIT, _EXPLICIT, _BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
_MARK = b"\0" * 128 + b"DICM"
_CLASS, _INSTANCE = 0x00080016, 0x00080018
_UNKNOWN = "export it again as a DICOM Part 10 file"


def is_bare(data: bytes) -> bool:
    """Whether bytes begin like a data set and carry no mark: group 8 in either byte order, or the meta information.

    >>> is_bare(b"\\x08\\x00\\x05\\x00CS\\x0a\\x00ISO_IR 100"), is_bare(b"PK")
    (True, False)
    """
    return len(data) > 16 and data[128:132] != b"DICM" and data[:2] in (b"\x08\x00", b"\x00\x08", b"\x02\x00")


def enveloped(data: bytes) -> bytes:
    """The same data set as a Part 10 file; the same bytes each time.

    Raises:
        NotWhole: when it does not read to its end, as with compressed pixels.
    """
    if data[:2] == b"\x02\x00":
        return _MARK + data  # only the mark is gone
    syntax = (
        _BIG if data[:2] == b"\x00\x08" else _EXPLICIT if data[4:6].isalpha() and data[4:6].isupper() else _IMPLICIT
    )
    try:
        file = parse(_MARK + _meta(syntax) + data)
    except IsocenterError as fault:
        raise NotWhole(
            "the file has no preamble and no 'DICM' mark, and does not read as a data set either",
            fault.what,
            _UNKNOWN,
        ) from fault
    return _MARK + _meta(syntax, file.ascii(_CLASS), file.ascii(_INSTANCE)) + data


def _meta(syntax: str, sop_class: str = "", sop_uid: str = "") -> bytes:
    """File meta information (PS3.10 section 7.1)."""
    said = _element(0x0001, b"OB", b"\0\1")
    for element, uid in ((0x0002, sop_class), (0x0003, sop_uid), (0x0010, syntax)):
        if uid:
            said += _element(element, b"UI", uid.encode("ascii"))
    return _element(0x0000, b"UL", struct.pack("<I", len(said))) + said


def _element(number: int, vr: bytes, value: bytes) -> bytes:
    padded = value + b"\0" * (len(value) % 2)
    if vr == b"OB":
        return struct.pack("<HH2sHI", 2, number, vr, 0, len(padded)) + padded
    return struct.pack("<HH2sH", 2, number, vr, len(padded)) + padded
