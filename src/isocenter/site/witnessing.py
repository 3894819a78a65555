"""Whoever looks at a study leaves a trace before anything is shown; where none can be left, nothing is shown.

A reader asks for hundreds of images of one study: one entry stands for what one person sees of one kind (images,
results, report, record, remarks) of one study within five minutes, one for the cases of a sealed test, and one for
searches of one kind. When an entry cannot be written, every earlier one loses its meaning too, so that the next look at
anything has to be written first.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from isocenter.govern.policy import HOUSE, Person
from isocenter.record import Event, Kind

if TYPE_CHECKING:
    from isocenter.store.journal import Journal

__all__ = ["Witness"]

_ONE_LOOK = timedelta(minutes=5)
_MOST = 20_000  # looks that are remembered


@dataclass
class Witness:
    """Tells the journal who looks at what."""

    journal: Journal
    clock: Callable[[], datetime]

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._told: dict[tuple[str, str, str], datetime] = {}

    def look(self, who: Person, study_uid: str, what: str = "images") -> None:
        """Go on only when it is written down that this person looks at this study.

        What the house does of itself is written down as what it does.

        Args:
            what: images, results, report, record or remarks.

        Raises:
            Unavailable: the journal cannot be written.
        """
        kind = Kind.IMAGES_SEEN if what == "images" else Kind.VIEWED
        self._once(kind, who, study_uid, {"role": who.role.value, "what": what})

    def look_anew(self, name: str, study_uid: str) -> None:
        """Tell what somebody sees of a study from now on, also where they looked at it within the five minutes."""
        with self._lock:
            self._told = {pair: when for pair, when in self._told.items() if pair[:2] != (name, study_uid)}

    def test(self, who: Person, model: str, digest: str, test: str) -> None:
        """Go on only when it is written down that this person sees single cases of a sealed test set.

        Args:
            model: its name. digest: of the weights that answered them. test: digest of the set.

        Raises:
            Unavailable: the journal cannot be written.
        """
        self._once(Kind.TEST_CASES_OPENED, who, model, {"role": who.role.value, "digest": digest, "test": test})

    def search(self, who: Person, level: str, keys: Collection[str]) -> None:
        """Go on only when it is written down that this person searches, and by what: the keys, never their values.

        Raises:
            Unavailable: the journal cannot be written.
        """
        self._once(Kind.QUERIED, who, "", {"role": who.role.value, "level": level, "keys": " ".join(sorted(keys))})

    def _once(self, kind: Kind, who: Person, subject: str, details: dict[str, str]) -> None:
        if who is HOUSE:
            return
        now, pair = self.clock(), (who.name, subject, "/".join((kind, *details.values())))
        told = self._told.get(pair)
        if told is not None and timedelta() <= now - told < _ONE_LOOK:
            return
        try:
            self.journal.append(Event(kind, now, who.name, subject, details))
        except BaseException:
            with self._lock:
                self._told.clear()
            raise
        with self._lock:
            if len(self._told) >= _MOST:
                self._told.clear()
            self._told[pair] = now
