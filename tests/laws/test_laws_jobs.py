"""Jobs tell nothing of what they found: with a finding and without one their names, arguments and answers are the same.

Whoever runs the machine sees how many jobs wait, and in the table of jobs what each is called. Two houses are given the
same images; in one the analysis finds a bleeding that cannot wait, in the other nothing.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest
from pydicom.data import get_testdata_file

from isocenter.analysis import run
from isocenter.analysis.need import Need
from isocenter.analysis.protocol import Answer, Yield
from isocenter.analysis.registry import Registry
from isocenter.app import House, open_house
from isocenter.govern.policy import HOUSE
from isocenter.record import Finding, Outcome, codes
from isocenter.settings import Settings
from isocenter.space import Volume

_TIMES = ("_at", "_ms", "beat", "started", "completed")
_DRAWN = re.compile(r"'[0-9a-f-]{36}'|'[0-9A-F]{32}'|\b1[0-9]{12}\b")  # names drawn by lot, and milliseconds


class Lesions:
    """An analysis that finds in one house, and not in the other."""

    name, version = "lesions", "1"
    needs: ClassVar = {"image": Need(modality="CT")}
    yields = (Yield(what=codes.LESION),)

    def __init__(self, finds: bool) -> None:
        self._finds = finds

    def run(self, image: Volume | None = None) -> Answer:
        return Answer.found(Finding(codes.LESION, 0.97, words="A lesion.")) if self._finds else Answer.none()


@contextmanager
def worked(folder: Path, *, finds: bool) -> Iterator[House]:
    """A house whose workers have done all that an examination asked for."""
    house = open_house(Settings(folder=folder, quiet_s=0.0, workers=1), apart=False)
    try:
        object.__setattr__(house.site, "registry", Registry({"lesions": Lesions(finds)}, {}))
        house.work.start("worker")
        house.work.follow()
        ct = Path(str(get_testdata_file("CT_small.dcm", download=False))).read_bytes()
        house.site.receive([ct], sender="CT1", who=HOUSE)
        until = time.monotonic() + 60
        while not (house.site.index.counts()["results"] and house.work.settled()):
            assert time.monotonic() < until, "the jobs did not end"
            house._stop.wait(0.05)
        yield house
    finally:
        house.close()


def told_by(house: House) -> dict[str, list[str]]:
    """What stands in every table of jobs, without times and what is drawn by lot."""
    told: dict[str, list[str]] = {}
    with sqlite3.connect(house.settings.folder / "jobs.sqlite") as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            found = connection.execute(f'SELECT * FROM "{table}"')
            kept = [n for n, c in enumerate(found.description) if not any(time in c[0] for time in _TIMES)]
            told[table] = sorted(_DRAWN.sub("drawn", repr([row[n] for n in kept])) for row in found)
    return told


def test_law_the_table_of_jobs_is_the_same_whatever_was_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "warm_up", lambda *first: None)
    monkeypatch.setattr(run, "preload", lambda *_: None)
    told: dict[str, dict[str, list[str]]] = {}
    for name, outcome in (("found", Outcome.FOUND), ("none", Outcome.NONE)):
        with worked(tmp_path / name, finds=outcome is Outcome.FOUND) as house:
            ((_, result),) = house.site.index.results(house.site.studies(who=HOUSE)[0].uid)
            assert result.outcome is outcome, result.reasons
            told[name] = told_by(house)
    assert sum("SUCCESS" in row for row in told["found"]["workflow_status"]) == 2, "both jobs were done"
    assert told["found"] == told["none"]
