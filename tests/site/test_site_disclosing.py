"""What a person may see, kept level with a journal to which another process writes meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from rejecting_samples import ITO, NOON

from isocenter.record import Event, Kind, Sealed
from isocenter.record.event import GENESIS
from isocenter.site.disclosing import Disclosing
from isocenter.store.index import Index
from isocenter.store.journal import Journal

STUDY, SERIES = "1.2.1", "1.2.1.1"
ARRIVAL = Event(Kind.INSTANCES_RECEIVED, NOON, "CAD", STUDY, {"series": {SERIES: {"modality": "SEG"}}})
LOCKED = Event(Kind.OPINION_LOCKED, NOON, "ruiz", "1.2.2")


class Meanwhile:
    """A journal to which somebody writes after it was asked for its head and before it is asked for its events."""

    def __init__(self) -> None:
        self.events, self.told = list[Sealed](), list[int]()
        self.meanwhile: Callable[[], object] = lambda: None

    def append(self, *events: Event) -> None:
        self.events += [Sealed.after(len(self.events) + n, GENESIS, event) for n, event in enumerate(events, 1)]

    def head(self) -> tuple[int, str]:
        head = len(self.events)
        self.meanwhile()
        return head, GENESIS

    def since(self, number: int = 0, *, kinds: Sequence[Kind], limit: int) -> Sequence[Sealed]:
        page = [s for s in self.events if s.number > number and s.event.kind in kinds][:limit]
        self.told += [sealed.number for sealed in page]
        return page


class Rows:
    """An index that knows of the series that a machine made, and of nobody's reading."""

    def __init__(self) -> None:
        self.made = list[dict[str, Any]]()

    def find(self, level: str, keys: Any) -> list[dict[str, Any]]:
        return list(self.made)

    def reading(self, study_uid: str) -> dict[str, Any]:
        return {"state": "waiting"}


def test_what_is_written_while_it_reads_is_folded_once_and_what_a_machine_made_is_not_missed() -> None:
    journal, rows = Meanwhile(), Rows()
    seen = Disclosing(cast(Index, rows), cast(Journal, journal))
    journal.append(LOCKED)

    def another() -> None:
        journal.meanwhile = lambda: None
        rows.made.append({"SeriesInstanceUID": SERIES, "StudyInstanceUID": STUDY})
        journal.append(ARRIVAL, LOCKED)

    journal.meanwhile = another
    assert seen.withheld(ITO) == {SERIES}, "it came between the head and the events, and is held back"
    journal.meanwhile = lambda: journal.append(LOCKED)
    for _ in range(5):
        assert seen.withheld(ITO) == {SERIES}
    assert len(journal.told) > 5 and len(journal.told) == len(set(journal.told)), "no event is folded twice"
