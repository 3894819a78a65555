"""Of 100 findings like this one, made here, how many did readers confirm? From signed reports, and nothing else.

A certainty that an analysis states is a promise from elsewhere. What it is worth here is counted: of the findings of
the same analysis, in the same version and with about the same certainty, that readers of this site have signed, the
share that they kept or changed, with Wilson's interval. Below a number of cases it is not yet known.

It is no rate of truth: who keeps a wrong finding confirms it too (see `isocenter.reading.readers` for that).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from isocenter.methods.intervals import wilson
from isocenter.record import Kind, Sealed

__all__ = ["BANDS", "LEAST", "Confirmed", "Experience"]

LEAST = 20
"""Below so many signed findings of a kind it is not yet known."""

BANDS = 5
"""Bands of equal width into which certainties are put; an analysis that states none has one band of its own."""

_CONFIRMED = frozenset({"kept", "changed"})
_PAGE = 2000
_SIGNED = (Kind.REPORT_SIGNED, Kind.REPORT_AMENDED)
_Key = tuple[str, str, int]


@dataclass(frozen=True)
class Confirmed:
    """How often findings like one were confirmed here.

    Args:
        n: signed findings of the same analysis, version and band of certainty.
        of_100, low, high: of 100, with the 95 % interval; None while `n` is below `LEAST`.
    """

    n: int
    of_100: int | None = None
    low: int | None = None
    high: int | None = None


class Experience:
    """What a site has confirmed, kept level with its journal.

    Args:
        since: reads the journal: (number, kinds=…, limit=…) -> events.
        head: number of its newest event.
    """

    def __init__(self, since: Callable[..., list[Sealed]], head: Callable[[], int]) -> None:
        self._since, self._head = since, head
        self._lock = threading.Lock()
        self._level = -1
        self._latest: dict[str, tuple[tuple[_Key, bool], ...]] = {}  # study -> what its latest report decided
        self._counts: dict[_Key, list[int]] = {}  # [confirmed, all]

    def of(self, analysis: str, version: str, certainty: float | None) -> Confirmed:
        """How often findings of this analysis with about this certainty were confirmed here."""
        self._follow()
        confirmed, n = self._counts.get((analysis, version, band(certainty)), (0, 0))
        if n < LEAST:
            return Confirmed(n)
        share = wilson(confirmed, n)
        return Confirmed(n, round(100 * share.value), round(100 * share.low), round(100 * share.high))

    def _follow(self) -> None:
        with self._lock:
            head = self._head()
            if head < self._level or self._level < 0:  # at the start, or the archive was put back to an older copy
                self._latest, self._counts, self._level = {}, {}, 0
            while self._level < head:
                page = self._since(self._level, kinds=_SIGNED, limit=_PAGE)
                for sealed in page:
                    self._take(sealed.event.subject, sealed.event.details.get("decisions", ()))
                self._level = page[-1].number if len(page) == _PAGE else head

    def _take(self, study: str, decisions: Iterable[Mapping[str, Any]]) -> None:
        """An amendment takes the place of what the study's report said before."""
        for key, confirmed in self._latest.get(study, ()):
            self._count(key, confirmed, -1)
        taken = tuple(
            ((str(d["analysis"]), str(d["version"]), band(d["certainty"])), d["verdict"] in _CONFIRMED)
            for d in decisions
        )
        self._latest[study] = taken
        for key, confirmed in taken:
            self._count(key, confirmed, 1)

    def _count(self, key: _Key, confirmed: bool, by: int) -> None:
        counts = self._counts.setdefault(key, [0, 0])
        counts[0] += by * confirmed
        counts[1] += by


def band(certainty: float | None) -> int:
    """The band of a certainty; -1 where none is stated.

    >>> band(0.0), band(0.59), band(1.0), band(None)
    (0, 2, 4, -1)
    """
    return -1 if certainty is None else min(BANDS - 1, int(certainty * BANDS))
