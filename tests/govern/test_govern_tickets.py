"""Tickets: names for entries of the journal that lead back and tell no order."""

from __future__ import annotations

import itertools

import pytest

from isocenter.errors import Refused
from isocenter.govern.tickets import Tickets


def test_law_every_ticket_leads_back_and_no_two_are_alike() -> None:
    tickets = Tickets(b"secret")
    numbers = [*range(3000), 2**32 - 1, 2**32, 2**53, 2**64 - 1]
    told = [tickets.of(number) for number in numbers]
    assert len(set(told)) == len(numbers)
    assert [tickets.number(one) for one in told] == numbers


def test_a_ticket_tells_no_order_and_no_distance() -> None:
    tickets = Tickets(b"secret")
    told = [int(tickets.of(number), 16) for number in range(2000)]
    rising = sum(a < b for a, b in itertools.pairwise(told))
    assert 900 < rising < 1100, "half of the steps, as by chance (standard deviation 22)"
    flipped = [bin(a ^ b).count("1") for a, b in itertools.pairwise(told)]
    assert 31 < sum(flipped) / len(flipped) < 33, "half of 64 bits change from one entry to the next"


def test_law_every_version_leads_back_fits_a_browser_and_nothing_written_stays_zero() -> None:
    tickets = Tickets(b"secret")
    numbers = [*range(3000), 2**26 - 1, 2**26, 2**52 - 1]
    told = [tickets.version(number) for number in numbers]
    assert len(set(told)) == len(numbers) and max(told) < 2**53 and told[0] == 0
    assert {len(str(one)) for one in told[1:]} == {16}, "sizes tell nothing either"
    assert [tickets.seen(one) for one in told] == numbers
    rising = sum(a < b for a, b in itertools.pairwise(told[1:3000]))
    assert 1400 < rising < 1600, "no order (half of the steps, standard deviation 27)"
    assert tickets.seen(7) == tickets.seen(2**60) == -1, "an entry's own number is no version: it cannot be tried out"


def test_law_a_place_leads_back_and_is_another_one_each_time() -> None:
    tickets = Tickets(b"secret")
    numbers = [0, 1, 7, 3000, 2**48 - 1]
    assert [tickets.behind(tickets.place(number)) for number in numbers] == numbers
    assert len({tickets.place(7) for _ in range(200)}) > 190


def test_another_archive_has_others() -> None:
    assert Tickets(b"one").of(7) != Tickets(b"other").of(7)


@pytest.mark.parametrize("ticket", ["", "7", "x" * 16, "A" * 16, "0" * 17])
def test_what_is_no_ticket_is_refused(ticket: str) -> None:
    with pytest.raises(Refused, match="16 hexadecimal"):
        Tickets(b"secret").number(ticket)
