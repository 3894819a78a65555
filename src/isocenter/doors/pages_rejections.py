"""Rejection in place of deletion, and whose studies these are, for the browser and for other systems.

What the journal numbers goes by its ticket here: the numbers would tell how many entries were made in between.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from isocenter.doors.pages_json import paged
from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_who import SiteHere, needs
from isocenter.forms.rejection import CODES
from isocenter.govern.policy import Person
from isocenter.record import Patient

__all__ = ["router"]

router = APIRouter()

Uid = Annotated[str, Path(max_length=64, pattern=r"^[0-9.]+$")]
Ticket = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")]
_Reason = Annotated[str, Field(max_length=500)]


class Rejected(BaseModel):
    """What is rejected of a study, and why."""

    code: str = Field(max_length=16)
    reason: _Reason
    series: str = Field(default="", max_length=64)
    instances: list[Annotated[str, Field(max_length=64)]] = Field(default_factory=list, max_length=20_000)
    instead: list[Annotated[str, Field(max_length=64)]] = Field(default_factory=list, max_length=20_000)


class Reasoned(BaseModel):
    """Why."""

    reason: _Reason


class Identity(BaseModel):
    """A patient by ID and who gave it."""

    id: str = Field(max_length=64)
    issuer: str = Field(default="", max_length=64)


class Merged(BaseModel):
    """Whose identity ends, into whose, and why."""

    gone: Identity
    stays: Identity
    reason: _Reason


class Moved(BaseModel):
    """Which studies go to which patient, and why."""

    studies: list[Annotated[str, Field(max_length=64)]] = Field(max_length=1000)
    id: str = Field(max_length=64)
    issuer: str = Field(default="", max_length=64)
    name: str = Field(default="", max_length=324)
    birth_date: date | None = None
    sex: str = Field(default="", max_length=16)
    reason: _Reason


@router.get("/api/studies/{uid}/rejections")
def rejections(uid: Uid, site: SiteHere, who: Annotated[Person, needs("reject")]) -> Any:
    """Every rejection of a study with what became of it."""
    here: PagesSite = site
    return _told(here, {"rejections": here.rejecting.rejections(uid, who=who)})


@router.get("/api/rejections")
def all_rejections(
    site: SiteHere,
    who: Annotated[Person, needs("reject")],
    state: Annotated[str, Query(pattern=r"^(|rejected|taken back|asked|erased)$")] = "",
    offset: Annotated[int, Query(ge=0, le=10**7)] = 0,
) -> Any:
    """Every rejection of the archive with its study, the newest first; and the codes that a rejection may have."""
    here: PagesSite = site
    rows = here.projects.those(here.rejecting.all(who=who, state=state), who, "reject")
    return _told(here, {**paged(rows, offset), "codes": dict(CODES)})


@router.post("/api/studies/{uid}/reject")
def reject(uid: Uid, told: Rejected, site: SiteHere, who: Annotated[Person, needs("reject")]) -> Any:
    """Reject a study, a series or images; nothing is deleted."""
    here: PagesSite = site
    made = here.rejecting.reject(
        uid, code=told.code, reason=told.reason, series=told.series, instances=told.instances, instead=told.instead,
        who=who,
    )  # fmt: skip
    return _told(here, made)


@router.post("/api/studies/{uid}/rejections/{number}/take-back")
def take_back(uid: Uid, number: Ticket, told: Reasoned, site: SiteHere, who: Annotated[Person, needs("reject")]) -> Any:
    """End a rejection."""
    here: PagesSite = site
    return _told(here, here.rejecting.take_back(uid, here.tickets.number(number), reason=told.reason, who=who))


@router.post("/api/studies/{uid}/rejections/{number}/ask-purge")
def ask_purge(uid: Uid, number: Ticket, told: Reasoned, site: SiteHere, who: Annotated[Person, needs("purge")]) -> Any:
    """Ask another person to erase what is rejected."""
    here: PagesSite = site
    return _told(here, here.rejecting.ask_purge(uid, here.tickets.number(number), reason=told.reason, who=who))


@router.post("/api/studies/{uid}/rejections/{number}/purge")
def purge(uid: Uid, number: Ticket, site: SiteHere, who: Annotated[Person, needs("purge")]) -> Any:
    """Erase what another person asked to erase."""
    here: PagesSite = site
    return _told(here, here.rejecting.purge(uid, here.tickets.number(number), who=who))


@router.get("/api/identities")
def changes(
    site: SiteHere,
    who: Annotated[Person, needs("identity")],
    offset: Annotated[int, Query(ge=0, le=10**7)] = 0,
) -> Any:
    """Patients that were merged and studies that were moved, the newest first, a hundred at once."""
    here: PagesSite = site
    told = paged(here.projects.those(here.identities.changes(who=who), who, "identity", of="studies"), offset)
    return _told(here, {"changes": told.pop("rows"), **told})


@router.post("/api/identities/merge")
def merge(told: Merged, site: SiteHere, who: Annotated[Person, needs("identity")]) -> Any:
    """Make two patients one."""
    here: PagesSite = site
    gone, stays = (told.gone.id, told.gone.issuer), (told.stays.id, told.stays.issuer)
    return _told(here, here.identities.merge(gone, stays, reason=told.reason, who=who))


@router.post("/api/identities/move")
def move(told: Moved, site: SiteHere, who: Annotated[Person, needs("identity")]) -> Any:
    """Give studies to another patient."""
    here: PagesSite = site
    into = Patient(told.id, told.name, told.birth_date, told.sex, told.issuer)
    return _told(here, here.identities.move(told.studies, into, reason=told.reason, who=who))


@router.post("/api/identities/{number}/undo")
def undo(number: Ticket, told: Reasoned, site: SiteHere, who: Annotated[Person, needs("identity")]) -> Any:
    """Undo a merge or a move."""
    here: PagesSite = site
    return _told(here, here.identities.undo(here.tickets.number(number), reason=told.reason, who=who))


def _told(site: PagesSite, what: Any) -> Any:
    return site.tickets.told(what, "number", "taken_back", "asked", "erased", "undone", "change")
