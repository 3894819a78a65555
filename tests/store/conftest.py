"""An archive for each test: on SQLite always, on PostgreSQL too where ISOCENTER_TEST_POSTGRES names one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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


def with_tables(url: str) -> None:
    """A new archive, before anything is in it."""
    Database(url).close()


@contextmanager
def _opened(url: str, folder: Path) -> Iterator[Archive]:
    database, blobs = Database(url), Blobs(str(folder / "blobs"))
    yield Archive(database, blobs, Journal(database, blobs), Index(database, blobs), url, folder)
    database.close()
    blobs.close()


@pytest.fixture(params=["sqlite", "postgres"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Archive]:
    with fresh_database(request.param, tmp_path, with_tables) as url, _opened(url, tmp_path) as one:
        yield one


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def shared_archive(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """One archive for all tests of a file, which only ask it."""
    folder = tmp_path_factory.mktemp("shared")
    with fresh_database(request.param, folder, with_tables) as url, _opened(url, folder) as one:
        yield one
