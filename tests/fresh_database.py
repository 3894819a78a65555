"""A database of a test's own: SQLite always, PostgreSQL too where ISOCENTER_TEST_POSTGRES names a server."""

from __future__ import annotations

import atexit
import functools
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

Prepare = Callable[[str], None]


@contextmanager
def fresh_database(kind: str, folder: Path, prepare: Prepare | None = None) -> Iterator[str]:
    """Its address; skips where there is no server of that kind.

    Args:
        kind: ``sqlite`` or ``postgres``.
        folder: of the SQLite file.
        prepare: what whoever opens a new database does first, making its tables. On PostgreSQL, where that takes long,
            it is done once in a process and each test has a copy; on SQLite the test does it by opening.
    """
    if kind == "sqlite":
        yield f"sqlite:///{folder}/isocenter.sqlite"
        return
    server = os.environ.get("ISOCENTER_TEST_POSTGRES")
    if not server:
        pytest.skip("ISOCENTER_TEST_POSTGRES names no server")
    name = _made(server, "" if prepare is None else f" TEMPLATE {_template(server, prepare)}")
    yield _address(server, name)
    _dropped(server, name)


@functools.cache
def _template(server: str, prepare: Prepare) -> str:
    name = _made(server)
    atexit.register(_dropped, server, name)
    prepare(_address(server, name))
    return name


def _made(server: str, like: str = "") -> str:
    name = f"isocenter_{uuid.uuid4().hex[:12]}"
    with _asked(server) as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}{like}")
    return name


def _dropped(server: str, name: str) -> None:
    with _asked(server) as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def _asked(server: str) -> Iterator[sa.Connection]:
    engine = sa.create_engine(sa.make_url(server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def _address(server: str, name: str) -> str:
    url = sa.make_url(server).set(drivername="postgresql+psycopg", database=name)
    return url.render_as_string(hide_password=False)
