"""Child of the kill test: receives images as fast as it can and prints the SOP UID of each acknowledged one.

It loads its code once and forks a receiver for each line ``FOLDER LIFE`` on its input. A receiver has two threads that
receive one image at a time, as it comes over a network, and one that receives batches; what the second receives
is of a project that is sealed in an archive with keys. Every line is written at once
and is shorter than what a pipe takes whole, so a killed receiver leaves no half line.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from pathlib import Path

from store_samples import NOON, image

from isocenter.record import Study
from isocenter.store.blobs import Blobs
from isocenter.store.database import Database
from isocenter.store.incoming import Incoming
from isocenter.store.intake import receive
from isocenter.store.journal import Journal
from isocenter.store.keyring import Keyring
from isocenter.store.master_key import HeldKey

MASTER, SEALED = HeldKey(b"m" * 32), "trial"


def home(study_uid: str) -> str:
    return SEALED if study_uid.endswith(".2") else "house"


def blobs_of(folder: Path) -> Blobs:
    """What an archive keeps, with its keys where it has some."""
    keys = folder / "keys"
    return Blobs(str(folder / "blobs"), keyring=Keyring(keys, MASTER, home) if keys.exists() else None)


def seal(folder: Path) -> None:
    Keyring(folder / "keys", MASTER, home).seal(SEALED)


def bytes_of(sop_uid: str) -> bytes:
    return sop_uid.encode() * 3000


def say(text: str) -> None:
    os.write(1, text.encode())


def live(folder: str, life: str) -> None:
    database = Database(f"sqlite:///{folder}/isocenter.sqlite", server=True)
    blobs = blobs_of(Path(folder))
    journal = Journal(database, blobs)

    def come(uid: str) -> Incoming:
        incoming = blobs.incoming()
        incoming.write(bytes_of(uid))
        blobs.go_on(incoming)  # where no other comes at the same moment
        return incoming

    def send(thread: int, batch: int) -> None:
        n, study = 0, f"1.2.{life}.{thread}"
        while True:
            files: list[tuple[bytes | Incoming, Study]] = []
            for _ in range(batch):
                n += 1
                uid = f"1.2.{life}.{thread}.{n}"
                digest = hashlib.sha256(bytes_of(uid)).hexdigest()
                given = bytes_of(uid) if batch > 1 else come(uid)
                files.append((given, image(n, study=study, sop=uid, digest=digest)))
            answers = receive(database, blobs, journal, files, f"S{thread}", NOON, measured=True, project=home(study))
            say("".join(f"{a.sop_uid} {a.status} {a.digest}\n" for a in answers))

    say("ready\n")
    threads = [threading.Thread(target=send, args=one) for one in ((1, 1), (2, 1), (3, 8))]
    for thread in threads:
        thread.start()
    for thread in threads:  # a main thread that ends takes the pools of threads with it, and batches need one
        thread.join()


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            live(*line.split())
            return
        say(f"pid {child}\n")
        os.waitpid(child, 0)
        say("died\n")


if __name__ == "__main__":
    main()
