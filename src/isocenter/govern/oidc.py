"""Signing in through another house's door: OpenID Connect, authorization code with PKCE, and what a token has to prove.

What travels through the browser is worth nothing alone: the state belongs to one browser and opens once, the code needs
a verifier that never left the server, and the ID token has to be signed by a key that its issuer publishes, for us, in
answer to this very sign-in, and now. Who somebody is are issuer and subject together; the name is only what is shown. A
role comes from an explicit table of claims; who stands in none of its lines is refused.

Sources: OpenID Connect Core 1.0 section 3.1.3.7; OpenID Connect Back-Channel Logout 1.0 section 2.6;
RFC 7636 (PKCE, S256); RFC 8725 (JWT best practices); RFC 9207 (iss).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from isocenter.errors import Forbidden, Refused
from isocenter.govern.people import secret_digest
from isocenter.govern.policy import Role

__all__ = [
    "ALGORITHMS", "Asked", "Ended", "NotProven", "Strength", "Table", "Waiting", "account_of", "head_of", "read_logout",
    "read_table", "read_token",
]  # fmt: skip

ALGORITHMS = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}
"""What a token may be signed with, each with the kind of key that belongs to it; nothing with a shared secret."""

LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
"""The event that a logout token tells."""

_LEEWAY = timedelta(seconds=60)
_OLDEST = timedelta(minutes=10)  # a token that was made longer ago answers no sign-in of now
_LONGEST_TOKEN = 32_768
_MOST = 1000


class NotProven(Forbidden):
    """A token or an answer that proves nothing; always said in the same words, the cause stands in `cause`."""

    def __init__(self, cause: str) -> None:
        self.cause = cause
        super().__init__(
            "this sign-in is not valid", "the answer of the sign-in service could not be proven (rule 'sign_in')",
            "begin again; if it stays, an administrator finds the cause in the journal",
        )  # fmt: skip

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.cause,)


# ---- the way out and back ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """One sign-in on its way.

    Args:
        state: goes out and comes back through the browser.
        nonce: comes back inside the token.
        verifier: stays here until the code is exchanged. challenge: its digest, which goes out.
        browser: what the browser keeps meanwhile, so that nobody can hand it another's answer.
        address: where it was asked from.
    """

    state: str
    nonce: str
    verifier: str
    browser: str
    until: datetime
    address: str = ""

    @property
    def challenge(self) -> str:
        """RFC 7636, S256."""
        return _b64(hashlib.sha256(self.verifier.encode("ascii")).digest())


class Waiting:
    """Sign-ins that were begun and have not come back; each comes back once, by the same browser, within its life."""

    def __init__(self, life: timedelta = timedelta(minutes=10)) -> None:
        self._life, self._lock = life, threading.Lock()
        self._kept: dict[str, Asked] = {}

    def begin(self, now: datetime, address: str = "") -> Asked:
        """A fresh one; every part is 256 random bits. Where there are too many, the address that began most loses one.

        So whoever begins thousands and never comes back shuts nobody out but himself.
        """
        state, nonce, verifier, browser = (secrets.token_urlsafe(32) for _ in range(4))
        asked = Asked(state, nonce, verifier, browser, now + self._life, address)
        with self._lock:
            self._kept = {s: a for s, a in self._kept.items() if a.until > now}
            while len(self._kept) >= _MOST:
                most = Counter(a.address for a in self._kept.values()).most_common(1)[0][0]
                del self._kept[next(s for s, a in self._kept.items() if a.address == most)]
            self._kept[secret_digest(asked.state)] = asked
        return asked

    def take(self, state: str, browser: str, now: datetime) -> Asked:
        """The one that comes back; it is spent, also when it fails.

        Raises:
            NotProven: unknown, spent, too late, or begun by another browser.
        """
        with self._lock:
            asked = self._kept.pop(secret_digest(state), None)
        if asked is None:
            raise NotProven("a state that was never given, or was used")
        if now >= asked.until:
            raise NotProven("it came back too late")
        if not hmac.compare_digest(asked.browser.encode(), browser.encode("utf-8", "replace")):
            raise NotProven("another browser brought the answer")
        return asked


# ---- the token -----------------------------------------------------------------------------------------------------


def read_token(
    token: str, keys: Sequence[Mapping[str, Any]], *, issuer: str, client: str, nonce: str, now: datetime
) -> dict[str, Any]:
    """The claims of an ID token that proves itself.

    Args:
        keys: what the issuer publishes (JWK Set).
        client: our name there, to which the token must be addressed.
        nonce: of this sign-in.

    Raises:
        NotProven: in the same words whatever is wrong; `cause` names it.
    """
    claims = _signed(token, keys, ("JWT",))
    _check_addressed(claims, issuer, client)
    said = claims.get("nonce")
    if not isinstance(said, str) or not hmac.compare_digest(said.encode("utf-8", "replace"), nonce.encode()):
        raise NotProven("the answer to another sign-in")
    _check_subject(claims)
    _check_times(claims, now)
    return claims


@dataclass(frozen=True)
class Strength:
    """How strongly somebody must have signed in at the service; as shipped nothing is asked beyond its own rules.

    Args:
        classes: values of ``acr``, of which the token must tell one.
        methods: values of ``amr`` (RFC 8176: ``mfa``, ``hwk``, ``otp``), of which the token must tell one.
        age: how long ago the sign-in there may be (``auth_time``); None: any time.
    """

    classes: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    age: timedelta | None = None

    @property
    def question(self) -> dict[str, str]:
        """What is added to the question that goes out (OpenID Connect Core 1.0, section 3.1.2.1)."""
        asked = {"acr_values": " ".join(self.classes)} if self.classes else {}
        return asked if self.age is None else {**asked, "max_age": f"{self.age.total_seconds():.0f}"}

    def check(self, claims: Mapping[str, Any], now: datetime) -> None:
        """Go on only with a sign-in that was strong enough; what the token does not tell counts as weak.

        Raises:
            NotProven: it was not.
        """
        methods = claims.get("amr")
        told = methods if isinstance(methods, list) else []
        if self.classes and claims.get("acr") not in self.classes:
            raise NotProven(f"a sign-in there of the class {str(claims.get('acr'))[:60]!r}")
        if self.methods and not set(self.methods) & {m for m in told if isinstance(m, str)}:
            raise NotProven(f"a sign-in there by the methods {str(told)[:60]}")
        if self.age is not None:
            since = now.timestamp() - _seconds(claims, "auth_time")
            if not -_LEEWAY.total_seconds() <= since <= (self.age + _LEEWAY).total_seconds():
                raise NotProven(f"a sign-in there of {since:.0f} s ago")


@dataclass(frozen=True)
class Ended:
    """What a sign-in service says has ended there.

    Args:
        identity: digest of issuer and subject, as `account_of` gives it; empty where only a session is named.
        session: of the service; empty where everything of the subject has ended.
        once: digest of the token's own name, which is heard once.
    """

    identity: str
    session: str
    once: str


def read_logout(
    token: str, keys: Sequence[Mapping[str, Any]], *, issuer: str, client: str, now: datetime
) -> Ended:  # fmt: skip
    """What a logout token says that proves itself (OpenID Connect Back-Channel Logout 1.0, section 2.6).

    That it was not heard before is for whoever keeps `once`.

    Raises:
        NotProven: in the same words whatever is wrong; `cause` names it.
    """
    claims = _signed(token, keys, ("LOGOUT+JWT", "JWT"))
    _check_addressed(claims, issuer, client)
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT), dict):
        raise NotProven("a token that ends nothing")
    if "nonce" in claims:
        raise NotProven("a token of a sign-in")  # an ID token must not sign anybody out
    name, session = claims.get("jti"), claims.get("sid", "")
    if not isinstance(name, str) or not 0 < len(name) <= 255:
        raise NotProven("a token without a name of its own")
    if not isinstance(session, str) or len(session) > 255 or ("sid" in claims and not session):
        raise NotProven("a session that is none")
    if not session or "sub" in claims:
        _check_subject(claims)
    _check_times(claims, now)
    identity = secret_digest(json.dumps([issuer, claims["sub"]])) if "sub" in claims else ""
    return Ended(identity, session, secret_digest(json.dumps([issuer, name])))


def _signed(token: str, keys: Sequence[Mapping[str, Any]], types: Sequence[str]) -> dict[str, Any]:
    """The claims of a token that a published key has signed."""
    import jwt

    head = head_of(token)
    algorithm = head.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise NotProven(f"signed by the algorithm {str(algorithm)[:20]!r}")
    if str(head.get("typ", "JWT")).upper() not in types or "crit" in head or "b64" in head:
        raise NotProven("a token of another kind")
    key = _key(head.get("kid"), algorithm, keys)
    try:
        claims = json.loads(
            jwt.PyJWS().decode(token, jwt.PyJWK(dict(key), algorithm=algorithm), algorithms=[algorithm])
        )
    except (jwt.PyJWTError, ValueError, TypeError, KeyError) as wrong:
        raise NotProven(f"the signature does not fit ({type(wrong).__name__})") from None
    if not isinstance(claims, dict):
        raise NotProven("claims that are none")
    return claims


def head_of(token: str) -> dict[str, Any]:
    """What a token says of its own signature; nothing of it is proven yet.

    Raises:
        NotProven: it is no token.
    """
    parts = token.split(".")
    if len(token) > _LONGEST_TOKEN or len(parts) != 3 or not all(parts):
        raise NotProven("no signed token")
    try:
        head = json.loads(base64.urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4)))
    except (ValueError, RecursionError):
        raise NotProven("no token that can be read") from None
    if not isinstance(head, dict):
        raise NotProven("no token that can be read")
    return head


def _key(kid: Any, algorithm: str, keys: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The published key of that name; a key that the token brings along is not looked at."""
    if not isinstance(kid, str) or not kid:
        raise NotProven("a token that does not name its key")
    fit = [k for k in keys if k.get("kid") == kid]
    if len(fit) != 1:
        raise NotProven("signed by a key that the issuer does not publish")
    key = fit[0]
    if (
        key.get("kty") != ALGORITHMS[algorithm]
        or key.get("use", "sig") != "sig"
        or key.get("alg", algorithm) != algorithm
    ):
        raise NotProven("a key of another kind than the signature")
    if key["kty"] == "RSA" and len(str(key.get("n", ""))) * 6 < 2048 - 8:
        raise NotProven("a key that is too short")
    return key


def _check_addressed(claims: Mapping[str, Any], issuer: str, client: str) -> None:
    audience = claims.get("aud")
    named = [audience] if isinstance(audience, str) else audience if isinstance(audience, list) else []
    if claims.get("iss") != issuer:
        raise NotProven("another issuer")
    if client not in named:
        raise NotProven("made for somebody else")
    if (len(named) > 1 or "azp" in claims) and claims.get("azp") != client:
        raise NotProven("asked for by somebody else")


def _check_subject(claims: Mapping[str, Any]) -> None:
    if not isinstance(claims.get("sub"), str) or not 0 < len(claims["sub"]) <= 255:
        raise NotProven("about nobody")


def _check_times(claims: Mapping[str, Any], now: datetime) -> None:
    moment, leeway = now.timestamp(), _LEEWAY.total_seconds()
    if moment >= _seconds(claims, "exp") + leeway:
        raise NotProven("it has expired")
    made = _seconds(claims, "iat")
    if made > moment + leeway or moment > made + _OLDEST.total_seconds() + leeway:
        raise NotProven("it was not made for now")
    if "nbf" in claims and _seconds(claims, "nbf") > moment + leeway:
        raise NotProven("it does not hold yet")


def _seconds(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e12:
        raise NotProven(f"no time in '{name}'")
    return float(value)


# ---- who that is here ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Table:
    """Which role a claim gives: lines of (value, role), the first that fits.

    Args:
        claim: its name, with dots into objects (``realm_access.roles``).
        name: the claim that is shown as the account's name.
    """

    claim: str
    lines: tuple[tuple[str, Role], ...]
    name: str = "preferred_username"


def read_table(text: str, *, claim: str, name: str) -> Table:
    """Read ``radiologists=reader,it=admin``.

    Raises:
        Refused: a line without a value, or a role that nobody can be given.

    >>> read_table("rad=reader, it=admin", claim="groups", name="email").lines[1][1].value
    'admin'
    """
    lines = []
    for part in filter(None, (p.strip() for p in text.split(","))):
        value, equals, role = part.rpartition("=")
        if not equals or not value.strip() or role.strip() not in ("admin", "reader", "researcher", "planner"):
            raise Refused(
                f"'{part:.60}' in the table of roles",
                "it is not VALUE=admin, reader, researcher or planner",
                "write it as radiologists=reader",
            )
        lines.append((value.strip(), Role(role.strip())))
    if not lines:
        raise Refused("a table of roles without a line", "nobody could sign in by it", "write for example rad=reader")
    return Table(claim, tuple(lines), name)


def account_of(claims: Mapping[str, Any], table: Table) -> tuple[str, str, Role]:
    """Identity (a digest of issuer and subject), name and role.

    Raises:
        Forbidden: no line of the table fits, or no name that can be shown.
    """
    held: Any = claims
    for part in table.claim.split("."):
        held = held.get(part) if isinstance(held, Mapping) else None
    values = (
        {held}
        if isinstance(held, str)
        else {v for v in held if isinstance(v, str)}
        if isinstance(held, list)
        else set()
    )
    role = next((role for value, role in table.lines if value in values), None)
    if role is None:
        raise Forbidden(
            "an account without a role here", "the service names no group that this site knows (rule 'sign_in')",
            "ask an administrator of this site",
        )  # fmt: skip
    name = str(claims.get(table.name) or claims["sub"]).strip()
    if not 0 < len(name) <= 64 or not name.isprintable():
        raise Forbidden("a name that cannot be shown", "it is empty, too long or not printable", "ask an administrator")
    return secret_digest(json.dumps([claims["iss"], claims["sub"]])), name, role


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
