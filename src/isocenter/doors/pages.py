"""The JSON beneath the browser, the pages themselves, and the stream of events, as one application.

Each idea has its router in a file beside this one; here they are put together behind the guard. The application
translates and calls a verb of the site; it decides nothing.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from isocenter.doors import (
    pages_alerts,
    pages_begin,
    pages_catalogue,
    pages_cohorts,
    pages_consent,
    pages_counting,
    pages_events,
    pages_exchange,
    pages_find,
    pages_flow,
    pages_hand_outs,
    pages_ledger,
    pages_machine,
    pages_marks,
    pages_models,
    pages_modes,
    pages_oidc,
    pages_orders,
    pages_oversight,
    pages_oversight_consult,
    pages_oversight_reviews,
    pages_oversight_segment,
    pages_oversight_surfaces,
    pages_people,
    pages_pictures,
    pages_projects,
    pages_reading,
    pages_registration,
    pages_rejections,
    pages_report,
    pages_settings,
    pages_shared,
    pages_sharing,
    pages_similar,
    pages_study,
    pages_timeline,
    pages_web,
    pages_who,
    pages_worklist,
)
from isocenter.doors.denying import tell_denied
from isocenter.doors.pages_figures import Figures
from isocenter.doors.pages_guard import Guard, error_body, status_of
from isocenter.doors.pages_machine import Machine
from isocenter.doors.pages_pace import Pace
from isocenter.doors.pages_refusal import written
from isocenter.doors.pages_who import NotSignedIn, Programs
from isocenter.doors.unfit import unfit
from isocenter.errors import IsocenterError, TooOften

if TYPE_CHECKING:
    from fastapi import APIRouter

    from isocenter.doors.pages_site import PagesSite

__all__ = ["application", "routes"]

_PARTS = (
    pages_people,
    pages_begin,
    pages_oidc,
    pages_models,
    pages_modes,
    pages_settings,
    pages_shared,
    pages_sharing,
    pages_ledger,
    pages_machine,
    pages_find,
    pages_worklist,
    pages_study,
    pages_similar,
    pages_timeline,
    pages_pictures,
    pages_marks,
    pages_flow,
    pages_registration,
    pages_rejections,
    pages_projects,
    pages_reading,
    pages_alerts,
    pages_orders,
    pages_exchange,
    pages_report,
    pages_catalogue,
    pages_cohorts,
    pages_hand_outs,
    pages_consent,
    pages_counting,
    pages_events,
    pages_oversight,
    pages_oversight_reviews,
    pages_oversight_consult,
    pages_oversight_segment,
    pages_oversight_surfaces,
)
_JSON_BYTES = 2 * 2**20  # a decision with a drawn outline has a few kilobytes
_IMAGE_BYTES = 2**31  # one STOW request


def application(
    site: PagesSite,
    *,
    demo: bool,
    clock: Callable[[], datetime],
    dicomweb_router: APIRouter | None = None,
    fhir_router: APIRouter | None = None,
    names: Collection[str] = (),
    web: Path | None = None,
    pause: Callable[[], Awaitable[Any]] | None = None,
    machine: Machine | None = None,
    way: pages_oidc.Way | None = None,
    pace: Pace | None = None,
) -> FastAPI:
    """The web application of a site.

    Args:
        site: whose verbs are called.
        demo: every page then says that this is a demonstration.
        clock: aware UTC now.
        fhir_router: FHIR, to be served under ``/fhir``.
        dicomweb_router: DICOMweb, to be served under ``/dicom-web`` beside the pages.
        names: host names, beside loopback, under which browsers may come.
        web: folder of the built pages; where it is not given, that of the package.
        machine: the server that runs this, for the pages that tell how it does.
        way: the site's sign-in service, where it has one.
        pace: how many requests an address may make; no limit where it is not given.
        pause: waits between two looks into the journal for the stream of events; half a second by default.
    """
    app = FastAPI(title="Isocenter", docs_url=None, redoc_url=None, openapi_url=None)
    figures = Figures()
    app.state.site, app.state.demo, app.state.clock = site, demo, clock
    app.state.figures, app.state.web = figures, web or pages_web.built()
    app.state.way = way
    app.state.ending = False  # true ends what would go on as long as the server
    app.state.pause = pause or _half_a_second
    app.state.programs, app.state.machine = Programs(site), machine or Machine()
    for part in _PARTS:
        # As they are: included they would all be made anew, and the first who asks would wait for it.
        app.router.routes.extend(part.router.routes)
    if dicomweb_router is not None:
        app.include_router(dicomweb_router, prefix="/dicom-web")
    if fhir_router is not None:
        app.include_router(fhir_router, prefix="/fhir")
    app.router.routes.extend(pages_web.router.routes)  # last: they take every address that is left
    app.add_exception_handler(IsocenterError, _refused)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(HTTPException, _http)
    app.add_middleware(
        Guard,
        names=names,
        largest=_JSON_BYTES,
        largest_under=(("/dicom-web/", _IMAGE_BYTES), ("/api/segment/", _IMAGE_BYTES)),
        figures=figures,
        pace=pace,
    )
    return app


def routes() -> list[tuple[str, str, str, str]]:
    """Method, address, what it does in a sentence, and the verb whose rule is asked: of every page's route."""
    return [
        (method, route.path, (route.endpoint.__doc__ or "").strip().splitlines()[0], pages_who.verb_of(route) or "page")
        for part in _PARTS
        for route in part.router.routes
        if isinstance(route, APIRoute)
        for method in sorted((route.methods or set()) - {"HEAD"})
    ]


async def _half_a_second() -> None:
    await asyncio.sleep(0.5)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, IsocenterError)
    try:
        tell_denied(pages_who.site_of(request).denied, request, error)
    except IsocenterError as unwritten:  # the journal: what cannot be told is not answered either
        error = unwritten
    if isinstance(error, NotSignedIn):
        status, headers = 401, {"WWW-Authenticate": "Bearer"}
    elif isinstance(error, TooOften):
        seconds = re.search(r"(\d+) s\b", error.do)
        status, headers = 429, {"Retry-After": seconds[1] if seconds else "60"}
    else:
        status, headers = status_of(error), {}
    return _answer(request, status, error_body(error.what, error.why, error.do, kind=type(error).__name__), headers)


def _not_understood(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    body = error_body(
        unfit(error.errors()),
        "the request does not fit",
        "mend it and send it again; docs/look-up/routes.md lists what is taken",
        kind="Refused",
    )
    return _answer(request, 400, body)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    what, kind = _HTTP.get(error.status_code, (str(error.detail), "Refused"))
    return _answer(request, error.status_code, error_body(what, kind=kind), error.headers)


def _answer(request: Request, status: int, body: dict[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    kind, data = written(request.scope, status, body)
    return Response(data, status_code=status, headers=dict(headers or {}), media_type=kind)


_HTTP = {
    404: ("nothing has this address", "NotFound"),
    405: ("this address does not take that method", "Refused"),
    413: ("a body larger than is taken at once", "LimitReached"),
}
