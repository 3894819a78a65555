"""A restored archive is the archive: the same journal, the same index, the same bytes; up to any moment of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from store_samples import after, dump, image, made, pixels, result

from isocenter.errors import Conflict, NotFound, Refused, Unavailable
from isocenter.record import Event, Kind
from isocenter.store import Blobs, Database, Journal, receive
from isocenter.store.backup import backup, restore


@dataclass
class Archive:
    database: Database
    blobs: Blobs
    journal: Journal

    def take(self, number: int, *, study: str = "1.2.1", seconds: float = 0) -> None:
        one = (pixels(number), image(number, study=study, digest=""))
        receive(self.database, self.blobs, self.journal, [one], "CT1", after(seconds))


@pytest.fixture
def new(tmp_path: Path) -> Iterator[Any]:
    opened: list[Archive] = []

    def make(name: str) -> Archive:
        database, blobs = Database(f"sqlite:///{tmp_path}/{name}/a.sqlite"), Blobs(str(tmp_path / name / "blobs"))
        opened.append(Archive(database, blobs, Journal(database, blobs)))
        return opened[-1]

    yield make
    for one in opened:
        one.database.close()
        one.blobs.close()


def filled(new: Any) -> Archive:
    one: Archive = new("first")
    for n in range(1, 6):
        one.take(n, seconds=n)
    one.journal.append(made(one.blobs, result(), 10))
    one.journal.append(Event(Kind.READING_OPENED, after(11), "anna", "1.2.1"))
    return one


def test_what_is_restored_is_the_archive_and_goes_on(new: Any, tmp_path: Path) -> None:
    first = filled(new)
    done = backup(first.database, first.blobs, tmp_path / "copy")
    assert (done.entries, done.new_entries, done.blobs, done.damaged) == (7, 7, 6, [])
    second = new("second")
    again = restore(tmp_path / "copy", second.database, second.blobs)
    assert (again.entries, again.hash) == first.journal.head() and not again.missing
    assert dump(second.database) == dump(first.database)
    assert second.journal.since(limit=99) == first.journal.since(limit=99)
    assert set(second.blobs.digests()) == set(first.blobs.digests()) and list(second.blobs.scrub()) == []
    second.take(9, seconds=99)
    assert second.journal.verify() == 8


def test_what_was_purged_and_came_anew_is_in_the_next_backup(new: Any, tmp_path: Path) -> None:
    first = filled(new)
    backup(first.database, first.blobs, tmp_path / "copy")
    digest, gone = (first.blobs.put(pixels(n)) for n in (1, 2))
    which = ["1.2.1.1.1", "1.2.1.1.2"]
    said = {"code": "113001", "instances": which, "reason": "x"}
    (entry,) = first.journal.append(Event(Kind.OBJECTS_REJECTED, after(19), "anna", "1.2.1", said))
    told = {"rejection": entry.number, "instances": which, "digests": [digest, gone]}
    first.journal.append(Event(Kind.OBJECTS_PURGED, after(20), "bert", "1.2.1", told))
    assert first.blobs.remove(digest) and first.blobs.remove(gone)
    assert backup(first.database, first.blobs, tmp_path / "copy").forgotten == 2
    first.take(1, seconds=30)
    assert first.blobs.put(pixels(1)) == digest
    for _ in range(2):  # and stays there
        assert backup(first.database, first.blobs, tmp_path / "copy").damaged == []
        kept = Blobs(str(tmp_path / "copy" / "blobs"))
        assert kept.get(digest) == pixels(1) and gone not in kept
        kept.close()


def test_a_second_backup_takes_what_is_new(new: Any, tmp_path: Path) -> None:
    first = filled(new)
    backup(first.database, first.blobs, tmp_path / "copy")
    assert backup(first.database, first.blobs, tmp_path / "copy").new_blobs == 0
    first.take(6, seconds=20)
    done = backup(first.database, first.blobs, tmp_path / "copy")
    assert (done.new_entries, done.new_blobs, done.blobs) == (1, 1, 7)
    second = new("second")
    restore(tmp_path / "copy", second.database, second.blobs)
    assert dump(second.database) == dump(first.database)


@pytest.mark.parametrize("last", range(1, 8))
def test_as_it_was_after_any_entry(new: Any, tmp_path: Path, last: int) -> None:
    first = filled(new)
    backup(first.database, first.blobs, tmp_path / "copy")
    then = new("then")
    done = restore(tmp_path / "copy", then.database, then.blobs, entry=last)
    assert (done.entries, done.of) == (last, 7)
    assert then.journal.since(limit=99) == first.journal.since(limit=last)
    assert len(dump(then.database)["instance"]) == min(last, 5)


def test_as_it_was_at_a_time(new: Any, tmp_path: Path) -> None:
    first = filled(new)
    backup(first.database, first.blobs, tmp_path / "copy")
    then = new("then")
    assert restore(tmp_path / "copy", then.database, then.blobs, until=after(3.5)).entries == 3
    with pytest.raises(NotFound, match="begins later"):
        restore(tmp_path / "copy", new("never").database, then.blobs, until=after(-1))


def test_a_backup_that_was_broken_off_is_the_one_before_it(new: Any, tmp_path: Path) -> None:
    first = filled(new)
    copy = tmp_path / "copy"
    backup(first.database, first.blobs, copy)
    head = (copy / "head.json").read_bytes()
    first.take(6, seconds=20)
    backup(first.database, first.blobs, copy)
    (copy / "head.json").write_bytes(head)  # killed before its last word
    (copy / "journal" / ".000000000009.jsonl.0123abcd.part").write_bytes(b'{"half')
    second = new("second")
    assert restore(copy, second.database, second.blobs).entries == 7
    assert backup(first.database, first.blobs, copy).entries == 8
    assert not list((copy / "journal").glob("*.part"))  # with those that begin with a dot
    assert restore(copy, new("third").database, second.blobs).entries == 8


def test_a_backup_that_was_changed_is_refused_and_nothing_is_restored(new: Any, tmp_path: Path) -> None:
    first = filled(new)
    copy = tmp_path / "copy"
    backup(first.database, first.blobs, copy)
    journal = next((copy / "journal").glob("*.jsonl"))
    lines = journal.read_text("utf-8").splitlines(keepends=True)
    second = new("second")
    for wrong in (
        [*lines[:2], lines[2].replace("CT1", "CT2"), *lines[3:]],
        [*lines[:2], *lines[3:]],
        [lines[1], lines[0], *lines[2:]],
        lines[:-1],
        [*lines[:2], "{half", *lines[3:]],
    ):
        journal.write_text("".join(wrong), "utf-8")
        with pytest.raises(Refused):
            restore(copy, second.database, second.blobs)
        assert second.journal.head()[0] == 0
    journal.write_text("".join(lines), "utf-8")
    assert restore(copy, second.database, second.blobs).entries == 7


def test_what_is_damaged_is_named_on_both_ways(new: Any, tmp_path: Path) -> None:
    first = filled(new)
    copy = tmp_path / "copy"
    digests = sorted(first.blobs.digests())
    changed = first.blobs.path(digests[0])
    assert changed is not None
    kept = changed.read_bytes()
    changed.write_bytes(kept[:-1] + b"!")
    assert backup(first.database, first.blobs, copy).damaged[0].startswith(digests[0])
    changed.write_bytes(kept)
    assert backup(first.database, first.blobs, copy).new_blobs == 1
    images = [row[5] for row in dump(first.database)["instance"]]
    (copy / "blobs" / images[0][:2] / images[0]).write_bytes(b"bit rot")
    second = new("second")
    assert restore(copy, second.database, second.blobs).missing == (images[0],)
    (copy / "blobs" / images[1][:2] / images[1]).unlink()
    third = new("third")
    assert restore(copy, third.database, third.blobs).missing == (images[0], images[1])


def test_two_pasts_are_not_made_one(new: Any, tmp_path: Path) -> None:
    first, other = filled(new), new("other")
    other.take(7)
    backup(first.database, first.blobs, tmp_path / "copy")
    with pytest.raises(Conflict, match="another archive"):
        backup(other.database, other.blobs, tmp_path / "copy")
    with pytest.raises(Conflict, match="two pasts"):
        restore(tmp_path / "copy", other.database, other.blobs)


def test_no_backup_a_newer_one_and_a_place_that_takes_none(new: Any, tmp_path: Path) -> None:
    first = filled(new)
    with pytest.raises(NotFound, match="no head"):
        restore(tmp_path / "nothing", first.database, first.blobs)
    copy = tmp_path / "copy"
    backup(first.database, first.blobs, copy)
    with pytest.raises(NotFound, match="1 to 7"):
        restore(copy, new("second").database, first.blobs, entry=8)
    head = json.loads((copy / "head.json").read_text())
    (copy / "head.json").write_text(json.dumps(head | {"form": 2}))
    with pytest.raises(Refused, match="newer"):
        restore(copy, new("third").database, first.blobs)
    (copy / "head.json").write_text("{")
    with pytest.raises(Refused, match="damaged"):
        restore(copy, new("fourth").database, first.blobs)
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(Unavailable):
        backup(first.database, first.blobs, tmp_path / "file" / "copy")


def test_from_one_database_into_the_other(archive: Any, new: Any, tmp_path: Path) -> None:
    first = filled(new)
    backup(first.database, first.blobs, tmp_path / "copy")
    restore(tmp_path / "copy", archive.database, archive.blobs)
    assert dump(archive.database) == dump(first.database)
