"""On PostgreSQL the account of every day does all of the work, and can neither change the journal nor make a table."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from store_samples import NOON, image

from fresh_database import fresh_database
from isocenter.store import Blobs, Database, Index, Journal, receive
from isocenter.store.jobs import Jobs

PAGE = Path(__file__).parents[2] / "docs" / "do" / "set-up-the-database.md"


def said_on_the_page() -> list[str]:
    """What the owner of the database is told to type, statement by statement."""
    (block,) = [b for b in re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.S) if "in the database" in b]
    plain = re.sub(r"--.*", "", block)
    return [one.strip() for one in plain.split(";") if one.strip()]


@pytest.fixture
def accounts(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Addresses of a fresh archive for its owner and for the account that serves, set up as the page says."""
    with fresh_database("postgres", tmp_path) as url:
        Database(url).close()
        Jobs(url, executor="owner", run={"say": str}).close()
        name = f"serve_{uuid.uuid4().hex[:12]}"
        owner = sa.create_engine(url, isolation_level="AUTOCOMMIT")
        with owner.connect() as connection:
            plain = "NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION"
            connection.exec_driver_sql(f"CREATE ROLE {name} LOGIN PASSWORD 'p' {plain}")
            for statement in said_on_the_page():
                connection.exec_driver_sql(statement.replace("isocenter_serve", name))
        served = sa.make_url(url).set(username=name, password="p").render_as_string(hide_password=False)
        yield url, served
        with owner.connect() as connection:
            connection.exec_driver_sql(f"DROP OWNED BY {name} CASCADE")
            connection.exec_driver_sql(f"DROP ROLE {name}")
        owner.dispose()


def test_the_account_of_every_day_works_and_leaves_the_journal_alone(accounts: tuple[str, str], tmp_path: Path) -> None:
    _, url = accounts
    database, blobs = Database(url), Blobs(str(tmp_path / "blobs"))
    journal, index = Journal(database, blobs), Index(database, blobs)
    (one,) = receive(database, blobs, journal, [(b"one", image(1))], "CT1", NOON)
    assert one.status == "stored" and index.counts()["instances"] == 1 and journal.verify() > 0

    jobs = Jobs(url, executor="a", run={"say": str.upper})
    jobs.start(concurrency=1)
    try:
        jobs.submit("say", "done", key="one")
        jobs.drain(20)
        assert jobs.state("one")["answer"] == "DONE"
    finally:
        jobs.stop()
        jobs.close()

    engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"))
    for forbidden in (
        "UPDATE event SET who = 'nobody'",
        "DELETE FROM event",
        "TRUNCATE event",
        "ALTER TABLE event DISABLE TRIGGER ALL",
        "DROP TABLE event",
        "CREATE TABLE mine (n int)",
        "CREATE ROLE another",
        "CREATE DATABASE another",
        "COPY event TO PROGRAM 'cat'",
        "SELECT pg_read_file('/etc/passwd')",
    ):
        with (
            engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
            pytest.raises(sa.exc.ProgrammingError, match=r"permission denied|must be (owner|superuser)"),
        ):
            connection.exec_driver_sql(forbidden)
    engine.dispose()
    assert journal.verify() > 0
    database.close()
    blobs.close()
