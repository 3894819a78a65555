"""An archive for each test: on SQLite always, on PostgreSQL too where ISOCENTER_TEST_POSTGRES names one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fresh_database import fresh_database
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
    with fresh_database(request.param, tmp_path) as url:
        yield url


@pytest.fixture
def archive(database_url: str, tmp_path: Path) -> Iterator[Archive]:
    database = Database(database_url)
    blobs = Blobs(str(tmp_path / "blobs"))
    yield Archive(database, blobs, Journal(database, blobs), Index(database, blobs), database_url, tmp_path)
    database.close()
    blobs.close()
