"""Whether a data set fits the keys of a query, and what of it is answered (PS3.4 section C.2.2.2).

Both are in the DICOM JSON model. Single values, lists of UIDs, wildcards, ranges of dates and times, and sequences
whose one item must fit one item of the candidate. Names are compared without regard to case, each of their groups.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from isocenter.dicom.model import Model, text

__all__ = ["asked_by", "fits", "project"]

_WILD: Final = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_RANGED: Final = frozenset({"DA", "TM", "DT"})
_NOT_KEYS: Final = frozenset({"00080005", "00080052", "00080201"})  # how it is said, not what is asked for


def fits(candidate: Mapping[str, Any], keys: Mapping[str, Any]) -> bool:
    """Whether every key fits; an empty key fits everything and asks for the value in return."""
    return all(_fits(candidate.get(tag, {}), key) for tag, key in keys.items() if tag not in _NOT_KEYS)


def _fits(held: Mapping[str, Any], key: Mapping[str, Any]) -> bool:
    wanted = key.get("Value") or []
    if not wanted or wanted == [None]:
        return True
    have = held.get("Value") or []
    if key.get("vr") == "SQ":
        asked = wanted[0]
        if not _asks(asked):
            return True
        return any(fits(item, asked) for item in have if isinstance(item, Mapping))
    vr = str(key.get("vr", ""))
    return any(_one(text(value), text(one), vr) for one in wanted for value in (have or [""]))


def asked_by(keys: Mapping[str, Any]) -> tuple[str, ...]:
    """Keywords of the keys of a query that hold a value, those within a sequence among them; never a value.

    >>> asked_by({"00100020": {"vr": "LO", "Value": ["P1"]}, "00100010": {"vr": "PN"}})
    ('PatientID',)
    """
    from pydicom.datadict import keyword_for_tag

    found: list[str] = []
    for tag, key in keys.items():
        values = key.get("Value") or []
        if key.get("vr") == "SQ":
            found += [one for item in values if isinstance(item, Mapping) for one in asked_by(item)]
        elif tag not in _NOT_KEYS and any(text(v) for v in values if v is not None):
            found.append((keyword_for_tag(tag) if re.fullmatch("[0-9A-Fa-f]{8}", tag) else "") or tag[:16])
    return tuple(dict.fromkeys(found))


def _asks(item: Mapping[str, Any]) -> bool:
    """Whether a key's item holds any value at all."""
    for element in item.values():
        values = element.get("Value") or []
        if element.get("vr") == "SQ":
            if any(_asks(one) for one in values):
                return True
        elif any(text(v) for v in values):
            return True
    return False


def _one(value: str, wanted: str, vr: str) -> bool:
    if not wanted or (wanted == "*" and vr in _WILD):
        return True
    if not value:
        return False
    if vr in _RANGED:
        return _in_range(value, wanted, vr)
    if vr == "PN":
        return _name(value, wanted)
    if vr in _WILD and ("*" in wanted or "?" in wanted):
        return _pattern(wanted).fullmatch(value) is not None
    return value.strip() == wanted.strip()


@lru_cache(256)
def _pattern(wanted: str) -> re.Pattern[str]:
    # Several stars in a row say no more than one, and would make the search slow.
    parts = re.split(r"(\*+|\?)", wanted)
    return re.compile("".join(".*" if p.startswith("*") else "." if p == "?" else re.escape(p) for p in parts), re.S)


def _name(value: str, wanted: str) -> bool:
    asked = [g.rstrip("^ ").casefold() for g in wanted.split("=")]
    have = [g.rstrip("^ ").casefold() for g in value.split("=")]
    if len(asked) == 1:
        return any(_group(group, asked[0]) for group in have if group)
    return all(_group(h, a) for h, a in zip([*have, "", "", ""], asked, strict=False) if a)


def _group(value: str, wanted: str) -> bool:
    if "*" in wanted or "?" in wanted:
        return _pattern(wanted).fullmatch(value) is not None
    return value == wanted


def _in_range(value: str, wanted: str, vr: str) -> bool:
    low, dash, high = _split(wanted, vr)
    at = _moment(value, vr, "0")
    if not dash:
        return _moment(value, vr, "0") == _moment(wanted, vr, "0")
    return (not low or at >= _moment(low, vr, "0")) and (not high or at <= _moment(high, vr, "9"))


def _split(wanted: str, vr: str) -> tuple[str, str, str]:
    if vr == "DT":
        # A minus may also begin an offset from UTC, -1200 at most; a year is later than that.
        wanted = re.sub(r"-(0\d{3}|1[0-2]\d{2})(?=$|-)", r"+\1", wanted)
    return wanted.partition("-")


def _moment(said: str, vr: str, fill: str) -> str:
    """Digits of equal length, so that text compares as time does; what was left out is the earliest or the latest."""
    plain = said.strip().replace(":", "")
    if vr == "DA":
        return plain.replace(".", "")[:8].ljust(8, fill)
    body = re.sub(r"[+-]\d{4}$", "", plain) if vr == "DT" else plain
    whole, _, fraction = body.partition(".")
    return whole.ljust(14 if vr == "DT" else 6, fill) + fraction.ljust(6, fill)[:6]


def project(candidate: Mapping[str, Any], keys: Mapping[str, Any]) -> tuple[Model, bool]:
    """What is answered: the attributes that were asked for, and whether each of them is known here.

    An empty sequence key asks for whole items; one with an item asks for those of its attributes, and of the
    candidate's items only those that fit.
    """
    made: Model = {}
    complete = True
    for tag, key in keys.items():
        if tag in _NOT_KEYS:
            continue
        held = candidate.get(tag)
        if held is None:
            made[tag], complete = {"vr": key.get("vr", "UN")}, False
        elif key.get("vr") == "SQ" and key.get("Value") and key["Value"][0]:
            asked = key["Value"][0]
            inner = [project(item, asked) for item in held.get("Value") or () if fits(item, asked)]
            made[tag] = {"vr": "SQ", "Value": [item for item, _ in inner]}
            complete = complete and all(whole for _, whole in inner)
        else:
            made[tag] = dict(held)
    return made, complete
