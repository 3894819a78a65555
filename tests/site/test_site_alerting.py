"""Alerts under kills and clocks that are set: none lost, none late, each rung climbed once."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from department_for_oversight import CHIEF, ITO, LEE, MONDAY, department, uid
from isocenter.errors import Forbidden, NotFound, Refused, Unavailable
from isocenter.reading.alerts import LIMITS
from isocenter.reading.critical import Communication
from isocenter.reading.worklist import Waiting
from isocenter.record import Event, Kind
from isocenter.site.alerting import Alerting
from isocenter.site.verbs import Site

START = MONDAY + timedelta(days=3)


@dataclass
class _World:
    """Time as it really passes, and the machine's clock, which somebody sets."""

    true: timedelta = timedelta()
    set_by: timedelta = timedelta()

    def clock(self) -> Any:
        return START + self.true + self.set_by

    def steady(self) -> float:
        return self.true.total_seconds()


def _told(world: _World) -> Communication:
    at = START - timedelta(days=400)
    return Communication("", at, "ito", "Dr Lee, ward 3", at, "telephone", read_back=True)


class _Killed(Exception):
    """The process is gone."""


def _dying(journal: Any, draw: random.Random, chance: float) -> Any:
    """The journal of a process that is killed now and then, before an append is durable or just after."""

    class Dying:
        since, head, epoch = journal.since, journal.head, journal.epoch

        def _or_die(self, append: Callable[..., Any], *given: Any) -> Any:
            fate = draw.random()
            if fate < chance / 2:
                raise _Killed
            done = append(*given)
            if fate < chance:
                raise _Killed
            return done

        def append(self, *events: Event) -> Any:
            return self._or_die(journal.append, *events)

        def decide(self, *given: Any) -> Any:
            return self._or_die(journal.decide, *given)

    return Dying()


def _live(
    site: Site, world: _World, draw: random.Random, alerts: int, mark: Path, hours: float
) -> tuple[dict[str, dict[str, Any]], int]:
    """Days of a department: alerts are raised and acknowledged, processes die, the clock is set; what must be true."""
    must: dict[str, dict[str, Any]] = {}
    kills = 0

    def start() -> Alerting:
        return Alerting(site.index, _dying(site.journal, draw, 0.1), world.clock, steady=world.steady, mark=mark)

    process = start()
    raised = 0
    while raised < alerts or world.true < timedelta(hours=hours):
        world.true += timedelta(seconds=30)
        try:
            process.look()
            for _ in range(draw.choice((0, 1, 3)) if raised < alerts else 0):
                name = f"finding {raised}"
                process.raise_(
                    uid(1 + raised % 5), name, draw.choice((1, 1, 2)), identified=MONDAY, responsible="ito", who=ITO
                )
                raised += 1
            for one in process.open(who=ITO):
                if draw.random() < 0.001:
                    process.acknowledge(one["id"], _told(world), who=LEE)
        except _Killed:
            kills += 1
            process = _again(start)  # the supervisor starts it again; nothing of it is left
            raised = len(
                {s.event.details["finding"] for s in site.journal.since(kinds=(Kind.ALERT_RAISED,), limit=10**6)}
            )
        for sealed in site.journal.since(max([m["number"] for m in must.values()] or [0]), kinds=(Kind.ALERT_RAISED,)):
            told = sealed.event.details
            must[told["id"]] = {"number": sealed.number, "at": world.true, "level": told["level"]}
        _check(site, world, must)
        if draw.random() < 0.01:
            world.set_by += timedelta(minutes=draw.choice((-90, -5, 5, -600)))
    return must, kills


def _again(start: Callable[[], Alerting]) -> Alerting:
    while True:
        process = start()
        try:
            process.look()
        except _Killed:
            continue
        return process


def _check(site: Site, world: _World, must: dict[str, dict[str, Any]]) -> None:
    """No rung is later than sixty seconds after its true time, in what the journal holds."""
    for sealed in site.journal.since(_check.at, kinds=(Kind.ALERT_CLIMBED, Kind.ALERT_ACKNOWLEDGED), limit=10**6):  # type: ignore[attr-defined]
        told, _check.at = sealed.event.details, sealed.number  # type: ignore[attr-defined]
        one = must[told["id"]]
        if sealed.event.kind is Kind.ALERT_ACKNOWLEDGED:
            assert not one.get("ended"), "ended once"
            one["ended"] = True
        else:
            assert told["rung"] > one.get("rung", 0), "no rung is climbed twice"
            one["rung"] = told["rung"]
    for one in must.values():
        age = world.true - one["at"]
        wanted = min(int((age - timedelta(seconds=60)) / LIMITS[one["level"]]), 2)
        assert one.get("ended") or one.get("rung", 0) >= wanted, (one, age)


@pytest.mark.parametrize(("alerts", "hours"), [(60, 2.2), pytest.param(1000, 26.0, marks=pytest.mark.nightly)])
def test_alerts_are_neither_lost_nor_late_under_kills_and_clocks_that_are_set(
    tmp_path: Path, alerts: int, hours: float
) -> None:
    with department(tmp_path, read=5) as (site, _):
        world, draw = _World(), random.Random(alerts)
        _check.at = 0  # type: ignore[attr-defined]
        must, kills = _live(site, world, draw, alerts, tmp_path / "mark", hours)
        assert len(must) >= alerts and kills > 5
        held = Alerting(site.index, site.journal, world.clock, steady=world.steady)
        open_now = {one["id"] for one in held.open(who=ITO)}
        assert open_now == {id for id, one in must.items() if not one.get("ended")}, "none is lost"
        assert any(one.get("ended") for one in must.values())


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
        alerting = Alerting(site.index, site.journal, clock, lambda: rows)
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
            Alerting(site.index, Full(), clock).look()  # type: ignore[arg-type]
        assert site.alerts.look() == 1
