"""The files of a store: named by what they are told, written anew where they are doubted, refused where unreadable."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from isocenter.errors import Refused, Unavailable
from isocenter.store.disk import Disk
from isocenter.store.files import SEALED, Files, place_of


class Counting(Disk):
    def __init__(self) -> None:
        self.made = 0

    def create(self, path: Path) -> int:
        self.made += 1
        return super().create(path)


def in_turn(work: Callable[[Any], Any], over: Iterable[Any]) -> list[Any]:
    return [work(one) for one in over]


@pytest.mark.parametrize("count", [1, 9])
def test_what_is_there_is_written_again_only_where_it_is_doubted(tmp_path: Path, count: int) -> None:
    disk = Counting()
    files = Files(tmp_path / "blobs", disk, in_turn)
    new = {hashlib.sha256(bytes([n])).hexdigest() + SEALED: bytes([n]) * 10 for n in range(count)}
    files.keep(new)
    files.keep(new)
    assert disk.made == count
    files.doubt(new)
    files.keep(new)
    files.keep(new)
    assert disk.made == 2 * count
    assert {name: (files.folder / place_of(name)).read_bytes() for name in new} == new


def test_a_file_is_begun_to_be_read_or_removed(tmp_path: Path) -> None:
    files = Files(tmp_path / "blobs", Disk(), in_turn)
    name = "ab" * 32
    files.keep({name: b"0123456789"})
    assert files.beginning(name, 4) == b"0123"
    files.remove(name)
    with pytest.raises(Unavailable, match="could not be read"):
        files.beginning(name, 4)


@pytest.mark.parametrize("name", ["../etc/passwd", "AB" * 32, "ab" * 31, "ab" * 32 + ".other"])
def test_a_name_that_is_no_digest_is_refused(name: str) -> None:
    with pytest.raises(Refused, match="64 hexadecimal"):
        place_of(name)
