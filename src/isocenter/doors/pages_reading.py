"""Reading: take a study, decide on findings, word the report, sign. Every write names the version that it saw."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, Field

from isocenter.doors import pages_json
from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_study import Uid
from isocenter.doors.pages_who import SiteHere, needs
from isocenter.errors import Refused
from isocenter.govern.policy import Person
from isocenter.reading.critical import Communication
from isocenter.reading.opinion import CERTAINTY
from isocenter.reading.session import Correction
from isocenter.record import Code, Measurement, Verdict, to_plain
from isocenter.space import Region, Shape

__all__ = ["Act", "ActName", "router"]

router = APIRouter()

_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Version = Annotated[int, Field(ge=0)]
_Text = Annotated[str, Field(max_length=4000)]
ActName = Annotated[str, Field(pattern=r"^[\w.-]{0,64}$")]
"""Drawn by the page for one act: sent again under the same name after a lost answer, it is not done twice."""
_Point = Annotated[list[float], Field(min_length=2, max_length=3)]


class Seen(BaseModel):
    """The version that the writer saw."""

    version: _Version


class Act(Seen):
    """An act on what the writer saw, and the name that was drawn for it."""

    act: ActName = ""


class Asked(BaseModel):
    """Who is asked to read a study."""

    to: Annotated[str, Field(max_length=64)] = ""


class Told(BaseModel):
    """Who was told of a critical finding: six fields, and whether they read it back."""

    finding: Annotated[str, Field(max_length=128)]
    identified: AwareDatetime
    communicator: Annotated[str, Field(max_length=128)]
    recipient: Annotated[str, Field(max_length=128)]
    received: AwareDatetime
    method: Annotated[str, Field(max_length=64)]
    read_back: bool = False

    def record(self) -> Communication:
        """As a record, in UTC."""
        times = self.identified.astimezone(UTC), self.received.astimezone(UTC)
        return Communication(
            self.finding, times[0], self.communicator.strip(), self.recipient.strip(), times[1], self.method,
            self.read_back,
        )  # fmt: skip


class Screened(BaseModel):
    """How many images the study has, and how many were on screen."""

    of: Annotated[int, Field(ge=0, le=10**7)]
    shown: Annotated[int, Field(ge=0, le=10**7)]


class Signing(Act):
    """The version that the reader saw, the ids of the results that they had before their eyes, who was told."""

    results: Annotated[list[_Digest], Field(max_length=10_000)] | None = None
    told: Annotated[list[Told], Field(max_length=100)] = []
    untold: Annotated[str, Field(max_length=1000)] = ""
    urgent: Annotated[list[Annotated[str, Field(max_length=128)]], Field(max_length=100)] = []
    shown: Screened | None = None


class Look(BaseModel):
    """A finding whose evidence was on screen, and on which image."""

    result: _Digest
    tracking: Annotated[str, Field(min_length=1, max_length=128)]
    sop: Annotated[str, Field(pattern=r"^[0-9.]{0,64}$")] = ""
    frame: Annotated[int, Field(ge=0, le=100_000)] = 0


class Looks(BaseModel):
    """What was on screen."""

    shown: Annotated[list[Look], Field(min_length=1, max_length=1000)]


class Locking(Act):
    """A first opinion: one line, or that there is nothing to report."""

    line: Annotated[str, Field(max_length=1000)] = ""
    nothing: bool = False


class Typed(BaseModel):
    """The line of a first opinion as it is being typed."""

    line: Annotated[str, Field(max_length=1000)]


class Coded(BaseModel):
    """A coded word."""

    code: Annotated[str, Field(min_length=1, max_length=64)]
    scheme: Annotated[str, Field(min_length=1, max_length=16)]
    meaning: Annotated[str, Field(min_length=1, max_length=64)]

    def record(self) -> Code:
        """As a record."""
        return Code(self.code, self.scheme, self.meaning)


class Measured(BaseModel):
    """A number with meaning and UCUM unit."""

    what: Coded
    value: Annotated[float, Field(allow_inf_nan=False)]
    unit: Annotated[str, Field(min_length=1, max_length=32)]


class Place(BaseModel):
    """A mark that a person drew on an image: in its pixels, or in patient space."""

    shape: Literal["point", "polyline", "polygon", "box", "ellipse"]
    instance_uid: Annotated[str, Field(pattern=r"^[0-9.]{1,64}$")]
    frame: Annotated[int, Field(ge=0, le=100_000)] = 0
    points_px: Annotated[list[_Point], Field(max_length=10_000)] | None = None
    points_mm: Annotated[list[_Point], Field(max_length=10_000)] | None = None
    label: Annotated[str, Field(max_length=64)] = ""


class Part(BaseModel):
    """Another measurement of the same segment, answered with it."""

    tracking: Annotated[str, Field(min_length=1, max_length=128)]
    result: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    measurements: Annotated[list[Measured], Field(max_length=1000)] | None = None


class Decision(Act):
    """What a reader says of one finding, and of what else measures the same segment."""

    tracking: Annotated[str, Field(max_length=128)] = ""
    result: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    verdict: Literal["kept", "changed", "struck", "added"]
    what: Coded | None = None
    words: _Text | None = None
    measurements: Annotated[list[Measured], Field(max_length=100)] | None = None
    where: Place | None = None
    site: Coded | None = None
    laterality: Coded | None = None
    certainty: Literal["possible", "likely", "certain"] | None = None
    label: Literal["", "artefact", "normal", "wrong-place", "known", "other"] = ""
    reason: _Text = ""
    also: Annotated[list[Part], Field(max_length=100)] = []


@router.get("/api/demo/steps")
def steps(request: Request, site: SiteHere, who: Annotated[Person, needs("reading")]) -> Any:
    """The first four acts of a demonstration and which of them this person has done; none outside a demonstration."""
    here: PagesSite = site
    told = here.staff.first_steps(who=who) if request.app.state.demo else {}
    return {"steps": [{"step": step, "done": done} for step, done in told.items()]}


@router.get("/api/readings/{uid}")
def reading(uid: Uid, site: SiteHere, who: Annotated[Person, needs("reading")]) -> Any:
    """Who has the study, and at which version it is."""
    here: PagesSite = site
    return pages_json.reading(here.tickets, here.reading(uid, who=who))


@router.post("/api/readings/{uid}/open")
def open_study(uid: Uid, site: SiteHere, who: Annotated[Person, needs("open")]) -> Any:
    """Take the study, or amend a signed one. One reader at a time."""
    here: PagesSite = site
    return pages_json.reading(here.tickets, here.open(uid, who=who))


@router.post("/api/readings/{uid}/assign")
def assign(uid: Uid, asked: Asked, site: SiteHere, who: Annotated[Person, needs("assign")]) -> Any:
    """Ask a colleague to read the study; an empty name asks nobody any more."""
    here: PagesSite = site
    return pages_json.reading(here.tickets, here.assign(uid, asked.to, who=who))


@router.post("/api/readings/{uid}/lapse")
def lapse(uid: Uid, seen: Seen, site: SiteHere, who: Annotated[Person, needs("lapse")]) -> Any:
    """Leave it unsigned; corrections and words are kept."""
    here: PagesSite = site
    return pages_json.reading(here.tickets, here.lapse(uid, version=here.tickets.seen(seen.version), who=who))


@router.post("/api/readings/{uid}/lock")
def lock(uid: Uid, said: Locking, site: SiteHere, who: Annotated[Person, needs("lock")]) -> Any:
    """Lock one's first opinion; what machines say is shown from then on."""
    here: PagesSite = site
    version = here.tickets.seen(said.version)
    state = here.lock(uid, version=version, line=said.line, nothing=said.nothing, act=said.act, who=who)
    return pages_json.reading(here.tickets, state)


@router.get("/api/readings/{uid}/line")
def typed_line(uid: Uid, site: SiteHere, who: Annotated[Person, needs("lock")]) -> Any:
    """The line of one's own first opinion as it was being typed; empty once the opinion is locked."""
    here: PagesSite = site
    return {"line": here.typed_line(uid, who=who)}


@router.put("/api/readings/{uid}/line")
def type_line(uid: Uid, typed: Typed, site: SiteHere, who: Annotated[Person, needs("lock")]) -> Any:
    """Keep the line of one's own first opinion as it is typed: it outlives a reload, and nobody else sees it."""
    here: PagesSite = site
    here.type_line(uid, typed.line, who=who)
    return {"line": typed.line}


@router.get("/api/readings/{uid}/comparison")
def compared(uid: Uid, site: SiteHere, who: Annotated[Person, needs("reading")]) -> Any:
    """One's own first opinion beside what machines say: agrees, adds, differs, and what is one's own alone."""
    here: PagesSite = site
    given, lines = here.comparison(uid, who=who)
    return {"opinion": pages_json.opinion(given), "lines": [to_plain(line) for line in lines]}


@router.post("/api/readings/{uid}/seen")
def seen(uid: Uid, looks: Looks, site: SiteHere, who: Annotated[Person, needs("correct")]) -> Any:
    """The evidence of these findings was on screen; a finding can be kept only then."""
    here: PagesSite = site
    here.seen(uid, [look.model_dump() for look in looks.shown], who=who)
    return {"seen": len(looks.shown)}


@router.post("/api/readings/{uid}/undo")
def undo(uid: Uid, at: Act, site: SiteHere, who: Annotated[Person, needs("correct")]) -> Any:
    """Take back one's own last act."""
    here: PagesSite = site
    reading, words = here.undo(uid, version=here.tickets.seen(at.version), act=at.act, who=who)
    return {"reading": pages_json.reading(here.tickets, reading), "undone": words}


@router.post("/api/readings/{uid}/correct")
def correct(uid: Uid, decision: Decision, site: SiteHere, who: Annotated[Person, needs("correct")]) -> Any:
    """Keep, change, strike or add one finding; `also` names what else measures the same segment, answered with it."""
    here: PagesSite = site
    correction = Correction(
        verdict=Verdict(decision.verdict),
        tracking=decision.tracking,
        result=decision.result,
        what=decision.what.record() if decision.what else None,
        words=decision.words,
        measurements=_measurements(decision.measurements),
        where=_region(decision.where, here, who) if decision.where else None,
        site=decision.site.record() if decision.site else None,
        laterality=decision.laterality.record() if decision.laterality else None,
        certainty=CERTAINTY[decision.certainty] if decision.certainty else None,
        label=decision.label,
        reason=decision.reason,
    )
    also = [_beside(correction, part) for part in decision.also]
    version = here.tickets.seen(decision.version)
    state = here.correct(uid, correction, version=version, also=also, act=decision.act, who=who)
    return pages_json.reading(here.tickets, state)


@router.post("/api/readings/{uid}/sign")
def sign(uid: Uid, seen: Signing, site: SiteHere, who: Annotated[Person, needs("sign")]) -> Any:
    """Seal the report with the reader's name; nothing may be undecided, and no result unseen."""
    here: PagesSite = site
    signed = here.sign(
        uid, version=here.tickets.seen(seen.version), results=seen.results, told=[one.record() for one in seen.told],
        untold=seen.untold, urgent=seen.urgent, shown=seen.shown.model_dump() if seen.shown else None,
        act=seen.act, who=who,
    )  # fmt: skip
    return pages_json.reading(here.tickets, signed)


class Call(BaseModel):
    """Who was told of critical findings, after the signature."""

    told: Annotated[list[Told], Field(min_length=1, max_length=100)]


@router.get("/api/critical")
def critical(
    site: SiteHere,
    who: Annotated[Person, needs("report")],
    study: Annotated[str, Query(pattern=r"^[0-9.]{0,64}$")] = "",
) -> Any:
    """Signed studies with a critical finding that nobody was told of; past their time they are everybody's."""
    here: PagesSite = site
    return here.calls.open(who=who, study_uid=study)


@router.post("/api/readings/{uid}/tell")
def tell(uid: Uid, call: Call, site: SiteHere, who: Annotated[Person, needs("sign")]) -> Any:
    """Somebody was told of a critical finding of a signed report."""
    here: PagesSite = site
    here.calls.tell(uid, [one.record() for one in call.told], who=who)
    return here.calls.open(who=who, study_uid=uid)


def _beside(main: Correction, part: Part) -> Correction:
    """What an answer to a segment says of another of its measurements: the same, with numbers of its own."""
    common = Correction(main.verdict, part.tracking, part.result, label=main.label, reason=main.reason)
    if main.verdict is not Verdict.CHANGED:
        return common
    changed = replace(common, measurements=_measurements(part.measurements), site=main.site, laterality=main.laterality)
    return changed if changed.changes() else replace(common, verdict=Verdict.KEPT)


def _measurements(many: list[Measured] | None) -> tuple[Measurement, ...] | None:
    return None if many is None else tuple(Measurement(m.what.record(), m.value, m.unit) for m in many)


def _region(place: Place, site: PagesSite, who: Person) -> Region:
    """A drawn mark in patient space, by the affine of the image on which it was drawn."""
    image = site.geometry_of(place.instance_uid, frame=place.frame, who=who)
    if (place.points_px is None) == (place.points_mm is None):
        raise Refused("a mark with neither or both of points_px and points_mm", "it has one place", "give one of them")
    wanted = 2 if place.points_px is not None else 3
    given = place.points_px if place.points_px is not None else place.points_mm or []
    if any(len(p) != wanted or not np.isfinite(p).all() for p in given):
        raise Refused(f"a mark whose points are not {wanted} finite numbers each", "it has no place", "draw it again")
    points = np.array(given, dtype=np.float64).reshape(-1, wanted)
    if place.points_px is not None:
        index = np.column_stack([np.zeros(len(points)), points[:, 1], points[:, 0]])
        points = image.to_patient(index)
    if not image.contains(points).all():
        raise Refused("a mark outside its image", "it would point at nothing", "draw it on the image")
    return Region(
        image,
        Shape(place.shape),
        None,
        points,
        series_uid=site.series_of(place.instance_uid, who=who),
        instance_uid=place.instance_uid,
        label=place.label,
    )
