"""How often readers here confirmed what looks like this: counted from signatures, withheld while it is few."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from isocenter.reading.confirmed import LEAST, Confirmed, Experience
from isocenter.record import Event, Kind, Sealed
from isocenter.record.event import GENESIS

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Book:
    """A journal in memory."""

    def __init__(self) -> None:
        self.kept: list[Sealed] = []

    def signs(
        self, study: str, *decisions: tuple[str, float | None], kind: Kind = Kind.REPORT_SIGNED, **of: str
    ) -> None:
        told = [
            {"analysis": "nodule", "version": "1", "certainty": certainty, "verdict": verdict}
            for verdict, certainty in decisions
        ]
        event = Event(kind, NOON, "ito", study, {"report": "d", "decisions": told})
        self.kept.append(Sealed.after(len(self.kept) + 1, GENESIS, event))

    def since(self, number: int, *, kinds: Any, limit: int) -> list[Sealed]:
        return [s for s in self.kept if s.number > number and s.event.kind in kinds][:limit]

    def experience(self) -> Experience:
        return Experience(self.since, lambda: len(self.kept))


def test_hand_worked_share_with_wilsons_interval() -> None:
    book = Book()
    for n in range(19):
        book.signs(f"1.{n}", ("kept" if n % 4 else "struck", 0.85))
    known = book.experience()
    assert known.of("nodule", "1", 0.9) == Confirmed(19), "not yet known here"
    book.signs("1.19", ("changed", 0.95), ("struck", 0.3))
    # 15 of 20 confirmed: Wilson (1927) 0.531 to 0.888
    assert known.of("nodule", "1", 0.81) == Confirmed(20, 75, 53, 89)
    assert known.of("nodule", "1", 0.3) == Confirmed(1), "another band of certainty"
    assert known.of("nodule", "2", 0.9) == Confirmed(0), "another version is another instrument"
    assert known.of("other", "1", 0.9) == Confirmed(0)
    assert known.of("nodule", "1", None) == Confirmed(0)
    assert LEAST == 20


def test_an_amendment_takes_the_place_of_what_was_signed_before() -> None:
    book = Book()
    for n in range(20):
        book.signs(f"1.{n}", ("kept", 0.9))
    known = book.experience()
    assert known.of("nodule", "1", 0.9).of_100 == 100
    book.signs("1.0", ("struck", 0.9), kind=Kind.REPORT_AMENDED)
    assert (known.of("nodule", "1", 0.9).n, known.of("nodule", "1", 0.9).of_100) == (20, 95)
    assert book.experience().of("nodule", "1", 0.9).of_100 == 95, "read anew it is the same"


def test_what_was_added_by_a_person_and_older_signatures_without_decisions_do_not_count() -> None:
    book = Book()
    event = Event(Kind.REPORT_SIGNED, NOON, "ito", "1.9", {"report": "d"})
    book.kept.append(Sealed.after(1, GENESIS, event))
    assert book.experience().of("nodule", "1", 0.9) == Confirmed(0)


def test_an_archive_put_back_to_an_older_copy_is_counted_anew() -> None:
    book = Book()
    for n in range(21):
        book.signs(f"1.{n}", ("kept", 0.9))
    known = book.experience()
    assert known.of("nodule", "1", 0.9).n == 21
    del book.kept[20:]
    assert known.of("nodule", "1", 0.9).n == 20


@pytest.mark.parametrize("many", [4500])
def test_many_signatures_are_read_page_by_page(many: int) -> None:
    book = Book()
    for n in range(many):
        book.signs(f"1.{n}", ("kept", 0.9))
    assert book.experience().of("nodule", "1", 0.9).n == many
