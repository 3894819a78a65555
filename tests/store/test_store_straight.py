"""Files written past the page cache hold what was written, whatever the disk takes at a time and wherever they lie."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from isocenter.store.disk import Disk
from isocenter.store.straight import Straight


class Odd(Disk):
    """Takes few bytes at a time, and says whether it may be passed by."""

    def __init__(self, most: int = 1 << 30, *, allowed: bool = True) -> None:
        self.most, self.allowed, self.sizes = most, allowed, list[int]()

    def go_straight(self, descriptor: int, straight: bool) -> bool:
        return self.allowed and super().go_straight(descriptor, straight)

    def write(self, descriptor: int, data: memoryview) -> int:
        self.sizes.append(len(data))
        return super().write(descriptor, data[: self.most])


def written(disk: Disk, path: Path, *pieces: bytes, worth: bool = True) -> bytes:
    descriptor = disk.create(path)
    file = Straight(disk, descriptor, worth=worth)
    for piece in pieces:
        file.write(memoryview(piece))
    disk.flush(descriptor)
    disk.close(descriptor)
    return path.read_bytes()


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 262_144, 525_402, 1_000_000])
@pytest.mark.parametrize("most", [1 << 30, 8192, 5000, 700_000])
def test_a_file_holds_what_was_written(tmp_path: Path, size: int, most: int) -> None:
    data = os.urandom(size)
    assert written(Odd(most), tmp_path / "a", data) == data
    assert written(Odd(most, allowed=False), tmp_path / "b", data) == data
    assert written(Odd(most), tmp_path / "c", data[:8192], data[8192:20_480], data[20_480:]) == data


def test_only_whole_blocks_pass_the_cache_by_and_only_where_it_is_worth_it(tmp_path: Path) -> None:
    disk = Odd()
    written(disk, tmp_path / "a", bytes(300_000))
    descriptor = os.open(tmp_path / "a", os.O_RDONLY)
    blocks = [262_144, 36_864, 992]
    assert disk.sizes == (blocks if disk.go_straight(descriptor, True) else [300_000])
    os.close(descriptor)
    small = Odd()
    written(small, tmp_path / "b", bytes(300_000), worth=False)
    assert small.sizes == [300_000]


def test_threads_do_not_write_into_each_others_memory(tmp_path: Path) -> None:
    def one(number: int) -> bool:
        data = bytes([number]) * 600_000
        return all(written(Disk(), tmp_path / f"{number}-{turn}", data) == data for turn in range(5))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(one, range(16)))


def test_a_disk_that_takes_nothing_is_an_error(tmp_path: Path) -> None:
    for size in (100, 10_000):
        with pytest.raises(OSError) as told:
            written(Odd(0), tmp_path / str(size), bytes(size))
        assert told.value.errno == errno.EIO


@pytest.mark.skipif(not Path("/proc/self/comm").exists(), reason="there is no /proc here")
def test_a_filesystem_without_such_a_way_is_written_as_any() -> None:
    descriptor = os.open("/proc/self/comm", os.O_RDONLY)
    try:
        assert not Disk().go_straight(descriptor, True) and not Straight(Disk(), descriptor).straight
    finally:
        os.close(descriptor)
