"""Results as the draft of a report: ordered sentences, each tied to the findings that it speaks of.

A draft says what was looked for, with which numbers, and what was not looked at and why. It never says "normal": a
machine that found nothing says that it did not detect what it looks for. Every sentence of a machine is marked as
such until a person has kept or changed it; a struck finding is not mentioned at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from isocenter.forms import words
from isocenter.forms.template import SECTIONS, Template, choose
from isocenter.record import Finding, Measurement, Outcome, Result, Study, Verdict, codes
from isocenter.record.plain import digest_of

__all__ = [
    "DECLINED", "FINDING", "NONE_DETECTED", "NONE_KEPT", "NOT_LOOKED_FOR", "REMARK", "SECTIONS", "UNANALYSED",
    "Sentence", "draft", "latest",
]  # fmt: skip

FINDING = "finding-"
"""How the name of a sentence begins that speaks of one finding."""
NONE_DETECTED, NONE_KEPT = "No finding was detected by the analyses named here.", "No finding was kept."
UNANALYSED = "No analysis looked at this study."
DECLINED, NOT_LOOKED_FOR = "declined-", " was not looked for"
"""How the name of a sentence begins that tells what was declined, and what follows the analysis in it."""
REMARK = "remark-"
"""How the name of a sentence begins that tells how an analysis went about it."""

_REASON = 240  # characters of a reason in a report
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

_REASONS = ("ReasonForTheRequestedProcedure", "ReasonForStudy")
_AT_HAND = 3  # earlier studies that are named
_MANY, _FEW = 8, 4  # numbers in one sentence: where there are more than many, it says a few
_SAID = (Verdict.CHANGED, Verdict.ADDED)  # findings whose words are a reader's
_IN_IMPRESSION = 3  # findings; an impression that lists all is none


@dataclass(frozen=True)
class Sentence:
    """One sentence of a report.

    Args:
        id: stays the same as long as it speaks of the same findings, so that a reader's words are kept.
        section: one of its template, such as *Findings*.
        text: the words.
        machine: True until a person kept or changed what it says.
        findings: tracking identities of the findings that it speaks of.
        heading: inside the section, as the template names it; empty for none.
    """

    id: str
    section: str
    text: str
    machine: bool = True
    findings: tuple[str, ...] = ()
    heading: str = ""

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary; without a heading it is what it was before there were any, and so are old digests."""
        said = {
            "id": self.id, "section": self.section, "text": self.text, "machine": self.machine,
            "findings": list(self.findings),
        }  # fmt: skip
        return said | ({"heading": self.heading} if self.heading else {})

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Sentence:
        """Read what `to_json` wrote."""
        return cls(**{**data, "findings": tuple(data["findings"])})


def latest(results: Iterable[Result]) -> tuple[Result, ...]:
    """Those that no other of them replaces, in their order."""
    many = tuple(results)
    gone = {r.replaces for r in many if r.replaces}
    return tuple(r for r in many if not gone or r.id not in gone)


def draft(
    study: Study,
    results: Sequence[Result],
    *,
    template: Template | None = None,
    earlier: Sequence[Study] = (),
    worded: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Sentence, ...]:
    """The draft of a study's report, in the order of its template.

    Args:
        study: what was imaged.
        results: of machines and people; those that are replaced are left out.
        template: how the report is built; by the kind of the study where it is not given.
        earlier: earlier studies of the patient that are at hand, the newest first.
        worded: tracking identity -> the sentence that a reader wrote of that finding alone; the impression says it so.
    """
    form = template or choose(study)
    current = latest(results)
    said = [*_reason(study), *_technique(study), _comparison(earlier)]
    kept = [(r, f) for r in current for f in r.findings if f.verdict is not Verdict.STRUCK]
    kept = [pair for pair in kept if not pair[1].research or pair[1].verdict in _SAID]  # those stand in the table
    kept.sort(key=lambda pair: _weight(*pair))
    said += [_finding(r, f, form) for r, f in kept]
    said += list({(s.id, s.text): s for r in current for s in _whole(r, form)}.values())  # many series, one sentence
    said += _impression(kept, current, worded)
    said += [s for r in current if r.outcome is Outcome.DECLINED for s in _declined(r)]
    return tuple(sorted(said, key=lambda s: form.place(s.section, s.heading)))


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
        parts = sorted({words.body_part(s.body_part) for s in series if s.body_part.strip()})
        images = sum(max(1, i.frames) for s in series for i in s.instances if i.rows)
        if not images:
            continue
        place = f" of the {', '.join(parts)}" if parts else ""
        text = f"{_TECHNIQUE[modality]}{place}, {_many(images, 'image')} in {_many(len(series), 'series', 'series')}."
        said.append(Sentence(f"technique-{modality}", "Technique", words.one_line(text), machine=False))
    return said


def _reason(study: Study) -> list[Sentence]:
    """Why it was asked for, in the words of whoever asked; the least general attribute that says something."""
    for keyword in _REASONS:
        for series in study.series:
            if asked := words.one_line(str(series.facts.get(keyword) or "")):
                text = asked if asked.endswith((".", "?", "!")) else f"{asked}."
                return [Sentence("reason", "Clinical information", text, machine=False)]
    return []


def _comparison(earlier: Sequence[Study]) -> Sentence:
    known = [f"{s.description or ' '.join(s.modalities)} of {s.date}" for s in earlier[:_AT_HAND] if s.date]
    text = f"At hand: {'; '.join(known)}." if known else "No earlier study was given for comparison."
    return Sentence("comparison", "Comparison", words.one_line(text), machine=False)


def _finding(result: Result, finding: Finding, form: Template) -> Sentence:
    text = words.one_line(finding.words)
    if not text:  # an analysis that chose its own words chose the numbers that matter; the table holds them all
        text = f"{words.name_of(finding)}."
        if finding.measurements:
            text += f" {_numbers(finding.measurements)}"
    if not text.endswith((".", "!", "?")):
        text += "."
    if finding.certainty is not None and _by_machine(result, finding) and "certainty" not in text.lower():
        text += f" Certainty of the analysis {100 * finding.certainty:.0f} %."
    key = finding.tracking or digest_of(finding)[:16]
    tied = (finding.tracking,) * bool(finding.tracking)
    label = finding.where.label if finding.where else ""
    place = f"{words.side(finding.laterality)} {finding.site or ''} {label}"
    heading = form.heading_for("Findings", place, f"{finding.what} {finding.words}", result.origin.name)
    return Sentence(f"{FINDING}{key}", "Findings", text, _by_machine(result, finding), tied, heading)


def _whole(result: Result, form: Template) -> list[Sentence]:
    """What is said of the study as a whole: that nothing was detected, numbers without a place, and remarks of method,
    which are no findings and have a section of their own."""
    if result.outcome is Outcome.DECLINED:
        return []
    if result.origin.kind == "person" and not result.origin.parameters and not result.findings:
        return []  # a finding of a person's own, taken back
    said = []
    machine = result.origin.kind == "machine"
    name = f"{words.spoken(result.origin.name)} {result.origin.version}".strip()
    heading = form.heading_for("Findings", result.origin.name)
    struck = [f for f in result.findings if f.verdict is Verdict.STRUCK]
    if result.outcome is Outcome.NONE:
        looked = _LOOKED_FOR.get(result.origin.name, f"A finding of {words.spoken(result.origin.name)}")
        text = f"{looked} was not detected" + (f" by {name}." if machine else ".")
        said.append(Sentence(f"none-{result.origin.name}", "Findings", text, machine, heading=heading))
    # Numbers of the whole belong to something that was found; of what looked and found none, the table has them.
    found = result.outcome is Outcome.FOUND and len(struck) < len(result.findings)
    numbers = [m for m in result.measurements if m.what != codes.PROBABILITY]  # a certainty stands with its finding
    if numbers and (found or (not result.findings and result.outcome is Outcome.FOUND)):
        text = _numbers(numbers)
        said.append(Sentence(f"whole-{result.origin.name}", "Findings", text, machine, heading=heading))
    if result.reasons and not struck:
        text = words.one_line(f"Remark on {name}: {'; '.join(result.reasons)}")
        said.append(Sentence(f"{REMARK}{result.origin.name}", "Method and limits", text.rstrip(".") + ".", machine))
    return said


def _numbers(many: Sequence[Measurement]) -> str:
    """Numbers as a sentence; where they are many it says a few, and the table holds the others."""
    shown = many if len(many) <= _MANY else many[:_FEW]
    more = f"; {len(many) - len(shown):,} more in the table of measurements" if len(shown) < len(many) else ""
    return _first_upper("; ".join(words.quantity(m) for m in shown)) + f"{more}."


def _bare(result: Result, finding: Finding) -> bool:
    """Whether it is a mark of which the reader said nothing: a number for the findings, and no impression."""
    drawn = result.origin.parameters.get("drawn", {}).get(finding.tracking, {})
    return finding.what == codes.REGION and bool(finding.words) and drawn.get("said") == finding.words


def _impression(
    kept: Sequence[tuple[Result, Finding]], current: Sequence[Result], worded: Mapping[str, str]
) -> list[Sentence]:
    alike: dict[tuple[str, bool], list[Finding]] = {}
    spoken = [pair for pair in kept if not _bare(*pair) or worded.get(pair[1].tracking)]
    for result, finding in spoken or kept:  # where nothing else was said, the marks are all there is
        own = worded.get(finding.tracking, "") or (finding.words if finding.verdict in _SAID else "")
        if finding.what in _NO_OBSERVATION and not own:
            continue
        name = words.one_line(own).rstrip(".") or words.name_of(finding)
        alike.setdefault((name, _by_machine(result, finding) and not own), []).append(finding)
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
        struck = any(f.verdict is Verdict.STRUCK and f.what not in _NO_OBSERVATION for r in looked for f in r.findings)
        machine = not struck and any(r.origin.kind == "machine" for r in looked)
        text = NONE_DETECTED if machine else NONE_KEPT
        told.append(Sentence("impression-none", "Impression", text, machine))
    if not looked:
        told.append(Sentence("impression-unread", "Impression", UNANALYSED, machine=False))
    return told


def _declined(result: Result) -> list[Sentence]:
    looked = _LOOKED_FOR.get(result.origin.name, _first_upper(words.spoken(result.origin.name)))
    reason = words.one_line("; ".join(result.reasons)).rstrip(".")
    if len(reason) > _REASON:  # one reason for each of many regions is for whoever repairs it, not for the referrer
        reason = f"{reason[:_REASON].rpartition(' ')[0].rstrip(',;:.')} …, in full kept with the study"
    text = words.one_line(f"{looked}{NOT_LOOKED_FOR}: {reason}.")
    return [Sentence(f"{DECLINED}{result.origin.name}", "Not looked", text, machine=True)]


def _by_machine(result: Result, finding: Finding) -> bool:
    # In a person's correction of a machine's result, what the person has not decided is still the machine's word.
    return finding.verdict is Verdict.UNDECIDED and (result.origin.kind == "machine" or bool(result.replaces))


def _many(count: int, one: str, several: str = "") -> str:
    return f"{count:,} {one if count == 1 else several or one + 's'}"


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]
