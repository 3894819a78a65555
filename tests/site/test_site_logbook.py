"""The logbook is level with the journal, and forgets what an older copy never had."""

from __future__ import annotations

from datetime import UTC, datetime

from isocenter.record import Event, Kind
from isocenter.record.event import GENESIS, Sealed
from isocenter.site.logbook import Logbook

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Journal:
    """As much of a journal as a logbook reads."""

    def __init__(self) -> None:
        self.entries: list[Sealed] = []
        self.asked = 0

    def add(self, kind: Kind, subject: str, **details: object) -> None:
        event = Event(kind, NOW, "ito", subject, details)
        self.entries.append(Sealed.after(len(self.entries) + 1, GENESIS, event))

    def epoch(self) -> None:
        return None

    def head(self) -> tuple[int, str]:
        return len(self.entries), ""

    def since(self, number: int, *, kinds: object, limit: int) -> list[Sealed]:
        self.asked += 1
        return [s for s in self.entries[number:] if s.event.kind in kinds][:limit]  # type: ignore[operator]


def test_level_with_the_journal_and_small() -> None:
    journal = Journal()
    log = Logbook(journal)  # type: ignore[arg-type]
    assert log.by_subject() == {}
    journal.add(Kind.INSTANCES_RECEIVED, "1", instances=["large"])
    journal.add(Kind.SIGNED_IN, "ito")
    journal.add(Kind.REPORT_SIGNED, "1", report="d")
    told = log.by_subject()
    assert [(e.kind, dict(e.details)) for e in told["1"]] == [
        (Kind.INSTANCES_RECEIVED, {}), (Kind.REPORT_SIGNED, {"report": "d"}),
    ]  # fmt: skip
    assert set(told) == {"1"}
    asked = journal.asked
    log.by_subject()
    assert journal.asked == asked, "nothing new: nothing is read"
    journal.add(Kind.OUTCOME_KNOWN, "2")
    assert [e.subject for e in log.events()] == ["1", "1", "2"]


def test_an_older_copy_of_the_archive_is_read_anew() -> None:
    journal = Journal()
    log = Logbook(journal)  # type: ignore[arg-type]
    for subject in ("1", "2", "3"):
        journal.add(Kind.REPORT_SIGNED, subject)
    assert set(log.by_subject()) == {"1", "2", "3"}
    del journal.entries[1:]
    assert set(log.by_subject()) == {"1"}
