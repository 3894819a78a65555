"""The figures of a department as JSON: turnaround, triage, readers with AI, and the journal as people read it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_study import Uid
from isocenter.doors.pages_taking import Take, attached
from isocenter.doors.pages_who import SiteHere, must_still_be, needs
from isocenter.doors.while_they_may import WhileTheyMay
from isocenter.errors import Refused
from isocenter.govern.policy import Person
from isocenter.record import to_plain
from isocenter.site.overseeing import Period, zone_of

__all__ = ["router"]

router = APIRouter()

_DRAWN = 200_000  # studies that one question to the simulator draws: half a second at most
_Share = Annotated[float, Query(ge=0, le=1)]


def _period(
    since: date | None = None,
    until: date | None = None,
    zone: Annotated[str, Query(max_length=64)] = "UTC",
    hours: Annotated[str, Query(pattern=r"^\d{1,2}-\d{1,2}$")] = "8-18",
) -> Period:
    first, last = (int(part) for part in hours.split("-"))
    if not 0 <= first < last <= 24:
        raise Refused(f"working hours {hours}", "the first lies before the last, within a day", "write 8-18")
    return Period(since, until, zone_of(zone), (first, last))


Within = Annotated[Period, Depends(_period)]


@router.get("/api/turnaround")
def turnaround(
    site: SiteHere,
    who: Annotated[Person, needs("oversight")],
    period: Within,
    take: Take,
    span: Annotated[str, Query(max_length=40)] = "archive to report",
    by: Literal["hour", "day", "hours", "modality", "site"] = "modality",
    target_min: Annotated[float, Query(gt=0, le=100_000)] = 60,
) -> Any:
    """Median, 90th and 95th percentile and the share within a target, all together and in groups."""
    here: PagesSite = site
    told = here.oversight.turnaround(who=who, period=period, span=span, by=by, target_min=target_min)
    return take.of("turnaround", told, here.audits, who)


class Stamp(BaseModel):
    """A moment that another system tells."""

    stamp: str = Field(max_length=20)
    at: datetime


@router.post("/api/studies/{uid}/stamps")
def stamp(uid: Uid, told: Stamp, site: SiteHere, who: Annotated[Person, needs("outcome")]) -> Any:
    """Tell when an examination was ordered, scheduled, arrived, begun, completed or cancelled."""
    here: PagesSite = site
    here.oversight.stamp(uid, told.stamp, told.at, who=who)
    return {"stamp": told.stamp}


class Outcome(BaseModel):
    """What turned out to be true of one question."""

    analysis: str = Field(min_length=1, max_length=64)
    present: bool
    source: str = Field(min_length=1, max_length=500)


@router.post("/api/studies/{uid}/outcome")
def outcome(uid: Uid, told: Outcome, site: SiteHere, who: Annotated[Person, needs("outcome")]) -> Any:
    """Tell what turned out to be true, and how it is known."""
    here: PagesSite = site
    here.oversight.outcome(uid, told.analysis, told.present, told.source, who=who)
    return {"analysis": told.analysis, "present": told.present}


@router.get("/api/triage")
def triaging(site: SiteHere, who: Annotated[Person, needs("oversight")]) -> Any:
    """Analyses that may raise a study on the list."""
    here: PagesSite = site
    return {"analyses": to_plain(here.oversight.triaging(who=who))}


@router.get("/api/triage/{analysis}")
def triage(
    analysis: Annotated[str, Path(max_length=64)],
    site: SiteHere,
    who: Annotated[Person, needs("oversight")],
    period: Within,
    take: Take,
    on_since: datetime | None = None,
) -> Any:
    """What one triage AI gave and whom it cost, from this site's own list."""
    here: PagesSite = site
    if on_since is not None and on_since.tzinfo is None:
        raise Refused(f"{on_since} without a time zone", "it would be another moment elsewhere", "say the zone")
    told = here.oversight.triage(analysis, who=who, period=period, since=on_since)
    return take.of("triage", told, here.audits, who)


@router.get("/api/worklist/effect")
def effect(site: SiteHere, who: Annotated[Person, needs("worklist")], period: Within) -> Any:
    """The line beneath the worklist: what triage gave, and to whom it was taken."""
    here: PagesSite = site
    return to_plain(here.oversight.effect_line(who=who, period=period))


@router.get("/api/queue")
def queue(
    _: Annotated[Person, needs("oversight")],
    per_hour: Annotated[float, Query(ge=0.001, le=1000)] = 4.8,
    reading_min: Annotated[float, Query(ge=0.001, le=600)] = 10,
    prevalence: _Share = 0.1,
    sensitivity: _Share = 0.9,
    specificity: _Share = 0.9,
    readers: Annotated[int, Query(ge=1, le=20)] = 1,
    discipline: Literal["priority", "preemptive"] = "priority",
) -> Any:
    """What if: a list with and without one triage AI, simulated, beside the closed formula where there is one."""
    return to_plain(_what_if(per_hour / 60, reading_min, prevalence, sensitivity, specificity, readers, discipline))


def _what_if(
    per_min: float, reading_min: float, prevalence: float, se: float, sp: float, readers: int, discipline: str
) -> dict[str, Any]:
    import numpy as np

    from isocenter.methods import queueing  # numba; nobody else waits for it

    load = per_min * reading_min / readers
    if load >= 1:
        raise Refused(
            f"a traffic of {load:.2f}", "more comes than can be read, and the list grows for ever", "add a reader"
        )
    stream = [queueing.Stream("list", per_min, {"finding": prevalence}, reading_min)]
    ai = [queueing.AI("AI", "finding", se, sp, ("list",))]
    cases = queueing.draw(stream, ai, _DRAWN, np.random.default_rng(1))
    plain = queueing.simulate(cases.arrival_min, cases.reading_min, readers=readers).waits
    asked = queueing.order(cases, ai, queueing.Discipline(discipline))
    waits = queueing.simulate(cases.arrival_min, cases.reading_min, readers=readers, **asked).waits
    ill, flagged = cases.condition == 1, cases.flagged[:, 0]
    groups = {
        "with the finding": ill, "others": ~ill, "missed by AI": ill & ~flagged, "flagged": flagged,
        "not flagged": ~flagged,
    }  # fmt: skip
    rows = [
        {"group": name, "n": int(m.sum()), "without": float(plain[m].mean()), "with_ai": float(waits[m].mean())}
        for name, m in groups.items()
        if m.any()
    ]
    return {
        "traffic": load,
        "rows": rows,
        "formula": _formula(per_min, reading_min, prevalence, se, sp, readers, discipline),
    }


def _formula(
    per_min: float, reading_min: float, prevalence: float, se: float, sp: float, readers: int, discipline: str
) -> dict[str, float] | None:
    from isocenter.methods import queueing

    try:
        told = queueing.triage_waits(
            per_min, reading_min, prevalence=prevalence, sensitivity=se, specificity=sp,
            discipline=queueing.Discipline(discipline), readers=readers,
        )  # fmt: skip
    except Refused:
        return None  # several readers with interruption: nobody has a formula for it
    return {**vars(told), "saving": told.saving, "delay": told.delay, "missed_delay": told.missed_delay}


@router.get("/api/readers")
def readers(
    site: SiteHere,
    who: Annotated[Person, needs("oversight")],
    period: Within,
    take: Take,
    by: Annotated[str, Query(pattern=r"^(reader|analysis|mode)(,(reader|analysis|mode)){0,2}$")] = "mode",
) -> Any:
    """How readers and AI agree, and who is led by whom, with intervals."""
    here: PagesSite = site
    told = here.oversight.readers(who=who, period=period, by=tuple(dict.fromkeys(by.split(","))))
    return take.of("readers with AI", told, here.audits, who)


@router.get("/api/audit")
def audit(
    site: SiteHere,
    who: Annotated[Person, needs("oversight")],
    q: Annotated[str, Query(max_length=300)] = "",
    before: Annotated[str, Query(max_length=16)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    take: bool = False,
    *,
    request: Request,
) -> Any:
    """The journal, newest first, a page at a time, or taken out; counts only for whoever may not read it."""
    here: PagesSite = site
    if take:
        lines = here.audits.taken(who=who, q=q)
        taken = StreamingResponse(lines, media_type="application/x-ndjson", headers=attached("journal.jsonl"))
        return WhileTheyMay(taken, lambda: must_still_be(request, who, "audit"))
    return to_plain(here.audits.page(who=who, q=q, before=before, limit=limit))


@router.get("/api/audit/chain")
def chain(site: SiteHere, who: Annotated[Person, needs("oversight")]) -> Any:
    """Whether the chain of hashes holds from the first entry to the last."""
    here: PagesSite = site
    return to_plain(here.audits.chain(who=who))
