"""Receiving: the same again is a success, another image under a taken identity is set aside, nothing is overwritten."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import threading
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from store_samples import NOON, after, dump, image, pixels

from isocenter.errors import Refused, Unavailable
from isocenter.record import Kind, Patient, Study
from isocenter.store import Blobs, rebuild, receive
from isocenter.store.disk import Disk


def take(archive: Any, *files: tuple[bytes, Study], sender: str = "SCANNER", now: Any = NOON, blobs: Any = None) -> Any:
    return receive(archive.database, blobs or archive.blobs, archive.journal, files, sender, now)


def test_an_image_is_stored_with_what_its_header_says(archive: Any) -> None:
    (stored,) = take(archive, (pixels(), image()))
    assert (stored.status, stored.sop_uid, stored.reason) == ("stored", "1.2.1.1.1", "")
    assert archive.blobs.get(stored.digest) == pixels()
    study, series, instance = archive.index.instance("1.2.1.1.1")
    assert (instance.digest, instance.size) == (stored.digest, len(pixels()))
    assert study.patient == image().patient and study.arrived == NOON
    assert series.facts == {"PixelSpacing": [0.7, 0.7]} and instance.facts == {"ImagePositionPatient": [0.0, 0.0, 1.0]}
    (entry,) = archive.journal.since(kinds=[Kind.INSTANCES_RECEIVED])
    assert entry.event.who == "SCANNER" and entry.event.subject == "1.2.1"
    (told,) = entry.event.details["instances"]
    assert {k: told[k] for k in ("sop_uid", "series_uid", "study_uid", "digest")} == {
        "sop_uid": "1.2.1.1.1",
        "series_uid": "1.2.1.1",
        "study_uid": "1.2.1",
        "digest": stored.digest,
    }


def test_what_is_sealed_of_an_arrival_is_the_canonical_text_of_what_is_read_back(archive: Any) -> None:
    odd: dict[Any, Any] = {
        7: "",
        10: "",
        "B": (1, 2.5),
        "a": {"Ä": [True, None, np.float32(0.5)], "\0": date(2026, 1, 2)},
        "name": "見\ud800\0",
    }
    take(archive, (pixels(), image(facts=odd)), (pixels(2), image(2, shared={"Rows": 7})))
    assert all(entry.is_whole() for entry in archive.journal.since()) and archive.journal.verify() == 1


def test_the_same_again_changes_nothing(archive: Any) -> None:
    take(archive, (pixels(), image()))
    before, head = dump(archive.database), archive.journal.head()
    (again,) = take(archive, (pixels(), image()), sender="OTHER", now=after(9))
    assert again.status == "there"
    assert dump(archive.database) == before and archive.journal.head() == head


def test_the_same_twice_in_one_call(archive: Any) -> None:
    answers = take(archive, (pixels(), image()), (pixels(), image()), (pixels(salt="other"), image()))
    assert [a.status for a in answers] == ["stored", "there", "conflict"]
    assert archive.index.counts()["instances"] == 1


def test_another_image_under_a_taken_uid_is_set_aside(archive: Any) -> None:
    (first,) = take(archive, (pixels(), image()))
    (second,) = take(archive, (pixels(salt="edited"), image()), sender="OTHER", now=after(1))
    assert second.status == "conflict" and "with other content" in second.reason
    assert archive.index.known(["1.2.1.1.1"]) == {"1.2.1.1.1": first.digest}
    assert archive.blobs.get(first.digest) == pixels() and archive.blobs.get(second.digest) == pixels(salt="edited")
    (kept,) = archive.index.set_aside()
    assert (kept["digest"], kept["sender"], kept["reason"]) == (second.digest, "OTHER", second.reason)
    assert len(archive.journal.since(kinds=[Kind.INSTANCE_SET_ASIDE])) == 1
    (third,) = take(archive, (pixels(salt="edited"), image()), sender="OTHER", now=after(2))  # the sender tries again
    assert third.status == "conflict" and len(archive.journal.since(kinds=[Kind.INSTANCE_SET_ASIDE])) == 1


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (image(2, study="1.2.2", series="1.2.1.1"), "series 1.2.1.1 belongs to study 1.2.1, not 1.2.2"),
        (image(2, patient=Patient("P2")), "study 1.2.1 belongs to another patient than 'P2'"),
        (image(2, patient=Patient("P1", issuer="ELSEWHERE")), "study 1.2.1 belongs to another patient"),
        (image(2, study="1.2.2", series="1.2.2.1", sop="1.2.1.1.1"), "SOP Instance UID 1.2.1.1.1 is here already"),
    ],
)
@pytest.mark.parametrize("together", [True, False])
def test_identities_that_contradict_each_other_are_set_aside(
    archive: Any, second: Study, reason: str, together: bool
) -> None:
    files = [(pixels(1), image(1)), (pixels(2), second)]
    answers = take(archive, *files) if together else [*take(archive, files[0]), *take(archive, files[1])]
    assert [a.status for a in answers] == ["stored", "conflict"]
    assert reason in answers[1].reason
    assert re.search(r": it is set aside, and nothing is overwritten\. (Give|Correct) .+\.$", answers[1].reason)
    assert archive.index.counts() | {"events": 0, "bytes": 0} == {
        "studies": 1,
        "series": 1,
        "instances": 1,
        "results": 0,
        "set_aside": 1,
        "events": 0,
        "bytes": 0,
    }


def test_a_corrected_name_is_no_conflict(archive: Any) -> None:
    take(archive, (pixels(1), image(1)))
    corrected = Patient("P1", "Doe^Janet", None, "", "HOSPITAL")
    (second,) = take(archive, (pixels(2), image(2, patient=corrected)), now=after(1))
    assert second.status == "stored"
    (row,) = archive.index.find("PATIENT", {})
    assert (row["PatientName"], row["PatientBirthDate"], row["PatientSex"]) == ("Doe^Janet", "19700102", "F")
    assert archive.index.study("1.2.1").patient.name == "Doe^Jane"  # the study keeps what it came with


def test_a_fact_of_the_series_holds_for_all_of_it(archive: Any) -> None:
    """What instances disagree on becomes each one's own, in whatever order and call they come."""
    take(archive, (pixels(1), image(1, shared={"KVP": 120, "Exposure": 5, "Maker": "A"})))
    take(
        archive,
        (pixels(2), image(2, shared={"KVP": 120, "Exposure": 6, "Maker": "A"})),
        (pixels(3), image(3, shared={"KVP": 120, "Exposure": 5, "Maker": "A"})),
        (pixels(4), image(4, shared={"KVP": 120, "Maker": "A", "Late": 1})),
    )
    (series,) = archive.index.study("1.2.1").series
    assert series.facts == {"KVP": 120, "Maker": "A"}
    own = [{k: v for k, v in i.facts.items() if k != "ImagePositionPatient"} for i in series.instances]
    assert own == [{"Exposure": 5}, {"Exposure": 6}, {"Exposure": 5}, {"Late": 1}]


def test_empty_words_are_filled_by_later_instances(archive: Any) -> None:
    take(
        archive,
        (pixels(1), image(1, accession="", description="")),
        (pixels(2), image(2, accession="A7", description="")),
    )
    take(archive, (pixels(3), image(3, accession="A8", description="CT abdomen", study="1.2.1")))
    (row,) = archive.index.find("STUDY", {})
    assert (row["AccessionNumber"], row["StudyDescription"]) == ("A7", "CT abdomen")


def test_what_no_database_can_hold_is_replaced_and_not_lost(archive: Any) -> None:
    strange = Patient("P\0X", "Doe\ud800^Jane", None, "", "")
    (stored,) = take(archive, (pixels(), image(patient=strange, facts={"Comment": "a\0b\ud800"})))
    assert stored.status == "stored" and archive.journal.verify() == 1
    (row,) = archive.index.find("STUDY", {})
    assert (row["PatientID"], row["PatientName"]) == ("P\ufffdX", "Doe?^Jane")
    assert take(archive, (pixels(2), image(2, patient=strange)))[0].status == "stored"


def test_a_record_must_be_of_one_instance_with_its_uids(archive: Any) -> None:
    with pytest.raises(Refused, match="exactly one instance"):
        take(archive, (pixels(), Study("1.2", Patient("P"))))
    with pytest.raises(Refused, match="without Study Instance UID"):
        take(archive, (pixels(), image(study="", series="1.1")))
    assert archive.index.counts()["instances"] == 0


def test_a_large_batch_over_many_studies(archive: Any) -> None:
    files = [(pixels(n), image(n, study=f"1.2.{n % 3}")) for n in range(1100)]
    assert {a.status for a in take(archive, *files)} == {"stored"}
    assert archive.index.counts()["instances"] == 1100
    sizes = [len(e.event.details["instances"]) for e in archive.journal.since(kinds=[Kind.INSTANCES_RECEIVED])]
    assert sum(sizes) == 1100 and max(sizes) <= 250
    (series,) = archive.index.study("1.2.2").series
    assert [i.number for i in series.instances] == sorted(range(2, 1100, 3))


def test_many_senders_of_the_same_study(archive: Any) -> None:
    """64 senders, every image sent by two of them, names written in two ways: each is stored once and there once."""
    statuses: list[str] = []
    names = (Patient("P1", "Doe^Jane"), Patient("P1", "DOE^JANE^^^"))

    def send(k: int) -> None:
        for n in range(3):
            number = (k // 2) * 3 + n
            one = image(number, patient=names[k // 2 % 2])
            statuses.append(take(archive, (pixels(number), one), sender=f"S{k}")[0].status)

    threads = [threading.Thread(target=send, args=(k,)) for k in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses.count("stored") == 96 and statuses.count("there") == 96
    (row,) = archive.index.find("STUDY", {})
    assert (row["NumberOfStudyRelatedSeries"], row["NumberOfStudyRelatedInstances"]) == (1, 96)
    assert archive.index.counts()["instances"] == 96 and archive.journal.verify() >= 1
    before = dump(archive.database)
    rebuild(archive.database, archive.blobs)
    assert dump(archive.database) == before


class FullDisk(Disk):
    def __init__(self) -> None:
        self.room = 10**9

    def write(self, descriptor: int, data: memoryview) -> int:
        if len(data) > self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(descriptor, data)


def test_a_full_disk_acknowledges_nothing_and_the_next_image_goes_in(archive: Any, tmp_path: Path) -> None:
    disk = FullDisk()
    blobs = Blobs(str(tmp_path / "small"), disk=disk)
    disk.room = 10
    with pytest.raises(Unavailable, match=r"the disk is full\. Free some space"):
        take(archive, (pixels(1), image(1)), blobs=blobs)
    assert archive.journal.head()[0] == 0 and archive.index.known(["1.2.1.1.1"]) == {}
    assert list(blobs.digests()) == []
    disk.room = 10**9
    assert take(archive, (pixels(1), image(1)), blobs=blobs)[0].status == "stored"


def framed(head: bytes, number: int = 1) -> bytes:
    """An image behind one of several headers, as files have it."""
    return head + b"|" + pixels(number)


def unframed(one: bytes, other: bytes) -> bool:
    return one.split(b"|")[1] == other.split(b"|")[1]


def by_content(archive: Any, *files: tuple[bytes, Study]) -> Any:
    return receive(archive.database, archive.blobs, archive.journal, files, "S", NOON, same=unframed)


def test_the_same_image_behind_another_header_is_there(archive: Any) -> None:
    (first,) = by_content(archive, (framed(b"A"), image()))
    before, head, kept = dump(archive.database), archive.journal.head(), set(archive.blobs.digests())
    again, new = by_content(archive, (framed(b"B"), image()), (framed(b"B", 2), image(2)))
    assert (again.status, again.digest, new.status) == ("there", first.digest, "stored")
    assert set(archive.blobs.digests()) - kept == {new.digest}
    (alone,) = by_content(archive, (framed(b"C"), image()))
    assert alone.status == "there" and archive.journal.head()[0] == head[0] + 1
    assert before != dump(archive.database) and archive.index.instance("1.2.1.1.1")[2].digest == first.digest


def test_other_content_behind_another_header_is_set_aside(archive: Any) -> None:
    by_content(archive, (framed(b"A"), image()))
    (other,) = by_content(archive, (framed(b"B", 7), image()))
    assert other.status == "conflict" and archive.blobs.get(other.digest) == framed(b"B", 7)


def test_the_same_image_behind_two_headers_in_one_call(archive: Any) -> None:
    first, second = by_content(archive, (framed(b"A"), image()), (framed(b"B"), image()))
    assert (first.status, second.status, second.digest) == ("stored", "there", first.digest)


def test_what_cannot_be_compared_with_a_damaged_blob_is_set_aside(archive: Any) -> None:
    (first,) = by_content(archive, (framed(b"A"), image()))
    archive.blobs.path(first.digest).write_bytes(b"the disk forgot")
    (second,) = by_content(archive, (framed(b"B"), image()))
    assert second.status == "conflict" and archive.blobs.get(second.digest) == framed(b"B")


def test_the_same_bytes_mend_a_damaged_blob(archive: Any) -> None:
    (first,) = take(archive, (pixels(), image()))
    archive.blobs.path(first.digest).write_bytes(b"the disk forgot")
    assert take(archive, (pixels(), image()))[0].status == "there"
    assert archive.blobs.get(first.digest) == pixels()


class HeldDisk(Disk):
    """Its first flush waits for a sign, and fails where it shall."""

    def __init__(self, fails: bool = False) -> None:
        self.begun, self.go, self.fails = threading.Event(), threading.Event(), fails

    def flush(self, descriptor: int) -> None:
        if not self.begun.is_set():
            self.begun.set()
            assert self.go.wait(20)
            if self.fails:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().flush(descriptor)


@pytest.mark.parametrize("fails", [False, True])
def test_one_image_is_indexed_while_it_is_flushed_and_not_before_it_is(
    archive: Any, tmp_path: Path, fails: bool
) -> None:
    Blobs(str(tmp_path / "held"))
    disk = HeldDisk(fails)
    disk.begun.set()
    blobs = Blobs(str(tmp_path / "held"), disk=disk)
    disk.begun.clear()
    digest, said = hashlib.sha256(pixels()).hexdigest(), list[Any]()

    def send() -> None:
        given = (pixels(), image(digest=digest))
        try:
            said.extend(receive(archive.database, blobs, archive.journal, [given], "S", NOON, measured=True))
        except Unavailable as told:
            said.append(told)

    sender = threading.Thread(target=send)
    sender.start()
    assert disk.begun.wait(20)
    while not archive.database.busy:
        pass
    assert archive.index.known(["1.2.1.1.1"]) == {} and not said
    disk.go.set()
    sender.join(20)
    if fails:
        assert isinstance(said[0], Unavailable) and archive.journal.head()[0] == 0 and list(blobs.digests()) == []
    else:
        assert said[0].status == "stored" and archive.index.known(["1.2.1.1.1"]) == {"1.2.1.1.1": digest}
        assert blobs.get(digest) == pixels()
    blobs.close()


def test_those_who_wait_are_written_down_together(archive: Any) -> None:
    """Five senders while a transaction is held up: one entry for each sender and study, each has its own answer."""
    entered, go = threading.Event(), threading.Event()

    def slow(_: Any) -> None:
        entered.set()
        assert go.wait(20)

    answers: dict[int, Any] = {}

    def send(n: int) -> None:
        one = image(3 if n == 4 else n)  # the fifth has the identity of the fourth
        (answers[n],) = take(archive, (pixels(n), one), sender="A" if n < 3 else "B", now=after(n))

    threads = [threading.Thread(target=archive.database.write, args=(slow,))]
    threads += [threading.Thread(target=send, args=(n,)) for n in range(5)]
    threads[0].start()
    assert entered.wait(20)
    for thread in threads[1:]:
        thread.start()
    while len(archive.database._waiting) < 5:
        pass
    go.set()
    for thread in threads:
        thread.join(20)
    assert [answers[n].status for n in range(3)] == ["stored"] * 3
    assert sorted(answers[n].status for n in (3, 4)) == ["conflict", "stored"]
    events = [e.event for e in archive.journal.since()]
    assert sorted((e.who, e.kind.value) for e in events) == [
        ("A", "InstancesReceived"), ("B", "InstanceSetAside"), ("B", "InstancesReceived"),
    ]  # fmt: skip
    (first,) = [e for e in events if e.who == "A"]
    assert len(first.details["instances"]) == 3 and first.time == after(2)
    before = dump(archive.database)
    rebuild(archive.database, archive.blobs)
    assert dump(archive.database) == before and archive.journal.verify() == 3
