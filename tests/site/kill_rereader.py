"""Child of the test that kills a reading of headers.

Each line ``FOLDER N`` on its input forks a reader that dies at the N-th image that it reads (0: at none); the answer is
how it ended, and how many images it had read.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from rejecting_samples import NOON

import isocenter.site.verbs
import isocenter.store.rereading  # noqa: F401  (loaded once, before anybody is forked)
from isocenter.govern.policy import HOUSE
from isocenter.record import Study
from isocenter.site.rereading import Rereading, reader, record_of
from isocenter.store import Blobs, Database, Journal


def run(folder: Path, last: int, said: int) -> None:
    def read(data: bytes, digest: str) -> Study:
        os.write(said, b".")
        nonlocal last
        last -= 1
        if last == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return record_of(data, digest)

    database, blobs = Database(f"sqlite:///{folder}/a.sqlite"), Blobs(str(folder / "blobs"))
    Rereading(database, blobs, Journal(database, blobs), lambda: NOON, read).learn(who=HOUSE, every=1)
    database.close()


if __name__ == "__main__":
    reader()
    for line in sys.stdin:
        folder, last = line.split()
        heard, said = os.pipe()
        if (child := os.fork()) == 0:
            run(Path(folder), int(last), said)
            os._exit(0)
        os.close(said)
        status = os.waitpid(child, 0)[1]
        print(os.waitstatus_to_exitcode(status), len(os.read(heard, 1 << 16)), flush=True)
        os.close(heard)
