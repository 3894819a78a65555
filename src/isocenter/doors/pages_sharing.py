"""Links through which one study is seen: given and ended by those who may, opened by whoever holds one.

The secret stands behind the ``#`` of a link, so that no server, proxy or log on the way sees it; whoever opens it sends
it in the header ``X-Isocenter-Link``, and the word, where one is asked, in ``X-Isocenter-Word``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Path, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from isocenter.doors.pages_json import patient
from isocenter.doors.pages_pictures import Wanted, described
from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_who import SiteHere, needs
from isocenter.doors.part10 import harmless
from isocenter.govern.consent import Purpose
from isocenter.govern.policy import Person
from isocenter.record import Study

__all__ = ["router"]

router = APIRouter()

Uid = Annotated[str, Path(max_length=64, pattern=r"^[0-9.]+$")]
Secret = Annotated[str, Header(alias="X-Isocenter-Link", max_length=200)]
Word = Annotated[str, Header(alias="X-Isocenter-Word", max_length=1024)]


class Given(BaseModel):
    """How long a link opens, for whom, and what has to be said with it."""

    hours: float = Field(default=72.0, gt=0, le=8760)
    to: str = Field(default="", max_length=200)
    word: str = Field(default="", max_length=1024)
    purpose: Literal["care", "sharing"] = "care"


class Ended(BaseModel):
    """Why a link ends."""

    reason: str = Field(default="", max_length=500)


class Longer(BaseModel):
    """For how many hours from now on, and why."""

    hours: float = Field(gt=0, le=8760)
    reason: str = Field(default="", max_length=500)


@router.post("/api/studies/{uid}/links")
def share(uid: Uid, given: Given, site: SiteHere, who: Annotated[Person, needs("share")]) -> Any:
    """Give a link; its secret is told once, here."""
    here: PagesSite = site
    purpose = Purpose(given.purpose)
    secret, told = here.sharing.share(uid, who=who, hours=given.hours, to=given.to, word=given.word, purpose=purpose)
    return {"link": f"/shared#{secret}", **told}


@router.get("/api/links")
def links(site: SiteHere, who: Annotated[Person, needs("share")], study: str = "") -> Any:
    """Links that were given, the newest first."""
    here: PagesSite = site
    return {"links": here.sharing.shares(who=who, study_uid=study[:64])}


@router.post("/api/links/{id}/end")
def end(
    id: Annotated[str, Path(max_length=32)], told: Ended, site: SiteHere, who: Annotated[Person, needs("share")]
) -> Any:
    """End a link now."""
    here: PagesSite = site
    here.sharing.end(id, who=who, reason=told.reason)
    return {"id": id, "ended": True}


@router.post("/api/links/{id}/extend")
def extend(
    id: Annotated[str, Path(max_length=32)], longer: Longer, site: SiteHere, who: Annotated[Person, needs("share")]
) -> Any:
    """Let a link open for longer; whoever holds it needs no other."""
    here: PagesSite = site
    return here.sharing.extend(id, who=who, hours=longer.hours, reason=longer.reason)


@router.get("/api/studies/{uid}/links/preview")
def preview(uid: Uid, site: SiteHere, who: Annotated[Person, needs("share")]) -> Any:
    """What a link to this study would show: the same as `/api/shared` tells whoever holds one."""
    here: PagesSite = site
    return _told(here.sharing.preview(uid, who=who))


@router.get("/api/shared")
def shared(
    request: Request, site: SiteHere, _: Annotated[Person, needs("shared")], secret: Secret = "", word: Word = ""
) -> Any:
    """The study behind a link: its series and the names of its images."""
    here: PagesSite = site
    study = here.sharing.study(secret, address=_address(request), word=_said(word))
    return _told(study)


@router.get("/api/shared/left")
def shared_left(
    request: Request, site: SiteHere, _: Annotated[Person, needs("shared")], secret: Secret = "", word: Word = ""
) -> Any:
    """For how many seconds a link goes on to open: an open page asks, and closes when it has ended."""
    here: PagesSite = site
    return {"left_s": here.sharing.left_s(secret, address=_address(request), word=_said(word))}


@router.get("/api/shared/instances/{uid}")
def shared_instance(
    uid: Uid,
    request: Request,
    site: SiteHere,
    _: Annotated[Person, needs("shared")],
    secret: Secret = "",
    word: Word = "",
) -> Response:
    """One stored file of the study behind a link."""
    here: PagesSite = site
    data = here.sharing.instance(secret, uid, address=_address(request), word=_said(word))
    headers = {"Content-Disposition": f'attachment; filename="{uid}.dcm"', "X-Content-Type-Options": "nosniff"}
    return Response(harmless(data), media_type="application/dicom", headers=headers)


@router.get("/api/shared/series/{series}/pictures")
def shared_pictures(
    series: Annotated[str, Path(pattern=r"^[0-9.]{1,64}$")],
    request: Request,
    site: SiteHere,
    _: Annotated[Person, needs("shared")],
    secret: Secret = "",
    word: Word = "",
) -> Any:
    """The images of a series behind a link, described as for the reading room (see pages_pictures)."""
    here: PagesSite = site
    return described(here.sharing.pictures(secret, series, address=_address(request), word=_said(word)))


@router.get("/api/shared/series/{series}/slab")
def shared_slab(
    series: Annotated[str, Path(pattern=r"^[0-9.]{1,64}$")],
    request: Request,
    site: SiteHere,
    _: Annotated[Person, needs("shared")],
    wanted: Wanted,
    secret: Secret = "",
    word: Word = "",
) -> StreamingResponse:
    """Values of several of them."""
    here: PagesSite = site
    told = here.sharing.slab(secret, series, wanted.of, tag=wanted.tag, address=_address(request), word=_said(word))
    return wanted.streamed(*told)


def _said(word: str) -> str:
    """A word whose letters came as bytes of UTF-8, as headers have none but bytes."""
    try:
        return word.encode("latin-1").decode()
    except UnicodeError:
        return word


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _told(study: Study) -> dict[str, Any]:
    return {
        "uid": study.uid, "patient": patient(study.patient), "date": study.date, "description": study.description,
        "series": [
            {"uid": s.uid, "modality": s.modality, "description": s.description,
             "instances": [{"sop_uid": i.sop_uid, "frames": i.frames} for i in s.instances]}
            for s in study.series
        ],
    }  # fmt: skip
