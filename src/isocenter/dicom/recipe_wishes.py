"""What a recipe of another tool asks for, whatever its format: attributes, and places of pixels under conditions."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from isocenter.dicom.confidentiality import Option, table
from isocenter.dicom.elements import File
from isocenter.dicom.facts import text
from isocenter.dicom.streams import Box

__all__ = ["NO_ATTRIBUTE", "Asks", "Line", "Place", "Recipe", "Wishes", "compare", "joined", "tag_of"]

Asks = Callable[[File], bool]
_IDENTITIES = frozenset({
    "PatientName", "PatientID", "OtherPatientIDs", "OtherPatientNames", "PatientBirthName", "PatientMotherBirthName",
    "PatientAddress", "PatientTelephoneNumbers", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID",
    "AccessionNumber", "PatientBirthDate", "IssuerOfPatientID",
})  # fmt: skip
_NEEDED = frozenset({
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "PixelData", "Modality",
    "SpecificCharacterSet", "PatientName", "PatientID", "PatientIdentityRemoved", "DeidentificationMethod",
    "DeidentificationMethodCodeSequence", "BurnedInAnnotation", "LongitudinalTemporalInformationModified",
})  # fmt: skip
_WHOLE_NUMBERS = frozenset({0x00280002, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280102, 0x00280103})
NO_ATTRIBUTE = "no attribute has this name or number"
_GUARDED = "it names somebody, or tells one object from another: it gets a pseudonym whatever is asked"
_STRUCTURE = "without it the object cannot be read, or does not say truthfully what was done to it"


_WORD = r"[ -\[\]-~]"  # what is printed in ASCII, but for the backslash that parts values
_VALUES = {
    "CS": r"[A-Z0-9_][A-Z0-9 _]{0,15}", "SH": f"{_WORD}{{1,16}}", "LO": f"{_WORD}{{1,64}}",
    "PN": r"[ -<>-\[\]-~]{1,64}",
    **dict.fromkeys(("ST", "LT", "UC", "UT"), f"{_WORD}{{1,1024}}"),
}  # fmt: skip
"""VR -> what a constant may be (PS3.5 6.2, narrowed to ASCII)."""
_NO_CONSTANT = {
    "UI": "UIDs are mapped by a key, so that what belongs together stays together",
    **dict.fromkeys(
        ("DA", "TM", "DT"), "dates are moved by one number of days for each patient, so that intervals stay"
    ),
}
_STAYS = "the profile lets it stay: the same value in every copy would say of an image what is not so"
_OF_PATIENT = "the same of every patient would be taken for what they were: it stays or goes as the options say"


@dataclass(frozen=True)
class Line:
    """A line that was not taken over."""

    number: int
    said: str
    why: str


@dataclass(frozen=True)
class Place:
    """What becomes of the pixels of objects whose header fits.

    Args:
        name: as the recipe calls it.
        boxes: (first row, first column, row behind, column behind); none where a person has to look.
    """

    name: str
    asks: Asks
    boxes: tuple[tuple[int, int, int, int], ...] = ()


@dataclass(frozen=True)
class Recipe:
    """What a recipe asks for.

    Args:
        data, again: the file, and what reads it.
        kind: deid, CTP or CTP pixels.
        keep, empty, remove: keywords. write: keyword -> the constant that stands in every copy instead of a value that
            the table takes away.
        first: of several places that fit only the first counts.
        taken: lines that were taken over; refused: those that were not.
    """

    data: bytes
    again: Callable[[bytes], Recipe]
    kind: str
    keep: frozenset[str] = frozenset()
    empty: frozenset[str] = frozenset()
    remove: frozenset[str] = frozenset()
    write: Mapping[str, str] = field(default_factory=dict)
    places: tuple[Place, ...] = ()
    first: bool = False
    taken: int = 0
    refused: tuple[Line, ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return self.again, (self.data,)  # other processes read it again: conditions cannot be sent

    def fitting(self, file: File) -> tuple[Place, ...]:
        """The places whose header fits this object."""
        found = tuple(p for p in self.places if p.asks(file))
        return found[:1] if self.first else found

    def boxes(self, file: File) -> tuple[Box, ...]:
        """What is blanked in every frame of this object, within its rows and columns."""
        rows, columns = file.integer(0x00280010), file.integer(0x00280011)
        cut = (
            (max(t, 0), max(left, 0), min(b, rows), min(right, columns))
            for place in self.fitting(file) for t, left, b, right in place.boxes
        )  # fmt: skip
        return tuple(dict.fromkeys((-1, t, le, b, r) for t, le, b, r in cut if t < b and le < r))

    def report(self) -> dict[str, Any]:
        """What the report of an export says of it."""
        return {
            "kind": self.kind, "digest": hashlib.sha256(self.data).hexdigest(), "lines_taken": self.taken,
            "lines_refused": [{"line": x.number, "said": x.said, "why": x.why} for x in self.refused],
        }  # fmt: skip


def _dictionary() -> tuple[dict[str, int], dict[int, str]]:
    from pydicom.datadict import DicomDictionary

    tags = {entry[4]: tag for tag, entry in DicomDictionary.items() if entry[4]}
    for line in table():
        if "x" not in line.tag:
            tags.setdefault(line.keyword, int(line.tag, 16))
    return tags, {tag: keyword for keyword, tag in tags.items()}


_KNOWN: tuple[dict[str, int], dict[int, str]] | None = None


def tag_of(name: str) -> int | None:
    """The tag of a keyword, of ``(0010,0010)``, ``[0010,0010]`` or ``00100010``."""
    global _KNOWN
    _KNOWN = _KNOWN or _dictionary()
    if match := re.fullmatch(r"[(\[]?([0-9A-Fa-f]{4}),?([0-9A-Fa-f]{4})[)\]]?", name.strip()):
        return int(match[1] + match[2], 16)
    return _KNOWN[0].get(name.strip())


def _keyword(name: str) -> str:
    tag = tag_of(name)
    assert _KNOWN is not None
    return "" if tag is None else _KNOWN[1].get(tag, "")


def _why_not(keyword: str, wanted: str) -> str:
    """Why an attribute cannot be kept, emptied or removed; empty where it can."""
    if not keyword:
        return NO_ATTRIBUTE
    if wanted == "keep":
        return _GUARDED if keyword in _IDENTITIES else ""
    tag = tag_of(keyword) or 0
    return _STRUCTURE if keyword in _NEEDED or tag >> 16 in (0x0002, 0x0028, 0x7FE0) else ""


def _why_no_constant(keyword: str, value: str) -> str:
    """Why a constant cannot stand in an attribute; empty where it can: where the profile takes the value away."""
    from pydicom.datadict import dictionary_VR

    if not keyword:
        return NO_ATTRIBUTE
    if keyword in _IDENTITIES:
        return _GUARDED
    tag = tag_of(keyword) or 0
    if keyword in _NEEDED or tag >> 16 in (0x0002, 0x0028, 0x7FE0):
        return _STRUCTURE
    line = next((one for one in table() if one.keyword == keyword), None)
    if line is None or not set(line.basic) & set("XZD"):
        return _STAYS
    if Option.PATIENT in line.options:
        return _OF_PATIENT
    try:
        vr = dictionary_VR(tag)
    except KeyError:
        return NO_ATTRIBUTE
    if vr not in _VALUES:
        return _NO_CONSTANT.get(vr, f"a constant is taken over where words stand, not where its kind of value is {vr}")
    return "" if re.fullmatch(_VALUES[vr], value) else f"the value is none of kind {vr} in plain letters (PS3.5 6.2)"


class Wishes:
    """What has been taken over and refused so far."""

    def __init__(self) -> None:
        self.by: dict[str, set[str]] = {"keep": set(), "empty": set(), "remove": set()}
        self.write: dict[str, str] = {}
        self.refused: list[Line] = []
        self.taken = 0

    def constant(self, number: int, said: str, name: str, value: str) -> None:
        """The same value in every copy, where the table takes away what stood there."""
        keyword = _keyword(name)
        if why := _why_no_constant(keyword, value):
            self.refuse(number, said, why)
            return
        for others in self.by.values():
            others.discard(keyword)
        self.write[keyword] = value
        self.taken += 1

    def ask(self, number: int, said: str, name: str, wanted: str) -> None:
        keyword = _keyword(name)
        if why := _why_not(keyword, wanted):
            self.refuse(number, said, why)
            return
        for others in self.by.values():  # the last line counts
            others.discard(keyword)
        self.write.pop(keyword, None)
        self.by[wanted].add(keyword)
        self.taken += 1

    def refuse(self, number: int, said: str, why: str) -> None:
        self.refused.append(Line(number, " ".join(said.split())[:120], why))

    def recipe(
        self,
        kind: str,
        data: bytes,
        again: Callable[[bytes], Recipe],
        places: tuple[Place, ...] = (),
        *,
        first: bool = False,
    ) -> Recipe:
        sets = {name: frozenset(held) for name, held in self.by.items()}
        return Recipe(
            data,
            again,
            kind,
            **sets,
            write=dict(self.write),
            places=places,
            first=first,
            taken=self.taken,
            refused=tuple(self.refused),
        )


def _said(file: File, tag: int) -> str | None:
    """What an object says of an attribute at its top; None where it is not there."""
    if tag not in file.dataset:
        return None
    return str(file.integer(tag)) if tag in _WHOLE_NUMBERS else text(file, tag, ()).strip()


def compare(tag: int, how: Callable[[str], bool], *, absent: bool = False) -> Asks:
    def asks(file: File) -> bool:
        said = _said(file, tag)
        return absent if said is None else how(said)

    return asks


def joined(first: Asks, operator: str, second: Asks) -> Asks:
    if operator == "and":
        return lambda file: first(file) and second(file)
    return lambda file: first(file) or second(file)
