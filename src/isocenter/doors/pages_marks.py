"""What a reader draws, and what is drawn for them: marks, outlines by brush or click, sections, masks and maps."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from isocenter.doors import pages_json
from isocenter.doors.pages_planes import stack_of
from isocenter.doors.pages_reading import ActName
from isocenter.doors.pages_section import Plane, halves, label_map, packed, section, sure_parts, told
from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_study import Digest, Uid
from isocenter.doors.pages_who import SiteHere, needs
from isocenter.errors import NotFound, Refused
from isocenter.govern.policy import Person
from isocenter.reading.session import Correction
from isocenter.record import Code, Map, Result, Verdict, to_plain
from isocenter.site.marking import Drawn
from isocenter.site.outlining import Edit

__all__ = ["router"]

router = APIRouter()

_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Points = Annotated[list[Annotated[list[_Finite], Field(min_length=2, max_length=3)]], Field(max_length=10_000)]
_Three = tuple[_Finite, _Finite, _Finite]
_Two = tuple[_Finite, _Finite]
_SopUid = Annotated[str, Field(pattern=r"^([0-9.]{1,64})?$")]
_Held = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
_Tracking = Annotated[str, Field(max_length=128)]
_TrackingPath = Annotated[str, Path(min_length=1, max_length=128)]
_Words = Annotated[str, Field(max_length=1000)]
_Series = Annotated[str, Query(pattern=r"^[0-9.]{1,64}$")]
_Name = Annotated[str, Query(max_length=128)]
_Numbers = Annotated[str, Query(max_length=200)]


class Mark(BaseModel):
    """A measurement as it was drawn: `points` are millimetres of the patient, or columns and rows of the image."""

    version: Annotated[int, Field(ge=0)]
    kind: Literal["length", "bidirectional", "angle", "ellipse", "probe", "freehand"]
    points: _Points
    series_uid: _SopUid = ""
    instance_uid: _SopUid = ""
    frame: Annotated[int, Field(ge=0, le=100_000)] = 0
    normal: _Three | None = None
    window: _Two | None = None
    tracking: _Tracking = ""
    result: _Held = ""
    words: _Words = ""
    act: ActName = ""


class Coded(BaseModel):
    """A coded word."""

    code: Annotated[str, Field(min_length=1, max_length=64)]
    scheme: Annotated[str, Field(min_length=1, max_length=16)]
    meaning: Annotated[str, Field(min_length=1, max_length=64)]


class Act(BaseModel):
    """One act on a region: a stroke of the brush, a range of values, or a click."""

    version: Annotated[int, Field(ge=0)]
    how: Literal["brush", "threshold", "click"]
    series_uid: _SopUid
    instance_uid: _SopUid = ""
    frame: Annotated[int, Field(ge=0, le=100_000)] = 0
    add: bool = True
    points: _Points = []
    radius: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)] = 0.0
    normal: _Three | None = None
    values: _Two | None = None
    box: Annotated[_Points, Field(min_length=2, max_length=2)] | None = None
    tracking: _Tracking = ""
    result: _Held = ""
    what: Coded | None = None
    words: Annotated[str, Field(max_length=64)] = ""
    act: ActName = ""


@router.post("/api/readings/{uid}/measure")
def measure(uid: Uid, mark: Mark, site: SiteHere, who: Annotated[Person, needs("correct")]) -> Any:
    """Keep a mark with its numbers, which are computed here; with `tracking` it is drawn anew."""
    here: PagesSite = site
    drawn = Drawn(
        mark.kind, _array(mark.points), mark.series_uid, mark.instance_uid, mark.frame, mark.normal, mark.window,
        mark.tracking, mark.result, mark.words,
    )  # fmt: skip
    version = here.tickets.seen(mark.version)
    return pages_json.reading(here.tickets, here.measure(uid, drawn, version=version, act=mark.act, who=who))


@router.delete("/api/readings/{uid}/measure/{tracking}")
def strike(
    uid: Uid,
    tracking: _TrackingPath,
    site: SiteHere,
    who: Annotated[Person, needs("correct")],
    version: Annotated[int, Query(ge=0)],
) -> Any:
    """Strike a mark or a region: it is not shown any more, and nothing is forgotten."""
    here: PagesSite = site
    struck = Correction(Verdict.STRUCK, tracking, reason="deleted")
    return pages_json.reading(here.tickets, here.correct(uid, struck, version=here.tickets.seen(version), who=who))


@router.post("/api/studies/{uid}/segment")
def segment(uid: Uid, act: Act, site: SiteHere, who: Annotated[Person, needs("correct")]) -> Any:
    """One act on a region, new or known; the region as it is then becomes a result of this reader."""
    here: PagesSite = site
    what = Code(act.what.code, act.what.scheme, act.what.meaning) if act.what else None
    edit = Edit(
        act.how, act.series_uid, act.instance_uid, act.frame, act.add, _array(act.points), act.radius, act.normal,
        act.values, _array(act.box) if act.box else None, act.tracking, act.result, what, act.words,
    )  # fmt: skip
    version = here.tickets.seen(act.version)
    return pages_json.reading(here.tickets, here.segment(uid, edit, version=version, act=act.act, who=who))


@router.post("/api/studies/{uid}/series/{series}/ready", status_code=204)
def ready(
    uid: Uid,
    series: Annotated[str, Path(pattern=r"^[0-9.]{1,64}$")],
    site: SiteHere,
    who: Annotated[Person, needs("correct")],
    step: Literal["", "images", "program"] = "",
) -> None:
    """A tool that outlines was taken in hand: what the first click needs is made ready, or one step of it."""
    here: PagesSite = site
    here.ready(uid, series, step=step, who=who)


@router.get("/api/results/{id}/section")
def cut(
    id: Digest, site: SiteHere, who: Annotated[Person, needs("results")], point: _Numbers, normal: _Numbers
) -> Response:
    """The outlines of all regions of a result in one plane of the patient, given by a point (mm) and a normal."""
    here: PagesSite = site
    result = here.result(id, who=who)
    plane = Plane.through(_three(point), _three(normal))
    sure: dict[str, Any] = {}
    for one in (m for m in result.maps if m.quantity == "probability"):
        sure |= sure_parts(result.findings, one, here.map_of(id, one.name, who=who))
    return _packed_json(section(result.findings, plane, sure))


@router.get("/api/results/{id}/mask")
def mask(
    id: Digest,
    site: SiteHere,
    who: Annotated[Person, needs("results")],
    on: Annotated[str, Query(pattern=r"^[0-9.]{1,64}$")],
) -> Response:
    """Regions of a result on the grid of a series: uint8, (slices, rows, columns); beside it what each number means."""
    here: PagesSite = site
    result = here.result(id, who=who)
    series = next((s for s in here.study(result.study_uid, who=who).series if s.uid == on), None)
    if series is None:
        raise NotFound("this study has no such series", "a mask lies on a series of its study", "load the study again")
    grid = stack_of(series)
    labels, tracked = label_map(result.findings, grid, on)
    return _array_of(labels.tobytes(), told(grid, type="uint8", regions=tracked))


@router.get("/api/results/{id}/regions/{tracking}/{form}")
def take(
    id: Digest,
    tracking: _TrackingPath,
    form: Annotated[str, Path(max_length=64)],
    site: SiteHere,
    who: Annotated[Person, needs("send")],
) -> Response:
    """One region as a file: seg, nifti, stl or glb. That it was taken is told in the journal."""
    here: PagesSite = site
    made = here.take(id, tracking, form, who=who)
    headers = {"Content-Disposition": f'attachment; filename="{made.name}"', "Cache-Control": "no-store"}
    return Response(made.data, media_type=made.media, headers=headers)


@router.get("/api/results/{id}/map")
def values(
    id: Digest, site: SiteHere, who: Annotated[Person, needs("results")], name: Annotated[str, Query(max_length=128)]
) -> Response:
    """A map as numbers: float16, (slices, rows, columns), with its unit, range, thresholds and place beside."""
    here: PagesSite = site
    shown = _map(here.result(id, who=who), name)
    body, scale = halves(here.map_of(id, name, who=who))
    facts = told(
        shown.geometry, type="float16", scale=scale, name=shown.name, quantity=shown.quantity, unit=shown.unit,
        low=shown.low, high=shown.high, voxel_ml=shown.geometry.voxel_volume_mm3 / 1000.0, series_uid=shown.series_uid,
        kind=shown.kind, thresholds=to_plain(shown.thresholds),
    )  # fmt: skip
    return _array_of(body, facts)


def _map(result: Result, name: str) -> Map:
    found = next((m for m in result.maps if m.name == name), None)
    if found is None:
        raise NotFound("this result has no such map", "it may have been replaced", "load the results again")
    return found


def _array(points: list[list[float]]) -> Any:
    if len({len(p) for p in points}) > 1:
        raise Refused("points of two and of three numbers", "they lie in one space", "give all in the same")
    return np.array(points, dtype=np.float64).reshape(len(points), -1 if points else 3)


def _three(text: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != 3:
        raise Refused("a place that is not three numbers", "a plane has a point and a normal", "give x,y,z")
    return numbers


def _array_of(body: bytes, facts: str) -> Response:
    headers = {"Content-Encoding": "gzip", "X-Isocenter-Array": facts}
    return Response(packed(body), media_type="application/octet-stream", headers=headers)


def _packed_json(said: dict[str, Any]) -> Response:
    import json

    body = json.dumps(said, separators=(",", ":")).encode()
    return Response(packed(body), media_type="application/json", headers={"Content-Encoding": "gzip"})
