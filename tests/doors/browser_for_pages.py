"""A browser without a screen: it speaks to an application in memory, keeps cookies, and names its origin on writes."""

from __future__ import annotations

from typing import Any

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
            transport = httpx.ASGITransport(self.app, client=(self.address, 40000))
            async with httpx.AsyncClient(
                transport=transport, base_url=f"{self.scheme}://{self.host}", cookies=self.cookies
            ) as client:
                told = [await client.get(path, headers={**self.headers, **headers}) for path, headers in asked]
                self.cookies = client.cookies
                return told

        return anyio.run(go)

    def get(self, path: str, **rest: Any) -> httpx.Response:
        return self.ask("GET", path, **rest)

    def post(self, path: str, json: Any = None, **rest: Any) -> httpx.Response:
        return self.ask("POST", path, json=json, **rest)

    def put(self, path: str, json: Any = None, **rest: Any) -> httpx.Response:
        return self.ask("PUT", path, json=json, **rest)
