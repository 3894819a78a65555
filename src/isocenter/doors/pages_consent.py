"""What data may be used for, over HTTP: terms given and withdrawn by patient or study, and FHIR Consents taken in.

A patient's number travels in the body, never in an address, so that it ends in no log.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_who import SiteHere, needs
from isocenter.govern.consent import DUO, Purpose
from isocenter.govern.consent_fhir import read
from isocenter.govern.consent_requests import Asked as Of
from isocenter.govern.policy import Person

__all__ = ["router"]

router = APIRouter()

_Uid = Annotated[str, Field(max_length=64, pattern=r"^[0-9.]*$")]
_Word = Annotated[str, Field(max_length=64)]


class About(BaseModel):
    """A patient by number and issuer, or one study."""

    model_config = ConfigDict(extra="forbid")
    patient: _Word = ""
    issuer: _Word = ""
    study: _Uid = ""


class Given(About):
    """Terms of DUO, each with what it is limited to; or the purposes that are refused."""

    terms: Annotated[dict[_Word, Annotated[list[_Word], Field(max_length=100)]], Field(max_length=30)] = {}
    refuses: Annotated[list[Purpose], Field(max_length=5)] = []
    until: datetime | None = None
    source: Annotated[str, Field(max_length=200)] = ""


class Withdrawn(About):
    """Whose terms end, and why."""

    reason: Annotated[str, Field(max_length=500)] = ""


class Asked(About):
    """May this study be used for that? What the terms may want to know is said with it."""

    purpose: Purpose
    project: _Word = ""
    institutions: Annotated[list[_Word], Field(max_length=50)] = []
    countries: Annotated[list[_Word], Field(max_length=50)] = []
    diseases: Annotated[list[_Word], Field(max_length=100)] = []
    topics: Annotated[list[_Word], Field(max_length=50)] = []
    non_profit: bool = False
    non_commercial: bool = False
    ethics: _Word = ""
    publishes: bool = False
    collaborates: bool = False
    returns: bool = False


class Wanted(BaseModel):
    """Consent that is asked for: of whom, to what, for whom, until when, and why."""

    model_config = ConfigDict(extra="forbid")
    studies: Annotated[
        list[Annotated[str, Field(max_length=64, pattern=r"^[0-9.]+$")]], Field(min_length=1, max_length=100)
    ]
    of: Of
    purpose: Purpose
    to: Annotated[str, Field(max_length=200)]
    words: Annotated[str, Field(max_length=500)] = ""
    until: datetime | None = None


class Answered(BaseModel):
    """The answer to a request, by which document, and why."""

    granted: bool
    source: Annotated[str, Field(max_length=200)] = ""
    reason: Annotated[str, Field(max_length=500)] = ""


@router.get("/api/consents/requests")
def requests(
    site: SiteHere,
    who: Annotated[Person, needs("consent")],
    study: Annotated[str, Query(pattern=r"^[0-9.]{0,64}$")] = "",
) -> Any:
    """Requests for consent, those that wait first; of everybody, or of one study."""
    here: PagesSite = site
    return {"requests": here.requesting.listed(study=study, who=who)}


@router.post("/api/consents/requests")
def request(wanted: Wanted, site: SiteHere, who: Annotated[Person, needs("share")]) -> Any:
    """Ask the patient or the data steward for consent: a record that waits for an answer, and nothing is sent."""
    here: PagesSite = site
    made = here.requesting.ask(
        wanted.studies, of=wanted.of, purpose=wanted.purpose, to=wanted.to, words=wanted.words, until=wanted.until,
        who=who,
    )  # fmt: skip
    return {"requests": made}


@router.post("/api/consents/requests/{id}/answer")
def answer(
    id: Annotated[str, Path(max_length=32)], said: Answered, site: SiteHere, who: Annotated[Person, needs("consent")]
) -> Any:
    """Answer a request: a yes records terms of use, a patient's no that they refuse it."""
    here: PagesSite = site
    return here.requesting.answer(id, said.granted, source=said.source, reason=said.reason, who=who)


@router.get("/api/consents/terms")
def terms(_: Annotated[Person, needs("consent")]) -> Any:
    """The terms that are known: code, letters, words, whether they need a value."""
    return {
        "terms": [
            {"code": t.code, "short": t.short, "label": t.label, "permits": t.permits, "limited": t.limited}
            for t in DUO.values()
        ]
    }


@router.get("/api/consents")
def everybody(
    site: SiteHere,
    who: Annotated[Person, needs("consent")],
    study: Annotated[str, Query(pattern=r"^[0-9.]{0,64}$")] = "",
) -> Any:
    """What stands of everybody, or of one study; of a patient it is asked by POST, so that no address names one."""
    return of(About(study=study), site, who)


@router.post("/api/consents/of")
def of(about: About, site: SiteHere, who: Annotated[Person, needs("consent")]) -> Any:
    """What stands of a patient or a study, and what it answers today; of everybody where neither is named."""
    here: PagesSite = site
    found = here.consents.listed(patient=about.patient, issuer=about.issuer, study=about.study, who=who)
    one = {"patient": about.patient, "issuer": about.issuer, "study": about.study}
    answers = here.consents.answers(**one, who=who) if about.patient or about.study else []
    return here.tickets.told({"consents": found, "answers": answers}, "number")


@router.post("/api/consents")
def give(given: Given, site: SiteHere, who: Annotated[Person, needs("consent")]) -> Any:
    """Record terms of use."""
    here: PagesSite = site
    made = here.consents.give(
        given.terms, patient=given.patient, issuer=given.issuer, study=given.study, until=given.until,
        refuses=given.refuses, source=given.source, who=who,
    )  # fmt: skip
    return here.tickets.told(made, "number")


@router.post("/api/consents/withdraw")
def withdraw(told: Withdrawn, site: SiteHere, who: Annotated[Person, needs("consent")]) -> Any:
    """End all terms of a patient or a study now; the answer says what they had reached."""
    here: PagesSite = site
    ended = here.consents.withdraw(
        patient=told.patient, issuer=told.issuer, study=told.study, reason=told.reason, who=who
    )
    return here.tickets.told(ended, "number")


@router.post("/api/consents/reached")
def reached(about: About, site: SiteHere, who: Annotated[Person, needs("consent")]) -> Any:
    """Where data of a patient or a study went so far: what a withdrawal would reach, and what it cannot call back."""
    here: PagesSite = site
    there = here.consents.reached(patient=about.patient, issuer=about.issuer, study=about.study, who=who)
    return here.tickets.told(there, "number")


@router.post("/api/consents/fhir")
def take(resource: dict[str, Any], site: SiteHere, who: Annotated[Person, needs("consent")]) -> Any:
    """Record a FHIR Consent (R4, R5)."""
    here: PagesSite = site
    return here.tickets.told({"recorded": here.consents.take_fhir(read(resource), who=who)}, "number")


@router.post("/api/consents/asked")
def asked(use: Asked, site: SiteHere, who: Annotated[Person, needs("consent")]) -> Any:
    """The answer for one use of one study: allowed, or refused with the reason."""
    here: PagesSite = site
    said: dict[str, Any] = use.model_dump(exclude={"patient", "issuer", "study", "purpose"}, exclude_unset=True)
    lists = {n: frozenset(v) for n, v in said.items() if isinstance(v, list)}
    made = here.consents.allowed(use.study, use.purpose, who=who, **said | lists)
    return {"allowed": made.allowed, "reason": made.reason, "by": made.by}
