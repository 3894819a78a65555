"""Does a value hold what its kind of value says: numbers where numbers belong, a time where a time belongs?

Whoever wrote a file may have put words where the standard wants a number ("72 kg, Mrs Huber" as a weight), or spelled
the attribute with another VR than the standard's. A value that is kept because its kind names nobody must be of that
kind.
"""

from __future__ import annotations

import re
import struct

__all__ = ["BULK", "NUMBERS", "are_decimals", "are_moments", "are_numbers"]

NUMBERS = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "FL": 4, "FD": 8, "AT": 4, "UV": 8, "SV": 8}
"""VR to bytes of one number."""

BULK = frozenset({"OB", "OW", "OF", "OD", "OL", "OV", "UN"})

_OF_ANY = frozenset({"", "??", *BULK})  # spellings that say nothing of what is inside
_DECIMALS = re.compile(r"[0-9eE+.\- \\]*\Z")
_SAID = re.compile(rb"[ -~]*[A-Za-z]{4}[ -~]*[ \0]?\Z")
_SHORTEST_SAID, _SURELY_SAID = 8, 16  # bytes; twelve of three measured numbers are letters now and then
_MEASURED = (1e-12, 1e15)  # between these and zero lies what is measured, not what letters make
_DIFFERENT_LETTERS = 3  # a constant of 16,705 is 'AA' again and again
_TIME = r"(?:[01]\d|2[0-3])(?::?[0-5]\d(?::?(?:[0-5]\d|60)(?:\.\d{1,6})?)?)?"
_SHAPES = {
    "DA": re.compile(r"\d{8}|\d{4}\.\d\d\.\d\d"),
    "TM": re.compile(_TIME),
    "DT": re.compile(rf"(?:\d{{4}}|\d{{6}}|\d{{8}}(?:{_TIME})?)(?:[+-][01]\d[0-5]\d)?"),
}


def are_decimals(said: str) -> bool:
    """Whether a DS or IS value holds numbers only.

    >>> are_decimals("72.5"), are_decimals("72 kg, Mrs Huber")
    (True, False)
    """
    return bool(_DECIMALS.match(said))


def are_numbers(raw: bytes, vr: str, spelled: str, vm: str) -> bool:
    """Whether bytes are binary numbers, as many as belong there, and no text.

    Args:
        raw: the value.
        vr: of the standard, one of `NUMBERS`.
        spelled: the VR in the file; empty where it writes none.
        vm: how many, as the dictionary says it (``1``, ``3``, ``1-n``).

    >>> are_numbers(b"\\0\\2\\0\\2", "US", "US", "2"), are_numbers(b"PETERSEN", "US", "US", "1-n")
    (True, False)
    """
    if spelled in ("DS", "IS"):
        return are_decimals(str(raw, "latin-1").strip(" \0"))
    if spelled not in NUMBERS and spelled not in _OF_ANY:
        return False
    width = NUMBERS.get(spelled, NUMBERS[vr])
    fits = len(raw) == width * int(vm) if vm.isdigit() else len(raw) % width == 0
    return fits and not (_is_said(raw) and (vr != "FL" or len(raw) >= _SURELY_SAID or _is_odd(raw)))


def _is_said(raw: bytes) -> bool:
    """Whether bytes are a text: all can be printed, and several letters stand together."""
    if len(raw) < _SHORTEST_SAID or not _SAID.match(raw):
        return False
    return len({b for b in raw if chr(b).isalpha()}) >= _DIFFERENT_LETTERS


def _is_odd(raw: bytes) -> bool:
    """Whether four bytes each make a number that nobody measures."""
    least, most = _MEASURED
    several = struct.unpack(f"<{len(raw) // 4}f", raw[: len(raw) // 4 * 4])
    return any(value and not least < abs(value) < most for value in several)


def are_moments(vr: str, said: str) -> bool:
    """Whether every value is a date (DA), a time of day (TM) or both (DT), and nothing else.

    >>> are_moments("TM", "101500.25"), are_moments("TM", "0351.4772123"), are_moments("DT", "20240301\\\\2024")
    (True, False, True)
    """
    shape = _SHAPES[vr]
    return all(shape.fullmatch(one.strip()) for one in said.split("\\") if one.strip())
