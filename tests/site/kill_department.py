"""Child of the test that kills a department with alerts: raises, escalates and acknowledges until it is killed.

It loads its code once and forks a department for each line ``FOLDER ALERTS SEED`` on its input. How late it truly is
and what the machine's clock shows stand in the file ``world``, which the parent writes: two numbers of seconds. Every
line is written at once and is shorter than what a pipe takes whole, so a killed department leaves no half line.
"""

from __future__ import annotations

import mmap
import os
import random
import struct
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import isocenter.site.verbs  # noqa: F401  (loaded once, before anybody is forked)
from isocenter.govern.policy import Person, Role
from isocenter.reading.critical import Communication
from isocenter.record import Kind
from isocenter.site.alerting import Alerting
from isocenter.site.forward_clock import ForwardClock
from isocenter.store.blobs import Blobs
from isocenter.store.database import Database
from isocenter.store.index import Index
from isocenter.store.journal import Journal

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
LONG_AGO = START - timedelta(days=400)
ITO, LEE = Person("ito", Role.READER), Person("lee", Role.READER)
TOLD = Communication("", LONG_AGO, "ito", "Dr Lee, ward 3", LONG_AGO, "telephone", read_back=True)
WORLD = struct.Struct("dd")  # seconds that have truly passed, and seconds by which the clock is set


def say(text: str) -> None:
    os.write(1, text.encode())


def live(folder: Path, alerts: int, seed: int) -> None:
    with (folder / "world").open("rb") as file:
        world = mmap.mmap(file.fileno(), WORLD.size, prot=mmap.PROT_READ)
    database, blobs = Database(f"sqlite:///{folder}/a.sqlite", server=True), Blobs(str(folder / "blobs"))
    journal, draw = Journal(database, blobs), random.Random(seed)
    clock = ForwardClock(
        lambda: START + timedelta(seconds=sum(WORLD.unpack(world))), steady=lambda: WORLD.unpack(world)[0], boot="1"
    )
    clock.keep(folder / "mark")
    alerting = Alerting(Index(database, blobs), journal, clock)
    raised = sum(1 for _ in journal.each(kinds=(Kind.ALERT_RAISED,)))
    say("ready\n")
    while True:
        truly = WORLD.unpack(world)[0]
        clock.leave_mark()
        alerting.look()
        say(f"looked {truly}\n")
        for _ in range(draw.choice((0, 0, 1, 3)) if raised < alerts else 0):
            told = {"identified": LONG_AGO, "responsible": "ito", "who": ITO}
            one = alerting.raise_(f"1.2.{1 + raised % 5}", f"finding {raised}", draw.choice((1, 1, 2)), **told)  # type: ignore[arg-type]
            say(f"raised {one.id} {WORLD.unpack(world)[0]}\n")
            raised += 1
        if draw.random() < 0.03 and (still := alerting.open(who=LEE)):
            alerting.acknowledge(still[0]["id"], TOLD, who=LEE)
            say(f"told {still[0]['id']}\n")


def main() -> None:
    for line in sys.stdin:
        folder, alerts, seed = line.split()
        child = os.fork()
        if child == 0:
            live(Path(folder), int(alerts), int(seed))
        say(f"pid {child}\n")
        os.waitpid(child, 0)
        say("died\n")


if __name__ == "__main__":
    main()
