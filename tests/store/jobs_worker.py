"""Child of the jobs tests: a worker whose job writes down every step that it does, and waits in the middle for a file.

Usage: python jobs_worker.py DATABASE_URL EXECUTOR FOLDER LEASE_SECONDS. Prints every network address that it talks to.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from isocenter.store.jobs import Jobs, progress, step

ALLOWED_TO_GO_ON = "go-on"


def say_connections(event: str, args: tuple[Any, ...]) -> None:
    if event == "socket.connect" and isinstance(args[1], tuple):
        print(f"connects to {args[1]}", flush=True)


def main(url: str, executor: str, folder: str, lease_s: str) -> None:
    log, gate = Path(folder) / "log", Path(folder) / ALLOWED_TO_GO_ON

    def note(words: str) -> str:
        with log.open("a") as out:
            out.write(f"{words}\n")
        return words

    def wait(words: str) -> str:
        note(words)
        while not gate.exists():
            time.sleep(0.01)
        return words

    def three_steps(name: str) -> list[str]:
        first = step("first", note, f"{name} first")
        progress(0.5, "in the middle")
        middle = step("middle", wait, f"{name} middle")
        return [first, middle, step("last", note, f"{name} last")]

    jobs = Jobs(url, executor=executor, run={"three_steps": three_steps}, lease_s=float(lease_s))
    jobs.start(concurrency=2)
    print("works", flush=True)
    sys.stdin.read()
    jobs.close()


if __name__ == "__main__":
    sys.addaudithook(say_connections)
    main(*sys.argv[1:])
