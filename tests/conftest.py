"""What every test may ask for: real data where it is, and the reason where it is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


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
