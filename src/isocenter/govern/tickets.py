"""Names for entries of the journal that tell nothing of how many there are.

An entry has its place in the chain as its number. Whoever may not hear of every entry yet would read from the gaps
between the numbers that they do see how many were made in between, and a machine that found something makes more of
them. A ticket is the number under a secret of the archive: it leads back to the entry and tells no order.

Source of the construction: Luby and Rackoff, How to construct pseudorandom permutations, SIAM J Comput 17(2), 1988.
"""

from __future__ import annotations

from hashlib import blake2b
from secrets import randbelow
from typing import Any

from isocenter.errors import Refused

__all__ = ["NUMBERS", "Tickets"]

NUMBERS = ("asked", "change", "proposal", "rejection", "thread", "undoes", "withdraws")
"""Details of events that are the number of another entry; they leave as tickets or not at all."""

_ROUNDS = 4
_HALF, _HALF_VERSION = 32, 26  # bits of each half of a number
_PLACE = 1 << 48  # above it a ticket of a place has what makes it another one each time
_FIRST_VERSION = 10**15  # so that all have as many digits, and answers as many bytes


class Tickets:
    """The tickets of one archive.

    Args:
        secret: of the archive; under another one the same numbers have other tickets.

    >>> tickets = Tickets(b"a secret")
    >>> tickets.number(tickets.of(7))
    7
    """

    def __init__(self, secret: bytes) -> None:
        self._key = blake2b(secret, digest_size=32, person=b"journal tickets").digest()

    def of(self, number: int) -> str:
        """The ticket of an entry's number (0 to 2**64 - 1): 16 hexadecimal digits."""
        return f"{self._there(number, _HALF):016x}"

    def number(self, ticket: str) -> int:
        """The number behind a ticket.

        Raises:
            Refused: the text is no ticket of any archive.
        """
        if len(ticket) != 16 or set(ticket) - set("0123456789abcdef"):
            raise Refused(f"the ticket '{ticket:.20}'", "it is not 16 hexadecimal digits", "load the page again")
        return self._back(int(ticket, 16), _HALF)

    def place(self, number: int) -> str:
        """A ticket of the place behind an entry (its number is below 2**48), another one each time that it is given.

        Whoever asks twice where the journal stands shall not learn whether it has grown by what they may not hear of.
        """
        return self.of((1 + randbelow(2**16 - 1)) * _PLACE + number)

    def behind(self, ticket: str) -> int:
        """The number of the entry behind which a ticket stands, be it the entry's own or that of a place.

        >>> tickets = Tickets(b"a secret")
        >>> tickets.behind(tickets.place(7)), tickets.behind(tickets.of(7))
        (7, 7)

        Raises:
            Refused: the text is no ticket of any archive.
        """
        return self.number(ticket) % _PLACE

    def version(self, number: int) -> int:
        """The ticket of a reading's last entry (below 2**52) as a number of 16 digits that a browser holds; 0 stays 0.

        >>> tickets = Tickets(b"a secret")
        >>> tickets.version(0), tickets.seen(tickets.version(7))
        (0, 7)
        """
        return _FIRST_VERSION + self._there(number, _HALF_VERSION) if number else 0

    def seen(self, version: int) -> int:
        """The number behind a version; -1, which no entry has, of what is none."""
        told = version - _FIRST_VERSION
        return self._back(told, _HALF_VERSION) if 0 <= told < 1 << 2 * _HALF_VERSION else -bool(version)

    def told(self, what: Any, *names: str) -> Any:
        """The same JSON with tickets for the entries' numbers that stand under these names; 0, which is none, as "".

        >>> Tickets(b"a secret").told({"rows": [{"number": 0, "n": 3}]}, "number")
        {'rows': [{'number': '', 'n': 3}]}
        """
        if isinstance(what, list | tuple):
            return [self.told(one, *names) for one in what]
        if not isinstance(what, dict):
            return what
        return {
            name: (self.of(value) if value else "")
            if name in names and isinstance(value, int)
            else self.told(value, *names)
            for name, value in what.items()
        }

    def _there(self, number: int, bits: int) -> int:
        left, right = divmod(number, 1 << bits)
        for turn in range(_ROUNDS):
            left, right = right, left ^ self._mixed(turn, right, bits)
        return (left << bits) + right

    def _back(self, number: int, bits: int) -> int:
        left, right = divmod(number, 1 << bits)
        for turn in reversed(range(_ROUNDS)):
            left, right = right ^ self._mixed(turn, left, bits), left
        return (left << bits) + right

    def _mixed(self, turn: int, half: int, bits: int) -> int:
        said = blake2b(half.to_bytes(4), digest_size=4, key=self._key, salt=bytes([bits, turn]))
        return int.from_bytes(said.digest()) & ((1 << bits) - 1)
