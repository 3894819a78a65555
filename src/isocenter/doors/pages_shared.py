"""What is behind a link, for whoever holds one: seen, measured and taken as far as the link lets them.

The secret stands behind the ``#`` of a link, so that no server, proxy or log on the way sees it; whoever opens it sends
it in the header ``X-Isocenter-Link``, the word, where one is asked, in ``X-Isocenter-Word``, and the code by which they
stated who they are in ``X-Isocenter-Code``.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Depends, Header, Path, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from isocenter.doors.pages_json import patient
from isocenter.doors.pages_pictures import Wanted, described
from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_who import SiteHere, needs
from isocenter.doors.part10 import harmless
from isocenter.errors import IsocenterError
from isocenter.govern.policy import Person
from isocenter.govern.sharing import Share
from isocenter.record import Study, to_plain
from isocenter.site.marking import Drawn
from isocenter.site.through_links import Bearer, Seen

__all__ = ["address_of", "router", "told"]

router = APIRouter()

_Series = Annotated[str, Path(pattern=r"^[0-9.]{1,64}$")]
_Uid = Annotated[str, Path(max_length=64, pattern=r"^[0-9.]+$")]
_Named = Annotated[str, Field(max_length=64, pattern=r"^[0-9.]+$")]
_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Count = Annotated[int, Field(ge=0, le=10_000_000)]


def _bearer(
    request: Request,
    secret: Annotated[str, Header(alias="X-Isocenter-Link", max_length=200)] = "",
    word: Annotated[str, Header(alias="X-Isocenter-Word", max_length=1024)] = "",
    code: Annotated[str, Header(alias="X-Isocenter-Code", max_length=64)] = "",
) -> Bearer:
    return Bearer(secret, address_of(request), _said(word), code.strip())


Holder = Annotated[Bearer, Depends(_bearer)]
_Shared = Annotated[Person, needs("shared")]


class Stated(BaseModel):
    """Who holds the link."""

    name: str = Field(min_length=1, max_length=200)


class Mark(BaseModel):
    """What was drawn: `points` are millimetres of the patient, or columns and rows of the image."""

    kind: Literal["length", "bidirectional", "angle", "ellipse", "probe", "freehand"]
    points: Annotated[list[Annotated[list[_Finite], Field(min_length=2, max_length=3)]], Field(max_length=10_000)]
    series_uid: _Named
    instance_uid: _Named
    frame: int = Field(default=0, ge=0, le=100_000)


class Taken(BaseModel):
    """What another archive took of a study: together as many images as it expected."""

    study: _Named
    expected: _Count
    stored: _Count
    there: _Count
    rejected: _Count
    missing: _Count


@router.get("/api/shared")
def shared(site: SiteHere, _: _Shared, held: Holder) -> Any:
    """The studies behind a link: their series and the names of their images, and what the link lets its holder do."""
    here: PagesSite = site
    return told(*here.sharing.studies(held))


@router.get("/api/shared/left")
def shared_left(site: SiteHere, _: _Shared, held: Holder) -> Any:
    """For how many seconds a link goes on to open: an open page asks, and closes when it has ended."""
    here: PagesSite = site
    return {"left_s": here.sharing.left_s(held)}


@router.get("/api/shared/identity")
def identity(site: SiteHere, _: _Shared, held: Holder) -> Any:
    """How far it is known who holds the link: `not asked`, `wanted`, `pending`, `accepted` or `refused`."""
    here: PagesSite = site
    return {"identity": here.sharing.identity(held)}


@router.post("/api/shared/identity")
def state_identity(stated: Stated, site: SiteHere, _: _Shared, held: Holder) -> Any:
    """Say who holds the link, by the code; whoever gave it is asked whether that is right."""
    here: PagesSite = site
    return {"identity": here.sharing.state_identity(held, stated.name)}


@router.get("/api/shared/instances/{uid}")
def shared_instance(uid: _Uid, site: SiteHere, _: _Shared, held: Holder) -> Response:
    """One file of the studies behind a link that lets them be taken."""
    here: PagesSite = site
    data = here.sharing.instance(held, uid)
    headers = {"Content-Disposition": f'attachment; filename="{uid}.dcm"', "X-Content-Type-Options": "nosniff"}
    return Response(harmless(data), media_type="application/dicom", headers=headers)


@router.get("/api/shared/files")
def shared_files(site: SiteHere, _: _Shared, held: Holder) -> StreamingResponse:
    """All files behind a link that lets them be taken, in one ZIP; `missing.txt` names those that could not be read."""
    here: PagesSite = site
    headers = {"Content-Disposition": 'attachment; filename="shared.zip"', "X-Content-Type-Options": "nosniff"}
    return StreamingResponse(zipped(here.sharing.files(held)), media_type="application/zip", headers=headers)


@router.post("/api/shared/taken")
def shared_taken(counts: Taken, site: SiteHere, _: _Shared, held: Holder) -> Any:
    """Another archive says what it took of a study; it stands in the ledger of this one."""
    here: PagesSite = site
    here.sharing.taken(held, counts.study, counts.model_dump(exclude={"study"}))
    return {"kept": True}


@router.post("/api/shared/measure")
def shared_measure(mark: Mark, site: SiteHere, _: _Shared, held: Holder) -> Any:
    """Numbers of what was drawn on an image, where the link lets its holder measure; nothing of it is kept."""
    here: PagesSite = site
    points = np.array([[*p] for p in mark.points], dtype=np.float64) if _even(mark.points) else np.zeros((0, 2))
    made = here.sharing.measured(held, Drawn(mark.kind, points, mark.series_uid, mark.instance_uid, mark.frame))
    return {"words": made.words, "measurements": to_plain(made.measurements)}


@router.get("/api/shared/series/{series}/pictures")
def shared_pictures(series: _Series, site: SiteHere, _: _Shared, held: Holder) -> Any:
    """The images of a series behind a link, described as for the reading room (see pages_pictures)."""
    here: PagesSite = site
    return described(here.sharing.pictures(held, series))


@router.get("/api/shared/series/{series}/slab")
def shared_slab(series: _Series, site: SiteHere, _: _Shared, wanted: Wanted, held: Holder) -> Response:
    """Values of several of them."""
    here: PagesSite = site
    which, of, values = here.sharing.slab(held, series, wanted.of, tag=wanted.tag)
    return wanted.streamed(which, of, values, lambda: here.sharing.opens(held))


def told(link: Share, seen: list[Seen]) -> dict[str, Any]:
    """What a link shows. The first study stands outside, too, with the series of all: older archives read that."""
    studies = [_study(one.study) | {"held_back": one.held_back} for one in seen]
    return {
        **studies[0], "series": [s for one in studies for s in one["series"]], "studies": studies,
        "may": sorted(link.may), "pseudonym": link.pseudonym, "until": link.until.isoformat(),
    }  # fmt: skip


def zipped(files: Iterable[tuple[str, bytes | IsocenterError]]) -> Iterator[bytes]:
    """A ZIP as it grows: one file in memory at a time, stored as it is."""
    pipe, missing = _Pipe(), []
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:
        for place, data in files:
            if isinstance(data, IsocenterError):
                missing.append(f"{place}: {data}")
                continue
            archive.writestr(place, harmless(data))
            yield pipe.taken()
        if missing:
            archive.writestr("missing.txt", "\n".join(missing))
    yield pipe.taken()


class _Pipe:
    """What a ZIP is written into that nobody can wind back."""

    def __init__(self) -> None:
        self._held: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._held.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is held open."""

    def taken(self) -> bytes:
        held, self._held = b"".join(self._held), []
        return held


def _even(points: list[list[float]]) -> bool:
    return len({len(p) for p in points}) == 1


def _said(word: str) -> str:
    """A word whose letters came as bytes of UTF-8, as headers have none but bytes."""
    try:
        return word.encode("latin-1").decode()
    except UnicodeError:
        return word


def address_of(request: Request) -> str:
    """From where somebody asks."""
    return request.client.host if request.client else ""


def _study(study: Study) -> dict[str, Any]:
    return {
        "uid": study.uid, "patient": patient(study.patient), "date": study.date, "description": study.description,
        "series": [
            {"uid": s.uid, "modality": s.modality, "description": s.description,
             "instances": [{"sop_uid": i.sop_uid, "frames": i.frames} for i in s.instances]}
            for s in study.series
        ],
    }  # fmt: skip
