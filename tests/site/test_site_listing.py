"""The kept list is always the one that would be read anew, whoever wrote, and reads no more than it must."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from isocenter.errors import NotFound
from isocenter.reading.worklist import Queue, Waiting, order
from isocenter.record import (
    Event,
    Finding,
    Instance,
    Kind,
    Origin,
    Outcome,
    Patient,
    Result,
    Series,
    Study,
    Urgency,
    Verdict,
    canonical,
    codes,
)
from isocenter.site.listing import Listing
from isocenter.store.blobs import Blobs
from isocenter.store.database import Database
from isocenter.store.index import Index
from isocenter.store.intake import receive
from isocenter.store.journal import Journal

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Ward:
    """An archive into which a test writes, with a list that is kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database, self.blobs = Database(f"sqlite:///{folder / 'archive.sqlite'}"), Blobs(str(folder / "blobs"))
        self.journal, self.index = Journal(self.database, self.blobs), Index(self.database, self.blobs)
        self.listing = Listing(self.index, self.journal)

    def arrives(self, uid: str, image: int = 1) -> None:
        instance = Instance(f"{uid}.1.{image}", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1", "", 0, image)
        study = Study(uid, Patient("P", "Doe^Jane"), series=(Series(f"{uid}.1", "CT", instances=(instance,)),))
        when = NOON + timedelta(seconds=image)
        receive(self.database, self.blobs, self.journal, [(f"{uid} {image}".encode(), study)], "test", when)

    def tells(self, kind: Kind, uid: str, who: str = "ito", **details: str) -> None:
        self.journal.append(Event(kind, NOON, who, uid, details))

    def finds(self, uid: str, verdict: Verdict = Verdict.UNDECIDED, replaces: str = "") -> str:
        machine = Origin("machine", "volumetry", "1")
        origin = (
            machine
            if verdict is Verdict.UNDECIDED
            else Origin("person", "ito", parameters={"of": {"analysis": "volumetry"}})
        )
        finding = Finding(codes.LESION, tracking="a", verdict=verdict)
        result = Result(uid, Outcome.FOUND, origin, NOON, findings=(finding,), urgency=Urgency.NOW, replaces=replaces)
        digest = self.blobs.put(canonical(result))
        self.tells(Kind.RESULT_MADE, uid, origin.name, result=digest)
        return digest

    def listed(self) -> dict[str, Waiting]:
        """The kept list; it is the one that a fresh reader makes."""
        kept = {w.study.uid: w for w in self.listing.waiting()}
        assert kept == {w.study.uid: w for w in Listing(self.index, self.journal).waiting()}
        return kept


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[Ward]:
    held = Ward(tmp_path)
    yield held
    held.database.close()


def test_law_the_kept_list_is_the_one_that_would_be_read_anew(ward: Ward) -> None:
    assert ward.listed() == {}
    ward.arrives("1.2")
    ward.arrives("1.3")
    assert {w.ai for w in ward.listed().values()} == {"waiting"}
    ward.arrives("1.2", image=2)
    assert ward.listed()["1.2"].instances == 2
    first = ward.finds("1.2")
    assert [r.finding for r in ward.listed()["1.2"].raises] == ["lesion"]
    ward.tells(Kind.READING_OPENED, "1.2", by="ito")
    assert (ward.listed()["1.2"].state, ward.listed()["1.2"].reader) == ("open", "ito")
    ward.finds("1.2", Verdict.STRUCK, first)
    assert (ward.listed()["1.2"].ai, ward.listed()["1.2"].raises) == ("struck", ())
    ward.tells(Kind.READING_CLOSED, "1.2", by="ito")
    assert (ward.listed()["1.2"].state, ward.listed()["1.2"].reader) == ("waiting", "")
    ward.tells(Kind.READING_OPENED, "1.2", by="gray")
    ward.tells(Kind.REPORT_SIGNED, "1.2", "gray", report="digest")
    assert ward.listed()["1.2"].state == "signed"
    ward.tells(Kind.READING_OPENED, "1.2", by="gray")
    ward.tells(Kind.REPORT_AMENDED, "1.2", "gray", report="other")
    assert ward.listed()["1.2"].state == "signed"


def test_what_another_process_wrote_is_seen(ward: Ward) -> None:
    ward.arrives("1.2")
    assert ward.listed()["1.2"].state == "waiting"
    other = Database(f"sqlite:///{ward.folder / 'archive.sqlite'}")
    Journal(other).append(Event(Kind.READING_OPENED, NOON, "gray", "1.2", {"by": "gray"}))
    other.close()
    assert ward.listed()["1.2"].reader == "gray"


def test_only_what_changed_is_read_again(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        ward.arrives(f"1.{number}")
    ward.listing.waiting()
    read: list[str] = []
    listed = ward.index.listed

    def noted(uids: list[str] | None = None) -> list[tuple[Study, tuple[str, ...], int]]:
        found = listed(uids)
        read.extend(study.uid for study, _, _ in found)
        return found

    monkeypatch.setattr(ward.index, "listed", noted)
    assert len(ward.listing.waiting()) == 5 and read == [], "nothing was said, nothing is read"
    ward.tells(Kind.SIGNED_IN, "", address="x")
    assert len(ward.listing.waiting()) == 5 and read == [], "a sign-in changes no row"
    ward.finds("1.3")
    assert len(ward.listing.waiting()) == 5 and read == ["1.3"]


def test_a_result_that_cannot_be_read_raises_nothing_and_stops_no_list(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        ward.arrives(f"1.{number}", number + 1)
    ward.finds("1.2")

    def lost(digest: str) -> Result:
        raise NotFound(f"result {digest}", "its bytes are gone")

    monkeypatch.setattr(ward.index, "result", lost)
    rows = ward.listing.waiting()
    assert {row.raises for row in rows} == {()}
    now = NOON + timedelta(minutes=1)
    assert order(rows, now, with_ai=True) == order(rows, now, with_ai=False), "the plain list, exactly"


def test_law_a_kept_queue_is_the_one_that_would_be_ordered_anew(ward: Ward) -> None:
    """Whatever happened and however late it is: also when a limit comes near of itself, and past it."""
    for number in range(6):
        ward.arrives(f"1.{number}", number + 1)
    ward.finds("1.3")
    made: list[datetime] = []

    def asked(now: datetime, *, with_ai: bool = True) -> Queue:
        def anew(rows: list[Waiting]) -> Queue:
            made.append(now)
            return order(rows, now, with_ai=with_ai)

        kept = ward.listing.queue(("ito", with_ai), now, anew)
        assert kept == order(Listing(ward.index, ward.journal).waiting(), now, with_ai=with_ai)
        return kept

    first = asked(NOON + timedelta(minutes=1))
    assert first[0].waiting.study.uid == "1.3" and first[0].moved_up == 3
    assert asked(NOON + timedelta(minutes=2))[0].waits > first[0].waits and len(made) == 1, (
        "the same order, a later row"
    )
    ward.tells(Kind.QUERIED, "", level="WORKLIST")
    ward.tells(Kind.VIEWED, "1.2", what="results")
    assert asked(NOON + timedelta(minutes=3)) and len(made) == 1, "who looked changes no order"
    assert asked(NOON + timedelta(minutes=3), with_ai=False)[0].waiting.study.uid == "1.0" and len(made) == 2
    ward.finds("1.5")
    assert [e.moved_up for e in asked(NOON + timedelta(minutes=4))[:2]] == [3, 4] and len(made) == 3
    near = NOON + timedelta(hours=23, seconds=2)  # the limit of the first two is near now, of no other
    assert [e.waiting.study.uid for e in asked(near)[:2]] == ["1.0", "1.1"] and len(made) == 4
    assert asked(NOON + timedelta(minutes=5))[0].waiting.study.uid == "1.3", "an earlier moment is asked anew"


def test_queues_of_many_people_are_let_go(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isocenter.site.listing._MOST_QUEUES", 2)
    ward.arrives("1.2")
    made: list[str] = []

    def ask(name: str) -> None:
        ward.listing.queue((name,), NOON, lambda rows: (made.append(name), order(rows, NOON, with_ai=True))[1])

    for name in ("ito", "gray", "ito", "chief", "ito", "gray"):
        ask(name)
    assert made == ["ito", "gray", "chief", "gray"]


def test_after_many_changes_the_whole_list_is_read(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isocenter.site.listing._FEW", 3)
    ward.listing.waiting()
    for number in range(7):
        ward.arrives(f"1.{number}")
    assert sorted(ward.listed()) == [f"1.{n}" for n in range(7)]


def test_an_archive_that_was_put_back_to_an_older_copy_is_read_anew(ward: Ward, tmp_path: Path) -> None:
    ward.arrives("1.2")
    ward.arrives("1.3")
    ward.listing.waiting()
    older = Ward(tmp_path / "older")
    older.arrives("1.9")
    ward.listing.journal, ward.listing.index = older.journal, older.index
    assert [w.study.uid for w in ward.listing.waiting()] == ["1.9"]
    older.database.close()


def test_a_result_is_read_once(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    ward.arrives("1.2")
    ward.finds("1.2")
    before = ward.listing.waiting()
    monkeypatch.setattr(ward.index, "result", lambda digest: pytest.fail("read again"))
    ward.tells(Kind.READING_OPENED, "1.2", by="ito")
    (after,) = ward.listing.waiting()
    assert after == replace(before[0], state="open", reader="ito")
