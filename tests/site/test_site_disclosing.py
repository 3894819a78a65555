"""What a person may see, kept level with a journal to which another process writes meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

from rejecting_samples import ITO, NOON

from isocenter.reading.disclosure import Mode, Use
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

    def epoch(self) -> None:
        return None

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
        self.said = list[tuple[str, str]]()

    def find(self, level: str, keys: Any) -> list[dict[str, Any]]:
        return list(self.made)

    def reading(self, study_uid: str) -> dict[str, Any]:
        return {"state": "waiting"}

    def result_heads(self, study_uids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        return {STUDY: [{"name": name, "origin": origin} for name, origin in self.said]}


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


def test_what_a_reading_of_headers_finds_a_machine_to_have_made_is_withheld_from_then_on() -> None:
    journal, rows = Meanwhile(), Rows()
    seen = Disclosing(cast(Index, rows), cast(Journal, journal))
    journal.append(ARRIVAL)
    assert seen.withheld(ITO) == frozenset()
    rows.made.append({"SeriesInstanceUID": SERIES, "StudyInstanceUID": STUDY})
    learnt = {"study": {}, "series": {SERIES: {"facts": {"MadeBy": "machine"}}}, "instances": {}}
    journal.append(Event(Kind.HEADERS_LEARNT, NOON, "isocenter", STUDY, learnt))
    assert seen.withheld(ITO) == {SERIES} and not seen.hears(journal.events[-1], ITO)


def test_a_study_is_planned_only_where_what_machines_said_does_not_decide() -> None:
    journal, rows, planned = Meanwhile(), Rows(), list[str]()
    seen = Disclosing(cast(Index, rows), cast(Journal, journal))

    def asks(*fitting: str) -> bool:
        def one_by_one() -> Iterator[str]:
            planned.append(STUDY)
            yield from fitting
            planned.append("all")

        return seen.asks(STUDY, one_by_one())

    assert asks("ct_perfusion", "volumetry"), "the first that fits is enough"
    assert planned == [STUDY] and not asks()
    rows.said.append(("Ito", "person"))
    assert not asks(), "a person's word is no machine's"
    assert planned == [STUDY, STUDY, "all", STUDY, "all"]
    rows.said.append(("volumetry", "machine"))
    assert asks() and planned.count(STUDY) == 3, "it spoke, unaided first as at the start: nothing need be loaded"
    concurrent = {"analysis": "volumetry", "use": Use.READING.value, "mode": Mode.CONCURRENT.value}
    journal.append(Event(Kind.MODE_SET, NOON, "Ito", "volumetry", concurrent))
    assert not asks() and asks("ct_perfusion"), "it may be seen at once; another that only fits asks still"
