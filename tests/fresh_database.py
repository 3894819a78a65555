"""A database of a test's own: SQLite always, PostgreSQL too where ISOCENTER_TEST_POSTGRES names a server."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa


@contextmanager
def fresh_database(kind: str, folder: Path) -> Iterator[str]:
    """Its address; skips where there is no server of that kind."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/isocenter.sqlite"
        return
    server = os.environ.get("ISOCENTER_TEST_POSTGRES")
    if not server:
        pytest.skip("ISOCENTER_TEST_POSTGRES names no server")
    name = f"isocenter_{uuid.uuid4().hex[:12]}"
    url = sa.make_url(server).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    yield url.set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    engine.dispose()
