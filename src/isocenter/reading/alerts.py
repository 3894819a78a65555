"""Actionable findings as alerts: raised on one of three levels, climbing a ladder until somebody answers for them.

The levels are those of the ACR Actionable Reporting Work Group (Larson 2014): 1 within minutes, 2 within hours, 3
within days. Each asks the responsible person at once, every reader when its time has passed, and the head of the
department when it has passed twice. An alert ends when somebody was told, with all six fields, and in no other way.
That a machine's flag was read by nobody is an alert of its own, which ends when a reader opens the study, and comes
back when they leave it unread. A broken glass is an alert from the moment it is broken, since it is read from the same
entry; it asks the reviewer, then every administrator, who may review from then on, and ends with the review.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from isocenter.errors import NotFound, Refused
from isocenter.reading.critical import Communication, whole
from isocenter.record import Event, Kind, Sealed, digest_of, to_plain

__all__ = [
    "GLASS_RUNGS",
    "KINDS",
    "LIMITS",
    "RUNGS",
    "Alert",
    "acknowledge",
    "climb",
    "due",
    "fold",
    "is_glass",
    "last_unread",
    "plain",
    "raised",
    "unread",
]

LIMITS: Final[Mapping[int, timedelta]] = {1: timedelta(minutes=60), 2: timedelta(hours=12), 3: timedelta(days=7)}
"""Within which time somebody must have been told, by level."""

RUNGS: Final = ("responsible", "readers", "chief")
"""Who is asked: at once, when the time has passed, when it has passed twice."""

GLASS_RUNGS: Final = ("reviewer", "administrators")
"""Who is asked about a broken glass: at once, and when the time of level 1 has passed without a review."""

KINDS: Final = (
    Kind.ALERT_RAISED, Kind.ALERT_CLIMBED, Kind.ALERT_ACKNOWLEDGED, Kind.READING_OPENED, Kind.READING_CLOSED,
    Kind.GLASS_BROKEN, Kind.GLASS_REVIEWED,
)  # fmt: skip
_UNREAD: Final = "unread"
_GLASS: Final = "glass"
_LONGEST: Final = 500


@dataclass(frozen=True)
class Alert:
    """An actionable finding.

    Args:
        level: 1, 2 or 3.
        finding: what was found, in words.
        source: "reader", "unread" where a machine's flag was read by nobody, or "glass" where a glass was broken.
        identified: when it was seen; raised: when the alert was; both aware.
        responsible: who is to see that somebody is told; empty for a broken glass that has no reviewer.
        rung: how far it has climbed: index into `ladder`.
        ended: when somebody was told, the study was opened, or the glass was reviewed; None before.
        left: when whoever had opened the study left it unsigned; None where nobody did.
    """

    id: str
    study: str
    level: int
    finding: str
    source: str
    identified: datetime
    raised: datetime
    responsible: str
    by: str
    rung: int = 0
    climbed: datetime | None = None
    ended: datetime | None = None
    told: Mapping[str, Any] | None = None
    left: datetime | None = None

    @property
    def ladder(self) -> Sequence[str]:
        """Who is asked, one after the other."""
        return GLASS_RUNGS if is_glass(self) else RUNGS


def is_glass(alert: Alert) -> bool:
    """Whether it tells of a broken glass: of what a person did, and of no finding."""
    return alert.source == _GLASS


def raised(
    study: str, finding: str, level: int, *, identified: datetime, responsible: str, who: str, now: datetime
) -> Event:  # fmt: skip
    """A reader declares a finding actionable.

    Raises:
        Refused: no finding, nobody responsible, an unknown level, or a time that is none or lies ahead.
    """
    if level not in LIMITS:
        raise Refused(f"the level {level}", "there are 1 (minutes), 2 (hours) and 3 (days)", "choose one of these")
    for what, words in (("finding", finding), ("responsible person", responsible)):
        if not words.strip():
            raise Refused(f"an alert without a {what}", "nobody could act on it", "name it")
    if identified.tzinfo is None or identified > now:
        raise Refused(
            "a finding identified later than now, or without a zone",
            "its time would begin wrongly",
            "give the time at which it was seen, with its zone",
        )
    return _event(study, finding.strip()[:_LONGEST], level, "reader", identified, responsible.strip(), who, now)


def unread(
    study: str, finding: str, since: datetime, who: str, now: datetime, left: datetime | None = None
) -> Event:  # fmt: skip
    """A machine's flag on a study that nobody has opened within its time: one alert for each study.

    Args:
        since: from when on it waits.
        left: when somebody opened it and left it unsigned; each time that happens it is an alert anew.
    """
    key = [study, _UNREAD, *([left] if left is not None else [])]
    return _event(study, finding[:_LONGEST], 1, _UNREAD, since, RUNGS[1], who, now, key)


def last_unread(known: Mapping[str, Alert], study: str) -> Alert | None:
    """The latest alert on a study that its flag was read by nobody; None where there was none."""
    mine = [a for a in known.values() if a.study == study and a.source == _UNREAD]
    return max(mine, key=lambda a: (a.raised, a.id), default=None)


def _event(
    study: str, finding: str, level: int, source: str, identified: datetime, responsible: str, who: str, now: datetime,
    key: Sequence[Any] = (),
) -> Event:  # fmt: skip
    details = {
        "id": digest_of(list(key) or [study, finding, level, who, now])[:16], "level": level, "finding": finding,
        "source": source, "identified": identified.isoformat(), "responsible": responsible,
    }  # fmt: skip
    return Event(Kind.ALERT_RAISED, now, who, study, details)


def fold(known: Mapping[str, Alert], events: Iterable[Sealed]) -> dict[str, Alert]:
    """The alerts after these events, by id; those that ended stay, with how they ended."""
    held = dict(known)
    for sealed in events:
        event, told = sealed.event, sealed.event.details
        if event.kind in (Kind.ALERT_RAISED, Kind.GLASS_BROKEN) and "sealed" in told:
            continue  # erased: nobody could be told of what
        if event.kind is Kind.GLASS_BROKEN:
            one = _broken(event)
            held.setdefault(one.id, one)
            continue
        if event.kind is Kind.ALERT_RAISED:
            one = Alert(
                str(told["id"]), event.subject, int(told["level"]), str(told["finding"]), str(told["source"]),
                datetime.fromisoformat(told["identified"]), event.time, str(told["responsible"]), event.who,
            )  # fmt: skip
            held.setdefault(one.id, one)
        elif event.kind is Kind.READING_OPENED:
            for one in [a for a in held.values() if _waits_for_opening(a, event)]:
                held[one.id] = replace(one, ended=event.time, told={"opened": event.who})
        elif event.kind is Kind.READING_CLOSED:
            for one in [a for a in held.values() if a.source == _UNREAD and a.study == event.subject]:
                held[one.id] = replace(one, left=event.time)
        elif told.get("id") in held:
            one = held[str(told["id"])]
            if event.kind is Kind.ALERT_CLIMBED:
                held[one.id] = replace(one, rung=max(one.rung, int(told["rung"])), climbed=event.time)
            elif event.kind is Kind.GLASS_REVIEWED:
                held[one.id] = replace(one, ended=event.time, told={"reviewed": event.who})
            elif one.ended is None:
                held[one.id] = replace(one, ended=event.time, told=dict(told["told"]))
    return held


def _broken(event: Event) -> Alert:
    told = event.details
    reviewer = str(told["reviewer"])
    words = f"{event.who} opened a study of the project {told['project']} in an emergency: {told['reason']}"
    return Alert(
        str(told["id"]), event.subject, 1, words[:_LONGEST], _GLASS, event.time, event.time, reviewer, event.who,
        rung=0 if reviewer else len(GLASS_RUNGS) - 1,
    )  # fmt: skip


def _waits_for_opening(alert: Alert, event: Event) -> bool:
    return alert.source == _UNREAD and alert.study == event.subject and alert.ended is None


def due(alert: Alert, age: timedelta, limits: Mapping[int, timedelta] = LIMITS) -> int:
    """Which rung an alert of that age must have reached.

    >>> from datetime import UTC
    >>> at = datetime(2026, 11, 26, tzinfo=UTC)
    >>> one = Alert("a", "1.2", 1, "bleeding", "reader", at, at, "ito", "ito")
    >>> [due(one, timedelta(minutes=m)) for m in (0, 59, 60, 119, 120, 9999)]
    [0, 0, 1, 1, 2, 2]
    """
    return max(0, min(int(age / limits[alert.level]), len(alert.ladder) - 1))


def climb(alert: Alert, rung: int, who: str, now: datetime) -> Event:
    """The next people are asked."""
    details = {"id": alert.id, "rung": rung, "to": alert.ladder[rung], "level": alert.level}
    return Event(Kind.ALERT_CLIMBED, now, who, alert.study, details)


def acknowledge(alert: Alert | None, told: Communication, who: str, now: datetime) -> Event:
    """Somebody was told, with all six fields.

    Raises:
        NotFound: no such alert is open.
        Refused: a field is missing or wrong, or it ends in another way: a machine's unread flag when the study is
            opened, a broken glass when it is reviewed.
    """
    if alert is None or alert.ended is not None:
        raise NotFound(
            "an alert of that id that is open",
            "somebody was told already, or there never was one",
            "load the list again",
        )
    if alert.source == _UNREAD:
        raise Refused("an unread flag that is acknowledged", "only opening the study ends it", "open the study")
    if is_glass(alert):
        raise Refused("a broken glass that is acknowledged", "only its review ends it", "look through it in Projects")
    whole(replace(told, finding=told.finding or alert.finding), now)
    given = to_plain(replace(told, finding=alert.finding))
    return Event(Kind.ALERT_ACKNOWLEDGED, now, who, alert.study, {"id": alert.id, "told": given})


def plain(alert: Alert, age: timedelta, limits: Mapping[int, timedelta] = LIMITS) -> dict[str, Any]:
    """As JSON, with how much of its time is left (negative: past it)."""
    told = to_plain(alert)
    return {**told, "asked": alert.ladder[alert.rung], "left_s": (limits[alert.level] - age).total_seconds()}


def open_ones(known: Mapping[str, Alert]) -> Sequence[Alert]:
    """Those that nobody has answered for, the most urgent and oldest first."""
    return sorted((a for a in known.values() if a.ended is None), key=lambda a: (a.level, a.raised, a.id))
