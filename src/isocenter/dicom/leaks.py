"""Does an identity still stand in the bytes, in whatever way it may have been written?

A search for what is known of the persons in an object (names, numbers, addresses) in what was made of it: as text of
any character set, in two bytes a letter, in base64, in hexadecimal, backwards. It is the last look before something
leaves; what it finds, does not leave.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from functools import lru_cache

__all__ = ["leaks", "spellings"]

_SHORTEST = 4


@lru_cache(maxsize=4096)
def spellings(identity: str) -> tuple[tuple[bytes, bool], ...]:
    """The ways in which an identity may stand in bytes: (bytes, whether large and small letters differ).

    >>> (b"nesretep", False) in spellings("Petersen")
    True
    """
    low = identity.lower()
    plain = low.encode("utf-8", "surrogatepass")
    cases = {identity, low, identity.upper(), identity.title()}
    found: set[bytes] = set()
    exact: set[bytes] = set()
    for charset in ("utf-8", "utf-16-le", "utf-16-be", "latin-1", "cp1251", "iso2022_jp", "gb18030", "euc_kr"):
        for said in {low} if low.isascii() else cases:
            try:  # only the letters of ASCII are made small in bytes; of others every case is looked for
                (found if low.isascii() else exact).add(said.encode(charset))
            except UnicodeEncodeError:
                continue
    if low.isascii():
        found |= {plain[::-1], plain.hex().encode()}
        found.add(b" ".join(bytes([c]) for c in plain))
    for said in cases:
        raw = said.encode("utf-8", "surrogatepass")
        for shift in range(3):
            coded = base64.b64encode(b"\0" * shift + raw)
            # The first and last letters of the code also hold bits of what stands beside it.
            inner = coded[(0, 2, 3)[shift] :].rstrip(b"=")
            inner = inner[:-1] if (len(raw) + shift) % 3 else inner
            if len(inner) >= _SHORTEST:
                exact.add(inner)
    return tuple((s, False) for s in found if len(s) >= _SHORTEST) + tuple((s, True) for s in exact)


def leaks(data: bytes, identities: Iterable[str]) -> list[str]:
    """Those of the identities that stand in the bytes.

    Args:
        data: what is to leave.
        identities: names, numbers, addresses; shorter ones than four letters are not looked for, they are everywhere.

    >>> leaks(b"...UGV0ZXJzZW4=...", ["Petersen", "Meyer"])
    ['Petersen']
    """
    low = data.lower()
    return [
        identity
        for identity in dict.fromkeys(identities)
        if len(identity) >= _SHORTEST
        and any((spelled in data) if exact else (spelled in low) for spelled, exact in spellings(identity))
    ]
