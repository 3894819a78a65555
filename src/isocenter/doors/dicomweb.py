"""DICOMweb: QIDO-RS, WADO-RS and STOW-RS (PS3.18) on the same verbs as the DICOM port.

Errors are the house's JSON, without stack traces and without a word of what a file says. The standard's statuses: 400 a
request that cannot be understood, 404 nothing there, 406 nothing that the client takes, 409 nothing stored, 413 too
large, 415 not a body for storing, 507 no room.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from isocenter.doors import dicomweb_query, dicomweb_rendered, dicomweb_retrieve, multipart
from isocenter.doors.archive import Archive
from isocenter.doors.denying import Denied, NobodyKnown, tell_denied
from isocenter.doors.dicomweb_paging import Paging
from isocenter.doors.dicomweb_store import Storing
from isocenter.doors.faults import note
from isocenter.doors.media import NotAcceptable, wishes
from isocenter.doors.pages_guard import error_body, status_of
from isocenter.doors.part10 import is_uid
from isocenter.errors import IsocenterError, LimitReached, NotFound, NotWhole, Refused
from isocenter.govern.policy import Person, Role

if TYPE_CHECKING:
    from fastapi import APIRouter
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["router"]

LOG: Final = logging.getLogger("isocenter.doors.dicomweb")
PersonOf = Callable[["Request"], Person]

_STUDY: Final = "/studies/{study}"
_SERIES: Final = _STUDY + "/series/{series}"
_INSTANCE: Final = _SERIES + "/instances/{instance}"
_FRAMES: Final = _INSTANCE + "/frames/{frames}"
_LONG: Final = 4 << 20
"""Bytes of an answer that is given in one piece at most."""


class _Unsupported(Refused):
    """A body that is no body for storing (415)."""


def router(
    site: Archive, person_of: PersonOf, *, limits: multipart.Limits | None = None, denied: Denied | None = None
) -> APIRouter:
    """The routes of DICOMweb, to be mounted under ``/dicom-web``.

    Args:
        site: what stores and finds.
        person_of: who asks; Forbidden, or a person without a role, is answered with 401.
        limits: bounds of a body that stores.
        denied: called with who asked for what they may not, the refusal and their address.
    """
    from fastapi import APIRouter

    made = APIRouter()
    door = _Door(site, person_of, limits or multipart.Limits(), denied)
    for path, level in (
        ("/studies", "STUDY"),
        ("/series", "SERIES"),
        ("/instances", "IMAGE"),
        (_STUDY + "/series", "SERIES"),
        (_STUDY + "/instances", "IMAGE"),
        (_SERIES + "/instances", "IMAGE"),
    ):
        made.add_route(path, door.guarded(partial(door.search, level)), methods=["GET"])
    for path in ("/studies", _STUDY, "/projects/{project}/studies"):
        made.add_route(path, door.guarded_async(door.store), methods=["POST"])
    for path in (_STUDY, _SERIES, _INSTANCE):
        made.add_route(path, door.guarded(door.whole), methods=["GET"])
        made.add_route(path + "/metadata", door.guarded(door.metadata), methods=["GET"])
        made.add_route(path + "/rendered", door.guarded(door.rendered), methods=["GET"])
        made.add_route(path + "/thumbnail", door.guarded(door.thumbnail), methods=["GET"])
    made.add_route(_FRAMES, door.guarded(door.frames), methods=["GET"])
    made.add_route(_FRAMES + "/rendered", door.guarded(door.rendered), methods=["GET"])
    made.add_route(_FRAMES + "/thumbnail", door.guarded(door.thumbnail), methods=["GET"])
    made.add_route(_INSTANCE + "/bulkdata/{path:path}", door.guarded(door.bulk), methods=["GET"])
    return made


class _Door:
    def __init__(self, site: Archive, person_of: PersonOf, limits: multipart.Limits, denied: Denied | None) -> None:
        self._site, self._person_of, self._limits, self._denied = site, person_of, limits, denied
        self._paging = Paging()

    # errors and identity

    def guarded(self, verb: Callable[[Request, Person], Response]) -> Callable[[Request], Awaitable[Response]]:
        """A plain function, run beside the event loop, with its errors said in the house's way."""
        from starlette.concurrency import run_in_threadpool

        async def answer(request: Request) -> Response:
            return await run_in_threadpool(verb, request, self._person(request))

        return self.guarded_async(answer, identified=True)

    def guarded_async(
        self, verb: Callable[..., Awaitable[Response]], *, identified: bool = False
    ) -> Callable[[Request], Awaitable[Response]]:
        """An async function with its errors said in the house's way."""

        from starlette.concurrency import run_in_threadpool

        async def endpoint(request: Request) -> Response:
            try:
                for name in ("study", "series", "instance"):
                    uid = request.path_params.get(name)
                    if uid is not None and not is_uid(uid):
                        raise NotFound(f"{name} of that UID", "a UID has digits and dots, at most 64", "search first")
                return await (verb(request) if identified else verb(request, self._person(request)))
            except IsocenterError as error:
                await run_in_threadpool(tell_denied, self._denied, request, error)
                return _refusal(error)
            except Exception as error:
                from starlette.requests import ClientDisconnect

                if isinstance(error, ClientDisconnect):
                    return _said(400, error_body("the client hung up", kind="Refused"))
                if type(error).__module__.startswith("isocenter."):
                    raise  # the outer guard counts bodies and answers itself
                reference = note(LOG, error, str(getattr(request.scope.get("route"), "path", "unknown address")))
                told = error_body(
                    f"the archive failed (error {reference})", "it was written to its log", kind="Failure"
                )
                return _said(500, told)

        return endpoint

    def _person(self, request: Request) -> Person:
        person = self._person_of(request)
        if person.role is Role.NONE:
            raise NobodyKnown("not signed in", "images are shown to known people and devices only", "sign in")
        request.state.who = person
        return person

    def _base(self, request: Request) -> str:
        path = request.url.path
        below = ("/projects/", "/studies", "/series", "/instances")
        cut = min((at for at in map(path.find, below) if at >= 0), default=len(path))
        server = request.scope.get("server") or ("", None)
        place = request.url.netloc
        if request.url.port is None and server[1] and request.url.hostname == server[0]:
            # Some clients leave the port out of Host; a proxy's name never equals our own address.
            place = f"{place}:{server[1]}"
        return f"{request.url.scheme}://{place}{path[:cut]}"

    # QIDO-RS

    def search(self, level: str, request: Request, who: Person) -> Response:
        from starlette.responses import Response

        said = wishes(request.headers.get("accept"), request.query_params.get("accept"))
        if not any(w.takes("application/dicom+json") or w.takes("application/json") for w in said):
            raise NotAcceptable(
                "None of the media types asked for", "searches are answered in application/dicom+json", ""
            )
        query = dicomweb_query.parse(request.query_params.multi_items())
        words = {"study": "StudyInstanceUID", "series": "SeriesInstanceUID"}
        fixed = {words[name]: uid for name, uid in request.path_params.items()}
        rows = dicomweb_query.search(self._site, level, query, fixed, self._base(request), who, self._paging)
        headers = {}
        warnings = [
            f"{path} is not matched here; that key was ignored" for path in dicomweb_query.unmatched(level, query)
        ]
        if rows and len(rows) == query.limit and not query.limited:
            warnings.append("there may be more rows; ask with offset")
        if warnings:
            headers["Warning"] = ", ".join(f'299 isocenter "{text}"' for text in warnings)
        body = json.dumps(rows, separators=(",", ":"), ensure_ascii=False).encode()
        return Response(body, headers=headers, media_type="application/dicom+json")

    # WADO-RS

    def _target(self, request: Request, who: Person) -> dicomweb_retrieve.Target:
        p = request.path_params
        return dicomweb_retrieve.find_target(
            self._site, who, self._base(request), p["study"], p.get("series"), p.get("instance")
        )

    def _answer(
        self,
        request: Request,
        who: Person,
        target: dicomweb_retrieve.Target,
        make: Callable[[], dicomweb_retrieve.Body],
    ) -> Response:
        """An answer with an entity tag, or 304 where the client has it already; streamed where it is long.

        Each piece of a stream waits for a thread, which takes longer than to make a header or a picture.
        """
        from starlette.responses import Response, StreamingResponse

        from isocenter.doors.while_they_may import WhileTheyMay, must_still_be

        asked = f"{request.url.path}?{request.url.query}|{request.headers.get('accept', '')}"
        tag = f'"{target.tag}-{_short(asked)}"'
        headers = {"ETag": tag, "Vary": "Accept", "Cache-Control": "private, no-cache"}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        body = make()
        if body.type.startswith(("application/dicom;", "application/octet-stream")):  # a browser opens neither
            headers["Content-Disposition"] = f'attachment; filename="{target.instances[0][1].sop_uid}"'
        begun: list[bytes] = []
        for piece in body.pieces:
            begun.append(piece)
            if sum(map(len, begun)) > _LONG:
                pieces = itertools.chain(begun, body.pieces)
                long = StreamingResponse(pieces, headers=headers, media_type=body.type)
                return WhileTheyMay(
                    long, lambda: must_still_be(who, self._person_of(request)),
                    told=partial(tell_denied, self._denied, request),
                )  # fmt: skip
        return Response(b"".join(begun), headers=headers, media_type=body.type)

    def _wishes(self, request: Request) -> list[Any]:
        return wishes(request.headers.get("accept"), request.query_params.get("accept"))

    def whole(self, request: Request, who: Person) -> Response:
        target = self._target(request, who)
        said = self._wishes(request)
        return self._answer(request, who, target, lambda: dicomweb_retrieve.whole(self._site, who, target, said))

    def metadata(self, request: Request, who: Person) -> Response:
        target = self._target(request, who)
        said = self._wishes(request)
        return self._answer(request, who, target, lambda: dicomweb_retrieve.metadata(self._site, who, target, said))

    def frames(self, request: Request, who: Person) -> Response:
        target = self._target(request, who)
        numbers = dicomweb_retrieve.frame_numbers(request.path_params["frames"])
        instance = target.instances[0][1]
        said = self._wishes(request)

        def make() -> dicomweb_retrieve.Body:
            data = self._site.instance(instance.sop_uid, who=who)
            return dicomweb_retrieve.frames(data, numbers, instance.transfer_syntax, said)

        return self._answer(request, who, target, make)

    def bulk(self, request: Request, who: Person) -> Response:
        target = self._target(request, who)
        instance = target.instances[0][1]
        said = self._wishes(request)

        def make() -> dicomweb_retrieve.Body:
            data = self._site.instance(instance.sop_uid, who=who)
            return dicomweb_retrieve.bulk(data, request.path_params["path"], instance.transfer_syntax, said)

        return self._answer(request, who, target, make)

    def rendered(self, request: Request, who: Person) -> Response:
        return self._picture(request, who, dicomweb_rendered.asked(request.query_params), self._wishes(request))

    def thumbnail(self, request: Request, who: Person) -> Response:
        """One small picture, whatever is named (PS3.18 section 10.4.1.1.5)."""
        picture = dicomweb_rendered.asked({"viewport": "128,128", **request.query_params})
        said = [replace(wish, many=False) for wish in self._wishes(request)]
        return self._picture(request, who, replace(picture, enlarge=False), said, first=True)

    def _picture(
        self, request: Request, who: Person, picture: dicomweb_rendered.Picture, said: list[Any], *, first: bool = False
    ) -> Response:
        target = self._target(request, who)
        named = request.path_params.get("frames")
        numbers = None if named is None else dicomweb_retrieve.frame_numbers(named)
        numbers = numbers[:1] if numbers and first else numbers
        dicomweb_rendered.type_of(said)
        return self._answer(
            request,
            who,
            target,
            lambda: dicomweb_rendered.pictures(self._site, who, target, numbers, picture, said),
        )

    # STOW-RS

    async def store(self, request: Request, who: Person) -> Response:
        from starlette.concurrency import run_in_threadpool

        said = wishes(request.headers.get("accept"))
        if not any(w.takes("application/dicom+json") or w.takes("application/json") for w in said):
            raise NotAcceptable("None of the media types asked for", "the answer is application/dicom+json", "")
        base, study = self._base(request), request.path_params.get("study")
        project = request.path_params.get("project", "")
        with Storing(self._site, who, who.name, base, study, project) as storing:
            broken: IsocenterError | None = None
            kept: asyncio.Task[None] | None = None
            try:
                async for data in self._files(request):
                    full = storing.add(data)
                    if full or (storing.worth and (kept is None or kept.done())):
                        if kept is not None:
                            await kept
                            storing.must_be_worth()
                        kept = asyncio.create_task(run_in_threadpool(storing.keep, storing.batch()))
            except (NotWhole, LimitReached) as error:
                broken = error
            finally:
                if kept is not None:
                    await kept
            await run_in_threadpool(storing.keep, storing.batch())
        if broken is not None:
            # What came whole before the break is stored and said so; a body with nothing whole in it is refused.
            if not storing.stored and not storing.failed:
                raise broken
            storing.refuse(broken)
        if not storing.stored and not storing.failed and not storing.unnamed:
            raise Refused("a body without a single file", "there was nothing to store", "send DICOM files as parts")
        return _said(storing.status, storing.answer(), "application/dicom+json")

    async def _files(self, request: Request) -> AsyncIterator[bytes | bytearray]:
        kind, params = multipart.content_type(request.headers.get("content-type", ""))
        if kind == "application/dicom":
            body = bytearray()
            async for chunk in request.stream():
                body += chunk
                if len(body) > self._limits.part:
                    raise LimitReached(f"A file over {self._limits.part} bytes", "one may not be larger", "")
            yield body
            return
        if kind != "multipart/related" or params.get("type", "application/dicom").lower() != "application/dicom":
            raise _Unsupported(
                "a body of another type",
                'files are taken as multipart/related; type="application/dicom", or one as application/dicom',
                "set Content-Type",
            )
        async for part in multipart.read(request.stream(), multipart.boundary_of(params), self._limits):
            yield part.data


def _refusal(error: IsocenterError) -> Response:
    kind = type(error).__name__.lstrip("_")
    status = status_of(error)
    headers = {}
    if isinstance(error, NotAcceptable):
        status = 406
    elif isinstance(error, _Unsupported):
        status = 415
    elif isinstance(error, NobodyKnown):
        status, kind = 401, "Forbidden"
        headers["WWW-Authenticate"] = 'Basic realm="Isocenter"'
    return _said(status, error_body(error.what, error.why, error.do, kind=kind), headers=headers)


def _said(
    status: int, body: Mapping[str, Any], media: str = "application/json", *, headers: Mapping[str, str] | None = None
) -> Response:
    from starlette.responses import Response

    return Response(json.dumps(body).encode(), status, dict(headers or {}), media_type=media)


def _short(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()[:12]
