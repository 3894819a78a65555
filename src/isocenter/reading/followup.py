"""Follow-ups of incidental findings: who recommended what until when, what came of it, and what is overdue.

A recommendation that nobody tracks is lost in more than half of the cases (39.1 % completed overall in one published
programme, 66.7 % of outpatients at best). Here each is an entry with a due date and a person who answers for it, and
an examination that completes it is found by itself: the same patient, the modality that was asked for, after the
recommendation. Where something does not quite fit, a person is asked whether it is the one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from isocenter.errors import Refused, WrongState
from isocenter.methods.intervals import Estimate, wilson
from isocenter.record import Event, Kind, Study, digest_of

__all__ = [
    "EARLY",
    "GRACE",
    "PUBLISHED",
    "FollowUp",
    "Match",
    "adherence",
    "ask",
    "close",
    "fold",
    "match",
    "matches",
    "queue",
]

EARLY = 0.5
"""A follow-up may come when half of the time until its due date has passed; before that a person decides."""

GRACE = timedelta(days=30)
"""So long after its due date an open follow-up is not counted as missed yet, only as overdue."""

PUBLISHED = 0.391
"""Completed follow-ups in a published programme, to compare with."""


@dataclass(frozen=True)
class FollowUp:
    """One recommendation.

    Args:
        id: its own; the study in which it was made is `study`.
        finding: what for, in words of the report.
        modality: DICOM modality that is wanted; empty for any.
        body_part: of the examination that is wanted; empty for any.
        responsible: who answers for it that it happens.
        completed: the study that completed it.
        completed_by: who said so: the house where it was sure, else a person.
        completed_why: what speaks for it, in words.
        closed: why it was closed without one.
    """

    id: str
    study: str
    patient: str
    issuer: str
    finding: str
    due: date
    modality: str
    body_part: str
    responsible: str
    asked: datetime
    by: str
    completed: str = ""
    completed_on: date | None = None
    completed_by: str = ""
    completed_why: str = ""
    closed: str = ""

    def state(self, today: date) -> str:
        """completed, closed, overdue, due (within 30 days) or open."""
        if self.completed:
            return "completed"
        if self.closed:
            return "closed"
        if today > self.due:
            return "overdue"
        return "due" if self.due - today <= timedelta(days=30) else "open"


@dataclass(frozen=True)
class Match:
    """An examination that may complete a follow-up: surely, or possibly because of what does not quite fit."""

    follow_up: str
    study: str
    on: date
    sure: bool
    why: str


def ask(
    study: Study, *, finding: str, due: date, responsible: str, who: str, now: datetime, modality: str = "",
    body_part: str = "",
) -> Event:  # fmt: skip
    """Recommend a follow-up.

    Raises:
        Refused: no finding, nobody responsible, or a due date that has passed.
    """
    for what, words in (("finding", finding), ("responsible person", responsible)):
        if not words.strip():
            raise Refused(f"a follow-up without a {what}", "nobody could follow it up", "name it")
    if due <= now.date():
        raise Refused(f"a follow-up due on {due}", "that day has passed", "give a later day")
    if not study.patient.id:
        raise Refused(
            "a follow-up of a patient without an identifier",
            "no later study could be found to be theirs",
            "give the study a patient first: `isocenter move`",
        )
    told = {
        "id": digest_of([study.uid, finding, due, now])[:16], "patient": study.patient.id,
        "issuer": study.patient.issuer, "finding": finding.strip(), "due": due.isoformat(),
        "modality": modality.strip().upper(), "body_part": body_part.strip(), "responsible": responsible.strip(),
    }  # fmt: skip
    return Event(Kind.FOLLOW_UP_ASKED, now, who, study.uid, told)


def fold(events: Iterable[Event]) -> dict[str, FollowUp]:
    """The follow-ups that a journal tells of, by id, the oldest first."""
    found: dict[str, FollowUp] = {}
    for event in events:
        told = event.details
        if event.kind is Kind.FOLLOW_UP_ASKED and "sealed" in told:
            continue  # erased: nobody knows any more what was recommended, or for whom
        if event.kind is not Kind.FOLLOW_UP_ASKED and told["id"] not in found:
            continue
        if event.kind is Kind.FOLLOW_UP_ASKED:
            found[told["id"]] = FollowUp(
                told["id"], event.subject, told["patient"], told["issuer"], told["finding"],
                date.fromisoformat(told["due"]), told["modality"], told["body_part"], told["responsible"], event.time,
                event.who,
            )  # fmt: skip
        elif event.kind is Kind.FOLLOW_UP_MATCHED:
            on = date.fromisoformat(told["on"])
            found[told["id"]] = replace(
                found[told["id"]], completed=told["study"], completed_on=on, completed_by=event.who,
                completed_why=told.get("why", ""),
            )  # fmt: skip
        elif event.kind is Kind.FOLLOW_UP_CLOSED:
            found[told["id"]] = replace(found[told["id"]], closed=told["reason"])
    return found


def matches(open_: Iterable[FollowUp], studies: Sequence[Study]) -> list[Match]:
    """Examinations that may complete open follow-ups, the surest and earliest first; one study completes one of each.

    Args:
        studies: of these patients; series give the body parts.
    """
    found: list[Match] = []
    for asked in open_:
        if asked.completed or asked.closed:
            continue
        found += [m for s in studies if (m := _fits(asked, s)) is not None]
    found.sort(key=lambda m: (not m.sure, m.on, m.study, m.follow_up))
    best: dict[str, Match] = {}
    for one in found:
        best.setdefault(one.follow_up, one)
    return list(best.values())


def match(asked: FollowUp, found: Match, who: str, now: datetime) -> Event:
    """This examination completes it; the house says so where it is sure, a person where it is not.

    Raises:
        WrongState: it is completed or closed already.
    """
    _open(asked)
    told = {
        "id": asked.id, "study": found.study, "on": found.on.isoformat(), "sure": found.sure,
        "why": _grounds(asked, found),
    }  # fmt: skip
    return Event(Kind.FOLLOW_UP_MATCHED, now, who, asked.study, told)


def close(asked: FollowUp, reason: str, who: str, now: datetime) -> Event:
    """Close it without an examination: done elsewhere, refused, died, no longer wanted.

    Raises:
        WrongState: it is completed or closed already.
        Refused: no reason.
    """
    _open(asked)
    if not reason.strip():
        raise Refused("a follow-up closed without a reason", "nobody could tell it from a lost one", "say why")
    return Event(Kind.FOLLOW_UP_CLOSED, now, who, asked.study, {"id": asked.id, "reason": reason.strip()})


def queue(many: Iterable[FollowUp], today: date) -> list[FollowUp]:
    """What is open, the longest overdue first."""
    return sorted((f for f in many if not f.completed and not f.closed), key=lambda f: (f.due, f.asked, f.id))


def adherence(many: Iterable[FollowUp], today: date) -> Estimate | None:
    """Share completed of those whose due date and grace have passed; closed ones are left out. None where none has.

    One that was completed before then does not count yet: those that will be missed cannot be told from those that
    wait, and a share of what is completed already would always look too good.
    """
    told = [f for f in many if not f.closed and today > f.due + GRACE]
    return wilson(sum(bool(f.completed) for f in told), len(told)) if told else None


def _open(asked: FollowUp) -> None:
    if asked.completed or asked.closed:
        raise WrongState(
            "this follow-up is not open",
            "it was completed" if asked.completed else "it was closed",
            "ask for another follow-up where one is needed",
        )


def _grounds(asked: FollowUp, found: Match) -> str:
    days = (asked.due - found.on).days
    when = "on the day" if not days else f"{abs(days)} days {'before' if days > 0 else 'after'} the day"
    part = f" of {asked.body_part}" if asked.body_part and found.sure else ""
    told = [
        "the same patient",
        f"{asked.modality}{part} as was asked" if asked.modality or part else "any examination was asked",
        f"{when} on which it was due",
    ]
    return "; ".join(told + [found.why] * bool(found.why))


def _fits(asked: FollowUp, study: Study) -> Match | None:
    same = (study.patient.id, study.patient.issuer) == (asked.patient, asked.issuer)
    if not same or study.uid == asked.study or study.date is None or study.date <= asked.asked.date():
        return None
    if asked.modality and asked.modality not in study.modalities:
        return None
    doubts = []
    half = asked.asked.date() + (asked.due - asked.asked.date()) * EARLY
    if study.date < half:
        doubts.append(f"early: it was due on {asked.due}")
    told = " ".join([study.description, *(f"{s.body_part} {s.description}" for s in study.series)]).casefold()
    if asked.body_part and asked.body_part.casefold() not in told:
        doubts.append(f"the header does not say {asked.body_part}")
    return Match(asked.id, study.uid, study.date, not doubts, "; ".join(doubts))


def plain(asked: FollowUp, today: date) -> dict[str, Any]:
    """As JSON, with its state today and the days until it is due (negative: overdue)."""
    told = {name: getattr(asked, name) for name in asked.__dataclass_fields__}
    return {
        **told,
        "due": asked.due.isoformat(),
        "asked": asked.asked.isoformat(),
        "completed_on": asked.completed_on.isoformat() if asked.completed_on else None,
        "state": asked.state(today),
        "days": (asked.due - today).days,
    }
