"""The journal: a chain that shows every edit, and an order that survives any number of writers."""

from __future__ import annotations

import multiprocessing
import threading
from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa
from store_samples import NOON, after, made, result

from isocenter.errors import Conflict, NotFound, Refused, Unavailable, WrongState
from isocenter.record import Event, Kind, Sealed
from isocenter.record.event import GENESIS
from isocenter.store import Database, Journal


def viewed(n: int, who: str = "reader") -> Event:
    return Event(Kind.VIEWED, after(n), who, f"1.2.{n % 3}", {"n": n, "word": 'Größe 見 "quoted"'})


def test_the_chain_is_the_one_of_the_record(archive: Any) -> None:
    assert archive.journal.head() == (0, GENESIS)
    first = archive.journal.append(viewed(0), viewed(1))
    second = archive.journal.append(viewed(2))
    expected = Sealed.after(1, GENESIS, viewed(0))
    assert first[0] == expected and first[0].is_whole()
    assert second[0] == Sealed.after(3, first[1].hash, viewed(2))
    assert archive.journal.head() == (3, second[0].hash)
    assert archive.journal.verify() == 3
    read = archive.journal.since()
    assert read == [*first, *second] and all(entry.is_whole() for entry in read)
    assert read[2].event.details == viewed(2).details


def test_since_narrows(archive: Any) -> None:
    archive.journal.append(*(viewed(n, "a" if n % 2 else "b") for n in range(10)))
    archive.journal.append(Event(Kind.STARTED, NOON, "isocenter"))
    numbers = lambda **how: [e.number for e in archive.journal.since(**how)]  # noqa: E731
    assert numbers(number=9) == [10, 11]
    assert numbers(kinds=[Kind.STARTED]) == [11]
    assert numbers(subject="1.2.1") == [2, 5, 8]
    assert numbers(who="a", limit=2) == [2, 4]
    assert numbers(newest_first=True, limit=3) == [11, 10, 9]
    assert numbers(newest_first=True, number=3) == [2, 1]


def test_its_level_tells_whether_some_kinds_spoke(archive: Any) -> None:
    asked = (Kind.STARTED, Kind.SHARE_ENDED)
    assert archive.journal.level(0, asked) == (0, False)
    archive.journal.append(viewed(0), Event(Kind.STARTED, NOON, "isocenter"), viewed(1))
    assert archive.journal.level(0, asked) == archive.journal.level(1, asked) == (3, True)
    assert archive.journal.level(2, asked) == archive.journal.level(9, asked) == (3, False)


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        ("UPDATE event SET details = replace(details, '4', '5') WHERE number = 5", 5),
        ("UPDATE event SET who = 'nobody' WHERE number = 1", 1),
        ("UPDATE event SET time = '2026-01-01T00:00:00+00:00' WHERE number = 7", 7),
        ("DELETE FROM event WHERE number = 4", 4),
        ("DELETE FROM event WHERE number = 1", 1),
        ("DELETE FROM event WHERE number = 10", 10),
        ("DELETE FROM event", 1),
        ("UPDATE event SET number = 103 - number WHERE number IN (50, 51, 3, 4)", 3),
        ("UPDATE event SET hash = (SELECT e.hash FROM event e WHERE e.number = 2) WHERE number = 6", 6),
        ("UPDATE chain SET number = 12", 11),
    ],
)
def test_the_first_broken_entry_is_named(archive: Any, edit: str, named: int) -> None:
    archive.journal.append(*(viewed(n) for n in range(10)))
    assert archive.journal.verify() == 10
    with archive.database._begin() as connection:
        for name in ("update", "delete") if archive.database.is_sqlite else ("change",):
            table = "" if archive.database.is_sqlite else " ON event"
            connection.exec_driver_sql(f"DROP TRIGGER event_no_{name}{table}")
        connection.exec_driver_sql(edit)
    with pytest.raises(Refused, match=f"broken at entry {named}:"):
        archive.journal.verify()


def test_an_entry_swapped_with_its_neighbour_is_found(archive: Any) -> None:
    archive.journal.append(*(viewed(n) for n in range(4)))
    with archive.database._begin() as connection:
        for name in ("update", "delete") if archive.database.is_sqlite else ("change",):
            connection.exec_driver_sql(
                f"DROP TRIGGER event_no_{name}{'' if archive.database.is_sqlite else ' ON event'}"
            )
        for old, new in ((2, 99), (3, 2), (99, 3)):
            connection.exec_driver_sql(f"UPDATE event SET number = {new} WHERE number = {old}")
    with pytest.raises(Refused, match="broken at entry 2:"):
        archive.journal.verify()


@pytest.mark.parametrize("edit", ["UPDATE event SET who = 'x'", "DELETE FROM event"])
def test_the_database_itself_refuses_to_change_an_event(archive: Any, edit: str) -> None:
    archive.journal.append(viewed(1))
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), archive.database._begin() as connection:
        connection.exec_driver_sql(edit)
    assert archive.journal.verify() == 1


def test_a_time_without_zone_is_refused(archive: Any) -> None:
    with pytest.raises(Refused, match="must be UTC"):
        archive.journal.append(Event(Kind.STARTED, datetime(2026, 1, 1), "x"))
    assert archive.journal.head()[0] == 0


def test_half_a_character_is_refused_before_it_reaches_the_database(archive: Any) -> None:
    with pytest.raises(Refused, match="half a character"):
        archive.journal.append(Event(Kind.STARTED, NOON, "x", "", {"bad": "\ud800"}))
    assert archive.journal.append(viewed(1))[0].number == 1


def test_all_or_none(archive: Any) -> None:
    with pytest.raises(WrongState):
        archive.journal.append(viewed(1), Event(Kind.REPORT_SIGNED, NOON, "r", "1.2.1", {"report": "d"}))
    assert archive.journal.head()[0] == 0 and archive.journal.since() == []


def test_a_result_that_is_not_there_cannot_be_told_of(archive: Any) -> None:
    with pytest.raises(NotFound):
        archive.journal.append(Event(Kind.RESULT_MADE, NOON, "m", "1.2.1", {"result": "0" * 64}))
    with pytest.raises(Refused, match="beside another person's images"):
        event = made(archive.blobs, result("1.2.1"))
        archive.journal.append(Event(Kind.RESULT_MADE, NOON, "m", "1.2.2", event.details))
    with pytest.raises(Refused, match="without the blobs"):
        Journal(archive.database).append(made(archive.blobs, result()))
    assert archive.journal.head()[0] == 0


def test_who_comes_second_is_told_so(archive: Any) -> None:
    opened = Event(Kind.READING_OPENED, NOON, "anna", "1.2.1")
    (entry,) = archive.journal.append(opened, seen=0)
    with pytest.raises(Conflict, match="this reading as it was seen"):
        archive.journal.append(Event(Kind.REPORT_DRAFTED, NOON, "bert", "1.2.1", {"report": "a"}), seen=0)
    archive.journal.append(Event(Kind.REPORT_DRAFTED, NOON, "anna", "1.2.1", {"report": "a"}), seen=entry.number)
    assert archive.index.reading("1.2.1")["version"] == 2


def test_a_rule_is_told_only_what_its_asker_has_not_folded(archive: Any) -> None:
    kinds, told = (Kind.VIEWED,), list[list[int]]()
    for number in range(4):
        archive.journal.append(Event(Kind.VIEWED, after(number), "anna", f"1.2.{number % 2}", {}))

    def rule(history: Any) -> list[Event]:
        told.append([entry.number for entry in history])
        return [Event(Kind.VIEWED, after(9), "anna", "1.2.0", {})]

    for known in (0, 1, 4):
        archive.journal.decide("1.2.0", kinds, rule, after=known)
    assert told == [[1, 3], [3, 5], [5, 6]]
    with pytest.raises(Conflict, match="older copy"):
        archive.journal.decide("1.2.0", kinds, rule, after=99)
    assert archive.journal.head()[0] == 7


def test_threads_append_without_gaps(archive: Any) -> None:
    def work(k: int) -> None:
        for n in range(15):
            archive.journal.append(Event(Kind.VIEWED, after(n), f"t{k}", "s", {"n": n}))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert archive.journal.verify() == 120
    for k in range(8):
        assert [e.event.details["n"] for e in archive.journal.since(who=f"t{k}")] == list(range(15))


def test_one_refused_writer_does_not_harm_those_who_share_its_transaction(archive: Any) -> None:
    """Refusals among many concurrent writers: each good event is there once, no bad one is."""
    refused: list[int] = []

    def work(k: int) -> None:
        for n in range(10):
            if (k + n) % 3 == 0:
                try:
                    archive.journal.append(Event(Kind.REPORT_SIGNED, NOON, f"t{k}", f"{k}.{n}", {"report": "d"}))
                except WrongState:
                    refused.append(1)
            else:
                archive.journal.append(Event(Kind.VIEWED, NOON, f"t{k}", "s", {"n": n}))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 20 and archive.journal.verify() == 40


def _append_in_process(url: str, k: int) -> None:
    database = Database(url)
    journal = Journal(database)
    for n in range(20):
        journal.append(Event(Kind.VIEWED, after(n), f"p{k}", "s", {"n": n}))
    database.close()


def test_processes_append_without_gaps(archive: Any) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_append_in_process, args=(archive.url, k)) for k in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert archive.journal.verify() == 60


def test_a_full_database_says_so_and_goes_on_when_there_is_room(archive: Any) -> None:
    if not archive.database.is_sqlite:
        pytest.skip("only SQLite can be given a small disk without a small disk")
    archive.journal.append(viewed(0))
    with archive.database.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    limit = lambda c, n: c.exec_driver_sql(f"PRAGMA max_page_count = {n}")  # noqa: E731
    archive.database.engine.dispose()
    sa.event.listen(archive.database.engine, "begin", small := (lambda c: limit(c, pages)))
    big = Event(Kind.STARTED, NOON, "x", "", {"text": "x" * 200_000})
    with pytest.raises(Unavailable, match="the disk is full"):
        archive.journal.append(big)
    assert archive.journal.head()[0] == 1
    sa.event.remove(archive.database.engine, "begin", small)
    archive.database.engine.dispose()
    archive.journal.append(big)
    assert archive.journal.verify() == 2
