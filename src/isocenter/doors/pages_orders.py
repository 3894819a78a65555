"""What is ordered, what of it scanners have performed, and the work items of programs, as JSON for the browser."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import AwareDatetime, BaseModel, Field

from isocenter.dicom.model import Model, first, items
from isocenter.doors.pages_json import paged
from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_who import SiteHere, needs
from isocenter.govern.policy import Person
from isocenter.record.order import read_order, study_uid_of
from isocenter.site.ordering import Performed, plain
from isocenter.site.workitem import Workitem

__all__ = ["router"]

router = APIRouter()

Offset = Annotated[int, Query(ge=0, le=10**7)]
_Short = Annotated[str, Field(max_length=64)]
_PROGRESS, _PERCENT, _WORDS = "00741002", "00741004", "00741006"


@router.get("/api/orders")
def orders(
    site: SiteHere,
    who: Annotated[Person, needs("orders")],
    state: Annotated[str, Query(pattern=r"^(|scheduled|in progress|completed|discontinued|cancelled)$")] = "",
    q: Annotated[str, Query(max_length=100)] = "",
    offset: Offset = 0,
) -> Any:
    """Orders, those due first; `q` is looked for in patient ID, name, accession number, procedure and station."""
    here: PagesSite = site
    told = [plain(one) for one in here.ordering.all(who=who, state=state)]
    rows = here.projects.those(told, who, "orders", of="study_uid")
    words = q.casefold().split()
    return paged([row for row in rows if _fits(row, words)], offset)


def _fits(row: dict[str, Any], words: list[str]) -> bool:
    who = row["patient"]
    told = (who["id"], who["name"], row["accession"], row["procedure"], row["station"], row["station_aet"])
    text = " ".join((*told, row["modality"])).casefold()
    return all(word in text for word in words)


class ForWhom(BaseModel):
    """The patient of an order."""

    id: str = Field(min_length=1, max_length=64)
    name: str = Field("", max_length=324)
    birth_date: date | None = None
    sex: str = Field("", max_length=16)


class Placed(BaseModel):
    """An order as a person writes it."""

    patient: ForWhom
    accession: str = Field(min_length=1, max_length=16)
    procedure: str = Field(min_length=1, max_length=64)
    modality: str = Field(min_length=1, max_length=16)
    station_aet: str = Field("", max_length=16)
    date: date
    time: str = Field("", pattern=r"^(\d{4}(\d{2})?)?$")
    reason: str = Field("", max_length=500)
    priority: Literal["STAT", "HIGH", "ROUTINE", "MEDIUM", "LOW"] = "ROUTINE"


@router.post("/api/orders")
def place(told: Placed, site: SiteHere, who: Annotated[Person, needs("order")]) -> Any:
    """Place an order, or change the one of that accession number while no scanner has begun it."""
    here: PagesSite = site
    order = read_order(told.model_dump(mode="json"))
    return {"orders": [plain(one) for one in here.ordering.place([order], source="person", who=who)]}


class Cancelled(BaseModel):
    """Which order is taken back, and why."""

    id: str = Field(min_length=1, max_length=128)
    reason: str = Field(min_length=3, max_length=500)


@router.post("/api/orders/cancel")
def cancel(told: Cancelled, site: SiteHere, who: Annotated[Person, needs("order")]) -> Any:
    """Take an order back that no scanner has begun."""
    here: PagesSite = site
    here.ordering.cancel(told.id, told.reason, who=who)
    return {"id": told.id, "state": "cancelled"}


@router.get("/api/steps")
def steps(
    site: SiteHere,
    who: Annotated[Person, needs("orders")],
    state: Annotated[str, Query(pattern=r"^(|IN PROGRESS|COMPLETED|DISCONTINUED)$")] = "",
    offset: Offset = 0,
) -> Any:
    """Performed procedure steps as scanners told them (MPPS), the latest first."""
    here: PagesSite = site
    told = [_step(one) for one in here.ordering.steps(who=who, state=state)]
    return paged(here.projects.those(told, who, "orders", of="studies"), offset)


def _step(step: Performed) -> dict[str, Any]:
    told = step.told
    ended = first(told, "00400250") + first(told, "00400251")
    return {
        "step": step.uid, "state": step.state, "station": first(told, "00400241"), "by": step.by,
        "modality": first(told, "00080060"), "patient": first(told, "00100020"),
        "description": first(told, "00400254"), "begun": step.begun.isoformat(), "ended": ended,
        "images": len(step.images()), "studies": list(step.studies()), "orders": list(step.orders),
        "why": _reason(told),
    }  # fmt: skip


def _reason(told: Model) -> str:
    """Why a scanner broke a step off, in its words."""
    return next((first(code, "00080104") for code in items(told, "00400281")), "")


@router.get("/api/workitems")
def workitems(
    site: SiteHere,
    who: Annotated[Person, needs("workitems")],
    state: Annotated[str, Query(pattern=r"^(|SCHEDULED|IN PROGRESS|COMPLETED|CANCELED)$")] = "",
    offset: Offset = 0,
) -> Any:
    """Work items (Unified Procedure Steps), the most urgent and oldest first."""
    here: PagesSite = site
    told = [_workitem(one) for one in here.working.all(who=who, state=state)]
    return paged(here.projects.those(told, who, "workitems", of="studies"), offset)


def _workitem(item: Workitem) -> dict[str, Any]:
    told = item.model
    progress = next(iter(items(told, _PROGRESS)), {})
    return {
        "uid": item.uid, "state": item.state, "label": first(told, "00741204"), "list": first(told, "00741202"),
        "priority": first(told, "00741200"), "start": first(told, "00404005"), "ready": first(told, "00404041"),
        "patient": first(told, "00100020"), "performer": item.performer, "percent": first(progress, _PERCENT),
        "progress": first(progress, _WORDS) or first(progress, "00741238"), "cancel_asked": item.cancel_asked,
        "studies": [first(one, "0020000D") for one in items(told, "00404021") if first(one, "0020000D")],
        "changed": item.changed.isoformat(),
    }  # fmt: skip


class Scheduled(BaseModel):
    """A work item as a person writes it."""

    label: str = Field(min_length=1, max_length=64)
    priority: Literal["HIGH", "MEDIUM", "LOW"] = "MEDIUM"
    start: AwareDatetime | None = None
    study: str = Field("", pattern=r"^[0-9.]{0,64}$")


@router.post("/api/workitems")
def schedule(
    told: Scheduled, request: Request, site: SiteHere, who: Annotated[Person, needs("workitem")]
) -> Any:  # fmt: skip
    """Schedule a work item that any program may claim; with a study, that study is what it works on."""
    here: PagesSite = site
    now = request.app.state.clock()
    start = (told.start or now).strftime("%Y%m%d%H%M%S%z")
    uid = study_uid_of(who.name, told.label, now.isoformat())
    model: Model = {
        "00741200": {"vr": "CS", "Value": [told.priority]},
        "00741204": {"vr": "LO", "Value": [told.label]},
        "00404005": {"vr": "DT", "Value": [start]},
        "00404041": {"vr": "CS", "Value": ["READY"]},
    }
    if told.study:
        study = here.study(told.study, who=who)
        model["00100020"] = {"vr": "LO", "Value": [study.patient.id]}
        model["00404021"] = {"vr": "SQ", "Value": [{"0020000D": {"vr": "UI", "Value": [study.uid]}}]}
    here.working.create(uid, model, who=who)
    return {"uid": uid}


class Reasoned(BaseModel):
    """Why."""

    reason: str = Field(min_length=3, max_length=500)


@router.post("/api/workitems/{uid}/cancel")
def ask_cancel(
    uid: Annotated[str, Path(pattern=r"^[0-9.]{1,64}$")],
    told: Reasoned,
    site: SiteHere,
    who: Annotated[Person, needs("workitem")],
) -> Any:
    """Ask to cancel a work item: done at once while nobody performs it, else its performer is told."""
    here: PagesSite = site
    here.working.request_cancel(uid, {"00741238": {"vr": "LT", "Value": [told.reason]}}, who=who)
    return {"uid": uid}


class Ended(Reasoned):
    """Why a claim ends, and whether the work is still to be done."""

    again: bool = True


@router.post("/api/workitems/{uid}/end")
def end(
    uid: Annotated[str, Path(pattern=r"^[0-9.]{1,64}$")],
    told: Ended,
    site: SiteHere,
    who: Annotated[Person, needs("workitem_end")],
) -> Any:
    """End a work item whose performer is gone, without asking it; `again` schedules the same work anew."""
    here: PagesSite = site
    return {"uid": uid, "replaced_by": here.working.give_up(uid, told.reason, again=told.again, who=who)}
