"""What the archive answers: studies whole and by page, results by chain, readings by their life, people."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from store_samples import NOON, after, image, made, pixels, result

from isocenter.errors import NotFound, Refused, WrongState
from isocenter.record import Event, Kind, Origin, Outcome, Patient, Result, Urgency
from isocenter.store import Index, receive


def take(archive: Any, *records: Any, seconds: float = 0.0) -> None:
    files = [(pixels(n, record.series[0].instances[0].sop_uid), record) for n, record in enumerate(records)]
    receive(archive.database, archive.blobs, archive.journal, files, "SCANNER", after(seconds))


def test_a_study_comes_back_whole_and_in_order(archive: Any) -> None:
    take(archive, image(10), image(2), image(1, series="1.2.1.7", modality="PT"), image(11, sop="1.2.1.1.z", facts={}))
    study = archive.index.study("1.2.1")
    assert study.modalities == ("CT", "PT") and study.instance_count == 4
    assert [i.number for i in study.series[0].instances] == [2, 10, 11]
    want = image(2)
    assert replace(study, series=(), arrived=None) == replace(want, series=())
    kept = study.series[0].instances[0]
    assert kept == replace(want.series[0].instances[0], digest=kept.digest, size=kept.size)
    assert study.arrived == NOON


def test_numbers_that_are_not_there_sort_last(archive: Any) -> None:
    take(archive, image(1), image(2))
    odd = image(3)
    nameless = replace(odd.series[0], instances=(replace(odd.series[0].instances[0], number=None),))
    take(archive, replace(odd, series=(nameless,)))
    assert [i.number for i in archive.index.study("1.2.1").series[0].instances] == [1, 2, None]


def test_what_is_not_there_is_not_found(archive: Any) -> None:
    for ask in (archive.index.study, archive.index.instance, archive.index.result):
        with pytest.raises(NotFound, match="archive has none"):
            ask("1.2.3")
    assert archive.index.known(["1.2.3"]) == {} and archive.index.person("nobody") is None
    assert archive.index.peer("nowhere") is None


def test_known_asks_for_thousands_at_once(archive: Any) -> None:
    take(archive, *(image(n) for n in range(3)))
    uids = [f"1.2.1.1.{n}" for n in range(1700)]
    assert sorted(archive.index.known(uids)) == sorted(uids[:3])


def test_pages_of_studies_are_stable(archive: Any) -> None:
    for n in range(7):
        patient = Patient(f"P{n}", f"Name{6 - n}")
        take(archive, image(1, study=f"1.2.{n}", patient=patient, date=date(2026, 1, n + 1)), seconds=n // 2)
    newest = archive.index.studies(limit=100)
    assert [s.uid for s in newest] == [f"1.2.{n}" for n in (6, 5, 4, 3, 2, 1, 0)]
    pages = [s.uid for start in range(0, 8, 3) for s in archive.index.studies(limit=3, offset=start)]
    assert pages == [s.uid for s in newest]
    assert [s.uid for s in archive.index.studies(order="name", limit=2)] == ["1.2.6", "1.2.5"]
    assert [s.uid for s in archive.index.studies(order="-date", limit=2)] == ["1.2.6", "1.2.5"]
    assert [s.uid for s in archive.index.studies({"PatientID": "P3"})] == ["1.2.3"]
    assert newest[0].modalities == ("CT",) and newest[0].series[0].instances == ()
    with pytest.raises(Refused, match="known are arrived"):
        archive.index.studies(order="size")


def test_a_late_instance_brings_its_study_to_the_top(archive: Any) -> None:
    take(archive, image(1, study="1.2.1"), seconds=0)
    take(archive, image(1, study="1.2.2"), seconds=1)
    take(archive, image(2, study="1.2.1"), seconds=2)
    top = archive.index.studies()[0]
    assert (top.uid, top.arrived) == ("1.2.1", after(2))


def tell(archive: Any, one: Result) -> str:
    event = made(archive.blobs, one)
    archive.journal.append(event)
    return str(event.details["result"])


def test_of_each_chain_the_latest(archive: Any) -> None:
    first = tell(archive, result(name="chest"))
    other = tell(archive, result(name="quality"))
    second = tell(archive, result(kind="person", name="anna", replaces=first))
    third = tell(archive, result(kind="person", name="bert", replaces=second))
    assert [digest for digest, _ in archive.index.results("1.2.1")] == [other, third]
    assert [digest for digest, _ in archive.index.results("1.2.1", replaced=True)] == [first, other, second, third]
    assert archive.index.results("1.2.2") == []
    assert archive.index.result(second) == result(kind="person", name="anna", replaces=first)


def test_results_come_back_as_they_were_and_heads_without_reading_them(archive: Any) -> None:
    one = Result(
        "1.2.1", Outcome.DECLINED, Origin("machine", "chest", "2"), NOON, ("no frontal view",), urgency=Urgency.SOON
    )
    digest = tell(archive, one)
    assert archive.index.results("1.2.1") == [(digest, one)]
    (head,) = Index(archive.database).result_heads(["1.2.1", "1.2.2"])["1.2.1"]
    assert {k: head[k] for k in ("digest", "outcome", "urgency", "origin", "name", "version")} == {
        "digest": digest,
        "outcome": "declined",
        "urgency": "soon",
        "origin": "machine",
        "name": "chest",
        "version": "2",
    }
    with pytest.raises(Refused, match="without the blobs"):
        Index(archive.database).result(digest)


def test_the_same_result_told_twice_is_one(archive: Any) -> None:
    tell(archive, result())
    tell(archive, result())
    assert len(archive.index.results("1.2.1", replaced=True)) == 1


def say(archive: Any, kind: Kind, who: str = "anna", seconds: float = 0.0, **details: Any) -> int:
    return int(archive.journal.append(Event(kind, after(seconds), who, "1.2.1", details))[0].number)


def test_the_life_of_a_reading(archive: Any) -> None:
    ask = lambda: archive.index.reading("1.2.1")  # noqa: E731
    empty = {"opened": None, "signed": None, "first": None, "draft": None, "assigned": ""}
    assert ask() == {"state": "waiting", "by": "", "reports": [], "version": 0, **empty}
    say(archive, Kind.REPORT_DRAFTED, "isocenter", report="machine draft")
    assert (ask()["state"], ask()["draft"]) == ("waiting", "machine draft")
    say(archive, Kind.READING_OPENED, seconds=5)
    assert (ask()["state"], ask()["by"], ask()["opened"]) == ("open", "anna", after(5).isoformat())
    say(archive, Kind.OPINION_LOCKED, report="first")
    say(archive, Kind.OPINION_LOCKED, report="second thoughts")
    assert ask()["first"] == "first"
    version = say(archive, Kind.REPORT_SIGNED, seconds=9, report="r1")
    assert ask() == {
        "state": "signed",
        "by": "anna",
        "reports": ["r1"],
        "version": version,
        "opened": after(5).isoformat(),
        "signed": after(9).isoformat(),
        "first": "first",
        "draft": None,
        "assigned": "",
    }
    say(archive, Kind.READING_OPENED, "bert")
    assert (ask()["state"], ask()["by"]) == ("amending", "bert")
    say(archive, Kind.REPORT_AMENDED, "bert", report="r2")
    assert (ask()["state"], ask()["reports"]) == ("signed", ["r1", "r2"])
    say(archive, Kind.READING_OPENED, "bert")
    say(archive, Kind.READING_CLOSED, "bert")
    assert (ask()["state"], ask()["by"]) == ("signed", "")
    assert set(archive.index.readings(["1.2.1", "1.2.2"])) == {"1.2.1", "1.2.2"}


@pytest.mark.parametrize("kind", [Kind.REPORT_SIGNED, Kind.REPORT_AMENDED, Kind.READING_CLOSED])
def test_what_was_not_opened_cannot_be_ended(archive: Any, kind: Kind) -> None:
    with pytest.raises(WrongState, match="possible are: assign, open"):
        say(archive, kind, report="r")
    assert archive.index.reading("1.2.1")["state"] == "waiting" and archive.journal.since() == []


def test_a_study_is_read_by_one(archive: Any) -> None:
    say(archive, Kind.READING_OPENED, "anna")
    with pytest.raises(WrongState):
        say(archive, Kind.READING_OPENED, "bert")


def test_a_signature_names_its_report(archive: Any) -> None:
    say(archive, Kind.READING_OPENED)
    with pytest.raises(Refused, match="signature without a report"):
        say(archive, Kind.REPORT_SIGNED)


def test_a_correction_is_a_new_version_and_a_machines_result_is_not(archive: Any) -> None:
    opened = say(archive, Kind.READING_OPENED)
    tell(archive, result(name="late"))
    assert archive.index.reading("1.2.1")["version"] == opened
    tell(archive, result(kind="person", name="anna"))
    assert archive.index.reading("1.2.1")["version"] == opened + 2


def test_people_and_peers(archive: Any) -> None:
    append = archive.journal.append
    append(Event(Kind.PERSON_ADDED, NOON, "admin", "anna", {"role": "reader", "credential": "$argon2id$…"}))
    append(Event(Kind.PERSON_ADDED, after(1), "admin", "anna", {"disabled": True}))
    append(Event(Kind.PERSON_ADDED, after(1), "admin", "aaron", {"role": "admin"}))
    assert archive.index.person("anna") == {
        "name": "anna",
        "role": "reader",
        "credential": "$argon2id$…",
        "disabled": True,
        "added": NOON.isoformat(),
    }
    assert [one["name"] for one in archive.index.people()] == ["aaron", "anna"]
    append(
        Event(
            Kind.PEER_ADDED, NOON, "admin", "PACS", {"aet": "PACS1", "host": "10.0.0.1", "port": 104, "kind": "dimse"}
        )
    )
    append(Event(Kind.PEER_ADDED, NOON, "admin", "PACS", {"port": 11112}))
    assert archive.index.peer("PACS") == {
        "name": "PACS",
        "aet": "PACS1",
        "host": "10.0.0.1",
        "port": 11112,
        "kind": "dimse",
    }


def test_counts(archive: Any) -> None:
    take(archive, image(1), image(2), image(1, study="1.2.2"))
    tell(archive, result())
    counts = archive.index.counts()
    assert {k: counts[k] for k in ("studies", "series", "instances", "results", "set_aside", "events")} == {
        "studies": 2,
        "series": 2,
        "instances": 3,
        "results": 1,
        "set_aside": 0,
        "events": 3,
    }
    assert counts["bytes"] == sum(
        i["size"] for e in archive.journal.since() for i in e.event.details.get("instances", [])
    )
