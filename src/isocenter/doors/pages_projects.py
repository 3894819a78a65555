"""Projects: who is in them, what is at home in them, and studies that were opened in an emergency."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_who import SiteHere, needs
from isocenter.govern.policy import Person

__all__ = ["router"]

router = APIRouter()

Uid = Annotated[str, Path(max_length=64, pattern=r"^[0-9.]+$")]
Name = Annotated[str, Path(max_length=40)]
Id = Annotated[str, Path(max_length=32)]


class About(BaseModel):
    """What a project is, and the account that looks through what is opened there in an emergency."""

    about: str = Field(default="", max_length=500)
    keeper: str = Field(default="", max_length=64)


class Member(BaseModel):
    """Somebody, and what they are in a project; ``none`` puts them out."""

    name: str = Field(max_length=64)
    of: Literal["account", "aet"] = "account"
    role: Literal["admin", "reader", "researcher", "planner", "service", "none"]


class Sender(BaseModel):
    """Whose new studies are at home in a project."""

    sender: str = Field(max_length=64)
    of: Literal["account", "aet"] = "aet"


class Moved(BaseModel):
    """Where a study is put, and why."""

    project: str = Field(max_length=40)
    reason: str = Field(max_length=500)


class Emergency(BaseModel):
    """Why a study must be seen now, and for how long."""

    reason: str = Field(max_length=1000)
    minutes: float = Field(default=60.0, gt=0, le=480)


class Looked(BaseModel):
    """What another person says of it."""

    justified: bool
    words: str = Field(default="", max_length=1000)


@router.get("/api/projects")
def projects(site: SiteHere, who: Annotated[Person, needs("projects")]) -> Any:
    """The projects that one is in; all of them, with who is in them, for whoever runs projects."""
    here: PagesSite = site
    return {"projects": here.projects.listed(who=who)}


@router.put("/api/projects/{name}")
def found(name: Name, told: About, site: SiteHere, who: Annotated[Person, needs("project")]) -> Any:
    """Make a project, or say anew what it is."""
    here: PagesSite = site
    here.projects.found(name, told.about, keeper=told.keeper, who=who)
    return {"projects": here.projects.listed(who=who)}


@router.post("/api/projects/{name}/members")
def join(name: Name, told: Member, site: SiteHere, who: Annotated[Person, needs("project")]) -> Any:
    """Let somebody in, as what they are there, or put them out."""
    here: PagesSite = site
    here.projects.join(name, told.name, told.role, of=told.of, who=who)
    return {"projects": here.projects.listed(who=who)}


@router.post("/api/projects/{name}/senders")
def rule(name: Name, told: Sender, site: SiteHere, who: Annotated[Person, needs("project")]) -> Any:
    """Have new studies of a sender be at home in a project."""
    here: PagesSite = site
    here.projects.rule(name, told.sender, of=told.of, who=who)
    return {"projects": here.projects.listed(who=who)}


@router.get("/api/studies/{uid}/project")
def home(uid: Uid, site: SiteHere, who: Annotated[Person, needs("study")]) -> Any:
    """Where a study is at home, and the broken glass through which one sees it."""
    here: PagesSite = site
    return here.projects.of_study(uid, who=who)


@router.post("/api/studies/{uid}/project")
def move(uid: Uid, told: Moved, site: SiteHere, who: Annotated[Person, needs("project")]) -> Any:
    """Put a study into another project."""
    here: PagesSite = site
    here.projects.move(uid, told.project, reason=told.reason, who=who)
    return {"study": uid, "project": told.project}


@router.post("/api/studies/{uid}/glass")
def break_glass(uid: Uid, told: Emergency, site: SiteHere, who: Annotated[Person, needs("glass")]) -> Any:
    """See, in an emergency, a study of a project that one is not in; another person looks through it afterwards."""
    here: PagesSite = site
    return here.projects.break_glass(uid, reason=told.reason, minutes=told.minutes, who=who)


@router.get("/api/glass")
def glass(site: SiteHere, who: Annotated[Person, needs("me")]) -> Any:
    """What one has opened so and is still open."""
    here: PagesSite = site
    return {"glass": here.projects.glass(who=who)}


@router.post("/api/glass/{id}/end")
def end_glass(id: Id, site: SiteHere, who: Annotated[Person, needs("glass")]) -> Any:
    """Close it before its time."""
    here: PagesSite = site
    here.projects.end_glass(id, who=who)
    return {"id": id, "ended": True}


@router.get("/api/glass/reviews")
def reviews(site: SiteHere, who: Annotated[Person, needs("glass_review")]) -> Any:
    """What others opened in an emergency and one is asked to look through."""
    here: PagesSite = site
    return {"reviews": here.projects.to_review(who=who)}


@router.post("/api/glass/{id}/review")
def review(id: Id, told: Looked, site: SiteHere, who: Annotated[Person, needs("glass_review")]) -> Any:
    """Say whether it was rightly opened."""
    here: PagesSite = site
    here.projects.review(id, told.justified, told.words, who=who)
    return {"id": id, "reviewed": True}
