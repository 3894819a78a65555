"""Alerts under SIGKILL and clocks that are set: none lost, none late, each rung climbed once."""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from kill_department import ITO as READER
from kill_department import START, WORLD

import isocenter
from department_for_oversight import CHIEF, ITO, LEE, MONDAY, department, uid
from isocenter.errors import Forbidden, NotFound, Refused, Unavailable
from isocenter.reading.alerts import LIMITS
from isocenter.reading.critical import Communication
from isocenter.reading.worklist import Waiting
from isocenter.record import Event, Instance, Kind, Patient, Series, Study
from isocenter.site.alerting import Alerting
from isocenter.site.forward_clock import ForwardClock
from isocenter.store import Blobs, Database, Index, Journal
from isocenter.store.intake import receive

STEP_S, KILL_S = 30.0, 5.0  # of true time between two looks, and until a supervisor has started the next process


class Killed:
    """Departments that live one after the other in one folder, and what time it truly is for them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.heard, self.true, self.set_by = folder, b"", 0.0, 0.0
        self.said: dict[str, float] = {}
        self.told: set[str] = set()
        self.tell()
        here = Path(__file__).parent
        paths = (here, Path(isocenter.__file__).parents[1])
        self.process = subprocess.Popen(
            [sys.executable, str(here / "kill_department.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        )  # fmt: skip

    def tell(self) -> None:
        with (self.folder / "world").open("r+b" if (self.folder / "world").exists() else "wb") as file:
            file.write(WORLD.pack(self.true, self.set_by))

    def set_clock(self, minutes: float) -> None:
        self.set_by = 60 * minutes
        self.tell()

    def until(self, word: str, seconds: float = 60.0) -> str:
        """Hear what is said up to a line that begins so; "" where the time is over before one comes."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + seconds
        while True:
            while b"\n" in self.heard:
                line, _, self.heard = self.heard.partition(b"\n")
                if self._heard(line.decode()).startswith(word):
                    return line.decode()
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                return ""
            said = os.read(self.process.stdout.fileno(), 1 << 16)
            assert said, "the departments ended by themselves"
            self.heard += said

    def _heard(self, line: str) -> str:
        what, *rest = line.split()
        if what == "looked" and float(rest[0]) == self.true:
            self.true += STEP_S
            self.tell()
        elif what == "raised":
            self.said[rest[0]] = float(rest[1])
        elif what == "told":
            self.told.add(rest[0])
        return line

    def live_and_die(self, life: int, alerts: int, looks: int, delay: float) -> None:
        """One department from its start to its violent end."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{self.folder} {alerts} {life}\n".encode())
        self.process.stdin.flush()
        pid = int(self.until("pid ").split()[1])
        # Every third may die while it still opens the archive; the others live for some looks.
        for word in ("ready", *["looked"] * looks) if life % 3 else ():
            assert self.until(word)
        self.until("never", delay)
        os.kill(pid, signal.SIGKILL)
        assert self.until("died")
        self.true += KILL_S
        self.tell()


@pytest.fixture
def killed() -> Iterator[Killed]:
    with TemporaryDirectory(prefix="isocenter-alerts-") as folder:  # on disk, also where others write to memory
        one = Killed(Path(folder))
        yield one
        one.process.kill()
        one.process.communicate()


@dataclass
class Known:
    """What the journal holds of each alert, and what must be true of it."""

    journal: Journal
    level: dict[str, int] = field(default_factory=dict)
    since: dict[str, float] = field(default_factory=dict)  # true time by which it was there
    rung: dict[str, int] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    read: int = 0

    def follow(self, world: Killed) -> None:
        for sealed in self.journal.each(self.read):
            event, self.read = sealed.event, sealed.number
            one = str(event.details.get("id", ""))
            if event.kind is Kind.ALERT_RAISED:
                assert one not in self.level, "none is there twice"
                self.level[one] = event.details["level"]
                self.since[one] = world.said.get(one, world.true)
            elif event.kind is Kind.ALERT_CLIMBED:
                assert event.details["rung"] > self.rung.get(one, 0), "no rung is climbed twice"
                self.rung[one] = event.details["rung"]
            elif event.kind is Kind.ALERT_ACKNOWLEDGED:
                assert one not in self.ended, "ended once"
                self.ended.add(one)
        assert set(world.said) <= set(self.level) and world.told <= self.ended, "what was answered was kept"
        for one, level in self.level.items():
            late = timedelta(seconds=world.true - self.since[one] - 60)
            assert one in self.ended or self.rung.get(one, 0) >= min(int(late / LIMITS[level]), 2), (
                "late by more than 60 s"
            )


def _study(n: int) -> Study:
    one = Instance(f"1.2.{n}.1.1", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1", "", 1, 1, 8, 8, 1)
    return Study(f"1.2.{n}", Patient(f"P{n}"), series=(Series(f"1.2.{n}.1", "CT", instances=(one,)),))


@pytest.mark.parametrize(("alerts", "hours"), [(60, 1.1), pytest.param(1000, 2.1, marks=pytest.mark.nightly)])
def test_alerts_are_neither_lost_nor_late_under_kills_and_clocks_that_are_set(
    killed: Killed, alerts: int, hours: float, progress: Callable[[str], None]
) -> None:
    database, blobs = Database(f"sqlite:///{killed.folder}/a.sqlite"), Blobs(str(killed.folder / "blobs"))
    known, draw = Known(Journal(database, blobs)), random.Random(alerts)
    for n in range(1, 6):
        receive(database, blobs, known.journal, [(b"image %d" % n, _study(n))], "CT1", START)
    life, full = 0, 0.0
    while len(known.level) < alerts or killed.true < full + hours * 3600:  # the last one has its hour, or both
        killed.live_and_die(life, alerts, draw.randrange(24), draw.uniform(0.0, 0.05))
        life += 1
        known.follow(killed)
        full = killed.true if len(known.level) < alerts else full
        if life in (2, 3) or draw.random() < 0.5:  # back by hours, forward by minutes, and early on by half a day
            killed.set_clock({2: 720, 3: -600}.get(life) or draw.choice((-600, -90, -5, 0, 5)))
        if life % 100 == 0:
            progress(f"{life} kills, {len(known.level)} alerts, {killed.true / 3600:.1f} h")
    progress(f"{life} kills, {len(known.level)} alerts of which {len(known.ended)} ended, {killed.true / 3600:.1f} h")
    assert len(known.level) >= alerts and life > alerts / 20
    held = Alerting(Index(database, blobs), known.journal, ForwardClock(lambda: START))
    assert {one["id"] for one in held.open(who=READER)} == set(known.level) - known.ended, "none is lost"
    assert known.ended and known.journal.verify() == known.read
    database.close()


def test_time_goes_forward_only_whatever_the_clock_and_the_disk_say(tmp_path: Path) -> None:
    set_to, timer = [START], [0.0]
    clock = ForwardClock(lambda: set_to[0], steady=lambda: timer[0], boot="1")
    clock.keep(tmp_path / "mark")
    assert clock() == START
    set_to[0] += timedelta(hours=10)
    ahead = clock()
    set_to[0], timer[0] = START, 60.0
    assert clock() == ahead + timedelta(minutes=1), "what was raised while it was ahead goes on growing old"
    clock.leave_mark()
    killed = ForwardClock(lambda: START, steady=lambda: 85.0, boot=clock.boot)
    killed.keep(tmp_path / "mark")
    assert killed() == ahead + timedelta(seconds=85), "what passed while no process was there counts"
    again = ForwardClock(lambda: START, steady=lambda: 0.0, boot="another start of the machine")
    again.keep(tmp_path / "mark")
    assert again() == ahead + timedelta(minutes=1)
    assert again.not_before(ahead + timedelta(days=1)) == again() == ahead + timedelta(days=1)
    (tmp_path / "mark.new").mkdir()  # a disk that takes nothing
    again.leave_mark()
    (tmp_path / "mark").write_text("nonsense")
    fresh = ForwardClock(lambda: START, lambda: ahead, steady=lambda: 0.0)
    fresh.keep(tmp_path / "mark")
    assert fresh() == ahead


def test_an_alert_ends_only_with_six_fields_and_by_who_may(tmp_path: Path) -> None:
    with department(tmp_path, read=2) as (site, clock):
        now = clock.now
        given = {"identified": now - timedelta(minutes=5), "responsible": "Dr Auer"}
        alert = site.alerts.raise_(uid(1), "bleeding", 1, who=ITO, **given)
        site.alerts.raise_(uid(2), "nodule of 8 mm", 3, who=ITO, **given)
        left = [(a["level"], round(a["left_s"] / 60)) for a in site.alerts.open(who=LEE)]
        assert left == [(1, 60), (3, 7 * 24 * 60)]
        told = Communication("", given["identified"], "ito", "Dr Lee", now, "telephone")
        for wrong in (replace(told, recipient=" "), replace(told, method="fax"), replace(told, communicator="")):
            with pytest.raises(Refused):
                site.alerts.acknowledge(alert.id, wrong, who=ITO)
        for level, words, extra in ((4, "x", {}), (1, " ", {}), (1, "x", {"responsible": ""}),
                                    (1, "x", {"identified": now + timedelta(hours=1)})):  # fmt: skip
            with pytest.raises(Refused):
                site.alerts.raise_(uid(1), words, level, who=ITO, **{**given, **extra})
        with pytest.raises(NotFound):
            site.alerts.raise_("1.2.999", "x", 1, who=ITO, **given)
        with pytest.raises(NotFound):
            site.alerts.acknowledge("0" * 16, told, who=ITO)
        with pytest.raises(Forbidden):
            site.alerts.acknowledge(alert.id, told, who=replace(CHIEF, role="service"))
        clock.now += timedelta(minutes=61)
        assert (site.alerts.look(), site.alerts.look()) == (1, 0)
        assert site.alerts.open(who=LEE)[0]["asked"] == "readers"
        site.alerts.acknowledge(alert.id, told, who=LEE)
        with pytest.raises(NotFound):
            site.alerts.acknowledge(alert.id, told, who=LEE)
        (kept,) = site.journal.since(kinds=(Kind.ALERT_ACKNOWLEDGED,))
        assert kept.event.details["told"]["recipient"] == "Dr Lee" and kept.event.who == "lee"
        assert kept.event.details["told"]["finding"] == "bleeding"


def test_a_machines_flag_that_nobody_reads_asks_everybody_and_only_opening_ends_it(tmp_path: Path) -> None:
    from isocenter.reading.worklist import Raise
    from isocenter.record import Urgency

    with department(tmp_path, read=3) as (site, clock):
        study = site.index.study(uid(3))
        row = Waiting(study, clock.now, ("CT",), 1, "waiting", "", (Raise(Urgency.NOW, "bleeding", "ai"),), "found")
        rows = [row, replace(row, study=site.index.study(uid(2)), raises=()),
                replace(row, study=site.index.study(uid(1)), state="open")]  # fmt: skip
        alerting = Alerting(site.index, site.journal, ForwardClock(clock), lambda: rows)
        assert alerting.look() == 0
        clock.now += timedelta(minutes=60)
        assert (alerting.look(), alerting.look()) == (1, 0)
        (one,) = alerting.open(who=ITO)
        assert (one["source"], one["study"], one["finding"]) == ("unread", uid(3), "bleeding")
        told = Communication("", MONDAY, "ito", "Dr Lee", clock.now, "telephone")
        with pytest.raises(Refused, match="opening"):
            alerting.acknowledge(one["id"], told, who=ITO)
        clock.now += timedelta(hours=2)
        assert alerting.look() == 1 and alerting.open(who=ITO)[0]["asked"] == "chief"
        site.journal.append(Event(Kind.READING_OPENED, clock.now, "ito", uid(3), {"by": "ito"}))
        assert alerting.open(who=ITO) == [] and alerting.look() == 0
        # Who only glanced at it has not read it.
        site.journal.append(Event(Kind.READING_CLOSED, clock.now, "ito", uid(3), {"by": "ito"}))
        clock.now += timedelta(minutes=59)
        assert alerting.look() == 0
        clock.now += timedelta(minutes=1)
        assert (alerting.look(), alerting.look()) == (1, 0)
        (again,) = alerting.open(who=ITO)
        assert again["id"] != one["id"] and again["study"] == uid(3) and again["asked"] == "responsible"
        site.journal.append(Event(Kind.READING_OPENED, clock.now, "lee", uid(3), {"by": "lee"}))
        assert alerting.open(who=ITO) == [] and alerting.look() == 0


def test_a_full_disk_now_does_not_lose_a_call(tmp_path: Path) -> None:
    with department(tmp_path, read=1) as (site, clock):
        site.alerts.raise_(uid(1), "bleeding", 1, identified=MONDAY, responsible="ito", who=ITO)
        clock.now += timedelta(hours=1)

        class Full:
            since, head, epoch = site.journal.since, site.journal.head, site.journal.epoch

            def decide(self, *given: Any) -> Any:
                raise Unavailable("disk full")

        with pytest.raises(Unavailable):
            Alerting(site.index, Full(), ForwardClock(clock)).look()  # type: ignore[arg-type]
        assert site.alerts.look() == 1
