"""What every test may ask for: real data where it is, and the reason where it is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LONG = ("walks/", "store/test_store_kill", "doors/test_doors_twin", "catalogue/", "learn/", "forms/", "methods/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first: a file stays in one process, and one that begins last leaves the other processes idle."""

    def rank(item: pytest.Item) -> int:
        within = item.path.relative_to(ROOT).as_posix().removeprefix("tests/")
        return next((n for n, start in enumerate(LONG) if within.startswith(start)), len(LONG))

    items.sort(key=rank)


def _folder(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable, ROOT / default)).resolve()


@pytest.fixture(scope="session")
def data() -> Path:
    """Folder of real images (setting ISOCENTER_DATA); skips where it is absent."""
    folder = _folder("ISOCENTER_DATA", "../shared/data")
    if not folder.is_dir():
        pytest.skip("real data are not here: set ISOCENTER_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def reference() -> Path:
    """Folder of published values (setting ISOCENTER_REFERENCE); skips where it is absent."""
    folder = _folder("ISOCENTER_REFERENCE", "../shared/reference")
    if not folder.is_dir():
        pytest.skip("published values are not here: set ISOCENTER_REFERENCE to their folder")
    return folder
