"""A data set written anew, element by element, by the table: nothing reaches the copy that was not judged.

The walk follows the places that `elements.parse` found; every element is removed, emptied, made neutral, mapped, moved,
cleaned or kept, at any depth, and the report counts which. What the table does not name is kept only where its kind
of value can name nobody (numbers, codes, geometry); unknown and private attributes go unless they were reviewed.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache

from isocenter.dicom.burned_in import region_bits
from isocenter.dicom.coded_words import is_known
from isocenter.dicom.confidentiality import Act, Option, acts, safe_private, table
from isocenter.dicom.elements import PIXELS, Dataset, File, Slot
from isocenter.dicom.outcomes import LONGEST, Outcome, outcomes
from isocenter.dicom.plain_values import (
    CLEANED,
    EMPTIED,
    KEPT,
    NEUTRAL,
    OF_A_CODE,
    REMOVED,
    WRITTEN,
    Rule,
    Values,
    charsets_of,
)
from isocenter.dicom.streams import fragments, native_pixels
from isocenter.dicom.subject_context import Tells, oldest_of, tells
from isocenter.dicom.true_kind import BULK, NUMBERS, are_decimals, are_numbers
from isocenter.dicom.wording import holds

__all__ = ["Cleaner", "Report", "element", "item"]

_PIXEL_TAGS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
_CHARSET, _SIGNED = 0x00080005, 0x00280103
_LONG_FORM = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
# What an overlay of the kind region is made of: VR, how many.
_OF_A_REGION = {
    0x0010: ("US", "1"), 0x0011: ("US", "1"), 0x0015: ("IS", "1"), 0x0040: ("CS", "1"), 0x0050: ("SS", "2"),
    0x0051: ("US", "1"), 0x0100: ("US", "1"), 0x0102: ("US", "1"), 0x3000: ("OW", "1"),
}  # fmt: skip
_TOLD_AS_TEXT = frozenset({0x0040A160, 0x0040A123})
_TOLD_AS_DAY = frozenset({0x0040A120, 0x0040A121, 0x0040A13A})
_MEASURED, _NUMBER = 0x0040A300, 0x0040A30A
_OTHER_NUMBERS = frozenset({0x0040A161, 0x0040A162, 0x0040A163})  # the same number in floating point or as a fraction


@dataclass
class Report:
    """What was done: (attribute with its path, what was done, what decided) and how often."""

    done: Counter[tuple[str, str, str]] = field(default_factory=Counter)


@cache
def _dictionary() -> dict[int, tuple[str, str, str]]:
    from pydicom.datadict import DicomDictionary

    known = {tag: (e[0], e[1], e[4]) for tag, e in DicomDictionary.items() if e[4]}
    for line in table():  # attributes that are younger than the dictionary
        if "x" not in line.tag:
            known.setdefault(int(line.tag, 16), ("", "1-n", line.keyword))
    return known


def element(tag: int, vr: str, value: bytes, *, explicit: bool = True, little: bool = True) -> bytes:
    """One element as it stands in a file; padded to an even length."""
    if len(value) % 2:
        value += _padding(vr)
    return _head(tag, vr, len(value), explicit=explicit, little=little) + value


def _padding(vr: str) -> bytes:
    return b"\0" if vr in BULK or vr == "UI" else b" "


def _head(tag: int, vr: str, length: int, *, explicit: bool, little: bool) -> bytes:
    """What stands before a value of so many bytes."""
    order = "<" if little else ">"
    if not explicit:
        return struct.pack(order + "HHI", tag >> 16, tag & 0xFFFF, length)
    if vr in _LONG_FORM or length > 0xFFFF:  # only a long form has room
        name = vr.encode() if vr in _LONG_FORM else b"UN"
        return struct.pack(order + "HH2s2xI", tag >> 16, tag & 0xFFFF, name, length)
    return struct.pack(order + "HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), length)


def item(content: bytes, *, little: bool = True) -> bytes:
    """One item of a sequence, or one fragment."""
    return struct.pack("<HHI" if little else ">HHI", 0xFFFE, 0xE000, len(content)) + content


class Cleaner:
    """Cleans one object; a fresh one for each."""

    def __init__(self, file: File, rule: Rule, report: Report) -> None:
        self.file, self.rule, self.report = file, rule, report
        self.explicit = file.syntax != "1.2.840.10008.1.2"
        self.acts = acts(rule.options)
        self.values = Values(file, rule)
        self.pixels: set[int] = set()
        self._lonely = True  # whether the outcome under way depends on no other element
        spelled = all(slot[0] for slot in file.dataset.values())
        way = (self.explicit, file.little, spelled, self.values.charsets, file.integer(_SIGNED))
        banned = frozenset(rule.banned)
        asked = (rule.keep, rule.empty, rule.remove, rule.write)
        self._held = outcomes(rule.by, (rule.options, rule.days, *asked, banned, way))

    def dataset(
        self, among: Dataset, path: str = "", *, mode: str = "", extra: Mapping[int, tuple[str, bytes]] | None = None
    ) -> bytes:
        """The bytes of one data set; arguments as `parts`."""
        return b"".join(self.parts(among, path, mode=mode, extra=extra))

    def parts(
        self, among: Dataset, path: str = "", *, mode: str = "", extra: Mapping[int, tuple[str, bytes]] | None = None
    ) -> list[bytes | memoryview]:
        """The elements of one data set, in order; which parts are pixels stands in `pixels`.

        Args:
            mode: "" by the table; "neutral" inside a sequence whose content must tell nothing; "keep" inside one that
                an option keeps.
            extra: elements that are written whatever was there.
        """
        if path and _CHARSET in among:  # an item may be written in letters of its own
            around, self.values.charsets = self.values.charsets, charsets_of(self.file, among)
            try:
                return self._parts(among, path, mode, extra or {})
            finally:
                self.values.charsets = around
        return self._parts(among, path, mode, extra or {})

    def _parts(
        self, among: Dataset, path: str, mode: str, extra: Mapping[int, tuple[str, bytes]]
    ) -> list[bytes | memoryview]:
        private = self._reviewed_private(among)
        parts: list[bytes | memoryview] = []
        for tag in sorted(among.keys() | extra.keys()):
            if tag in extra:
                vr, value = extra[tag]
                parts.append(self._element(tag, vr, value))
                continue
            slot = among[tag]
            if tag & 0xFFFF == 0 or tag == 0xFFFCFFFC:
                continue  # lengths and padding are written anew
            if (tag >> 16) & 1:
                if tag in private:
                    parts.append(self._element(tag, private[tag], self.file.raw(slot)))
                continue
            if tag in _PIXEL_TAGS and not path:
                if tag != PIXELS and PIXELS in among:  # a second picture that nobody looked at
                    self._count("PixelData", REMOVED, "pixels beside pixels")
                    continue
                pieces = self._pixels(tag, slot)
                self.pixels.update(range(len(parts), len(parts) + len(pieces)))
                parts += pieces
                continue
            if path or mode:
                written = self._standard(tag, slot, among, path, mode)
            else:
                written = self._again(tag, slot, among)
            if written:
                parts.append(written)
        return parts

    def _again(self, tag: int, slot: Slot, among: Dataset) -> bytes:
        """An element of the first floor, judged only where the same was not judged before."""
        if slot[2] - slot[1] > LONGEST or tag in OF_A_CODE:
            return self._standard(tag, slot, among, "", "")
        key = (tag, slot[0], self.file.raw(slot))
        known = self._held.find(key)
        if known is None:
            before, self.report, self._lonely = self.report, Report(), True
            try:
                written = self._standard(tag, slot, among, "", "")
                known = Outcome(written, tuple(self.report.done.items()))
            finally:
                self.report = before
            if self._lonely:
                self._held.keep(key, known)
        counts = self.report.done
        for what, count in known.done:
            counts[what] += count
        return known.written

    def renamed(self, tag: int) -> str:
        """A UID of the first floor as the copy has it."""
        slot = self.file.dataset.get(tag)
        if slot is None or slot[3] is not None:
            return ""
        act = self.acts.get(tag)
        return self.values.uids(slot, mapped=act is None or act.letter != "K").decode()

    def _element(self, tag: int, vr: str, value: bytes) -> bytes:
        return element(tag, vr, value, explicit=self.explicit, little=self.file.little)

    def _count(self, name: str, what: str, why: str) -> None:
        self.report.done[name, what, why] += 1

    # ---- private ---------------------------------------------------------------------------------------------

    def _reviewed_private(self, among: Dataset) -> dict[int, str]:
        """Private elements that stay, with their VR; each other one is counted as removed."""
        odd = [tag for tag in among if (tag >> 16) & 1]
        if not odd:
            return {}
        kept: dict[int, str] = {}
        creators = {
            tag: self.file.ascii(tag, among) for tag in odd if 0x10 <= tag & 0xFFFF <= 0xFF and among[tag][3] is None
        }
        named = tuple(creators.items())
        known, unknown = _private_by_creator(tuple(odd), named, Option.SAFE_PRIVATE in self.rule.options)
        self.report.done.update(unknown)
        for tag, vr, block, creator in known:
            if among[tag][3] is None and self._is_harmless(tag, vr, among):
                kept[tag], kept[block] = vr, "LO"
                self._count(f"{_private(tag & 0xFFFF00FF)} {creator}", KEPT, Option.SAFE_PRIVATE)
            else:
                self._count(_private(tag & 0xFFFF00FF), REMOVED, _NOT_REVIEWED)
        return kept

    def _is_harmless(self, tag: int, vr: str, among: Dataset) -> bool:
        """A reviewed attribute must also hold what was reviewed: a number, a code, a short word."""
        slot = among[tag]
        if vr in NUMBERS:
            return slot[0] in ("", "UN", vr) and are_numbers(self.file.raw(slot), vr, slot[0], "1-n")
        said = self.file.ascii(tag, among)
        if vr in ("DS", "IS"):
            return are_decimals(said)
        if vr != "CS":
            said = said.upper().replace("-", " ")
        known = len(said) <= 64 and all(is_known("", v.strip()) for v in said.split("\\"))
        return known and not holds(said, self.rule.banned)

    # ---- standard --------------------------------------------------------------------------------------------

    def _standard(self, tag: int, slot: Slot, among: Dataset, path: str, mode: str) -> bytes:
        group = tag >> 16
        vr, vm, keyword = _dictionary().get(tag, ("", "", ""))
        name = f"{path}{keyword}" if keyword else f"{path}({group:04X},{tag & 0xFFFF:04X})"
        if 0x5000 <= group <= 0x50FF or 0x6000 <= group <= 0x60FF:
            return self._repeating(tag, slot, name)
        if not keyword or group < 0x0008:  # commands, meta information and directories are no part of an object
            self._count(name, REMOVED, "unknown attribute")
            return b""
        spelled = slot[0] if slot[0] not in ("", "??", "UN") else ""
        vr = self._vr(vr or spelled or "UN")
        if slot[3] is not None and vr != "SQ":  # its items would be judged as if the standard had a sequence there
            self._count(name, REMOVED, "a sequence where the standard has a value")
            return b""
        if slot[3] is None and vr == "SQ":
            self._count(name, REMOVED, "a sequence that could not be read")
            return b""
        asked = self.rule.asked(keyword)
        act = asked or self.acts.get(tag)
        if vr == "SQ":
            if tag == _MEASURED and not asked and tells(self.file, among) is Tells.AGE:
                return self._measured_age(slot, name, mode)
            return self._sequence(tag, slot, name, mode, act)
        if (constant := self.rule.constants.get(keyword)) is not None:
            self._count(name, WRITTEN, "asked for by name")
            return self._element(tag, vr, constant.encode("ascii"))
        if not asked and self._tells_of_subject(tag, among):
            what, why = NEUTRAL, "it tells who the report is about"
            value: bytes | None = self.values.dummy(vr, slot)
        else:
            what, value = self.values.value(tag, slot, among, (vr, vm, keyword), mode, act)
            why = "asked for by name" if asked else _why(act)
        self._count(name, what, why)
        if value is None:
            return b""
        # What is written bears the VR that its writer used, unless only the dictionary knows.
        return self._element(tag, spelled or vr, value)

    def _vr(self, vr: str) -> str:
        if " or " not in vr:
            return vr
        if vr.startswith("US"):
            return "SS" if vr == "US or SS" and self.file.integer(0x00280103) else "US"
        return "OW"

    def _sequence(self, tag: int, slot: Slot, name: str, mode: str, act: Act | None) -> bytes:
        letter = act.letter if act else ""
        if letter == "X" or (letter == "Z"):
            self._count(name, REMOVED if letter == "X" else EMPTIED, _why(act))
            return b"" if letter == "X" else self._element(tag, "SQ", b"")
        inside = {"D": "neutral", "K": "keep"}.get(letter, mode)
        if act is not None and act.option is Option.PATIENT:
            inside = mode  # what is kept of a patient is codes and known words, never what somebody wrote
        if act is not None:
            self._count(name, NEUTRAL if letter == "D" else CLEANED if letter in ("C", "U") else KEPT, _why(act))
        items = b"".join(
            self._item(self.dataset(one, f"{name}/", mode=inside)) for one in (slot[3] if slot[0] == "SQ" else [])
        )
        return self._element(tag, "SQ", items)

    def _tells_of_subject(self, tag: int, among: Dataset) -> bool:
        """Whether a value of a content item is the number or the day of birth of whom a report is about."""
        if tag not in _TOLD_AS_TEXT | _TOLD_AS_DAY:
            return False
        self._lonely = False
        if tag in _TOLD_AS_TEXT:
            return tells(self.file, among) is Tells.WHO
        return tells(self.file, among) is Tells.BIRTH

    def _measured_age(self, slot: Slot, name: str, mode: str) -> bytes:
        """The age of whom a report is about; beyond 89 years all are alike."""
        items = b""
        for one in slot[3]:
            if (oldest := oldest_of(self.file, one)) is None:
                items += self._item(self.dataset(one, f"{name}/", mode=mode))
                continue
            self._count(f"{name}/NumericValue", CLEANED, "an age beyond 89 years")
            left = {tag: held for tag, held in one.items() if tag not in _OTHER_NUMBERS}
            items += self._item(
                self.dataset(left, f"{name}/", mode=mode, extra={_NUMBER: ("DS", f"{oldest:g}".encode())})
            )
        return self._element(_MEASURED, "SQ", items)

    def _item(self, content: bytes) -> bytes:
        return item(content, little=self.file.little)

    def _repeating(self, tag: int, slot: Slot, name: str) -> bytes:
        """Overlays stay with the graphics option where they are a region and no drawing; curves never do."""
        self._lonely = False
        group = tag >> 16
        kind = self.file.ascii((group << 16) | 0x0040)
        keeps = Option.GRAPHICS in self.rule.options and 0x6000 <= group <= 0x60FF and kind == "R"
        name = f"overlay ({group & 0xFF00:04X}) {tag & 0xFFFF:04X}" if group >= 0x6000 else "curve"
        vr, vm = _OF_A_REGION.get(tag & 0xFFFF, ("", ""))
        raw = self.file.raw(slot) if keeps and slot[3] is None else b""
        if vr == "OW":
            raw = region_bits(self.file, group, raw)
        fits = {"OW": True, "CS": True, "IS": are_decimals(str(raw, "latin-1").strip(" \0"))}
        if raw and (fits[vr] if vr in fits else vr in NUMBERS and are_numbers(raw, vr, slot[0], vm)):
            self._count(name, KEPT, Option.GRAPHICS)
            return self._element(tag, slot[0] or vr, raw)
        self._count(name, REMOVED, "basic profile")
        return b""

    def _pixels(self, tag: int, slot: Slot) -> list[bytes | memoryview]:
        self._count("PixelData", KEPT, "image")
        if slot[0] != "fragments":
            vr = slot[0] or ("OW" if self.file.integer(0x00280100) > 8 else "OB")
            value = native_pixels(self.file, slot, tag)
            padding = _padding(vr) if len(value) % 2 else b""
            length = len(value) + len(padding)
            return [_head(tag, vr, length, explicit=self.explicit, little=self.file.little), value, padding]
        order = "<" if self.file.little else ">"
        parts: list[bytes | memoryview] = [
            struct.pack(order + "HH2s2sI", tag >> 16, tag & 0xFFFF, b"OB", b"\0\0", 0xFFFFFFFF)
        ]
        for part in fragments(self.file, slot):
            parts.append(self._item(part))
        parts.append(struct.pack(order + "HHI", 0xFFFE, 0xE0DD, 0))
        return parts


_NOT_REVIEWED = "private and not reviewed"


@lru_cache(maxsize=16)  # the same in every object of a series
def _private_by_creator(
    odd: tuple[int, ...], creators: tuple[tuple[int, str], ...], reviewed: bool
) -> tuple[list[tuple[int, str, int, str]], Counter[tuple[str, str, str]]]:
    """Private elements that may stay for their creator's sake (tag, VR, block, creator); what is counted of the others.

    Args:
        odd: tags of private elements.
        creators: (tag, what stands there).
        reviewed: whether reviewed attributes may stay.
    """
    by_block, table_of_them = dict(creators), safe_private() if reviewed else {}
    known: list[tuple[int, str, int, str]] = []
    unknown: Counter[tuple[str, str, str]] = Counter()
    for tag in odd:
        block = tag & 0xFFFF0000 | (tag >> 8 & 0xFF)
        if tag & 0xFFFF <= 0xFF:
            continue
        creator = by_block.get(block, "")
        vr = table_of_them.get((creator, tag >> 16, tag & 0xFF))
        if vr:
            known.append((tag, vr, block, creator))
        else:
            unknown[_private(tag & 0xFFFF00FF), REMOVED, _NOT_REVIEWED] += 1
    return known, unknown


@lru_cache(maxsize=4096)
def _private(tag: int) -> str:
    return f"private ({tag >> 16:04X},xx{tag & 0xFF:02X})"


def _why(act: Act | None) -> str:
    if act is None:
        return "not in the table"
    return f"option {act.option}" if act.option else "basic profile"
