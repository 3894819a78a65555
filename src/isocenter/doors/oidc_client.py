"""The sign-in service of another house, asked over the network: where its doors are, its keys, a code for a token."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from isocenter.doors.tls import is_loopback
from isocenter.errors import NoAnswer, Refused
from isocenter.govern.oidc import Asked, NotProven, Strength, Table

if TYPE_CHECKING:
    import httpx

__all__ = ["Provider"]

_LONGEST = 1 << 20  # bytes of any answer
_KEYS_S = 3600.0  # how long published keys are believed
_AGAIN_S = 30.0  # a key that is not known makes us ask again, but no more often than this
_DOORS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


@dataclass
class Provider:
    """One OpenID Connect issuer.

    Args:
        issuer: its address, which every token must name.
        client: our name there. secret: that was given to us, empty for a public client.
        table: which claim gives which role.
        asks: how strongly somebody must have signed in there.
        http: to ask with; a test passes its own.
    """

    issuer: str
    client: str
    secret: str
    table: Table
    http: httpx.Client | None = None
    asks: Strength = field(default_factory=Strength)
    _found: Mapping[str, str] = field(default_factory=dict)
    _keys: Sequence[Mapping[str, Any]] = ()
    _asked: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        _must_be_safe(self.issuer)

    def way_out(self, asked: Asked, back: str, *, anew: bool = False) -> str:
        """Where the browser is sent; `anew` asks the service to let somebody sign in though somebody is."""
        question = {
            "response_type": "code", "client_id": self.client, "redirect_uri": back, "scope": "openid profile email",
            "state": asked.state, "nonce": asked.nonce, "code_challenge": asked.challenge,
            "code_challenge_method": "S256", **self.asks.question,
        }  # fmt: skip
        if anew:
            question["prompt"] = "login"
        door = self._doors()["authorization_endpoint"]
        return f"{door}{'&' if '?' in door else '?'}{urlencode(question)}"

    def token(self, code: str, asked: Asked, back: str) -> str:
        """The ID token for a code.

        Raises:
            NotProven: the issuer does not take the code.
        """
        told = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": back, "client_id": self.client,
            "code_verifier": asked.verifier,
        }  # fmt: skip
        if self.secret:
            told["client_secret"] = self.secret
        answer = self._ask("POST", self._doors()["token_endpoint"], data=told, refusable=True)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise NotProven("an answer without an ID token")
        return token

    def keys(self, kid: str) -> Sequence[Mapping[str, Any]]:
        """The keys that the issuer publishes; asked for anew when one is named that is not among them."""
        with self._lock:
            now = time.monotonic()
            old = now - self._asked > _KEYS_S
            unknown = not any(k.get("kid") == kid for k in self._keys) and now - self._asked > _AGAIN_S
            if old or unknown:
                held = self._ask("GET", self._doors()["jwks_uri"]).get("keys")
                self._keys = [k for k in held if isinstance(k, dict)] if isinstance(held, list) else []
                self._asked = now
            return self._keys

    def _doors(self) -> Mapping[str, str]:
        if not self._found:
            told = self._ask("GET", f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
            if told.get("issuer") != self.issuer:
                raise NoAnswer("the sign-in service", "it says that it is another issuer", "correct the setting")
            found = {name: str(told.get(name, "")) for name in _DOORS}
            for address in found.values():
                _must_be_safe(address)
            self._found = found
        return self._found

    def _ask(self, method: str, address: str, *, refusable: bool = False, **more: Any) -> dict[str, Any]:
        import httpx

        try:
            with contextlib.nullcontext(self.http) if self.http else httpx.Client(timeout=10.0) as http:
                answer = http.request(method, address, headers={"Accept": "application/json"}, **more)
        except httpx.HTTPError as wrong:
            raise NoAnswer(
                "the sign-in service does not answer", type(wrong).__name__, "try again, or use a password"
            ) from None
        if refusable and answer.status_code in (400, 401, 403):
            raise NotProven("the issuer did not take the code")
        try:
            told = answer.json() if answer.status_code == 200 and len(answer.content) <= _LONGEST else None
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise NoAnswer("the sign-in service answers nothing of use", f"status {answer.status_code}", "try again")
        return told


def _must_be_safe(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        return
    raise Refused(f"the sign-in service at '{address[:80]}'", "it is not under https", "give an address with https")
