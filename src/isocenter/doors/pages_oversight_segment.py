"""The segmentation service: drop a series, choose an analysis, take what comes out. Nothing is kept."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from isocenter.doors.pages_who import SiteHere, needs
from isocenter.govern.policy import Person
from isocenter.record import to_plain

__all__ = ["router"]

router = APIRouter()

_Id = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
_Name = Annotated[str, Path(max_length=128, pattern=r"^[A-Za-z0-9._-]+$")]


class Asked(BaseModel):
    """Which analysis; of a NIfTI file, of which modality."""

    analysis: str = Field("", max_length=64)
    modality: str = Field("", max_length=16)


@router.post("/api/segment")
def begin(asked: Asked, site: SiteHere, who: Annotated[Person, needs("segment")]) -> Any:
    """A place for files, for a while."""
    return to_plain(site.guests.begin(who=who, analysis=asked.analysis, modality=asked.modality))


@router.get("/api/segment")
def runs(site: SiteHere, who: Annotated[Person, needs("segment")]) -> Any:
    """What this person has here, so that a page that was left or loaded anew finds it again."""
    return {"runs": to_plain(site.guests.runs(who=who))}


@router.put("/api/segment/{id}/files")
async def put(
    id: _Id,
    request: Request,
    site: SiteHere,
    who: Annotated[Person, needs("segment")],
    name: Annotated[str, Query(max_length=255)] = "",
) -> Any:
    """One file, as its bytes. Its name says whether it is NIfTI, and a mask."""
    with site.guests.taking(id, name, who=who) as take:
        async for piece in request.stream():
            await run_in_threadpool(take, piece)
    return to_plain(site.guests.state(id, who=who))


@router.post("/api/segment/{id}/start")
def start(id: _Id, site: SiteHere, who: Annotated[Person, needs("segment")]) -> Any:
    """Analyse what was taken."""
    return to_plain(site.guests.start(id, who=who))


@router.get("/api/segment/{id}")
def state(id: _Id, site: SiteHere, who: Annotated[Person, needs("segment")]) -> Any:
    """How far it is, and what came out."""
    return to_plain(site.guests.state(id, who=who))


@router.get("/api/segment/{id}/files/{name}")
def file(id: _Id, name: _Name, site: SiteHere, who: Annotated[Person, needs("segment")]) -> Response:
    """One file of the outcome."""
    data, media = site.guests.file(id, name, who=who)
    shown = "inline" if media == "image/png" else "attachment"
    headers = {"Content-Disposition": f'{shown}; filename="{name}"', "Cache-Control": "no-store"}
    return Response(data, media_type=media, headers=headers)


@router.delete("/api/segment/{id}")
def remove(id: _Id, site: SiteHere, who: Annotated[Person, needs("segment")]) -> Any:
    """Delete everything of it, now."""
    site.guests.remove(id, who=who)
    return {"removed": True}
