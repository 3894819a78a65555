"""What strangers send, given to every door: refused in words or kept whole, and the house lives."""

from __future__ import annotations

import random
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile_doors import Doors

from isocenter.record import Kind
from isocenter.testing.hostile import CLASSES, members
from isocenter.testing.hostile_envelopes import BAIT, CANARY

_ALLOWED_KB = 256 * 1024


@pytest.fixture
def doors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Doors]:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "here" / BAIT).write_bytes(b"\0" * 16)
    opened = Doors.open(tmp_path)
    yield opened
    opened.close()


def hold(doors: Doors, count: int, step: int) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rng = random.Random(5)
    for number, kind in enumerate(CLASSES):
        for member in members(kind, count=20)[number % step :: step][:count]:
            doors.play(member)
        doors.honest(rng)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < _ALLOWED_KB, f"{grown} kB more than before"
    assert not (Path.cwd() / CANARY).exists(), "a model file ran code"
    site = doors.house.site
    assert site.journal.verify() == site.head()
    told = {s.event.kind for s in site.journal.since(limit=100_000)}
    assert {Kind.INSTANCES_REJECTED, Kind.INSTANCE_SET_ASIDE} <= told
    assert list(site.blobs.scrub()) == []


def test_a_part_of_the_corpus_at_every_door(doors: Doors) -> None:
    hold(doors, count=1, step=7)


@pytest.mark.nightly
def test_the_whole_corpus_at_every_door(doors: Doors) -> None:
    hold(doors, count=20, step=1)
    print(doors.heard, doors.slowest)
