"""The worklist: rows in their order, as objects or as columns, and what is known of one row before it is opened."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from isocenter.doors import pages_json
from isocenter.doors.pages_machine import machine_of
from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_study import Uid
from isocenter.doors.pages_who import SiteHere, needs
from isocenter.govern.policy import Person
from isocenter.population.table import FEW
from isocenter.reading.worklist import narrowed
from isocenter.record import NO_PICTURES, Series, Study

__all__ = ["listed", "router"]

router = APIRouter()

_REASONS = ("ReasonForTheRequestedProcedure", "ReasonForStudy", "RequestedProcedureDescription")
_MOST_PRIORS = 50


@router.get("/api/worklist")
def worklist(
    request: Request,
    site: SiteHere,
    who: Annotated[Person, needs("worklist")],
    q: Annotated[str, Query(max_length=500)] = "",
    cursor: Annotated[int, Query(ge=0, le=10**9)] = 0,
    limit: Annotated[int, Query(ge=1, le=100_000)] = 200,
    ai: Literal["on", "off"] = "on",
    form: Literal["rows", "columns"] = "rows",
) -> Any:
    """Rows in their order with the reason of each; `ai=off` is the list as it would be without any AI.

    `form=columns` names the columns once and gives each row as a list: ten thousand rows are one small answer.
    """
    told = listed(request, site, who, q=q, cursor=cursor, limit=limit, ai=ai, form=form)
    # Written here and not by the framework, which would look at each of some hundred thousand values first.
    return Response(json.dumps(told, ensure_ascii=False, separators=(",", ":")), media_type="application/json")


def listed(
    request: Request, here: PagesSite, who: Person, *, q: str, cursor: int, limit: int, ai: str, form: str
) -> dict[str, Any]:
    """A part of the worklist, and how long the whole is."""
    entries = narrowed(here.worklist(who=who, with_ai=ai == "on"), q, request.app.state.clock(), who=who.name)
    shown = entries[cursor : cursor + limit]
    after = cursor + len(shown)
    running = here.underway(machine_of(request).running(), who=who) if ai == "on" else {}
    rows: list[Any] = [pages_json.row(entry, running.get(entry.waiting.study.uid)) for entry in shown]
    told: dict[str, Any] = {"next": after if after < len(entries) else None, "total": len(entries)}
    told["without"] = "" if machine_of(request).again or ai == "off" else _NOBODY_LOOKS
    if form == "columns":
        told["columns"] = list(rows[0]) if rows else []
        rows = [list(row.values()) for row in rows]
    return {"rows": rows, **told}


_NOBODY_LOOKS = "No worker listens: new studies are not analysed and stand in their plain order"


@router.get("/api/worklist/counts")
def counts(site: SiteHere, who: Annotated[Person, needs("worklist_counts")]) -> Any:
    """How many studies of each class wait to be read, for whoever may not see the list; few are not counted."""
    here: PagesSite = site
    return {"few": FEW, "classes": here.worklist_counts(who=who)}


@router.get("/api/worklist/{uid}/preview")
def preview(uid: Uid, site: SiteHere, who: Annotated[Person, needs("worklist")]) -> Any:
    """What is known of a study before it is opened: why it was asked for, earlier studies, series, who has it.

    Nothing of what a machine made is in it: neither its results nor the series in which other systems send theirs.
    """
    here: PagesSite = site
    whole = here.study(uid, who=who)
    reading = here.reading(uid, who=who)
    return {
        "study": uid,
        "reason": _reason(whole),
        "referring": whole.referring,
        "requested": whole.priority,
        "state": reading.state,
        "by": reading.by,
        "assigned": reading.assigned,
        "opened": reading.opened.isoformat() if reading.opened else None,
        "series": [
            {"uid": one.uid, "modality": one.modality, "description": one.description, "images": len(one.instances)}
            for one in whole.series
            if _is_picture(one)
        ],
        "priors": _priors(here, whole, who),
    }


def _reason(study: Study) -> str:
    """The reason of the request, in the words of whoever asked; the least general attribute that says something."""
    for keyword in _REASONS:
        for series in study.series:
            if words := str(series.facts.get(keyword) or "").strip():
                return words
    return ""


def _is_picture(series: Series) -> bool:
    return series.modality not in NO_PICTURES and any(i.rows and i.columns for i in series.instances)


def _priors(here: PagesSite, study: Study, who: Person) -> list[dict[str, Any]]:
    """Other studies of the same person, the newest first: same ID from the same issuer."""
    keys = {"PatientID": study.patient.id}
    rows = here.find("STUDY", keys, limit=_MOST_PRIORS + 1, who=who) if study.patient.id else []
    whom = (study.patient.id, study.patient.issuer)  # compared again: an ID may hold what a search takes for a wildcard
    same = [r for r in rows if (r["PatientID"], r.get("IssuerOfPatientID") or "") == whom]
    others = sorted(
        (r for r in same if r["StudyInstanceUID"] != study.uid), key=lambda r: r["StudyDate"] or "", reverse=True
    )
    return [
        {
            "study": row["StudyInstanceUID"],
            "date": f"{d[:4]}-{d[4:6]}-{d[6:8]}" if (d := row["StudyDate"]) else None,
            "description": row["StudyDescription"],
            "modalities": [m for m in row["ModalitiesInStudy"] if m not in NO_PICTURES],
        }
        for row in others
    ]
