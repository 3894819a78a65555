"""A small OpenID Connect issuer in memory: it publishes keys, gives codes, and signs what a test tells it to."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)
ISSUER, CLIENT = "https://id.example.org/realm", "isocenter"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())


def jwk(key: Any, kid: str, **more: Any) -> dict[str, Any]:
    """The public half of a key, as an issuer publishes it."""
    algorithm = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    return {**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, "use": "sig", **more}


KEYS = [jwk(RSA, "r1"), jwk(EC, "e1"), jwk(RSA, "enc", use="enc")]
PEM = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def claims(answering: str, /, **more: Any) -> dict[str, Any]:
    """What a good token says; None takes a claim out."""
    at = int(NOW.timestamp())
    told = {
        "iss": ISSUER, "aud": CLIENT, "sub": "u-1", "iat": at, "exp": at + 300, "nonce": answering,
        "preferred_username": "ito", "groups": ["radiologists"],
    }  # fmt: skip
    return {k: v for k, v in {**told, **more}.items() if v is not None}


def signed(told: Any, key: Any = RSA, algorithm: str = "RS256", **head: Any) -> str:
    """A token; headers of None are left out."""
    headers = {k: v for k, v in {"kid": "r1", **head}.items() if v is not None}
    return jwt.PyJWS().encode(json.dumps(told).encode(), key, algorithm=algorithm, headers=headers)


def raw(head: dict[str, Any], told: Any, signature: bytes = b"") -> str:
    """A token put together by hand."""

    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    return ".".join((part(json.dumps(head).encode()), part(json.dumps(told).encode()), part(signature)))


class Issuer(httpx.BaseTransport):
    """Its side of the network."""

    def __init__(self) -> None:
        self.codes: dict[str, dict[str, str]] = {}
        self.says: dict[str, Any] = {}
        self.keys = list(KEYS)
        self.asked: list[str] = []
        self.named = ISSUER

    def visit(self, way_out: str) -> str:
        """A person signs in there; the code."""
        question = {k: v[0] for k, v in parse_qs(urlsplit(way_out).query).items()}
        assert question["code_challenge_method"] == "S256" and question["response_type"] == "code"
        code = f"code-{len(self.codes)}"
        self.codes[code] = question
        return code

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.asked.append(path)
        if path.endswith("openid-configuration"):
            doors = {n: f"{ISSUER}/{n}" for n in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
            return httpx.Response(200, json={"issuer": self.named, **doors})
        if path.endswith("jwks_uri"):
            return httpx.Response(200, json={"keys": self.keys})
        told = {k: v[0] for k, v in parse_qs(request.read().decode()).items()}
        asked = self.codes.pop(told["code"], None)
        digest = base64.urlsafe_b64encode(hashlib.sha256(told["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        if asked is None or digest != asked["code_challenge"] or told["redirect_uri"] != asked["redirect_uri"]:
            return httpx.Response(400, json={"error": "invalid_grant"})
        return httpx.Response(200, json={"id_token": signed(claims(asked["nonce"], **self.says)), "access_token": "x"})


def notice(**more: Any) -> dict[str, Any]:
    """What a good logout token says; None takes a claim out."""
    at = int(NOW.timestamp())
    told = {
        "iss": ISSUER, "aud": CLIENT, "sub": "u-1", "iat": at, "exp": at + 120, "jti": "n-1",
        "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
    }  # fmt: skip
    return {k: v for k, v in {**told, **more}.items() if v is not None}
