"""What triage gave: a list by hand, simulated departments whose truth is known, and too few cases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from isocenter.methods.queueing import AI, Discipline, Stream, draw, order, simulate
from isocenter.reading.triage import ENOUGH, Case, effect

START = datetime(2026, 11, 16, 8, tzinfo=UTC)  # a Monday


def case(n: int, arrived: float, opened: float, **rest: object) -> Case:
    given = {"kind": "CT", "stat": False, "limit_min": 1440.0, "machine": False, "present": False, **rest}
    at = [START + timedelta(minutes=m) for m in (arrived, opened)]
    return Case(f"1.{n}", arrived=at[0], opened=at[1], **given)  # type: ignore[arg-type]


def run(cases: list[Case], since: datetime = START, seed: int = 0):  # type: ignore[no-untyped-def]
    return effect(cases, since, zone=UTC, rng=np.random.default_rng(seed))


def test_thirty_triples_by_hand() -> None:
    """Each half hour three studies arrive at 0, 1, 2 and are opened at 10, 20, 30 past: the flagged one, which came
    last, is opened first. In the plain order it would have waited 28 minutes, the others 10 and 19."""
    cases = []
    for n in range(30):
        t = 60.0 * n
        cases += [
            case(3 * n, t, t + 20),
            case(3 * n + 1, t + 1, t + 30),
            case(3 * n + 2, t + 2, t + 10, machine=True, present=True, raise_min=30.0, kind="head"),
        ]
    told = run(cases)
    everything = told.splits[0]
    assert (everything.name, everything.n, everything.needed) == ("all", 90, 0)
    assert everything.observed["with the finding"].value == 8 - 28
    assert everything.observed["others"].value == ((20 - 10) + (29 - 19)) / 2
    assert everything.predicted == everything.observed, "the readers followed the list"
    assert everything.observed["with the finding"].low == everything.observed["with the finding"].high == -20
    assert everything.before_after == {}
    assert [(kind, change.value) for kind, change in told.kinds] == [("CT", 10), ("head", -20)]
    waits = {(g, m): (was, plain) for g, m, was, plain in told.waits}
    assert waits["with the finding", 10] == (1.0, 0.0)
    assert waits["others", 20] == (0.5, 1.0)
    works = {s.name: s.n for s in told.splits}  # ten hours on Monday and six on Tuesday, three studies in each
    assert works == {"all": 90, "working hours": 48, "off hours": 42}
    assert told.splits[1].needed == 12


def test_of_those_that_were_opened_too_soon_only_the_ones_since_then_are_told() -> None:
    many = [replace(case(n, 60.0 * n, 60.0 * n + 5), late=n % 2 == 0) for n in range(20)]
    assert (run(many).late, run(many, since=many[11].arrived).late) == (10, 4)


def test_readers_who_do_not_follow_the_list_are_seen() -> None:
    cases = []
    for n in range(40):
        t = 60.0 * n
        cases += [case(2 * n, t, t + 10), case(2 * n + 1, t + 1, t + 20, machine=True, present=True, raise_min=30.0)]
    told = run(cases).splits[0]
    assert told.observed["with the finding"].value == 0
    assert told.predicted["with the finding"].value == -10


def test_a_missed_case_pays_and_stands_apart() -> None:
    cases = []
    for n in range(20):
        t = 60.0 * n
        cases += [
            case(4 * n, t, t + 20, present=n < 4),
            case(4 * n + 1, t + 1, t + 10, machine=True, present=True, raise_min=30.0),
            *(case(4 * n + k, t + 30 + k, t + 31 + k) for k in (2, 3)),
        ]
    missed = run(cases).splits[0].observed["missed by AI"]
    assert (missed.value, missed.low, missed.n) == (10, None, 4)


def test_stat_and_a_nearer_own_limit_go_before_ai() -> None:
    cases = []
    for n in range(20):
        t = 120.0 * n
        cases += [
            case(4 * n, t, t + 10, stat=True, limit_min=30.0),
            case(4 * n + 1, t, t + 20, limit_min=20.0),
            case(4 * n + 2, t, t + 30, machine=True, present=True, raise_min=30.0),
            case(4 * n + 3, t, t + 40),
        ]
    told = run(cases).splits[0].predicted
    assert told["with the finding"].value == 0, "in the plain order it came third as well"


def department(n: int, seed: int, *, follow: bool = True) -> tuple[list[Case], dict[str, float]]:
    """A simulated department, its list, and the change of waits that it truly had."""
    ai = AI("brain_bleed", "bleed", 0.9, 0.9, ("CT",))
    cases = draw([Stream("CT", 0.08, {"bleed": 0.1})], [ai], n, np.random.default_rng(seed))
    plain = simulate(cases.arrival_min, cases.reading_min)
    asked = order(cases, [ai], Discipline.PRIORITY if follow else Discipline.FIFO)
    done = simulate(cases.arrival_min, cases.reading_min, **asked)
    ill, flagged = cases.condition == 1, cases.flagged[:, 0]
    change = done.begun - plain.begun
    rows = [
        case(
            i, float(cases.arrival_min[i]), float(done.begun[i]), machine=bool(flagged[i]), present=bool(ill[i]),
            raise_min=30.0 if flagged[i] else None,
        )
        for i in range(n)
    ]  # fmt: skip
    truth = {
        "with the finding": change[ill & flagged].mean(),
        "others": change[~ill].mean(),
        "missed by AI": change[ill & ~flagged].mean(),
    }
    return rows, truth


def test_a_simulated_department_gives_its_own_truth() -> None:
    """The replay knows nothing of readers and reading times, and yet finds what the simulation did."""
    rows, truth = department(6000, 3)
    told = run(rows).splits[0]
    for group, value in truth.items():
        assert told.observed[group].value == pytest.approx(value, abs=1.5)
        assert told.observed[group].low - 1 <= value <= told.observed[group].high + 1  # type: ignore[operator]
    assert told.predicted["with the finding"].value == pytest.approx(truth["with the finding"], abs=1.5)


def test_before_and_after() -> None:
    before, _ = department(3000, 5, follow=False)
    rows, truth = department(3000, 6)
    shift = timedelta(days=60)
    after = [Case(**{**vars(c), "arrived": c.arrived + shift, "opened": c.opened + shift}) for c in rows]
    told = run([*before, *after], START + shift).splits[0]
    found = told.before_after["with the finding"]
    assert found.low < found.value < found.high < 0  # type: ignore[operator]
    assert found.low < truth["with the finding"] < found.high  # type: ignore[operator]


def test_too_few_say_how_many_are_missing() -> None:
    told = run([case(n, 60.0 * n, 60.0 * n + 5) for n in range(11)])
    assert (told.splits[0].n, told.splits[0].needed, told.splits[0].observed) == (11, ENOUGH - 11, {})
    unknown = run([case(n, 60.0 * n, 60.0 * n + 5, present=None) for n in range(80)])
    assert unknown.splits[0].needed == ENOUGH, "what is not signed tells nothing"
    assert run([]).studies == 0
