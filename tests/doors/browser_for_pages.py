"""A browser without a screen: it speaks to an application in memory, keeps cookies, and names its origin on writes."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import anyio
import httpx


class Browser:
    """One browser at one address.

    Args:
        app: the ASGI application.
        host: the name by which it is reached.
        address: where the browser itself is.
        bearer: a token, for a program instead of a browser.
    """

    def __init__(
        self, app: Any, *, host: str = "localhost", address: str = "192.0.2.1", bearer: str = "", scheme: str = "http"
    ) -> None:
        self.app, self.host, self.address, self.scheme = app, host, address, scheme
        self.cookies = httpx.Cookies()
        self.headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}

    def ask(self, method: str, path: str, *, origin: str | None = "same", **rest: Any) -> httpx.Response:
        """One request; writes carry this server's own origin unless another (or None) is given."""
        headers = {**self.headers, **rest.pop("headers", {})}
        if method not in ("GET", "HEAD") and origin is not None:
            headers["Origin"] = f"{self.scheme}://{self.host}" if origin == "same" else origin

        async def go() -> httpx.Response:
            # An exception that the application lets through is an error of the application: the test shall see it.
            transport = httpx.ASGITransport(self.app, client=(self.address, 40000))
            async with httpx.AsyncClient(
                transport=transport, base_url=f"{self.scheme}://{self.host}", cookies=self.cookies
            ) as client:
                answer = await client.request(method, path, headers=headers, **rest)
                self.cookies = client.cookies
                return answer

        return anyio.run(go)

    def get_each(self, asked: list[tuple[str, dict[str, str]]]) -> list[httpx.Response]:
        """What each address answers to its own headers, one after the other on one connection: for hundreds of them."""

        async def go() -> list[httpx.Response]:
            return [await self._got(path, headers) for path, headers in asked]

        return anyio.run(go)

    async def _got(self, address: str, headers: dict[str, str]) -> httpx.Response:
        """The application's own answer, without a client between: that is a third of the time of such a request."""
        path, _, query = address.partition("?")
        told = {"Host": self.host, "Accept": "*/*", "User-Agent": "test", **self.headers, **headers}
        if len(self.cookies):
            told["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": self.scheme,
            "path": unquote(path), "raw_path": path.encode("ascii"), "query_string": query.encode("ascii"),
            "root_path": "", "client": (self.address, 40000), "server": (self.host, None),
            "headers": [(name.lower().encode(), value.encode()) for name, value in told.items()],
        }  # fmt: skip
        begun: dict[str, Any] = {}
        ended, body = anyio.Event(), bytearray()
        sent = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> dict[str, Any]:
            for one in sent:
                return one
            await ended.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                begun.update(message)
            else:
                body.extend(message.get("body", b""))
                if not message.get("more_body", False):
                    ended.set()

        await self.app(scope, receive, send)  # an exception that it lets through is its error: the test shall see it
        assert ended.is_set(), f"{address}: no answer"
        answer = httpx.Response(begun["status"], headers=begun["headers"], content=bytes(body))
        assert "set-cookie" not in answer.headers, f"{address}: ask for it by itself, cookies are kept there"
        return answer

    def get(self, path: str, **rest: Any) -> httpx.Response:
        return self.ask("GET", path, **rest)

    def post(self, path: str, json: Any = None, **rest: Any) -> httpx.Response:
        return self.ask("POST", path, json=json, **rest)

    def put(self, path: str, json: Any = None, **rest: Any) -> httpx.Response:
        return self.ask("PUT", path, json=json, **rest)
