"""Pseudonyms that nobody without the secret can repeat."""

from __future__ import annotations

import hashlib
from datetime import datetime
from itertools import pairwise

import pytest

from isocenter.dicom.pseudonyms import Pseudonyms, moved_date, moved_moment
from isocenter.errors import Refused


def test_alike_with_one_secret_and_strangers_with_another() -> None:
    one, again, other = Pseudonyms(b"s" * 32), Pseudonyms(b"s" * 32), Pseudonyms(b"t" * 32)
    assert one.patient("4711", "") == again.patient("4711", "") != other.patient("4711", "")
    assert one.uid("1.2.3") == again.uid("1.2.3") != other.uid("1.2.3") and one.domain == again.domain != other.domain
    # A number that is also a number elsewhere, or a UID, is another identity.
    assert one.patient("4711", "A") != one.patient("4711", "B")
    assert str(int(one.patient("1.2.3", ""), 16)) not in one.uid("1.2.3")


@pytest.mark.parametrize("numbers", [20_000, pytest.param(10**7, marks=pytest.mark.nightly)])
def test_no_plain_digest_of_a_record_number_gives_the_pseudonym(numbers: int) -> None:
    """A dictionary of all record numbers, of three digests and three ways of writing, opens none of twenty."""
    by, width = Pseudonyms(b"s" * 32), len(str(numbers - 1))
    made = {by.patient(f"{n:0{width}}", "") for n in range(0, numbers, numbers // 20)}
    assert len(made) == 20
    wanted = {bytes.fromhex(one) for one in made}
    for kind in (hashlib.md5, hashlib.sha1, hashlib.sha256):
        for before in (b"", b"\0", b"patient"):
            for n in range(numbers):
                assert kind(b"%b%0*d" % (before, width, n)).digest()[:8] not in wanted, (kind, before, n)
    planted = {hashlib.sha256(b"patient%0*d" % (width, 7)).digest()[:8]}
    assert any(hashlib.sha256(b"patient%0*d" % (width, n)).digest()[:8] in planted for n in range(9)), (
        "it would be found"
    )


@pytest.mark.parametrize("many", [20_000, pytest.param(10**6, marks=pytest.mark.nightly)])
def test_many_uids_are_valid_and_meet_nowhere(many: int) -> None:
    by = Pseudonyms(b"s" * 32)
    made = {by.uid(f"1.2.840.99.{n}") for n in range(many)}
    assert len(made) == many
    assert all(len(u) <= 64 and u.startswith("2.25.") and not u[5:].startswith("0") for u in made)
    assert by.uid("1.2.840.10008.5.1.4.1.1.2") == "1.2.840.10008.5.1.4.1.1.2"  # the standard's own names stay


@pytest.mark.parametrize("days", [-1, -59, -3650])
def test_intervals_stay_to_the_second(days: int) -> None:
    moments = ["20240228235959", "20240229000000", "20240301120000.250000", "20241231235959"]
    before = [datetime.strptime(m[:14], "%Y%m%d%H%M%S") for m in moments]
    after = [datetime.strptime(moved_moment(m, days)[:14], "%Y%m%d%H%M%S") for m in moments]
    assert [b - a for a, b in pairwise(before)] == [b - a for a, b in pairwise(after)]
    assert moved_date("20240229", days) == moved_moment("20240229", days)


def test_what_is_no_date_is_none() -> None:
    for said in ("2024Q1", "19990230", "Petersen", "99999999", ""):
        assert moved_date(said, -3) == ""
    assert moved_moment("20240101Petersen", -3) == "" and moved_moment("2024", -400) == "2022"


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(Refused, match="15 bytes"):
        Pseudonyms(b"x" * 15)
