"""Sign-in, sign-out, and who one is."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_web import index
from isocenter.doors.pages_who import COOKIE, SiteHere, needs, token_of
from isocenter.govern.policy import RULES, Person, may, why

__all__ = ["LEFT", "address_of", "remember", "router"]

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


@router.post("/api/sign-out")
def sign_out(request: Request, response: Response, site: SiteHere, _: Annotated[Person, needs("me")]) -> Any:
    """End the session, here and on the server."""
    here: PagesSite = site
    here.sign_out(token_of(request))
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict", secure=request.url.scheme == "https")
    response.set_cookie(
        LEFT, "1", path="/sign-in/oidc", httponly=True, samesite="lax", secure=request.url.scheme == "https"
    )
    return {"signed_out": True}


@router.get("/api/me")
def me(request: Request, who: Annotated[Person, needs("me")]) -> Any:
    """Name, role and rights of whoever is signed in, each with its rule, and whether this is a demonstration."""
    return {**_me(who, request), "rights": {v: {"may": may(who, v), "rule": why(who, v)} for v in RULES}}


def _me(person: Person, request: Request) -> dict[str, Any]:
    return {"name": person.name, "role": person.role.value, "demo": request.app.state.demo}


def remember(response: Response, request: Request, session: str) -> None:
    """Give the browser its session."""
    # A session cookie without age: it goes with the browser, and the server's own limits hold before that.
    response.set_cookie(
        COOKIE, session, path="/", httponly=True, samesite="strict", secure=request.url.scheme == "https"
    )


def address_of(request: Request) -> str:
    """Where a request comes from."""
    return request.client.host if request.client else ""
