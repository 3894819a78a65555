"""Registration of two series: what is known, what is proposed, and what a person accepts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field

from isocenter.doors.pages_pictures import Wanted, described
from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_study import Uid
from isocenter.doors.pages_who import SiteHere, must_still_see, needs
from isocenter.forms.registration import Joined
from isocenter.govern.policy import Person

__all__ = ["router"]

router = APIRouter()

_Series = Annotated[str, Field(pattern=r"^[0-9.]{1,64}$")]
_SeriesPath = Annotated[str, Path(pattern=r"^[0-9.]{1,64}$")]
_Run = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
_By = Annotated[str, Path(pattern=r"^(kept|[0-9a-f]{32})$")]
"""A registration that the study holds, or a proposal."""


class Pair(BaseModel):
    """The series of the study that stays, the one that is laid over it (of the study or of an earlier one of the same
    patient), and a word of whoever asks, to look how far it is and to stop it."""

    fixed: _Series
    moving: _Series
    run: Annotated[str, Field(pattern=r"^([0-9a-f]{32})?$")] = ""


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
    made = here.register(uid, pair.fixed, pair.moving, run=pair.run, who=who)
    return {**_told(made.joined), "proposal": made.id, "residual_mm": made.residual_mm, "overlap": made.overlap}


@router.get("/api/studies/{uid}/register/{run}")
def registering(uid: Uid, run: _Run, site: SiteHere, who: Annotated[Person, needs("correct")]) -> Any:
    """How far a registration is that one asked for: 0 to 1, or null where none is computed under this word."""
    here: PagesSite = site
    return {"part": here.registering(uid, run, who=who)}


@router.delete("/api/studies/{uid}/register/{run}", status_code=204)
def stop(uid: Uid, run: _Run, site: SiteHere, who: Annotated[Person, needs("correct")]) -> None:
    """End it, if it is still being computed."""
    here: PagesSite = site
    here.stop_registering(uid, run, who=who)


@router.post("/api/studies/{uid}/registrations")
def accept(uid: Uid, accepted: Accepted, site: SiteHere, who: Annotated[Person, needs("correct")]) -> Any:
    """Keep a proposal in the study."""
    here: PagesSite = site
    return _listed(here.accept_registration(uid, accepted.proposal, who=who))


@router.get("/api/studies/{uid}/series/{series}/on/{fixed}/{by}/pictures")
def laid(
    uid: Uid,
    series: _SeriesPath,
    fixed: _SeriesPath,
    by: _By,
    site: SiteHere,
    who: Annotated[Person, needs("instance")],
) -> Any:
    """A series as a registration lays it onto the grid of another: its slices, described as those of a series."""
    here: PagesSite = site
    return described(here.laid(uid, fixed, series, by=_proposal(by), who=who).pictures)


@router.get("/api/studies/{uid}/series/{series}/on/{fixed}/{by}/slab")
def laid_slab(
    uid: Uid,
    series: _SeriesPath,
    fixed: _SeriesPath,
    by: _By,
    site: SiteHere,
    who: Annotated[Person, needs("instance")],
    wanted: Wanted,
    request: Request,
) -> Response:
    """Values of several of those slices, as a slab of a series is sent."""
    here: PagesSite = site
    which = wanted.of(here.laid(uid, fixed, series, by=_proposal(by), who=who).pictures)
    values = here.laid_slab(uid, fixed, series, which, tag=wanted.tag, by=_proposal(by), who=who)
    return wanted.streamed(which, *values, still=partial(must_still_see, request, who, uid))


def _proposal(by: str) -> str:
    return "" if by == "kept" else by


def _listed(many: Sequence[Joined]) -> dict[str, Any]:
    return {"registrations": [_told(one) for one in many]}


def _told(one: Joined) -> dict[str, Any]:
    return {
        "fixed": one.fixed, "moving": one.moving, "matrix": one.matrix.tolist(), "words": one.words, "by": one.by,
        "residual_mm": one.residual_mm,
    }  # fmt: skip
