"""What a site took part in stands in its journal, and only who may train can say so."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from isocenter.app import open_house
from isocenter.errors import Forbidden, Refused
from isocenter.govern.policy import HOUSE, Person, Role
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
