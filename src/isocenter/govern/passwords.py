"""Passwords: which are refused because they are guessed first, and how one is kept.

A guesser begins with what leaked elsewhere and with the names that are at hand: of the account, the product, the
hospital. Both are refused, whatever signs were put around them; no rule asks for kinds of characters, and none asks for
a change (NIST SP 800-63B-4, 3.1.1.2). A password is kept as an argon2id hash.
"""

from __future__ import annotations

import gzip
import re
import secrets
import threading
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from isocenter.errors import Refused

if TYPE_CHECKING:
    from argon2 import PasswordHasher

__all__ = ["NEAR_WORDS", "SHORTEST", "fits", "hash_password", "leaked", "words_in"]

SHORTEST = 12
"""Characters that a password has at least."""

NEAR_WORDS = ("isocenter", "radiology", "hospital", "password", "dicom", "pacs")
"""Words that every site has at hand, and on which no password may rest."""

_LONGEST = 1024  # argon2 would take more; a guesser must not make us hash megabytes
_LEFT = 8  # letters and figures beside the words at hand: fewer are tried through
_HASHING = threading.BoundedSemaphore(2)  # each hash takes 64 MiB: many guesses at once wait for one another


def hash_password(password: str, *, near: Iterable[str] = ()) -> str:
    """A credential to keep: argon2id with its own salt and cost in it (RFC 9106, the library's second profile).

    Args:
        near: words that are at hand for a guesser, beside `NEAR_WORDS`: names of account, hospital and machines.

    Raises:
        Refused: when the password is shorter than 12 characters, longer than 1024, of fewer than four different
            characters, among those that leaked elsewhere, or little more than words that are at hand.
    """
    if not SHORTEST <= len(password) <= _LONGEST:
        raise Refused(
            f"a password of {len(password)} characters",
            "short ones are guessed, and beyond 1024 nothing is gained",
            f"take at least {SHORTEST}: a sentence is easy to remember",
        )
    if len(set(password)) < 4:
        raise Refused("a password of fewer than four different characters", "it is guessed first", "take a sentence")
    bare = password.casefold()
    if bare in leaked() or _core(bare) in leaked():
        raise Refused(
            "this password",
            f"it, or what it is made of, is among the {len(leaked()):,} commonest that leaked elsewhere",
            "take a sentence of your own",
        )
    rest = bare
    for word in sorted({w.casefold() for w in (*NEAR_WORDS, *near) if len(w) > 2}, key=len, reverse=True):
        rest = rest.replace(word, "")
    left = len(re.sub(r"[\W_]", "", rest))  # signs between the words are tried along with them
    if rest != bare and left < _LEFT:
        raise Refused(
            "this password",
            f"beside names that everybody here knows (of account, hospital, machine, product) it has {left}"
            f" letters and figures, and {_LEFT} is the least",
            "take a sentence that has nothing to do with this place",
        )
    return _hasher().hash(password)


@cache
def leaked() -> frozenset[str]:
    """Passwords of 12 characters and more that are tried first, in lower case.

    They are those of the million commonest among ten million that had become public (SecLists, MIT); their notice lies
    beside the file.
    """
    packed = files("isocenter.govern").joinpath("leaked_passwords.txt.gz").read_bytes()
    return frozenset(gzip.decompress(packed).decode("ascii").split())


def words_in(*names: str) -> tuple[str, ...]:
    """The words of names of accounts, hosts and places, for `hash_password`.

    >>> words_in("St Mary", "https://pacs.stmary.example:8042")
    ('Mary', 'https', 'pacs', 'stmary', 'example', '8042')
    """
    return tuple(word for name in names for word in re.split(r"[\W_]+", name) if len(word) > 2)


def _core(bare: str) -> str:
    """Without the figures and signs that people put around a password that was refused."""
    return re.sub(r"^[\W\d_]+|[\W\d_]+$", "", bare)


def fits(credential: str | None, password: str) -> bool:
    """Whether the password belongs to the credential.

    It takes as long for a name that does not exist (None) and for an account without a password (empty), so that the
    time does not tell which names there are.
    """
    from argon2.exceptions import InvalidHashError, VerificationError

    # An account of a sign-in service has no password here, and the same work is done for it.
    known = credential if credential and credential.startswith("$") else _nobodys_credential()
    try:
        with _HASHING:
            right = _hasher().verify(known, password[:_LONGEST])
    except (VerificationError, InvalidHashError):
        return False
    return right and known == credential and len(password) <= _LONGEST


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher()


@cache
def _nobodys_credential() -> str:
    return _hasher().hash(secrets.token_urlsafe(32))
