"""People who look again, as JSON: peer learning, double reading and follow-ups. What is blind stays blind here."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_study import Uid
from isocenter.doors.pages_taking import Take
from isocenter.doors.pages_who import SiteHere, needs
from isocenter.govern.policy import Person
from isocenter.record import to_plain

__all__ = ["router"]

router = APIRouter()

_Id = Annotated[str, Path(pattern=r"^[0-9a-f]{1,64}$")]
_Words = Annotated[str, Field(max_length=4000)]


class Draw(BaseModel):
    """How cases are drawn: by precision, or by rate."""

    seed: str = Field(min_length=1, max_length=200)
    since: date | None = None
    until: date | None = None
    rate: float | None = Field(None, gt=0, le=1)
    expected: float = Field(0.03, gt=0, lt=1)
    half_width: float = Field(0.02, gt=0, lt=1)
    discordant: int = Field(0, ge=0, le=10_000)
    reviewers: list[Annotated[str, Field(max_length=200)]] = Field(default_factory=list, max_length=200)


class Score(BaseModel):
    """A RADPEER score with its words."""

    score: str = Field(max_length=2)
    words: _Words = ""


@router.get("/api/peer")
def peers(site: SiteHere, who: Annotated[Person, needs("peer")], take: Take) -> Any:
    """One's own cases and the figures of all; names for the owner alone."""
    here: PagesSite = site
    return take.of("peer learning", here.reviews.peers(who=who), here.audits, who)


@router.post("/api/peer/draw")
def draw(asked: Draw, site: SiteHere, who: Annotated[Person, needs("peer_owner")]) -> Any:
    """Draw signed studies by chance, from a seed that is written down."""
    here: PagesSite = site
    return {"drawn": here.reviews.draw(who=who, **asked.model_dump())}


@router.get("/api/peer/{id}")
def case(id: _Id, site: SiteHere, who: Annotated[Person, needs("peer")]) -> Any:
    """One drawn case, as this person may see it."""
    here: PagesSite = site
    return to_plain(here.reviews.case(id, who=who))


@router.get("/api/peer/{id}/case")
def blind_case(id: _Id, site: SiteHere, who: Annotated[Person, needs("peer")]) -> Any:
    """The case with the words that were signed, without names."""
    here: PagesSite = site
    return to_plain(here.reviews.reading(id, who=who))


@router.post("/api/peer/{id}/score")
def score(id: _Id, given: Score, site: SiteHere, who: Annotated[Person, needs("peer")]) -> Any:
    """Score a drawn case, as its reviewer or as the third reader."""
    here: PagesSite = site
    return to_plain(here.reviews.score(id, given.score, given.words, who=who))


class Double(BaseModel):
    """Two readers and one question."""

    study: str = Field(pattern=r"^[0-9.]{1,64}$")
    question: str = Field(min_length=1, max_length=300)
    readers: list[Annotated[str, Field(max_length=200)]] = Field(min_length=2, max_length=2)
    analysis: str = Field("", max_length=64)


class Opinion(BaseModel):
    """One reader's own answer."""

    positive: bool
    words: _Words = ""


@router.get("/api/double")
def pairs(site: SiteHere, who: Annotated[Person, needs("peer")], take: Take) -> Any:
    """Double readings as this person may see them, and the figures of all."""
    here: PagesSite = site
    return take.of("double reading", here.reviews.pairs(who=who), here.audits, who)


@router.post("/api/double")
def ask_double(asked: Double, site: SiteHere, who: Annotated[Person, needs("peer_owner")]) -> Any:
    """Ask two readers about a study."""
    here: PagesSite = site
    return {"id": here.reviews.ask_double(**asked.model_dump(exclude={"study"}), study_uid=asked.study, who=who)}


@router.post("/api/double/{id}/opinion")
def lock_double(id: _Id, said: Opinion, site: SiteHere, who: Annotated[Person, needs("peer")]) -> Any:
    """Lock one's own opinion; a third reader locks what they see alone and then, in the same way, settles."""
    here: PagesSite = site
    return to_plain(here.reviews.lock_double(id, said.positive, said.words, who=who))


class FollowUp(BaseModel):
    """A recommendation."""

    finding: str = Field(min_length=1, max_length=500)
    due: date
    responsible: str = Field(min_length=1, max_length=200)
    modality: str = Field("", max_length=16)
    body_part: str = Field("", max_length=64)


class Reason(BaseModel):
    """Why it is closed."""

    reason: str = Field(min_length=1, max_length=500)


class Matched(BaseModel):
    """The study that completes it."""

    study: str = Field(pattern=r"^[0-9.]{1,64}$")


@router.get("/api/followups")
def followups(
    site: SiteHere,
    who: Annotated[Person, needs("followup")],
    take: Take,
    state: Annotated[str, Query(pattern=r"^(|overdue|due|open|completed|closed)$")] = "",
) -> Any:
    """Follow-ups, what is overdue first."""
    here: PagesSite = site
    return take.of("follow-ups", here.reviews.followups(who=who, state=state), here.audits, who)


@router.post("/api/studies/{uid}/followups")
def ask_followup(uid: Uid, asked: FollowUp, site: SiteHere, who: Annotated[Person, needs("followup")]) -> Any:
    """Recommend a follow-up of a finding."""
    here: PagesSite = site
    return {"id": here.reviews.ask_followup(uid, who=who, **asked.model_dump())}


@router.post("/api/followups/match")
def match_all(site: SiteHere, who: Annotated[Person, needs("followup")]) -> Any:
    """Find the examinations that surely complete an open follow-up."""
    here: PagesSite = site
    return {"matched": here.reviews.match_followups(who=who)}


@router.post("/api/followups/{id}/match")
def match_one(id: _Id, found: Matched, site: SiteHere, who: Annotated[Person, needs("followup")]) -> Any:
    """Say that an examination completes a follow-up."""
    here: PagesSite = site
    here.reviews.match_followup(id, found.study, who=who)
    return to_plain(here.reviews.followups(who=who))


@router.post("/api/followups/{id}/close")
def close(id: _Id, why: Reason, site: SiteHere, who: Annotated[Person, needs("followup")]) -> Any:
    """Close a follow-up without an examination, with the reason."""
    here: PagesSite = site
    here.reviews.close_followup(id, why.reason, who=who)
    return to_plain(here.reviews.followups(who=who))
