"""What a triage AI gave at this site, and whom it cost: from the site's own list, with the list it would have been.

Each study that was read is compared with itself. The moments at which somebody took the next study are kept as they
were; the study that would have been taken without AI is found by replaying the list in its plain order. So shifts,
breaks and reading times need no model, and a busy month is compared with itself and not with a quiet one:

- *observed*: the wait as it was, minus the wait in the plain order. Negative is sooner.
- *predicted*: the wait if every reader had followed the raised order, minus the wait in the plain order. Where observed
  falls short of predicted, readers do not follow the list.
- *before and after*: mean wait since the AI was switched on, minus before; it holds all else that changed as well.

The missed (diseased, and the AI said nothing) stand apart always: they pay for what the others gain.
Intervals are bootstrapped over whole days, because the studies of one day wait together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

import numpy as np
import numpy.typing as npt

from isocenter.methods.intervals import Estimate, difference, mean

__all__ = ["ENOUGH", "FEW", "GROUPS", "MARKS_MIN", "Case", "Change", "Effect", "Split", "effect"]

ENOUGH = 60
"""So many read studies with a known answer a split needs before anything is said of it."""

FEW = 10
"""Below so many studies a group's figure stands without an interval and is marked as few."""

GROUPS = ("with the finding", "others", "missed by AI")
MARKS_MIN = (0, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 480, 1440)
"""Minutes at which the cumulative waits are told."""


@dataclass(frozen=True)
class Case:
    """One study of the list that was read.

    Args:
        kind: class of study, such as its modality.
        stat: a person called it STAT; no AI goes before it.
        limit_min: within which time its class should be read.
        arrived, opened: aware.
        raise_min: limit of the level to which the AI raised it; None where it did not, or came too late.
        machine: what the AI said; None where it did not look.
        present: what stands in the signed report, or what turned out to be true; None where that is not known.
        late: it was opened before the AI had spoken.
    """

    study: str
    kind: str
    stat: bool
    limit_min: float
    arrived: datetime
    opened: datetime
    raise_min: float | None = None
    machine: bool | None = None
    present: bool | None = None
    late: bool = False

    @property
    def group(self) -> str:
        """with the finding, missed by AI, or others; a study with an unknown answer is among the others."""
        if not self.present:
            return "others"
        return "with the finding" if self.machine else "missed by AI"


@dataclass(frozen=True)
class Change:
    """A change of the mean wait in minutes; without bounds where there are too few studies for them."""

    value: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Split:
    """One part of the day (or all of it).

    Args:
        name: all, working hours, off hours.
        n: read studies on which the AI spoke and whose answer is known.
        needed: how many are missing until something can be said; 0 when there are enough.
        observed, predicted, before_after: by group; empty while too few, or where there is no group before.
    """

    name: str
    n: int
    needed: int
    observed: dict[str, Change]
    predicted: dict[str, Change]
    before_after: dict[str, Change]


@dataclass(frozen=True)
class Effect:
    """What one triage analysis did.

    Args:
        splits: all, working hours, off hours.
        kinds: change of the mean wait by class of study, the worst first.
        waits: rows (group, minutes, share read within them as it was, share in the plain order).
        late: of these studies, how many were opened before the AI had spoken.
    """

    since: datetime
    studies: int
    splits: tuple[Split, ...]
    kinds: tuple[tuple[str, Change], ...]
    waits: tuple[tuple[str, int, float, float], ...]
    late: int


def effect(
    cases: Iterable[Case],
    since: datetime,
    *,
    zone: tzinfo,
    rng: np.random.Generator,
    hours: tuple[int, int] = (8, 18),
) -> Effect:
    """The effect since the AI was switched on.

    Args:
        cases: every study of the list that was read, also those that the AI never looks at: they pay too.
        since: when it was switched on; studies that arrived before serve for before and after.
        hours: first and last working hour, Monday to Friday.
    """
    many = list(cases)
    after = [c for c in many if c.arrived >= since]
    before = [c for c in many if c.arrived < since]
    table = _Table(after, zone, hours)
    names = ("all", "working hours", "off hours")
    return Effect(
        since,
        len(after),
        tuple(_split(name, table, _Table(before, zone, hours), rng) for name in names),
        _kinds(table, rng),
        _waits(table),
        sum(c.late for c in after),
    )


class _Table:
    """Waits of the studies of one period, in minutes: as they were, in the plain order, in the raised order."""

    def __init__(self, cases: Sequence[Case], zone: tzinfo, hours: tuple[int, int]) -> None:
        from isocenter.methods.queueing import replay  # numba; nobody else waits for it

        arrived = np.array([c.arrived.timestamp() / 60 for c in cases])
        opened = np.array([c.opened.timestamp() / 60 for c in cases])
        level = np.array([0 if c.stat else 1 for c in cases], np.int64)
        plain = np.array([c.limit_min for c in cases])
        raised = np.array([min(c.limit_min, np.inf if c.raise_min is None else c.raise_min) for c in cases])
        local = [c.arrived.astimezone(zone) for c in cases]
        self.cases = cases
        self.wait = opened - arrived
        self.plain = replay(arrived, opened, level, due_min=arrived + plain)
        self.raised = replay(arrived, opened, level, due_min=arrived + raised)
        self.day = np.array([at.toordinal() for at in local], np.int64)
        self.works = np.array([at.weekday() < 5 and hours[0] <= at.hour < hours[1] for at in local], np.bool_)
        self.group = np.array([c.group for c in cases], dtype=object)
        self.known = np.array([c.machine is not None and c.present is not None for c in cases], np.bool_)

    def part(self, name: str) -> npt.NDArray[np.bool_]:
        return {"working hours": self.works, "off hours": ~self.works}.get(name, np.ones(len(self.works), np.bool_))


def _split(name: str, after: _Table, before: _Table, rng: np.random.Generator) -> Split:
    mine, earlier = after.part(name), before.part(name)
    n = int((mine & after.known).sum())
    observed: dict[str, Change] = {}
    predicted: dict[str, Change] = {}
    compared: dict[str, Change] = {}
    if n >= ENOUGH:
        for group in GROUPS:
            here = mine & (after.group == group)
            if not here.any():
                continue
            observed[group] = _mean((after.wait - after.plain)[here], after.day[here], rng)
            predicted[group] = _mean((after.raised - after.plain)[here], after.day[here], rng)
            was = earlier & (before.group == group)
            if was.any():
                told = difference(
                    after.wait[here], before.wait[was], clusters_after=after.day[here],
                    clusters_before=before.day[was], rng=rng,
                )  # fmt: skip
                compared[group] = _bounded(told, min(int(here.sum()), int(was.sum())))
    return Split(name, n, max(0, ENOUGH - n), observed, predicted, compared)


def _kinds(table: _Table, rng: np.random.Generator) -> tuple[tuple[str, Change], ...]:
    kinds = np.array([c.kind for c in table.cases], dtype=object)
    change = table.wait - table.plain
    told = [(str(k), _mean(change[kinds == k], table.day[kinds == k], rng)) for k in sorted(set(kinds.tolist()))]
    return tuple(sorted(told, key=lambda one: -one[1].value))


def _waits(table: _Table) -> tuple[tuple[str, int, float, float], ...]:
    rows = []
    for group in GROUPS:
        here = table.group == group
        if here.any():
            was, plain = table.wait[here], table.plain[here]
            rows += [(group, m, float((was <= m).mean()), float((plain <= m).mean())) for m in MARKS_MIN]
    return tuple(rows)


def _mean(values: npt.NDArray[np.float64], days: npt.NDArray[np.int64], rng: np.random.Generator) -> Change:
    return _bounded(mean(values, clusters=days, rng=rng), len(values))


def _bounded(told: Estimate, n: int) -> Change:
    few = n < FEW
    return Change(told.value, None if few else told.low, None if few else told.high, n)
