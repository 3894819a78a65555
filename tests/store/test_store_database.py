"""The database: migrated when it is opened, shared by many writers, held by one server."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from store_samples import NOON

from fresh_database import fresh_database
from isocenter.errors import Refused, Unavailable
from isocenter.record import Event, Kind
from isocenter.store import Database, Journal, migrations
from isocenter.store import tables as t
from isocenter.store.statements import Statement
from isocenter.store.tables import metadata


def _shape(engine: sa.Engine) -> dict[str, Any]:
    """All that a database was made with: columns, keys, indexes, triggers, and the first rows."""
    asked, made = sa.inspect(engine), dict[str, Any]()
    for name in asked.get_table_names():
        columns = [{**c, "type": str(c["type"])} for c in asked.get_columns(name)]
        indexes = sorted(asked.get_indexes(name), key=lambda i: str(i["name"]))
        made[name] = sorted(columns, key=lambda c: str(c["name"])), asked.get_pk_constraint(name), indexes
    triggers = (
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name"
        if engine.dialect.name == "sqlite"
        else "SELECT tgname, pg_get_triggerdef(oid), pg_get_functiondef(tgfoid) FROM pg_trigger WHERE NOT tgisinternal"
    )
    with engine.connect() as connection:
        made["triggers"] = [tuple(row) for row in connection.exec_driver_sql(triggers)]
        for first in ("chain", "alembic_version"):
            made[f"rows of {first}"] = [tuple(row) for row in connection.exec_driver_sql(f"SELECT * FROM {first}")]
    return made


def test_all_migrations_one_after_the_other_make_exactly_what_a_new_archive_has(archive: Any, tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    kind = "sqlite" if archive.database.is_sqlite else "postgres"
    (tmp_path / "stepped").mkdir()
    with fresh_database(kind, tmp_path / "stepped") as url:
        stepped = sa.create_engine(url)
        migrations.upgrade(stepped, None)
        for engine in (stepped, archive.database.engine):
            with engine.connect() as connection:
                context = MigrationContext.configure(connection, opts={"compare_type": True})
                assert compare_metadata(context, metadata) == []
                assert context.get_current_revision() == migrations.HEAD
        made = _shape(archive.database.engine)
        assert made == _shape(stepped) and len(made) == len(metadata.tables) + 4 and made["triggers"]
        stepped.dispose()


def test_head_is_the_newest_migration() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == migrations.HEAD


def test_what_is_removed_leaves_the_files_and_not_only_the_tables(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/a.sqlite")
    rows = [{"name": f"CANARY{n}" + "x" * 300, "aet": "A", "host": "h", "port": 1, "kind": "dicom"} for n in range(200)]
    database.write(lambda connection: connection.execute(t.peer.insert(), rows))

    def clear() -> bool:
        return any(b"CANARY" in path.read_bytes() for path in tmp_path.iterdir())

    assert database.forget() and clear(), "they are in the file itself now"
    database.write(lambda connection: connection.execute(t.peer.delete().where(t.peer.c.name.like("CANARY%"))))
    tried, asked = threading.Event(), database._emptied

    def told() -> bool:
        done = asked()
        tried.set()
        return done

    with ThreadPoolExecutor(1) as pool, database.read() as reader:
        assert reader.execute(sa.select(t.peer)).all() == []
        assert not database.forget(patience_s=0), "somebody reads from the log"
        database._emptied = told  # type: ignore[method-assign]
        late = pool.submit(database.forget, 60)
        assert tried.wait(30) and not late.done()
        reader.rollback()
        assert late.result(30), "it is tried again until nobody reads"
    assert not clear()
    database.close()


def test_what_was_written_is_there_when_it_is_opened_again(archive: Any) -> None:
    archive.journal.append(Event(Kind.STARTED, NOON, "isocenter"))
    again = Database(archive.url)
    assert Journal(again).verify() == 1
    again.close()


def test_two_that_open_a_new_archive_at_once_both_get_it(database_url: str) -> None:
    opened: list[Database] = []
    threads = [threading.Thread(target=lambda: opened.append(Database(database_url))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 4 and {Journal(one).head()[0] for one in opened} == {0}
    for one in opened:
        one.close()


def test_an_archive_of_a_newer_version_is_refused(archive: Any) -> None:
    with archive.database._begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(Unavailable, match="step 9999: a newer version of Isocenter"):
        Database(archive.url)


def test_sqlite_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/a.sqlite")
    with database.read() as connection:
        ask = lambda name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()  # noqa: E731
        assert (ask("journal_mode"), ask("synchronous")) == ("wal", 2)  # 2 is FULL
    database.close()


@pytest.mark.parametrize(
    ("url", "why"),
    [("mysql://x/y", "neither"), ("sqlite://", "must survive"), ("sqlite:///:memory:", "must survive")],
)
def test_what_is_no_database_for_an_archive_is_refused(url: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        Database(url)


def test_a_database_out_of_reach_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be reached"):
        Database("postgresql://127.0.0.1:9/nothing?connect_timeout=2")
    (tmp_path / "a.sqlite").write_bytes(b"no database at all, but long enough to be looked at" * 100)
    with pytest.raises(Unavailable, match="something else"):
        Database(f"sqlite:///{tmp_path}/a.sqlite")


HOLDER = """
import sys
from isocenter.store import Database
database = Database(sys.argv[1], server=True)
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_server_on_the_same_folder_is_refused_by_name(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.sqlite"
    first = subprocess.Popen(
        [sys.executable, "-c", HOLDER, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert first.stdout is not None and first.stdout.readline() == "held\n"
        with pytest.raises(Unavailable, match=f"process {first.pid} serves it already. Stop that one"):
            Database(url, server=True)
        beside = Database(url)  # a worker or a command may
        beside.close()
    finally:
        first.kill()
        first.communicate()
    after_its_death = Database(url, server=True)
    with pytest.raises(Unavailable, match=f"process {os.getpid()}"):
        Database(url, server=True)
    after_its_death.close()
    Database(url, server=True).close()


def test_writers_that_wait_share_one_transaction(archive: Any) -> None:
    """While one transaction is held up, others queue; all of them are then committed by a single one."""
    entered, go = threading.Event(), threading.Event()
    commits: list[int] = []
    sa.event.listen(archive.database.engine, "commit", lambda _: commits.append(1))

    def slow(connection: sa.Connection) -> int:
        entered.set()
        assert go.wait(10)
        return 0

    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(archive.database.write(slow)))]
    threads[0].start()
    assert entered.wait(10)
    for n in range(1, 6):
        threads.append(threading.Thread(target=lambda n=n: answers.append(archive.database.write(lambda _: n))))
        threads[-1].start()
    while len(archive.database._waiting) < 5:
        pass
    go.set()
    for thread in threads:
        thread.join(10)
    assert sorted(answers) == [0, 1, 2, 3, 4, 5] and len(commits) == 2


def test_when_a_shared_transaction_fails_each_gets_its_own(archive: Any) -> None:
    """The one whose change breaks the database is told so; those who shared with it are answered."""
    journal, answers = archive.journal, []
    entered, go = threading.Event(), threading.Event()

    def slow(_: sa.Connection) -> None:
        entered.set()
        assert go.wait(10)

    def broken(connection: sa.Connection) -> None:
        raise sa.exc.OperationalError("COMMIT", {}, Exception("disk I/O error"))

    def ask(work: Any) -> None:
        try:
            answers.append(work())
        except Unavailable as told:
            answers.append(told.why.split(" (")[0])

    event = Event(Kind.STARTED, NOON, "isocenter")
    works = [lambda: archive.database.write(slow), lambda: archive.database.write(broken)]
    works += [lambda: len(journal.append(event))] * 2
    threads = [threading.Thread(target=ask, args=(work,)) for work in works]
    threads[0].start()
    assert entered.wait(10)
    for thread in threads[1:]:
        thread.start()
    while len(archive.database._waiting) < 3:
        pass
    go.set()
    for thread in threads:
        thread.join(10)
    assert sorted(map(str, answers)) == ["1", "1", "None", "the disk reports an error"]
    assert journal.verify() == 2


def test_work_that_can_be_joined_is_done_once_for_all_who_wait(archive: Any) -> None:
    """In the order in which they came; and alone, for each, where it fails for all."""
    entered, go = threading.Event(), threading.Event()
    done: list[list[int]] = []

    def slow(_: sa.Connection) -> int:
        entered.set()
        assert go.wait(10)
        return 0

    def squares(_: sa.Connection, numbers: Any) -> list[int]:
        done.append(list(numbers))
        if 3 in numbers:
            raise ValueError("three")
        return [number * number for number in numbers]

    answers: dict[int, object] = {}

    def ask(number: int) -> None:
        try:
            answers[number] = archive.database.write_joined(squares, number)
        except ValueError as told:
            answers[number] = str(told)

    for asked in ([1, 2], [1, 2, 3]):
        entered.clear()
        go.clear()
        done.clear()
        threads = [threading.Thread(target=archive.database.write, args=(slow,))]
        threads += [threading.Thread(target=ask, args=(number,)) for number in asked]
        threads[0].start()
        assert entered.wait(10) and archive.database.busy
        for thread in threads[1:]:
            thread.start()
        while len(archive.database._waiting) < len(asked):
            pass
        go.set()
        for thread in threads:
            thread.join(10)
        assert sorted(done[0]) == asked
        assert sorted(map(len, done[1:])) == ([] if len(asked) == 2 else [1, 1, 1])
    assert answers == {1: 1, 2: 4, 3: "three"} and not archive.database.busy


def test_a_look_sees_what_is_there_now_and_a_broken_one_is_told(archive: Any) -> None:
    heads = Statement(sa.select(t.chain.c.number).where(t.chain.c.id == sa.bindparam("of")))
    assert archive.database.look(heads, [{"of": 1}, {"of": 2}]) == [[(0,)], []]
    archive.journal.append(Event(Kind.STARTED, NOON, "isocenter"))
    assert archive.database.look(heads, [{"of": 1}]) == [[(1,)]]
    with pytest.raises((Unavailable, sa.exc.DBAPIError), match="nowhere"):
        archive.database.look(Statement(sa.text("SELECT number FROM nowhere")), [{}])
    assert archive.database.look(heads, [{"of": 1}]) == [[(1,)]]
