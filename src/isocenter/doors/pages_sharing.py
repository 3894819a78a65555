"""Links through which studies are seen: given, looked at beforehand, extended and ended by those who may.

What a link opens for whoever holds it is in `pages_shared`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field

from isocenter.doors.pages_shared import address_of, told
from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_who import SiteHere, needs, site_of, token_of
from isocenter.govern.consent import Purpose
from isocenter.govern.policy import Person
from isocenter.govern.sharing import OLDER, May
from isocenter.site.through_links import Bearer

__all__ = ["router"]

router = APIRouter()

Uid = Annotated[str, Path(max_length=64, pattern=r"^[0-9.]+$")]
_Link = Annotated[str, Path(max_length=32)]
_May = Annotated[list[May], Field(max_length=3)]
_Gives = Annotated[Person, needs("share")]


class Given(BaseModel):
    """How long a link opens, for whom and where, what they may, what has to be said with it, and why it may be given.

    `reason` is wanted where few people are alike, `transfer_reason` where `country` (ISO 3166, two letters) is outside
    the site's own region.
    """

    hours: float = Field(default=72.0, gt=0, le=8760)
    to: str = Field(default="", max_length=200)
    word: str = Field(default="", max_length=1024)
    purpose: Literal["care", "sharing"] = "care"
    may: _May = sorted(OLDER)
    pseudonym: bool = False
    check: bool = False
    reason: str = Field(default="", max_length=500)
    institution: str = Field(default="", max_length=200)
    country: str = Field(default="", pattern=r"^([A-Z]{2})?$")
    transfer_reason: str = Field(default="", max_length=500)


class Chosen(BaseModel):
    """Which studies, for whom."""

    studies: Annotated[list[Annotated[str, Field(max_length=64, pattern=r"^[0-9.]+$")]], Field(max_length=100)]
    to: str = Field(default="", max_length=200)


class GivenMany(Given):
    """The same for several studies; what they may is to see the images, unless more is said."""

    studies: Annotated[list[Annotated[str, Field(max_length=64, pattern=r"^[0-9.]+$")]], Field(max_length=100)]
    may: _May = [May.VIEW]


class Looked(Chosen):
    """What a link would show."""

    may: _May = [May.VIEW]
    pseudonym: bool = False


class Ended(BaseModel):
    """Why a link ends."""

    reason: str = Field(default="", max_length=500)


class Longer(BaseModel):
    """For how many hours from now on, and why."""

    hours: float = Field(gt=0, le=8760)
    reason: str = Field(default="", max_length=500)


class Judged(BaseModel):
    """Whether what somebody stated who holds a link is right."""

    claim: str = Field(max_length=32)
    accepted: bool
    reason: str = Field(default="", max_length=500)


@router.post("/api/studies/{uid}/links")
def share(uid: Uid, given: Given, site: SiteHere, who: _Gives) -> Any:
    """Give a link to one study; its secret is told once, here. Its files may be taken, unless `may` says otherwise."""
    return _given(site, [uid], given, who)


@router.post("/api/links")
def share_many(given: GivenMany, site: SiteHere, who: _Gives) -> Any:
    """Give one link to several studies; its secret, and the code where a check is wanted, are told once, here."""
    return _given(site, given.studies, given, who)


def _given(here: PagesSite, studies: list[str], given: Given, who: Person) -> dict[str, Any]:
    secret, row = here.sharing.share(
        studies, who=who, hours=given.hours, to=given.to, word=given.word, purpose=Purpose(given.purpose),
        may=given.may, pseudonym=given.pseudonym, check=given.check, reason=given.reason,
        institution=given.institution, country=given.country, transfer_reason=given.transfer_reason,
    )  # fmt: skip
    return {"link": f"/shared#{secret}", **row}


@router.get("/api/links")
def links(site: SiteHere, who: _Gives, study: str = "") -> Any:
    """Links that were given, the newest first, and the countries out of which none leaves without a reason."""
    here: PagesSite = site
    return {"links": here.sharing.shares(who=who, study_uid=study[:64]), "region": list(here.sharing.region())}


@router.post("/api/links/{id}/end")
def end(id: _Link, why: Ended, site: SiteHere, who: _Gives) -> Any:
    """End a link now."""
    here: PagesSite = site
    here.sharing.end(id, who=who, reason=why.reason)
    return {"id": id, "ended": True}


@router.post("/api/links/{id}/extend")
def extend(id: _Link, longer: Longer, site: SiteHere, who: _Gives) -> Any:
    """Let a link open for longer; whoever holds it needs no other."""
    here: PagesSite = site
    return here.sharing.extend(id, who=who, hours=longer.hours, reason=longer.reason)


@router.post("/api/links/{id}/identity")
def judge(id: _Link, judged: Judged, site: SiteHere, who: _Gives) -> Any:
    """Accept or refuse what somebody stated who holds a link."""
    here: PagesSite = site
    return here.sharing.judge(id, judged.claim, judged.accepted, who=who, reason=judged.reason)


@router.get("/api/studies/{uid}/links/preview")
def preview(uid: Uid, request: Request, site: SiteHere, who: _Gives) -> Any:
    """What a link to this study would show: the same as `/api/shared` tells whoever holds one."""
    here: PagesSite = site
    secret = here.sharing.preview([uid], who=who)
    return told(*here.sharing.studies(Bearer(secret, address_of(request))))


@router.post("/api/links/preview")
def preview_many(looked: Looked, request: Request, site: SiteHere, who: _Gives) -> Any:
    """A secret by which whoever asks sees at `/api/shared` for half an hour what a link would show; their own look."""
    here: PagesSite = site
    said = {"to": looked.to, "may": looked.may, "pseudonym": looked.pseudonym}
    return {"secret": here.sharing.preview(looked.studies, who=who, signed_in=_session(request, who), **said)}


@router.post("/api/links/{id}/preview")
def preview_of(id: _Link, request: Request, site: SiteHere, who: _Gives) -> Any:
    """The same for a link that was given."""
    here: PagesSite = site
    return {"secret": here.sharing.preview_of(id, who=who, signed_in=_session(request, who))}


def _session(request: Request, who: Person) -> Callable[[], bool]:
    """Whether the session in which something was asked for lives."""
    here, token = site_of(request), token_of(request)
    return lambda: here.person_of(token, touch=False) == who


@router.post("/api/deid/preview")
def without_person(chosen: Chosen, site: SiteHere, who: _Gives) -> Any:
    """What a recipient sees and does not see of studies under a pseudonym, from the copies themselves.

    As long as these are made, the answer says how many images were looked through; ask again.
    """
    here: PagesSite = site
    return here.sharing.without_person(chosen.studies, who=who, to=chosen.to)
