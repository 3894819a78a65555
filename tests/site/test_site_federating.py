"""What a site took part in stands in its journal, and only who may train can say so."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from isocenter.app import open_house
from isocenter.cli.federating import _kept, _opened
from isocenter.errors import Forbidden, Refused
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.learn.federation import Federation
from isocenter.record import Kind
from isocenter.settings import Settings


def test_joining_every_round_and_the_end_are_events_of_the_run(tmp_path: Path) -> None:
    house = open_house(Settings(folder=tmp_path / "archive"))
    try:
        federation = house.site.federation
        federation.happened("joined", {"run": "r1", "task": "pneumoniamnist", "aside": 2}, who=HOUSE)
        federation.happened("round", {"run": "r1", "round": 1, "bytes": 1200, "epsilon": 0.4}, who=HOUSE)
        with pytest.raises(Refused, match="'left'"):
            federation.happened("left", {"run": "r1"}, who=HOUSE)
        with pytest.raises(Forbidden, match="rule 'train'"):
            federation.happened("round", {"run": "r1"}, who=Person("ito", Role.READER))
        told = [s.event for s in house.site.journal.since(subject="r1")]
        assert [e.kind for e in told] == [Kind.FEDERATION_JOINED, Kind.FEDERATION_ROUND]
        assert told[1].details == {"round": 1, "bytes": 1200, "epsilon": 0.4}
        assert told[0].time <= datetime.now(UTC)
    finally:
        house.close()


def test_what_a_page_shows_of_a_site_and_of_a_coordinator(tmp_path: Path) -> None:
    house = open_house(Settings(folder=tmp_path / "archive"))
    ito = Person("ito", Role.READER)
    try:
        federation = house.site.federation
        assert federation.told(who=ito) == []
        federation.happened("joined", {"run": "r1", "task": "pneumoniamnist", "aside": 2}, who=HOUSE)
        federation.happened("round", {"run": "r1", "round": 1, "bytes": 1200, "epsilon": 0.4}, who=HOUSE)
        run = SimpleNamespace(
            run="r2", how=Federation("pneumoniamnist", rounds=2), rounds=[], done=0, stopped="", finished=lambda: True
        )
        with _opened(tmp_path / "archive") as held, _kept(held, run) as keep:
            moved = {"north": {"received": 4, "sent": 3}, "east": {"received": 1, "sent": 0}}
            run.rounds.append({"round": 1, "sites": ["north"], "lost": ["east"], "bytes": moved, "aside": {"east": 12}})
            keep()
            keep()
        other, own = federation.told(who=ito)
        assert own["role"] == "site" and own["agreement"]["aside"] == 2 and own["ended"] is None
        assert own["rounds"][0]["bytes"] == 1200
        assert own["rounds"][0]["sites"] is None, "a site does not know who else was in the sum"
        assert (other["role"], other["agreement"]["rounds"], len(other["rounds"])) == ("coordinator", 2, 1)
        assert other["rounds"][0]["bytes"] == {"north": 7, "east": 1} and other["rounds"][0]["lost"] == ["east"]
        assert other["begun"] and other["ended"]
        run.rounds.append({"round": 2, "sites": ["north"], "lost": [], "bytes": moved, "aside": {}})
        run.finished = lambda: False
        with _opened(tmp_path / "archive") as held, _kept(held, run):  # killed before the journal heard of round 2
            pass
        (other,) = (one for one in federation.told(who=ito) if one["run"] == "r2")
        assert [one["round"] for one in other["rounds"]] == [1, 2] and other["ended"] is None, "it goes on"
        with pytest.raises(Forbidden):
            federation.told(who=Person("scanner", Role.SERVICE))
    finally:
        house.close()
