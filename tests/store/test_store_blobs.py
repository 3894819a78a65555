"""Blobs: what is put is there, whole, after any single failure of the disk; and what was changed is never served."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
import urllib.request
from pathlib import Path

import pytest

from isocenter.errors import Damaged, NotFound, Refused, Unavailable
from isocenter.store import Blobs
from isocenter.store.disk import Disk

DATA = b"an image" * 1000


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class CountedDisk(Disk):
    """Counts its calls by name, and fails the one that it is told to."""

    def __init__(self, fail_at: int = -1, error: int = errno.ENOSPC, *, short: bool = False) -> None:
        self.calls: list[str] = []
        self.fail_at, self.error, self.short = fail_at, error, short
        self.fired = False

    def _step(self, name: str) -> None:
        self.calls.append(name)
        if len(self.calls) - 1 == self.fail_at:
            self.fired = True
            raise OSError(self.error, os.strerror(self.error))

    def make_folder(self, path: Path) -> None:
        self._step("make_folder")
        super().make_folder(path)

    def create(self, path: Path) -> int:
        self._step("create")
        return super().create(path)

    def write(self, descriptor: int, data: memoryview) -> int:
        if self.short and len(data) > 1:
            data = data[: len(data) // 2]
        self._step("write")
        return super().write(descriptor, data)

    def flush(self, descriptor: int) -> None:
        self._step("flush")
        super().flush(descriptor)

    def name(self, temporary: Path, final: Path) -> None:
        self._step("name")
        super().name(temporary, final)

    def name_new(self, temporary: Path, final: Path) -> None:
        self._step("name_new")
        super().name_new(temporary, final)

    def keeps_names(self, folder: Path) -> bool:
        return False

    def open_to_flush(self, path: Path) -> int:
        self._step("open_to_flush")
        return super().open_to_flush(path)

    def flush_all(self, descriptor: int) -> None:
        self._step("flush_all")
        super().flush_all(descriptor)


class WholeDisk(CountedDisk):
    """One whose filesystem can be flushed as a whole, wherever the test runs."""

    def flushes_all(self, folder: Path) -> bool:
        return True


class OrderedDisk(CountedDisk):
    """One whose flush of a file keeps its name too, wherever the test runs."""

    def keeps_names(self, folder: Path) -> bool:
        return True


class WholeOrderedDisk(WholeDisk, OrderedDisk):
    """Both."""


class PartDisk(CountedDisk):
    """One of which nobody knows what flushing its filesystem means."""

    def flushes_all(self, folder: Path) -> bool:
        return False


def left_over(folder: Path) -> list[Path]:
    return list((folder / ".incoming").iterdir())


@pytest.mark.parametrize("url", ["memory://", "folder", "file"])
def test_round_trip(url: str, tmp_path: Path) -> None:
    blobs = Blobs({"folder": str(tmp_path / "a b"), "file": f"file://{tmp_path}/c"}.get(url, url))
    digest = blobs.put(DATA)
    assert digest == digest_of(DATA) == blobs.put(DATA)
    assert blobs.put_many([b"x", b"y", b"x"]) == [digest_of(b"x"), digest_of(b"y"), digest_of(b"x")]
    assert blobs.get(digest) == DATA
    assert digest in blobs and digest_of(b"never") not in blobs and "../../etc/passwd" not in blobs
    assert sorted(blobs.digests()) == sorted([digest, digest_of(b"x"), digest_of(b"y")])
    path = blobs.path(digest)
    assert (path is None) == (url == "memory://")
    assert path is None or path.read_bytes() == DATA
    with pytest.raises(NotFound, match="no such bytes"):
        blobs.get(digest_of(b"never"))
    blobs.close()


def test_an_empty_file_is_a_file(tmp_path: Path) -> None:
    blobs = Blobs(str(tmp_path))
    assert blobs.get(blobs.put(b"")) == b""


def s3(port: int, prefix: str = "bucket/archive") -> Blobs:
    options = {"endpoint": f"http://127.0.0.1:{port}", "region": "us-east-1"}
    keys = {"access_key_id": "test", "secret_access_key": "test"}
    return Blobs(f"s3://{prefix}", options=options | keys)


def test_s3() -> None:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        _, port = server.get_host_and_port()
        with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/bucket", method="PUT")):
            blobs = s3(port)
        digests = blobs.put_many([DATA, b"second", DATA])
        assert blobs.get(digests[0]) == DATA and blobs.path(digests[0]) is None
        assert set(blobs.digests()) == set(digests) and list(s3(port, "bucket/another").digests()) == []
        assert digests[1] in blobs and digest_of(b"never") not in blobs
        with pytest.raises(NotFound):
            blobs.get(digest_of(b"never"))
    finally:
        server.stop()


def test_an_object_store_that_says_no_is_unavailable() -> None:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        _, port = server.get_host_and_port()
        with pytest.raises(Unavailable, match="could not be stored"):
            s3(port, "nobodys-bucket").put(DATA)
    finally:
        server.stop()


def test_a_name_that_is_no_digest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="64 hexadecimal"):
        Blobs(str(tmp_path)).get("../../etc/passwd")


def test_an_address_that_no_store_has_is_refused() -> None:
    with pytest.raises(Refused, match="no object store has it"):
        Blobs("gopher://x/y")
    with pytest.raises(Refused, match="its options do not fit"):
        Blobs("s3://bucket", options={"no_such_option": "x"})


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("I am no folder")
    with pytest.raises(Unavailable, match="cannot hold images"):
        Blobs(str(tmp_path / "file" / "blobs"))


def test_flipped_bits_are_found_and_never_served(tmp_path: Path) -> None:
    blobs = Blobs(str(tmp_path))
    digests = blobs.put_many([bytes([i]) * 500 for i in range(40)])
    for i, digest in enumerate(digests):
        path = blobs.path(digest)
        assert path is not None
        raw = bytearray(path.read_bytes())
        raw[i * 7 % 500] ^= 1 << (i % 8)
        path.write_bytes(raw)
    assert {digest for digest, _ in blobs.scrub()} == set(digests)
    with pytest.raises(Damaged, match="no longer fits its digest"):
        blobs.get(digests[0])
    assert blobs.get(digests[0], check=False)[1:] == bytes([0]) * 499
    blobs.put_many([bytes([i]) * 500 for i in range(40)])  # the same images sent again mend it
    assert list(blobs.scrub()) == []


def test_a_torn_file_is_written_again(tmp_path: Path) -> None:
    blobs = Blobs(str(tmp_path))
    path = blobs.path(blobs.put(DATA))
    assert path is not None
    path.write_bytes(DATA[:100])
    assert blobs.get(blobs.put(DATA)) == DATA


def test_what_a_dead_writer_left_is_swept_and_what_a_living_one_writes_is_kept(tmp_path: Path) -> None:
    blobs = Blobs(str(tmp_path))
    incoming = tmp_path / ".incoming"
    dead = os.fork()
    if dead == 0:
        os._exit(0)
    os.waitpid(dead, 0)
    (incoming / f"{dead}-aa-0").write_bytes(b"half")
    (incoming / f"{os.getpid()}-otherlife-0").write_bytes(b"half")
    (incoming / f"{os.getppid()}-aa-0").write_bytes(b"still coming")
    digest = blobs.put(DATA)
    Blobs(str(tmp_path))
    assert [p.name for p in left_over(tmp_path)] == [f"{os.getppid()}-aa-0"]
    assert blobs.get(digest) == DATA and set(blobs.digests()) == {digest}


@pytest.mark.parametrize("kind", [CountedDisk, OrderedDisk])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_every_point_where_the_disk_may_say_no(tmp_path: Path, error: int, kind: type[CountedDisk]) -> None:
    """No acknowledgement, nothing half-done, a clean error; then the same image goes in."""
    Blobs(str(tmp_path))  # the folders are there: what fails below is writing
    started = len(_calls_of_reopening(tmp_path))
    points = 0
    while True:
        disk = kind(fail_at=started + points, error=error)
        blobs = Blobs(str(tmp_path), disk=disk)
        data = f"image {error} {points}".encode()
        try:
            blobs.put(data)
        except Unavailable as told:
            assert told.why and told.do and disk.fired
        else:
            assert not disk.fired
            break
        assert left_over(tmp_path) == []
        whole = set(blobs.digests())
        assert all(blobs.get(digest) for digest in whole)
        assert blobs.get(blobs.put(data)) == data
        points += 1
    assert points == (4 if kind is OrderedDisk else 6)  # create, write, flush, name; else open and flush its folder


def _calls_of_opening(folder: Path) -> list[str]:
    disk = CountedDisk()
    Blobs(str(folder), disk=disk)
    return disk.calls


def _calls_of_reopening(folder: Path) -> list[str]:
    Blobs(str(folder))
    return _calls_of_opening(folder)


def test_a_flush_that_failed_is_never_believed_later(tmp_path: Path) -> None:
    """After a failed flush the kernel may have dropped the pages: the file must be written anew, not flushed again."""
    before = len(_calls_of_reopening(tmp_path))
    disk = CountedDisk(fail_at=before + 5, error=errno.EIO)  # the flush of the folder, after the file has its name
    blobs = Blobs(str(tmp_path), disk=disk)
    with pytest.raises(Unavailable, match="did not confirm"):
        blobs.put(DATA)
    disk.calls.clear()
    blobs.put(DATA)
    assert disk.calls == ["create", "write", "flush", "name", "open_to_flush", "flush"]
    disk.calls.clear()
    blobs.put(DATA)
    assert "create" not in disk.calls and disk.calls.count("flush") == 2


def test_where_order_is_kept_one_flush_makes_file_and_name_durable(tmp_path: Path) -> None:
    started = len(_calls_of_reopening(tmp_path))
    disk = OrderedDisk()
    blobs = Blobs(str(tmp_path), disk=disk)
    blobs.put(DATA)
    assert disk.calls[started:] == ["create", "write", "name_new", "flush"]
    disk.calls.clear()
    blobs.put(DATA)  # there already: flushed once more, for the one who wrote it may not have got that far
    assert disk.calls == ["open_to_flush", "flush"]


def test_what_bears_the_name_already_is_replaced_by_nothing_that_is_not_flushed(tmp_path: Path) -> None:
    """A damaged file, and one that another thread put there between the look and the naming."""
    disk = OrderedDisk()
    blobs = Blobs(str(tmp_path), disk=disk)
    digest = blobs.put(DATA)
    (tmp_path / digest[:2] / digest).write_bytes(b"damaged")
    disk.calls.clear()
    blobs.put(DATA)
    careful = ["flush", "name", "open_to_flush", "flush"]
    assert disk.calls == ["create", "write", *careful] and blobs.get(digest) == DATA

    class Late(OrderedDisk):
        def name_new(self, temporary: Path, final: Path) -> None:
            final.write_bytes(DATA)
            super().name_new(temporary, final)

    late = Late()
    other = Blobs(str(tmp_path / "late"), disk=late)
    late.calls.clear()
    assert other.get(other.put(DATA)) == DATA and left_over(tmp_path / "late") == []
    assert late.calls == ["create", "write", "name_new", *careful]


MANY = [f"image {n}".encode() * 50 for n in range(5)]


def test_many_become_durable_in_the_same_order_together(tmp_path: Path) -> None:
    """One flush for all of them where the filesystem keeps the order, else one before and one after they are named."""
    before = len(_calls_of_reopening(tmp_path))
    whole, part = WholeDisk(), PartDisk()
    digests = Blobs(str(tmp_path), disk=whole).put_many(MANY)
    steps = ["open_to_flush", *["create", "write"] * 5, "flush_all", *["name"] * 5, "flush_all"]
    assert whole.calls[before:] == steps
    ordered = WholeOrderedDisk()
    mended = Blobs(str(tmp_path), disk=ordered)
    ordered.calls.clear()
    (tmp_path / digests[2][:2] / digests[2]).write_bytes(b"torn")  # it bears the name, so it is replaced after a flush
    mended.put_many([*MANY, *(b"more" + data for data in MANY)])
    steps = ["open_to_flush", *["create", "write"] * 6, *["name_new"] * 5, "flush_all", "name", "flush_all"]
    assert ordered.calls == steps
    blobs = Blobs(str(tmp_path), disk=part)
    assert [blobs.get(digest) for digest in digests] == MANY and left_over(tmp_path) == []
    assert "flush_all" not in part.calls
    blobs.put_many([b"other" + data for data in MANY])
    assert part.calls.count("flush") > 5 and "flush_all" not in part.calls


@pytest.mark.parametrize(
    ("kind", "fail_at"), [(WholeDisk, n) for n in range(18)] + [(WholeOrderedDisk, n) for n in range(10, 17)]
)
def test_a_disk_that_fails_while_many_are_kept(tmp_path: Path, kind: type[WholeDisk], fail_at: int) -> None:
    """None counts as kept, nothing half-done is left, and none is believed before it is written again."""
    disk = kind(fail_at=len(_calls_of_reopening(tmp_path)) + fail_at, error=errno.EIO)
    blobs = Blobs(str(tmp_path), disk=disk)
    with pytest.raises(Unavailable, match="the disk reports an error"):
        blobs.put_many(MANY)
    assert disk.fired and left_over(tmp_path) == [] and list(blobs.scrub()) == []
    disk.calls.clear()
    disk.fail_at = -1
    assert [blobs.get(digest) for digest in blobs.put_many(MANY)] == MANY
    assert disk.calls.count("create") == 5


@pytest.mark.parametrize("fail_at", [3, 9, 18])
def test_large_ones_are_written_side_by_side_and_one_failure_leaves_none(tmp_path: Path, fail_at: int) -> None:
    large = [bytes([n]) * 150_000 for n in range(6)]
    disk = WholeDisk(fail_at=len(_calls_of_reopening(tmp_path)) + fail_at, error=errno.ENOSPC)
    blobs = Blobs(str(tmp_path), disk=disk)
    with pytest.raises(Unavailable, match="the disk is full"):
        blobs.put_many(large)
    assert disk.fired and left_over(tmp_path) == [] and list(blobs.scrub()) == []
    assert [blobs.get(digest) for digest in blobs.put_many(large)] == large


def test_only_filesystems_that_are_known_are_flushed_as_a_whole_or_keep_names(tmp_path: Path) -> None:
    disk = Disk()
    assert not disk.flushes_all(tmp_path / "nowhere") and not disk.flushes_all(Path("/proc"))
    assert not disk.keeps_names(tmp_path / "nowhere") and not disk.keeps_names(Path("/proc"))
    with pytest.raises(OSError, match="Bad file descriptor"):
        disk.flush_all(-1)


def test_short_writes_go_on_and_a_disk_that_takes_nothing_is_an_error(tmp_path: Path) -> None:
    blobs = Blobs(str(tmp_path / "short"), disk=CountedDisk(short=True))
    assert blobs.get(blobs.put(DATA)) == DATA

    class Stuck(Disk):
        def write(self, descriptor: int, data: memoryview) -> int:
            return 0

    with pytest.raises(Unavailable, match="could not be stored"):
        Blobs(str(tmp_path / "stuck"), disk=Stuck()).put(DATA)


def test_one_bad_write_among_many_acknowledges_none(tmp_path: Path) -> None:
    started = len(_calls_of_reopening(tmp_path))
    blobs = Blobs(str(tmp_path), disk=CountedDisk(fail_at=started + 20))
    many = [bytes([i]) * 300 for i in range(30)]
    with pytest.raises(Unavailable):
        blobs.put_many(many)
    assert left_over(tmp_path) == []
    assert [blobs.get(digest) for digest in blobs.put_many(many)] == many


def test_the_order_of_durability(tmp_path: Path) -> None:
    started = len(_calls_of_reopening(tmp_path))
    disk = CountedDisk()
    blobs = Blobs(str(tmp_path), disk=disk)
    blobs.put(DATA)
    write = ["create", "write", "flush", "name", "open_to_flush", "flush"]
    assert disk.calls[started:] == write


def test_the_folders_are_durable_before_the_first_image(tmp_path: Path) -> None:
    """256 folders at the opening, then one flush of the folder that names them and one of its parent."""
    assert _calls_of_opening(tmp_path) == ["make_folder"] * 256 + ["open_to_flush", "flush"] * 2
    assert _calls_of_reopening(tmp_path) == ["open_to_flush", "flush"] * 2
    assert len([entry for entry in tmp_path.iterdir() if len(entry.name) == 2]) == 256


def test_a_digest_that_is_known_is_not_computed_again(tmp_path: Path) -> None:
    blobs = Blobs(str(tmp_path))
    assert blobs.put_many([DATA], [digest_of(DATA)]) == [digest_of(DATA)]
    assert blobs.get(digest_of(DATA)) == DATA
    wrong = digest_of(b"other")
    blobs.put_many([DATA], [wrong])
    with pytest.raises(Damaged, match="no longer fits"):
        blobs.get(wrong)


def test_many_threads_put_the_same_and_different(tmp_path: Path) -> None:
    blobs = Blobs(str(tmp_path))
    got: list[list[str]] = []

    def work(k: int) -> None:
        got.append(blobs.put_many([bytes([i]) * 1000 for i in range(20)] + [bytes([k, 255])]))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 8 and len(set(blobs.digests())) == 28 and list(blobs.scrub()) == []


@pytest.mark.parametrize("url", ["memory://", "folder"])
def test_what_is_removed_is_gone_and_may_come_again(url: str, tmp_path: Path) -> None:
    blobs = Blobs(str(tmp_path / "a") if url == "folder" else url)
    digest = blobs.put(DATA)
    assert blobs.remove(digest) and digest not in blobs and not blobs.remove(digest)
    assert blobs.put(DATA) == digest and blobs.get(digest) == DATA


def test_a_disk_that_does_not_let_go_says_so(tmp_path: Path) -> None:
    class Holding(Disk):
        def remove(self, path: Path) -> None:
            raise OSError(errno.EROFS, "read-only")

    blobs = Blobs(str(tmp_path), disk=Holding())
    digest = blobs.put(DATA)
    with pytest.raises(Unavailable, match="could not be removed"):
        blobs.remove(digest)
    assert blobs.get(digest) == DATA
