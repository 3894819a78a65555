"""Numbers of findings: by the place at which each could first be seen, one for a segment."""

from __future__ import annotations

from datetime import UTC, datetime

from isocenter.reading.numbering import numbers
from isocenter.record import Finding, Origin, Outcome, Result, codes

WHEN = datetime(2026, 3, 1, tzinfo=UTC)


def result(*trackings: str, by: str = "machine") -> tuple[str, Result]:
    found = tuple(Finding(codes.LESION, 0.8, words="A lesion.", tracking=one) for one in trackings)
    made = Result("1.2.3", Outcome.FOUND, Origin(by, "one", "1", "m" * 64), WHEN, findings=found)
    return "+".join(trackings), made


def test_what_was_seen_before_the_lock_comes_before_what_the_lock_showed() -> None:
    every = [result("2.25.1", "2.25.2"), result("2.25.3", by="person")]
    assert numbers(every, {}, lambda _: True) == {"2.25.1": 1, "2.25.2": 2, "2.25.3": 3}
    own_first = numbers(every, {}, lambda one: one.origin.kind == "person")
    assert own_first == {"2.25.3": 1, "2.25.1": 2, "2.25.2": 3}


def test_a_newer_result_moves_no_number_and_a_segment_has_one() -> None:
    before = [result("2.25.1"), result("2.25.2"), result("2.25.3")]
    under = {"2.25.1": "2.25.3", "2.25.3": "2.25.3"}
    assert numbers(before, under, lambda _: True) == {"2.25.1": 1, "2.25.2": 2, "2.25.3": 1}
    answered = [*before, result("2.25.1", by="person")]
    assert numbers(answered, under, lambda _: True) == numbers(before, under, lambda _: True)
