"""What came and what left, for whoever may read the journal."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query

from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_who import SiteHere, needs
from isocenter.govern.policy import Person

__all__ = ["router"]

router = APIRouter()


@router.get("/api/ledger/{way}")
def ledger(
    way: Annotated[Literal["arrivals", "departures"], Path()],
    site: SiteHere,
    who: Annotated[Person, needs("audit")],
    since: Annotated[date | None, Query()] = None,
    until: Annotated[date | None, Query()] = None,
) -> Any:
    """A ledger from a day to another, both included; the last thirty days where none is said."""
    here: PagesSite = site
    verb = here.ledgers.arrivals if way == "arrivals" else here.ledgers.departures
    return verb(who=who, since=_start(since), until=until and _start(until + timedelta(days=1)))


def _start(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), UTC)
