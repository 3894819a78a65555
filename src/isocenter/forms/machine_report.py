"""The numbers of a structured report that a machine sends, such as an ultrasound's (PS3.16 TID 5000).

Read is what stands in containers, as vendors nest them; a number below another one is what it was derived from, or the
mean of a population, and no measurement of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING

from isocenter.errors import Refused
from isocenter.forms import maker
from isocenter.record import Code
from isocenter.record.machine_report import MachineReport, Reported, ReportedDay, Subject

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["read"]

_SUBJECT_CLASS, _PATIENT, _FETUS = "121024", "121025", "121026"
_SUBJECT_IDS = ("121030", "11951-1")  # Subject ID; Fetus ID of LOINC in older reports
_FETUS_NUMBER = "121037"
_DERIVATION, _SELECTION, _EQUIVALENT = "121401", "121404", "121050"
_SITES = ("363698007", "G-C0E3")  # Finding Site of SNOMED, and as SRT wrote it

_NOBODY = Subject()


def read(data: bytes) -> MachineReport:
    """The numbers and dates of a structured report.

    Raises:
        Refused: when the object is none.
    """
    with maker.reading("a structured report"):
        found = maker.load(data)
        if found.get("Modality") != "SR":
            raise Refused(
                f"an object of modality {found.get('Modality', 'none')}",
                "it is not a structured report",
                "choose a structured report (SR)",
            )
        held = _Held()
        held.take(found, _Around(), root=True)
        return MachineReport(
            sop_uid=str(found.SOPInstanceUID),
            title=_code(found, "ConceptNameCodeSequence") or Code("", "", ""),
            written=_moment(found),
            day=_day(str(found.get("StudyDate") or found.get("ContentDate") or "")),
            replaces=tuple(_replaced(found)),
            numbers=tuple(held.numbers),
            days=tuple(held.days),
        )


@dataclass(frozen=True)
class _Around:
    """What holds for all that a container contains."""

    within: tuple[Code, ...] = ()
    subject: Subject = _NOBODY
    site: Code | None = None


@dataclass
class _Held:
    """What was found so far."""

    numbers: list[Reported] = field(default_factory=list)
    days: list[ReportedDay] = field(default_factory=list)

    def take(self, item: Dataset, around: _Around, *, root: bool = False) -> None:
        """Everything in one container, whose own context holds for all that it contains."""
        children = list(item.get("ContentSequence") or [])
        subject = _subject(children, around.subject, root=root)
        site = next((s for c in children if (s := _site(c)) is not None), around.site)
        for child in children:
            kind, what = str(child.get("ValueType") or ""), _code(child, "ConceptNameCodeSequence")
            if kind == "CONTAINER":
                self.take(child, _Around((*around.within, what) if what else around.within, subject, site))
            elif what is None:
                continue
            elif kind == "NUM" and (number := _number(child, what, around.within)) is not None:
                own = _subject(list(child.get("ContentSequence") or []), subject)
                self.numbers.append(replace(number, subject=own, site=number.site or site))
            elif kind in ("DATE", "DATETIME") and (day := _day(str(child.get("Date") or child.get("DateTime") or ""))):
                self.days.append(ReportedDay(what, day, subject))


def _site(item: Dataset) -> Code | None:
    name = _code(item, "ConceptNameCodeSequence")
    return _code(item, "ConceptCodeSequence") if name is not None and name.code in _SITES else None


def _subject(children: list[Dataset], around: Subject, *, root: bool = False) -> Subject:
    """Whom these items are of, by their observation context; else whom those around them are of.

    At the root a Subject ID without a class is the patient's.
    """
    kind = name = number = ""
    for child in children:
        what = _code(child, "ConceptNameCodeSequence")
        if what is None:
            continue
        if what.code == _SUBJECT_CLASS and (said := _code(child, "ConceptCodeSequence")):
            kind = said.code
        elif what.code in _SUBJECT_IDS:
            name = str(child.get("TextValue") or "").strip()
        elif what.code == _FETUS_NUMBER:
            number = _text_or_number(child)
    if kind == _PATIENT:
        return Subject()
    if not (name or number) or (root and kind != _FETUS and not number):
        return around
    return Subject(name, number)


def _text_or_number(item: Dataset) -> str:
    measured = item.get("MeasuredValueSequence") or []
    if measured and "NumericValue" in measured[0]:
        return f"{_decimal(measured[0]):g}"
    return str(item.get("TextValue") or "").strip()


def _number(item: Dataset, what: Code, within: tuple[Code, ...]) -> Reported | None:
    """A number; None where it holds no value (not measured, over range)."""
    measured = (item.get("MeasuredValueSequence") or [None])[0]
    if measured is None or not measured.get_item("NumericValue") or not measured.get_item("NumericValue").value:
        return None
    exact = measured.get("FloatingPointValue")
    unit = _code(measured, "MeasurementUnitsCodeSequence")
    made = Reported(
        what,
        _decimal(measured) if exact is None else float(exact),
        unit.code if unit else "",
        within=within,
    )
    equal: list[Code] = []
    for child in item.get("ContentSequence") or []:
        name = _code(child, "ConceptNameCodeSequence")
        said = _code(child, "ConceptCodeSequence")
        if name is None:
            continue
        if name.code == _EQUIVALENT:
            equal.append(said or Code("", "", str(child.get("TextValue") or "").strip()))
        elif said and name.code == _DERIVATION:
            made = replace(made, derived=said)
        elif said and name.code == _SELECTION:
            made = replace(made, chosen=said)
        elif _site(child) is not None:
            made = replace(made, site=said)
    return replace(made, meanings=tuple(equal))


def _decimal(measured: Dataset) -> float:
    """The value, where its maker wrote a decimal comma too; what is no number is not a number."""
    try:
        return float(measured.NumericValue)
    except (ValueError, TypeError):
        raw = measured.get_item("NumericValue").value
    try:
        return float((raw.decode("ascii", "replace") if isinstance(raw, bytes) else str(raw)).replace(",", "."))
    except ValueError:
        return math.nan


def _code(item: Dataset, keyword: str) -> Code | None:
    held = (item.get(keyword) or [None])[0]
    if held is None:
        return None
    value = held.get("CodeValue") or held.get("LongCodeValue") or held.get("URNCodeValue") or ""
    scheme = str(held.get("CodingSchemeDesignator") or "").strip()
    return Code(str(value).strip(), scheme, str(held.get("CodeMeaning") or "").strip())


def _moment(found: Dataset) -> str:
    return f"{found.get('ContentDate') or ''}{found.get('ContentTime') or ''}".partition(".")[0]


def _day(said: str) -> date | None:
    digits = said.replace(".", "").replace("-", "")[:8]
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError:
        return None


def _replaced(found: Dataset) -> Iterator[str]:
    for study in found.get("PredecessorDocumentsSequence") or []:
        for series in study.get("ReferencedSeriesSequence") or []:
            for one in series.get("ReferencedSOPSequence") or []:
                yield str(one.get("ReferencedSOPInstanceUID") or "")
