"""Many files go in batch by batch, each answered in its place; what stops one batch stops what follows."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from isocenter.errors import Unavailable
from isocenter.record import Kind
from isocenter.site.receiving import Receiving
from isocenter.store import Blobs, Database, Index, Journal

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def made(number: int) -> bytes:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.88.11", f"1.2.3.{number + 1}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.PatientID, ds.Modality = "1.2", "1.2.3", "P", "SR"
    ds.ValueType, ds.ContentSequence = "CONTAINER", [Dataset()]
    held = BytesIO()
    ds.save_as(held, enforce_file_format=True)
    return held.getvalue()


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[dict[str, Any]]:
    database, blobs = Database(f"sqlite:///{tmp_path}/a.sqlite"), Blobs(str(tmp_path / "blobs"))
    yield {"database": database, "blobs": blobs, "journal": Journal(database, blobs), "clock": lambda: NOW}
    database.close()
    blobs.close()


@pytest.mark.parametrize("count", [0, 1, 64, 65, 200])
def test_every_file_is_answered_in_its_place(parts: dict[str, Any], count: int) -> None:
    files = [made(n) if n % 3 else made(n)[:-1] for n in range(count)]
    came = [files[0]] if count else []  # an image that is there already
    answers = Receiving(**parts).take(iter([*files, *came]), "S")
    assert [a.status for a in answers[:count]] == ["stored" if n % 3 else "rejected" for n in range(count)]
    assert [a.sop_uid for a in answers[:count] if a.sop_uid] == [f"1.2.3.{n + 1}" for n in range(count) if n % 3]
    assert all(a.status == "rejected" and a.reason for a in answers[count:])
    assert Index(parts["database"]).counts()["instances"] == sum(1 for n in range(count) if n % 3)
    refused = parts["journal"].since(kinds=[Kind.INSTANCES_REJECTED])
    assert sum(e.event.details["count"] for e in refused) == len([a for a in answers if a.status == "rejected"])


def test_one_batch_is_read_while_the_one_before_is_kept(parts: dict[str, Any]) -> None:
    """The first batch is held up at the disk until a file of the second was asked for."""
    asked = threading.Event()

    class Held(Blobs):
        def put_many(self, *given: Any, **more: Any) -> list[str]:
            assert asked.wait(20)
            return super().put_many(*given, **more)

    def files() -> Iterator[bytes]:
        for n in range(130):
            if n == 40:
                asked.set()
            yield made(n)

    blobs = Held(str(parts["blobs"].path(parts["blobs"].put(b"x")).parents[1]))
    answers = Receiving(**{**parts, "blobs": blobs}).take(files(), "S")
    assert {a.status for a in answers} == {"stored"} and len(answers) == 130


def test_one_alone_is_kept_early_only_where_it_is_new_and_whole(parts: dict[str, Any]) -> None:
    """The same image in another file, or half a file, leaves nothing behind that nobody asks for."""
    taking, blobs = Receiving(**parts), parts["blobs"]
    same = bytearray(made(1))
    same[0:4] = b"else"  # a preamble that another sender writes
    answers, going = [], []
    for data in (made(1), made(2)[:-1], bytes(same), made(1), made(3)):
        incoming = blobs.incoming()
        incoming.write(data)
        answers += taking.take([incoming], "S")
        going.append(incoming.going)
    assert [one.status for one in answers] == ["stored", "rejected", "there", "there", "stored"]
    assert going == [True, False, False, False, True]
    assert set(blobs.digests()) == {answers[0].digest, answers[4].digest}


def test_a_disk_that_fails_acknowledges_nothing(parts: dict[str, Any]) -> None:
    class Full(Blobs):
        def put_many(self, *_: Any, **__: Any) -> list[str]:
            raise Unavailable("the image could not be stored", "the disk is full")

    with pytest.raises(Unavailable, match="the disk is full"):
        Receiving(**{**parts, "blobs": Full("memory://")}).take([made(n) for n in range(200)], "S")
    assert Index(parts["database"]).counts()["instances"] == 0


def test_a_batch_is_written_while_the_one_before_is_indexed_and_comes_after_it(parts: dict[str, Any]) -> None:
    """The first is held up on its way into the index until the second is on disk; the second does not overtake it."""
    second_written = threading.Event()
    order: list[str] = []

    class Watched(Blobs):
        def put_many(self, many: Any, *given: Any, **more: Any) -> list[str]:
            kept = super().put_many(many, *given, **more)
            if made(40) in many:
                second_written.set()
            return kept

    class Slow(Database):
        def write_joined(self, joint: Any, item: Any) -> Any:
            if not order:
                assert second_written.wait(20)
            order.append(item.arrivals[0].sop_uid)
            return super().write_joined(joint, item)

    blobs = Watched(str(parts["blobs"].path(parts["blobs"].put(b"x")).parents[1]))
    database = Slow(str(parts["database"].url))
    taking = Receiving(database, blobs, Journal(database, blobs), lambda: NOW)
    assert {a.status for a in taking.take([made(n) for n in range(130)], "S")} == {"stored"}
    assert order == [f"1.2.3.{n + 1}" for n in range(0, 130, 32)]
    database.close()


def test_what_stops_one_batch_stops_those_that_are_written_already(parts: dict[str, Any]) -> None:
    second_written = threading.Event()

    class FullOnce(Blobs):
        def put_many(self, many: Any, *given: Any, **more: Any) -> list[str]:
            if any(made(0) == one for one in many):
                assert second_written.wait(20)
                raise Unavailable("the image could not be stored", "the disk is full")
            kept = super().put_many(many, *given, **more)
            second_written.set()
            return kept

    blobs = FullOnce(str(parts["blobs"].path(parts["blobs"].put(b"x")).parents[1]))
    with pytest.raises(Unavailable, match="the disk is full"):
        Receiving(**{**parts, "blobs": blobs}).take([made(n) for n in range(200)], "S")
    assert Index(parts["database"]).counts()["instances"] == 0
    assert {a.status for a in Receiving(**parts).take([made(n) for n in range(200)], "S")} == {"stored"}
