"""How long it takes from the order to the report, from nine stamps, so that a department sees where patients wait.

The stamps come from three clocks: the information system (ordered, scheduled, arrived), the scanner (begun, completed)
and ours (available, opened, preliminary, final). The rules that make figures comparable are few and written here:

- Each stamp is the first of its kind; *completed* is the last acquisition, *available* the last arrival of images
  before somebody opened the study. Images that arrive later do not move it.
- *Preliminary* is the first opinion that was locked or words that were written; *final* the first signature. An
  addendum never moves it; addenda are counted.
- A cancelled examination has no turnaround and is counted apart, unless it was signed nevertheless.
- A study belongs to the local hour in which its span began, so a night's study read in the morning counts as night's.
- Where two clocks disagree by up to `SKEW`, a negative span counts as zero and is told; beyond it, the span is left out
  and told. Scanner times without a date that run past midnight belong to the next day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import Any

from isocenter.errors import Refused
from isocenter.methods.intervals import Estimate, quantile, wilson
from isocenter.record import NO_PICTURES, Event, Kind, Study

__all__ = ["FEW", "SKEW", "SPANS", "STAMPS", "Exam", "Row", "acquired", "by", "exam", "minutes", "summary"]

STAMPS = ("ordered", "scheduled", "arrived", "begun", "completed", "available", "opened", "preliminary", "final")
"""In the order in which they happen."""

SPANS: Mapping[str, tuple[str, str]] = {
    "turnaround": ("completed", "final"),
    "archive to report": ("available", "final"),
    "waiting": ("available", "opened"),
    "reading": ("opened", "final"),
    "preliminary": ("available", "preliminary"),
    "order to examination": ("ordered", "begun"),
    "in the room": ("begun", "completed"),
    "transfer": ("completed", "available"),
}
"""Spans by their customary names."""

SKEW = timedelta(minutes=5)
"""How far two clocks may disagree before a negative span is no longer believed to be zero."""

FEW = 5
"""Below so many studies a group has no quantiles; it says how many are missing."""


@dataclass(frozen=True)
class Exam:
    """One examination and its stamps (aware); what was not told is absent.

    Args:
        modality: kind of examination by its images, as `record.kind_of` says it.
        site: where it was done, as the scanner says.
        addenda: reports after the first.
    """

    study: str
    modality: str
    site: str
    stamps: Mapping[str, datetime]
    addenda: int = 0
    cancelled: bool = False


@dataclass(frozen=True)
class Row:
    """Figures of one group; minutes. Quantiles are None where the group is too small, and `needed` says by how many."""

    group: str
    n: int
    median: Estimate | None
    p90: Estimate | None
    p95: Estimate | None
    within: Estimate | None
    missing: int
    skewed: int
    wrong_clock: int
    cancelled: int
    addenda: int
    needed: int = 0
    unread: int = field(default=0)


def exam(
    study: Study,
    events: Iterable[Event],
    *,
    acquisition: tuple[datetime | None, datetime | None] = (None, None),
    arrivals: Sequence[datetime] = (),
) -> Exam:
    """The stamps of one study from what its journal tells.

    Args:
        study: its record; series may be absent.
        events: about it, oldest first.
        acquisition: begun and completed, from `acquired`.
        arrivals: when images came, where the events do not hold it.
    """
    stamps: dict[str, datetime] = {}
    came = list(arrivals)
    addenda, cancelled = 0, False
    for event in events:
        if event.kind is Kind.STAMPED:
            at = datetime.fromisoformat(str(event.details["at"]))
            cancelled = cancelled or event.details["stamp"] == "cancelled"
            stamps.setdefault(str(event.details["stamp"]), at)
        elif event.kind is Kind.INSTANCES_RECEIVED:
            came.append(event.time)
        elif event.kind is Kind.READING_OPENED:
            stamps.setdefault("opened", event.time)
        elif event.kind in (Kind.OPINION_LOCKED, Kind.REPORT_DRAFTED):
            stamps.setdefault("preliminary", event.time)
        elif event.kind in (Kind.REPORT_SIGNED, Kind.REPORT_AMENDED):
            addenda += "final" in stamps
            stamps.setdefault("final", event.time)
    begun, completed = acquisition
    for name, told in (("begun", begun), ("completed", completed)):
        if told is not None:
            stamps.setdefault(name, told)
    before = [at for at in came if "opened" not in stamps or at <= stamps["opened"]] or came[:1]
    if before:
        stamps.setdefault("available", max(before))
    if "final" in stamps:
        stamps.setdefault("preliminary", stamps["final"])  # who signs at once has no earlier opinion
    site = next((str(s.facts["InstitutionName"]) for s in study.series if s.facts.get("InstitutionName")), "")
    stamps.pop("cancelled", None)
    return Exam(
        study.uid, study.kind, site, stamps, addenda,
        cancelled and "final" not in stamps,
    )  # fmt: skip


def acquired(study: Study, zone: tzinfo) -> tuple[datetime | None, datetime | None]:
    """First and last acquisition of a study's images; (None, None) where no header tells.

    Args:
        zone: of the scanner, for times that name none.
    """
    found: list[datetime] = []
    undated: list[time] = []
    for series in study.series:
        if series.modality in NO_PICTURES:
            continue
        for instance in series.instances:
            facts = {**series.facts, **instance.facts}
            at = _moment(facts, zone)
            if at is not None:
                found.append(at)
            elif clock := _time(str(facts.get("AcquisitionTime") or "")):
                undated.append(clock)
    if not found and undated and study.date is not None:
        started = _time(study.time) or min(undated)
        for clock in undated:  # a time before the study began belongs to the next day
            day = study.date + timedelta(days=_hours(clock) < _hours(started) - 12)
            found.append(datetime.combine(day, clock, zone))
    if not found and study.date is not None and (clock := _time(study.time)) is not None:
        return datetime.combine(study.date, clock, zone).astimezone(UTC), None
    return (min(found).astimezone(UTC), max(found).astimezone(UTC)) if found else (None, None)


def minutes(one: Exam, span: tuple[str, str]) -> tuple[float | None, str]:
    """The span in minutes, and what is to be told of it: "", "missing", "skewed" or "wrong clock"."""
    start, stop = (one.stamps.get(name) for name in span)
    if start is None or stop is None:
        return None, "missing"
    took = stop - start
    if took >= timedelta():
        return took.total_seconds() / 60, ""
    return (0.0, "skewed") if -took <= SKEW else (None, "wrong clock")


def summary(exams: Sequence[Exam], span: tuple[str, str], *, target_min: float, group: str = "all") -> Row:
    """Median, 90th and 95th percentile and the share within a target.

    Raises:
        Refused: a span of stamps that do not exist or in the wrong order.
    """
    _must_be_span(span)
    there = [e for e in exams if not e.cancelled]
    told = [minutes(e, span) for e in there]
    values = [value for value, _ in told if value is not None]
    words = [word for _, word in told]
    enough = len(values) >= FEW
    return Row(
        group,
        len(values),
        quantile(values, 0.5) if enough else None,
        quantile(values, 0.9) if enough else None,
        quantile(values, 0.95) if enough else None,
        wilson(sum(v <= target_min for v in values), len(values)) if enough else None,
        words.count("missing"),
        words.count("skewed"),
        words.count("wrong clock"),
        len(exams) - len(there),
        sum(e.addenda for e in there),
        max(0, FEW - len(values)),
        sum("final" not in e.stamps for e in there),
    )


def by(
    exams: Sequence[Exam], what: str, span: tuple[str, str], zone: tzinfo, hours: tuple[int, int]
) -> dict[str, list[Exam]]:
    """Examinations in groups: by hour, day, modality, site, or in and out of working hours.

    Args:
        zone: of the department, for hours and days.
        hours: first and last working hour, Monday to Friday; (8, 18) is from 8:00 to 17:59.

    Raises:
        Refused: groups that do not exist.
    """
    keys: dict[str, Callable[[Exam], str]] = {
        "hour": lambda e: f"{_local(e, span, zone):%H}",
        "day": lambda e: f"{_local(e, span, zone):%Y-%m-%d}",
        "hours": lambda e: "working hours" if _works(_local(e, span, zone), hours) else "off hours",
        "modality": lambda e: e.modality or "not told",
        "site": lambda e: e.site or "not told",
    }
    if what not in keys:
        raise Refused(f"groups by '{what}'", f"there are {', '.join(keys)}", "group by one of these")
    groups: dict[str, list[Exam]] = {}
    for one in exams:
        dated = what in ("modality", "site") or span[0] in one.stamps
        groups.setdefault(keys[what](one) if dated else "not told", []).append(one)
    return dict(sorted(groups.items()))


def _must_be_span(span: tuple[str, str]) -> None:
    if not set(span) <= set(STAMPS) or STAMPS.index(span[0]) >= STAMPS.index(span[1]):
        raise Refused(
            f"the span {' to '.join(span)}",
            f"stamps are, in their order, {', '.join(STAMPS)}",
            "choose an earlier one and a later one",
        )


def _local(one: Exam, span: tuple[str, str], zone: tzinfo) -> datetime:
    return one.stamps[span[0]].astimezone(zone)


def _works(at: datetime, hours: tuple[int, int]) -> bool:
    return at.weekday() < 5 and hours[0] <= at.hour < hours[1]


def _moment(facts: Mapping[str, Any], zone: tzinfo) -> datetime | None:
    """Acquisition DateTime, or date and time together (PS3.5 6.2: YYYYMMDDHHMMSS.FFFFFF&ZZXX)."""
    whole = str(facts.get("AcquisitionDateTime") or "").strip()
    if len(whole) >= 12:
        day, clock = _date(whole[:8]), _time(whole[8:].split("+")[0].split("-")[0])
        if day and clock:
            return datetime.combine(day, clock, _offset(whole[8:]) or zone)
    day, clock = _date(str(facts.get("AcquisitionDate") or "")), _time(str(facts.get("AcquisitionTime") or ""))
    return datetime.combine(day, clock, zone) if day and clock else None


def _offset(text: str) -> tzinfo | None:
    for sign in "+-":
        _, found, digits = text.partition(sign)
        if found and len(digits) == 4 and digits.isdecimal():
            span = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
            return timezone(span if sign == "+" else -span)
    return None


def _date(text: str) -> date | None:
    try:
        return datetime.strptime(text.strip()[:8], "%Y%m%d").date()
    except ValueError:
        return None


def _time(text: str) -> time | None:
    digits = text.strip().replace(":", "").split(".")[0]
    if len(digits) < 2 or not digits.isdecimal():
        return None
    hour, minute, second = (int(digits[i : i + 2] or 0) for i in (0, 2, 4))
    try:
        return time(hour, minute, second)
    except ValueError:
        return None


def _hours(clock: time) -> float:
    return clock.hour + clock.minute / 60
