"""An archive for each test: on SQLite always, on PostgreSQL too where ISOCENTER_TEST_POSTGRES names one."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from isocenter.store import Blobs, Database, Index, Journal


@dataclass
class Archive:
    database: Database
    blobs: Blobs
    journal: Journal
    index: Index
    url: str
    folder: Path


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/isocenter.sqlite"
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


@pytest.fixture
def archive(database_url: str, tmp_path: Path) -> Iterator[Archive]:
    database = Database(database_url)
    blobs = Blobs(str(tmp_path / "blobs"))
    yield Archive(database, blobs, Journal(database, blobs), Index(database, blobs), database_url, tmp_path)
    database.close()
    blobs.close()
