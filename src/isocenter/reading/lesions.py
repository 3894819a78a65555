"""Lesions through the studies of a patient: which is which, how large it was, and how sure the match is.

Two findings of two studies are one lesion when they carry one tracking identity, or when a person has said so. Where
neither holds, a pair is proposed, *match unsure*, for a person to confirm or refuse: where the studies share a frame of
reference or a stored registration joins them, by place; else only if each is the only one of its kind, site and side in
its study. Nothing is proposed where two could be meant, or where the registration says that they lie apart.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from isocenter.methods.lesion_matching import Spot, match
from isocenter.record import Code, Finding, Kind, Measurement, Outcome, Result, Sealed, Study, Verdict, codes
from isocenter.space import Reference, Region

__all__ = ["Absence", "Lesion", "Match", "Point", "Sum", "Told", "Way", "Ways", "follow", "told_of"]

_REACH_MM = 10.0
"""How far breath and posture move a lesion that a rigid registration puts in its place; its residual comes on top."""
_POINT_ML = 0.1  # a place without an outline: a ball of 6 mm

_SIZES = (codes.LONG_AXIS, codes.DIAMETER, codes.LENGTH, codes.VOLUME, codes.MTV, codes.AREA)
"""What a lesion is followed by, the first that it has."""

_OF_ALL = frozenset({("112048", "DCM"), ("best-response", "99ISO"), ("deauville-score", "99ISO")})
"""Findings that speak of all lesions together (a response, a score) and are none themselves."""


class Match(StrEnum):
    """How a point belongs to the lesion."""

    FIRST = "first"  # the first that is known of it
    SAME = "same"  # by its tracking identity, or by a person's word
    UNSURE = "unsure"  # proposed; a person confirms or refuses it


@dataclass(frozen=True, eq=False)
class Way:
    """From one frame of reference into another.

    Args:
        matrix: (4, 4), from millimetres of the one to millimetres of the other (LPS).
        residual_mm: of the registration; 0 within one frame, None where it does not say.
    """

    matrix: npt.NDArray[np.float64]
    residual_mm: float | None = 0.0


Ways = Callable[[str, str], Way | None]
"""From a frame of reference into another, None where nothing joins them."""


def _no_way(one: str, other: str) -> Way | None:
    return Way(np.eye(4)) if one and one == other else None


@dataclass(frozen=True)
class Point:
    """A lesion in one study.

    Args:
        change: against the point before it, in percent of that; None for the first, or where the measure is another.
        interval_days: since the point before it; None where a study has no date.
        apart_mm: of a pair that is proposed by place, how far its centres lie apart.
        residual_mm: of the registration by which they lie so; 0 within one frame of reference.
    """

    study: str
    tracking: str
    match: Match
    size: Measurement | None = None
    change: float | None = None
    interval_days: int | None = None
    apart_mm: float | None = None
    residual_mm: float | None = None


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
        label: what whoever outlined it last called it; empty where it has no outline.
    """

    what: Code
    site: Code | None
    laterality: Code | None
    words: str
    points: tuple[Point | None, ...]
    absent: tuple[Absence | None, ...] = ()
    label: str = ""


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
    places: dict[int, tuple[float, float | None]] = field(default_factory=dict)  # proposed by place: apart, residual

    @property
    def last(self) -> Finding:
        return self.findings[max(self.findings)][0]


def follow(
    times: Sequence[tuple[Study, Sequence[tuple[str, Result]]]],
    told: Told = _NOTHING,
    signed: Collection[str] = (),
    ways: Ways = _no_way,
) -> tuple[tuple[Lesion, ...], tuple[Sum, ...]]:
    """Lesions and sums through studies.

    Args:
        times: studies of one patient, the oldest first, each with its latest results as the asker may see them.
        told: what people said of pairs.
        signed: studies with a signed report.
        ways: by what registrations, kept with the studies, a place of one study is found in another.
    """
    tracks: list[_Track] = []
    for number, (_, results) in enumerate(times):
        seen = {f.tracking: f for _, r in results for f in r.findings if _is_lesion(f)}
        left = dict(seen)
        for track in tracks:
            known = next((t for t in left if _is_same(track.last, left[t], told)), None)
            if known is not None:
                track.findings[number] = left.pop(known), Match.SAME
        _propose_by_place(tracks, left, number, told, ways)
        _propose(tracks, left, number, told, ways)
        tracks += [_Track({number: (f, Match.FIRST)}) for f in left.values()]
    for track in tracks:
        mine = {finding.tracking for finding, _ in track.findings.values()}
        held = (r for _, results in times for _, r in results if any(f.tracking in mine for f in r.findings))
        track.by = {name for r in held if (name := r.machine.analysis)}
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
    looked = any(r.outcome is not Outcome.DECLINED and r.machine.analysis in track.by for _, r in results)
    return Absence.LOOKED if looked else Absence.UNTOLD


def _is_lesion(finding: Finding) -> bool:
    kept = finding.verdict is not Verdict.STRUCK and bool(finding.tracking)
    return (
        kept
        and not _is_of_all(finding)
        and finding.what not in (codes.STRUCTURE, codes.QUALITY_ISSUE, codes.HEADER_MISMATCH)
    )


def _is_of_all(finding: Finding) -> bool:
    return (finding.what.code, finding.what.scheme) in _OF_ALL


def _is_same(one: Finding, other: Finding, told: Told) -> bool:
    pair = frozenset((one.tracking, other.tracking))
    return pair not in told.apart and (one.tracking == other.tracking or pair in told.same)


def _propose_by_place(tracks: Sequence[_Track], left: dict[str, Finding], number: int, told: Told, ways: Ways) -> None:
    """Pairs that lie in one place by a registration; what is proposed is taken out of `left`."""
    open_ = [t for t in tracks if number not in t.findings and _place(t.last)]
    groups: dict[tuple[str, str, str], tuple[list[_Track], list[Finding]]] = {}
    for track in open_:
        for finding in left.values():
            if (there := _place(finding)) and track.last.what.code == finding.what.code:
                key = _frame(track.last), there.geometry.frame_of_reference, str(finding.what.code)
                before, now = groups.setdefault(key, ([], []))
                before += [track] * (track not in before)
                now += [finding] * all(finding is not one for one in now)
    for (here, there_, _), (before, now) in groups.items():
        way = ways(here, there_)
        if way is None:
            continue
        then = [_spot(t.last, k, way.matrix) for k, t in enumerate(before)]
        today = [_spot(f, len(before) + k) for k, f in enumerate(now)]
        for link in match(then, today, reach_mm=_REACH_MM + (way.residual_mm or 0.0)):
            if link.event != "same" or not link.sure:
                continue
            track, finding = before[link.before[0]], now[link.now[0]]
            pair = frozenset((finding.tracking, track.last.tracking))
            if pair in told.apart or not _agree(track.last, finding) or number in track.findings:
                continue
            apart = float(np.linalg.norm(then[link.before[0]].centre_mm - today[link.now[0]].centre_mm))
            track.findings[number] = left.pop(finding.tracking), Match.UNSURE
            track.places[number] = round(apart, 1), way.residual_mm


def _place(finding: Finding) -> Region | None:
    """Where it lies in the patient, if it says so."""
    where = finding.where
    return where if where is not None and where.geometry.reference is Reference.PATIENT else None


def _frame(finding: Finding) -> str:
    return finding.where.geometry.frame_of_reference if finding.where else ""


def _spot(finding: Finding, number: int, onto: npt.NDArray[np.float64] | None = None) -> Spot:
    """A finding by its centre and size; each fills a cell of its own, so that places decide and no lattice does."""
    where = finding.where
    assert where is not None
    centre = np.asarray(where.centre_mm, np.float64)
    if onto is not None:
        centre = onto[:3, :3] @ centre + onto[:3, 3]
    voxel_ml = abs(float(np.linalg.det(where.geometry.affine[:3, :3]))) / 1000.0
    return Spot(centre, where.voxels * voxel_ml or _POINT_ML, np.array([[number, 0, 0]], np.int64))


def _agree(one: Finding, other: Finding) -> bool:
    """What both say of site and side is the same."""
    said = ((one.site, other.site), (one.laterality, other.laterality))
    return all(a is None or b is None or a.code == b.code for a, b in said)


def _lie_apart(one: Finding, other: Finding, ways: Ways) -> bool:
    """A registration says that these are two places."""
    if not _place(one) or not _place(other) or (way := ways(_frame(one), _frame(other))) is None:
        return False
    then, now = _spot(one, 0, way.matrix), _spot(other, 1)
    (first, *_) = match([then], [now], reach_mm=_REACH_MM + (way.residual_mm or 0.0))
    return first.event != "same"


def _propose(tracks: Sequence[_Track], left: dict[str, Finding], number: int, told: Told, ways: Ways) -> None:
    """Pairs of the only ones of a kind; what is proposed is taken out of `left`."""
    open_ = [t for t in tracks if number not in t.findings and number - 1 in t.findings]
    for kind in {_kind(f) for f in left.values()}:
        mine = [f for f in left.values() if _kind(f) == kind]
        theirs = [t for t in open_ if _kind(t.last) == kind]
        if len(mine) != 1 or len(theirs) != 1:
            continue
        (finding,), (track,) = mine, theirs
        pair = frozenset((finding.tracking, track.last.tracking))
        if pair not in told.apart and not _lie_apart(track.last, finding, ways):
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
        finding, how = track.findings[number]
        size = _size(finding)
        change = interval = None
        if before is not None:
            change = _change(before[1], size)
            then, now = dates[before[0]], dates[number]
            interval = (now - then).days if then and now else None
        apart, residual = track.places.get(number, (None, None))
        points.append(Point(uid, finding.tracking, how, size, change, interval, apart, residual))
        before = number, size
    last = track.last
    label = last.where.label if last.where else ""
    return Lesion(last.what, last.site, last.laterality, last.words, tuple(points), label=label)


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
            of_all = (m for f in result.findings if _is_of_all(f) for m in f.measurements)
            for m in (*result.measurements, *of_all):
                if m.what.meaning.casefold().startswith("sum"):
                    row = held.setdefault((m.what, m.unit, m.definition), [None] * len(times))
                    row[number] = m.value
    return tuple(Sum(what, unit, definition, tuple(row)) for (what, unit, definition), row in held.items())
