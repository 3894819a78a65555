"""Sequences by whose attributes studies and series are searched, kept with a record as they stand in its header.

A department looks for the images of a step that was scheduled (Request Attributes Sequence, which every QIDO-RS search
for series must answer, PS3.18 table 10.6.1-5), of a procedure or a protocol by its code, or for reports of one title.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from isocenter.dicom.elements import Dataset, File
from isocenter.dicom.facts import rows, text

__all__ = ["kept_keys", "kept_sequences"]

_KEPT: Final = {
    0x00081032: "ProcedureCodeSequence",
    0x00081111: "ReferencedPerformedProcedureStepSequence",
    0x00082218: "AnatomicRegionSequence",
    0x00321064: "RequestedProcedureCodeSequence",
    0x00400260: "PerformedProtocolCodeSequence",
    0x00400275: "RequestAttributesSequence",
    0x00401012: "ReasonForPerformedProcedureCodeSequence",
    0x0040A043: "ConceptNameCodeSequence",
}
_SHORT: Final = frozenset({"AE", "CS", "DA", "IS", "LO", "SH", "TM", "UI"})  # values that are searched for, 64 letters
_ENCODED: Final = frozenset({"LO", "SH"})
_MOST_ITEMS, _LONGEST, _DEEPEST = 64, 64, 2  # what a record holds stays small, whatever a header says


def kept_sequences(file: File, charsets: tuple[str, ...]) -> dict[str, list[dict[str, Any]]]:
    """The items of the sequences that are searched in: values by keyword, items within items by theirs."""
    found = {}
    for tag, keyword in _KEPT.items():
        if tag in file.dataset and (items := _items(file, tag, charsets, file.dataset, _DEEPEST)):
            found[keyword] = items
    return found


@cache
def kept_keys() -> frozenset[str]:
    """Keywords of header values that a record keeps; of a sequence, its own keyword."""
    return frozenset({*(row.keyword for row in rows()), *_KEPT.values()})


def _items(file: File, tag: int, charsets: tuple[str, ...], among: Dataset, depth: int) -> list[dict[str, Any]]:
    made = []
    for item in file.items(tag, among)[:_MOST_ITEMS]:
        one: dict[str, Any] = {}
        for inner in item:
            keyword, vr = _member(inner)
            if vr == "SQ" and depth:
                value: Any = _items(file, inner, charsets, item, depth - 1)
            elif vr in _SHORT:
                said = text(file, inner, charsets, item) if vr in _ENCODED else file.ascii(inner, item)
                several = [part.strip(" \0")[:_LONGEST] for part in said.split("\\")]
                value = several if len(several) > 1 else several[0]
            else:
                continue
            if value:
                one[keyword] = value
        if one:
            made.append(one)
    return made


@cache
def _members() -> dict[int, tuple[str, str]]:
    from pydicom.datadict import DicomDictionary

    return {tag: (str(one[4]), str(one[0])) for tag, one in DicomDictionary.items() if one[4]}


def _member(tag: int) -> tuple[str, str]:
    return _members().get(tag, ("", ""))
