"""A cohort handed out by the page: what would leave and what stays, copies in the making, and one file to take."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_who import SiteHere, must_still_be, needs
from isocenter.doors.while_they_may import WhileTheyMay
from isocenter.govern.consent import Purpose
from isocenter.govern.policy import Person

__all__ = ["router"]

router = APIRouter()

_ASKED_EVERY_S = 5.0  # terms of use of a whole cohort are asked anew: seconds, where it has thousands of studies

_Cohort = Annotated[str, Path(pattern=r"^[0-9a-f]{1,64}$")]
_Id = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
_Word = Annotated[str, Field(max_length=64)]
_Words = Annotated[list[_Word], Field(max_length=50)]


class Wanted(BaseModel):
    """What a cohort is wanted for, with what terms of use may want to know of it."""

    purpose: Purpose = Purpose.RESEARCH
    project: _Word = ""
    ethics: _Word = ""
    institutions: _Words = []
    countries: _Words = []
    diseases: _Words = []
    topics: _Words = []
    non_profit: bool = False
    non_commercial: bool = False
    publishes: bool = False
    collaborates: bool = False
    returns: bool = False

    def said(self) -> dict[str, Any]:
        """What is said of the use: what is not said is left to the site's own institution and country."""
        told = {n: getattr(self, n) for n in Wanted.model_fields if n != "purpose"}
        return {n: frozenset(v) if isinstance(v, list) else v for n, v in told.items() if v}


class Begun(Wanted):
    """The same, and how it leaves."""

    reviewed: Annotated[list[Annotated[str, Field(pattern=r"^[0-9.]{1,64}$")]], Field(max_length=10_000)] = []
    blank: bool = False
    smallest_group: Annotated[int, Field(ge=1, le=1000)] = 5
    reason: Annotated[str, Field(max_length=500)] = ""


@router.post("/api/cohorts/{id}/hand-out/plan")
def plan(id: _Cohort, wanted: Wanted, site: SiteHere, who: Annotated[Person, needs("export")]) -> Any:
    """What of a frozen cohort would leave for a use, what stays and why, and what left before. Nothing is recorded."""
    here: PagesSite = site
    return here.hand_outs.plan(id, wanted.purpose, who=who, **wanted.said())


@router.post("/api/cohorts/{id}/hand-out")
def begin(id: _Cohort, begun: Begun, site: SiteHere, who: Annotated[Person, needs("export")]) -> Any:
    """Begin to make copies without persons and faces; every study that leaves has its entry in the journal."""
    here: PagesSite = site
    how = {n: getattr(begun, n) for n in ("reviewed", "blank", "smallest_group", "reason")}
    said = {n: v for n, v in begun.said().items() if n in Wanted.model_fields}
    return here.hand_outs.begin(id, begun.purpose, who=who, **how, **said)


@router.get("/api/hand-outs/{id}")
def state(id: _Id, site: SiteHere, who: Annotated[Person, needs("export")]) -> Any:
    """How far it is, what stayed and why, and the report."""
    here: PagesSite = site
    return here.hand_outs.state(id, who=who)


@router.get("/api/hand-outs/{id}/file")
def file(id: _Id, site: SiteHere, who: Annotated[Person, needs("export")], request: Request) -> Response:
    """Copies, table and report as one ZIP; broken off where terms of use or the right to it end meanwhile."""
    here: PagesSite = site
    path = here.hand_outs.file(id, who=who)
    headers = {"Cache-Control": "no-store"}
    held = FileResponse(path, media_type="application/zip", filename=f"cohort-{id[:8]}.zip", headers=headers)

    def still() -> None:
        must_still_be(request, who, "export")
        here.hand_outs.file(id, who=who)

    return WhileTheyMay(held, still, every_s=_ASKED_EVERY_S)


@router.delete("/api/hand-outs/{id}")
def remove(id: _Id, site: SiteHere, who: Annotated[Person, needs("export")]) -> Any:
    """Stop it, or delete its copies here."""
    here: PagesSite = site
    here.hand_outs.remove(id, who=who)
    return {"removed": True}
