"""Other identities for the same person and the same objects, by a secret: strangers with any other secret.

Every pseudonym is a keyed digest (HMAC-SHA-256) of the identity and of what it is an identity of, so that nobody
without the secret can repeat it by trying all record numbers, and a patient's number that is also an accession number
gives two pseudonyms that cannot be joined. The secret lies apart from the data. Whoever destroys it cuts the way back;
whoever takes a new one starts a new domain of pseudonyms (EDPB guidelines 01/2025).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import date, timedelta
from functools import cache

from isocenter.dicom.conformance import storage_classes
from isocenter.dicom.true_kind import are_moments
from isocenter.errors import Refused

__all__ = ["Pseudonyms", "moved_date", "moved_moment"]

_SHORTEST = 16  # bytes
_SHIFT_DAYS = 3650
# Groups of codes of DICOM, published code systems and registries: they name a vocabulary, never an object. Some devices
# make UIDs of objects below these roots; their numbers are longer.
_VOCABULARY = re.compile(
    r"1\.2\.840\.10008\.6\.1\.\d{1,4}|2\.16\.840\.1\.113883\.(?:[56]\.\d{1,4}(?:\.\d{1,4})?|4\.642(?:\.\d{1,4}){1,5})"
)


class Pseudonyms:
    """Pseudonyms of one secret.

    Args:
        secret: at least 16 bytes; 32 random ones are what `secrets` gives.

    Raises:
        Refused: when the secret is short.

    >>> one = Pseudonyms(b"a secret of thirty-two bytes ...")
    >>> one.uid("1.2.3") == one.uid("1.2.3"), one.patient("42", "") == Pseudonyms(b"another secret !").patient("42", "")
    (True, False)
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) < _SHORTEST:
            raise Refused(
                f"a secret of {len(secret)} bytes", "pseudonyms could be guessed", f"give at least {_SHORTEST} bytes"
            )
        self._keys = {
            domain: hmac.new(secret, f"isocenter:{domain}".encode(), hashlib.sha256).digest()
            for domain in ("patient", "uid", "days", "domain", "case")
        }
        self._uids: dict[str, str] = {}

    @property
    def domain(self) -> str:
        """Names the secret without telling it: reports with the same domain used the same secret."""
        return self._digest("domain", "").hex()[:12]

    def uid(self, uid: str) -> str:
        """Another UID for this one, in the form of PS3.5 B.2 (2.25); what the standard itself registers stays."""
        known = self._uids.get(uid)
        if known is None:
            if uid in _registered() or _VOCABULARY.fullmatch(uid):
                return uid
            number = int.from_bytes(self._digest("uid", uid)[:16], "big")
            # A UUID of its own making (RFC 9562, version 8), as the root 2.25 asks for UUIDs.
            number = (number & ~(0xF << 76)) | (8 << 76)
            number = (number & ~(0b11 << 62)) | (0b10 << 62)
            if len(self._uids) > 200_000:
                self._uids.clear()
            known = self._uids[uid] = f"2.25.{number}"
        return known

    def patient(self, identity: str, issuer: str) -> str:
        """Sixteen hexadecimal digits for a patient's number within its issuer."""
        return self._digest("patient", f"{issuer}\0{identity}").hex()[:16].upper()

    def case(self, study_uid: str) -> str:
        """Sixteen hexadecimal digits for a study in a table."""
        return self._digest("case", study_uid).hex()[:16].upper()

    def within(self, name: str) -> Pseudonyms:
        """Pseudonyms of the same secret for one purpose: nobody can join them with those of another."""
        return Pseudonyms(self.secret_within(name))

    def secret_within(self, name: str) -> bytes:
        """The secret of `within`, for processes that make pseudonyms of their own."""
        return self._digest("domain", f"within\0{name}")

    def days(self, identity: str, issuer: str) -> int:
        """How far this patient's dates move: one number of days, 1 to 3,650, into the past."""
        drawn = int.from_bytes(self._digest("days", f"{issuer}\0{identity}")[:8], "big")
        return -1 - drawn % _SHIFT_DAYS

    def _digest(self, domain: str, identity: str) -> bytes:
        return hmac.new(self._keys[domain], identity.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()


@cache
def _registered() -> frozenset[str]:
    """What the standard itself registers (PS3.6 annex A): classes, transfer syntaxes, well-known instances."""
    from pydicom.uid import UID_dictionary

    return frozenset({*UID_dictionary, *(kind.uid for kind in storage_classes())})


def moved_date(said: str, days: int) -> str:
    """A DA value so many days away; empty when it is no date.

    >>> moved_date("20240301", -1), moved_date("2024.03.01", -1), moved_date("sometime", -1)
    ('20240229', '20240229', '')
    """
    digits = said.strip().replace(".", "") if len(said.strip()) == 10 else said.strip()
    if len(digits) != 8 or not digits.isdecimal():
        return ""
    try:
        return f"{date(int(digits[:4]), int(digits[4:6]), int(digits[6:])) + timedelta(days=days):%Y%m%d}"
    except (ValueError, OverflowError):
        return ""


def moved_moment(said: str, days: int) -> str:
    """A DT value so many days away, its time of day as it was; a year or a month alone moves by as much, roughly.

    >>> moved_moment("20240301101500.5+0100", -1), moved_moment("202403", -40), moved_moment("x", -1)
    ('20240229101500.5+0100', '202401', '')
    """
    said = said.strip()
    head = said[:8]
    rest = said[8:]
    if head.isdecimal() and len(head) in (4, 6):
        moved = moved_date(head + ("0101" if len(head) == 4 else "01"), days)
        return moved[: len(head)]
    if not head.isdecimal() or not are_moments("DT", said):
        return ""
    moved = moved_date(head, days)
    return f"{moved}{rest}" if moved else ""
