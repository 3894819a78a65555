"""Whoever looks at a study leaves a trace before anything is shown; where none can be left, nothing is shown.

A reader asks for hundreds of images of one study: one entry stands for what one person sees of one study within five
minutes. When an entry cannot be written, every earlier one loses its meaning too, so that the next look at anything
has to be written first.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from isocenter.govern.policy import HOUSE, Person
from isocenter.record import Event, Kind

if TYPE_CHECKING:
    from isocenter.store.journal import Journal

__all__ = ["Witness"]

_ONE_LOOK = timedelta(minutes=5)
_MOST = 20_000  # pairs of person and study that are remembered


@dataclass
class Witness:
    """Tells the journal who looks at what."""

    journal: Journal
    clock: Callable[[], datetime]

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._told: dict[tuple[str, str], datetime] = {}

    def look(self, who: Person, study_uid: str) -> None:
        """Go on only when it is written down that this person looks at this study.

        What the house does of itself is written down as what it does.

        Raises:
            Unavailable: the journal cannot be written.
        """
        if who is HOUSE:
            return
        now, pair = self.clock(), (who.name, study_uid)
        told = self._told.get(pair)
        if told is not None and timedelta() <= now - told < _ONE_LOOK:
            return
        try:
            self.journal.append(Event(Kind.IMAGES_SEEN, now, who.name, study_uid, {"role": who.role.value}))
        except BaseException:
            with self._lock:
                self._told.clear()
            raise
        with self._lock:
            if len(self._told) >= _MOST:
                self._told.clear()
            self._told[pair] = now
