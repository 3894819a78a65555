"""The ledgers of what came and what left: counted from the journal, and deliveries that add up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from isocenter.app import open_house
from isocenter.errors import Forbidden, Refused
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.record import Event, Kind
from isocenter.settings import Settings
from isocenter.site.ledgering import Ledgering, tally
from isocenter.site.verbs import Site

CHIEF, READER = Person("chief", Role.ADMIN), Person("ito", Role.READER)
CT, MR = (Path(str(get_testdata_file(n))).read_bytes() for n in ("CT_small.dcm", "MR_small.dcm"))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    house = open_house(Settings(folder=tmp_path / "archive"), make=True)
    yield house.site
    house.close()


def test_what_was_offered_is_what_was_stored_there_or_rejected(site: Site) -> None:
    site.receive([CT], sender="CT1", who=HOUSE)
    site.receive([CT, MR, b"no image", b"neither"], sender="disk", who=HOUSE)
    (disk, alone) = sorted(site.ledgers.arrivals(who=CHIEF)["rows"], key=lambda row: row["sender"], reverse=True)
    assert (alone["sender"], alone["stored"], alone["studies"], alone["deliveries"]) == ("CT1", 1, 1, [])
    assert [disk[part] for part in ("studies", "stored", "there", "set_aside", "rejected")] == [1, 1, 1, 0, 2]
    (delivery,) = disk["deliveries"]
    assert delivery["adds_up"] and [delivery[p] for p in ("offered", "stored", "there", "rejected")] == [4, 1, 1, 2]
    assert disk["reasons"], "a rejection says why"


def test_what_left_says_to_whom_and_what_permitted_it(site: Site) -> None:
    site.receive([CT, MR], sender="CT1", who=HOUSE)
    study = site.studies(who=HOUSE)[0].uid
    site.sharing.share(study, who=CHIEF, to="Dr. Ruiz", hours=2)
    now = site.clock()
    told = {"objects": 3, "held_back": 1, "purpose": "research", "project": "trial", "permitted": "GRU, until 2030"}
    site.journal.append(Event(Kind.EXPORTED, now, "chief", study, told))
    site.journal.append(
        Event(
            Kind.SEND_FAILED, now, "chief", study, {"destination": "PACS", "objects": 9, "failed": 2, "reasons": ["x"]}
        )
    )
    failed, exported, shared = site.ledgers.departures(who=CHIEF)["rows"]
    assert (failed["to"], failed["objects"], failed["failed"], failed["reasons"]) == ("PACS", 9, 2, ["x"])
    assert (exported["to"], exported["held_back"], exported["permitted"]) == ("trial", 1, "GRU, until 2030")
    assert (shared["to"], shared["purpose"], shared["study"]) == ("Dr. Ruiz", "care", study)


def test_a_ledger_that_is_too_long_for_a_page_says_how_long_it_is(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for destination in ("A", "B", "C"):
        told = {"destination": destination, "objects": 1}
        site.journal.append(Event(Kind.SENT, site.clock(), "isocenter", "1.2", told))
    whole = site.ledgers.departures(who=CHIEF)
    assert (len(whole["rows"]), whole["found"], whole["looked"]) == (3, 3, None)
    monkeypatch.setattr("isocenter.site.ledgering._ROWS", 2)
    short = site.ledgers.departures(who=CHIEF)
    assert ([row["to"] for row in short["rows"]], short["found"], short["most"]) == (["C", "B"], 3, 2)
    monkeypatch.setattr("isocenter.site.ledgering._LOOKED", 1)
    assert site.ledgers.departures(who=CHIEF)["looked"] == 3, "a page of entries is looked through, and no more"


def test_a_ledger_has_its_days_and_its_readers(site: Site) -> None:
    site.receive([CT], sender="CT1", who=HOUSE)
    with pytest.raises(Forbidden):
        site.ledgers.arrivals(who=READER)
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    assert site.ledgers.arrivals(who=CHIEF, since=long_ago, until=long_ago + timedelta(days=9))["rows"] == []
    with pytest.raises(Refused, match=r"a ledger of \d{4} days.*366 are read at once"):
        site.ledgers.departures(who=CHIEF, since=long_ago)
    with pytest.raises(Refused, match="2019-12-31 is before 2020-01-01"):
        site.ledgers.departures(who=CHIEF, since=long_ago, until=long_ago - timedelta(days=1))
    hidden = Ledgering(site.journal, site.clock, lambda sealed, who: False)
    assert hidden.arrivals(who=CHIEF)["rows"] == [], "of another's project nothing is told"
    assert tally(iter(["stored", "there", "stored"])) == {
        "offered": 3, "stored": 2, "there": 1, "conflict": 0, "rejected": 0
    }  # fmt: skip
