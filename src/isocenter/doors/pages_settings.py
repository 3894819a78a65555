"""Settings per person and per site, worklist views that are shared, and why something is allowed.

A person's settings live on the server, so that another browser has the same. What the site set at start comes from the
environment and needs a restart; what it sets while it runs is an event with a reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from isocenter.doors.pages_machine import machine_of
from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_who import SiteHere, needs
from isocenter.errors import NotFound, Refused
from isocenter.govern.consent import UNASKED, Purpose, unasked_by
from isocenter.govern.policy import RULES, Person, Role, may, why
from isocenter.reading.escalation import WITHIN
from isocenter.reading.worklist import LIMITS, limits_of
from isocenter.site.preferring import Kept

__all__ = ["router"]

router = APIRouter()

_Name = Annotated[str, Field(min_length=1, max_length=64)]
_Key = Annotated[str, Field(min_length=1, max_length=32)]
_Act = Annotated[str, Field(pattern=r"^[a-z-]{1,32}\.[a-z0-9+-]{1,48}$")]
_Minutes = Annotated[float, Field(gt=0, le=60 * 24 * 60)]
_Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]

_Seen = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
"""The ticket of the change after which these settings stood: a number would tell how much happened in between."""


class View(BaseModel):
    """A named question to the worklist."""

    model_config = ConfigDict(extra="forbid")
    name: _Name
    q: Annotated[str, Field(max_length=500)] = ""
    sort: Annotated[str, Field(max_length=32)] = ""
    ai: bool = True


class Macro(BaseModel):
    """A text block of a reader: `text` stands in a report for what they type as `name`; each line is a sentence of its
    own, and ``[…]`` is a blank to fill in."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(pattern=r"^[\w.+-]{1,24}$")]
    text: Annotated[str, Field(min_length=1, max_length=2000)]


class Mouse(BaseModel):
    """What a mouse does over an image; `left` is the tool with which its left button begins."""

    model_config = ConfigDict(extra="forbid")
    left: Literal["window", "zoom", "pan"] = "window"
    middle: Literal["window", "zoom", "pan", "scroll"] = "pan"
    right: Literal["window", "zoom", "pan", "scroll"] = "window"
    wheel: Literal["scroll", "zoom"] = "scroll"


class Mine(BaseModel):
    """One person's settings, with what is shipped."""

    model_config = ConfigDict(extra="forbid")
    theme: Literal["screen", "dark", "light", "system"] = "screen"
    density: Literal["compact", "regular", "roomy"] = "regular"
    motion: Literal["system", "none"] = "system"
    vision: Literal["own", "protan", "deutan", "tritan"] = "own"
    single_keys: bool = True
    keys: Annotated[dict[_Act, _Key], Field(max_length=500)] = {}
    views: Annotated[list[View], Field(max_length=100)] = []
    default_view: Annotated[str, Field(max_length=64)] = ""
    macros: Annotated[list[Macro], Field(max_length=200)] = []
    checklist: Literal["open", "closed"] = "open"
    mouse: Mouse = Mouse()
    room: dict[str, Any] = {}


class Change(BaseModel):
    """Some settings of one's own; a name in `forget` goes back to what is shipped."""

    version: _Seen | None = None
    settings: Mine = Mine()
    forget: Annotated[list[str], Field(max_length=50)] = []


class SiteWide(BaseModel):
    """What a site sets while it runs."""

    model_config = ConfigDict(extra="forbid")
    told_within_min: _Minutes | None = None
    prior_side: Literal["left", "right"] | None = None
    limits_min: dict[Literal["now", "soon", "today", "routine"], _Minutes] | None = None
    unasked: dict[Purpose, Literal["allow", "deny"]] | None = None
    institution: Annotated[str, Field(max_length=128)] | None = None
    country: _Country | None = None
    region: Annotated[list[_Country], Field(max_length=250)] | None = None


class SiteChange(BaseModel):
    """A change for everybody, with its reason."""

    version: _Seen
    settings: SiteWide
    reason: Annotated[str, Field(max_length=500)]


class Account(BaseModel):
    """A new account."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    role: Literal["admin", "reader", "researcher", "planner", "service"]
    password: Annotated[str, Field(min_length=1, max_length=1024)]


@router.get("/api/settings/me")
def mine(site: SiteHere, who: Annotated[Person, needs("me")]) -> Any:
    """The own settings, and which of them were changed."""
    here: PagesSite = site
    return _mine(here, here.preferences.mine(who=who))


@router.put("/api/settings/me")
def change_mine(asked: Change, site: SiteHere, who: Annotated[Person, needs("me")]) -> Any:
    """Change some of the own settings; one key cannot do two things on one screen."""
    here: PagesSite = site
    _no_clash(asked.settings.keys)
    _no_twins(asked.settings.macros)
    patch = asked.settings.model_dump(exclude_unset=True) | {n: None for n in asked.forget if n in Mine.model_fields}
    seen = None if asked.version is None else _seen(here, asked.version)
    return _mine(here, here.preferences.change_mine(patch, version=seen, who=who))


@router.get("/api/settings/site")
def site_settings(request: Request, site: SiteHere, who: Annotated[Person, needs("settings")]) -> Any:
    """How the site is set: what it may change while it runs, and what was given at its start."""
    here: PagesSite = site
    kept = here.preferences.site(who=who)
    limits = limits_of(kept.settings.get("limits_min") or {})
    return {
        "version": here.tickets.of(kept.version),
        "by": kept.by,
        "when": kept.when.isoformat() if kept.when else None,
        "may_change": may(who, "site"),
        "rule": why(who, "site"),
        "limits_min": {u.value: limits[u].total_seconds() / 60 for u in LIMITS},
        "told_within_min": float(kept.settings.get("told_within_min") or WITHIN.total_seconds() / 60),
        "limits_shipped_min": {u.value: LIMITS[u].total_seconds() / 60 for u in LIMITS},
        "unasked": _answers(unasked_by(kept.settings.get("unasked") or {})),
        "unasked_set": kept.settings.get("unasked") or {},
        "unasked_shipped": _answers(UNASKED),
        "prior_side": kept.settings.get("prior_side") or "left",
        "institution": kept.settings.get("institution") or "",
        "country": kept.settings.get("country") or "",
        "region": kept.settings.get("region") or [],
        "changed": sorted(kept.settings),
        "start": machine_of(request).start(secrets=may(who, "site")),
    }


@router.put("/api/settings/site")
def change_site(asked: SiteChange, request: Request, site: SiteHere, who: Annotated[Person, needs("site")]) -> Any:
    """Change how the site is set; the reason is kept."""
    here: PagesSite = site
    patch = asked.settings.model_dump(exclude_unset=True)
    limits_of(patch.get("limits_min") or {})
    here.preferences.change_site(patch, version=_seen(here, asked.version), reason=asked.reason, who=who)
    return site_settings(request, here, who)


@router.get("/api/people")
def people(site: SiteHere, who: Annotated[Person, needs("people")]) -> Any:
    """Everybody with an account."""
    here: PagesSite = site
    return {"people": list(here.staff.people(who=who))}


@router.post("/api/people")
def add_person(asked: Account, site: SiteHere, who: Annotated[Person, needs("people")]) -> Any:
    """Give somebody an account; there is no password but the one that is given here."""
    here: PagesSite = site
    here.add_person(asked.name, Role(asked.role), asked.password, who=who)
    return people(here, who)


@router.get("/api/colleagues")
def colleagues(site: SiteHere, who: Annotated[Person, needs("assign")]) -> Any:
    """People who can be asked to read a study."""
    here: PagesSite = site
    return {"colleagues": [{"name": one.name, "role": one.role.value} for one in here.staff.colleagues(who=who)]}


@router.get("/api/settings/{scope}/history")
def history(
    scope: Annotated[Literal["me", "site"], Path()], site: SiteHere, who: Annotated[Person, needs("me")]
) -> Any:
    """The latest changes: who, when, why, and what became what."""
    here: PagesSite = site
    return here.tickets.told({"changes": here.preferences.history(scope, who=who)}, "version")


@router.get("/api/views")
def views(site: SiteHere, who: Annotated[Person, needs("worklist")]) -> Any:
    """Worklist views that were shared with everybody."""
    here: PagesSite = site
    shared = here.preferences.views(who=who).settings
    return {"views": [{"name": name, **view} for name, view in sorted(shared.items())]}


@router.put("/api/views/{name}")
def share(
    name: Annotated[str, Path(min_length=1, max_length=64)],
    view: View,
    site: SiteHere,
    who: Annotated[Person, needs("worklist")],
) -> Any:
    """Share a worklist view with everybody."""
    here: PagesSite = site
    here.preferences.share_view(name, view.model_dump(exclude={"name"}), who=who)
    return views(here, who)


@router.delete("/api/views/{name}")
def unshare(
    name: Annotated[str, Path(min_length=1, max_length=64)], site: SiteHere, who: Annotated[Person, needs("worklist")]
) -> Any:
    """Take a shared view of one's own back."""
    here: PagesSite = site
    here.preferences.share_view(name, None, who=who)
    return views(here, who)


@router.get("/api/policy/why")
def policy(
    site: SiteHere,
    asks: Annotated[Person, needs("me")],
    what: Annotated[str, Query(max_length=64)] = "sign",
    who: Annotated[str, Query(max_length=64)] = "",
    on: Annotated[str, Query(pattern=r"^[0-9.]{0,64}$")] = "",
) -> Any:
    """May this person do that, and by which rule? Of others only somebody who manages people may ask.

    With `on`, a Study Instance UID, it is asked towards that study, in whose project a person may be less than by their
    account, or nobody; who asks must be able to ask for the study themselves, and is told nothing of it otherwise.
    """
    here: PagesSite = site
    person = asks
    if who and who != asks.name:
        found = next((one for one in here.staff.people(who=asks) if one["name"] == who), None)
        if found is None:
            raise NotFound("no such person", "nobody here has that name", "look into the list of people")
        person = Person(found["name"], found["role"])
    if what not in RULES:
        raise NotFound(f"'{what}'", "no rule knows it", f"known are {', '.join(RULES)}")
    rule = RULES[what]
    told = {"who": person.name, "role": person.role.value, "what": what, "on": on, "may": may(person, what)}
    told |= {"about": rule.about, "why": why(person, what), "grants": rule.grants}
    if on:
        here.study(on, who=asks)
        if told["may"] and not _may_there(here, on, person, what):
            told |= {"may": False, "why": _ELSEWHERE, "grants": "whoever runs the project of that study"}
    return told


_ELSEWHERE = "Refused: their account may, but not in the project in which that study is at home."


def _may_there(site: PagesSite, study_uid: str, person: Person, verb: str) -> bool:
    """Whether somebody may do it to a study, as they are in its project."""
    try:
        return may(site.projects.at(study_uid, person), verb)
    except NotFound:
        return False


def _answers(unasked: Mapping[Purpose, bool]) -> dict[str, str]:
    return {purpose.value: "allow" if allowed else "deny" for purpose, allowed in unasked.items()}


def _seen(site: PagesSite, ticket: str) -> int:
    return int(site.tickets.number(ticket))


def _mine(site: PagesSite, kept: Kept) -> dict[str, Any]:
    known = {n: v for n, v in kept.settings.items() if n in Mine.model_fields}
    return {"settings": Mine(**known).model_dump(), "changed": sorted(known), "version": site.tickets.of(kept.version)}


def _no_clash(keys: dict[str, str]) -> None:
    """Refuse two acts of one screen on one key, among this person's own choices; the page knows the whole table."""
    owner: dict[tuple[str, str], str] = {}
    for name, key in keys.items():
        screen, _, act = name.partition(".")
        other = owner.setdefault((screen, key), act)
        if other != act:
            raise Refused(f"the key '{key}' for '{act}'", f"'{other}' has it on the same screen", "take another key")


def _no_twins(macros: list[Macro]) -> None:
    names = [one.name.lower() for one in macros]
    if twin := next((name for name in names if names.count(name) > 1), ""):
        raise Refused(f"two text blocks named '{twin}'", "only one could be meant", "give the other another name")
