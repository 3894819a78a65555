"""Cohorts: a question to many studies, its members frozen on a day, and their table to take out."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_who import SiteHere, needs
from isocenter.govern.policy import Person

__all__ = ["router"]

router = APIRouter()

_Question = Annotated[str, Query(max_length=1000)]
_Column = Annotated[str, Query(max_length=200)]
_Frozen = Annotated[str, Query(pattern=r"^[0-9a-f]{0,64}$")]
_Value = Annotated[float, Query(ge=-1e12, le=1e12, allow_inf_nan=False)]
_Age = Annotated[float | None, Query(ge=0, le=150, allow_inf_nan=False)]
_Id = Annotated[str, Path(pattern=r"^[0-9a-f]{1,64}$")]


class Asked(BaseModel):
    """A question to freeze, and under which name."""

    name: Annotated[str, Field(min_length=1, max_length=120)]
    q: Annotated[str, Field(max_length=1000)] = ""


_Studies = Annotated[list[Annotated[str, Field(pattern=r"^[0-9.]{1,64}$")]], Field(max_length=20_000)]


class Marks(BaseModel):
    """A tag, on or off, for some studies of a cohort or for all."""

    tag: Annotated[int, Field(ge=1, le=9)]
    on: bool = True
    studies: _Studies = []
    all: bool = False


class Out(BaseModel):
    """Studies that a cohort shall go on without, why, and its new name."""

    name: Annotated[str, Field(max_length=120)]
    reason: Annotated[str, Field(max_length=500)]
    studies: _Studies = []


@router.get("/api/cohorts")
def cohorts(site: SiteHere, who: Annotated[Person, needs("cohort_rows")]) -> Any:
    """Every cohort that was frozen, the newest first."""
    here: PagesSite = site
    return {"cohorts": here.cohorts.frozen(who=who)}


@router.get("/api/cohorts/ask")
def ask(
    site: SiteHere, who: Annotated[Person, needs("cohorts")], q: _Question = "", field: _Column = "", by: _Column = ""
) -> Any:
    """Who meets a question now; of one field also its figures. Counts below ten are withheld."""
    here: PagesSite = site
    return here.cohorts.ask(q, field=field, by=by, who=who)


@router.get("/api/cohorts/compare")
def compare(
    site: SiteHere, who: Annotated[Person, needs("cohort_rows")], q: _Question = "", id: _Frozen = "", by: _Column = "",
    one: _Column = "", other: _Column = "",
) -> Any:  # fmt: skip
    """Two groups of people of a question, or of a frozen cohort, field by field; without groups, the choices."""
    here: PagesSite = site
    return here.cohorts.contrast(by, one, other, q=q, id=id, who=who)


@router.get("/api/cohorts/survival")
def survival(
    site: SiteHere, who: Annotated[Person, needs("cohort_rows")], q: _Question = "", id: _Frozen = "",
    event: _Question = "", by: _Column = "",
) -> Any:  # fmt: skip
    """Time to the first later study that meets a condition: curves, numbers at risk, the test between groups."""
    here: PagesSite = site
    return here.cohorts.survival(event, by, q=q, id=id, who=who)


@router.get("/api/cohorts/plots")
def plots(
    site: SiteHere, who: Annotated[Person, needs("cohorts")], q: _Question = "", id: _Frozen = "",
    charts: Annotated[str, Query(max_length=4000)] = "",
) -> Any:  # fmt: skip
    """The figures of fields of a question, or of a frozen cohort: of those named in `charts`, between commas, or of
    the first of all. Counts below ten are withheld."""
    here: PagesSite = site
    return here.cohorts.plots(q=q, id=id, only=[name for name in charts.split(",") if name], who=who)


@router.get("/api/cohorts/percentile")
def percentile(
    site: SiteHere, who: Annotated[Person, needs("cohort_rows")], q: _Question = "", id: _Frozen = "",
    field: _Column = "", value: _Value = 0.0, age: _Age = None, sex: _Column = "",
) -> Any:  # fmt: skip
    """Where a value stands among the people of a question, or of a frozen cohort; without a field, the choices."""
    here: PagesSite = site
    return here.cohorts.percentile(field, value, age, sex, q=q, id=id, who=who)


@router.get("/api/cohorts/learned")
def learned(site: SiteHere, who: Annotated[Person, needs("cohort_rows")], q: _Question = "", id: _Frozen = "") -> Any:
    """Training sets and models that learned from studies of a cohort, and of how many more they may."""
    here: PagesSite = site
    return here.cohorts.learned(q=q, id=id, who=who)


@router.post("/api/cohorts")
def freeze(asked: Asked, site: SiteHere, who: Annotated[Person, needs("cohort_rows")]) -> Any:
    """Keep who meets a question today."""
    here: PagesSite = site
    return {"id": here.cohorts.freeze(asked.name, asked.q, who=who)}


@router.get("/api/cohorts/{id}")
def cohort(
    id: _Id, site: SiteHere, who: Annotated[Person, needs("cohort_rows")], field: _Column = "", by: _Column = "",
    tag: Annotated[int, Query(ge=0, le=9)] = 0,
) -> Any:  # fmt: skip
    """A frozen cohort with its table as it is today, and its tags; with a tag only the studies that carry it."""
    here: PagesSite = site
    return here.cohorts.cohort(id, field=field, by=by, tag=tag, who=who)


@router.post("/api/cohorts/{id}/tags")
def tag(id: _Id, marks: Marks, site: SiteHere, who: Annotated[Person, needs("cohort_rows")]) -> Any:
    """Give studies of a frozen cohort a tag from 1 to 9, or take it off; the journal keeps who and when."""
    here: PagesSite = site
    return {"studies": here.cohorts.tag(id, marks.tag, marks.studies, on=marks.on, all=marks.all, who=who)}


@router.post("/api/cohorts/{id}/without")
def without(id: _Id, out: Out, site: SiteHere, who: Annotated[Person, needs("cohort_rows")]) -> Any:
    """Freeze a cohort anew without some of its studies, for a reason that its ledger keeps."""
    here: PagesSite = site
    return {"id": here.cohorts.without(id, out.name, out.studies, out.reason, who=who)}


@router.get("/api/cohorts/{id}/export")
def export(
    id: _Id, site: SiteHere, who: Annotated[Person, needs("export")], form: Literal["csv", "parquet"] = "csv",
    reason: Annotated[str, Query(max_length=500)] = "",
) -> Response:  # fmt: skip
    """The table of a frozen cohort under pseudonyms; the header names the digest that the journal keeps."""
    here: PagesSite = site
    data, digest = here.cohorts.export(id, form, reason=reason, who=who)
    kind = "text/csv; charset=utf-8" if form == "csv" else "application/vnd.apache.parquet"
    headers = {"Content-Disposition": f'attachment; filename="cohort-{id[:12]}.{form}"', "X-Isocenter-Digest": digest}
    return Response(data, media_type=kind, headers=headers)
