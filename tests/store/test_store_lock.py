"""One server for one folder, also when it takes the place of one that was killed a moment ago."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from isocenter.errors import Unavailable
from isocenter.store.lock import FolderLock, lives, served_at


def held_by(folder: Path, process: int) -> int:
    """The lock of a folder as a process with that number left it."""
    descriptor = os.open(folder / "server.lock", os.O_RDWR | os.O_CREAT, 0o640)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.write(descriptor, f"{process}\n".encode())
    return descriptor


def dead() -> int:
    """The number of a process that has ended."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    return gone.pid


def test_a_server_waits_for_what_a_dead_one_leaves_behind(tmp_path: Path) -> None:
    left = held_by(tmp_path, dead())
    waited: list[float] = []

    def pause(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            os.close(left)  # the child that had it runs something else now

    lock = FolderLock(tmp_path, pause=pause)
    assert len(waited) == 3
    assert (tmp_path / "server.lock").read_text().strip() == str(os.getpid())
    lock.release()


def test_it_waits_neither_for_one_that_lives_nor_for_ever(tmp_path: Path) -> None:
    for process, pauses in ((os.getpid(), 0), (1, 0), (dead(), 100)):
        (tmp_path / str(process)).mkdir()
        left = held_by(tmp_path / str(process), process)
        waited: list[float] = []
        with pytest.raises(Unavailable, match=f"process {process} serves it already"):
            FolderLock(tmp_path / str(process), pause=waited.append)
        assert len(waited) == pauses
        os.close(left)


def test_commands_hear_where_the_server_that_lives_is_found_and_nothing_of_a_dead_one(tmp_path: Path) -> None:
    assert served_at(tmp_path) == ""
    lock = FolderLock(tmp_path)
    assert served_at(tmp_path) == "", "it listens not yet"
    lock.say("https://127.0.0.1:18042")
    assert served_at(tmp_path) == "https://127.0.0.1:18042"
    with pytest.raises(Unavailable, match=f"process {os.getpid()} serves it already"):
        FolderLock(tmp_path)
    lock.release()
    (tmp_path / "server.lock").write_text(f"{dead()}\nhttps://127.0.0.1:18042\n")
    assert served_at(tmp_path) == ""


def test_a_process_lives_until_it_was_waited_for() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert lives(child.pid) and lives(os.getpid()) and lives(1)
    child.communicate(b"\n")
    assert not lives(child.pid)
