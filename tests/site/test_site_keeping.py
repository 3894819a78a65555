"""A backup and a restore are events, and verbs of those who run the site."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from isocenter.errors import Forbidden
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
