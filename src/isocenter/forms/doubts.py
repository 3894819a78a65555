"""A person's words held against the findings they speak of: what differs, and exactly where in the sentence.

A number agrees when the measurement, rounded as the sentence rounds, is the number that it gives. A side agrees when a
finding of the sentence lies on it. What was struck must not be mentioned any more, and a blank of a text block must be
filled in. Nothing is corrected and nothing is blocked: the reader is told, in place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from isocenter.forms import words
from isocenter.forms.text import Sentence
from isocenter.record import Finding, Measurement, Verdict

__all__ = ["Doubt", "doubts"]


@dataclass(frozen=True)
class Doubt:
    """One place of a sentence that may be wrong.

    Args:
        what: the reason, in words.
        start, end: the characters that it is about, as positions in the sentence's text.
    """

    what: str
    start: int
    end: int


_JUDGED = ("Findings", "Impression")
_CLAIM = re.compile(
    r"(?P<suv>SUV\s?(?:max|mean|peak|bw)?\s*(?:of|is|=|:)?\s*)?(?<![\w.])(?P<number>-?\d+(?:[.,]\d+)?)"
    r"(?:\s*(?P<unit>mm|cm|mL|ml|cc|l|L|HU|%|cm²|mm²|cm2|mm2)(?![\w²]))?",
    re.IGNORECASE,
)
_AS_MM_OR_ML = {
    "mm": ("mm", 1.0), "cm": ("mm", 10.0), "ml": ("mL", 1.0), "cc": ("mL", 1.0), "l": ("mL", 1000.0),
    "hu": ("[hnsf'U]", 1.0), "%": ("%", 1.0), "mm²": ("mm2", 1.0), "mm2": ("mm2", 1.0), "cm²": ("mm2", 100.0),
    "cm2": ("mm2", 100.0),
}  # fmt: skip
_NAMED = 12  # numbers that a doubt names beside the one it doubts
_TO_BASE = {"cm": ("mm", 10.0), "cm2": ("mm2", 100.0), "mm3": ("mL", 0.001), "L": ("mL", 1000.0)}
_BLANK = re.compile(r"\[(?!\s*\d+(?:\s*[,–-]\s*\d+)*\s*\])[^\[\]]{1,80}\]")  # "[3]" refers to a finding and is none


def doubts(
    sentence: Sentence, findings: Sequence[Finding], whole_study: Sequence[Measurement] = ()
) -> tuple[Doubt, ...]:
    """Where a sentence disagrees with the findings: a number, a side, a finding that was struck, a blank.

    Args:
        sentence: as the reader left it.
        findings: all of the study's latest findings; those that the sentence is tied to are held against its numbers
            and sides. When it is tied to none, numbers of *Findings* and *Impression* are held against all of them:
            elsewhere they are of a dose, a slice, a request.
        whole_study: numbers of the study as a whole, which a sentence that is tied to no finding may be about too.

    Returns:
        One for each disagreement, in the order of the text; empty when there is none. Numbers without unit that are no
        SUV are not judged.
    """
    text, whole = sentence.text, (0, len(sentence.text))
    tied = [f for f in findings if f.tracking and f.tracking in sentence.findings]
    blanks = () if sentence.machine else _BLANK.finditer(text)
    found = [Doubt(f"the blank {b.group()} is not filled in", *b.span()) for b in blanks]
    found += [
        Doubt(f"'{words.name_of(f)}' was struck ({f.reason or 'no reason given'}) and is still mentioned", *whole)
        for f in tied
        if f.verdict is Verdict.STRUCK
    ]
    meant = [f for f in tied if f.verdict is not Verdict.STRUCK]
    if meant or (not tied and sentence.section in _JUDGED):
        meant = meant or [f for f in findings if f.verdict is not Verdict.STRUCK and not f.research]
        found += [*_numbers(text, meant, () if tied else whole_study), *(_sides(text, meant) if tied else ())]
    return tuple(sorted(found, key=lambda d: (d.start, d.end)))


def _numbers(text: str, meant: Sequence[Finding], whole_study: Sequence[Measurement]) -> Iterable[Doubt]:
    measured = [*(m for f in meant for m in f.measurements), *whole_study]
    held = [_base(v, m.unit) for m in measured for v in (m.value, m.low, m.high) if v is not None]
    held += [(100 * f.certainty, "%") for f in meant if f.certainty is not None]
    # "41 % of SUVmax" is how something was defined, not what was measured.
    held += [claimed for m in measured for claimed in _claims(m.definition)]
    for claim in _CLAIM.finditer(text):
        unit, figure = (claim["unit"] or "").lower(), claim["number"].replace(",", ".")
        if not unit and not claim["suv"]:
            continue
        if text[claim.start("number") :].startswith("95 % interval"):
            continue
        base, factor = ("SUV", 1.0) if claim["suv"] and not unit else _AS_MM_OR_ML[unit]
        same = [v for v, u in held if u == base]
        places = len(figure.partition(".")[2])
        if not any(_rounds_to(v / factor, figure, places) for v in same):
            known = ", ".join(f"{v / factor:.{places}f}" for v in same[:_NAMED]) or "none"
            known += ", …" if len(same) > _NAMED else ""
            shown = f"SUV {claim['number']}" if base == "SUV" else f"{claim['number']} {claim['unit']}"
            start = claim.start("suv" if claim["suv"] else "number")
            yield Doubt(f"{shown} is not what was measured (measured: {known})", start, claim.end())


def _claims(definition: str) -> list[tuple[float, str]]:
    found = []
    for claim in _CLAIM.finditer(definition):
        if claim["unit"]:
            base, factor = _AS_MM_OR_ML[claim["unit"].lower()]
            found.append((float(claim["number"].replace(",", ".")) * factor, base))
    return found


def _rounds_to(value: float, figure: str, places: int) -> bool:
    # Half a unit of the last place, with room for how binary floats fall on the half.
    return bool(abs(value - float(figure)) <= 0.5 * 10.0**-places + 1e-9 * max(1.0, abs(value)))


def _base(value: float, unit: str) -> tuple[float, str]:
    if unit.startswith("{SUV"):
        return value, "SUV"
    to, factor = _TO_BASE.get(unit, (unit, 1.0))
    return value * factor, to


def _sides(text: str, meant: Sequence[Finding]) -> Iterable[Doubt]:
    sides = {_side(f) for f in meant} - {""}
    if not sides or "bilateral" in sides:
        return
    for word in ("left", "right"):
        if word in sides:
            continue
        for said in re.finditer(rf"\b{word}\b", text, re.IGNORECASE):
            yield Doubt(f"'{word}' is not the side of the finding ({' and '.join(sorted(sides))})", *said.span())


def _side(finding: Finding) -> str:
    """The side of a finding: as it is coded, else as its site or its segment is named; empty where neither says one."""
    coded = words.side(finding.laterality)
    if coded:
        return coded
    names = f"{finding.site.meaning if finding.site else ''} {finding.where.label if finding.where else ''}"
    named = {word for word in ("left", "right") if re.search(rf"\b{word}\b", names, re.IGNORECASE)}
    return named.pop() if len(named) == 1 else ""
