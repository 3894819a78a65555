"""What the house does of itself, as one table: after this event, that verb.

The follower reads the journal and hands work to the durable jobs. It may fall behind, be killed and start again: the
place that it has reached is written down only after the jobs are, and a job has the fingerprint of the study's
bytes in its key, so that the same work is never done twice.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from isocenter import wholly
from isocenter.record import Kind

__all__ = ["FLOW", "Follower", "Rule"]


@dataclass(frozen=True)
class Rule:
    """After `event`, the verb `verb` on the event's study, once nothing more has come for `quiet_s`."""

    event: Kind
    verb: str
    sentence: str
    quiet: bool = False


FLOW: tuple[Rule, ...] = (
    Rule(
        Kind.INSTANCES_RECEIVED,
        "analyse",
        "Arrivals push back one job: the study is planned and analysed once it has been quiet.",
        quiet=True,
    ),
    Rule(
        Kind.INSTANCES_RECEIVED,
        "match_followups",
        "The examination that came completes the open follow-ups of its patient that it surely answers.",
        quiet=True,
    ),
    Rule(
        Kind.HEADERS_LEARNT,
        "ask_again",
        "More was learnt from stored headers: a study that nobody has signed is planned anew, and what was computed"
        " from them before is asked again.",
        quiet=True,
    ),
)
"""The whole automatism of the house."""

_KINDS = list(dict.fromkeys(r.event for r in FLOW))


@dataclass
class Follower:
    """Reads the journal, waits for quiet, submits jobs.

    Args:
        since: journal reader: (number, kinds) -> events.
        submit: (verb, study, key) -> None; durable on return.
        fingerprint: study -> digest of what it holds now.
        clock: aware UTC.
        quiet_s: how long nothing may have come.
        mark: file that holds the number up to which everything was handed over.
    """

    since: Callable[..., list[Any]]
    submit: Callable[[str, str, str], None]
    fingerprint: Callable[[str], str]
    clock: Callable[[], datetime]
    quiet_s: float
    mark: Path
    _pending: dict[tuple[str, str], datetime] = field(default_factory=dict)
    _read: int = -1

    def step(self) -> int:
        """Read what is new and hand over what is quiet; how many jobs were submitted."""
        if self._read < 0:
            self._read = self._marked()
        while page := self.since(self._read, kinds=_KINDS, limit=1000):
            for sealed in page:
                for rule in FLOW:
                    if rule.event is sealed.event.kind:
                        self._pending[rule.verb, sealed.event.subject] = self.clock()
            self._read = page[-1].number
        return self._hand_over()

    def _hand_over(self) -> int:
        quiet = timedelta(seconds=self.quiet_s)
        ready = [key for key, last in self._pending.items() if self.clock() - last >= quiet]
        for verb, study in ready:
            self.submit(verb, study, f"{verb}:{study}:{self.fingerprint(study)[:16]}")
            del self._pending[verb, study]
        if not self._pending and self._read > self._marked():
            self._write_mark()
        return len(ready)

    def is_level(self, head: int) -> bool:
        """Whether everything up to an event was read and handed over."""
        newest = self.since(max(self._read, 0), kinds=_KINDS, limit=1)
        return not self._pending and self._read >= 0 and not newest and head >= 0

    def follow(self, stop: threading.Event, every_s: float = 0.05) -> None:
        """Step until told to stop."""
        while not stop.is_set():
            self.step()
            stop.wait(every_s)

    def _marked(self) -> int:
        try:
            return int(self.mark.read_text("ascii"))
        except (FileNotFoundError, ValueError):
            return 0

    def _write_mark(self) -> None:
        wholly.write(self.mark, str(self._read), durable=False)  # without it more is read again, and nothing is lost
