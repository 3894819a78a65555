"""What people and the site set: the newest event is the answer, and nobody overwrites what they did not see."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from isocenter.errors import Conflict, Forbidden, Refused
from isocenter.govern.policy import Person, Role
from isocenter.site.preferring import Preferences
from isocenter.store.blobs import Blobs
from isocenter.store.database import Database
from isocenter.store.journal import Journal

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
ITO, LEE, GRAY = Person("ito", Role.READER), Person("lee", Role.ADMIN), Person("gray", Role.RESEARCHER)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    database = Database(f"sqlite:///{tmp_path / 'archive.sqlite'}")
    yield Journal(database, Blobs(str(tmp_path / "blobs")))
    database.close()


@pytest.fixture
def kept(journal: Journal) -> Preferences:
    return Preferences(journal, lambda: NOON)


def test_what_one_browser_sets_another_has(kept: Preferences, journal: Journal) -> None:
    assert kept.mine(who=ITO).settings == {}
    kept.change_mine({"theme": "light", "density": "compact"}, who=ITO)
    kept.change_mine({"theme": None}, who=ITO)
    assert kept.mine(who=ITO).settings == {"density": "compact"}
    assert kept.mine(who=LEE).settings == {}
    assert Preferences(journal, lambda: NOON).mine(who=ITO).settings == {"density": "compact"}


def test_another_process_is_heard(kept: Preferences, journal: Journal) -> None:
    kept.mine(who=ITO)
    Preferences(journal, lambda: NOON).change_mine({"theme": "light"}, who=ITO)
    assert kept.mine(who=ITO).settings == {"theme": "light"}


def test_a_change_of_nothing_is_no_event(kept: Preferences, journal: Journal) -> None:
    kept.change_mine({"theme": "light"}, who=ITO)
    before = journal.head()
    kept.change_mine({"theme": "light"}, who=ITO)
    assert journal.head() == before


def test_who_did_not_see_the_newest_changes_nothing(kept: Preferences) -> None:
    seen = kept.mine(who=ITO).version
    kept.change_mine({"theme": "light"}, version=seen, who=ITO)
    with pytest.raises(Conflict, match="ito changed them"):
        kept.change_mine({"theme": "dark"}, version=seen, who=ITO)


def test_the_site_changes_with_a_reason_by_whom_the_rule_lets(kept: Preferences) -> None:
    kept.change_site({"limits_min": {"now": 20}}, version=0, reason="night shift", who=LEE)
    assert kept.site(who=GRAY).settings == kept.site_wide() == {"limits_min": {"now": 20}}
    with pytest.raises(Refused, match="without a reason"):
        kept.change_site({"limits_min": {}}, version=1, reason=" ", who=LEE)
    with pytest.raises(Forbidden, match="'site'"):
        kept.change_site({"limits_min": {}}, version=1, reason="x", who=ITO)
    told = kept.history("site", who=GRAY)
    assert [(one["by"], one["reason"]) for one in told] == [("lee", "night shift")]
    assert told[0]["changes"] == [{"name": "limits_min", "was": None, "now": {"now": 20}}]


def test_the_history_says_what_became_what(kept: Preferences) -> None:
    for theme in ("light", "dark", "system"):
        kept.change_mine({"theme": theme}, who=ITO)
    told = kept.history("me", limit=2, who=ITO)
    assert [one["changes"][0]["was"] for one in told] == ["dark", "light"]
    assert [one["changes"][0]["was"] for one in kept.history("me", who=ITO)] == ["dark", "light", None]


def test_a_shared_view_belongs_to_who_shared_it(kept: Preferences) -> None:
    kept.share_view("night", {"q": "mod:CT"}, who=ITO)
    assert kept.views(who=LEE).settings == {"night": {"q": "mod:CT", "by": "ito"}}
    with pytest.raises(Refused, match="shared by ito"):
        kept.share_view("night", {"q": ""}, who=LEE)
    with pytest.raises(Forbidden):
        kept.views(who=GRAY)
    kept.share_view("night", None, who=ITO)
    assert kept.views(who=LEE).settings == {}


def test_settings_stay_small(kept: Preferences) -> None:
    with pytest.raises(Refused, match="64 kB"):
        kept.change_mine({"room": {"protocol": "x" * 70_000}}, who=ITO)


def test_many_changes_by_others_are_read_anew(
    kept: Preferences, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isocenter.site.preferring._MOST_NEWS", 2)
    monkeypatch.setattr("isocenter.site.preferring._MOST_KEPT", 1)
    kept.mine(who=ITO)
    other = Preferences(journal, lambda: NOON)
    for density in ("compact", "roomy", "regular"):
        other.change_mine({"density": density}, who=ITO)
    assert kept.mine(who=ITO).settings == {"density": "regular"}
    assert kept.mine(who=LEE).settings == {}
