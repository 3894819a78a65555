"""An image is digested and written while it comes, counts for nothing until it is kept, and leaves nothing when not."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path
from typing import Any

import pytest
from store_samples import NOON, image
from test_store_blobs import CountedDisk, OrderedDisk, left_over

from isocenter.errors import Unavailable
from isocenter.store import Blobs, receive
from isocenter.store.disk import Disk
from isocenter.store.incoming import Incoming

DATA = bytes(range(256)) * 2000
"""Half a megabyte: written in several steps."""


def come(blobs: Blobs, data: bytes = DATA, piece: int = 50_000) -> Incoming:
    incoming = blobs.incoming()
    for at in range(0, len(data), piece):
        incoming.write(memoryview(data)[at : at + piece])
    return incoming


@pytest.mark.parametrize("url", ["memory://", "folder"])
@pytest.mark.parametrize("data", [b"", b"short", DATA])
def test_what_came_is_kept_under_its_digest(url: str, data: bytes, tmp_path: Path) -> None:
    blobs = Blobs(str(tmp_path) if url == "folder" else url)
    incoming = come(blobs, data)
    assert (incoming.data, incoming.digest()) == (data, hashlib.sha256(data).hexdigest())
    assert blobs.put_many([incoming, b"other"]) == [incoming.digest(), hashlib.sha256(b"other").hexdigest()]
    incoming.drop()
    assert blobs.get(incoming.digest()) == data
    assert url == "memory://" or left_over(tmp_path) == []


def test_it_is_on_disk_before_the_last_byte_came_and_durable_in_order(tmp_path: Path) -> None:
    Blobs(str(tmp_path))
    disk = CountedDisk()
    blobs = Blobs(str(tmp_path), disk=disk)
    disk.calls.clear()
    incoming = come(blobs)
    incoming.digest()  # what another thread has in hand is on disk now
    (begun,) = left_over(tmp_path)
    assert begun.stat().st_size > len(DATA) // 2 and set(blobs.digests()) == set()
    blobs.put_many([incoming])
    assert disk.calls[0] == "create" and disk.calls.count("write") > 1
    assert disk.calls[-4:] == ["flush", "name", "open_to_flush", "flush"]


def test_one_alone_has_a_thread_beside_it_and_several_have_none(tmp_path: Path) -> None:
    """Both keep the same; pieces that the disk does not take as fast as they come wait in a short line."""
    blobs = Blobs(str(tmp_path))
    long = DATA * 9
    first, second = blobs.incoming(), blobs.incoming()
    for incoming in (first, second):
        incoming.write(long)
        incoming.write(b"end")
    assert (first._work is None, second._work is None) == (False, True)
    digests = blobs.put_many([first, second])
    assert (
        digests[0] == digests[1] == hashlib.sha256(long + b"end").hexdigest() and blobs.get(digests[0]) == long + b"end"
    )
    first.drop(), second.drop()  # one of two with the same bytes was kept
    assert left_over(tmp_path) == [] and come(blobs)._work is not None


@pytest.mark.parametrize("data", [b"", b"short", DATA])
def test_one_that_is_to_be_kept_becomes_durable_by_itself(data: bytes, tmp_path: Path) -> None:
    Blobs(str(tmp_path))
    disk = OrderedDisk()
    blobs = Blobs(str(tmp_path), disk=disk)
    disk.calls.clear()
    incoming = come(blobs, data)
    blobs.go_on(incoming)
    blobs.go_on(incoming)
    digest = incoming.digest()
    with blobs.putting(incoming, digest) as durable:
        durable()
    assert disk.calls[0] == "create" and disk.calls[-2:] == ["name_new", "flush"] and left_over(tmp_path) == []
    before = list(disk.calls)
    assert blobs.put_many([incoming]) == [digest] == [hashlib.sha256(data).hexdigest()] and disk.calls == before
    incoming.drop()
    assert blobs.get(digest) == data


@pytest.mark.parametrize("fail_at", range(5))
def test_a_disk_that_says_no_to_one_that_keeps_itself(tmp_path: Path, fail_at: int) -> None:
    Blobs(str(tmp_path))
    disk = OrderedDisk(error=errno.EIO)
    blobs = Blobs(str(tmp_path), disk=disk)
    disk.fail_at = len(disk.calls) + fail_at
    incoming = blobs.incoming()
    with pytest.raises(Unavailable, match="the disk reports an error"):
        incoming.write(DATA)
        blobs.go_on(incoming)
        assert incoming.digest() == hashlib.sha256(DATA).hexdigest()
        blobs.put_many([incoming])
    incoming.drop()
    assert disk.fired and left_over(tmp_path) == [] and list(blobs.digests()) == []
    assert blobs.get(*blobs.put_many([come(blobs)])) == DATA


def test_a_sender_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    blobs = Blobs(str(tmp_path))
    blobs.incoming().drop()
    incoming = come(blobs)
    incoming.drop()
    incoming.drop()
    assert left_over(tmp_path) == [] and list(blobs.digests()) == []


@pytest.mark.parametrize("fail_at", range(7))
def test_a_disk_that_says_no_while_it_comes_or_at_its_end(tmp_path: Path, fail_at: int) -> None:
    Blobs(str(tmp_path))
    disk = CountedDisk(error=errno.ENOSPC)
    blobs = Blobs(str(tmp_path), disk=disk)
    disk.fail_at = len(disk.calls) + fail_at
    incoming = blobs.incoming()
    with pytest.raises(Unavailable, match=r"the disk is full\. Free some space|did not confirm"):
        for at in range(0, len(DATA), 100_000):
            incoming.write(DATA[at : at + 100_000])
        blobs.put_many([incoming])
    incoming.drop()
    assert disk.fired and left_over(tmp_path) == []
    assert blobs.get(*blobs.put_many([come(blobs)])) == DATA


def test_received_or_already_there_nothing_is_left_over(archive: Any) -> None:
    def take(data: bytes, number: int = 1) -> str:
        incoming = come(archive.blobs, data)
        files = [(incoming, image(number))]
        (stored,) = receive(archive.database, archive.blobs, archive.journal, files, "S", NOON, same=alike)
        return stored.status

    def alike(one: bytes, other: bytes | bytearray) -> bool:
        return one[1:] == other[1:]

    assert [take(b"a" + DATA), take(b"a" + DATA), take(b"b" + DATA), take(DATA)] == [
        "stored",
        "there",
        "there",
        "conflict",
    ]
    folder = archive.folder / "blobs"
    assert left_over(folder) == [] and len(set(archive.blobs.digests())) == 2
    with pytest.raises(Exception, match="without Study"):
        receive(
            archive.database, archive.blobs, archive.journal, [(come(archive.blobs), image(2, study=""))], "S", NOON
        )
    assert left_over(folder) == []


def test_the_device_begins_early_with_large_images_only(tmp_path: Path) -> None:
    """Each piece that it is handed has its price, and of a CT image nothing is gained by it."""
    began: list[tuple[int, int]] = []

    class Told(Disk):
        def begin_flush(self, descriptor: int, start: int, count: int) -> None:
            began.append((start, count))
            super().begin_flush(descriptor, start, count)

    blobs = Blobs(str(tmp_path), disk=Told())
    small = come(blobs)
    digest = small.digest()
    assert blobs.put_many([small]) == [digest] and began == []
    assert len(blobs.put_many([b"result %d" % n for n in range(9)])) == 9 and began == []
    large = come(blobs, DATA * 7, piece=131_060)
    blobs.put_many([large])
    assert len(began) == 2 and began[0][0] == 0 and all(count >= 1 << 20 for _, count in began)
    assert [start for start, _ in began[1:]] == [start + count for start, count in began[:-1]]
