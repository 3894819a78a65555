"""The follower: waits for quiet, submits once, and forgets nothing when it is killed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from isocenter.flow import FLOW, Follower
from isocenter.record import Event, Kind, Sealed
from isocenter.record.event import GENESIS

ARRIVED = tuple(rule for rule in FLOW if rule.event is Kind.INSTANCES_RECEIVED)
START = datetime(2026, 1, 1, tzinfo=UTC)


class World:
    """A journal, a clock and a list of jobs, as values."""

    def __init__(self) -> None:
        self.now = START
        self.events: list[Sealed] = []
        self.jobs: list[tuple[str, str, str]] = []
        self.content: dict[str, str] = {}

    def arrives(self, study: str, content: str = "a") -> None:
        self.content[study] = content
        number = len(self.events) + 1
        self.events.append(Sealed.after(number, GENESIS, Event(Kind.INSTANCES_RECEIVED, self.now, "CT1", study)))

    def since(self, number: int, *, kinds: list[Kind], limit: int) -> list[Sealed]:
        return [e for e in self.events if e.number > number and e.event.kind in kinds][:limit]

    def follower(self, mark: Path) -> Follower:
        return Follower(
            self.since,
            lambda verb, study, key: self.jobs.append((verb, study, key)),
            self.content.__getitem__,
            lambda: self.now,
            2.0,
            mark,
        )


@pytest.fixture
def world() -> World:
    return World()


def test_arrivals_push_back_one_job(world: World, tmp_path: Path) -> None:
    follower = world.follower(tmp_path / "mark")
    for _ in range(5):
        world.arrives("1")
        follower.step()
        world.now += timedelta(seconds=1)
    assert world.jobs == []
    world.now += timedelta(seconds=1)
    assert follower.step() == len(ARRIVED)
    assert world.jobs == [(rule.verb, "1", f"{rule.verb}:1:a") for rule in ARRIVED]
    assert follower.step() == 0
    assert follower.is_level(5)


def test_what_arrives_later_is_another_job_because_the_bytes_are_others(world: World, tmp_path: Path) -> None:
    follower = world.follower(tmp_path / "mark")
    for content in ("a", "b"):
        world.arrives("1", content)
        follower.step()
        world.now += timedelta(seconds=3)
        follower.step()
    assert [key for _, _, key in world.jobs] == [f"{rule.verb}:1:{bytes_}" for bytes_ in "ab" for rule in ARRIVED]


def test_a_follower_that_was_killed_before_it_handed_over_does_so_at_the_next_start(
    world: World, tmp_path: Path
) -> None:
    world.arrives("1")
    world.arrives("2")
    world.follower(tmp_path / "mark").step()
    after = world.follower(tmp_path / "mark")
    after.step()
    world.now += timedelta(seconds=3)
    assert after.step() == 2 * len(ARRIVED)
    last = world.follower(tmp_path / "mark")
    last.step()
    world.now += timedelta(seconds=3)
    assert last.step() == 0


def test_a_mark_that_cannot_be_read_means_from_the_beginning(world: World, tmp_path: Path) -> None:
    (tmp_path / "mark").write_text("torn")
    world.arrives("1")
    follower = world.follower(tmp_path / "mark")
    follower.step()
    world.now += timedelta(seconds=3)
    assert follower.step() == len(ARRIVED)


def test_headers_that_were_learnt_ask_once_more_and_the_same_again_does_not(world: World, tmp_path: Path) -> None:
    follower = world.follower(tmp_path / "mark")
    world.content["1"] = "learnt"
    world.events.append(Sealed.after(1, GENESIS, Event(Kind.HEADERS_LEARNT, world.now, "isocenter", "1")))
    follower.step()
    world.now += timedelta(seconds=3)
    assert follower.step() == 1 and world.jobs == [("ask_again", "1", "ask_again:1:learnt")]


def test_every_line_of_the_table_reads_as_a_sentence() -> None:
    for rule in FLOW:
        assert rule.sentence.endswith(".")
        assert rule.event in Kind
