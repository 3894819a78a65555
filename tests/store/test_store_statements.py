"""Statements on the driver's cursor: the same rows, the same transaction and the same errors as through Core."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import exc

from isocenter.errors import Unavailable
from isocenter.store import tables as t
from isocenter.store.statements import Statement

ADD, FIND = Statement(t.peer.insert()), Statement(sa.select(t.peer).where(t.peer.c.name == sa.bindparam("of")))
MOVE = Statement(t.peer.update().where(t.peer.c.name == sa.bindparam("of")), columns=("port",))
KIND = Statement(sa.select(t.peer.c.name).where((t.peer.c.kind == "dicom") & (t.peer.c.port > sa.bindparam("above"))))


def row(name: str, port: int = 104) -> dict[str, Any]:
    return {"name": name, "aet": name.upper(), "host": "h", "port": port, "kind": "dicom"}


def test_rows_go_in_and_come_back(archive: Any) -> None:
    def work(connection: sa.Connection) -> None:
        ADD.run(connection, row("a"))
        ADD.run(connection, row("b", 5), row("c", 6))
        ADD.run(connection)
        MOVE.run(connection, {"port": 7, "of": "c", "aet": "not among the columns"})

    archive.database.write(work)
    with archive.database.read() as connection:
        assert FIND.first(connection, {"of": "c"}) == row("c", 7)
        assert FIND.rows(connection, {"of": "nobody"}) == [] and FIND.first(connection, {"of": "nobody"}) is None
        core = connection.execute(sa.select(t.peer).order_by("name")).mappings().all()
        assert [dict(one) for one in core] == [row("a"), row("b", 5), row("c", 7)]
        # A value that stands in the statement itself, beside one that is given.
        assert sorted(KIND.rows(connection, {"above": 5})) == [("a",), ("c",)]


def test_they_belong_to_the_transaction_of_their_caller(archive: Any) -> None:
    def work(connection: sa.Connection) -> None:
        ADD.run(connection, row("a"))
        assert FIND.first(connection, {"of": "a"}) == row("a")
        raise ValueError("not after all")

    with pytest.raises(ValueError, match="not after all"):
        archive.database.write(work)
    assert archive.index.peers() == []


def test_a_faulty_program_stays_visible_and_shows_no_values(archive: Any) -> None:
    with pytest.raises(exc.IntegrityError) as one:
        archive.database.write(lambda connection: ADD.run(connection, row("a"), row("a")))
    assert "104" not in str(one.value)


def test_a_database_that_fails_is_unavailable(archive: Any) -> None:
    if not archive.database.is_sqlite:
        pytest.skip("a database that may not be written is made with SQLite's own pragma")

    def work(connection: sa.Connection) -> None:
        connection.exec_driver_sql("PRAGMA query_only = 1")
        try:
            ADD.run(connection, row("a"))
        finally:
            connection.exec_driver_sql("PRAGMA query_only = 0")

    with pytest.raises(Unavailable, match="it is read-only"):
        archive.database.write(work)
