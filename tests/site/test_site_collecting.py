"""What the audit collector is owed: everything, until it surely has it, and nothing of what persons typed."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest

from isocenter.errors import Unavailable
from isocenter.record import Event, Kind, Sealed
from isocenter.record.event import GENESIS
from isocenter.site.collecting import Collecting
from isocenter.store import Database, Journal

NOW = datetime(2026, 11, 27, 8, tzinfo=UTC)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    database = Database(f"sqlite:///{tmp_path}/a.sqlite")
    yield Journal(database)
    database.close()


def numbers(messages: Sequence[bytes]) -> list[int]:
    found = []
    for one in messages:
        root = ElementTree.fromstring(one.partition(b"\xef\xbb\xbf")[2])
        (entry,) = [d for d in root.iter("ParticipantObjectDetail") if d.attrib["type"] == "entry"]
        found.append(int(base64.b64decode(entry.attrib["value"])))
    return found


def test_what_was_not_surely_taken_is_told_again_also_by_another_process(journal: Journal, tmp_path: Path) -> None:
    journal.append(*(Event(Kind.VIEWED, NOW, "ito", f"1.2.{n}", {}) for n in range(1200)))
    now, told = [NOW], []  # type: ignore[var-annotated]
    here = Collecting(journal, lambda: now[0], tmp_path / "mark")

    def breaks(messages: Sequence[bytes]) -> None:
        if len(told) == 500:
            raise Unavailable("nobody there")
        told.extend(numbers(messages))

    with pytest.raises(Unavailable):
        here.deliver(breaks)
    now[0] += timedelta(seconds=90)
    assert here.silent_s() == 90
    with pytest.raises(Unavailable):
        here.deliver(breaks)
    assert here.silent_s() == 90, "since the first time"
    later = Collecting(journal, lambda: NOW, tmp_path / "mark")
    assert later.deliver(lambda messages: told.extend(numbers(messages))) == 700
    assert told == list(range(1, 1201)) and later.deliver(breaks) == 0


def test_a_journal_that_was_put_back_or_is_another_is_told_from_its_first_entry(
    journal: Journal, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    journal.append(*(Event(Kind.VIEWED, NOW, "ito", f"1.2.{n}", {}) for n in range(5)))
    told: list[int] = []
    for written in ("9 " + "a" * 64, "5 " + "a" * 64, "nonsense", "0 x", ""):
        mark.write_text(written, "ascii")
        told.clear()
        Collecting(journal, lambda: NOW, mark).deliver(lambda messages: told.extend(numbers(messages)))
        assert told == [1, 2, 3, 4, 5]


def test_that_entries_go_to_a_collector_is_an_entry_itself_once(journal: Journal) -> None:
    here = Collecting(journal, lambda: NOW)
    for to in ("a:6514", "a:6514", "b:6514", "a:6514"):
        here.begin(to)
    assert [s.event.details["to"] for s in journal.since(kinds=(Kind.AUDIT_EXPORTED,))] == ["a:6514", "b:6514"]


def test_what_persons_typed_and_numbers_of_patients_stay_here() -> None:
    words = {
        "reason": "Quaxelberg's film",
        "finding": "Quaxelberg",
        "words": "Quaxelberg",
        "told": "Quaxelberg",
        "line": "Quaxelberg",
    }
    patient = {"patient": {"id": "Quaxelberg", "name": "Quaxelberg"}}
    events = [Event(kind, NOW, "ito", "1.2.3", {**words, **patient}) for kind in Kind]
    events.append(Event(Kind.PATIENT_TOLD, NOW, "HL7", "Quaxelberg-77", patient))
    entries = [Sealed.after(n, GENESIS, event) for n, event in enumerate(events, 1)]

    class Entries:
        def since(self, number: int, *, limit: int) -> list[Sealed]:
            return entries[number : number + limit]

    heard: list[bytes] = []
    Collecting(Entries(), lambda: NOW).deliver(heard.extend)  # type: ignore[arg-type]
    assert len(heard) == len(Kind) + 1
    said = b"".join(heard) + b"".join(
        base64.b64decode(d.attrib["value"])
        for one in heard
        for d in ElementTree.fromstring(one.partition(b"\xef\xbb\xbf")[2]).iter("ParticipantObjectDetail")
    )
    assert b"Quaxelberg" not in said and b"(said here)" in said
