"""The law: index == fold(journal, blobs). Whatever happens to an archive, its index can be dropped and made again."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_samples import after, dump, image, made, pixels, result

from isocenter.errors import IsocenterError, NotFound
from isocenter.record import Event, Kind, Patient
from isocenter.store import Blobs, Database, Index, Journal, rebuild, receive
from isocenter.store.tables import PROJECTION

small = st.integers(0, 2)
names = st.sampled_from(["", "Doe^Jane", "Doe^Janet", "Yamada^Tarou=山田^太郎=やまだ^たろう"])
facts = st.dictionaries(st.sampled_from(["KVP", "Exposure", "EchoTime"]), st.sampled_from([1, 2.5, "x", [1, 2]]))

arrival = st.tuples(
    st.just("image"), st.integers(0, 4), small, small, st.integers(0, 1), names, facts, facts, st.booleans()
)
reading_event = st.tuples(
    st.just("event"),
    st.sampled_from(
        [
            Kind.READING_OPENED,
            Kind.READING_CLOSED,
            Kind.OPINION_LOCKED,
            Kind.REPORT_DRAFTED,
            Kind.REPORT_SIGNED,
            Kind.REPORT_AMENDED,
            Kind.VIEWED,
            Kind.PERSON_ADDED,
            Kind.PEER_ADDED,
            Kind.STUDY_HOMED,
        ]
    ),
    small,
    st.sampled_from(["anna", "bert"]),
)
change = st.tuples(
    st.just("change"),
    st.sampled_from(
        [
            Kind.OBJECTS_REJECTED,
            Kind.REJECTION_ENDED,
            Kind.OBJECTS_PURGED,
            Kind.PATIENTS_MERGED,
            Kind.STUDIES_MOVED,
            Kind.PATIENTS_UNDONE,
        ]
    ),
    small,
    st.integers(0, 3),
)
answer = st.tuples(st.just("result"), small, st.sampled_from(["machine", "person"]), st.booleans())
steps = st.lists(
    st.one_of(
        st.lists(arrival, min_size=1, max_size=6), st.lists(reading_event, min_size=1, max_size=2), answer, change
    ),
    max_size=14,
)


_UNDONE_BY = {
    Kind.REJECTION_ENDED: Kind.OBJECTS_REJECTED,
    Kind.OBJECTS_PURGED: Kind.OBJECTS_REJECTED,
    Kind.PATIENTS_UNDONE: Kind.PATIENTS_MERGED,
}


class Acts:
    """Lets a list of steps happen to an archive; what the archive refuses has not happened."""

    def __init__(self, archive: Any) -> None:
        self.archive, self.time, self.last = archive, 0, ""

    def __call__(self, one: Any) -> None:
        self.time += 1
        try:
            if one[0] == "change":
                self._change(*one[1:])
            elif isinstance(one, tuple):
                self._answer(*one[1:])
            elif one[0][0] == "image":
                files = [self._image(*each[1:]) for each in one]
                a = self.archive
                receive(a.database, a.blobs, a.journal, files, "SCANNER", after(self.time))
            else:
                self.archive.journal.append(*(self._event(*each[1:]) for each in one))
        except IsocenterError:
            pass

    def _image(self, n: int, series: int, study: int, who: int, name: str, shared: Any, own: Any, salt: bool) -> Any:
        patient = Patient(f"P{who}", name, None, "F" if salt else "", "")
        uid = f"1.2.{study}"
        one = image(n, study=uid, series=f"1.3.{series}", patient=patient, shared=shared, facts=own, accession=name[:2])
        return pixels(n, str(salt)), one

    def _event(self, kind: Kind, study: int, who: str) -> Event:
        details = {"report": f"r{self.time}", "role": "reader", "aet": "X", "port": self.time, "project": f"p{who}"}
        subject = who if kind in (Kind.PERSON_ADDED, Kind.PEER_ADDED) else f"1.2.{study}"
        return Event(kind, after(self.time), who, subject, details)

    def _change(self, kind: Kind, study: int, n: int) -> None:
        """Reject some of a study's images, or change whose studies are whose, or undo what stands."""
        said = self.archive.journal.since(kinds=(_UNDONE_BY.get(kind, kind),), limit=99)
        number = said[n % len(said)].number if said else 0
        subject = said[n % len(said)].event.subject if said else f"1.2.{study}"
        details: dict[str, Any] = {"rejection": number, "change": number, "reason": "x"}
        if kind is Kind.OBJECTS_REJECTED:
            subject = f"1.2.{study}"
            series = f"1.3.{n % 3}"
            details |= {"code": "113001", "instances": [f"{series}.{k}" for k in range(n + 1)]}
        elif kind is Kind.PATIENTS_MERGED:
            details |= {"from": {"id": f"P{n % 2}", "issuer": ""}, "into": {"id": f"P{(n + 1) % 2}", "issuer": ""}}
        elif kind is Kind.STUDIES_MOVED:
            into = {"id": f"P{n}", "issuer": "", "name": "New^One", "birth_date": None, "sex": "O"}
            details |= {"studies": [f"1.2.{study}"], "into": into}
        self.archive.journal.append(Event(kind, after(self.time), "anna", subject, details))

    def _answer(self, study: int, kind: str, replaces: bool) -> None:
        one = result(f"1.2.{study}", kind=kind, name=f"n{self.time % 4}", replaces=self.last if replaces else "")
        event = made(self.archive.blobs, one, self.time)
        self.archive.journal.append(event)
        self.last = event.details["result"]


@given(steps)
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_index_is_the_fold_of_the_journal(happenings: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        hold(f"sqlite:///{folder}/a.sqlite", happenings)


def hold(url: str, happenings: list[Any]) -> None:
    class Archive:
        database = Database(url)
        blobs = Blobs("memory://")
        journal = Journal(database, blobs)

    act = Acts(Archive)
    for one in happenings:
        act(one)
    before = dump(Archive.database)
    events = rebuild(Archive.database, Archive.blobs)
    assert dump(Archive.database) == before
    assert events == Archive.journal.verify() == Archive.journal.head()[0]
    counts = Index(Archive.database).counts()
    assert counts["instances"] == len(before["instance"]) and counts["series"] == len(before["series"])
    assert counts["studies"] == len(before["study"])
    Archive.database.close()


EVERYTHING = [
    [("image", n, n % 2, 0, 0, "Doe^Jane", {"KVP": n}, {"EchoTime": n}, False) for n in range(5)],
    [("image", 0, 0, 0, 0, "Doe^Jane", {"KVP": 1}, {}, True)],
    ("result", 0, "machine", False),
    ("result", 0, "person", True),
    [("event", Kind.READING_OPENED, 0, "anna"), ("event", Kind.OPINION_LOCKED, 0, "anna")],
    [("event", Kind.REPORT_DRAFTED, 0, "anna"), ("event", Kind.REPORT_SIGNED, 0, "anna")],
    [("event", kind, 0, "anna") for kind in (Kind.PERSON_ADDED, Kind.PEER_ADDED, Kind.STUDY_HOMED)],
    ("change", Kind.OBJECTS_REJECTED, 0, 0),
    [("image", 3, 2, 1, 1, "Doe^Janet", {}, {}, False)],
    ("change", Kind.PATIENTS_MERGED, 0, 0),
]


def test_the_law_on_both_databases(database_url: str) -> None:
    hold(database_url, EVERYTHING)


@pytest.mark.parametrize("lost", [table.name for table in PROJECTION])
def test_a_table_that_was_emptied_comes_back(archive: Any, lost: str) -> None:
    act = Acts(archive)
    for one in EVERYTHING:
        act(one)
    before = dump(archive.database)
    assert before[lost]
    with archive.database._begin() as connection:
        connection.exec_driver_sql(f"DELETE FROM {lost}")
    assert dump(archive.database) != before
    assert rebuild(archive.database, archive.blobs) == archive.journal.head()[0]
    assert dump(archive.database) == before


def test_a_rebuild_that_cannot_be_whole_leaves_the_old_index(archive: Any) -> None:
    event = made(archive.blobs, result())
    archive.journal.append(event)
    path: Path = archive.blobs.path(event.details["result"])
    before, kept = dump(archive.database), path.read_bytes()
    path.unlink()
    with pytest.raises(NotFound):
        rebuild(archive.database, archive.blobs)
    assert dump(archive.database) == before
    path.write_bytes(kept)
    assert rebuild(archive.database, archive.blobs) == 1


def test_readers_of_the_index_write_nothing(archive: Any) -> None:
    act = Acts(archive)
    for one in EVERYTHING:
        act(one)
    before = dump(archive.database)
    index = archive.index
    index.studies(), index.people(), index.peers(), index.counts(), index.results("1.2.0"), index.reading("1.2.0")
    for level in ("PATIENT", "STUDY", "SERIES", "IMAGE"):
        assert index.find(level, {})
    assert dump(archive.database) == before
