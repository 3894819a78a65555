"""What becomes of one plain value: kept, cleaned, moved, mapped, emptied or made neutral.

The walk (`cleaning`) says which attribute it is and what the table asks for. A value stays only where it is what its
kind says: a number, a date, a code that is published, known words. Whatever else it holds may be anybody's name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

from isocenter.dicom.coded_words import is_known
from isocenter.dicom.confidentiality import Act, Option
from isocenter.dicom.elements import Dataset, File, Slot
from isocenter.dicom.facts import text
from isocenter.dicom.pseudonyms import Pseudonyms, moved_date, moved_moment
from isocenter.dicom.published import is_kind_of_image, is_shaped, meaning_of
from isocenter.dicom.reviewed import DATA, TECHNICAL
from isocenter.dicom.streams import neutral_profile
from isocenter.dicom.subject_context import OLDEST_YEARS
from isocenter.dicom.true_kind import BULK, NUMBERS, are_decimals, are_moments, are_numbers
from isocenter.dicom.wording import cleaned, holds, is_clean, may_name, vocabulary

__all__ = [
    "CLEANED",
    "EMPTIED",
    "EMPTY",
    "KEPT",
    "MAPPED",
    "MOVED",
    "NEUTRAL",
    "OF_A_CODE",
    "REMOVED",
    "WRITTEN",
    "Rule",
    "Values",
    "charsets_of",
]

KEPT, CLEANED, MOVED, MAPPED, EMPTY = "kept", "cleaned", "moved", "mapped", "empty already"
NEUTRAL, EMPTIED, REMOVED, WRITTEN = "made neutral", "emptied", "removed", "written over"

_ICC, _AGE, _CHARSET, _MODALITY = 0x00282000, 0x00101010, 0x00080005, 0x00080060
_SCHEME, _CODE_VALUE, _LONG_CODE, _MEANING = 0x00080102, 0x00080100, 0x00080119, 0x00080104
OF_A_CODE = frozenset({_SCHEME, _CODE_VALUE, _LONG_CODE, _MEANING})  # judged by the scheme beside them
_LAYER_TEXT = 0x00700006
_TEXT = frozenset({"LO", "SH", "ST", "LT", "UT", "UC"})
_ONE_TEXT = frozenset({"ST", "LT", "UT", "UR"})  # a backslash is a character in these
_REPERTOIRE = re.compile(r"(?:\\?(?:ISO_IR \d{1,3}|ISO 2022 IR \d{1,3}|GB18030|GBK)?)*\Z")
_MOMENT = re.compile(r"[0-9.:+\- \\]*\Z")
_ZONE = re.compile(r"[+-]\d{4}\Z")
_LOCAL_CODE = re.compile(r"(?=[A-Z._-]*[0-9])[A-Z0-9._-]{1,16}\Z")  # letters alone may be anybody
_LETTERS, _SHORT_LETTERS, _FEW_DIGITS = re.compile(r"[A-Z]+"), 3, 3  # of a local code that can be nobody's
_SHAPED = frozenset({"DA", "TM", "DT"})
_LONGEST_STAMP = 16  # bytes of a time that is written in binary
_OF_PATIENTS = frozenset({"M", "F", "O", "YES", "NO", "UNKNOWN", "ALTERED", "UNALTERED"})  # sex, smoking, neutered
_LABELS = frozenset({"GraphicLayer"})
_WAVE, _SIZE_OF_WAVE = 0x54001010, ((0x003A0005, "H"), (0x003A0010, "I"), (0x54001004, "H"))
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


class Values:
    """Values of one object.

    Args:
        file: its places.
        rule: how it is cleaned.
    """

    def __init__(self, file: File, rule: Rule) -> None:
        self.file, self.rule = file, rule
        self.charsets = charsets_of(file, file.dataset)  # of the item under way

    def value(
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
            return NEUTRAL, self.dummy(vr, slot)
        if letter == "U":
            return MAPPED, self.uids(slot, mapped=True)
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
            return KEPT, self.uids(slot, mapped=False)
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
            return MAPPED if mapped else KEPT, self.uids(slot, mapped=mapped)
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
                return NEUTRAL, self.dummy(vr, slot)
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
            return NEUTRAL, self.dummy(vr, slot)
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

    def uids(self, slot: Slot, *, mapped: bool) -> bytes:
        said = str(self.file.raw(slot), "latin-1").strip(" \0")
        if not mapped:
            return "\\".join(u for u in said.split("\\") if set(u) <= set("0123456789.")).encode()
        return "\\".join(self.rule.by.uid(u.strip(" \0")) if u.strip(" \0") else "" for u in said.split("\\")).encode()

    def dummy(self, vr: str, slot: Slot) -> bytes:
        if vr == "UI":
            return self.uids(slot, mapped=True)
        if vr in NUMBERS:
            return b"\0" * (slot[2] - slot[1])
        return _DUMMY[vr].encode() if vr in _DUMMY else b"\0\0"


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
