"""Many studies as a table: a row each, fields with a meaning and a unit, filters, and the figures of one field.

Nothing is guessed: a value that was not measured is missing and counted as such. A cell of fewer than ten studies is
withheld wherever it is a count, because it says nothing and might point to a person.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np

from isocenter.errors import Refused
from isocenter.forms import words as words_of
from isocenter.record import Code, Result, Study, Verdict

__all__ = [
    "FEW",
    "Field",
    "Filter",
    "Measured",
    "Member",
    "chart",
    "count_of",
    "field_name",
    "fields",
    "filters",
    "having",
    "measured",
    "member",
    "narrow",
]

FEW = 10
"""Below so many studies a count is withheld."""

_BINS = 12
_MOST_GROUPS = 12
_FILTER = re.compile(r"(?P<name>[\w.+-]+):(?:\"(?P<quoted>[^\"]*)\"|(?P<plain>\S+))")
_RANGE = re.compile(r"(?P<low>-?\d+(?:\.\d+)?)?\.\.(?P<high>-?\d+(?:\.\d+)?)?")


@dataclass(frozen=True)
class Field:
    """A column: its name, what it means, its UCUM unit (empty for words), and where its values are from.

    Args:
        source: attributes of the header; empty for what was measured. made_by: the analysis that measured it, or
            "person". version: of that analysis. what: coded word of what was measured.
    """

    name: str
    title: str
    unit: str = ""
    source: str = ""
    made_by: str = ""
    version: str = ""
    what: Code | None = None


_OF_STUDIES = {
    "age": Field("age", "Age at the study", "a", "Patient's Birth Date, Study Date"),
    "sex": Field("sex", "Sex", source="Patient's Sex"),
    "modality": Field("modality", "Modality", source="Modality of each series"),
    "year": Field("year", "Year of the study", source="Study Date"),
    "description": Field("description", "Description of the study", source="Study Description"),
}


@dataclass(frozen=True)
class Member:
    """One study of a table.

    Args:
        values: field name -> number or words; what is not there is missing.
        known: the fields of measurements by name.
        day: of the study, where it is stated.
    """

    study: str
    patient: str
    values: Mapping[str, float | str]
    known: Mapping[str, Field] = field(default_factory=dict, hash=False)
    day: date | None = None


Measured = tuple[Mapping[str, float], Mapping[str, Field]]
"""Numbers by field name, and what each field means."""


def member(study: Study, modalities: Sequence[str], results: Iterable[Measured]) -> Member:
    """A study with what was measured of it; of several values of one field the largest counts."""
    values: dict[str, float | str] = {"modality": " ".join(modalities), "description": study.description}
    known: dict[str, Field] = {}
    if study.patient.sex:
        values["sex"] = study.patient.sex
    if study.date is not None:
        values["year"] = float(study.date.year)
        if (born := study.patient.birth_date) is not None and born <= study.date:
            had = (study.date.month, study.date.day) >= (born.month, born.day)
            values["age"] = float(study.date.year - born.year - (not had))
    for numbers, named in results:
        for name, value in numbers.items():
            before = values.get(name)
            values[name] = value if not isinstance(before, float) else max(before, value)
        known.update(named)
    return Member(study.uid, study.patient.id, {n: v for n, v in values.items() if v != ""}, known, study.date)


def measured(result: Result, analysis: str, version: str = "") -> tuple[dict[str, float], dict[str, Field]]:
    """What one result gives a table: each number of a finding that was not struck, and of the whole study.

    Args:
        analysis: under whose name it stands; empty for what a person measured.
        version: of the analysis.
    """
    said = analysis or "person"
    found: dict[str, float] = {}
    known: dict[str, Field] = {}
    each = [(m, "") for m in result.measurements]
    for one in result.findings:
        if one.verdict is not Verdict.STRUCK:
            each += [(m, (one.where.label if one.where else "") or str(one.what)) for m in one.measurements]
    for m, place in each:
        name = field_name(said, place, str(m.what), m.definition)
        who = words_of.spoken(said)
        title = ": ".join(w for w in (who[:1].upper() + who[1:], place, str(m.what)) if w)
        found[name] = max(m.value, found.get(name, m.value))
        whole = f"{title} ({m.definition})" if m.definition else title
        known[name] = Field(name, whole, m.unit, made_by=said, version=version, what=m.what)
    return found, known


def field_name(analysis: str, place: str, what: str, definition: str) -> str:
    """How a number is called in a table.

    >>> field_name("liver_vessels", "", "Tortuosity", "path / chord")
    'liver-vessels.tortuosity.path-chord'
    """
    return ".".join(_slug(word) for word in (analysis, place, what, definition) if word)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "value"


@dataclass(frozen=True)
class Filter:
    """One condition on one field: a range of numbers (both ends included), or words of which one is in the value."""

    name: str
    low: float | None = None
    high: float | None = None
    words: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.words:
            return f"{self.name}: {' or '.join(self.words)}"
        if self.low is None or self.high is None:
            return f"{self.name}: {f'up to {self.high:g}' if self.low is None else f'from {self.low:g}'}"
        return f"{self.name}: {self.low:g} to {self.high:g}"

    def holds(self, of: Member) -> bool:
        """Whether a study meets it; what is missing meets nothing."""
        value = of.values.get(self.name)
        if value is None:
            return False
        if self.words:
            said = f"{value:g}" if isinstance(value, float) else str(value).lower()
            return any(w.lower() in said for w in self.words)
        if not isinstance(value, float):
            return False
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


def filters(text: str) -> tuple[Filter, ...]:
    """Read a question such as ``age:40..80 modality:CT sex:F,O``.

    Raises:
        Refused: something in it is no condition.

    >>> [str(f) for f in filters("age:40..80 modality:CT,MR")]
    ['age: 40 to 80', 'modality: CT or MR']
    """
    found = []
    rest = text
    for one in _FILTER.finditer(text):
        said = one["quoted"] if one["quoted"] is not None else one["plain"]
        rest = rest.replace(one.group(), " ", 1)
        span = _RANGE.fullmatch(said)
        if span and (span["low"] or span["high"]):
            low, high = (float(v) if v else None for v in (span["low"], span["high"]))
            found.append(Filter(one["name"], low, high))
        else:
            found.append(Filter(one["name"], words=() if span else tuple(w for w in said.split(",") if w)))
    if rest.split() or any(f.low is None and f.high is None and not f.words for f in found):
        raise Refused(
            f"'{' '.join(rest.split()) or text:.60}' in a question", "each part is FIELD:WORD or FIELD:LOW..HIGH",
            "such as age:40..80 modality:CT",
        )  # fmt: skip
    return tuple(found)


def narrow(members: Sequence[Member], by: Sequence[Filter]) -> tuple[list[Member], list[tuple[str, int, int]]]:
    """Those that meet every filter, and the ledger: each filter with how many it left out, and how many of these for
    want of the value.

    Raises:
        Refused: a field that none of the studies has.
    """
    known = {name for m in members for name in m.values} | set(_OF_STUDIES)
    left, ledger = list(members), []
    for one in by:
        if one.name not in known:
            raise Refused(f"the field '{one.name:.60}'", "no study here has it", "choose one of the list of fields")
        kept = [m for m in left if one.holds(m)]
        missing = sum(one.name not in m.values for m in left)
        ledger.append((str(one), len(left) - len(kept), missing))
        left = kept
    return left, ledger


def having(members: Iterable[Member]) -> dict[str, list[Member]]:
    """Field -> the studies that have it, in their order.

    Once through the studies and not once for each field: of a thousand fields most are of few studies.
    """
    found: dict[str, list[Member]] = {}
    for one in members:
        for name in one.values:
            found.setdefault(name, []).append(one)
    return found


def fields(members: Sequence[Member]) -> list[dict[str, Any]]:
    """Every field of these studies: title, unit, how many have it, how many miss it, and its middle or its words."""
    known, of = dict(_OF_STUDIES), having(members)
    for one in members:
        known.update(one.known)
    told = []
    for name, what in known.items():
        if name not in of:
            continue
        held = [m.values[name] for m in of[name]]
        numbers = [v for v in held if isinstance(v, float)]
        line: dict[str, Any] = {
            "name": name, "title": what.title, "unit": what.unit, "kind": "number" if numbers else "words",
            "n": count_of(len(held)), "missing": count_of(len(members) - len(held)) if len(held) < len(members) else 0,
        }  # fmt: skip
        enough = len(held) >= FEW
        line["median"] = float(np.median(numbers)) if numbers and enough else None
        line["bars"] = [b["n"] or 0 for b in _bins(numbers)] if numbers and enough else []
        made = Counter(m.known[name].version for m in of[name] if name in m.known)
        line |= {
            "source": what.source, "made_by": what.made_by,
            "versions": [{"version": v, "n": count_of(n)} for v, n in sorted(made.items()) if v],
        }  # fmt: skip
        told.append(line)
    return told


def chart(members: Sequence[Member], name: str, by: str = "") -> dict[str, Any]:
    """The figures of one field: a histogram for numbers, counts for words; in groups a five-number summary each.

    Args:
        by: a field of words that makes the groups; empty for none.

    Raises:
        Refused: a field that none of the studies has.
    """
    held = [m for m in members if name in m.values]
    if not held:
        raise Refused(f"the field '{name:.60}'", "no study here has it", "choose one of the list of fields")
    numbers = [m.values[name] for m in held if isinstance(m.values[name], float)]
    told: dict[str, Any] = {"field": name, "n": count_of(len(held)), "few": FEW, "bins": [], "words": [], "groups": []}
    if not numbers:
        counts = Counter(str(m.values[name]) for m in held).most_common()
        told["words"] = [{"word": w, "n": count_of(n)} for w, n in counts if n >= FEW]
        told["withheld"] = sum(n < FEW for _, n in counts)
        return told
    told["bins"] = _bins([float(v) for v in numbers]) if len(numbers) >= FEW else []
    if by:
        groups: dict[str, list[float]] = {}
        for m in held:
            if isinstance(value := m.values[name], float):
                groups.setdefault(str(m.values.get(by, "missing")), []).append(value)
        told["groups"] = [_summary(g, groups[g]) for g in sorted(groups, key=lambda g: -len(groups[g]))[:_MOST_GROUPS]]
    else:
        told["groups"] = [_summary("all", [float(v) for v in numbers])]
    return told


def _summary(name: str, values: Sequence[float]) -> dict[str, Any]:
    if len(values) < FEW:
        return {"group": name, "n": None}
    low, q1, median, q3, high = (float(v) for v in np.percentile(values, (5, 25, 50, 75, 95)))
    return {"group": name, "n": len(values), "p5": low, "q1": q1, "median": median, "q3": q3, "p95": high}


def _bins(values: Sequence[float]) -> list[dict[str, Any]]:
    # So few bins that most hold enough to be told; what is all alike is one.
    many = 1 if min(values) == max(values) else min(_BINS, max(1, len(values) // (2 * FEW)))
    counts, edges = np.histogram(values, bins=many)
    return [
        {"from": float(a), "to": float(b), "n": count_of(int(n)) if n else 0}
        for n, a, b in zip(counts, edges[:-1], edges[1:], strict=True)
    ]


def count_of(n: int) -> int | None:
    """A count, or None where it is small: it never leaves."""
    return n if n >= FEW else None
