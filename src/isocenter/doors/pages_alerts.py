"""Actionable findings as JSON: which are open, raise one, say who was told."""

from __future__ import annotations

from datetime import UTC
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, Field

from isocenter.doors.pages_json import paged
from isocenter.doors.pages_reading import Told
from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_study import Uid
from isocenter.doors.pages_who import SiteHere, needs
from isocenter.govern.policy import Person
from isocenter.reading.alerts import LIMITS, RUNGS
from isocenter.record import to_plain

__all__ = ["router"]

router = APIRouter()


@router.get("/api/alerts")
def alerts(
    site: SiteHere,
    who: Annotated[Person, needs("report")],
    study: Annotated[str, Query(pattern=r"^[0-9.]{0,64}$")] = "",
) -> Any:
    """Alerts that nobody has answered for, the most urgent and oldest first, with the time that is left.

    An emergency that waits for its review is none of them: it stands in `/api/glass/reviews`, where it is judged.
    """
    here: PagesSite = site
    limits = {str(level): limit.total_seconds() for level, limit in LIMITS.items()}
    return {"alerts": here.alerts.open(who=who, study_uid=study, glass=False), "limits_s": limits}


@router.get("/api/alerts/all")
def all_alerts(
    site: SiteHere,
    who: Annotated[Person, needs("report")],
    state: Annotated[Literal["", "open", "ended"], Query()] = "open",
    offset: Annotated[int, Query(ge=0, le=10**7)] = 0,
) -> Any:
    """Alerts of the department with their studies, also those that ended and how, a page at a time.

    An emergency is among those that ended once it was looked through; until then see `/api/glass/reviews`.
    """
    here: PagesSite = site
    limits = {str(level): limit.total_seconds() for level, limit in LIMITS.items()}
    return {
        **paged(here.alerts.all(who=who, state=state, glass=False), offset),
        "limits_s": limits,
        "ladder": list(RUNGS),
    }


class Raised(BaseModel):
    """A finding that somebody must act on: within minutes (1), hours (2) or days (3)."""

    finding: Annotated[str, Field(min_length=1, max_length=500)]
    level: Literal[1, 2, 3]
    identified: AwareDatetime
    responsible: Annotated[str, Field(min_length=1, max_length=128)]


@router.post("/api/studies/{uid}/alerts")
def raise_alert(uid: Uid, said: Raised, site: SiteHere, who: Annotated[Person, needs("sign")]) -> Any:
    """Declare a finding actionable."""
    here: PagesSite = site
    made = here.alerts.raise_(
        uid, said.finding, said.level, identified=said.identified.astimezone(UTC), responsible=said.responsible, who=who
    )
    return to_plain(made)


@router.post("/api/alerts/{id}/acknowledge")
def acknowledge(
    id: Annotated[str, Path(pattern=r"^[0-9a-f]{1,16}$")],
    told: Told,
    site: SiteHere,
    who: Annotated[Person, needs("sign")],
) -> Any:
    """Somebody was told: the six fields."""
    here: PagesSite = site
    here.alerts.acknowledge(id, told.record(), who=who)
    return {"id": id}
