"""What a triage AI gives to those whom it flags, and what it costs everybody else who waits to be read.

A reading list is a queue. An AI that raises some studies lets them wait less; since readers do not become faster by it,
all others wait longer, and longest the diseased whom the AI missed. These functions tell both, before a site switches
anything on: by simulation (several readers, several AIs, any reading times, interruption or not), by the closed
formulae where the field has them, and by replaying a site's own list.

Times are minutes throughout. *Waiting* is all the time from arrival to the finished reading in which nobody reads the
study: under interruption it includes the pauses.

Sources: Kleinrock, Queueing Systems II (1976), chapter 3 (priorities, the conservation law); Cobham, Oper. Res. 2:70
(1954); Davis, Oper. Res. 14:133 (1966) for several readers; Thompson et al., the QuCAD model of triage (FDA, 2023).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from isocenter.errors import Refused

__all__ = [
    "AI",
    "Cases",
    "Discipline",
    "Schedule",
    "Stream",
    "TriageWaits",
    "draw",
    "mean_waits",
    "order",
    "replay",
    "simulate",
    "triage_waits",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Discipline(StrEnum):
    """In which order a list is read."""

    FIFO = "fifo"  # first come, first served; human urgency (the level of a stream) still goes first
    PRIORITY = "priority"  # flagged studies next, the one being read is finished first
    PREEMPTIVE = "preemptive"  # flagged studies interrupt; the interrupted reading is resumed where it stopped


@dataclass(frozen=True)
class Schedule:
    """When each study was read.

    Args:
        begun: minute at which it was first opened.
        finished: minute at which its reading was complete.
        waits: minutes from arrival to the end in which nobody read it.
    """

    begun: Floats
    finished: Floats
    waits: Floats


# ---- the queue itself ----------------------------------------------------------------------------------------------


def simulate(
    arrival_min: npt.ArrayLike,
    reading_min: npt.ArrayLike,
    level: npt.ArrayLike | None = None,
    *,
    readers: int = 1,
    interrupts: int = -1,
    due_min: npt.ArrayLike | None = None,
) -> Schedule:
    """Read a list of studies in the order of their urgency.

    Args:
        arrival_min: when each arrived, in ascending order.
        reading_min: how long each takes to read.
        level: urgency, 0 the most urgent; all equal where it is not given. Within a level, arrival decides.
        readers: who read from this one list.
        interrupts: studies of this level or a more urgent one interrupt less urgent readings; -1: none does.
        due_min: within a level, the study that is due first is read first (instead of the one that arrived first).

    Raises:
        Refused: times that are not finite, negative, or not in order; no reader.

    >>> simulate([0, 1, 2], [10, 10, 10], level=[1, 1, 0]).waits.tolist()  # the third overtakes the second
    [0.0, 19.0, 8.0]
    >>> simulate([0, 1, 2], [10, 10, 10], level=[1, 1, 0], interrupts=0).waits.tolist()
    [10.0, 19.0, 0.0]
    """
    arrival, reading = _times(arrival_min, "arrival"), _times(reading_min, "reading time")
    levels = np.zeros(len(arrival), np.int64) if level is None else np.ascontiguousarray(level, np.int64)
    if not len(arrival) == len(reading) == len(levels):
        raise Refused(
            f"{len(arrival)} arrivals, {len(reading)} reading times, {len(levels)} levels",
            "they must agree",
            "give one of each for every study",
        )
    if (np.diff(arrival) < 0).any():
        raise Refused("arrivals out of order", "the queue is walked through in time", "sort the studies by arrival")
    if readers < 1:
        raise Refused(f"{readers} readers", "nothing would ever be read", "give at least one")
    if len(levels) and levels.min() < 0:
        raise Refused(f"the level {levels.min()}", "the most urgent level is 0", "count levels from 0")
    begun, finished = _serve(arrival, reading, levels, _keys(levels, due_min), readers, interrupts)
    return Schedule(begun, finished, np.maximum(finished - arrival - reading, 0.0))


def replay(
    arrival_min: npt.ArrayLike,
    opened_min: npt.ArrayLike,
    level: npt.ArrayLike | None = None,
    *,
    due_min: npt.ArrayLike | None = None,
) -> Floats:
    """What a site's own list would have given in another order, without any assumption on its readers.

    The moments at which somebody took the next study are kept as they were: they hold the shifts, the breaks and the
    reading times of that site. Only which study was taken is decided anew. Level 0 is the most urgent; without levels
    it is first come, first served.

    Args:
        arrival_min: when each study arrived.
        opened_min: when each was opened in truth, not before it arrived.

    Returns:
        minutes from arrival to opening, in the order of the input.

    Raises:
        Refused: a study opened before it arrived.

    >>> replay([0, 1, 2], [5, 20, 10], level=[1, 1, 0]).tolist()  # at minute 5 the third is there already
    [10.0, 19.0, 3.0]
    """
    arrival, opened = np.asarray(arrival_min, np.float64), np.asarray(opened_min, np.float64)
    if len(arrival) != len(opened):
        raise Refused(
            f"{len(arrival)} arrivals and {len(opened)} openings",
            "each study has one of both",
            "give one of both for every study",
        )
    if (opened < arrival).any():
        raise Refused(
            "a study opened before it arrived", "its wait would be negative", "leave it out, or mend the clock"
        )
    levels = np.zeros(len(arrival), np.int64) if level is None else np.asarray(level, np.int64)
    by_arrival = np.argsort(arrival, kind="stable")
    due = None if due_min is None else np.asarray(due_min, np.float64)[by_arrival]
    sorted_arrival = np.ascontiguousarray(arrival[by_arrival])
    taken = _take(sorted_arrival, np.sort(opened), _keys(levels[by_arrival], due))
    waits = np.empty(len(arrival))
    waits[by_arrival] = taken - sorted_arrival
    return waits


def _times(given: npt.ArrayLike, what: str) -> Floats:
    times = np.ascontiguousarray(given, np.float64)
    if times.ndim != 1 or not np.isfinite(times).all():
        raise Refused(
            f"a {what} that is not a finite number", "the queue could not be walked through", "give a finite number"
        )
    if what == "reading time" and (times < 0).any():
        raise Refused("a negative reading time", "nobody reads backwards", "give minutes above zero")
    return times


def _keys(levels: npt.NDArray[np.int64], due: npt.ArrayLike | None) -> Ints:
    """One number a study: the smaller is read first, and the remainder by the count gives the study back."""
    n = len(levels)
    here = np.arange(n, dtype=np.int64)
    if due is None:
        return levels * n + here
    rank = np.empty(n, np.int64)
    rank[np.lexsort((here, np.asarray(due, np.float64), levels))] = here
    return rank * n + here


@njit(cache=True, nogil=True)
def _push(heap: Ints, size: int, key: int) -> int:
    at = size
    while at > 0:
        above = (at - 1) >> 1
        if heap[above] <= key:
            break
        heap[at] = heap[above]
        at = above
    heap[at] = key
    return size + 1


@njit(cache=True, nogil=True)
def _pop(heap: Ints, size: int) -> int:
    """Take the first out of the heap of this size; the caller counts down."""
    first, last = heap[0], heap[size - 1]
    size -= 1
    at = 0
    while True:
        below = 2 * at + 1
        if below >= size:
            break
        if below + 1 < size and heap[below + 1] < heap[below]:
            below += 1
        if heap[below] >= last:
            break
        heap[at] = heap[below]
        at = below
    heap[at] = last
    return int(first)


@njit(cache=True, nogil=True)
def _serve(
    arrival: Floats, reading: Floats, level: Ints, key: Ints, readers: int, interrupts: int
) -> tuple[Floats, Floats]:
    n = len(arrival)
    begun, finished = np.full(n, -1.0), np.empty(n)
    left = reading.copy()
    heap, size = np.empty(n, np.int64), 0
    reads, until = np.full(readers, -1, np.int64), np.full(readers, np.inf)
    idle, i, done = readers, 0, 0
    while done < n:
        first = 0
        for r in range(1, readers):
            if until[r] < until[first]:
                first = r
        if i < n and arrival[i] < until[first]:
            now, taker = arrival[i], -1
            if idle > 0:
                for r in range(readers):
                    if reads[r] < 0:
                        taker = r
                idle -= 1
            elif level[i] <= interrupts:
                for r in range(readers):
                    if level[reads[r]] > level[i] and (taker < 0 or key[reads[r]] > key[reads[taker]]):
                        taker = r
                if taker >= 0:
                    put_off = reads[taker]
                    left[put_off] = until[taker] - now
                    size = _push(heap, size, key[put_off])
            if taker < 0:
                size = _push(heap, size, key[i])
            else:
                reads[taker], until[taker], begun[i] = i, now + left[i], now
            i += 1
            continue
        now = until[first]
        finished[reads[first]] = now
        done += 1
        if size > 0:
            case = _pop(heap, size) % n
            size -= 1
            if begun[case] < 0:
                begun[case] = now
            reads[first], until[first] = case, now + left[case]
        else:
            reads[first], until[first] = -1, np.inf
            idle += 1
    return begun, finished


@njit(cache=True, nogil=True)
def _take(arrival: Floats, picks: Floats, key: Ints) -> Floats:
    n = len(arrival)
    heap, size, i = np.empty(n, np.int64), 0, 0
    taken = np.empty(n)
    for k in range(n):
        while i < n and arrival[i] <= picks[k]:
            size = _push(heap, size, key[i])
            i += 1
        taken[_pop(heap, size) % n] = picks[k]
        size -= 1
    return taken


# ---- a department --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AI:
    """One triage AI: what it looks for, in which streams, how well.

    Args:
        condition: the one that it targets; every other study of its streams is a negative to it.
        streams: names of the streams that it looks at.
        rank: under hierarchical priority, 0 goes before 1; under flat priority all flags are equal.
    """

    name: str
    condition: str
    sensitivity: float
    specificity: float
    streams: tuple[str, ...]
    rank: int = 0

    def __post_init__(self) -> None:
        for name, value in (("sensitivity", self.sensitivity), ("specificity", self.specificity)):
            if not 0 <= value <= 1:
                raise Refused(f"a {name} of {value}", "it is a share between 0 and 1", "give a number between these")


@dataclass(frozen=True)
class Stream:
    """One kind of study on the list.

    Args:
        per_min: arrivals a minute (Poisson).
        prevalence: condition -> share of the studies that have it; a study has one condition or none.
        reading_min: mean reading time (exponential), or a sample of reading times from which is drawn.
        reading_min_of: the same for studies with a condition, where it is another.
        level: urgency that a person gave: 0 for interrupting studies (STAT), 1 for the list. AI changes level 1 only.
    """

    name: str
    per_min: float
    prevalence: Mapping[str, float] = field(default_factory=dict)
    reading_min: float | Sequence[float] = 10.0
    reading_min_of: Mapping[str, float | Sequence[float]] = field(default_factory=dict)
    level: int = 1

    def __post_init__(self) -> None:
        if self.per_min <= 0:
            raise Refused(f"{self.per_min} arrivals a minute of '{self.name}'", "it would never come", "leave it out")
        if min(self.prevalence.values(), default=0) < 0 or sum(self.prevalence.values()) > 1 + 1e-12:
            raise Refused(
                f"prevalences of '{self.name}' that sum to {sum(self.prevalence.values()):g}",
                "shares of one",
                "give shares that sum to 1 at most",
            )
        if self.level not in (0, 1):
            raise Refused(f"the level {self.level} of '{self.name}'", "0 interrupts, 1 is the list", "give 0 or 1")


@dataclass(frozen=True)
class Cases:
    """Studies in the order of their arrival.

    Args:
        stream: index into `streams`.
        condition: index into `conditions`; 0 is "none".
        flagged: studies x AIs.
    """

    streams: tuple[str, ...]
    conditions: tuple[str, ...]
    arrival_min: Floats
    reading_min: Floats
    stream: Ints
    condition: Ints
    flagged: npt.NDArray[np.bool_]
    level: Ints

    def __len__(self) -> int:
        return len(self.arrival_min)


def draw(streams: Sequence[Stream], ais: Sequence[AI], n: int, rng: np.random.Generator) -> Cases:
    """Draw `n` studies as they would arrive.

    Raises:
        Refused: no stream, or an AI that looks at a stream which does not exist.
    """
    names = tuple(s.name for s in streams)
    if not streams:
        raise Refused("a department without studies", "there is nothing to read", "name a stream of studies")
    for ai in ais:
        if unknown := set(ai.streams) - set(names):
            raise Refused(
                f"'{ai.name}' looks at {', '.join(sorted(unknown))}",
                f"streams are {', '.join(names)}",
                "name one of these",
            )
    rates = np.array([s.per_min for s in streams])
    arrival = np.cumsum(rng.exponential(1 / rates.sum(), n))
    stream = rng.choice(len(streams), n, p=rates / rates.sum()).astype(np.int64)
    conditions = ("none", *dict.fromkeys(c for s in streams for c in s.prevalence))
    condition, reading = np.zeros(n, np.int64), np.empty(n)
    for index, one in enumerate(streams):
        mine = np.flatnonzero(stream == index)
        edges = np.cumsum([one.prevalence.get(c, 0.0) for c in conditions[1:]])
        drawn = np.searchsorted(edges, rng.random(len(mine)), side="right")
        condition[mine] = np.where(drawn < len(edges), drawn + 1, 0)
        for code, name in enumerate(conditions):
            here = mine[condition[mine] == code]
            reading[here] = _reading_times(one.reading_min_of.get(name, one.reading_min), len(here), rng)
    flagged = np.zeros((n, len(ais)), np.bool_)
    for column, ai in enumerate(ais):
        seen = np.isin(stream, [names.index(s) for s in ai.streams])
        target = conditions.index(ai.condition) if ai.condition in conditions else -1
        chance = np.where(condition == target, ai.sensitivity, 1 - ai.specificity)
        flagged[:, column] = seen & (rng.random(n) < chance)
    level = np.array([s.level for s in streams], np.int64)[stream]
    return Cases(names, conditions, arrival, reading, stream, condition, flagged, level)


def _reading_times(of: float | Sequence[float], n: int, rng: np.random.Generator) -> Floats:
    if isinstance(of, (int, float)):
        return rng.exponential(float(of), n)
    return rng.choice(np.asarray(of, np.float64), n)


def order(cases: Cases, ais: Sequence[AI], discipline: Discipline, *, flat: bool = True) -> dict[str, Any]:
    """Levels and interruption of a list under a discipline, as keyword arguments of `simulate`.

    Interrupting streams (level 0) interrupt under every discipline, also without AI: a person asked for it. What AI
    flags comes next: all flags equal (`flat`), or by the rank of the AI. What is not flagged comes last.
    """
    level, interrupts = cases.level.copy(), 0
    if discipline is not Discipline.FIFO and ais:
        ranks = np.zeros(len(ais), np.int64) if flat else np.array([ai.rank for ai in ais], np.int64)
        most = int(ranks.max()) + 1
        best = np.where(cases.flagged, ranks, most).min(axis=1)
        level = np.where(cases.level == 0, 0, 1 + best)
        interrupts = most if discipline is Discipline.PREEMPTIVE else 0
    return {"level": level, "interrupts": interrupts}


# ---- closed formulae -----------------------------------------------------------------------------------------------


def mean_waits(
    per_min: npt.ArrayLike,
    reading_min: npt.ArrayLike,
    *,
    squared_min2: npt.ArrayLike | None = None,
    preemptive: bool = False,
    readers: int = 1,
) -> Floats:
    """Mean wait of each class in the long run, the most urgent class first (minutes).

    With one reader any reading times hold (M/G/1: Cobham's formula, and Kleinrock's for interruption with resumption).
    With several readers all classes must have the same exponential reading time, without interruption (Davis 1966).

    Args:
        per_min: arrivals a minute of each class (Poisson).
        reading_min: mean reading time of each class.
        squared_min2: mean squared reading time; exponential (2 x mean squared) where it is not given.

    Raises:
        Refused: more work comes than can be read, or no formula is known for what is asked.

    >>> mean_waits([0.08], [10.0]).round(6).tolist()  # M/M/1, traffic 0.8
    [40.0]
    """
    rate, mean = np.atleast_1d(np.asarray(per_min, np.float64)), np.atleast_1d(np.asarray(reading_min, np.float64))
    squared = 2 * mean**2 if squared_min2 is None else np.atleast_1d(np.asarray(squared_min2, np.float64))
    if (rate < 0).any() or (mean <= 0).any():
        raise Refused(
            "a negative rate or a reading time that is not positive",
            "no list is like that",
            "give rates of 0 or more and reading times above 0",
        )
    upto = np.cumsum(rate * mean) / readers
    if upto[-1] >= 1:
        raise Refused(
            f"a traffic of {upto[-1]:.2f}", "more comes than can be read, and the list grows for ever", "add a reader"
        )
    before = np.concatenate([[0.0], upto[:-1]])
    if readers > 1:
        if preemptive or not np.allclose(mean, mean[0]) or not np.allclose(squared, 2 * mean**2):
            raise Refused("several readers with interruption or unequal reading times", "no formula", "simulate it")
        busy = _erlang_c(float(upto[-1] * readers), readers)
        return np.asarray(busy * mean / readers / ((1 - before) * (1 - upto)))
    residual = np.cumsum(rate * squared) / 2
    if preemptive:
        return np.asarray(mean / (1 - before) + residual / ((1 - before) * (1 - upto)) - mean)
    return np.asarray(residual[-1] / ((1 - before) * (1 - upto)))


def _erlang_c(load: float, readers: int) -> float:
    """Probability that all readers are busy (M/M/c), by the stable recursion of Erlang B."""
    blocked = 1.0
    for c in range(1, readers + 1):
        blocked = load * blocked / (c + load * blocked)
    return blocked / (1 - load / readers * (1 - blocked))


@dataclass(frozen=True)
class TriageWaits:
    """Mean waits with one triage AI, against first come first served (minutes).

    Args:
        without: everybody's wait without AI.
        flagged, unflagged: waits of AI-positive and AI-negative studies.
        diseased, others: waits of studies with and without the condition.
    """

    without: float
    flagged: float
    unflagged: float
    diseased: float
    others: float

    @property
    def saving(self) -> float:
        """How much sooner a diseased study is read, on average."""
        return self.without - self.diseased

    @property
    def delay(self) -> float:
        """How much later a study without the condition is read."""
        return self.others - self.without

    @property
    def missed_delay(self) -> float:
        """How much later a diseased study is read that the AI missed."""
        return self.unflagged - self.without


def triage_waits(
    per_min: float,
    reading_min: float,
    *,
    prevalence: float,
    sensitivity: float,
    specificity: float,
    discipline: Discipline = Discipline.PRIORITY,
    readers: int = 1,
) -> TriageWaits:
    """One AI, one list, exponential reading times: who gains and who pays, by formula.

    >>> w = triage_waits(0.08, 10, prevalence=0.1, sensitivity=0.9, specificity=0.9)
    >>> round(w.saving, 2), round(w.delay, 2), round(w.missed_delay, 1)
    (26.92, 2.99, 6.7)
    """
    for name, share in (("prevalence", prevalence), ("sensitivity", sensitivity), ("specificity", specificity)):
        if not 0 <= share <= 1:
            raise Refused(f"a {name} of {share}", "it is a share between 0 and 1", "give a number between these")
    without = float(mean_waits([per_min], [reading_min], readers=readers)[0])
    if discipline is Discipline.FIFO:
        return TriageWaits(without, without, without, without, without)
    positive = prevalence * sensitivity + (1 - prevalence) * (1 - specificity)
    flagged, unflagged = mean_waits(
        [per_min * positive, per_min * (1 - positive)],
        [reading_min, reading_min],
        preemptive=discipline is Discipline.PREEMPTIVE,
        readers=readers,
    ).tolist()
    diseased = sensitivity * flagged + (1 - sensitivity) * unflagged
    others = (1 - specificity) * flagged + specificity * unflagged
    return TriageWaits(without, flagged, unflagged, diseased, others)
