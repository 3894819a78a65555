"""Pseudonyms that nobody without the secret can repeat."""

from __future__ import annotations

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


def test_no_plain_digest_of_a_record_number_gives_the_pseudonym() -> None:
    import hashlib

    made = {Pseudonyms(b"s" * 32).patient(f"{n:05}", "") for n in range(0, 20_000, 1000)}
    tried = {
        hashlib.new(kind, form.format(n).encode()).hexdigest()[:16].upper()
        for kind in ("md5", "sha1", "sha256")
        for form in ("{:05}", "\0{:05}", "patient{:05}")
        for n in range(20_000)
    }
    assert len(made) == 20 and not made & tried


def test_many_uids_are_valid_and_meet_nowhere() -> None:
    by = Pseudonyms(b"s" * 32)
    made = {by.uid(f"1.2.840.99.{n}") for n in range(20_000)}
    assert len(made) == 20_000
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
