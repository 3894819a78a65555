"""The archive in memory, and a listener before it, for the tests of the doors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file
from shelf_for_doors import Shelf, person_behind

from isocenter.doors.dimse import Listener


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def sample() -> Callable[[str], bytes]:
    """A file of pydicom's samples, by name."""

    def read(name: str) -> bytes:
        return Path(str(get_testdata_file(name, download=False))).read_bytes()

    return read


@pytest.fixture
def listener(shelf: Shelf) -> Iterator[tuple[Listener, int]]:
    """An open DICOM port that knows the AE titles TESTER and DEST on this machine."""
    shelf.listed += [{"aet": "TESTER", "host": "127.0.0.1", "port": 0}]
    opened = Listener(shelf, aet="ISOCENTER", port=0, who=person_behind, artim_s=5, idle_s=20)
    port = opened.start()
    yield opened, port
    opened.stop()
