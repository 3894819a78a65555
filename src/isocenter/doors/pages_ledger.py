"""What came and what left, for whoever may read the journal."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query

from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_who import SiteHere, needs
from isocenter.govern.policy import Person

__all__ = ["router"]

router = APIRouter()


_Day = Annotated[date | None, Query()]


@router.get("/api/ledger/arrivals")
def arrivals(site: SiteHere, who: Annotated[Person, needs("audit")], since: _Day = None, until: _Day = None) -> Any:
    """What came from a day to another, both included; in the last thirty days where none is said."""
    here: PagesSite = site
    return here.ledgers.arrivals(who=who, **_days(since, until))


@router.get("/api/ledger/departures")
def departures(site: SiteHere, who: Annotated[Person, needs("audit")], since: _Day = None, until: _Day = None) -> Any:
    """What left, for the same days."""
    here: PagesSite = site
    return here.ledgers.departures(who=who, **_days(since, until))


def _days(since: date | None, until: date | None) -> dict[str, datetime | None]:
    return {"since": _start(since), "until": _start(until and until + timedelta(days=1))}


def _start(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), UTC)
