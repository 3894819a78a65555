"""UPS-RS: work items over HTTP (PS3.18 chapter 11), in the DICOM JSON model, with their events over a WebSocket.

A step that an item does not take is 409 with the standard's reason in a Warning header; of many who claim an item at
once one hears 200 and the others 409.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from isocenter.dicom.model import Model, encode, first
from isocenter.doors.denying import Denied, NobodyKnown, tell_denied
from isocenter.doors.faults import note
from isocenter.doors.pages_guard import error_body, status_of
from isocenter.doors.part10 import is_uid
from isocenter.errors import IsocenterError, LimitReached, NotFound, Refused
from isocenter.govern.policy import Person, Role
from isocenter.record.order import study_uid_of
from isocenter.site.working import ALL, FILTERED, Report, Working
from isocenter.site.workitem import STATE, NotNow

if TYPE_CHECKING:
    from fastapi import APIRouter
    from starlette.requests import HTTPConnection, Request
    from starlette.responses import Response
    from starlette.websockets import WebSocket

__all__ = ["event_message", "keys_of", "router"]

LOG: Final = logging.getLogger("isocenter.doors.workitems")
_LARGEST: Final = 4 * 2**20
_DEEPEST: Final = 16
_PAGE: Final = 1000
_EVENT_CLASS: Final = "1.2.840.10008.5.1.4.34.6.4"
_TRANSACTION: Final = "00081195"
_JSON: Final = "application/dicom+json"
PersonOf = Callable[[Any], Person]


def router(working: Working, person_of: PersonOf, *, every_s: float = 0.25, denied: Denied | None = None) -> APIRouter:
    """The routes of work items, to be mounted under ``/dicom-web``.

    Args:
        person_of: who asks.
        every_s: how often the journal is looked at for a watcher.
        denied: called with who asked for what they may not, the refusal and their address.
    """
    from fastapi import APIRouter

    made = APIRouter()
    door = _Door(working, person_of, every_s, denied)
    one = "/workitems/{uid}"
    for path, method, verb in (
        ("/workitems", "POST", door.create),
        ("/workitems", "GET", door.search),
        (one, "GET", door.retrieve),
        (one, "POST", door.update),
        (one + "/state", "PUT", door.state),
        (one + "/cancelrequest", "POST", door.cancel),
        (one + "/subscribers/{aet}", "POST", door.subscribe),
        (one + "/subscribers/{aet}", "DELETE", door.unsubscribe),
        (one + "/subscribers/{aet}/suspend", "POST", door.suspend),
    ):
        made.add_route(path, door.guarded(verb), methods=[method])
    made.add_websocket_route("/subscribers/{aet}", door.listen)
    return made


class _Door:
    def __init__(self, working: Working, person_of: PersonOf, every_s: float, denied: Denied | None) -> None:
        self._working, self._person_of, self._every_s, self._denied = working, person_of, every_s, denied

    def guarded(
        self, verb: Callable[[Request, bytes, Person], Response]
    ) -> Callable[[Request], Awaitable[Response]]:  # fmt: skip
        from starlette.concurrency import run_in_threadpool

        async def endpoint(request: Request) -> Response:
            try:
                who = await run_in_threadpool(self._who, request)
                uid = request.path_params.get("uid", "")
                if uid and not is_uid(uid):
                    raise NotFound(
                        "a work item of that UID", "a UID has digits and dots, at most 64", "correct the UID"
                    )
                body = bytearray()
                async for piece in request.stream():
                    body += piece
                    if len(body) > _LARGEST:
                        raise LimitReached(f"a body over {_LARGEST} bytes", "no work item is so large", "")
                return await run_in_threadpool(verb, request, bytes(body), who)
            except NotNow as error:
                return _said(409, error_body(error.what, error.why, error.do, kind="WrongState"), _warned(error))
            except IsocenterError as error:
                await run_in_threadpool(tell_denied, self._denied, request, error)
                headers = {"WWW-Authenticate": 'Basic realm="Isocenter"'} if isinstance(error, NobodyKnown) else {}
                status = 401 if headers else status_of(error)
                kind = type(error).__name__.lstrip("_")
                return _said(status, error_body(error.what, error.why, error.do, kind=kind), headers)
            except Exception as error:
                number = note(LOG, error, str(getattr(request.scope.get("route"), "path", "unknown address")))
                return _said(500, error_body(f"the archive failed (error {number})", kind="Failure"))

        return endpoint

    def _who(self, request: HTTPConnection) -> Person:
        person = self._person_of(request)
        if person.role is Role.NONE:
            raise NobodyKnown("not signed in", "work items are for known people and devices only", "sign in")
        request.state.who = person
        return person

    # ---- acts

    def create(self, request: Request, body: bytes, who: Person) -> Response:
        told = _model(body)
        # The UID is the whole query, a parameter, or in the item itself (PS3.18 11.4.1).
        query = request.url.query
        named = query if is_uid(query) else request.query_params.get("workitem", "")
        uid = named or first(told, "00080018") or study_uid_of(who.name, body.decode("utf-8", "replace"))
        if not is_uid(uid):
            raise Refused("a work item whose UID is none", "a UID has digits and dots, at most 64", "correct the UID")
        self._working.create(uid, told, who=who)
        return _said(201, None, {"Location": f"{request.url.path}/{uid}"})

    def update(self, request: Request, body: bytes, who: Person) -> Response:
        told = _model(body)
        query = request.url.query
        transaction = (query if is_uid(query) else request.query_params.get("transaction-uid", "")) or first(
            told, _TRANSACTION
        )
        told.pop(_TRANSACTION, None)
        self._working.update(request.path_params["uid"], told, transaction, who=who)
        return _said(200, None)

    def state(self, request: Request, body: bytes, who: Person) -> Response:
        told = _model(body)
        uid = request.path_params["uid"]
        self._working.change_state(uid, first(told, STATE), first(told, _TRANSACTION), who=who)
        return _said(200, None)

    def cancel(self, request: Request, body: bytes, who: Person) -> Response:
        told = _model(body) if body.strip() else {}
        self._working.request_cancel(request.path_params["uid"], told, who=who)
        return _said(202, None)

    # ---- asking

    def retrieve(self, request: Request, body: bytes, who: Person) -> Response:
        return _said(200, [self._working.item(request.path_params["uid"], who=who).model])

    def search(self, request: Request, body: bytes, who: Person) -> Response:
        keys, include, limit, offset = keys_of(request.query_params.multi_items())
        found = self._working.search(keys, who=who)
        page = found[offset : offset + limit]
        if include is not None:
            wanted = {*_ALWAYS, *keys, *include}
            page = [{tag: element for tag, element in one.items() if tag in wanted} for one in page]
        if not page:
            return _said(204, None)
        headers = {"Warning": '299 isocenter "there may be more items; ask with offset"'}
        return _said(200, page, headers if len(found) > offset + limit else {})

    # ---- watching

    def _watch(self, request: Request, who: Person, **how: Any) -> Response:
        uid, aet = request.path_params["uid"], request.path_params["aet"]
        self._working.watch(uid, aet, who=who, **how)
        place = f"{'wss' if request.url.scheme == 'https' else 'ws'}://{request.url.netloc}"
        base = request.url.path.partition("/workitems/")[0]
        return _said(
            201 if how.get("on", True) else 200, None, {"Content-Location": f"{place}{base}/subscribers/{aet}"}
        )

    def subscribe(self, request: Request, body: bytes, who: Person) -> Response:
        lock = request.query_params.get("deletionlock", "false") == "true"
        keys = None
        if request.path_params["uid"] == FILTERED:
            asked = [(n, v) for n, v in request.query_params.multi_items() if n not in ("deletionlock", "filter")]
            asked += [tuple(p.split("=", 1)) for p in request.query_params.get("filter", "").split(",") if "=" in p]  # type: ignore[misc]
            keys = keys_of(asked)[0]
        return self._watch(request, who, lock=lock, keys=keys)

    def unsubscribe(self, request: Request, body: bytes, who: Person) -> Response:
        return self._watch(request, who, on=False)

    def suspend(self, request: Request, body: bytes, who: Person) -> Response:
        return self._watch(request, who, suspend=True)

    async def listen(self, socket: WebSocket) -> None:
        """Events of one subscriber in the journal's order: from now on, or from `since`, a number of the journal.

        It ends when the program leaves, or is signed out, or may no longer listen.
        """
        from starlette.concurrency import run_in_threadpool

        origin, host = socket.headers.get("origin"), socket.headers.get("host", "")
        try:
            who = await run_in_threadpool(self._who, socket)
            self._working.watchers(ALL, who=who)  # asks the policy
        except IsocenterError as error:
            await run_in_threadpool(tell_denied, self._denied, socket, error)
            await socket.close(4401)
            return
        if origin is not None and origin.partition("://")[2].lower() != host.lower():
            await socket.close(4403)  # a stranger's page could otherwise listen with this person's cookie
            return
        since = socket.query_params.get("since", "")
        at = int(since) if since.isdecimal() and len(since) < 12 else await run_in_threadpool(self._working.head)
        await socket.accept()
        gone = asyncio.ensure_future(_until_gone(socket))
        try:
            await self._tell(socket, at, gone, who)
        finally:
            gone.cancel()

    async def _tell(self, socket: WebSocket, at: int, gone: asyncio.Future[None], who: Person) -> None:
        from starlette.concurrency import run_in_threadpool

        aet, number = socket.path_params["aet"], 0
        while not gone.done():
            if await run_in_threadpool(self._is_still, socket, who):
                reports, at = await run_in_threadpool(self._working.reports, at)
            else:
                await socket.close(4401)
                return
            for report in reports:
                if aet in report.watchers and self._working.holds(report.uid, who):
                    number = number % 65535 + 1
                    await socket.send_text(json.dumps(event_message(report, number), ensure_ascii=False))
            if not reports:
                await asyncio.wait([gone], timeout=self._every_s)

    def _is_still(self, socket: WebSocket, who: Person) -> bool:
        try:
            return self._who(socket) == who
        except IsocenterError:
            return False


async def _until_gone(socket: WebSocket) -> None:
    from starlette.websockets import WebSocketDisconnect

    try:
        while (await socket.receive())["type"] != "websocket.disconnect":
            pass
    except (WebSocketDisconnect, RuntimeError):
        pass


_ALWAYS: Final = ("00080016", "00080018", STATE, "00741200", "00741204", "00404005", "00100010", "00100020")


def event_message(report: Report, number: int) -> Model:
    """An event as it goes over the WebSocket (PS3.18 11.13)."""
    return {
        "00000002": {"vr": "UI", "Value": [_EVENT_CLASS]}, "00000110": {"vr": "US", "Value": [number]},
        "00001000": {"vr": "UI", "Value": [report.uid]}, "00001002": {"vr": "US", "Value": [report.event_type]},
        **report.model,
    }  # fmt: skip


def keys_of(params: Sequence[tuple[str, str]]) -> tuple[Model, list[str] | None, int, int]:
    """The query part of a search: matching keys, attributes to include (None for all), limit and offset.

    >>> keys_of([("00741000", "SCHEDULED"), ("ScheduledStationNameCodeSequence.CodeValue", "CT1")])[0]["00404025"]
    {'vr': 'SQ', 'Value': [{'00080100': {'vr': 'SH', 'Value': ['CT1']}}]}

    Raises:
        Refused: an attribute that DICOM does not have, or a number that is none.
    """
    keys: Model = {}
    include: list[str] | None = []
    limit, offset = _PAGE, 0
    for name, value in params:
        if name in ("limit", "offset"):
            if not value.isdecimal() or len(value) > 9:
                raise Refused(f"{name}={value[:20]!a}", "it is no whole number", "")
            limit, offset = (min(int(value), _PAGE), offset) if name == "limit" else (limit, int(value))
        elif name == "includefield":
            for one in value.split(","):
                if one.strip() == "all":
                    include = None
                elif include is not None:
                    include.append(_tag(one.strip())[0])
        elif name not in ("fuzzymatching", "accept"):
            _put(keys, name.split("."), value)
    return keys, include, limit, offset


def _put(keys: Model, names: Sequence[str], value: str) -> None:
    tag, vr = _tag(names[0])
    if len(names) > _DEEPEST:
        raise Refused("A search nested deeper than 16", "no work item is", "ask for fewer levels")
    if len(names) == 1:
        if vr == "SQ":
            raise Refused(f"{names[0][:60]!a} with a value", "it is a sequence", "name an attribute within it")
        values: list[Any] = value.replace(",", "\\").split("\\") if vr == "UI" else [value]
        keys[tag] = (
            {"vr": vr, "Value": [{"Alphabetic": v} if vr == "PN" else v for v in values]} if value else {"vr": vr}
        )
        return
    inner = keys.setdefault(tag, {"vr": "SQ", "Value": [{}]})
    _put(inner["Value"][0], names[1:], value)


def _tag(name: str) -> tuple[str, str]:
    from pydicom.datadict import dictionary_VR, tag_for_keyword

    number = int(name, 16) if len(name) == 8 and not set(name.upper()) - set("0123456789ABCDEF") else None
    tag = number if number is not None else tag_for_keyword(name)
    try:
        if tag is None or int(tag) < 0x00080000:
            raise KeyError(name)
        return f"{int(tag):08X}", dictionary_VR(int(tag)).split(" ")[0]
    except KeyError:
        raise Refused(f"Attribute {name[:60]!a}", "DICOM has none of that name", "use a keyword or a tag") from None


def _model(body: bytes) -> Model:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused("a body that is no JSON", "work items are told in application/dicom+json", "") from None
    if isinstance(told, list) and len(told) == 1:
        told = told[0]
    _must_be_model(told, 0)
    encode(told, "1.2.840.10008.1.2.1")  # what cannot be written could not be given to a DIMSE peer either
    made: Model = dict(told)
    return made


def _must_be_model(told: Any, depth: int) -> None:
    if not isinstance(told, Mapping) or depth > _DEEPEST:
        raise Refused("a body that is no data set", "one object of the DICOM JSON model is taken", "")
    for tag, element in told.items():
        if len(tag) != 8 or set(tag) - set("0123456789ABCDEF") or not isinstance(element, Mapping):
            raise Refused(f"{tag[:20]!a}", "it is no element of the DICOM JSON model", "tags have eight digits")
        values = element.get("Value", [])
        if not isinstance(values, list) or not isinstance(element.get("vr"), str):
            raise Refused(f"element {tag}", "it has no vr, or a Value that is no list", "")
        for value in values:
            if element["vr"] == "SQ":
                _must_be_model(value, depth + 1)
            elif isinstance(value, list) or (isinstance(value, Mapping) and element["vr"] != "PN"):
                raise Refused(f"element {tag}", "a value of it is no plain value", "")


def _warned(error: NotNow) -> dict[str, str]:
    plain = "".join(c if " " <= c <= "~" and c not in '"\\' else " " for c in error.what)
    return {"Warning": f'299 isocenter "{error.code:04X} {plain}"'}


def _said(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Response:
    from starlette.responses import Response

    media = _JSON if isinstance(body, list) else "application/json"
    data = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
    return Response(data, status, dict(headers or {}), media_type=media if data else None)
