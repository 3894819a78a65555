"""A reader's first opinion beside what machines say: agrees, adds, differs, or the reader's alone.

Two findings are the same when their words go together, their sides do not contradict, and, where both have a place in
the same space, the one lies within the other or close beside it. What is uncertain is not called the same: a reader
who looks at a finding twice loses seconds, one who is told that a machine agrees when it does not loses a finding.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from isocenter.reading.opinion import Opinion
from isocenter.record import Code, Finding, Outcome, Result, Verdict
from isocenter.space import Region

__all__ = ["NEAR_MM", "Compared", "Relation", "call", "changes", "compare", "same_thing", "signed"]

NEAR_MM = 10.0
"""How far beside a machine's region a reader's mark may lie and still mean it."""

_ANYTHING = "121071"  # DCM Finding: what a reader has put in words only
_OPPOSITE = {("7771000", "24028007"), ("24028007", "7771000")}  # SCT left, right


class Relation(StrEnum):
    """How a machine's word stands to the reader's."""

    AGREES = "agrees"
    ADDS = "adds"  # the reader had not said it
    DIFFERS = "differs"  # one says what the other denies, or another side
    YOURS = "yours"  # the reader's alone; no machine looks for it, or none found it


@dataclass(frozen=True)
class Compared:
    """One line of the comparison.

    Args:
        analysis: which machine; empty for what is the reader's alone.
        machine: tracking identity of the machine's finding; empty where it found none.
        own: tracking identity of the reader's finding; empty where they had none.
        why: in words, where it differs.
    """

    relation: Relation
    analysis: str
    machine: str = ""
    own: str = ""
    why: str = ""


def compare(
    opinion: Opinion, latest: Sequence[tuple[str, Result]], looks_for: Mapping[str, Collection[Code]]
) -> list[Compared]:
    """The lines of a comparison: what differs first, then what machines add, what agrees, and what is yours alone.

    Args:
        opinion: as it was locked.
        latest: (id, Result) that the reader may see now.
        looks_for: analysis -> codes of the findings that it may say.
    """
    lines: list[Compared] = []
    for _, result in latest:
        analysis = result.machine.analysis
        if not analysis or result.outcome is Outcome.DECLINED:
            continue
        said = [f for f in result.findings if f.verdict is not Verdict.ADDED and not f.research]
        if any(f.research for f in result.findings) and not said:
            continue  # numbers for research are no opinion
        lines += [_beside(f, analysis, opinion) for f in said]
        if not said:
            lines += _none_found(analysis, opinion, looks_for.get(analysis, ()))
    spoken = {line.own for line in lines if line.own}
    lines += [Compared(Relation.YOURS, "", own=f.tracking) for f in opinion.findings if f.tracking not in spoken]
    order = (Relation.DIFFERS, Relation.ADDS, Relation.AGREES, Relation.YOURS)
    return sorted(lines, key=lambda line: order.index(line.relation))


def call(opinion: Opinion, result: Result, looks_for: Collection[Code]) -> bool | None:
    """Whether the first opinion says that there is what this analysis looks for; None where it cannot be told.

    What a reader has put in words only may mean anything, and counts neither way.
    """
    if any(same_thing(f, o) for f in result.findings if f.verdict is not Verdict.ADDED for o in opinion.findings):
        return True
    if any(o.what in looks_for for o in opinion.findings):
        return True
    return None if any(o.what.code == _ANYTHING for o in opinion.findings) or opinion.line else False


def signed(result: Result, own: Collection[Finding], looks_for: Collection[Code], *, seen: bool = True) -> bool | None:
    """Whether a signed report says that there is what an analysis looks for; None where it cannot be told.

    A reader who adds what the machine had missed does so by a finding of their own, not on the machine's answer.

    Args:
        result: its answer, with what was decided on it. own: findings that readers signed beside any machine's.
        seen: whether its answer was shown; what was not shown (in shadow) was neither kept nor struck by anybody.

    """
    if seen and result.answer is Outcome.FOUND and result.findings:
        return True
    if any(o.what in looks_for or any(_alike(Finding(code), o) for code in looks_for) for o in own):
        return True
    if any(same_thing(f, o) for f in result.findings if f.verdict is not Verdict.ADDED for o in own):
        return True
    struck = seen and any(f.verdict is Verdict.STRUCK for f in result.findings)
    return None if not struck and any(o.what.code == _ANYTHING for o in own) else False


def changes(
    opinion: Opinion, latest: Sequence[tuple[str, Result]], beneath: Collection[str] = frozenset()
) -> list[str]:
    """What is other in the report than in the first opinion, once machines were seen: a sentence each.

    Args:
        beneath: findings that only measure a lesion of which another speaks.
    """
    stands = [
        (r.machine, f)
        for _, r in latest
        for f in r.findings
        if f.verdict is not Verdict.STRUCK and not f.research and f.tracking not in beneath
    ]
    now = {f.tracking: f for _, f in stands}
    told = []
    for (analysis, version, _), finding in stands:
        if finding.tracking in {f.tracking for f in opinion.findings}:
            continue
        if analysis and finding.verdict is not Verdict.ADDED:
            if not any(same_thing(finding, own) for own in opinion.findings):
                told.append(f"{_named(finding)}: not in the first opinion; from {analysis} {version}".rstrip() + ".")
        else:
            told.append(f"{_named(finding)}: added after AI was seen.")
    for own in opinion.findings:
        kept = now.get(own.tracking)
        if kept is None:
            told.append(f"{_named(own)}: in the first opinion, struck after AI was seen.")
        elif (kept.what, kept.words, kept.laterality, kept.site) != (own.what, own.words, own.laterality, own.site):
            told.append(f"{_named(own)}: worded anew after AI was seen.")
    return told


def _named(finding: Finding) -> str:
    words = finding.words.strip().rstrip(".")
    name = words if finding.what.code == _ANYTHING and words else str(finding.what)
    label = finding.where.label if finding.where else ""
    return name if not label or label.casefold() in name.casefold() else f"{name}, {label}"


def _beside(finding: Finding, analysis: str, opinion: Opinion) -> Compared:
    for own in opinion.findings:
        if _alike(finding, own) and _together(finding.where, own.where) is not False:
            if _contradict(finding.laterality, own.laterality):
                why = f"{analysis} says {_lower(finding.laterality)}, you said {_lower(own.laterality)}"
                return Compared(Relation.DIFFERS, analysis, finding.tracking, own.tracking, why)
            return Compared(Relation.AGREES, analysis, finding.tracking, own.tracking)
    return Compared(Relation.ADDS, analysis, finding.tracking)


def _none_found(analysis: str, opinion: Opinion, looks_for: Collection[Code]) -> list[Compared]:
    mine = [f for f in opinion.findings if f.what in looks_for]
    if not mine:
        return [Compared(Relation.AGREES, analysis)] if looks_for else []
    return [Compared(Relation.DIFFERS, analysis, own=f.tracking, why=f"{analysis} looked and found none") for f in mine]


def same_thing(finding: Finding, other: Finding) -> bool:
    """Whether two findings of one study mean the same thing."""
    return (
        _alike(finding, other)
        and not _contradict(finding.laterality, other.laterality)
        and _together(finding.where, other.where) is not False
    )


def _alike(finding: Finding, other: Finding) -> bool:
    if finding.what == other.what:
        return True
    if _ANYTHING not in (finding.what.code, other.what.code):
        return False
    named, worded = (finding, other) if other.what.code == _ANYTHING else (other, finding)
    if _together(named.where, worded.where):
        return True  # a mark without a name on it means what lies there
    return named.what.meaning.casefold() in worded.words.casefold()


def _contradict(one: Code | None, other: Code | None) -> bool:
    return one is not None and other is not None and (one.code, other.code) in _OPPOSITE


def _together(region: Region | None, other: Region | None) -> bool | None:
    """Whether two places are one; None where that cannot be told."""
    if region is None or other is None or any(r.mask is not None and not r.voxels for r in (region, other)):
        return None
    if region.geometry.reference is not other.geometry.reference:
        return None
    if region.instance_uid and other.instance_uid and region.instance_uid != other.instance_uid:
        same = region.series_uid == other.series_uid and region.geometry.frame_of_reference
        if not same:
            return None
    if region.geometry.frame_of_reference != other.geometry.frame_of_reference:
        return None
    larger, smaller = (region, other) if _extent(region) >= _extent(other) else (other, region)
    low, high = _box(larger)
    centre = np.asarray(smaller.centre_mm)
    return bool(np.all(centre >= low - NEAR_MM) and np.all(centre <= high + NEAR_MM))


def _box(region: Region) -> tuple[np.ndarray, np.ndarray]:
    """Corners of what a region covers, in millimetres of its space."""
    if region.mask is None:
        assert region.points_mm is not None
        points = np.asarray(region.points_mm, dtype=np.float64)
    else:
        (s0, r0, c0), (s1, r1, c1) = region.bounds
        corners = np.array([(s, r, c) for s in (s0, s1 - 1) for r in (r0, r1 - 1) for c in (c0, c1 - 1)], np.float64)
        points = region.geometry.to_patient(corners)
    return points.min(axis=0), points.max(axis=0)


def _extent(region: Region) -> float:
    low, high = _box(region)
    return float(np.linalg.norm(high - low))


def _lower(code: Code | None) -> str:
    return str(code).lower()
