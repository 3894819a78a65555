"""Accounts as those who manage them see them; colleagues whom one may ask to read, and what asking does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from isocenter.app import open_house
from isocenter.errors import Forbidden, NotFound, WrongState
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.reading.session import Correction
from isocenter.record import Verdict
from isocenter.settings import Settings
from isocenter.site.verbs import Site

ITO, GRAY = Person("ito", Role.READER), Person("gray", Role.RESEARCHER)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    house = open_house(Settings(folder=tmp_path / "archive"), apart=False)
    file = Path(str(get_testdata_file("CT_small.dcm", download=False)))
    house.site.receive([file.read_bytes()], sender="test", who=HOUSE)
    house.site.add_person("ito", Role.READER, "a sentence to sign in", who=HOUSE)
    house.site.add_person("gray", Role.RESEARCHER, "a sentence to sign in", who=HOUSE)
    yield house.site
    house.close()


def test_the_list_of_accounts_holds_no_credential_and_is_not_for_everybody(site: Site) -> None:
    told = site.staff.people(who=HOUSE)
    assert [(one["name"], one["role"]) for one in told] == [("gray", "researcher"), ("ito", "reader")]
    assert all("credential" not in one for one in told)
    with pytest.raises(Forbidden, match="'people'"):
        site.staff.people(who=ITO)


def test_a_study_is_asked_of_a_colleague_who_may_read(site: Site) -> None:
    study = site.studies(who=HOUSE)[0].uid
    assert site.staff.colleagues(who=ITO) == [ITO]
    site.assign(study, "ito", who=HOUSE)
    assert site.assign(study, "ito", who=HOUSE).version == site.head(), "asking twice is no second event"
    assert [e.waiting.assigned for e in site.worklist(who=ITO)] == ["ito"]
    with pytest.raises(NotFound, match="nobody of that name may read"):
        site.assign(study, "gray", who=HOUSE)
    site.open(study, who=ITO)
    with pytest.raises(WrongState):
        site.assign(study, "", who=HOUSE)


def test_the_limits_of_the_site_order_its_list_at_once(site: Site) -> None:
    before = site.worklist(who=ITO)[0].due
    limits = {"limits_min": {"now": 5, "soon": 6, "today": 7, "routine": 8}}
    site.preferences.change_site(limits, version=0, reason="busy", who=HOUSE)
    after = site.worklist(who=ITO)[0].due
    assert before and after
    assert (before - after).total_seconds() == pytest.approx(60 * (24 * 60 - 8))


def test_first_steps_are_read_from_the_journal(site: Site) -> None:
    study = site.studies(who=HOUSE)[0].uid
    assert site.staff.first_steps(who=ITO) == {"take": False, "opinion": False, "strike": False, "sign": False}
    version = site.open(study, who=ITO).version
    added = Correction(Verdict.ADDED, "2.25.7", words="A nodule.")
    version = site.correct(study, added, version=version, who=ITO).version
    assert site.staff.first_steps(who=ITO)["strike"] is False
    version = site.lock(study, version=version, who=ITO).version
    assert site.staff.first_steps(who=ITO)["opinion"] is True
    version = site.correct(study, Correction(Verdict.STRUCK, "2.25.7"), version=version, who=ITO).version
    site.sign(study, version=version, who=ITO)
    assert site.staff.first_steps(who=ITO) == {"take": True, "opinion": True, "strike": True, "sign": True}
