"""A disk that fills up amid a folder: the ledger adds up and names what is not kept; a second run completes."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from isocenter import app as opening
from isocenter.cli import app
from isocenter.cli.archive import ledger
from isocenter.site.receiving import Receiving
from isocenter.store import Blobs, Database, Journal
from isocenter.store.disk import Disk
from isocenter.testing.crooked import image, written

NOW = datetime(2026, 11, 27, tzinfo=UTC)
COUNT = 400  # several batches


class SmallDisk(Disk):
    """Takes so many bytes and no more."""

    def __init__(self, room: int) -> None:
        self.room = room

    def write(self, descriptor: int, data: memoryview) -> int:
        if len(data) > self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room -= len(data)
        return super().write(descriptor, data)


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    import random

    rng = random.Random(4)
    (tmp_path / "scans").mkdir()
    for n in range(COUNT):
        (tmp_path / "scans" / f"{n:03}.dcm").write_bytes(written(image(rng)))
    (tmp_path / "scans" / "notes.txt").write_text("no image")
    return tmp_path / "scans"


def test_a_disk_that_fills_up_amid_a_folder_leaves_a_ledger_and_a_second_run_completes(
    scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SmallDisk(200_000)

    @contextlib.contextmanager
    def small(settings: Any) -> Iterator[Receiving]:
        database = Database(f"sqlite:///{settings.folder}/archive.sqlite")
        blobs = Blobs(str(settings.folder / "blobs"), disk=disk)
        try:
            yield Receiving(database, blobs, Journal(database, blobs), lambda: NOW)
        finally:
            blobs.close()
            database.close()

    monkeypatch.setattr(opening, "open_intake", small)
    words = ["receive", str(scans), "--folder", str(tmp_path / "archive"), "--json"]
    first = CliRunner().invoke(app, words)
    told = json.loads(first.stdout)
    assert first.exit_code == 2 and "disk is full" in told["error"]["why"], told["error"]
    assert told["expected"] == COUNT + 1 == told["stored"] + told["rejected"] + told["not_tried"]
    assert told["stored"] > 0 and told["not_tried"] > 0, {k: v for k, v in told.items() if k != "reasons"}
    left = [one["file"] for one in told["reasons"] if one["status"] == "not tried"]
    assert len(set(left)) == told["not_tried"] and all("disk is full" in one["reason"] for one in told["reasons"][-3:])
    spoken = CliRunner().invoke(app, words[:-1])
    assert "not tried" in spoken.stdout and "run the same command again" in spoken.stdout

    disk.room = 10**9
    again = json.loads(CliRunner().invoke(app, words).stdout)
    assert "error" not in again and again["not_tried"] == 0 and again["expected"] == COUNT + 1
    assert again["stored"] + again["there"] == COUNT and again["stored"] <= len(left)
    with small(type("S", (), {"folder": tmp_path / "archive"})) as held:
        whole = ledger(held, [scans])
    assert whole["there"] == COUNT and whole["rejected"] == 1
