"""A cumulative sum chart that learns what is usual as it goes, so that a small fall does not hide in a short beginning.

From a hundred cases a share is known to within some points only; a chart that is to alarm as rarely as declared must
then take the worst of these for usual, and a fall of five points stays below it (`control_chart`). This one takes what
is usual from the first two thirds of all cases that it has seen, anew with every tenth case more, and only while its
sum stands at zero: then nothing speaks for a change. What came lately is left out, since a fall that goes on unseen
would otherwise soon be called usual; one that came slower than its sum can rise is called so all the same. A chart for
which the share before the change were known, the quickest that there can be (Moustakides, Ann Stat 1986;14:1379), is
the bound that its delays are told beside.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from numba import njit

from isocenter.errors import Refused
from isocenter.methods.control_chart import Chart, Delay, chart

__all__ = ["Followed", "delays_from_now", "follow_growing"]

_PART, _GROWTH = 2 / 3, 1.1
_SURE = NormalDist().inv_cdf(0.85)  # upper end of the 70 % interval
_GRID, _LEAST, _MOST = 0.0025, 0.005, 0.95  # shares that a chart is made for; none below or above
_STILL = 200  # cases before a simulated fall, so that the sum stands where it usually stands


@dataclass(frozen=True)
class Followed:
    """Where a chart stands after the last case, or at its alarm.

    Args:
        chart: as it is now. cases: from which it has what is usual. share: of wrong ones among these.
        sum: evidence for a rise. alarm: place of the case that alarmed; None where none did.
    """

    chart: Chart
    cases: int
    share: float
    sum: int
    alarm: int | None


def follow_growing(hits: int, first: int, wrong: Sequence[bool], shift: float, run: float) -> Followed:
    """Follow cases after a beginning.

    Args:
        hits, first: wrong cases, and all cases, of the beginning.
        wrong: whether each case after it is wrong. shift: rise of the share that must not pass unseen.
        run: cases between false alarms of each chart on its way.

    Raises:
        Refused: no beginning, or more hits than cases; a share or run of which no chart can be made.

    >>> told = follow_growing(10, 100, [False] * 9 + [True] * 40, 0.05, 2000)
    >>> told.cases, told.alarm is not None
    (100, True)
    """
    if not 0 <= hits <= first or first < 1:
        raise Refused(
            f"{hits} of {first} cases",
            "what is usual is taken from one case or more",
            "give no more of them than cases",
        )
    cases = first
    counts = np.concatenate([[hits], hits + np.cumsum(np.asarray(wrong, np.int64))])  # [n - first]
    by, total = _chart(_index(hits, first), shift, _rounded(run)), 0
    for place, one in enumerate(wrong):
        total = total + by.rise if one else max(0, total - by.fall)
        if total >= by.limit:
            return Followed(by, cases, float(counts[cases - first]) / cases, total, place)
        past = int((first + place + 1) * _PART)
        if total == 0 and past >= cases * _GROWTH:
            cases = past
            by = _chart(_index(int(counts[cases - first]), cases), shift, _rounded(run))
    return Followed(by, cases, float(counts[cases - first]) / cases, total, None)


def delays_from_now(
    told: Followed, seen: int, share: float, shift: float, run: float, *, rng: np.random.Generator,
    times: int = 2000, within: int = 20_000,
) -> Delay:  # fmt: skip
    """How many cases pass until the alarm, where the share changes soon after the cases that were seen, by simulation.

    Args:
        told: where the chart stands; its share is taken to be the true one until the change. seen: cases so far.
        share: of wrong cases after the change. shift, run: as in `follow_growing`. within: see `control_chart.delays`.

    Raises:
        Refused: a share outside 0 … 1.
    """
    if not 0 < share <= 1:
        raise Refused(f"a share of {share:g}", "it lies above 0 and not above 1", "give a share within these")
    low, high = 1, _index(1, 1)
    reach = (max(told.chart.usual, share) + 0.05) / _GRID  # farther no chart goes in any simulated stream that matters
    low, high = max(low, int((min(told.share, share) - 0.05) / _GRID)), min(high, math.ceil(reach))
    made = [_chart(k, shift, _rounded(run)) for k in range(low, high + 1)]
    table = np.array([(c.rise, c.fall, c.limit) for c in made], np.int64)
    found = _until(
        told.share, share, max(seen, told.cases), told.cases, table, low, _STILL, within, times,
        int(rng.integers(2**31)), round(told.chart.usual / _GRID),
    )  # fmt: skip
    hit = np.sort(found[found > 0])
    if not len(hit):
        return Delay(share, float("inf"), float("inf"), float("inf"), 1.0)
    median, late = np.quantile(np.where(found > 0, found, np.inf), [0.5, 0.9], method="inverted_cdf")
    return Delay(share, float(hit.mean()), float(median), float(late), 1 - len(hit) / times)


def _rounded(run: float) -> float:
    """Up to two figures, so that charts that were made are found again while cases come in."""
    unit = 10.0 ** max(0, math.floor(math.log10(max(run, 1.0))) - 1)
    return math.ceil(run / unit) * unit


@lru_cache(2048)
def _chart(index: int, shift: float, run: float) -> Chart:
    usual = max(index * _GRID, _LEAST)
    return chart(usual, min(usual + shift, (1 + usual) / 2), run)


@njit(cache=True)
def _index(hits: int, cases: int) -> int:
    """What is taken for usual, in steps: the upper end of the Wilson interval."""
    share, z = hits / cases, _SURE
    middle = share + z * z / (2 * cases)
    wide = z * math.sqrt(share * (1 - share) / cases + z * z / (4 * cases * cases))
    usual = min(max((middle + wide) / (1 + z * z / cases), _LEAST), _MOST)
    return math.ceil(usual / _GRID - 1e-9)


@njit(cache=True)
def _until(
    usual: float, share: float, seen: int, cases: int, table: npt.NDArray[np.int64], low: int, still: int, within: int,
    times: int, seed: int, index: int,
) -> npt.NDArray[np.float64]:  # fmt: skip
    np.random.seed(seed)
    found, counts = np.zeros(times), np.zeros(seen + still + within + 1, np.int64)
    for n in range(seen + 1):
        counts[n] = round(usual * n)
    top = len(table) - 1
    for k in range(times):
        at, base, row = 0, cases, min(max(index - low, 0), top)
        for n in range(seen + 1, seen + still + within + 1):
            wrong = np.random.random() < (usual if n <= seen + still else share)
            counts[n] = counts[n - 1] + wrong
            at = at + table[row, 0] if wrong else max(0, at - table[row, 1])
            if at >= table[row, 2]:
                if n > seen + still:
                    found[k] = n - seen - still
                    break
                at = 0
            past = int(n * _PART)
            if at == 0 and past >= base * _GROWTH:
                base = past
                row = min(max(_index(counts[base], base) - low, 0), top)
    return found
