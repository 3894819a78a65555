"""Elements of a header as DICOM JSON (PS3.18 annex F), straight from the bytes, where these read in one way only.

A viewer asks for the headers of a whole series before it shows the first image, and most of their elements are plain:
text of the basic repertoire, numbers, identifiers, sequences of these. What is not (another character set, a VR that
the file does not tell, a number that is none) is left to `dicom_json`, which asks a library.
"""

from __future__ import annotations

import base64
import math
import struct
from functools import cache
from typing import Any, Final

from isocenter.dicom.elements import PIXELS, Dataset, File, Slot

__all__ = ["BINARY", "LARGE", "element"]

LARGE: Final = 1024
"""Bytes above which a binary value is given as BulkDataURI instead of InlineBinary."""

BINARY: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_PADDED_AT_THE_END: Final = frozenset({"AS", "CS", "DA", "DT", "TM", "UI"})
_PADDED_EACH: Final = frozenset({"LO", "SH", "UC"})
_ONE_TEXT: Final = frozenset({"LT", "ST", "UT"})
_STRUCT: Final = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "UV": "Q", "SV": "q"}
_REPRESENTATION: Final = 0x00280103


def element(file: File, tag: int, slot: Slot, base: str) -> dict[str, Any] | None:
    """One element of the outermost level; None where its reading is left to a library.

    Args:
        file: its places.
        tag: group << 16 | element.
        slot: where it stands.
        base: URL under which large values are given.
    """
    vr = _vr(file, tag, slot, file.dataset)
    return None if vr is None else _element(file, tag, slot, vr, base)


def _vr(file: File, tag: int, slot: Slot, among: Dataset) -> str | None:
    said = slot[0]
    if said == "fragments":
        written = bytes(file.data[slot[1] + 4 : slot[1] + 6])
        return written.decode() if written in (b"OB", b"OW") else None
    if said not in ("", "SQ"):
        return str(said)
    if tag >> 16 & 1 and (said == "" or not _spelled(file, slot)):
        return None  # a private element in a file without VRs: who owns it decides
    if said == "SQ":
        return "SQ"
    known = _dictionary(tag)
    if known == "US or SS":
        signed = file.numbers(_REPRESENTATION, among)
        return {0: "US", 1: "SS"}.get(int(signed[0])) if len(signed) == 1 else None
    if tag == PIXELS:
        return "OW"  # PS3.5 section 8.2 and annex A.1: implicit files have no other
    return known if known is not None and len(known) == 2 else None


def _spelled(file: File, slot: Slot) -> bool:
    """Whether the file writes the VR of this sequence: before its value, or at its start where it has no length."""
    return b"SQ" in (bytes(file.data[slot[1] - 8 : slot[1] - 6]), bytes(file.data[slot[1] + 4 : slot[1] + 6]))


@cache
def _dictionary(tag: int) -> str | None:
    from pydicom.datadict import dictionary_VR

    try:
        return str(dictionary_VR(tag))
    except KeyError:
        return None


def _element(file: File, tag: int, slot: Slot, vr: str, base: str) -> dict[str, Any] | None:
    if vr == "SQ":
        return _sequence(file, tag, slot, base)
    if vr in BINARY:
        return _binary(file, tag, slot, vr, base)
    if vr in _STRUCT:
        return _numbers(file, slot, vr)
    raw = file.raw(slot)
    if not raw.isascii() or b"\x1b" in raw:
        return None
    values = _texts(raw.decode("ascii"), vr)
    if values is None or (len(values) > 1 and "" in values):
        return None
    if values in ([""], []):
        return {"vr": vr}
    return {"vr": vr, "Value": [{"Alphabetic": one} for one in values] if vr == "PN" else values}


def _texts(said: str, vr: str) -> list[Any] | None:
    if vr in _PADDED_AT_THE_END:
        return list(said.rstrip(" \0").split("\\"))
    if vr in _PADDED_EACH:
        return [one.rstrip("\0 ") for one in said.split("\\")]
    if vr in _ONE_TEXT:
        return [said.rstrip("\0 ")]
    if vr == "AE":
        return None if "\0" in said else [one.strip() for one in said.split("\\")]
    if vr == "PN":
        return None if "=" in said else [one.rstrip("\0 ") for one in said.rstrip("\0 ").split("\\")]
    if vr in ("IS", "DS"):
        return _decimals(said.strip(" \0"), vr)
    return None


def _decimals(said: str, vr: str) -> list[Any] | None:
    if not said:
        return []
    try:
        if vr == "IS":
            return [int(one) for one in said.split("\\")] if "_" not in said else None
        found = [float(one) for one in said.split("\\")]
    except ValueError:
        return None
    return found if all(map(math.isfinite, found)) and "_" not in said else None


def _numbers(file: File, slot: Slot, vr: str) -> dict[str, Any] | None:
    code = _STRUCT[vr]
    count, rest = divmod(slot[2] - slot[1], struct.calcsize("=" + code))
    if rest:
        return None
    if not count:
        return {"vr": vr}
    found = list(struct.unpack_from(f"{'<' if file.little else '>'}{count}{code}", file.data, slot[1]))
    return {"vr": vr, "Value": found} if all(map(math.isfinite, found)) else None


def _binary(file: File, tag: int, slot: Slot, vr: str, base: str) -> dict[str, Any] | None:
    if vr == "UN":
        return None  # the dictionary may know better
    large = {"vr": vr, "BulkDataURI": f"{base}/{tag:08X}"}
    if slot[0] == "fragments":
        # Between the 12 bytes before the first item and the 8 of the delimiter.
        return large if slot[2] - slot[1] - 20 > LARGE else None
    if slot[2] - slot[1] > LARGE:
        return large
    raw = file.raw(slot)
    return {"vr": vr, "InlineBinary": base64.b64encode(raw).decode()} if raw else {"vr": vr}


def _sequence(file: File, tag: int, slot: Slot, base: str) -> dict[str, Any] | None:
    items: list[dict[str, Any]] = []
    for number, item in enumerate(slot[3] or ()):
        made: dict[str, Any] = {}
        for inner, place in item.items():
            if not inner & 0xFFFF:
                continue
            vr = _vr(file, inner, place, item)
            one = None if vr is None else _element(file, inner, place, vr, f"{base}/{tag:08X}/{number}")
            if one is None:
                return None
            made[f"{inner:08X}"] = one
        items.append(made)
    return {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}
