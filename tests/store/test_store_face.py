"""The face of the room: its names, and that naming it costs nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

import isocenter.store as store


def test_every_name_is_there_and_they_are_sorted() -> None:
    assert list(store.__all__) == sorted(store.__all__)
    assert all(callable(getattr(store, name)) for name in store.__all__)


def test_functions_stay_functions_when_everything_is_loaded() -> None:
    for name in store.__all__:
        getattr(store, name)
    assert not [name for name in store.__all__ if type(getattr(store, name)).__name__ == "module"]


def test_a_name_that_is_not_there_is_none() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Shelf'"):
        store.Shelf  # noqa: B018


def test_naming_the_room_loads_no_heavy_package() -> None:
    heavy = ("sqlalchemy", "dbos", "obstore", "alembic")
    code = f"import isocenter.store, sys; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_an_archive_at_its_newest_tables_opens_without_alembic_and_a_new_one_too(tmp_path: object) -> None:
    url = f"sqlite:///{tmp_path}/a.sqlite"
    code = (
        f"import sys; from isocenter.store import Database; Database({url!r}).close(); print('alembic' in sys.modules)"
    )
    said = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout for _ in range(2)]
    assert said == ["False\n", "False\n"]
