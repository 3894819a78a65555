"""A backup and a restore are events, and verbs of those who run the site."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from isocenter.errors import Conflict, Forbidden, NotFound, Refused
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.record import Event, Kind
from isocenter.site.keeping import Keeping
from isocenter.store import Blobs, Database, Journal

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def opened(folder: Path) -> Keeping:
    database, blobs = Database(f"sqlite:///{folder}/a.sqlite"), Blobs(str(folder / "blobs"))
    return Keeping(database, blobs, Journal(database, blobs), lambda: NOON)


def test_both_are_written_down_and_for_those_who_run_the_site(tmp_path: Path) -> None:
    first, second = opened(tmp_path / "first"), opened(tmp_path / "second")
    first.journal.append(Event(Kind.STARTED, NOON, "isocenter"))
    reader = Person("ito", Role.READER)
    with pytest.raises(Forbidden):
        first.backup(tmp_path / "copy", who=reader)
    assert first.backup(tmp_path / "copy", who=HOUSE).entries == 1
    with pytest.raises(Forbidden):
        second.restore(tmp_path / "copy", who=reader)
    assert second.restore(tmp_path / "copy", who=HOUSE).entries == 1
    assert [s.event.kind for s in first.journal.since()] == [Kind.STARTED, Kind.BACKED_UP]
    assert [s.event.kind for s in second.journal.since()] == [Kind.STARTED, Kind.RESTORED]
    for one in (first, second):
        one.database.close()
        one.blobs.close()


def test_a_rehearsal_restores_the_backup_and_leaves_nothing_but_its_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch, copy = tmp_path / "scratch", tmp_path / "copy"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    one, other = opened(tmp_path / "one"), opened(tmp_path / "other")
    one.journal.append(Event(Kind.STARTED, NOON, "isocenter"))
    other.journal.append(Event(Kind.STARTED, NOON, "another"))
    assert one.last(who=HOUSE) == {"made": None, "tested": None}
    with pytest.raises(NotFound):
        one.rehearse(copy, who=HOUSE)
    one.backup(copy, who=HOUSE)
    with pytest.raises(Forbidden):
        one.rehearse(copy, who=Person("ito", Role.READER))
    with pytest.raises(Conflict, match="another archive"):
        other.rehearse(copy, who=HOUSE)
    assert one.last(who=HOUSE) == {"made": NOON.isoformat(), "tested": None}, "made is not tried"
    done = one.rehearse(copy, who=HOUSE)
    told = one.last(who=HOUSE)["tested"]
    assert (told["passed"], told["entries"], told["hash"], told["missing"]) == (True, 1, done.hash, 0)
    lines = next((copy / "journal").glob("*.jsonl"))
    lines.write_text(lines.read_text().replace('"isocenter"', '"somebody"'))
    with pytest.raises(Refused, match="entry 1 of the backup"):
        one.rehearse(copy, who=HOUSE)
    told = one.last(who=HOUSE)["tested"]
    assert (told["passed"], told["why"]) == (False, "entry 1 of the backup is not what was sealed")
    assert list(scratch.iterdir()) == []
    for kept in (one, other):
        kept.database.close()
        kept.blobs.close()
