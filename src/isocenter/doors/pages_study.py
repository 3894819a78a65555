"""A study with its images, its results, where they lie on an image, and what was not looked at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from isocenter.doors import pages_json, pages_machine
from isocenter.doors.pages_overlay import contours
from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_who import SiteHere, needs
from isocenter.errors import NotFound
from isocenter.govern.policy import Person, may
from isocenter.reading.hanging import hang
from isocenter.record import Result, Study, Verdict, to_plain

__all__ = ["Digest", "Uid", "router"]

Uid = Annotated[str, Path(pattern=r"^[0-9.]{1,64}$")]
Digest = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
_SopUid = Annotated[str, Query(pattern=r"^[0-9.]{1,64}$")]
_Frame = Annotated[int, Query(ge=0, le=100_000)]
_NONE: Mapping[str, Any] = MappingProxyType({})

router = APIRouter()


@router.get("/api/studies/{uid}")
def study(uid: Uid, site: SiteHere, who: Annotated[Person, needs("study")]) -> Any:
    """What the study holds, images in the order in which one scrolls through them."""
    here: PagesSite = site
    whole = here.study(uid, who=who)
    known = _may_know(here, uid, who)
    told = pages_json.study(
        whole, here.reading(uid, who=who) if known else None, here.tickets, here.due(uid, who=who) if known else None
    )
    # Written here and not by the framework, which would look at each of thousands of images first.
    return Response(json.dumps(told, ensure_ascii=False, separators=(",", ":")), media_type="application/json")


@router.get("/api/studies/{uid}/hang")
def hung(uid: Uid, site: SiteHere, who: Annotated[Person, needs("study")]) -> Any:
    """What hangs where, stage by stage, in which window, and which rules of the protocol were met."""
    here: PagesSite = site
    earlier = [p.study for p in here.priors(uid, who=who)[0] if p.same_region]
    side = str(here.preferences.site_wide().get("prior_side") or "left")
    return pages_json.hanging(hang(here.study(uid, who=who), earlier, prior_side=side))


@router.get("/api/studies/{uid}/priors")
def priors(uid: Uid, site: SiteHere, who: Annotated[Person, needs("study")]) -> Any:
    """Earlier studies of the patient; those that this person may not see are only counted."""
    here: PagesSite = site
    found, withheld = here.priors(uid, who=who)
    return {"priors": [pages_json.prior(one) for one in found], "withheld": withheld}


@router.get("/api/studies/{uid}/results")
def results(uid: Uid, site: SiteHere, who: Annotated[Person, needs("results")]) -> Any:
    """The latest answer of each analysis and person."""
    here: PagesSite = site
    whole = here.study(uid, who=who)
    stops = {one["analysis"]: one for one in here.halting.stops(who=who)}
    states = here.gating.states(who=who)
    under, numbers = here.segments(uid, who=who), here.numbers(uid, who=who)
    told = [_told(here, id, one, whole, who, under, numbers) for id, one in here.results(uid, who=who)]
    return {
        "results": [
            {**line, "stopped": stops.get(line["analysis"]),
             "limits": list(here.cataloguing.limits(line["analysis"], line["version"])),
             "model_state": states.get(line["model"], "candidate") if line["model"] else None}
            for line in told
        ]
    }  # fmt: skip


@router.get("/api/studies/{uid}/plan")
def plan(uid: Uid, request: Request, site: SiteHere, who: Annotated[Person, needs("plan")]) -> Any:
    """What every analysis said of this study, or why it did not look; how many jobs go before it where it waits; and
    what was run for research."""
    here: PagesSite = site
    lines = [dict(line) for line in here.why(uid, who=who)]
    waits = any(line["answer"] == "waiting" for line in lines)
    ahead = pages_machine.machine_of(request).ahead(uid) if waits else None
    return {"analyses": lines, "ahead": ahead, "research": here.researched(uid, who=who)}


@router.get("/api/results/{id}/contours/{tracking}")
def outline(
    id: Digest,
    tracking: Annotated[str, Path(max_length=128)],
    site: SiteHere,
    who: Annotated[Person, needs("results")],
    sop: _SopUid,
    frame: _Frame = 0,
) -> Any:
    """The outline of a finding on one image, in its pixels: (column, row), whole numbers are centres of pixels."""
    here: PagesSite = site
    told = _result(here, id, who)
    finding = next((f for f in told.findings if f.tracking == tracking), None)
    if finding is None:
        raise NotFound("this result has no such finding", "it may have been replaced", "load the results again")
    if finding.where is None:
        return {"contours": []}
    image = here.geometry_of(sop, frame=frame, who=who)
    return {"contours": contours(finding.where, image, sop_uid=sop, series_uid=here.series_of(sop, who=who))}


def _told(
    site: PagesSite,
    id: str,
    told: Result,
    whole: Study,
    who: Person,
    under: Mapping[str, str] = _NONE,
    numbers: Mapping[str, int] = _NONE,
) -> dict[str, Any]:
    """A result with what findings like its own turned out to be here, where a machine found them.

    Args:
        under: finding -> that under which it is answered, of findings that measure one segment.
        numbers: finding -> its number, which it keeps.
    """
    line = pages_json.result(id, told, whole, site.showing.withheld(told))
    analysis, version, _ = told.machine
    for finding, of in zip(told.findings, line["findings"], strict=True):
        known = site.confirmed(analysis, version, finding.certainty, who=who) if analysis else None
        of["here"] = to_plain(known) if known and finding.verdict is not Verdict.ADDED else None
        of["under"], of["number"] = under.get(finding.tracking, ""), numbers.get(finding.tracking)
    return line


def _result(site: PagesSite, id: str, who: Person) -> Result:
    return site.result(id, who=who)


def _may_know(site: PagesSite, uid: str, who: Person) -> bool:
    """Whether a person may know who reads a study: by right, and not while they read it blind."""
    return may(who, "reading") and not site.reviews.blind(uid, who)
