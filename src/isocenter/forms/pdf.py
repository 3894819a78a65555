"""The report on paper: a PDF/A that says on every page whose it is, and whether it is a draft.

Text of files and people enters the page as data, never as markup, so that no name or sentence can change the layout
or read a file. The same report gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from isocenter.errors import Refused
from isocenter.forms import maker, words
from isocenter.forms.evidence import evidence
from isocenter.forms.person_name import read_out
from isocenter.forms.text import DECLINED, NOT_LOOKED_FOR, Sentence, latest
from isocenter.record import Finding, Measurement, Outcome, Result, Study, Verdict

__all__ = ["Picture", "Seal", "report"]

_STATEMENT = "Research software: not a medical device, not for diagnosis. What a machine says is marked as such."
_DEMO = "DEMO: of a demonstration, and of no patient."
_FIRST = "Impression"  # of all sections the one that is always read
_OTHER = "Other"  # what stands under no heading, where others do
_MANY, _FEW = 12, 6  # numbers of one finding or analysis: where there are more than many, the table shows a few
_TOLD = 3  # so many analyses that did not look are named with their reasons; more would bury what was said
_LIMITS = {"sentences": 2000, "pictures": 24}


@dataclass(frozen=True)
class Picture:
    """A key image: an SVG of `plot.key_image` or another figure, and one line that says what it shows.

    Two stand side by side; one that is `wide` takes the whole width.
    """

    svg: str
    caption: str
    wide: bool = False


@dataclass(frozen=True)
class Seal:
    """Who signed, when, and the digest of what was signed; `amends` is the digest of the version before."""

    name: str
    when: datetime
    digest: str
    amends: str = ""


def report(
    study: Study,
    sentences: Sequence[Sentence],
    results: Sequence[Result],
    *,
    when: datetime,
    seal: Seal | None = None,
    pictures: Sequence[Picture] = (),
    form: Literal["pdf", "png"] = "pdf",
    how: Sequence[str] = (),
    address: str = "",
    demonstration: bool = False,
) -> bytes:
    """The report of a study as PDF/A-2b.

    Args:
        study: whose it is.
        sentences: in the reader's words or as drafted; a sentence carries the numbers [n] of its findings.
        results: from which it was made; those that are replaced are left out, struck findings are only counted.
        when: the time that the document bears.
        seal: of the signature; without it, every page says DRAFT.
        pictures: key images, at most 24.
        how: how it came about, a sentence each: opinions, what changed, who was told.
        address: of the study in the reading room; the numbers [n] lead there, each to its finding. Empty for no links.
        demonstration: nobody's images: every page says DEMO.
        form: ``"pdf"``, or ``"png"`` for the first page as a picture.

    Raises:
        Refused: for more than a report holds, an unknown form, or a picture that cannot be drawn.
    """
    import typst

    if len(sentences) > _LIMITS["sentences"] or len(pictures) > _LIMITS["pictures"]:
        raise Refused(
            f"{len(sentences)} sentences and {len(pictures)} pictures",
            f"a report holds at most {_LIMITS['sentences']} and {_LIMITS['pictures']}",
            "shorten the report",
        )
    if form not in ("pdf", "png"):
        raise Refused(f"a report as '{form}'", "known are pdf and png", "name one of these")
    data = _content(study, sentences, latest(results), seal, pictures)
    data["leads"] = _leads(address, study, results) if address else {}
    data["demo"] = _DEMO if demonstration else ""
    data["how"] = [words.one_line(line) for line in how]
    try:
        return _set(data, form, when)
    except typst.TypstError as bad:
        if "could not be displayed" not in str(bad):
            raise Refused("a report that cannot be set", str(bad)[:300], "check the key images") from bad
    # PDF/A takes no character without a glyph, and no machine has every script: such characters are given by number.
    data = _by_number(data)
    data["closing"].append("Characters that the fonts of this machine lack are given as their Unicode number.")
    try:
        return _set(data, form, when)
    except typst.TypstError as bad:
        raise Refused("a report that cannot be set", str(bad)[:300], "check the key images") from bad


def _leads(address: str, study: Study, results: Sequence[Result]) -> dict[str, str]:
    """Of each number that a sentence may carry the address of its finding."""
    return {
        str(e.number): f"{address}?finding={quote(e.tracking, safe='')}" for e in evidence(study, results) if e.tracking
    }


def _set(data: dict[str, Any], form: Literal["pdf", "png"], when: datetime) -> bytes:
    import typst

    template = Path(__file__).with_name("report.typ").read_bytes()
    inputs = {"report": json.dumps(data, ensure_ascii=False)}
    at = int(when.timestamp())
    if form == "pdf":
        made: Any = typst.compile(template, format="pdf", sys_inputs=inputs, pdf_standards="a-2b", timestamp=at)
    else:
        made = typst.compile(template, format="png", ppi=110.0, sys_inputs=inputs, timestamp=at)
    return bytes(made[0] if isinstance(made, list) else made)


def _by_number(value: Any) -> Any:
    if isinstance(value, str):
        return "".join(c if ord(c) < 0x530 or 0x2010 <= ord(c) < 0x2600 else f"[U+{ord(c):04X}]" for c in value)
    if isinstance(value, dict):
        return {k: _by_number(v) for k, v in value.items()}
    return [_by_number(v) for v in value] if isinstance(value, list) else value


def _content(
    study: Study,
    sentences: Sequence[Sentence],
    results: Sequence[Result],
    seal: Seal | None,
    pictures: Sequence[Picture],
) -> dict[str, Any]:
    seen = evidence(study, results)
    sentences, declined = _briefly(sentences), [r for r in results if r.outcome is Outcome.DECLINED]
    named = [r for r in results if r.outcome is not Outcome.DECLINED or len(declined) <= _TOLD]
    tied = {t for s in sentences for t in s.findings}
    clean = words.one_line
    patient = study.patient
    name = read_out(patient.name) or "(no name)"
    return {
        "title": f"Report {clean(study.accession or study.uid)}",
        "author": clean(seal.name) if seal else maker.MAKER,
        "draft": seal is None,
        "state": _state(seal),
        "state-more": f"digest {seal.digest[:16]}"
        if seal
        else "not signed; the words and numbers of machines are unconfirmed",
        "identity": [
            ["Patient", name],
            ["Patient ID", clean(patient.id) or "–"],
            ["Born, sex", f"{patient.birth_date or '–'}, {clean(patient.sex) or '–'}"],
            ["Study", clean(study.description) or ", ".join(study.modalities) or "–"],
            ["Date", str(study.date or "–")],
            ["Accession", clean(study.accession) or "–"],
        ],
        "foot": f"{name} · {clean(patient.id) or '–'} · {clean(study.accession) or study.uid}",
        "statement": _STATEMENT,
        "sections": _sections(sentences, {e.tracking: e.number for e in seen if e.tracking}, sealed=seal is not None),
        "measurements": (table := _measurements(results))[0],
        "beyond": _beyond(table[1]),
        "seen": [[f"[{e.number}]", e.name, e.where] for e in seen if e.where and e.tracking in tied],
        "pictures": [{"svg": p.svg, "caption": clean(p.caption), "wide": p.wide} for p in pictures],
        "made": [_provenance(r) for r in named],
        "closing": _closing(study, results, seal, [] if len(declined) <= _TOLD else declined),
    }


def _briefly(sentences: Sequence[Sentence]) -> list[Sentence]:
    """Sentences as drafted of what was not looked for become one where they are many; what a reader worded stays."""
    apart = [s for s in sentences if s.id.startswith(DECLINED) and s.machine]
    if len(apart) <= _TOLD:
        return list(sentences)
    names = sorted({s.text.partition(NOT_LOOKED_FOR)[0] for s in apart}, key=str.casefold)
    text = f"Not looked for: {', '.join(names)}. The reasons are kept with the study."
    one = replace(apart[0], id=f"{DECLINED}many", text=text)
    return [one if s is apart[0] else s for s in sentences if s is apart[0] or s not in apart]


def _state(seal: Seal | None) -> str:
    if seal is None:
        return "DRAFT"
    said = f"{'Amended and signed' if seal.amends else 'Signed'} by {words.one_line(seal.name)}"
    return f"{said}, {seal.when:%Y-%m-%d %H:%M %Z}".rstrip()


def _sections(sentences: Sequence[Sentence], numbers: dict[str, int], *, sealed: bool) -> list[dict[str, Any]]:
    """Impression first, then the sections as the report has them, each with its headings."""
    names = list(dict.fromkeys(s.section for s in sentences))
    names.sort(key=lambda name: name != _FIRST)
    return [{"name": words.one_line(n), "parts": _parts(sentences, n, numbers, sealed=sealed)} for n in names]


def _parts(
    sentences: Sequence[Sentence], section: str, numbers: dict[str, int], *, sealed: bool
) -> list[dict[str, Any]]:
    mine = [s for s in sentences if s.section == section]
    headings = list(dict.fromkeys(s.heading for s in mine))
    return [
        {
            "heading": words.one_line(heading) or (_OTHER if len(headings) > 1 else ""),
            "sentences": [
                {
                    "text": words.one_line(s.text),
                    "machine": s.machine and not sealed,
                    "refs": sorted({numbers[t] for t in s.findings if t in numbers}),
                }
                for s in mine
                if s.heading == heading
            ],
        }
        for heading in headings
    ]


def _measurements(results: Sequence[Result]) -> tuple[list[list[str]], int]:
    """The rows of the table, numbered as `evidence` numbers the findings, and how many numbers are not among them.

    Hundreds of numbers of one region (radiomics) are read by programs: on paper they would bury the others.
    """
    rows: list[list[str]] = []
    count = beyond = 0

    def add(number: str, name: str, who: str, many: Sequence[Measurement]) -> int:
        shown = many if len(many) <= _MANY else many[:_FEW]
        for i, m in enumerate(shown):
            first = [number, name] if i == 0 else ["", ""]
            rows.append([*first, _measure(m), words.number(m.value, m.unit), who])
        if more := len(many) - len(shown):
            rows.append(["", "", f"and {more:,} more", "", who])
        return more

    for result in results:
        for finding in result.findings:
            if finding.verdict is Verdict.STRUCK:
                continue
            if finding.research:
                beyond += len(finding.measurements)
                continue
            count += 1
            beyond += add(f"[{count}]", _named(finding), _measured_by(result, finding), finding.measurements)
        # Numbers of an analysis that looked and found none are in its result; on paper they would bury the others.
        if result.outcome is Outcome.FOUND:
            beyond += add("", "Whole study", _measured_by(result), result.measurements)
    return rows, beyond


def _measured_by(result: Result, finding: Finding | None = None) -> str:
    """Who measured: a number that a person kept is still the machine's, and nobody guesses who said it."""
    person = words.one_line(f"{result.origin.name} {result.origin.version}")
    of = result.origin.parameters.get("of")
    if result.origin.kind != "person" or not of or (finding and finding.verdict is not Verdict.KEPT):
        return person
    machine = words.one_line(f"{of['analysis']} {of['version']}")
    return f"{machine}, kept by {person}" if finding else machine


def _beyond(numbers: int) -> str:
    if not numbers:
        return ""
    return f"{numbers:,} further measurements are in the table of measurements that goes with this report (CSV)."


def _named(finding: Finding) -> str:
    name, label = words.name_of(finding), words.one_line(finding.where.label) if finding.where else ""
    return f"{name}: {label}" if label and label.casefold() not in name.casefold() else name


def _measure(number: Measurement) -> str:
    # Two numbers of one name differ by their definition; without it the table would contradict itself.
    return words.one_line(f"{number.what} ({number.definition})" if number.definition else str(number.what))


def _provenance(result: Result) -> list[str]:
    who = words.one_line(f"{result.origin.name} {result.origin.version}")
    answer = {Outcome.FOUND: "found", Outcome.NONE: "none", Outcome.DECLINED: "not looked"}[result.outcome]
    how = []
    if result.outcome is Outcome.DECLINED:
        how.append(words.one_line("; ".join(result.reasons)))
    if result.origin.kind == "person":
        said = [f.verdict for f in result.findings]
        counts = [f"{said.count(v)} {v.value}" for v in Verdict if v is not Verdict.UNDECIDED and v in said]
        how.append(", ".join(counts) or "read")
        how.append("opinion given before any AI was seen" if result.origin.unaided else "with AI output at hand")
    if result.origin.model:
        how.append(f"model {result.origin.model[:12]}")
    if result.receipt.inputs:
        how.append(f"{len(result.receipt.inputs)} images in {result.receipt.seconds:.1f} s")
    how.append(f"result {result.id[:12]}")
    return [who, answer, ", ".join(h for h in how if h)]


def _closing(study: Study, results: Sequence[Result], seal: Seal | None, declined: Sequence[Result]) -> list[str]:
    struck = sum(f.verdict is Verdict.STRUCK for r in results for f in r.findings)
    lines = [f"Study {study.uid}. {maker.MAKER} {maker.version()}."]
    if declined:
        names = ", ".join(sorted({words.one_line(f"{r.origin.name} {r.origin.version}") for r in declined}))
        lines.append(f"Did not look: {names}. Their reasons are kept with the study.")
    if struck:
        lines.append(f"{struck} finding{'s' if struck > 1 else ''} of machines struck by the reader and not reported.")
    if seal:
        lines.append(f"Sealed {seal.digest}." + (f" Amends {seal.amends}." if seal.amends else ""))
    return lines
