"""Who asks, and whether the table of rights lets them: every route of the pages declares its verb here.

A route says ``who: Annotated[Person, needs("worklist")]``. A test reads the verbs off the routes and tries every route
with every role; a route that declares none fails it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request

from isocenter.doors import while_they_may
from isocenter.doors.pages_guard import COOKIE, LOOPBACK
from isocenter.errors import Forbidden
from isocenter.govern.policy import NOBODY, RULES, Person, Role, may, must
from isocenter.record.study import no_study

if TYPE_CHECKING:
    from isocenter.doors.pages_site import PagesSite

__all__ = [
    "NotSignedIn",
    "Programs",
    "SiteHere",
    "address_of",
    "cookie_name",
    "must_still_be",
    "must_still_see",
    "needs",
    "person_of",
    "site_of",
    "token_of",
    "verb_of",
]


def cookie_name(request: Request, name: str) -> str:
    """How a cookie is called on the way on which a request came.

    Under TLS a browser takes and sends a ``__Host-`` cookie only if this very host set it under TLS, so that neither a
    neighbour in the domain nor somebody on an open line can lay one in. In the clear, on this machine alone, it knows
    no such name.
    """
    return f"__Host-{name}" if request.url.scheme == "https" else name


class NotSignedIn(Forbidden):
    """Nobody is signed in, so that signing in may help: 401, where every other refusal of a rule is 403."""


def token_of(request: Request) -> str:
    """The session token of a request: the browser's cookie, or a program's bearer token."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else request.cookies.get(cookie_name(request, COOKIE), "")


def person_of(request: Request) -> Person:
    """Who asks by cookie, bearer token, or HTTP Basic; `NOBODY` when it is none of them.

    Basic is for DICOMweb programs that know nothing else; browsers are never asked for it. A socket that only listens
    keeps no session awake.

    Raises:
        Forbidden, LimitReached: a wrong name or password, or too many of them.
    """
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        programs: Programs = request.app.state.programs
        return programs.person_of(value.strip(), address_of(request))
    token = token_of(request)
    return site_of(request).person_of(token, touch=request.scope["type"] == "http") if token else NOBODY


class Programs:
    """Programs that send name and password with every request: the slow check is made once a session.

    What is remembered is a keyed digest of what they sent; the key is drawn at start and never leaves the process.
    """

    _MOST = 1000

    def __init__(self, site: PagesSite) -> None:
        self._site, self._key = site, secrets.token_bytes(32)
        self._tokens: dict[bytes, str] = {}
        self._lock = threading.Lock()

    def person_of(self, sent: str, address: str) -> Person:
        """Who sent these credentials (base64 of ``name:password``)."""
        known = hmac.digest(self._key, sent.encode("utf-8", "replace"), "sha256")
        with self._lock:
            token = self._tokens.get(known, "")
        person = self._site.person_of(token) if token else NOBODY
        if person != NOBODY:
            return person
        try:
            name, colon, password = base64.b64decode(sent, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return NOBODY
        if not colon:
            return NOBODY
        token = self._site.sign_in(name, password, address=address)
        with self._lock:
            if len(self._tokens) >= self._MOST:
                del self._tokens[next(iter(self._tokens))]
            self._tokens[known] = token
        return self._site.person_of(token)


def address_of(request: Any) -> str:
    """Where a request comes from; empty where the server does not know."""
    return request.client.host if request.client else ""


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
        # What is refused of one's own account is a wrong password, and whoever proves those has written it down.
        if verb != "me" and person.role is not Role.NONE:
            request.state.who = person
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


def must_still_be(request: Request, who: Person, verb: str) -> None:
    """Go on with a long answer only while its request is of whoever made it, and they may have it.

    Raises:
        Forbidden: they signed out, or their account is another one now.
    """
    token = token_of(request)
    while_they_may.must_still_be(who, site_of(request).person_of(token, touch=False) if token else NOBODY)
    must(who, verb)


def must_still_see(request: Request, who: Person, study_uid: str) -> None:
    """The same for images of one study.

    Raises:
        Forbidden: as `must_still_be`. NotFound: the study is none of theirs any more.
    """
    must_still_be(request, who, "instance")
    if not site_of(request).projects.holds(study_uid, who, "instance"):
        raise no_study(study_uid)


def verb_of(route: Any) -> str | None:
    """The verb that a route declares, None where it declares none."""
    dependant = getattr(route, "dependant", None)
    calls: list[Callable[..., Any]] = [d.call for d in dependant.dependencies] if dependant is not None else []
    return next((call.verb for call in calls if hasattr(call, "verb")), None)


def _is_local(request: Request) -> bool:
    """Whether the request was made on this machine, and not handed on by a proxy that stands on it."""
    handed_on = {"forwarded", "x-forwarded-for"} & set(request.headers)
    return request.client is not None and request.client.host in LOOPBACK and not handed_on
