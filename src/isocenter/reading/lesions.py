"""Lesions through the studies of a patient: which is which, how large it was, and how sure the match is.

Two findings of two studies are one lesion when they carry one tracking identity, or when a person has said so. Where
neither holds, a pair is proposed only if each is the only one of its kind, site and side in its study: *match unsure*,
for a person to confirm or refuse. Nothing is proposed where two could be meant.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from isocenter.reading.session import machine_of
from isocenter.record import Code, Finding, Kind, Measurement, Outcome, Result, Sealed, Study, Verdict, codes

__all__ = ["Absence", "Lesion", "Match", "Point", "Sum", "Told", "follow", "told_of"]

_SIZES = (codes.LONG_AXIS, codes.DIAMETER, codes.LENGTH, codes.VOLUME, codes.MTV, codes.AREA)
"""What a lesion is followed by, the first that it has."""


class Match(StrEnum):
    """How a point belongs to the lesion."""

    FIRST = "first"  # the first that is known of it
    SAME = "same"  # by its tracking identity, or by a person's word
    UNSURE = "unsure"  # proposed; a person confirms or refuses it


@dataclass(frozen=True)
class Point:
    """A lesion in one study.

    Args:
        change: against the point before it, in percent of that; None for the first, or where the measure is another.
        interval_days: since the point before it; None where a study has no date.
    """

    study: str
    tracking: str
    match: Match
    size: Measurement | None = None
    change: float | None = None
    interval_days: int | None = None


class Absence(StrEnum):
    """Why a lesion has no point in a study. Only the first says that it is not there."""

    LOOKED = "looked for"  # an analysis that had found it looked there, and it stands in no finding
    UNMATCHED = "unmatched"  # one of its kind was found there, of which nobody has said yet whether it is this one
    UNTOLD = "untold"  # the report is signed, and nobody can say from it whether it was looked for
    UNREAD = "unread"  # nobody has signed a report of the study


@dataclass(frozen=True)
class Lesion:
    """One lesion: what it is, where, and a point for each study of the patient, None where it has none.

    Args:
        absent: for each study why it has no point; None where it has one.
    """

    what: Code
    site: Code | None
    laterality: Code | None
    words: str
    points: tuple[Point | None, ...]
    absent: tuple[Absence | None, ...] = ()


@dataclass(frozen=True)
class Sum:
    """A number that an analysis gives for all lesions together (RECIST, PERCIST), a value for each study or None."""

    what: Code
    unit: str
    definition: str
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class Told:
    """What people said of pairs of findings: which are one lesion, and which are not."""

    same: frozenset[frozenset[str]] = frozenset()
    apart: frozenset[frozenset[str]] = frozenset()


_NOTHING = Told()


def told_of(events: Iterable[Sealed]) -> Told:
    """What the journal says of pairs; the later word on a pair stands."""
    said: dict[frozenset[str], bool] = {}
    for sealed in events:
        if sealed.event.kind is Kind.LESION_MATCHED:
            details = sealed.event.details
            said[frozenset((str(details["one"]), str(details["other"])))] = bool(details["same"])
    return Told(
        frozenset(pair for pair, same in said.items() if same),
        frozenset(pair for pair, same in said.items() if not same),
    )


@dataclass
class _Track:
    """A lesion while it is being followed."""

    findings: dict[int, tuple[Finding, Match]] = field(default_factory=dict)  # number of the study -> what was seen
    by: set[str] = field(default_factory=set)  # analyses that had found it in one of them

    @property
    def last(self) -> Finding:
        return self.findings[max(self.findings)][0]


def follow(
    times: Sequence[tuple[Study, Sequence[tuple[str, Result]]]],
    told: Told = _NOTHING,
    signed: Collection[str] = (),
) -> tuple[tuple[Lesion, ...], tuple[Sum, ...]]:
    """Lesions and sums through studies.

    Args:
        times: studies of one patient, the oldest first, each with its latest results as the asker may see them.
        told: what people said of pairs.
        signed: studies with a signed report.
    """
    tracks: list[_Track] = []
    for number, (_, results) in enumerate(times):
        seen = {f.tracking: f for _, r in results for f in r.findings if _is_lesion(f)}
        left = dict(seen)
        for track in tracks:
            known = next((t for t in left if _is_same(track.last, left[t], told)), None)
            if known is not None:
                track.findings[number] = left.pop(known), Match.SAME
        _propose(tracks, left, number, told)
        tracks += [_Track({number: (f, Match.FIRST)}) for f in left.values()]
    for track in tracks:
        mine = {finding.tracking for finding, _ in track.findings.values()}
        held = (r for _, results in times for _, r in results if any(f.tracking in mine for f in r.findings))
        track.by = {name for r in held if (name := machine_of(r)[0])}
    dates = [study.date for study, _ in times]
    uids = [study.uid for study, _ in times]
    return tuple(
        replace(
            _lesion(track, uids, dates),
            absent=tuple(_absent(tracks, track, n, one, told, signed) for n, one in enumerate(times)),
        )
        for track in tracks
    ), _sums(times)


def _may_be_one(one: _Track, other: _Track, told: Told) -> bool:
    """Two of a kind that were never found in one study, and of which nobody has said that they are two."""
    ours, theirs = ({f.tracking for f, _ in t.findings.values()} for t in (one, other))
    apart = any(frozenset((a, b)) in told.apart for a in ours for b in theirs)
    return _kind(one.last) == _kind(other.last) and one.findings.keys().isdisjoint(other.findings) and not apart


def _absent(
    tracks: Sequence[_Track],
    track: _Track,
    number: int,
    time: tuple[Study, Sequence[tuple[str, Result]]],
    told: Told,
    signed: Collection[str],
) -> Absence | None:
    """Not found is one thing, not looked for another, and not read yet a third."""
    study, results = time
    if number in track.findings:
        return None
    if study.uid not in signed:
        return Absence.UNREAD
    if any(number in other.findings and _may_be_one(track, other, told) for other in tracks):
        return Absence.UNMATCHED
    looked = any(r.outcome is not Outcome.DECLINED and machine_of(r)[0] in track.by for _, r in results)
    return Absence.LOOKED if looked else Absence.UNTOLD


def _is_lesion(finding: Finding) -> bool:
    kept = finding.verdict is not Verdict.STRUCK and bool(finding.tracking)
    return kept and finding.what not in (codes.STRUCTURE, codes.QUALITY_ISSUE, codes.HEADER_MISMATCH)


def _is_same(one: Finding, other: Finding, told: Told) -> bool:
    pair = frozenset((one.tracking, other.tracking))
    return pair not in told.apart and (one.tracking == other.tracking or pair in told.same)


def _propose(tracks: Sequence[_Track], left: dict[str, Finding], number: int, told: Told) -> None:
    """Pairs of the only ones of a kind; what is proposed is taken out of `left`."""
    open_ = [t for t in tracks if number not in t.findings and number - 1 in t.findings]
    for kind in {_kind(f) for f in left.values()}:
        mine = [f for f in left.values() if _kind(f) == kind]
        theirs = [t for t in open_ if _kind(t.last) == kind]
        if len(mine) != 1 or len(theirs) != 1:
            continue
        (finding,), (track,) = mine, theirs
        if frozenset((finding.tracking, track.last.tracking)) not in told.apart:
            track.findings[number] = left.pop(finding.tracking), Match.UNSURE


def _kind(finding: Finding) -> tuple[str, str, str]:
    site, side = finding.site, finding.laterality
    return str(finding.what.code), site.code if site else "", side.code if side else ""


def _lesion(track: _Track, uids: Sequence[str], dates: Sequence[date | None]) -> Lesion:
    points: list[Point | None] = []
    before: tuple[int, Measurement | None] | None = None
    for number, uid in enumerate(uids):
        if number not in track.findings:
            points.append(None)
            continue
        finding, match = track.findings[number]
        size = _size(finding)
        change = interval = None
        if before is not None:
            change = _change(before[1], size)
            then, now = dates[before[0]], dates[number]
            interval = (now - then).days if then and now else None
        points.append(Point(uid, finding.tracking, match, size, change, interval))
        before = number, size
    last = track.last
    return Lesion(last.what, last.site, last.laterality, last.words, tuple(points))


def _size(finding: Finding) -> Measurement | None:
    for what in _SIZES:
        for measured in finding.measurements:
            if measured.what == what:
                return measured
    return finding.measurements[0] if finding.measurements else None


def _change(before: Measurement | None, now: Measurement | None) -> float | None:
    if before is None or now is None or (before.what, before.unit) != (now.what, now.unit) or before.value == 0:
        return None
    return 100.0 * (now.value - before.value) / abs(before.value)


def _sums(times: Sequence[tuple[Study, Sequence[tuple[str, Result]]]]) -> tuple[Sum, ...]:
    """Numbers of analyses that call themselves a sum, by code, unit and definition."""
    held: dict[tuple[Code, str, str], list[float | None]] = {}
    for number, (_, results) in enumerate(times):
        for _, result in results:
            for m in result.measurements:
                if m.what.meaning.casefold().startswith("sum"):
                    row = held.setdefault((m.what, m.unit, m.definition), [None] * len(times))
                    row[number] = m.value
    return tuple(Sum(what, unit, definition, tuple(row)) for (what, unit, definition), row in held.items())
