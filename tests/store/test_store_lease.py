"""Leases: who lives, and who of the living looks after the dead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from isocenter.store.jobs import Jobs, _jobs_url
from isocenter.store.lease import Leases


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def leases(database_url: str, clock: Clock) -> Iterator[Any]:
    made: list[Leases] = []

    def make(executor: str) -> Leases:
        made.append(Leases(_jobs_url(database_url), executor, lease_s=30, clock=clock))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_a_worker_lives_until_it_is_silent_for_its_lease(leases: Any, clock: Clock) -> None:
    one, two = leases("one"), leases("two")
    one.beat()
    clock.now += 20
    two.beat()
    assert one.alive() == {"one", "two"}
    clock.now += 10
    assert one.alive() == {"two"} and two.beat_of("one") == 1000.0 and two.beat_of("none") == 0.0
    one.beat()
    two.give_up()
    assert two.alive() == {"one"}


def test_one_at_a_time_looks_after_the_dead(leases: Any, clock: Clock) -> None:
    one, two = leases("one"), leases("two")
    assert one.may_reap() and not two.may_reap() and one.may_reap()
    clock.now += 29
    assert not two.may_reap()
    clock.now += 1
    assert two.may_reap() and not one.may_reap()
    assert one.alive() == set()  # the right to look after the dead is no worker


def test_how_far_a_job_is(leases: Any) -> None:
    one = leases("one")
    assert one.note("job") == (None, "")
    one.write_note("job", 0.25, "reading")
    one.write_note("job", 0.5, "measuring")
    assert leases("two").note("job") == (0.5, "measuring")


def test_nothing_is_taken_from_the_living_and_nothing_while_another_reaps(database_url: str, clock: Clock) -> None:
    jobs = Jobs(database_url, executor="one", run={}, clock=clock)
    other = Leases(_jobs_url(database_url), "two", lease_s=30, clock=clock)
    assert jobs.take_over() == []
    clock.now += 31
    assert other.may_reap() and jobs.take_over() == []
    other.close()
    jobs.close()
