"""Sign-in, sign-out, and who one is."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from isocenter.doors.pages_guard import COOKIE, ENDED
from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_web import index
from isocenter.doors.pages_who import SiteHere, cookie_name, needs, token_of
from isocenter.govern.people import IDLE
from isocenter.govern.policy import RULES, Person, may, why

__all__ = ["LEFT", "address_of", "keep", "remember", "router"]

router = APIRouter()

LEFT = "isocenter-left"
"""Stays in a browser in which somebody has signed out: the sign-in service shall ask anew who is there."""


class SignIn(BaseModel):
    """Name and password of an account."""

    name: str = Field(max_length=200)
    password: str = Field(max_length=1024)


class NewPassword(BaseModel):
    """The password of an account, and another for it."""

    old: str = Field(max_length=1024)
    new: str = Field(max_length=1024)


class EndSessions(BaseModel):
    """Sessions of one's own that shall end: their ids, none for all others; the password where this one is older."""

    sessions: list[Annotated[str, Field(max_length=16)]] = Field(default=[], max_length=50)
    password: str = Field("", max_length=1024)


@router.get("/sign-in", include_in_schema=False)
def open_link(request: Request, site: SiteHere, _: Annotated[Person, needs("sign_in")], token: str = "") -> Response:
    """A one-time link: it sets the cookie and goes to the first page; without a token it is the sign-in page."""
    if not token:
        return index(request)
    here: PagesSite = site
    session = here.sign_in_by_link(token[:1024], address=address_of(request))
    answer = RedirectResponse("/", status_code=303)
    remember(answer, request, session)
    return answer


@router.post("/api/sign-in")
def sign_in(
    asked: SignIn, request: Request, response: Response, site: SiteHere, _: Annotated[Person, needs("sign_in")]
) -> Any:
    """Sign in with name and password."""
    here: PagesSite = site
    session = here.sign_in(asked.name, asked.password, address=address_of(request))
    remember(response, request, session)
    return _me(here.person_of(session), request)


@router.post("/api/me/password")
def new_password(
    asked: NewPassword, request: Request, response: Response, site: SiteHere, who: Annotated[Person, needs("me")]
) -> Any:
    """Give one's own account another password; it is signed out everywhere else."""
    here: PagesSite = site
    session = here.new_password(asked.old, asked.new, who=who, address=address_of(request))
    remember(response, request, session)
    return {"changed": True}


@router.get("/api/me/sessions")
def sessions(request: Request, site: SiteHere, _: Annotated[Person, needs("me", touch=False)]) -> Any:
    """Where one's own account is signed in: since when, from which address, and used last when; this one is marked."""
    here: PagesSite = site
    return {
        "sessions": [
            {
                "id": one.id, "begun": one.begun.isoformat(), "seen": one.seen.isoformat(), "address": one.address,
                "here": this,
            }
            for one, this in here.my_sessions(token_of(request))
        ]
    }  # fmt: skip


@router.post("/api/me/sessions/end")
def end_sessions(asked: EndSessions, request: Request, site: SiteHere, _: Annotated[Person, needs("me")]) -> Any:
    """End sessions of one's own account, all but this one where none is named."""
    here: PagesSite = site
    ended = here.end_sessions(token_of(request), asked.password, wanted=asked.sessions, address=address_of(request))
    return {"ended": ended}


@router.post("/api/sign-out")
def sign_out(request: Request, response: Response, site: SiteHere, _: Annotated[Person, needs("me")]) -> Any:
    """End the session, here and on the server."""
    here: PagesSite = site
    here.sign_out(token_of(request))
    keep(response, request, COOKIE, "", max_age=0)
    keep(response, request, LEFT, "1")
    response.headers[ENDED[0]] = ENDED[1]
    return {"signed_out": True}


@router.get("/api/me")
def me(request: Request, who: Annotated[Person, needs("me")]) -> Any:
    """Name, role and rights of whoever is signed in, each with its rule, and how long the session bears silence."""
    return {
        **_me(who, request),
        "idle_s": IDLE.total_seconds(),
        "rights": {v: {"may": may(who, v), "rule": why(who, v)} for v in RULES},
    }


def _me(person: Person, request: Request) -> dict[str, Any]:
    return {"name": person.name, "role": person.role.value, "demo": request.app.state.demo}


def remember(response: Response, request: Request, session: str) -> None:
    """Give the browser its session; the one that it had before ends."""
    here: PagesSite = request.app.state.site
    if before := request.cookies.get(cookie_name(request, COOKIE)):
        here.sign_out(before)
    # A session cookie without age: it goes with the browser, and the server's own limits hold before that.
    keep(response, request, COOKIE, session, samesite="strict")


def keep(
    response: Response,
    request: Request,
    name: str,
    value: str,
    *,
    max_age: int | None = None,
    samesite: Literal["lax", "strict"] = "lax",
) -> None:
    """Have the browser keep something that scripts cannot read and other hosts cannot set; no seconds takes it away."""
    response.set_cookie(
        cookie_name(request, name), value, path="/", httponly=True, samesite=samesite, max_age=max_age,
        secure=request.url.scheme == "https",
    )  # fmt: skip


def address_of(request: Request) -> str:
    """Where a request comes from."""
    return request.client.host if request.client else ""
