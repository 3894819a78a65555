"""Lengths and age of each fetus out of the report of an ultrasound machine (PS3.16 TID 5000).

A machine sends each length as often as it was measured, with a mean or with one that was chosen, in millimetres or
centimetres, and of twins for each by itself. Here one length of each kind is taken, or none, and it is told why.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from isocenter.methods import fetal
from isocenter.record import Code
from isocenter.record.machine_report import MachineReport, Reported, Subject, newest_first

__all__ = ["COMPOSITE", "Dating", "Fetus", "fetuses", "of_a_fetus"]

COMPOSITE = Code("11888-5", "LN", "Composite Ultrasound Age")
# CID 12024 and 7000; what a maker named by a code of its own is told by its words.
_TITLES = {("DCM", "125000"), ("LN", "24869-0"), ("LN", "11525-3"), ("SCT", "268445003"), ("SRT", "P5-B005A")}
_MEASUREMENTS = ("DCM", "126000")  # Imaging Measurement Report
_EXAMINED = (
    "StudyDescription", "SeriesDescription", "BodyPartExamined", "RequestedProcedureDescription", "ProcedureCode",
)  # fmt: skip
_OURS = "Isocenter"  # Manufacturer of the reports that this house writes
_OBSTETRIC = re.compile(r"obstet|geburt|schwanger|pregnan|f[eo]tal|f[eo]tus|(?<![a-z])ob(?![a-z])", re.IGNORECASE)

# CID 12005, 12006 and 12009, with the codes of UMLS that the standard gives beside those of LOINC.
_LENGTHS: Final[Mapping[tuple[str, str], str]] = {
    ("LN", "11820-8"): "BPD", ("LN", "11984-2"): "HC", ("LN", "11979-2"): "AC", ("LN", "11963-6"): "FL",
    ("LN", "11851-3"): "OFD", ("LN", "11957-8"): "CRL",
    ("UMLS", "C0551937"): "BPD", ("UMLS", "C0552100"): "HC", ("UMLS", "C0552095"): "AC", ("UMLS", "C0552080"): "FL",
    ("UMLS", "C0551968"): "OFD",
}  # fmt: skip
_WORDS: Final[Mapping[str, str]] = {
    "bpd": "BPD", "biparietal diameter": "BPD", "hc": "HC", "head circumference": "HC", "ac": "AC",
    "abdominal circumference": "AC", "fl": "FL", "femur length": "FL", "femur": "FL", "ofd": "OFD",
    "occipital-frontal diameter": "OFD", "occipitofrontal diameter": "OFD", "crl": "CRL", "crown rump length": "CRL",
    "crown-rump length": "CRL",
}  # fmt: skip
# A general concept with the site where it was measured; of SRT's codes those that SNOMED's replaced.
_ROUND = {"74551000", "131191004", "M-02560", "G-A197"}  # circumference, perimeter
_LONG = {"410668003", "G-D7FE"}  # length
_HEAD = {"89546000", "T-11100", "69536005", "T-D1100"}
_ABDOMEN = {"818981001", "818983003", "113345001", "T-D4000"}
_FEMUR = {"71341001", "T-12710"}

_MM: Final = {"mm": 1.0, "cm": 10.0, "m": 1000.0}
_DAYS: Final = {"d": 1.0, "day": 1.0, "days": 1.0, "wk": 7.0, "week": 7.0, "weeks": 7.0}
_MEAN, _MEDIAN = {"373098007", "R-00317"}, {"373099004", "R-00319"}
_BEST = {"371912002", "R-002E1"}
_WORKED_OUT = {"258090004", "R-41D2D", "414135002", "R-10260"}  # calculated or estimated from other lengths
_REPEATS = 0.1  # by which a length that was measured again may differ
_SAME_MM = 0.1
_PREGNANT_DAYS = (28.0, 310.0)
_SAME_DAY = 0.6
_FEW_DAYS = 1.0  # by which two ways of counting the same age may differ

_EDD, _EDD_BY_SCAN = "11778-8", "11781-2"
_AGE, _WEIGHT, _MANY = "18185-9", "11727-5", ("11878-6", "121038")
_AVERAGE = "11884-4"  # Average Ultrasound Age, which some makers state for the composite one
_GROUP = "125005"  # Biometry Group: an age in it is that of one length
# Ages as numbers, due dates, and dates from which days are counted: code -> (in words, days at that date).
_NUMBERS = {"11885-1": "last menstrual period", "11886-9": "ovulation date"}
_DUE = {"11779-6": "last menstrual period", "11780-4": "ovulation date"}
_BEGUN = {"8665-2": ("last menstrual period", 0), "11955-2": ("last menstrual period", 0),
          "11976-8": ("ovulation date", 14), "33067-0": ("conception date", 14)}  # fmt: skip


def of_a_fetus(facts: Mapping[str, Any]) -> bool:
    """Whether a structured report is one of obstetric ultrasound by its title or template, as its header tells.

    >>> of_a_fetus({"ReportTitleCode": ["126000", "DCM", "Imaging Measurement Report"], "StudyDescription": "US OB"})
    True
    """
    code, scheme, words = (*(facts.get("ReportTitleCode") or ()), "", "", "")[:3]
    named = str(scheme).startswith("99") and _OBSTETRIC.search(str(words))
    if (str(scheme), str(code)) == _MEASUREMENTS:
        if facts.get("MadeBy") == "machine" or facts.get("Manufacturer") == _OURS:
            return False  # what an analysis made of lengths is none of its sources
        # TID 1500 may be of anything: what was examined tells
        named = _OBSTETRIC.search(" ".join(str(facts.get(k) or "") for k in _EXAMINED))
    return (str(scheme), str(code)) in _TITLES or facts.get("ReportTemplate") == "5000" or bool(named)


@dataclass(frozen=True)
class Dating:
    """An age that was known before the lengths were measured: days, and by what."""

    days: float
    by: str


@dataclass
class Fetus:
    """What a report says of one fetus.

    Args:
        name: as the report has it, empty where it tells of only one.
        lengths: name of each length -> (mm, how it was come by).
        dating: an age that does not follow from these lengths; composite: one in days that does.
        remarks: what was left out or doubted. seen: lengths that a report had, also those that were left out.
    """

    name: str
    lengths: dict[str, tuple[float, str]] = field(default_factory=dict)
    dating: Dating | None = None
    composite: float | None = None
    remarks: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)


def fetuses(reports: Sequence[MachineReport]) -> tuple[list[Fetus], list[str]]:
    """What the reports of one examination say of each fetus, and what of it belongs to none of them."""
    ordered = newest_first(reports)
    names = _names(ordered)
    doubts: list[str] = []
    many = max((int(n.value) for r in ordered for n in r.numbers if n.what.code in _MANY and n.value > 0), default=1)
    known = list(dict.fromkeys(names.values()))
    lone = known[0] if len(known) == 1 and many < 2 else "" if not known else None
    told = []
    for name in known or [""]:
        fetus = Fetus(name)
        for report in ordered:
            mine = [n for n in report.numbers if _whose(n.subject, names, lone) == name]
            _take_lengths(fetus, mine, report)
            _take_ages(fetus, report, mine, names, lone)
        if fetus.lengths or fetus.remarks:
            fetus.remarks = list(dict.fromkeys(fetus.remarks))
            told.append(fetus)
    unclaimed = sorted({what for r in ordered for n in r.numbers
                        if (what := _length(n)) and _whose(n.subject, names, lone) is None})  # fmt: skip
    if not known and many > 1 and told:
        told, unclaimed = [], sorted({what for fetus in told for what in fetus.lengths})
    if unclaimed:
        doubts.append(
            f"WARNING: the report tells of {max(many, len(known))} fetuses and does not say of which of them "
            f"{', '.join(unclaimed)} is: left out"
        )
    return told, doubts


# ---- whom it is of -----------------------------------------------------------------------------------------------


def _names(reports: Sequence[MachineReport]) -> dict[Subject, str]:
    """What each fetus is called: by its ID, else by its number; one that some sections give both has the ID."""
    every = (s for r in reports for s in (*(n.subject for n in r.numbers), *(d.subject for d in r.days)))
    subjects = [s for s in dict.fromkeys(every) if s != Subject()]
    called = {s.number: s.name for s in subjects if s.name and s.number}
    return {s: s.name or called.get(s.number, s.number) for s in subjects}


def _whose(subject: Subject, names: Mapping[Subject, str], lone: str | None) -> str | None:
    """Name of the fetus; None where several are known and it is said of none."""
    return lone if subject == Subject() else names[subject]


# ---- lengths -----------------------------------------------------------------------------------------------------


def _length(number: Reported) -> str:
    """Which length a number is; empty for another quantity."""
    codes = (number.what, *number.meanings)
    known = next((_LENGTHS[c.scheme, c.code] for c in codes if (c.scheme, c.code) in _LENGTHS), "")
    if known:
        return known
    if number.site is not None:
        if number.what.code in _ROUND:
            return "HC" if number.site.code in _HEAD else "AC" if number.site.code in _ABDOMEN else ""
        if number.what.code in _LONG and number.site.code in _FEMUR:
            return "FL"
    own = (c for c in codes if not c.scheme or c.scheme.startswith("99"))  # codes of a maker, told by their words
    return next((_WORDS[words] for c in own if (words := _plain(c.meaning)) in _WORDS), "")


def _plain(words: str) -> str:
    """Words of a maker as they are known: without what stands in brackets, and with shortened ones whole.

    >>> _plain("Abd. Circumference"), _plain("Head Circ. (Hadlock)")
    ('abdominal circumference', 'head circumference')
    """
    bare = " ".join(re.sub(r"\(.*?\)|\.", " ", words.lower()).split())
    bare = re.sub(r"\bcirc\b", "circumference", re.sub(r"\babd(omen)?\b", "abdominal", bare))
    return re.sub(r"\bfem(oral)?\b", "femur", bare)


def _take_lengths(fetus: Fetus, numbers: Sequence[Reported], report: MachineReport) -> None:
    """One of each length, unless a newer report had it."""
    by: dict[str, list[Reported]] = {}
    for number in numbers:
        if what := _length(number):
            by.setdefault(what, []).append(number)
    for what, several in by.items():
        held, seen = fetus.lengths.get(what), what in fetus.seen
        fetus.seen.add(what)
        chosen = _chosen(what, several, [] if seen else fetus.remarks)
        if chosen is None or (seen and held is None):
            continue
        if held is None:
            fetus.lengths[what] = chosen
        elif abs(held[0] - chosen[0]) > _SAME_MM:
            fetus.remarks.append(
                f"WARNING: {what} is {held[0]:.1f} mm in the newest report and {chosen[0]:.1f} mm in one of "
                f"{_clock(report.written)}: the newest was taken"
            )


def _chosen(what: str, several: Sequence[Reported], remarks: list[str]) -> tuple[float, str] | None:
    """The one to be used, in millimetres: that which was chosen, else the stated mean, else that of all repeats."""
    usable = []
    for number in several:
        factor = _MM.get(number.unit.strip().lower())
        if factor is None:
            remarks.append(
                f"WARNING: {what} of {number.value:g} {number.unit or 'without a unit'} in the report is no length in "
                "mm or cm: left out"
            )
        elif _fits(what, mm := number.value * factor, number, remarks):
            usable.append((number, mm))
    if not usable:
        return None
    single = [one for one in usable if one[0].derived is None or one[0].derived.code not in _MEAN | _MEDIAN]
    direct = [one for one in single if one[0].derived is None or one[0].derived.code not in _WORKED_OUT] or single
    picked = [one for one in usable if one[0].chosen is not None] or [
        one for one in single if one[0].derived is not None and one[0].derived.code in _BEST
    ]
    for group, how in (
        (picked, "chosen on the machine"),
        ([one for one in usable if one[0].derived is not None and one[0].derived.code in _MEAN], "mean of the machine"),
        ([one for one in usable if one[0].derived is not None and one[0].derived.code in _MEDIAN],
         "median of the machine"),
        (direct, ""),
    ):  # fmt: skip
        if group:
            return _agreed(what, [mm for _, mm in group], [mm for _, mm in direct], how, remarks)
    return None


def _agreed(
    what: str, values: list[float], repeats: list[float], how: str, remarks: list[str]
) -> tuple[float, str] | None:
    """The mean of what is to be used, unless repeats contradict each other."""
    apart = sorted({round(mm, 1) for mm in (*values, *repeats)})
    said = " and ".join(f"{mm:.1f}" for mm in apart)
    if apart[-1] - apart[0] > _REPEATS * apart[-1]:
        if how != "chosen on the machine" or len(set(values)) > 1:
            remarks.append(
                f"WARNING: the report has {what} of {said} mm, which is not one length measured again: left out. Give "
                f"{what.lower()}_mm"
            )
            return None
        remarks.append(f"WARNING: {what} of {values[0]:.1f} mm was chosen on the machine, others are {said} mm")
    mean = sum(values) / len(values)
    if how == "mean of the machine" and repeats and not min(repeats) - 0.5 <= mean <= max(repeats) + 0.5:
        remarks.append(
            f"WARNING: the mean {what} of {mean:.1f} mm lies outside of what was measured "
            f"({min(repeats):.1f} to {max(repeats):.1f} mm)"
        )
    if not how:
        how = f"mean of {len(values)} on the machine" if len(values) > 1 else "on the machine"
    return mean, f"as measured, {how}"


def _fits(what: str, mm: float, number: Reported, remarks: list[str]) -> bool:
    low, high = fetal.RANGE_MM[what]
    if low <= mm <= high:
        return True
    other = next((f" (meant as {unit}?)" for unit, factor in _MM.items() if unit != number.unit
                  and low <= number.value * factor <= high), "")  # fmt: skip
    remarks.append(
        f"WARNING: {what} of {number.value:g} {number.unit} in the report{other}: a fetus measures {low:g} to "
        f"{high:g} mm. Left out"
    )
    return False


def _clock(written: str) -> str:
    return f"{written[8:10]}:{written[10:12]}" if len(written) >= 12 else "another time"


# ---- age ---------------------------------------------------------------------------------------------------------


def _take_ages(
    fetus: Fetus, report: MachineReport, mine: Sequence[Reported], names: Mapping[Subject, str], lone: str | None
) -> None:
    """Ages that the newest report with any has; those of the pregnancy hold for every fetus."""
    shared = [n for n in report.numbers if n.subject == Subject()]
    ages = {n.what.code: n for n in (*shared, *mine) if _GROUP not in {c.code for c in n.within}}
    days = {d.what.code: d.day for d in report.days if _whose(d.subject, names, lone) in (None, fetus.name)}
    by_scan = next((ages[code] for code in (COMPOSITE.code, _AVERAGE) if code in ages), None)
    if fetus.composite is None and by_scan is not None:
        fetus.composite = _in_days(by_scan, fetus.remarks)
    if fetus.dating is None:
        fetus.dating = _dated(ages, days, report.day, fetus)
    if _WEIGHT in ages and (number := ages[_WEIGHT]).unit in ("g", "kg"):
        grams = number.value * (1000.0 if number.unit == "kg" else 1.0)
        fetus.remarks.append(f"the machine estimates a weight of {grams:.0f} g, by the formula that is set on it")


def _dated(ages: Mapping[str, Reported], days: Mapping[str, date], today: date | None, fetus: Fetus) -> Dating | None:
    """The age by the due date that was settled on, else by menstruation or ovulation; never by these lengths."""
    found: list[Dating] = []
    if today is not None and _EDD in days:
        due = Dating(280.0 - (days[_EDD] - today).days, f"the due date {days[_EDD]:%Y-%m-%d}")
        if days[_EDD] == days.get(_EDD_BY_SCAN) or abs((fetus.composite or 0.0) - due.days) < _SAME_DAY:
            fetus.remarks.append(
                f"{due.by} in the report follows from these lengths, and says nothing of them; give weeks where it was "
                "settled on before"
            )
        else:
            found.append(due)
    for code, by in _NUMBERS.items():
        if code in ages and (age := _in_days(ages[code], fetus.remarks)) is not None:
            found.append(Dating(age, f"the {by}"))
    if today is not None:
        found += [Dating(280.0 - (days[c] - today).days, f"the {by}") for c, by in _DUE.items() if c in days]
        found += [Dating((today - days[c]).days + more, f"the {by}") for c, (by, more) in _BEGUN.items() if c in days]
    if not found and _AGE in ages and fetus.composite is not None:
        age = _in_days(ages[_AGE], fetus.remarks)
        if age is not None and abs(age - fetus.composite) > _FEW_DAYS:
            found.append(Dating(age, "the age that was set"))
    elif not found and _AGE in ages:
        fetus.remarks.append("the report has an age without saying by what: give weeks where it was settled on before")
    low, high = _PREGNANT_DAYS
    for one in found:
        if not low <= one.days <= high:
            fetus.remarks.append(f"WARNING: an age of {one.days:.0f} days by {one.by} is none of a fetus: left out")
    able = [one for one in found if low <= one.days <= high]
    if not able:
        return None
    first = able[0]
    for other in able[1:]:
        if abs(other.days - first.days) > _FEW_DAYS:
            fetus.remarks.append(
                f"WARNING: the report dates by {first.by} ({_spoken(first.days)}) and by {other.by} "
                f"({_spoken(other.days)}): the first was taken. Give weeks where it is the other"
            )
            break
    return first


def _in_days(number: Reported, remarks: list[str]) -> float | None:
    factor = _DAYS.get(number.unit.strip().lower())
    if factor is None:
        remarks.append(f"WARNING: {number.what} of {number.value:g} {number.unit} in the report is no age: left out")
        return None
    return number.value * factor


def _spoken(days: float) -> str:
    return f"{int(days // 7)} weeks {int(days % 7)} days"
