"""The catalogue, the models, the chain behind a number, and how the server does."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field

from isocenter.doors.pages_machine import machine_of
from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_who import SiteHere, needs
from isocenter.govern.policy import Person, may
from isocenter.record import to_plain

__all__ = ["router"]

router = APIRouter()

_Name = Annotated[str, Path(min_length=1, max_length=128)]


class Why(BaseModel):
    """The reason of an act, kept in the journal."""

    reason: Annotated[str, Field(min_length=1, max_length=1000)]


class Pressed(BaseModel):
    """A stop acts at once; its reason may come with it or follow."""

    reason: Annotated[str, Field(max_length=1000)] = ""


@router.get("/api/analyses")
def analyses(site: SiteHere, who: Annotated[Person, needs("catalogue")]) -> Any:
    """Every analysis with its needs as sentences, parameters and limits, how it is used, whether it is stopped."""
    here: PagesSite = site
    return {"analyses": [to_plain(line) for line in here.cataloguing.analyses(who=who)]}


@router.get("/api/analyses/{name}")
def analysis(name: _Name, site: SiteHere, who: Annotated[Person, needs("catalogue")]) -> Any:
    """One analysis: also what became of it here, and why it did not look."""
    here: PagesSite = site
    return here.tickets.told(to_plain(here.cataloguing.analysis(name, who=who)), "number")


@router.get("/api/stops")
def stops(site: SiteHere, who: Annotated[Person, needs("catalogue")]) -> Any:
    """Analyses that are stopped everywhere."""
    here: PagesSite = site
    return {"stops": here.halting.stops(who=who)}


@router.post("/api/analyses/{name}/stop")
def stop(name: _Name, why: Pressed, site: SiteHere, who: Annotated[Person, needs("stop")]) -> Any:
    """Stop an analysis everywhere, at once."""
    here: PagesSite = site
    here.halting.stop(name, reason=why.reason, who=who)
    return stops(here, who)


@router.post("/api/analyses/{name}/stop/undo")
def undo(name: _Name, site: SiteHere, who: Annotated[Person, needs("stop")]) -> Any:
    """Take one's own stop of an analysis back, within five seconds."""
    here: PagesSite = site
    here.halting.undo(name, who=who)
    return stops(here, who)


@router.post("/api/analyses/{name}/stop/reason")
def explain_stop(name: _Name, why: Why, site: SiteHere, who: Annotated[Person, needs("stop")]) -> Any:
    """Say why one has stopped an analysis, where that was not said with the stop."""
    here: PagesSite = site
    here.halting.explain(name, reason=why.reason, who=who)
    return stops(here, who)


@router.post("/api/analyses/{name}/resume")
def resume(name: _Name, why: Why, site: SiteHere, who: Annotated[Person, needs("stop")]) -> Any:
    """Start an analysis again that somebody else has stopped."""
    here: PagesSite = site
    here.halting.resume(name, reason=why.reason, who=who)
    return stops(here, who)


@router.get("/api/models")
def models(
    site: SiteHere, who: Annotated[Person, needs("models")], name: Annotated[str, Query(max_length=128)] = ""
) -> Any:
    """Every model with its card and its evidence; with a name or a digest, that one."""
    here: PagesSite = site
    told = [to_plain(line) for line in here.cataloguing.models(who=who)]
    chosen = [m for m in told if not name or name in (m.get("name"), m.get("digest"))]
    return here.tickets.told({"models": chosen}, "number")


@router.get("/api/models/{name}")
def model(name: _Name, site: SiteHere, who: Annotated[Person, needs("models")]) -> Any:
    """One model by name or digest: also what became of it here."""
    here: PagesSite = site
    return here.tickets.told(to_plain(here.cataloguing.model(name, who=who)), "number")


@router.post("/api/models/{name}/stop")
def stop_model(name: _Name, why: Pressed, site: SiteHere, who: Annotated[Person, needs("stop")]) -> Any:
    """Stop every analysis that runs on a model, at once."""
    here: PagesSite = site
    here.halting.stop_model(name, reason=why.reason, who=who)
    return stops(here, who)


@router.post("/api/models/{name}/stop/undo")
def undo_model(name: _Name, site: SiteHere, who: Annotated[Person, needs("stop")]) -> Any:
    """Take one's own stop of a model back, within five seconds."""
    here: PagesSite = site
    here.halting.undo_model(name, who=who)
    return stops(here, who)


@router.post("/api/models/{name}/stop/reason")
def explain_stop_of_model(name: _Name, why: Why, site: SiteHere, who: Annotated[Person, needs("stop")]) -> Any:
    """Say why one has stopped a model, where that was not said with the stop."""
    here: PagesSite = site
    here.halting.explain_model(name, reason=why.reason, who=who)
    return stops(here, who)


@router.post("/api/models/{name}/resume")
def resume_model(name: _Name, why: Why, site: SiteHere, who: Annotated[Person, needs("stop")]) -> Any:
    """Start every analysis again that runs on a model and that somebody else has stopped."""
    here: PagesSite = site
    here.halting.resume_model(name, reason=why.reason, who=who)
    return stops(here, who)


@router.get("/api/models/{name}/stop-rules")
def stop_rules(name: _Name, site: SiteHere, who: Annotated[Person, needs("models")]) -> Any:
    """When the house stops a model by itself, and when a stop of it was rehearsed last."""
    here: PagesSite = site
    return here.halting.rules(name, who=who)


@router.post("/api/models/{name}/rehearse")
def rehearse(name: _Name, site: SiteHere, who: Annotated[Person, needs("stop")]) -> Any:
    """Try a stop of a model on what is here now, and stop nothing."""
    here: PagesSite = site
    return here.halting.rehearse(name, who=who)


@router.get("/api/explain/{id}")
def explain(id: Annotated[str, Path(max_length=128)], site: SiteHere, who: Annotated[Person, needs("explain")]) -> Any:
    """From a result or a report back to the images, the code and the sender."""
    here: PagesSite = site
    return to_plain(here.explain(id, who=who))


@router.get("/api/openapi.json", include_in_schema=False)
def openapi(request: Request, _: Annotated[Person, needs("me")]) -> Any:
    """This interface in the words of OpenAPI."""
    return request.app.openapi()


@router.get("/healthz")
def healthz(_: Annotated[Person, needs("health")]) -> Any:
    """Whether the server answers."""
    return {"ok": True}


@router.get("/metrics", include_in_schema=False)
def metrics(request: Request, site: SiteHere, who: Annotated[Person, needs("metrics", loopback=True)]) -> Response:
    """Figures for Prometheus, without a name or an identifier in them; on this machine also without an account."""
    here: PagesSite = site
    counts = here.counts(who=who) if may(who, "find") else {}
    text = request.app.state.figures.text(counts, machine_of(request).audit_silent_s())
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")
