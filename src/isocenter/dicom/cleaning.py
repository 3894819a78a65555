"""A data set written anew, element by element, by the table: nothing reaches the copy that was not judged.

The walk follows the places that `elements.parse` found; every element is removed, emptied, made neutral, mapped, moved,
cleaned or kept, at any depth, and the report counts which. What the table does not name is kept only where its kind
of value can name nobody (numbers, codes, geometry); unknown and private attributes go unless they were reviewed.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache

from isocenter.dicom.burned_in import region_bits
from isocenter.dicom.coded_words import is_known
from isocenter.dicom.confidentiality import Act, Option, acts, safe_private, table
from isocenter.dicom.elements import PIXELS, Dataset, File, Slot
from isocenter.dicom.facts import text
from isocenter.dicom.outcomes import LONGEST, Outcome, outcomes
from isocenter.dicom.pseudonyms import Pseudonyms, moved_date, moved_moment
from isocenter.dicom.published import is_kind_of_image, is_shaped, meaning_of
from isocenter.dicom.reviewed import DATA, TECHNICAL
from isocenter.dicom.streams import fragments, native_pixels, neutral_profile
from isocenter.dicom.subject_context import OLDEST_YEARS, Tells, oldest_of, tells
from isocenter.dicom.true_kind import BULK, NUMBERS, are_decimals, are_moments, are_numbers
from isocenter.dicom.wording import cleaned, holds, is_clean, may_name, vocabulary

__all__ = ["Cleaner", "Report", "Rule", "charsets_of", "element", "item"]

KEPT, CLEANED, MOVED, MAPPED, EMPTY = "kept", "cleaned", "moved", "mapped", "empty already"
NEUTRAL, EMPTIED, REMOVED, WRITTEN = "made neutral", "emptied", "removed", "written over"

_PIXEL_TAGS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
_ICC, _AGE, _CHARSET, _MODALITY = 0x00282000, 0x00101010, 0x00080005, 0x00080060
_SIGNED = 0x00280103
_SCHEME, _CODE_VALUE, _LONG_CODE, _MEANING = 0x00080102, 0x00080100, 0x00080119, 0x00080104
_OF_A_CODE = frozenset({_SCHEME, _CODE_VALUE, _LONG_CODE, _MEANING})  # judged by the scheme beside them
_LAYER_TEXT = 0x00700006
_LONG_FORM = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
_TEXT = frozenset({"LO", "SH", "ST", "LT", "UT", "UC"})
_ONE_TEXT = frozenset({"ST", "LT", "UT", "UR"})  # a backslash is a character in these
_REPERTOIRE = re.compile(r"(?:\\?(?:ISO_IR \d{1,3}|ISO 2022 IR \d{1,3}|GB18030|GBK)?)*\Z")
_MOMENT = re.compile(r"[0-9.:+\- \\]*\Z")
_ZONE = re.compile(r"[+-]\d{4}\Z")
_LOCAL_CODE = re.compile(r"(?=[A-Z._-]*[0-9])[A-Z0-9._-]{1,16}\Z")  # letters alone may be anybody
_LETTERS, _SHORT_LETTERS, _FEW_DIGITS = re.compile(r"[A-Z]+"), 3, 3  # of a local code that can be nobody's
# What an overlay of the kind region is made of: VR, how many.
_OF_A_REGION = {
    0x0010: ("US", "1"), 0x0011: ("US", "1"), 0x0015: ("IS", "1"), 0x0040: ("CS", "1"), 0x0050: ("SS", "2"),
    0x0051: ("US", "1"), 0x0100: ("US", "1"), 0x0102: ("US", "1"), 0x3000: ("OW", "1"),
}  # fmt: skip
_SHAPED = frozenset({"DA", "TM", "DT"})
_LONGEST_STAMP = 16  # bytes of a time that is written in binary
_OF_PATIENTS = frozenset({"M", "F", "O", "YES", "NO", "UNKNOWN", "ALTERED", "UNALTERED"})  # sex, smoking, neutered
_LABELS = frozenset({"GraphicLayer"})
_WAVE, _SIZE_OF_WAVE = 0x54001010, ((0x003A0005, "H"), (0x003A0010, "I"), (0x54001004, "H"))
_TOLD_AS_TEXT = frozenset({0x0040A160, 0x0040A123})
_TOLD_AS_DAY = frozenset({0x0040A120, 0x0040A121, 0x0040A13A})
_MEASURED, _NUMBER = 0x0040A300, 0x0040A30A
_OTHER_NUMBERS = frozenset({0x0040A161, 0x0040A162, 0x0040A163})  # the same number in floating point or as a fraction
_SCHEMES = "DCM SCT SRT SNM3 LN UCUM RADLEX RADELEMENT FMA NCIt IBSI UMLS MDC ICD10 I10 I9C"
_PUBLISHED_SCHEMES = frozenset(_SCHEMES.split())

_DUMMY = {
    "PN": "Anonymous", "DA": "19000101", "TM": "000000", "DT": "19000101000000", "AS": "000Y", "DS": "0", "IS": "0",
    "UR": "urn:removed", "LO": "REMOVED", "SH": "REMOVED", "ST": "REMOVED", "LT": "REMOVED", "UT": "REMOVED",
    "UC": "REMOVED", "AE": "REMOVED", "CS": "REMOVED",
}  # fmt: skip


@dataclass(frozen=True)
class Rule:
    """How one object is cleaned.

    Args:
        by: where pseudonyms come from.
        options: of the table.
        keep: keywords that are kept although the table would not.
        days: how far this patient's dates move.
        banned: words, in small letters, that no text may keep.
        empty, remove: keywords that are emptied or removed although the table would keep them.
        write: keywords with the constant that is written over their value.
    """

    by: Pseudonyms
    options: frozenset[Option]
    days: int
    keep: frozenset[str] = frozenset()
    banned: Collection[str] = frozenset()
    empty: frozenset[str] = frozenset()
    remove: frozenset[str] = frozenset()
    write: frozenset[tuple[str, str]] = frozenset()

    @cached_property
    def constants(self) -> Mapping[str, str]:
        """`write` by keyword."""
        return dict(self.write)

    def asked(self, keyword: str) -> Act | None:
        """What was asked for an attribute by name, whatever the table says."""
        for letter, names in (("X", self.remove), ("Z", self.empty), ("K", self.keep)):
            if keyword in names:
                return Act(letter)
        return None


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
        self.charsets = charsets_of(file, file.dataset)
        self.pixels: set[int] = set()
        self._lonely = True  # whether the outcome under way depends on no other element
        spelled = all(slot[0] for slot in file.dataset.values())
        way = (self.explicit, file.little, spelled, self.charsets, file.integer(_SIGNED))
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
            around, self.charsets = self.charsets, charsets_of(self.file, among)
            try:
                return self._parts(among, path, mode, extra or {})
            finally:
                self.charsets = around
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
        if slot[2] - slot[1] > LONGEST or tag in _OF_A_CODE:
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
        return self._uids(slot, mapped=act is None or act.letter != "K").decode()

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
        return len(said) <= 64 and all(is_known("", v.strip()) for v in said.split("\\")) and not self._names(said)

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
            value: bytes | None = self._dummy(vr, slot)
        else:
            what, value = self._value(tag, slot, among, (vr, vm, keyword), mode, act)
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

    # ---- values ----------------------------------------------------------------------------------------------

    def _value(
        self, tag: int, slot: Slot, among: Dataset, entry: tuple[str, str, str], mode: str, act: Act | None
    ) -> tuple[str, bytes | None]:
        """What is done with a plain value, and what is written (None: nothing)."""
        vr, vm, keyword = entry
        if act is None:
            return self._unlisted(tag, slot, among, vr, vm, keyword, mode)
        letter = act.letter
        if letter == "X":
            return REMOVED, None
        if slot[1] == slot[2]:
            return EMPTY, b""
        if letter == "Z":
            return EMPTIED, b""
        if letter == "D" and not (mode == "keep" and vr in _TEXT):
            if tag == _LAYER_TEXT and Option.GRAPHICS in self.rule.options:
                return CLEANED, self._words(tag, slot, among, vr) or b"REMOVED"
            return NEUTRAL, self._dummy(vr, slot)
        if letter == "U":
            return MAPPED, self._uids(slot, mapped=True)
        if letter == "C":
            return self._cleaned(tag, slot, among, vr, act)
        if vr == "AS" or tag == _AGE:
            return KEPT, _age(self.file.ascii(tag, among)).encode()
        if act.option is Option.PATIENT and (vr in _TEXT or vr == "CS"):
            return self._characteristic(tag, slot, among, vr)
        if act.option is None:  # asked for by name
            return KEPT, self.file.raw(slot)
        return self._of_its_kind(slot, self.file.ascii(tag, among), vr, vm, dates=act.option is Option.FULL_DATES)

    def _of_its_kind(self, slot: Slot, said: str, vr: str, vm: str, *, dates: bool) -> tuple[str, bytes | None]:
        """A value that an option keeps, where it is what its kind says; else it may be anything."""
        raw = self.file.raw(slot)
        if vr in NUMBERS:
            return (KEPT, raw) if are_numbers(raw, vr, slot[0], vm) else (REMOVED, None)
        if vr == "UI":
            return KEPT, self._uids(slot, mapped=False)
        if dates and vr in BULK:
            return (KEPT, raw) if len(raw) <= _LONGEST_STAMP else (REMOVED, None)  # a certificate names its owner
        if vr in _SHAPED:
            return (KEPT, raw) if are_moments(vr, said) else (EMPTIED, b"")
        if vr in ("DS", "IS"):
            return (KEPT, raw) if are_decimals(said) else (EMPTIED, b"")
        return (EMPTIED, b"") if dates and not _MOMENT.match(said) else (KEPT, raw)

    def _characteristic(self, tag: int, slot: Slot, among: Dataset, vr: str) -> tuple[str, bytes | None]:
        """What is kept of a patient must be what it says it is: a code or known words."""
        if vr == "CS" and self.file.ascii(tag, among) in _OF_PATIENTS:
            return KEPT, self.file.raw(slot)
        return CLEANED, self._words(tag, slot, among, vr)

    def _cleaned(self, tag: int, slot: Slot, among: Dataset, vr: str, act: Act) -> tuple[str, bytes | None]:
        if act.option is Option.MODIFIED_DATES:
            return self._moved(tag, among, vr)
        if vr in _TEXT or vr == "UR":
            left = self._words(tag, slot, among, vr)
            return CLEANED, left or (b"REMOVED" if act.basic == "D" else b"")
        if vr == "CS":
            return CLEANED, self._words(tag, slot, among, vr)[:16]
        return REMOVED, None

    def _moved(self, tag: int, among: Dataset, vr: str) -> tuple[str, bytes | None]:
        said = self.file.ascii(tag, among)
        values = said.split("\\") if said else []
        if vr == "DA":
            return MOVED, "\\".join(moved_date(v, self.rule.days) for v in values).encode()
        if vr == "DT":
            return MOVED, "\\".join(moved_moment(v, self.rule.days) for v in values).encode()
        if vr == "TM":  # whole days are moved: the time of day tells intervals and nobody's name
            return KEPT, "\\".join(v for v in values if are_moments(vr, v)).encode()
        if vr == "SH" and _ZONE.match(said):
            return KEPT, said.encode()
        return REMOVED, None

    def _unlisted(
        self, tag: int, slot: Slot, among: Dataset, vr: str, vm: str, keyword: str, mode: str
    ) -> tuple[str, bytes | None]:
        raw = self.file.raw(slot)
        if not raw:
            return EMPTY, b""
        if vr in NUMBERS:
            if not are_numbers(raw, vr, slot[0], vm):
                return REMOVED, None
            return (NEUTRAL, b"\0" * len(raw)) if mode == "neutral" else (KEPT, raw)
        if vr == "UI":
            mapped = Option.UIDS not in self.rule.options
            return MAPPED if mapped else KEPT, self._uids(slot, mapped=mapped)
        if vr in BULK:
            if tag == _ICC:
                profile = neutral_profile(raw)
                return (CLEANED, profile) if profile else (REMOVED, None)
            return (KEPT, self._of_wave(raw, among) if tag == _WAVE else raw) if keyword in DATA else (REMOVED, None)
        if vr in _TEXT:
            return self._unlisted_text(tag, slot, among, vr, keyword, mode)
        said = self.file.ascii(tag, among)
        if vr in ("DS", "IS"):
            if not are_decimals(said):
                return EMPTIED, b""
            return (NEUTRAL, b"0") if mode == "neutral" else (KEPT, raw)
        if vr == "CS":
            if tag == _CHARSET:
                return (KEPT, raw) if _REPERTOIRE.match(said) else (EMPTIED, b"")
            if tag == _MODALITY and not is_kind_of_image(said):
                return CLEANED, b"OT"
            return self._code(keyword, said, raw)
        if vr in ("DA", "TM", "DT"):
            if mode == "neutral":
                return NEUTRAL, self._dummy(vr, slot)
            if Option.FULL_DATES in self.rule.options:
                return (KEPT, raw) if are_moments(vr, said) else (EMPTIED, b"")
            return self._moved(tag, among, vr) if Option.MODIFIED_DATES in self.rule.options else (EMPTIED, b"")
        if vr == "AS" and Option.PATIENT in self.rule.options:
            return KEPT, _age(said).encode()
        return EMPTIED, b""

    def _of_wave(self, raw: bytes, among: Dataset) -> bytes:
        """Samples of a waveform without what stands behind the last of them."""
        said = (self.file.numbers(tag, among, code) for tag, code in _SIZE_OF_WAVE)
        channels, samples, bits = (int(next(iter(some), 0)) for some in said)
        length = channels * samples * bits // 8
        return raw[: length + length % 2] if length else raw

    def _unlisted_text(
        self, tag: int, slot: Slot, among: Dataset, vr: str, keyword: str, mode: str
    ) -> tuple[str, bytes | None]:
        if mode == "keep":
            return KEPT, self.file.raw(slot)
        said = text(self.file, tag, self.charsets, among)
        if tag in (_CODE_VALUE, _LONG_CODE, _MEANING, _SCHEME):
            if (published := self._published(tag, said, among)) is not None:
                return (KEPT, self.file.raw(slot)) if published == said else (CLEANED, published.encode())
            if mode == "neutral":
                return NEUTRAL, b"REMOVED"
            if tag == _MEANING:
                return CLEANED, self._words(tag, slot, among, vr) or b"REMOVED"
            if is_clean(said, self.rule.banned):
                return KEPT, self.file.raw(slot)
            if not _LOCAL_CODE.match(said) or holds(said, self.rule.banned):
                return NEUTRAL, b"REMOVED"
            if _is_nobodys(said):
                return KEPT, self.file.raw(slot)
            return MAPPED, self._label(said, "CODE").encode()  # what was equal stays equal
        if mode == "neutral":
            return NEUTRAL, self._dummy(vr, slot)
        if keyword in TECHNICAL:
            if holds(said, self.rule.banned):
                return EMPTIED, b""
            if not may_name(said):
                return KEPT, self.file.raw(slot)
        # Something must stand there: many of these attributes may not be without a value (Type 1).
        return CLEANED, self._words(tag, slot, among, vr) or b"REMOVED"

    def _published(self, tag: int, said: str, among: Dataset) -> str | None:
        """What stands for a part of a code whose scheme is published; None where it is text like any other."""
        scheme = self.file.ascii(_SCHEME, among)
        if scheme not in _PUBLISHED_SCHEMES or holds(said, self.rule.banned):
            return None
        if tag == _SCHEME:
            return said
        value = self.file.ascii(_CODE_VALUE, among) or self.file.ascii(_LONG_CODE, among)
        meaning = meaning_of(scheme, value)
        if tag == _MEANING:  # anybody's name may stand as the meaning of a known code
            same = said == meaning or (said == value and is_shaped(scheme, said))  # units are said by themselves
            return said if same or is_clean(said, self.rule.banned) else meaning or None
        return said if meaning or is_shaped(scheme, said) else None

    def _words(self, tag: int, slot: Slot, among: Dataset, vr: str) -> bytes:
        said = text(self.file, tag, self.charsets, among)
        values = [said] if vr in _ONE_TEXT else said.split("\\")
        return "\\".join(cleaned(v, self.rule.banned) for v in values).strip("\\").encode("ascii", "ignore")

    def _code(self, keyword: str, said: str, raw: bytes) -> tuple[str, bytes | None]:
        """A coded value: what is not known as a code may be a name, and gives way to its known words."""
        values = [v.strip(" \0") for v in said.split("\\")]
        known = [is_known(keyword, v) and not self._names(v) for v in values]
        if all(known):
            return KEPT, raw
        if keyword in _LABELS:  # other attributes of the object name the same layer
            return CLEANED, "\\".join(v if k else self._label(v) for v, k in zip(values, known, strict=True)).encode()
        nothing = "REMOVED" if len(values) == 1 else "OTHER"  # the place of a value in a row tells what it is
        left = [
            v if k else cleaned(v.replace("_", " "), self.rule.banned).upper()[:16].strip() or nothing
            for v, k in zip(values, known, strict=True)
        ]
        return CLEANED, "\\".join(left).encode()

    def _label(self, said: str, kind: str = "LABEL") -> str:
        return f"{kind} {self.rule.by.uid(said)[-8:]}"

    def _names(self, said: str) -> bool:
        return holds(said, self.rule.banned)

    def _uids(self, slot: Slot, *, mapped: bool) -> bytes:
        said = str(self.file.raw(slot), "latin-1").strip(" \0")
        if not mapped:
            return "\\".join(u for u in said.split("\\") if set(u) <= set("0123456789.")).encode()
        return "\\".join(self.rule.by.uid(u.strip(" \0")) if u.strip(" \0") else "" for u in said.split("\\")).encode()

    def _dummy(self, vr: str, slot: Slot) -> bytes:
        if vr == "UI":
            return self._uids(slot, mapped=True)
        if vr in NUMBERS:
            return b"\0" * (slot[2] - slot[1])
        return _DUMMY[vr].encode() if vr in _DUMMY else b"\0\0"


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


def charsets_of(file: File, among: Dataset) -> tuple[str, ...]:
    """The character sets that a data set names for itself."""
    return tuple(c.strip() for c in file.ascii(_CHARSET, among).split("\\")) if _CHARSET in among else ()


def _is_nobodys(code: str) -> bool:
    """Whether a local code can be nobody's name nor number: few digits, and letters that are few or a known word.

    >>> _is_nobodys("A-17"), _is_nobodys("CT THORAX2"), _is_nobodys("MEYER7"), _is_nobodys("MRN4711")
    (True, True, False, False)
    """
    known = vocabulary()
    short = all(len(run) <= _SHORT_LETTERS or run.lower() in known for run in _LETTERS.findall(code))
    return short and sum(c.isdigit() for c in code) <= _FEW_DIGITS


def _age(said: str) -> str:
    if len(said) == 4 and said[:3].isdecimal() and said[3] == "Y":
        return f"{OLDEST_YEARS + 1:03}Y" if int(said[:3]) > OLDEST_YEARS else said
    return said if len(said) == 4 and said[:3].isdecimal() and said[3] in "DWM" else ""


def _why(act: Act | None) -> str:
    if act is None:
        return "not in the table"
    return f"option {act.option}" if act.option else "basic profile"
