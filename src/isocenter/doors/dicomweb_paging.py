"""Pages of one search stay those of one moment, while new studies and images come in.

The newest stand first, and a study to which images come is new again: pages that were cut from what stands now would
show some rows twice and lose others. So the first page of a search that goes on leaves a list of what stood in it then,
for some minutes, and later pages of the same search by the same person are cut from that.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from isocenter.doors.archive import Archive
from isocenter.govern.policy import Person

__all__ = ["Paging"]

_UNIQUE: Final = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}
_MOST_ROWS, _MOST_SEARCHES, _LASTS_S = 20_000, 16, 600.0

_Search = tuple[str, str, tuple[tuple[str, str], ...], bool]


@dataclass(frozen=True)
class _Stood:
    """What stood in a search: its UIDs in order, whether those are all, and until when it is remembered."""

    uids: str
    whole: bool
    until: float


class Paging:
    """The searches of a door that go on.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._stood: dict[_Search, _Stood] = {}

    def page(
        self, site: Archive, level: str, keys: Mapping[str, str], *, who: Person, limit: int, offset: int, fuzzy: bool
    ) -> list[dict[str, Any]]:
        """Rows of one page, as `Archive.find` gives them; whoever may no longer see one is not given it."""
        search = (who.name, level, tuple(sorted(keys.items())), fuzzy)
        stood = self._held(search) if offset else None
        if stood is None:
            rows = site.find(level, keys, who=who, limit=limit, offset=offset, fuzzy=fuzzy)
            if offset or not limit or len(rows) < limit:
                return rows
            stood = self._begin(search, site.found(level, keys, who=who, most=_MOST_ROWS + 1, fuzzy=fuzzy))
            if stood.uids.split()[:limit] == [row[_UNIQUE[level]] for row in rows]:
                return rows  # else something came in between the two
        uids = stood.uids.split()
        if offset + limit > len(uids) and not stood.whole:
            return site.find(level, keys, who=who, limit=limit, offset=offset, fuzzy=fuzzy)
        wanted = uids[offset : offset + limit]
        if not wanted:
            return []
        asked = {**dict.fromkeys(keys, ""), _UNIQUE[level]: "\\".join(wanted)}
        rows = site.find(level, asked, who=who)
        of = {row[_UNIQUE[level]]: row for row in rows}
        return [of[uid] for uid in wanted if uid in of]

    def _held(self, search: _Search) -> _Stood | None:
        with self._lock:
            stood = self._stood.get(search)
            return stood if stood is not None and self._clock() < stood.until else None

    def _begin(self, search: _Search, uids: list[str]) -> _Stood:
        whole = len(uids) <= _MOST_ROWS
        stood = _Stood("\n".join(uids[:_MOST_ROWS]), whole, self._clock() + _LASTS_S)
        with self._lock:
            self._stood.pop(search, None)
            while len(self._stood) >= _MOST_SEARCHES:
                del self._stood[next(iter(self._stood))]
            self._stood[search] = stood
        return stood
