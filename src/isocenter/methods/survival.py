"""Time to an event that not everybody has had yet: Kaplan-Meier, and how well a risk orders people in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from isocenter.errors import Refused

__all__ = ["Concordance", "Curve", "LogRank", "concordance", "kaplan_meier", "log_rank", "uno"]


@dataclass(frozen=True, eq=False)
class Curve:
    """A Kaplan-Meier curve: steps at the times of events.

    Args:
        times: (steps,) increasing, in the unit that came in.
        survival: (steps,) part without the event after each.
        low, high: (steps,) its interval, on the log scale (as R's ``conf.type="log"``).
        at_risk, events: (steps,) counts just before and at each.
    """

    times: npt.NDArray[np.float64]
    survival: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    at_risk: npt.NDArray[np.int64]
    events: npt.NDArray[np.int64]

    def at(self, time: npt.ArrayLike, *, before: bool = False) -> npt.NDArray[np.float64]:
        """Part without the event at a time; with `before`, just before it. The last step holds for ever after."""
        index = np.searchsorted(self.times, np.asarray(time, np.float64), "left" if before else "right")
        return np.concatenate([[1.0], self.survival])[index]

    @property
    def median(self) -> float:
        """First time at which at most half are without the event; infinite when it was never reached."""
        reached = np.flatnonzero(self.survival <= 0.5)
        return float(self.times[reached[0]]) if len(reached) else float("inf")


def kaplan_meier(time: npt.ArrayLike, event: npt.ArrayLike, *, level: float = 0.95) -> Curve:
    """The Kaplan-Meier estimate with Greenwood's variance. Events come before censorings of the same time.

    Args:
        time: (n,) follow-up, not negative.
        event: (n,) whether it ended with the event.
        level: of the interval.

    Raises:
        Refused: without people, or times that are negative or no numbers.

    >>> kaplan_meier([1.0, 2.0, 2.0, 3.0], [True, True, False, True]).survival.tolist()
    [0.75, 0.5, 0.0]
    """
    from scipy.special import ndtri

    t, e = _checked(time, event)
    times, index = np.unique(t[e], return_inverse=True)
    events = np.bincount(index, minlength=len(times)).astype(np.int64)
    at_risk = (len(t) - np.searchsorted(np.sort(t), times, "left")).astype(np.int64)
    survival = np.asarray(np.cumprod(1 - events / at_risk), np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(np.cumsum(events / (at_risk * (at_risk - events).astype(np.float64))))
        half = np.exp(float(ndtri(0.5 + level / 2)) * error)
        low, high = survival / half, np.minimum(1.0, survival * half)
    gone = survival == 0  # nobody is left, and nothing can be said of the error
    low, high = np.where(gone, np.nan, low), np.where(gone, np.nan, high)
    return Curve(times, survival, low, high, at_risk, events)


@dataclass(frozen=True)
class LogRank:
    """Whether groups have the event equally fast.

    Args:
        statistic: chi squared with `groups - 1` degrees of freedom. p: of it.
        observed, expected: events of each group, and what they would be if all were alike.
    """

    statistic: float
    p: float
    observed: tuple[float, ...]
    expected: tuple[float, ...]


def log_rank(times: Sequence[npt.ArrayLike], events: Sequence[npt.ArrayLike]) -> LogRank:
    """The log-rank test of two or more groups (Mantel 1966, Peto and Peto 1972), ties by the hypergeometric variance.

    Args:
        times, events: of each group, as `kaplan_meier`.

    Raises:
        Refused: fewer than two groups, an empty one, or no event in any.

    >>> round(log_rank([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [[1, 1, 1], [1, 1, 1]]).statistic, 3)
    5.052
    """
    from scipy.special import chdtrc  # scipy.stats takes a second to load, for this one function

    checked = [_checked(t, e) for t, e in zip(times, events, strict=True)]
    if len(checked) < 2:
        raise Refused(f"{len(checked)} group", "a comparison needs two", "give the people of two groups or more")
    at = np.unique(np.concatenate([t[e] for t, e in checked]))
    if not len(at):
        raise Refused(
            "groups in which nobody had the event",
            "there is nothing to compare",
            "follow them longer, or take another event",
        )
    risk = np.array([len(t) - np.searchsorted(np.sort(t), at, "left") for t, _ in checked], np.float64)
    died = np.array([np.bincount(np.searchsorted(at, t[e]), minlength=len(at)) for t, e in checked], np.float64)
    n, d = risk.sum(0), died.sum(0)
    expected = risk * d / n
    share = np.where(n > 1, d * (n - d) / np.maximum(n - 1, 1), 0.0)
    part = risk / n
    spread = np.diag((part * share).sum(1)) - (part * share) @ part.T
    gap = (died - expected).sum(1)[:-1]
    statistic = float(gap @ np.linalg.pinv(spread[:-1, :-1]) @ gap)
    return LogRank(
        statistic, float(chdtrc(len(checked) - 1, statistic)), tuple(died.sum(1).tolist()),
        tuple(expected.sum(1).tolist()),
    )  # fmt: skip


@dataclass(frozen=True)
class Concordance:
    """How often, of two people, the one with the higher risk had the event first.

    Args:
        index: Harrell's C: concordant pairs plus half of those of equal risk, of all comparable pairs.
        concordant, discordant, tied_risk: comparable pairs. tied_time: pairs whose events came together.
    """

    index: float
    concordant: int
    discordant: int
    tied_risk: int
    tied_time: int


def concordance(time: npt.ArrayLike, event: npt.ArrayLike, risk: npt.ArrayLike) -> Concordance:
    """Harrell's concordance index (1996), in O(n log n).

    A pair is comparable when the one with the shorter time had the event; at equal times, when one had it and the other
    was censored.

    Raises:
        Refused: when no pair is comparable, or a risk is not a number.

    >>> concordance([1.0, 2.0, 3.0], [True, True, False], [3.0, 2.0, 1.0]).index
    1.0
    """
    t, e, r = _with_risk(time, event, risk)
    concordant, discordant, tied, tied_time = _pairs(t, e, r, np.ones(len(t)))
    comparable = concordant + discordant + tied
    if not comparable:
        raise Refused(
            "no two people can be compared",
            "an event must come before somebody else's end of follow-up",
            "follow more people, or longer",
        )
    return Concordance(
        float((concordant + 0.5 * tied) / comparable), int(concordant), int(discordant), int(tied), int(tied_time)
    )


def uno(
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    risk: npt.ArrayLike,
    *,
    censoring: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    until: float = float("inf"),
) -> float:
    """Uno's concordance index (2011): pairs weighted against censoring, so that it does not depend on follow-up.

    Args:
        censoring: (time, event) of the people from whom the censoring is estimated; the same people when None.
        until: pairs whose first event comes at or after this time do not count.

    Raises:
        Refused: when no pair is comparable, or somebody has the event when all others are censored already.
    """
    t, e, r = _with_risk(time, event, risk)
    from_t, from_e = _checked(*censoring) if censoring is not None else (t, e)
    counted = e & (t < until)
    free = _uncensored(from_t, from_e, t[counted])
    if not len(free) or free.min() <= 0:
        raise Refused("an event when everybody is censored", "it cannot be weighted", "shorten `until`")
    weight = np.zeros(len(t))
    weight[counted] = 1.0 / free**2
    concordant, discordant, tied, _ = _pairs(t, e, r, weight)
    comparable = concordant + discordant + tied
    if comparable <= 0:
        raise Refused(
            "no two people can be compared",
            "an event must come before somebody else's end of follow-up",
            "follow more people, or longer",
        )
    return float((concordant + 0.5 * tied) / comparable)


def _uncensored(time: npt.NDArray[Any], event: npt.NDArray[Any], at: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Part not yet censored at each time: Kaplan-Meier with the parts of event and censoring exchanged."""
    if event.all():
        return np.ones(len(at))
    return kaplan_meier(time, ~event).at(at)


def _checked(time: npt.ArrayLike, event: npt.ArrayLike) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    t, e = np.asarray(time, np.float64).ravel(), np.asarray(event).ravel()
    if len(t) != len(e) or not len(t):
        raise Refused(f"{len(t)} times and {len(e)} events", "every person needs both", "give both for each person")
    if not np.isfinite(t).all() or (t < 0).any():
        raise Refused(
            "a time that is negative or no number",
            "follow-up begins at zero",
            "leave the person out, or give the time from the beginning of follow-up",
        )
    if set(np.unique(e).tolist()) - {0, 1}:
        raise Refused(f"events {np.unique(e).tolist()[:5]}", "an event happened (1) or did not (0)", "give 0 and 1")
    return t, e.astype(bool)


def _with_risk(
    time: npt.ArrayLike, event: npt.ArrayLike, risk: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    t, e = _checked(time, event)
    r = np.asarray(risk, np.float64).ravel()
    if len(r) != len(t) or not np.isfinite(r).all():
        raise Refused(
            f"{len(r)} risks for {len(t)} people",
            "every person needs one that is a number",
            "give a finite risk for each person",
        )
    return t, e, r


def _pairs(
    t: npt.NDArray[Any], e: npt.NDArray[Any], r: npt.NDArray[Any], weight: npt.NDArray[Any]
) -> tuple[float, float, float, float]:
    ranks = np.unique(r, return_inverse=True)[1].astype(np.int64) + 1
    order = np.lexsort((~e, t))[::-1]  # latest first; at equal times the censored first, so that events see them
    counted: tuple[float, float, float, float] = _counted(t[order], e[order], ranks[order], weight[order])
    return counted


@njit(cache=True)
def _counted(t: Any, e: Any, ranks: Any, weight: Any) -> Any:
    """Walk from the latest to the earliest, with a Fenwick tree of how many of each risk are still later."""
    n = len(t)
    size = ranks.max()
    tree = np.zeros(size + 1, np.int64)
    concordant, discordant, tied, tied_time = 0.0, 0.0, 0.0, 0.0
    later = 0
    start = 0
    while start < n:
        stop = start
        while stop < n and t[stop] == t[start] and e[stop] == e[start]:
            stop += 1
        if e[start]:
            for i in range(start, stop):
                below = _upto(tree, ranks[i] - 1)
                same = _upto(tree, ranks[i]) - below
                concordant += weight[i] * below
                tied += weight[i] * same
                discordant += weight[i] * (later - below - same)
            tied_time += (stop - start) * (stop - start - 1) / 2
        for i in range(start, stop):
            at = ranks[i]
            while at <= size:
                tree[at] += 1
                at += at & -at
        later += stop - start
        start = stop
    return concordant, discordant, tied, tied_time


@njit(cache=True)
def _upto(tree: Any, at: int) -> int:
    total = 0
    while at > 0:
        total += tree[at]
        at -= at & -at
    return total
