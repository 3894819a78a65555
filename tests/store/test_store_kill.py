"""An acknowledged image is durable, whatever is killed when: 300 SIGKILLs at random instants under load."""

from __future__ import annotations

import hashlib
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from kill_receiver import SEALED, blobs_of, bytes_of, home, seal
from store_samples import dump

import isocenter
from isocenter.store import Database, Index, Journal, rebuild

KILLS, SEALED_KILLS = 200, 100
NIGHTLY, SLICE = 10_000, 500  # a night's kills come in slices, each an archive of its own and an answer that is kept
HERE = Path(__file__).parent


class Receivers:
    """A process that starts one receiver after the other, and what they say."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.heard = folder, b""
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "kill_receiver.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(Path(isocenter.__file__).parents[1])])},
        )

    def until(self, word: bytes, seconds: float = 60.0) -> list[str]:
        """Lines up to the one that begins with the word, or all that come in the given time when it is empty."""
        assert self.process.stdout is not None
        deadline, lines = time.monotonic() + seconds, []
        while True:
            while b"\n" in self.heard:
                line, _, self.heard = self.heard.partition(b"\n")
                lines.append(line.decode())
                if word and line.startswith(word):
                    return lines
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                assert not word, f"no '{word.decode()}' within {seconds} s, but {lines[-3:]}"
                return lines
            said = os.read(self.process.stdout.fileno(), 1 << 16)
            assert said, "the receivers ended by themselves"
            self.heard += said

    def live_and_die(self, life: int, delay: float) -> list[str]:
        """One receiver from its start to its violent end; what it acknowledged."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{self.folder} {life}\n".encode())
        self.process.stdin.flush()
        start = self.until(b"pid ")
        # Half of them die while they still open the archive, which is when a crash is being recovered from; a quarter
        # when they have acknowledged something, however slow the machine is.
        # It may have been ready, and more, before its parent came to say its number.
        lines = start[:-1]
        if life % 2 and not any(line.startswith("ready") for line in lines):
            lines += self.until(b"ready")
        if life % 4 == 3 and not any(line.startswith("1.2.") for line in lines):
            lines += self.until(b"1.2.")
        lines += self.until(b"", delay)
        os.kill(int(start[-1].split()[1]), signal.SIGKILL)
        return [line for line in lines + self.until(b"died") if line.startswith("1.2.")]


@pytest.fixture
def receivers() -> Iterator[Receivers]:
    with TemporaryDirectory(prefix="isocenter-killed-") as folder:  # on disk, also where other tests write to memory
        one = Receivers(Path(folder))
        yield one
        one.process.kill()
        one.process.communicate()


@pytest.mark.parametrize(
    ("kills", "seed", "sealed"),
    [
        pytest.param(KILLS, 20261120, False, marks=pytest.mark.slow, id="day"),
        pytest.param(SEALED_KILLS, 20261127, True, marks=pytest.mark.slow, id="day-sealed"),
        *(
            pytest.param(SLICE, n, n % 2 == 1, marks=pytest.mark.nightly, id=f"night{n}")
            for n in range(NIGHTLY // SLICE)
        ),
    ],
)
def test_nothing_acknowledged_is_lost(
    receivers: Receivers, kills: int, seed: int, sealed: bool, progress: Callable[[str], None]
) -> None:
    chance, folder = random.Random(seed), receivers.folder
    acknowledged: dict[str, str] = {}
    if sealed:
        seal(folder)
    for life in range(kills):
        for line in receivers.live_and_die(life, chance.uniform(0.0, 0.15)):
            uid, status, digest = line.split()
            assert status == "stored" and digest == hashlib.sha256(bytes_of(uid)).hexdigest()
            acknowledged[uid] = digest
        if life % 100 == 99:
            progress(f"{life + 1} of {kills} kills, {len(acknowledged)} images acknowledged")
    assert len(acknowledged) >= kills // 4

    database, blobs = Database(f"sqlite:///{folder}/isocenter.sqlite"), blobs_of(folder)
    index = Index(database, blobs)
    assert Journal(database, blobs).verify() > 0
    known = index.known(list(acknowledged))
    assert known == acknowledged
    for uid, digest in acknowledged.items():
        assert blobs.get(digest) == bytes_of(uid)
        assert index.find("IMAGE", {"SOPInstanceUID": uid})[0]["SOPInstanceUID"] == uid
    ours = {digest for uid, digest in acknowledged.items() if home(uid.rpartition(".")[0]) == SEALED}
    assert ours and all((blobs.path(digest) is None) == sealed for digest in ours), "in the clear, or nowhere so"
    assert list(blobs.scrub()) == [] and not list((folder / "blobs" / ".incoming").iterdir())
    before = dump(database)
    assert {row[5] for row in before["instance"]} <= set(blobs.digests())  # indexed, acknowledged or not: it is there
    rebuild(database, blobs)
    assert dump(database) == before
    database.close()
