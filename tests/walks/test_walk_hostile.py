"""What strangers send, given to every door: refused in words or kept whole, and the house lives."""

from __future__ import annotations

import random
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile_doors import Doors

from isocenter.analysis.weights import models, open_session
from isocenter.record import Kind
from isocenter.testing.crooked import image, written
from isocenter.testing.hostile import CLASSES, members
from isocenter.testing.hostile_envelopes import BAIT, CANARY
from isocenter.testing.hostile_member import Member

DOORS = ("imported", "c_store", "stow", "uploaded", "zipped", "on_media", "listed", "as_weights")
_ALLOWED_KB = 256 * 1024
_ALLOWED_S = 2.0  # of processor time of the server, for one member at one door


@pytest.fixture
def doors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Doors]:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "here" / BAIT).write_bytes(b"\0" * 16)
    opened = Doors.open(tmp_path)
    yield opened
    opened.close()


# By day the first seven of each class: every lie that comes in turns of up to seven is among them.
@pytest.mark.parametrize("each", [pytest.param(7, id="day"), pytest.param(20, id="night", marks=pytest.mark.nightly)])
def test_26_classes_of_20_at_every_door(doors: Doors, each: int) -> None:
    rng = random.Random(5)
    doors.play(Member("", "honest", "object", written(image(rng))))
    open_session(next(iter(models())))  # a server that works has loaded and compiled by then what these need
    for member in members("H25", count=4):
        doors._shown(member)
    doors.slowest = (0.0, "")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for kind in CLASSES:
        for member in members(kind, count=each):
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
    few = [(kind, door) for kind in CLASSES for door in DOORS if doors.played[kind, door] < each]
    assert len(CLASSES) == 26 and not few, few
    assert doors.slowest[0] < _ALLOWED_S, doors.slowest
    print(f"grew by {grown} kB, the slowest {doors.slowest}, heard {dict(doors.heard)}")
