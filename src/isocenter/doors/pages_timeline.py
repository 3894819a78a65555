"""Lesions through studies, and a patient through time. The address names a study, never a patient."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from isocenter.doors import pages_json
from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_study import Uid
from isocenter.doors.pages_who import SiteHere, needs
from isocenter.govern.policy import Person
from isocenter.record import to_plain

__all__ = ["router"]

router = APIRouter()

_Tracking = Annotated[str, Field(min_length=1, max_length=128)]


class Pair(BaseModel):
    """Two findings, and whether they are one lesion."""

    one: _Tracking
    other: _Tracking
    same: bool


@router.get("/api/studies/{uid}/lesions")
def lesions(uid: Uid, site: SiteHere, who: Annotated[Person, needs("results")]) -> Any:
    """Each lesion of the patient through their studies: size, change, interval, and how sure the match is."""
    here: PagesSite = site
    studies, found, sums = here.following.lesions(uid, who=who)
    return {
        "studies": [
            {"study": s.uid, "date": s.date.isoformat() if s.date else None, "description": s.description,
             "modalities": list(s.modalities), "here": s.uid == uid}
            for s in studies
        ],
        "lesions": [to_plain(one) for one in found],
        "sums": [to_plain(one) for one in sums],
    }  # fmt: skip


@router.post("/api/studies/{uid}/lesions")
def match(uid: Uid, pair: Pair, site: SiteHere, who: Annotated[Person, needs("correct")]) -> Any:
    """Say that two findings are one lesion, or that they are not."""
    here: PagesSite = site
    here.following.match(uid, pair.one, pair.other, same=pair.same, who=who)
    return lesions(uid, site, who)


class Wanted(BaseModel):
    """A study at a peer."""

    peer: str = Field(min_length=1, max_length=16)
    study: str = Field(pattern=r"^[0-9.]{1,64}$")


@router.post("/api/patients/{uid}/elsewhere")
def elsewhere(uid: Uid, site: SiteHere, who: Annotated[Person, needs("fetch")]) -> Any:
    """Ask the peers which studies of the person of a study they hold that are not here; the journal keeps who asked."""
    here: PagesSite = site
    return here.fetching.elsewhere(uid, who=who)


@router.post("/api/patients/{uid}/fetch")
def fetch(uid: Uid, wanted: Wanted, site: SiteHere, who: Annotated[Person, needs("fetch")]) -> Any:
    """Have a peer send one of these studies: a job that outlives the server; where no job is kept one waits for it."""
    here: PagesSite = site
    return here.fetching.fetch(uid, wanted.study, peer=wanted.peer, who=who)


@router.get("/api/patients/{uid}/fetch")
def fetching(uid: Uid, site: SiteHere, who: Annotated[Person, needs("fetch")]) -> Any:
    """What of this patient is waiting, on its way or has ended, how much of it came, and why not all."""
    here: PagesSite = site
    return {"fetching": here.fetching.going(uid, who=who)}


@router.post("/api/patients/{uid}/fetch/stop")
def stop_fetching(uid: Uid, wanted: Wanted, site: SiteHere, who: Annotated[Person, needs("fetch")]) -> Any:
    """Want one of these studies no more; what has come stays."""
    here: PagesSite = site
    here.fetching.stop(uid, wanted.study, peer=wanted.peer, who=who)
    return {"fetching": here.fetching.going(uid, who=who)}


@router.get("/api/patients/{uid}/timeline")
def timeline(uid: Uid, site: SiteHere, who: Annotated[Person, needs("results")]) -> Any:
    """The person of a study through time: imaging, lesions, measurements, reports, access."""
    here: PagesSite = site
    told = here.following.timeline(uid, who=who)
    return {**told, "patient": pages_json.patient(told["patient"])}
