"""The coordinator's door: HTTPS at which only sites with a certificate of the federation's authority are heard.

Who calls is read from the certificate of the connection, never from what is said. Weights and updates are safetensors
in pieces, so that a broken line goes on where it broke; every byte of a body is counted for its round.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from pathlib import Path as File
from typing import TYPE_CHECKING, Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect
from uvicorn.protocols.http.h11_impl import H11Protocol

from isocenter.doors.pages_guard import error_body, status_of
from isocenter.errors import Forbidden, IsocenterError, LimitReached, NotWhole, Refused, Unavailable
from isocenter.govern.identities import AUTHORITY, CERTIFICATE, KEY

if TYPE_CHECKING:
    from isocenter.learn.federation_rounds import Rounds

__all__ = ["PIECE", "Door", "application"]

PIECE = 2**20
"""Bytes of weights or of an update that go at once."""


class _Known(H11Protocol):
    """Keeps the name of the certificate with the connection."""

    def connection_made(self, transport: Any) -> None:
        held = transport.get_extra_info("ssl_object")
        certificate = held.getpeercert() if held is not None else None
        names = [v for part in (certificate or {}).get("subject", ()) for k, v in part if k == "commonName"]
        self.app_state = {**self.app_state, "site": names[0] if len(names) == 1 else ""}
        super().connection_made(transport)

    def shutdown(self) -> None:
        """End at once where nothing is under way: a site between two calls does not answer TLS's goodbye."""
        super().shutdown()
        if self.transport.is_closing() and not self.transport.get_write_buffer_size():
            self.transport.abort()


def _site(request: Request) -> str:
    name = str(getattr(request.state, "site", ""))
    if not name:
        raise Forbidden("a caller without a certificate", "only sites of this federation are heard",
                        "ask whoever keeps the authority")  # fmt: skip
    return name


async def _body(request: Request) -> bytes:
    data = bytearray()
    try:
        async for piece in request.stream():
            data += piece
            if len(data) > PIECE + 2**16:
                raise LimitReached(f"a body over {PIECE + 2**16} bytes", "so much is not taken at once", "send pieces")
    except ClientDisconnect:  # nobody hears this; the site goes on with this piece once the line stands again
        raise NotWhole(f"a body that broke off after {len(data)} bytes", "the line was cut", "send it again") from None
    return bytes(data)


Site = Annotated[str, Depends(_site)]
Body = Annotated[bytes, Depends(_body)]
Number = Annotated[int, Path(ge=1, le=10**9)]


def _told(data: bytes) -> dict[str, Any]:
    try:
        told = json.loads(data)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise Refused("a body that is no JSON table", "it cannot be read", "use the same version")
    return told


def application(rounds: Rounds) -> FastAPI:
    """The federation's calls over a run; whoever starts it sees to the certificates."""
    app = FastAPI(title="Isocenter federation", docs_url=None, redoc_url=None, openapi_url=None)

    def answered(site: str, received: int, told: Any) -> Response:
        data = json.dumps(told).encode()
        rounds.traffic(site, received, len(data))
        return Response(data, media_type="application/json")

    @app.exception_handler(IsocenterError)
    async def refused(request: Request, error: IsocenterError) -> JSONResponse:
        body = error_body(error.what, error.why, error.do, kind=type(error).__name__)
        return JSONResponse(body, status_of(error))

    @app.get("/federation")
    def agreement(site: Site) -> Response:
        return answered(site, 0, rounds.terms())

    @app.post("/federation/join")
    def join(site: Site, body: Body) -> Response:
        return answered(site, len(body), rounds.join(site, _told(body)))

    @app.post("/federation/leave")
    def leave(site: Site, body: Body) -> Response:
        rounds.leave(site, str(_told(body).get("why", "")))
        return answered(site, len(body), {"left": True})

    @app.get("/federation/now")
    def now(site: Site) -> Response:
        return answered(site, 0, rounds.now(site))

    @app.post("/federation/sums/{number}/{step}")
    def answer(number: Number, step: Annotated[str, Path(max_length=20)], site: Site, body: Body) -> Response:
        rounds.traffic(site, len(body), 0)  # before the answer may end the round
        rounds.answer(site, number, step, _told(body))
        return answered(site, 0, {"taken": step})

    @app.put("/federation/sums/{number}/update")
    def piece(number: Number, site: Site, body: Body, offset: Annotated[int, Query(ge=0, le=2**40)] = 0) -> Response:
        return answered(site, len(body), {"held": rounds.chunk(site, number, offset, body)})

    @app.get("/federation/weights/{digest}")
    def weights(
        digest: Annotated[str, Path(pattern="^[0-9a-f]{64}$")], site: Site,
        offset: Annotated[int, Query(ge=0, le=2**40)] = 0,
    ) -> Response:  # fmt: skip
        data = rounds.weights(digest, offset, PIECE, site)
        rounds.traffic(site, 0, len(data))
        return Response(data, media_type="application/octet-stream")

    return app


class Door:
    """The server, in a thread of its own.

    Args:
        identity: folder of the coordinator's certificate.
        host, port: where it listens; port 0 takes a free one.

    Raises:
        Unavailable: the port is taken, or it did not start.
    """

    def __init__(self, rounds: Rounds, identity: File, host: str, port: int) -> None:
        self._held = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._held.bind((host, port))
        except OSError as taken:
            self._held.close()
            raise Unavailable(f"port {port} on {host}", f"it cannot be opened ({taken.strerror})",
                              "give another port with --port") from taken  # fmt: skip
        self.port = int(self._held.getsockname()[1])
        config = uvicorn.Config(
            application(rounds), http=_Known, log_level="warning", access_log=False, lifespan="off",
            timeout_graceful_shutdown=2, ssl_keyfile=identity / KEY, ssl_certfile=identity / CERTIFICATE,
            ssl_ca_certs=str(identity / AUTHORITY), ssl_cert_reqs=ssl.CERT_REQUIRED,
        )  # fmt: skip
        config.load()
        if config.ssl is not None:
            config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._held],), name="federation", daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 30
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise Unavailable("the federation's server", "it did not start", "see the lines above")
            time.sleep(0.01)

    def close(self) -> None:
        """Stop listening."""
        self._server.should_exit = True
        self._thread.join(5)
        self._held.close()
