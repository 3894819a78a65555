"""A full disk, a kill and a failure leave the earlier file, or none, and never the beginning of one."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from isocenter import wholly
from isocenter.errors import Unavailable

_JUDGED = """
import resource, sys
from pathlib import Path
from isocenter.errors import Unavailable
from isocenter.learn.judge import Judged
from isocenter.record import Model
rows = [{"name": f"case {n}", "said": 0.5} for n in range(20_000)]
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    Judged({}, Model("m", "1", "0"), rows, None, {}).write(Path(sys.argv[1]))
except Unavailable as e:
    print(e)
"""
_FULL = """
import resource, sys
from pathlib import Path
from isocenter import wholly
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    wholly.write(Path(sys.argv[1]), "x" * 5000)
except OSError as e:
    print(e)
"""
_KILLED = """
import os, sys
from pathlib import Path
from isocenter import wholly
with wholly.writing(Path(sys.argv[1])) as file:
    file.write(b"half"), file.flush(), os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("name", ["said.csv", "said.json"])
def test_a_full_disk_leaves_no_beginning_of_a_table(tmp_path: Path, name: str) -> None:
    """Held to 100 kB a file by the system, as a full disk holds to what is left."""
    file = tmp_path / name
    for before in (None, "the earlier table"):
        if before:
            file.write_text(before)
        done = subprocess.run([sys.executable, "-c", _JUDGED, file], capture_output=True, text=True, check=True)
        assert "cannot write" in done.stdout and "Choose another place" in done.stdout
        assert [(f.name, f.read_text()) for f in tmp_path.iterdir()] == ([(name, before)] if before else [])


def test_a_disk_that_takes_nothing_names_the_file_that_was_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "model.json"
    done = subprocess.run([sys.executable, "-c", _FULL, file], capture_output=True, text=True, check=True)
    assert f"[Errno {errno.EFBIG}]" in done.stdout and f"'{file}'" in done.stdout and ".part" not in done.stdout
    with pytest.raises(FileNotFoundError) as missing:
        wholly.write(tmp_path / "no folder" / "a", "b")
    assert missing.value.filename == str(tmp_path / "no folder" / "a")
    assert list(tmp_path.iterdir()) == []


def test_what_fails_otherwise_is_passed_on_as_it_is(tmp_path: Path) -> None:
    for fault in (Unavailable("the table", "it cannot be read", "wait"), OSError(errno.EIO, "broken", "another file")):
        with pytest.raises(type(fault)) as met, wholly.writing(tmp_path / "a"):
            raise fault
        assert met.value is fault and list(tmp_path.iterdir()) == []


def test_a_kill_leaves_the_earlier_file_and_nothing_that_is_taken_for_one(tmp_path: Path) -> None:
    file = tmp_path / "said.csv"
    file.write_text("earlier")
    other = tmp_path / "another.csv"
    for path in (file, other):
        done = subprocess.run([sys.executable, "-c", _KILLED, path], check=False)
        assert done.returncode == -signal.SIGKILL
    assert file.read_text() == "earlier" and not other.exists()
    left = set(tmp_path.iterdir()) - {file}
    assert len(left) == 2 and list(tmp_path.rglob("*.csv")) == [file]
    wholly.sweep(file)
    (kept,) = set(tmp_path.iterdir()) - {file}
    assert kept.name.startswith(".another.csv.") and file.read_text() == "earlier"
    wholly.sweep(tmp_path / "no folder" / "a")


def test_a_name_as_long_as_a_file_system_takes_is_written_and_swept(tmp_path: Path) -> None:
    file = tmp_path / ("ä" * 127)
    wholly.write(file, "whole")
    assert [f.read_text() for f in tmp_path.iterdir()] == ["whole"]
    subprocess.run([sys.executable, "-c", _KILLED, file], check=False)
    assert len(list(tmp_path.iterdir())) == 2
    wholly.sweep(file)
    assert list(tmp_path.iterdir()) == [file]


def test_the_disk_is_waited_for_where_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file before it is named, then its folder."""
    waited: list[str] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        waited.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    wholly.write(tmp_path / "mark", "1", durable=False)
    assert not waited and (tmp_path / "mark").read_text() == "1"
    wholly.write(tmp_path / "mark", b"2")
    assert waited[0].startswith(".mark.") and waited[1:] == [tmp_path.name]


def test_a_private_file_is_read_by_nobody_else(tmp_path: Path) -> None:
    for private, mode in ((True, 0o600), (False, 0o666 & ~_umask())):
        wholly.write(tmp_path / "keys", "k", private=private)
        assert (tmp_path / "keys").stat().st_mode & 0o777 == mode


def test_what_must_be_new_takes_the_place_of_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "key"
    wholly.write(file, "first", new=True)
    for other in (file, tmp_path):
        with pytest.raises(FileExistsError) as there:
            wholly.write(other, "second", new=True)
        assert there.value.filename == str(other)
    with pytest.raises(FileExistsError) as there, wholly.writing(tmp_path / "late", new=True) as late:
        late.write(b"second")
        (tmp_path / "late").write_text("first")
    assert there.value.filename == str(tmp_path / "late")

    def none(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", none)  # as on a file system without links
    wholly.write(tmp_path / "other", "first", new=True)
    with pytest.raises(FileExistsError), wholly.writing(tmp_path / "last", new=True) as last:
        last.write(b"second")
        (tmp_path / "last").write_text("first")
    assert {f.name: f.read_text() for f in tmp_path.iterdir()} == dict.fromkeys(
        ("key", "late", "other", "last"), "first"
    )


def _umask() -> int:
    now = os.umask(0o022)
    os.umask(now)
    return now


def test_links_and_pipes_stay_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    link, real, pipe = tmp_path / "link.csv", tmp_path / "far" / "real.csv", tmp_path / "pipe"
    link.symlink_to(real)
    wholly.write(link, "new")
    assert link.is_symlink() and real.read_text() == "new" and [f.name for f in real.parent.iterdir()] == ["real.csv"]
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    wholly.write(pipe, "through")
    assert os.read(reader, 99) == b"through" and pipe.is_fifo()
    os.close(reader)
    with pytest.raises(ValueError, match="on purpose"), wholly.writing(link) as file:
        file.write(b"half")
        raise ValueError("on purpose")
    assert real.read_text() == "new"
