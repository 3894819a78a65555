"""A model's way to people: where it stands, what the next step lacks, and the steps that a person takes here.

What needs files (declaring a change record, sealing and looking at a test set) is done by `isocenter release`.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_who import SiteHere, needs
from isocenter.govern.card import SCHEMA
from isocenter.govern.policy import Person

__all__ = ["router"]

router = APIRouter()

_Name = Annotated[str, Path(min_length=1, max_length=128)]
_Word = Annotated[str, Query(max_length=200)]
_Digest = Annotated[str, Query(pattern=r"^[0-9a-f]{0,64}$")]


class Step(BaseModel):
    """A step of the table, and why."""

    step: Annotated[str, Field(min_length=1, max_length=32)]
    reason: Annotated[str, Field(min_length=1, max_length=1000)]


@router.get("/api/models/{name}/gate")
def gate(name: _Name, site: SiteHere, who: Annotated[Person, needs("models")]) -> Any:
    """Where a model stands on its way, every step with who and why, and what the next one lacks."""
    here: PagesSite = site
    return here.gating.told(name, who=who)


@router.get("/api/models/{name}/watch")
def watch(name: _Name, site: SiteHere, who: Annotated[Person, needs("models")]) -> Any:
    """The charts over a model in use: usual shares, limits, false alarms, delays, and alarms."""
    here: PagesSite = site
    return here.watching.model(name, who=who)


@router.get("/api/models/{name}/wrong")
def wrong(name: _Name, site: SiteHere, who: Annotated[Person, needs("models")]) -> Any:
    """Signed cases in which a model was wrong here since its release, of those that the asker may see."""
    here: PagesSite = site
    return here.erring.wrong(name, who=who)


@router.get("/api/models/{name}/cases")
def cases(
    name: _Name, site: SiteHere, who: Annotated[Person, needs("test_cases")], of: _Word = "all", by: _Word = "",
    group: _Word = "", bin: Annotated[int, Query(ge=-1, le=99)] = -1,
    on: Annotated[str, Query(pattern=r"^(claimed|[0-9a-f]{64})?$")] = "",
    start: Annotated[int, Query(ge=0, le=100_000)] = 0,
) -> Any:  # fmt: skip
    """Cases behind a figure: of the sealed test, of what the training claims, or of data that were judged on here.

    Who asks for those of a sealed test is written down as one who saw single cases of it.
    """
    here: PagesSite = site
    return here.evidencing.cases(name, of, by=by, group=group, bin=bin, on=on, start=start, who=who)


@router.get("/api/models/{name}/compare")
def compare(
    name: _Name, site: SiteHere, who: Annotated[Person, needs("models")], one: _Digest = "", other: _Digest = ""
) -> Any:
    """Two versions of a model beside each other, by digest or its beginning."""
    here: PagesSite = site
    return here.comparing.compare(name, one, other, who=who)


@router.get("/api/models/{name}/card")
def card(name: _Name, site: SiteHere, who: Annotated[Person, needs("models")]) -> Any:
    """The generated card: source attributes, CHAI fields, evidence, steps; what nobody told is said to be not known."""
    here: PagesSite = site
    return here.carding.card(name, who=who)


@router.get("/api/models/{name}/card.pdf")
def card_pdf(name: _Name, site: SiteHere, who: Annotated[Person, needs("models")]) -> Response:
    """The same on paper."""
    here: PagesSite = site
    headers = {"Content-Disposition": 'inline; filename="model-card.pdf"'}
    return Response(here.carding.paper(name, who=who), media_type="application/pdf", headers=headers)


@router.get("/api/federations")
def federations(site: SiteHere, who: Annotated[Person, needs("models")]) -> Any:
    """Federations of which this archive's journal knows: rounds, sites, who was lost, bytes, the loss of privacy."""
    here: PagesSite = site
    return {"federations": here.federation.told(who=who)}


@router.get("/api/card-schema.json")
def card_schema(_: Annotated[Person, needs("models")]) -> Any:
    """The JSON Schema of cards."""
    return dict(SCHEMA)


@router.post("/api/models/{name}/step")
def step(name: _Name, wanted: Step, site: SiteHere, who: Annotated[Person, needs("release")]) -> Any:
    """Take a step; a refusal names everything that is missing."""
    here: PagesSite = site
    here.gating.step(name, wanted.step, reason=wanted.reason, who=who)
    return here.gating.told(name, who=who)
