"""Who asks, and whether the table of rights lets them: every route of the pages declares its verb here.

A route says ``who: Annotated[Person, needs("worklist")]``. A test reads the verbs off the routes and tries every route
with every role; a route that declares none fails it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request

from isocenter.doors.pages_guard import LOOPBACK
from isocenter.errors import Forbidden
from isocenter.govern.policy import NOBODY, RULES, Person, Role, may, must

if TYPE_CHECKING:
    from isocenter.doors.pages_site import PagesSite

__all__ = ["COOKIE", "NotSignedIn", "SiteHere", "needs", "token_of", "verb_of"]

COOKIE = "isocenter"


class NotSignedIn(Forbidden):
    """Nobody is signed in, so that signing in may help: 401, where every other refusal of a rule is 403."""


def token_of(request: Request) -> str:
    """The session token of a request: the browser's cookie, or a program's bearer token."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else request.cookies.get(COOKIE, "")


def site_of(request: Request) -> PagesSite:
    """The site that this application serves."""
    site: PagesSite = request.app.state.site
    return site


SiteHere = Annotated[Any, Depends(site_of)]
"""The site, as an argument of a route; annotate with `PagesSite` in the body where types matter."""


def needs(verb: str, *, touch: bool = True, loopback: bool = False) -> Any:
    """A dependency that gives the person who asks, once the rule of the verb has let them.

    Args:
        verb: a line of the table of rights.
        touch: whether asking keeps the session awake; a page that only listens does not.
        loopback: whether a program on this machine may ask without an account.

    Raises:
        KeyError: at start, for a verb that the table does not have.
    """
    RULES[verb]

    def allowed(request: Request) -> Person:
        token = token_of(request)
        site = site_of(request)
        person = site.person_of(token, touch=touch) if token else NOBODY
        if may(person, verb) or (loopback and _is_local(request)):
            return person
        if person.role is Role.NONE:
            raise NotSignedIn(
                f"not signed in (rule '{verb}')", f"only people with an account may {RULES[verb].about}", "sign in"
            )
        must(person, verb)
        raise AssertionError("unreachable: the table refused and allowed at once")

    allowed.verb = verb  # type: ignore[attr-defined]
    return Depends(allowed)


def verb_of(route: Any) -> str | None:
    """The verb that a route declares, None where it declares none."""
    dependant = getattr(route, "dependant", None)
    calls: list[Callable[..., Any]] = [d.call for d in dependant.dependencies] if dependant is not None else []
    return next((call.verb for call in calls if hasattr(call, "verb")), None)


def _is_local(request: Request) -> bool:
    """Whether the request was made on this machine, and not handed on by a proxy that stands on it."""
    handed_on = {"forwarded", "x-forwarded-for"} & set(request.headers)
    return request.client is not None and request.client.host in LOOPBACK and not handed_on
