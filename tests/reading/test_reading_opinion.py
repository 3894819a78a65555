"""A first opinion is given once, says something, and says one thing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from isocenter.errors import Conflict, Refused, WrongState
from isocenter.reading.opinion import Opinion, lock, locked, typed
from isocenter.reading.session import Reading
from isocenter.record import Finding, Origin, Outcome, Result, Verdict, canonical, codes, from_plain, to_plain

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
OPEN = Reading("1.2", "open", "ito", 7, asked=True)
CYST = Finding(codes.LESION, 0.75, words="A cyst.", tracking="2.25.1", verdict=Verdict.ADDED)
OWN = Result("1.2", Outcome.FOUND, Origin("person", "ito", unaided=True), NOON, findings=(CYST,))


def given(reading: Reading = OPEN, own: Any = (("a", OWN),), **rest: Any) -> Opinion:
    return lock(reading, own, "ito", NOON, **{"version": 7, "modes": {"ct": "unaided-first"}, **rest})


def test_what_was_said_is_kept_with_its_time_and_reads_back() -> None:
    told = given(line="  a cyst,\n  small ")
    assert (told.line, told.findings, told.results, told.locked) == ("a cyst, small", (CYST,), ("a",), NOON)
    assert from_plain(Opinion, to_plain(told)) == told
    event = locked(OPEN, told, "d" * 64)
    assert (event.subject, event.who, event.time) == ("1.2", "ito", NOON)
    assert "cyst" not in canonical(event.details).decode(), "the journal counts; the words stay in the opinion"


def test_a_finding_that_was_struck_again_is_no_part_of_it() -> None:
    struck = replace(OWN, findings=(replace(CYST, verdict=Verdict.STRUCK),))
    assert given(own=(("a", struck),), nothing=True).findings == ()


@pytest.mark.parametrize(
    ("rest", "words"),
    [
        ({"own": ()}, "says nothing"),
        ({"nothing": True}, "nothing to report, and 1 findings"),
        ({"line": "x" * 1001}, "1001 characters"),
        ({"line": "x\x07"}, "control characters"),
    ],
)
def test_opinions_that_are_refused(rest: Any, words: str) -> None:
    with pytest.raises(Refused, match=words):
        given(**rest)


def test_it_is_given_once_by_who_reads_at_the_version_they_saw() -> None:
    with pytest.raises(WrongState, match="was locked at 12:00:00"):
        given(replace(OPEN, locked=NOON))
    with pytest.raises(WrongState, match="gray has this study open"):
        given(replace(OPEN, by="gray"))
    with pytest.raises(Conflict):
        given(version=6)
    with pytest.raises(WrongState):
        given(replace(OPEN, state="waiting", by=""))


def test_a_line_is_typed_by_who_reads_until_it_is_locked() -> None:
    assert typed(OPEN, "a cy", "ito", NOON).details == {"line": "a cy"}
    with pytest.raises(WrongState, match="is locked"):
        typed(replace(OPEN, locked=NOON), "a cyst", "ito", NOON)
    for other in (replace(OPEN, by="gray"), replace(OPEN, state="waiting")):
        with pytest.raises(WrongState, match="not open with you"):
            typed(other, "a cyst", "ito", NOON)
    with pytest.raises(Refused, match="1001 characters"):
        typed(OPEN, "x" * 1001, "ito", NOON)
