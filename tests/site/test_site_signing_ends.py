"""Signed ends of a journal that grows: how little stands behind the newest one, and what they prove."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from isocenter.errors import Refused, Unavailable
from isocenter.govern.heads import checked, head_of, public_key
from isocenter.record import Event, Kind
from isocenter.site.signing_ends import EVERY, MOST, SigningEnds
from isocenter.store import Database, Journal

SECRET = b"a secret of this archive"


@dataclass
class Clock:
    now: datetime = datetime(2026, 11, 20, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ends(tmp_path: Path, clock: Clock) -> SigningEnds:
    return SigningEnds(Journal(Database(f"sqlite:///{tmp_path}/a.sqlite")), clock, lambda: SECRET, tmp_path / "ends")


def grow(ends: SigningEnds, *kinds: Kind) -> None:
    ends.journal.append(*(Event(kind, ends.clock(), "ito", f"1.2.{n}", {}) for n, kind in enumerate(kinds)))


def told(ends: SigningEnds) -> list[int]:
    return [json.loads(line)["number"] for line in ends.file.read_text().splitlines()] if ends.file.exists() else []


def test_an_end_is_signed_by_time_by_number_and_after_something_was_taken(ends: SigningEnds, clock: Clock) -> None:
    assert not ends.look(), "of an empty journal there is nothing to say"
    grow(ends, Kind.IMAGES_SEEN)
    assert ends.look() and not ends.look()
    clock.now += 2 * EVERY
    assert not ends.look(), "it has not grown"
    grow(ends, Kind.IMAGES_SEEN)
    assert ends.look()
    grow(ends, Kind.IMAGES_SEEN)
    clock.now += EVERY - timedelta(seconds=1)
    assert not ends.look()
    grow(ends, *[Kind.IMAGES_SEEN] * (MOST - 1))
    assert ends.look()
    for kind in (Kind.AUDIT_EXPORTED, Kind.COHORT_EXPORTED, Kind.EXPORTED, Kind.FIGURES_TAKEN):
        grow(ends, kind)
        assert ends.look(), kind
    clock.now -= timedelta(hours=10)
    grow(ends, Kind.IMAGES_SEEN)
    assert ends.look(), "a clock that was set back holds nothing up"
    assert told(ends) == sorted(set(told(ends))) and told(ends)[-1] == ends.journal.head()[0]


def test_another_process_goes_on_behind_the_last_line_and_closing_signs_the_rest(
    ends: SigningEnds, clock: Clock
) -> None:
    grow(ends, Kind.IMAGES_SEEN)
    ends.look()
    again = SigningEnds(ends.journal, clock, lambda: SECRET, ends.file)
    assert not again.look()
    again.close()
    assert told(ends) == [1]
    grow(ends, Kind.IMAGES_SEEN)
    assert not again.look()
    again.close()
    assert told(ends) == [1, 2]
    ends.file.write_text("nonsense\n")
    assert SigningEnds(ends.journal, clock, lambda: SECRET, ends.file).look(), "rather once too often"


def test_a_tail_that_was_cut_and_written_anew_is_found_by_them(ends: SigningEnds, tmp_path: Path) -> None:
    grow(ends, Kind.IMAGES_SEEN, Kind.IMAGES_SEEN, Kind.COHORT_EXPORTED)
    ends.look()
    heads = [head_of(json.loads(line)) for line in ends.file.read_text().splitlines()]
    other = Journal(Database(f"sqlite:///{tmp_path}/b.sqlite"))  # whole in itself, without what was taken
    other.append(*(s.event for s in ends.journal.since()[:2]), Event(Kind.IMAGES_SEEN, ends.clock(), "ito", "1.2", {}))

    def entry(number: int) -> str | None:
        return next((s.hash for s in other.since(number - 1, limit=1)), None)

    assert other.verify() == 3
    with pytest.raises(Refused, match="changed or cut"):
        checked(heads, entry, public_key(SECRET))


def test_a_file_that_cannot_be_written_is_told(ends: SigningEnds) -> None:
    grow(ends, Kind.IMAGES_SEEN)
    ends.file.mkdir()
    with pytest.raises(Unavailable, match="ISOCENTER_JOURNAL_ENDS"):
        ends.look()
