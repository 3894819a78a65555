"""Finding a study by accession number, a cohort or a person by name: what is typed is in no address but in the body.

An address ends in histories and logs, and what a person types into a search field may be a patient's name.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_who import SiteHere, needs
from isocenter.govern.policy import Person, may

__all__ = ["router"]

_FEW, _MANY = 8, 200
_WILD = str.maketrans(dict.fromkeys("*\\", "?"))

router = APIRouter()


class Typed(BaseModel):
    """What a person typed."""

    words: Annotated[str, Field(max_length=64)] = ""


@router.post("/api/palette")
def palette(typed: Typed, site: SiteHere, who: Annotated[Person, needs("find")]) -> Any:
    """Studies whose accession number begins so, frozen cohorts by name, and patients for those who may search them."""
    here: PagesSite = site
    words = typed.words.strip().translate(_WILD)
    if not words:
        return {"studies": [], "cohorts": [], "patients": []}
    rows = here.find("STUDY", {"AccessionNumber": f"{words}*"}, limit=_FEW, who=who)
    return {
        "studies": [
            {
                "study": row["StudyInstanceUID"],
                "accession": row["AccessionNumber"],
                "description": row["StudyDescription"],
                "date": _day(row["StudyDate"]),
                "modalities": row["ModalitiesInStudy"],
            }
            for row in rows
        ],
        "cohorts": _cohorts(here, typed.words, who) if may(who, "cohort_rows") else [],
        "patients": _people(here, words, _FEW, who)[0] if may(who, "patients") else [],
    }


@router.post("/api/patients")
def patients(typed: Typed, site: SiteHere, who: Annotated[Person, needs("patients")]) -> Any:
    """Patients whose name or ID begins so, each with the number of studies and the newest of them; are there more?"""
    here: PagesSite = site
    found, more = _people(here, typed.words.strip().translate(_WILD), _MANY, who)
    return {"patients": found, "more": more}


def _cohorts(here: PagesSite, words: str, who: Person) -> list[dict[str, Any]]:
    """Frozen cohorts whose name holds every word, the newest first."""
    wanted = words.lower().split()
    fitting = [one for one in here.cohorts.frozen(who=who) if all(word in one["name"].lower() for word in wanted)]
    return [{"id": one["id"], "name": one["name"], "when": one["when"]} for one in fitting[:_FEW]]


def _people(here: PagesSite, words: str, most: int, who: Person) -> tuple[list[dict[str, Any]], bool]:
    """By ID and by the beginnings of the words of a name, each person once; and whether there are more."""
    keys = [({"PatientName": words}, True), ({"PatientID": f"{words}*"}, False)] if words else [({}, False)]
    rows, cut = list[dict[str, Any]](), False
    for asked, fuzzy in keys:
        some = here.find("STUDY", asked, limit=most * 4, fuzzy=fuzzy, who=who)
        rows, cut = rows + some, cut or len(some) == most * 4
    whole = _of_each(rows)
    chosen = dict(list(whole.items())[:most])
    if cut and (ids := "\\".join(sorted({id for id, _ in chosen if id}))):  # theirs may lie beyond what was looked at
        every = _of_each(here.find("STUDY", {"PatientID": ids}, who=who))
        chosen = {whom: every.get(whom, rows) for whom, rows in chosen.items()}
    return [_patient(rows) for rows in chosen.values()], cut or len(whole) > most


def _of_each(rows: list[dict[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Studies by patient and issuer, each once."""
    found: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for row in rows:
        whom = (row["PatientID"], row.get("IssuerOfPatientID") or "")
        found.setdefault(whom, {})[row["StudyInstanceUID"]] = row
    return {whom: list(studies.values()) for whom, studies in found.items()}


def _patient(rows: list[dict[str, Any]]) -> dict[str, Any]:
    newest = max(rows, key=lambda row: (row["StudyDate"] or "", row["StudyInstanceUID"]))
    return {
        "patient": {
            "id": newest["PatientID"],
            "name": newest["PatientName"],
            "sex": newest["PatientSex"],
            "birth_date": _day(newest["PatientBirthDate"]),
        },
        "studies": len(rows),
        "latest": newest["StudyInstanceUID"],
        "latest_date": _day(newest["StudyDate"]),
    }


def _day(text: str) -> str | None:
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}" if text else None
