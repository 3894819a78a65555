"""Signing in through the site's own sign-in service: the way out, the way back, and whether there is one."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from isocenter.doors.oidc_client import Provider
from isocenter.doors.pages_people import LEFT, address_of, keep, remember
from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_who import SiteHere, cookie_name, needs
from isocenter.errors import Forbidden
from isocenter.govern.oidc import NotProven, Waiting, account_of, head_of, read_logout, read_token
from isocenter.govern.policy import Person

__all__ = ["Way", "router"]

router = APIRouter()

COOKIE = "isocenter-oidc"
_PATH = "/sign-in/oidc"
_LONGEST_NOTICE = 1 << 16
_Text = Annotated[str, Query(max_length=4096)]


class Way:
    """The sign-in service of a site, with the sign-ins that are on their way.

    Args:
        provider: the service.
        address: of this server as browsers reach it; empty: as the browser itself says.
    """

    def __init__(self, provider: Provider, address: str = "") -> None:
        self.provider, self.waiting, self._address = provider, Waiting(), address.rstrip("/")

    def back(self, request: Request) -> str:
        """Where the service sends the browser back to; it has to be registered there."""
        here = self._address or f"{request.url.scheme}://{request.url.netloc}"
        return f"{here}{_PATH}/back"


@router.get("/api/sign-in/ways")
def ways(request: Request, _: Annotated[Person, needs("sign_in")]) -> Any:
    """Whether one can sign in through a service, beside a password."""
    way = _way(request)
    return {"service": None if way is None else {"issuer": way.provider.issuer, "begin": _PATH}}


@router.get(_PATH, include_in_schema=False)
def begin(request: Request, _: Annotated[Person, needs("sign_in")]) -> Response:
    """To the sign-in service."""
    way = _way(request)
    if way is None:
        return RedirectResponse("/sign-in", status_code=303)
    asked = way.waiting.begin(request.app.state.clock(), address_of(request))
    # Whoever signed out here may still be signed in there, and the next at this screen is somebody else.
    out = way.provider.way_out(asked, way.back(request), anew=cookie_name(request, LEFT) in request.cookies)
    answer = RedirectResponse(out, status_code=303)
    # Lax: the browser comes back from another site, and must bring it along.
    keep(answer, request, COOKIE, asked.browser, max_age=600)
    return answer


@router.get(f"{_PATH}/back", include_in_schema=False)
def back(
    request: Request,
    site: SiteHere,
    _: Annotated[Person, needs("sign_in")],
    state: _Text = "",
    code: _Text = "",
    iss: _Text = "",
    error: _Text = "",
) -> Response:
    """Back from the sign-in service: everything is proven before a session begins."""
    way, here, address = _way(request), site, address_of(request)
    if way is None:
        return RedirectResponse("/sign-in", status_code=303)
    entrance: PagesSite = here
    now = request.app.state.clock()
    try:
        asked = way.waiting.take(state, request.cookies.get(cookie_name(request, COOKIE), ""), now)
        if error or not code:
            raise NotProven("the service refused")
        if iss and iss != way.provider.issuer:
            raise NotProven("the answer of another service")
        token = way.provider.token(code, asked, way.back(request))
        claims = read_token(
            token, way.provider.keys(str(head_of(token).get("kid", ""))), issuer=way.provider.issuer,
            client=way.provider.client, nonce=asked.nonce, now=now,
        )  # fmt: skip
        way.provider.asks.check(claims, now)
        there = claims.get("sid")
        session = entrance.sign_in_by_service(
            *account_of(claims, way.provider.table), address=address, session=there if isinstance(there, str) else ""
        )
    except Forbidden as refused:
        entrance.sign_in_refused(refused.cause if isinstance(refused, NotProven) else refused.why, address=address)
        raise
    answer = RedirectResponse("/", status_code=303)
    for name in (LEFT, COOKIE):
        keep(answer, request, name, "", max_age=0)
    remember(answer, request, session)
    return answer


@router.post(f"{_PATH}/ended", include_in_schema=False)
async def ended(request: Request, site: SiteHere, _: Annotated[Person, needs("sign_in")]) -> Response:
    """The service itself says that somebody has signed out there, or was shut out (back-channel logout)."""
    from starlette.concurrency import run_in_threadpool

    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _LONGEST_NOTICE:
            break
    return await run_in_threadpool(_heard, request, site, bytes(body))


def _heard(request: Request, here: PagesSite, body: bytes) -> Response:
    way, address = _way(request), address_of(request)
    if way is None:
        return _not_heard("no sign-in service is set up here")
    try:
        if len(body) > _LONGEST_NOTICE:
            raise NotProven("a notice that is too long")
        given = parse_qs(body.decode("ascii", "replace"), max_num_fields=20).get("logout_token", [])
        if len(given) != 1:
            raise NotProven("a notice without one logout token")
        said = read_logout(
            given[0], way.provider.keys(str(head_of(given[0]).get("kid", ""))), issuer=way.provider.issuer,
            client=way.provider.client, now=request.app.state.clock(),
        )  # fmt: skip
        here.signed_out_by_service(said, address=address)
    except (NotProven, ValueError) as refused:
        cause = refused.cause if isinstance(refused, NotProven) else "a form that is none"
        here.sign_in_refused(f"back-channel logout: {cause}", address=address)
        return _not_heard("the notice could not be proven")
    return Response(status_code=200)


def _not_heard(why: str) -> Response:
    # The words of the standard, which a service looks for; the guard adds that nothing is to be kept.
    return JSONResponse({"error": "invalid_request", "error_description": why}, status_code=400)


def _way(request: Request) -> Way | None:
    way: Way | None = request.app.state.way
    return way
