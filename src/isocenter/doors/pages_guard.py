"""What stands between the network and the pages: names, origins, sizes, headers, and errors that tell no secrets.

It is plain ASGI, one layer around everything (DICOMweb and the event stream included): a body is counted while it
flows, and a stream stays a stream.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException

from isocenter.doors.faults import note
from isocenter.doors.pages_pace import Pace
from isocenter.doors.pages_refusal import written
from isocenter.doors.while_they_may import BrokenOff
from isocenter.errors import (
    Conflict,
    Damaged,
    Forbidden,
    IsocenterError,
    LimitReached,
    MissingPart,
    NoAnswer,
    NotFound,
    Refused,
    Unavailable,
    WrongState,
)

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from isocenter.doors.pages_figures import Figures

__all__ = ["COOKIE", "CSP", "ENDED", "LOOPBACK", "Guard", "TooLarge", "error_body", "status_of"]

CSP = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
"""What a page may load: itself only. 'wasm-unsafe-eval' lets the image codecs (JPEG 2000, JPEG-LS, HTJ2K) compile."""

COOKIE = "isocenter"
"""The cookie of a session; under TLS with ``__Host-`` before it."""

ENDED = ("clear-site-data", '"cache", "storage"')
"""With the end of a session a browser drops the pages that it kept and what they stored."""

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""Names that never leave this machine."""

_HEADERS = (
    ("content-security-policy", CSP),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
)
_ONLY_TLS = (("strict-transport-security", "max-age=31536000"),)
_PROVES_ITSELF = frozenset({"/sign-in/oidc/ended"})
"""Where a program writes that brings neither cookie nor authorization, but a signed token in what it writes."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_STATUS: tuple[tuple[type[IsocenterError], int], ...] = (
    (Conflict, 409),
    (WrongState, 409),
    (Damaged, 500),
    (NotFound, 404),
    (Forbidden, 403),
    (LimitReached, 413),
    (MissingPart, 503),
    (NoAnswer, 502),
    (Unavailable, 507),
    (Refused, 400),
)
_log = logging.getLogger("isocenter.pages")


def status_of(error: IsocenterError) -> int:
    """The HTTP status of a refusal.

    >>> status_of(NotFound("no such study"))
    404
    """
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def error_body(what: str, why: str = "", do: str = "", *, kind: str, event: str = "") -> dict[str, Any]:
    """The one JSON shape of every error; `event` is the number under which the log has a fault of ours."""
    told = {"what": what, "why": why, "do": do, "kind": kind}
    return {"error": {**told, "event": event} if event else told}


class Guard:
    """The outer layer.

    Args:
        app: what it guards.
        names: host names, beside loopback, under which browsers may reach the server. A page of a stranger whose name
            was made to point to this machine (DNS rebinding) carries the stranger's name, and is refused.
        largest: bytes that a body may have.
        largest_under: for addresses beginning so, another limit (images are larger than decisions).
        figures: where answers are counted.
        pace: how many requests an address may make.
        most_bodies: images and files that may be coming in at the same time; whoever comes then is told to come again.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        names: Collection[str],
        largest: int,
        largest_under: Iterable[tuple[str, int]] = (),
        figures: Figures,
        pace: Pace | None = None,
        most_bodies: int = 32,
    ) -> None:
        self._app = app
        self._bodies, self._most_bodies = 0, most_bodies
        self._names = LOOPBACK | {n.lower() for n in names}
        self._largest, self._largest_under = largest, tuple(largest_under)
        self._figures, self._pace = figures, pace or Pace(0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, guarded."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        answer = _Answer(
            send,
            scope,
            private=not str(scope["path"]).startswith("/assets/"),
            tls=scope.get("scheme") == "https",
            signed_in=_has_session(scope),
        )
        try:
            wait_s = self._pace.wait_s(scope["client"][0] if scope.get("client") else "")
            refusal = self._refusal(scope)
            if wait_s:
                await answer.refuse(429, _too_often(wait_s), (b"retry-after", str(wait_s).encode()))
            elif refusal:
                await answer.refuse(*refusal)
            elif scope["method"] in _SAFE or self._limit(scope) <= self._largest:
                await self._app(scope, _Counted(receive, self._limit(scope)), answer)
            elif self._bodies >= self._most_bodies:
                await answer.refuse(*_busy(self._bodies), (b"retry-after", b"2"))
            else:
                self._bodies += 1
                try:
                    await self._app(scope, _Counted(receive, self._limit(scope)), answer)
                finally:
                    self._bodies -= 1
        except BrokenOff:
            pass  # the connection is closed before the answer is whole
        except Exception as error:
            await answer.refuse(500, _ours(error, scope))
        finally:
            self._figures.answered(scope, answer.status, time.perf_counter() - begun)

    def _refusal(self, scope: Scope) -> tuple[int, dict[str, Any]] | None:
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        host = headers.get("host", "")
        if _name(host) not in self._names:
            return 421, error_body(
                "this server does not answer to that host name",
                "a stranger's page could otherwise reach it through your browser",
                "use localhost, or add the name to the setting 'names'",
                kind="Refused",
            )
        alone = scope["path"] in _PROVES_ITSELF and "origin" not in headers
        if scope["method"] not in _SAFE and not alone and not _same_origin(headers, host):
            return 403, error_body(
                "this write does not come from a page of this server",
                "a stranger's page could otherwise act in your name",
                "use the pages themselves, or send the header Origin of this server, or Authorization",
                kind="Forbidden",
            )
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._limit(scope):
            return _too_large(length, self._limit(scope))
        return None

    def _limit(self, scope: Scope) -> int:
        path = str(scope["path"])
        return next((n for begin, n in self._largest_under if path.startswith(begin)), self._largest)


class TooLarge(HTTPException):
    """A body grew beyond its limit while it was read. Whoever reads the body lets it pass, and 413 is answered."""


class _Counted:
    """The incoming body, counted: a length that lies, or none at all, does not get past the limit."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive, self._left = receive, limit

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                raise TooLarge(413)
        return message


class _Answer:
    """The outgoing answer: the headers that every answer carries, and what its status was."""

    def __init__(self, send: Send, scope: Scope, *, private: bool, tls: bool, signed_in: bool) -> None:
        self._scope = scope
        self._send, self._private, self._tls, self._signed_in = send, private, tls, signed_in
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            headers = [(k, v) for k, v in message.get("headers", ()) if k.lower() != b"server"]
            named = {k.lower() for k, _ in headers}
            more = ((("cache-control", "no-store"),) if self._private else ()) + (_ONLY_TLS if self._tls else ())
            if self.status == 401 and self._signed_in:  # the browser's session has ended, by itself or by others
                more += (ENDED,)
            for name, value in (*_HEADERS, *more):
                if name.encode() not in named:
                    headers.append((name.encode(), value.encode()))
            message = {**message, "headers": headers}
        await self._send(message)

    async def refuse(self, status: int, body: dict[str, Any], *more: tuple[bytes, bytes]) -> None:
        """Answer with an error, unless an answer has begun: then nothing true can be added to it."""
        if self.status:
            return
        kind, data = written(self._scope, status, body)
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(data)).encode()), *more]
        await self({"type": "http.response.start", "status": status, "headers": headers})
        await self({"type": "http.response.body", "body": data})


def _too_often(wait_s: int) -> dict[str, Any]:
    return error_body(
        "more requests than one address may make", "others want to be answered, too", f"try again in {wait_s} s",
        kind="TooOften",
    )  # fmt: skip


def _busy(bodies: int) -> tuple[int, dict[str, Any]]:
    return 503, error_body(
        f"{bodies} bodies with images are coming in already", "more would not fit into the memory",
        "send it again in a few seconds", kind="Unavailable",
    )  # fmt: skip


def _too_large(length: str, limit: int) -> tuple[int, dict[str, Any]]:
    size = f"{int(length)} bytes" if length.isdecimal() and len(length) < 20 else "a length that is no number"
    return 413, error_body(
        f"a body of {size}", f"at most {limit} bytes are taken at once", "send it in parts", kind="LimitReached"
    )


def _ours(error: Exception, scope: Scope) -> dict[str, Any]:
    """An error that is our fault: the log says where in the code, and neither log nor answer says what was in hand."""
    number = note(_log, error, str(getattr(scope.get("route"), "path", "unknown address")))
    return error_body(
        f"something went wrong on the server (error {number})",
        "this is our fault, not yours; nothing that was acknowledged is lost",
        "try again; if it stays, give this number to whoever runs the server",
        kind="Error",
        event=number,
    )


def _has_session(scope: Scope) -> bool:
    """Whether the browser believes that somebody is signed in."""
    kept = [part.strip() for k, v in scope["headers"] if k.lower() == b"cookie" for part in v.split(b";")]
    return any(part.removeprefix(b"__Host-").startswith(COOKIE.encode() + b"=") for part in kept)


def _name(host: str) -> str:
    """The name in a Host header, without its port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _same_origin(headers: dict[str, str], host: str) -> bool:
    """Whether a write comes from our own page, or from a program that is no browser and says who it is.

    Browsers name the origin of every write. One that names none is a program; it has no cookie that a stranger's page
    could use, and has to bring its own authorization.
    """
    origin = headers.get("origin")
    if origin is None:
        return "authorization" in headers
    scheme, _, name = origin.partition("://")
    return scheme in ("http", "https") and name.lower() == host.lower()
