"""The end of the journal, signed and given away: whoever holds such a head can prove what the journal said that day.

The chain of hashes shows an entry that was changed; it does not show a chain that somebody made anew from the changed
entry on, nor one that was cut at its end. A head that lies outside (with an auditor, on paper, in another archive)
does: the entry of its number must still have its hash, and there must be one. Ed25519 (RFC 8032).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from isocenter.errors import Refused
from isocenter.record import canonical

__all__ = ["Head", "checked", "head_of", "public_key", "signed"]


@dataclass(frozen=True)
class Head:
    """The newest entry at a moment, and who says so.

    Args:
        number: of the entry; 0 before the first.
        hash: of the entry.
        time: when it was signed, ISO 8601.
        key: public key, base64.
        signature: over all the others, base64.
    """

    number: int
    hash: str
    time: str
    key: str
    signature: str


def public_key(secret: bytes) -> str:
    """The public half of a secret of 32 bytes, base64: give it to the auditor once, by another way than the heads."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    raw = _private(secret).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return base64.b64encode(raw).decode("ascii")


def signed(number: int, hash: str, now: datetime, secret: bytes) -> Head:
    """Sign the end of a journal."""
    key = public_key(secret)
    signature = _private(secret).sign(_said(number, hash, now.isoformat(), key))
    return Head(number, hash, now.isoformat(), key, base64.b64encode(signature).decode("ascii"))


def head_of(told: Any) -> Head:
    """A head read from JSON.

    Raises:
        Refused: when it is none.
    """
    try:
        return Head(int(told["number"]), str(told["hash"]), str(told["time"]), str(told["key"]), str(told["signature"]))
    except (KeyError, TypeError, ValueError) as wrong:
        raise Refused("a head that cannot be read", "a part of it is missing", "take another copy") from wrong


def checked(heads: Iterable[Head], entry: Callable[[int], str | None], key: str) -> int:
    """How many heads the journal still bears out.

    Args:
        heads: as they were given away.
        entry: number -> hash of the entry as the journal has it now, None where it has none.
        key: the public key that the auditor was given.

    Raises:
        Refused: at the first head that was not signed by that key, or that the journal no longer bears out.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    count = 0
    for head in heads:
        try:
            known = Ed25519PublicKey.from_public_bytes(base64.b64decode(key, validate=True))
            known.verify(
                base64.b64decode(head.signature, validate=True), _said(head.number, head.hash, head.time, head.key)
            )
            right = head.key == key
        except (InvalidSignature, ValueError):
            right = False
        if not right:
            raise Refused(
                f"the head of entry {head.number}", "it was not signed by this archive's key", "take another copy of it"
            )
        if head.number and entry(head.number) != head.hash:
            raise Refused(
                f"the journal differs from what was signed on {head.time[:10]}",
                f"entry {head.number} is another one or is missing: the journal was changed or cut",
                "compare it with a copy; nothing in it up to that entry can be trusted",
            )
        count += 1
    return count


def _private(secret: bytes) -> Any:
    from hashlib import sha256

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(sha256(b"isocenter:journal:" + secret).digest())


def _said(number: int, hash: str, time: str, key: str) -> bytes:
    return canonical(["isocenter journal head", number, hash, time, key])
