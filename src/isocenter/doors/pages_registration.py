"""Registration of two series: what is known, what is proposed, and what a person accepts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_study import Uid
from isocenter.doors.pages_who import SiteHere, needs
from isocenter.forms.registration import Joined
from isocenter.govern.policy import Person

__all__ = ["router"]

router = APIRouter()

_Series = Annotated[str, Field(pattern=r"^[0-9.]{1,64}$")]


class Pair(BaseModel):
    """Two series of the study: the one that stays, and the one that is laid over it."""

    fixed: _Series
    moving: _Series


class Accepted(BaseModel):
    """Which proposal is accepted."""

    proposal: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


@router.get("/api/studies/{uid}/registrations")
def registrations(uid: Uid, site: SiteHere, who: Annotated[Person, needs("study")]) -> Any:
    """What joins two frames of reference of this study."""
    here: PagesSite = site
    return _listed(here.registrations(uid, who=who))


@router.post("/api/studies/{uid}/register")
def register(uid: Uid, pair: Pair, site: SiteHere, who: Annotated[Person, needs("correct")]) -> Any:
    """Compute where one series lies in another; nothing is kept until it is accepted."""
    here: PagesSite = site
    made = here.register(uid, pair.fixed, pair.moving, who=who)
    return {**_told(made.joined), "proposal": made.id, "residual_mm": made.residual_mm, "overlap": made.overlap}


@router.post("/api/studies/{uid}/registrations")
def accept(uid: Uid, accepted: Accepted, site: SiteHere, who: Annotated[Person, needs("correct")]) -> Any:
    """Keep a proposal in the study."""
    here: PagesSite = site
    return _listed(here.accept_registration(uid, accepted.proposal, who=who))


def _listed(many: Sequence[Joined]) -> dict[str, Any]:
    return {"registrations": [_told(one) for one in many]}


def _told(one: Joined) -> dict[str, Any]:
    return {
        "fixed": one.fixed, "moving": one.moving, "matrix": one.matrix.tolist(), "words": one.words, "by": one.by,
        "residual_mm": one.residual_mm,
    }  # fmt: skip
