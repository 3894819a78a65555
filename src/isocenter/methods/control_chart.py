"""When a share has changed for the worse: a cumulative sum chart whose false alarms and delays are known beforehand.

Each case is right or wrong (the report agreed with the machine or not). The chart adds up evidence that the share of
wrong ones has risen from what it was to what must not pass unseen, and starts again from nothing where there is none
(Page, Biometrika 1954;41:100; for single cases Reynolds & Stoumbos, J Qual Technol 1999;31:87). Of all charts with the
same rate of false alarms it is the quickest for the change that it was made for (Moustakides, Ann Stat 1986;14:1379).
Monthly tables, in contrast, wait for the end of the month and have a rate of false alarms that nobody knows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy.linalg import solve_banded

from isocenter.errors import Refused

__all__ = ["Chart", "Delay", "average_run", "chart", "delays", "follow"]

_MOST = 200_000  # steps of the sum up to the limit
_NEAR = 0.02


@dataclass(frozen=True)
class Chart:
    """A chart of cases that are wrong (1) or right (0).

    The sum rises by `rise` for a wrong case and falls by `fall` for a right one, never below zero; at `limit` it
    alarms. The steps are to each other as the evidence that a case of each kind is.

    Args:
        usual: share of wrong cases when nothing has changed.
        worse: share that it was made to find.
        run: mean number of cases until a false alarm, by the limit; computed, not simulated.
    """

    usual: float
    worse: float
    rise: int
    fall: int
    limit: int
    run: float


@dataclass(frozen=True)
class Delay:
    """Cases from a change until the alarm: mean and quantiles, and the share of changes not found within the bound."""

    share: float
    mean: float
    median: float
    late: float
    missed: float


def chart(usual: float, worse: float, run: float) -> Chart:
    """The chart with the lowest limit whose false alarms are `run` cases or more apart on average.

    Args:
        usual, worse: shares of wrong cases, 0 < usual < worse < 1.
        run: cases.

    Raises:
        Refused: shares out of order, or so near one another that no limit is found.

    >>> c = chart(0.1, 0.2, 2000)
    >>> c.rise, c.limit, c.run >= 2000
    (6, 37, True)
    """
    if not 0 < usual < worse < 1 or not np.isfinite(run) or run < 1:
        raise Refused(
            f"a chart from {usual:g} to {worse:g}, {run:g} cases apart",
            "0 < usual < worse < 1, and one case or more",
            "give numbers within these",
        )
    rise, fall = _steps(np.log(worse / usual) / -np.log((1 - worse) / (1 - usual)))
    low, high = rise, 2 * rise
    while average_run(rise, fall, high, usual) < run:
        low, high = high, 2 * high
        if high > _MOST:
            raise Refused(f"a chart from {usual:g} to {worse:g}", "they are too near one another", "look for more")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if average_run(rise, fall, middle, usual) >= run else (middle, high)
    limit = low if average_run(rise, fall, low, usual) >= run else high
    return Chart(usual, worse, rise, fall, limit, average_run(rise, fall, limit, usual))


def _steps(ratio: float) -> tuple[int, int]:
    """Whole steps whose ratio is within a fiftieth of that of the evidence, the smallest that are.

    Coarser ones would be another chart: for shares near one half, one whose sum rises, or falls, whether anything has
    changed or not.

    >>> _steps(46.5), _steps(1.66), _steps(0.62)
    ((46, 1), (5, 3), (5, 8))
    """
    for one in range(1, 60):
        rise, fall = (round(one * ratio), one) if ratio >= 1 else (one, round(one / ratio))
        if abs(rise / fall / ratio - 1) <= _NEAR:
            return rise, fall
    return max(1, round(60 * ratio)), 60  # never reached: 1/60 is nearer


def average_run(rise: int, fall: int, limit: int, share: float) -> float:
    """Mean number of cases from zero until the sum reaches its limit, exactly, from the equations of its steps:
    L(s) = 1 + p·L(s + rise) + (1 − p)·L(max(0, s − fall)), and L = 0 from the limit on.

    Raises:
        Refused: steps or a limit below one, or a share outside 0 … 1.

    >>> round(average_run(1, 1, 1, 0.25), 9)  # the first wrong case alarms
    4.0
    """
    if min(rise, fall, limit) < 1 or not 0 < share < 1:
        raise Refused(
            f"steps of {rise} and {fall} up to {limit}, share {share:g}",
            "they are one or more, it is between",
            "give numbers within these",
        )
    fall, rise = min(fall, limit), min(rise, limit)  # further than all of it nothing falls or rises
    bands = np.zeros((rise + fall + 1, limit))  # band[rise + row - column, column]
    bands[rise] = 1.0
    bands[0, rise:] -= share
    at = np.arange(limit)
    np.subtract.at(bands, (rise + at - np.maximum(at - fall, 0), np.maximum(at - fall, 0)), 1.0 - share)
    return float(solve_banded((fall, rise), bands, np.ones(limit))[0])


def follow(wrong: npt.ArrayLike, by: Chart) -> tuple[npt.NDArray[np.int64], int | None]:
    """The sum after each case, and the place of the first alarm; None where there is none.

    Raises:
        Refused: for values other than 0 and 1.
    """
    given = np.asarray(wrong).ravel()
    if len(given) and not np.isin(given, (0, 1)).all():
        raise Refused("a case that is neither right nor wrong", "the chart counts cases", "give 0 and 1")
    sums = _sums(given.astype(np.int64), by.rise, by.fall)
    over = np.flatnonzero(sums >= by.limit)
    return sums, int(over[0]) if len(over) else None


@njit(cache=True)
def _sums(wrong: npt.NDArray[np.int64], rise: int, fall: int) -> npt.NDArray[np.int64]:
    sums, at = np.empty(len(wrong), np.int64), 0
    for n in range(len(wrong)):
        at = at + rise if wrong[n] else max(0, at - fall)
        sums[n] = at
    return sums


def delays(
    by: Chart, share: float, *, rng: np.random.Generator, times: int = 2000, before: int = 200, within: int = 20_000
) -> Delay:
    """How many cases pass from a change until the alarm, by simulation of `times` streams.

    Args:
        share: of wrong cases after the change. before: cases at the usual share before it, so that the sum stands
            where it usually stands; streams that alarm before the change are drawn again from zero.
        within: a change that is not found after so many cases is missed.

    Raises:
        Refused: a share outside 0 … 1.
    """
    if not 0 < share <= 1:
        raise Refused(f"a share of {share:g}", "it lies above 0 and not above 1", "give a share within these")
    found = _until(by.rise, by.fall, by.limit, by.usual, share, times, before, within, int(rng.integers(2**31)))
    seen = np.sort(found[found > 0])
    missed = 1 - len(seen) / times
    if not len(seen):
        return Delay(share, float("inf"), float("inf"), float("inf"), 1.0)
    padded = np.where(found > 0, found, np.inf)
    median, late = np.quantile(padded, [0.5, 0.9], method="inverted_cdf")
    return Delay(share, float(seen.mean()), float(median), float(late), missed)


@njit(cache=True)
def _until(
    rise: int, fall: int, limit: int, usual: float, share: float, times: int, before: int, within: int, seed: int
) -> npt.NDArray[np.float64]:
    np.random.seed(seed)
    found = np.zeros(times)
    for k in range(times):
        at = 0
        for _ in range(before):
            at = at + rise if np.random.random() < usual else max(0, at - fall)
            if at >= limit:
                at = 0
        for n in range(within):
            at = at + rise if np.random.random() < share else max(0, at - fall)
            if at >= limit:
                found[k] = n + 1
                break
    return found
