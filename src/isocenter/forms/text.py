"""Results as the draft of a report: ordered sentences, each tied to the findings that it speaks of.

A draft says what was looked for, with which numbers, and what was not looked at and why. It never says "normal": a
machine that found nothing says that it did not detect what it looks for. Every sentence of a machine is marked as
such until a person has kept or changed it; a struck finding is not mentioned at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from isocenter.forms import words
from isocenter.record import Finding, Outcome, Result, Study, Verdict, codes
from isocenter.record.plain import digest_of

__all__ = ["SECTIONS", "Sentence", "check_sentence", "draft", "latest"]

SECTIONS = ("Technique", "Comparison", "Findings", "Impression", "Not looked")
"""The order of a report. ``Not looked`` holds what was declined, with the reason."""

_TECHNIQUE = {
    "CT": "Computed tomography", "MR": "Magnetic resonance imaging", "PT": "Positron emission tomography",
    "NM": "Nuclear medicine", "US": "Ultrasound", "CR": "Radiograph", "DX": "Radiograph", "RF": "Fluoroscopy",
    "MG": "Mammography", "XA": "Angiography", "OT": "Images", "SC": "Images",
}  # fmt: skip
_PICTURES = tuple(_TECHNIQUE)
_LOOKED_FOR = {
    "chest_xray_opacity": "Opacity",
    "pet_uptake": "Increased uptake",
    "volumetry": "A measurable region",
    "image_quality": "A fault of image quality",
}
_NO_OBSERVATION = (codes.STRUCTURE, codes.REGION, codes.QUALITY_ISSUE)
"""What is measured or said of the image; it is no observation on the patient."""

_IN_IMPRESSION = 3  # findings; an impression that lists all is none


@dataclass(frozen=True)
class Sentence:
    """One sentence of a report.

    Args:
        id: stays the same as long as it speaks of the same findings, so that a reader's words are kept.
        section: one of `SECTIONS`.
        text: the words.
        machine: True until a person kept or changed what it says.
        findings: tracking identities of the findings that it speaks of.
    """

    id: str
    section: str
    text: str
    machine: bool = True
    findings: tuple[str, ...] = ()


def latest(results: Iterable[Result]) -> tuple[Result, ...]:
    """Those that no other of them replaces, in their order."""
    many = tuple(results)
    gone = {r.replaces for r in many if r.replaces}
    return tuple(r for r in many if not gone or r.id not in gone)


def draft(study: Study, results: Sequence[Result]) -> tuple[Sentence, ...]:
    """The draft of a study's report, in the order of `SECTIONS`.

    Args:
        study: what was imaged.
        results: of machines and people; those that are replaced are left out.
    """
    current = latest(results)
    said = [*_technique(study), _comparison()]
    kept = [(r, f) for r in current for f in r.findings if f.verdict is not Verdict.STRUCK]
    kept.sort(key=lambda pair: _weight(*pair))
    said += [_finding(r, f) for r, f in kept]
    said += list({(s.id, s.text): s for r in current for s in _whole(r)}.values())  # many series, one sentence
    said += _impression(kept, current)
    said += [s for r in current if r.outcome is Outcome.DECLINED for s in _declined(r)]
    order = {name: i for i, name in enumerate(SECTIONS)}
    return tuple(sorted(said, key=lambda s: order[s.section]))


def _weight(result: Result, finding: Finding) -> tuple[int, float]:
    """Most urgent first, then most certain."""
    order = ("now", "soon", "today", "routine")
    return order.index(result.urgency.value), -(finding.certainty or 0.0)


def _technique(study: Study) -> list[Sentence]:
    said = []
    for modality in study.modalities:
        series = [s for s in study.series if s.modality == modality]
        if modality not in _PICTURES:
            continue
        parts = sorted({s.body_part.lower() for s in series if s.body_part})
        images = sum(max(1, i.frames) for s in series for i in s.instances if i.rows)
        if not images:
            continue
        place = f" of the {', '.join(parts)}" if parts else ""
        text = f"{_TECHNIQUE[modality]}{place}, {_many(images, 'image')} in {_many(len(series), 'series', 'series')}."
        said.append(Sentence(f"technique-{modality}", "Technique", words.one_line(text), machine=False))
    return said


def _comparison() -> Sentence:
    return Sentence("comparison", "Comparison", "No earlier study was given for comparison.", machine=False)


def _finding(result: Result, finding: Finding) -> Sentence:
    text = words.one_line(finding.words)
    if not text:  # an analysis that chose its own words chose the numbers that matter; the table holds them all
        text = f"{words.name_of(finding)}."
        if finding.measurements:
            text += f" {_first_upper('; '.join(words.quantity(m) for m in finding.measurements))}."
    if not text.endswith((".", "!", "?")):
        text += "."
    if finding.certainty is not None and _by_machine(result, finding) and "certainty" not in text.lower():
        text += f" Certainty of the analysis {100 * finding.certainty:.0f} %."
    key = finding.tracking or digest_of(finding)[:16]
    return Sentence(
        f"finding-{key}", "Findings", text, _by_machine(result, finding), (finding.tracking,) * bool(finding.tracking)
    )


def _whole(result: Result) -> list[Sentence]:
    """What is said of the study as a whole: that nothing was detected, and numbers without a place."""
    if result.outcome is Outcome.DECLINED:
        return []
    if result.origin.kind == "person" and not result.origin.parameters and not result.findings:
        return []  # a finding of a person's own, taken back
    said = []
    machine = result.origin.kind == "machine"
    name = f"{result.origin.name} {result.origin.version}".strip()
    struck = [f for f in result.findings if f.verdict is Verdict.STRUCK]
    if result.outcome is Outcome.NONE:
        looked = _LOOKED_FOR.get(result.origin.name, f"A finding of {result.origin.name.replace('_', ' ')}")
        text = f"{looked} was not detected" + (f" by {name}." if machine else ".")
        said.append(Sentence(f"none-{result.origin.name}", "Findings", text, machine))
    # Numbers of the whole belong to something that was found; of what looked and found none, the table has them.
    found = result.outcome is Outcome.FOUND and len(struck) < len(result.findings)
    numbers = [m for m in result.measurements if m.what != codes.PROBABILITY]  # a certainty stands with its finding
    if numbers and (found or (not result.findings and result.outcome is Outcome.FOUND)):
        text = _first_upper("; ".join(words.quantity(m) for m in numbers)) + "."
        said.append(Sentence(f"whole-{result.origin.name}", "Findings", text, machine))
    if result.reasons and not struck:
        text = words.one_line(f"Remark on {name}: {'; '.join(result.reasons)}")
        said.append(Sentence(f"remark-{result.origin.name}", "Findings", text.rstrip(".") + ".", machine))
    return said


def _impression(kept: Sequence[tuple[Result, Finding]], current: Sequence[Result]) -> list[Sentence]:
    alike: dict[tuple[str, bool], list[Finding]] = {}
    for result, finding in kept:
        if finding.what in _NO_OBSERVATION:
            continue
        alike.setdefault((words.name_of(finding), _by_machine(result, finding)), []).append(finding)
    told = []
    for (name, machine), findings in list(alike.items())[:_IN_IMPRESSION]:
        key = findings[0].tracking or digest_of(findings[0])[:16]
        text = f"{name}." if len(findings) == 1 else f"{name}, {len(findings)} places."
        tied = tuple(f.tracking for f in findings if f.tracking)
        told.append(Sentence(f"impression-{key}", "Impression", text, machine, tied))
    more = sum(len(findings) for findings in list(alike.values())[_IN_IMPRESSION:])
    if more > 0:
        machine = any(by for _, by in list(alike)[_IN_IMPRESSION:])
        told.append(Sentence("impression-more", "Impression", f"{_many(more, 'further finding')} as above.", machine))
    looked = [r for r in current if r.outcome is not Outcome.DECLINED]
    if not alike and looked:
        machine = any(r.origin.kind == "machine" for r in looked)
        text = "No finding was detected by the analyses named above." if machine else "No finding was kept."
        told.append(Sentence("impression-none", "Impression", text, machine))
    if not looked:
        told.append(Sentence("impression-unread", "Impression", "No analysis looked at this study.", machine=False))
    return told


def _declined(result: Result) -> list[Sentence]:
    looked = _LOOKED_FOR.get(result.origin.name, _first_upper(result.origin.name.replace("_", " ")))
    text = words.one_line(f"{looked} was not looked for: {'; '.join(result.reasons)}").rstrip(".") + "."
    return [Sentence(f"declined-{result.origin.name}", "Not looked", text, machine=True)]


def _by_machine(result: Result, finding: Finding) -> bool:
    # In a person's correction of a machine's result, what the person has not decided is still the machine's word.
    return finding.verdict is Verdict.UNDECIDED and (result.origin.kind == "machine" or bool(result.replaces))


def _many(count: int, one: str, several: str = "") -> str:
    return f"{count:,} {one if count == 1 else several or one + 's'}"


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


# ---- checking a person's words against the findings ------------------------------------------------------------------

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
_TO_BASE = {"cm": ("mm", 10.0), "cm2": ("mm2", 100.0), "mm3": ("mL", 0.001), "L": ("mL", 1000.0)}


def check_sentence(sentence: Sentence, findings: Sequence[Finding]) -> tuple[str, ...]:
    """Where a sentence disagrees with the findings: a number, a side, or a struck finding that is still mentioned.

    Args:
        sentence: as the reader left it.
        findings: all of the study's latest findings; those that the sentence is tied to are held against its numbers
            and sides, all of them when it is tied to none.

    Returns:
        One line for each disagreement; empty when there is none. Numbers agree when the measurement, rounded as the
        sentence rounds, is the number that it gives; numbers without unit that are no SUV are not judged.
    """
    tied = [f for f in findings if f.tracking and f.tracking in sentence.findings]
    wrong = [
        f"'{words.name_of(f)}' was struck ({f.reason or 'no reason given'}) and is still mentioned"
        for f in tied
        if f.verdict is Verdict.STRUCK
    ]
    meant = [f for f in tied if f.verdict is not Verdict.STRUCK]
    if tied and not meant:
        return tuple(wrong)
    meant = meant or [f for f in findings if f.verdict is not Verdict.STRUCK]
    return (*wrong, *_numbers(sentence.text, meant), *(_sides(sentence.text, meant) if tied else ()))


def _numbers(text: str, meant: Sequence[Finding]) -> Iterable[str]:
    held = [_base(v, m.unit) for f in meant for m in f.measurements for v in (m.value, m.low, m.high) if v is not None]
    held += [(100 * f.certainty, "%") for f in meant if f.certainty is not None]
    # "41 % of SUVmax" is how something was defined, not what was measured.
    held += [claimed for f in meant for m in f.measurements for claimed in _claims(m.definition)]
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
            known = ", ".join(f"{v / factor:.{places}f}" for v in same) or "none"
            shown = f"SUV {claim['number']}" if base == "SUV" else f"{claim['number']} {claim['unit']}"
            yield f"{shown} is not what was measured (measured: {known})"


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


def _sides(text: str, meant: Sequence[Finding]) -> Iterable[str]:
    sides = {words.side(f.laterality) for f in meant} - {""}
    if not sides or "bilateral" in sides:
        return
    for word in ("left", "right"):
        if re.search(rf"\b{word}\b", text, re.IGNORECASE) and word not in sides:
            yield f"'{word}' is not the side of the finding ({' and '.join(sorted(sides))})"
