"""Results of signed studies are owed to DICOM peers until these have them, and a reader sees how far each has come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_file

from isocenter.app import House, open_house
from isocenter.errors import Damaged, Forbidden, Refused, Unavailable
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.record import Kind
from isocenter.settings import Settings
from isocenter.site.messaging import DICOM

ITO = Person("ito", Role.READER)
Answers = Sequence[tuple[str, str]]


@pytest.fixture
def house(tmp_path: Path) -> Any:
    held = open_house(Settings(folder=tmp_path / "archive"), apart=False)
    held.site.add_peer("PACS", "127.0.0.1", 1, who=HOUSE)
    yield held
    held.close()


def _open(house: House) -> tuple[str, int]:
    file = Path(str(get_testdata_file("CT_small.dcm", download=False)))
    house.site.receive([file.read_bytes()], sender="test", who=HOUSE)
    study = house.site.studies(who=HOUSE)[0].uid
    version = house.site.open(study, who=ITO).version
    version = house.site.lock(study, version=version, nothing=True, who=ITO).version
    return study, house.site.word(study, "own", "A stone.", section="Findings", version=version, who=ITO).version


class Pacs:
    """A peer that is away, refuses, or takes what comes."""

    def __init__(self, house: House) -> None:
        self.mood, self.came = "away", 0
        house.site.send_by = {**house.site.send_by, "dicom": self}

    def __call__(self, peer: Mapping[str, Any], files: Sequence[bytes]) -> Answers:
        if self.mood == "away":
            raise Unavailable("no association", "it does not answer", "wait")
        if self.mood == "knows us not":
            raise Refused("PACS refused the association", "it does not know us", "tell it our title")
        self.came += len(files)
        return [(str(n), "" if self.mood == "takes" else "0xA700: out of resources") for n, _ in enumerate(files)]


def _one(house: House, study: str) -> tuple[str, str, str, str]:
    (way,) = house.site.gone(study, who=ITO)
    return way["to"], way["form"], way["state"], way["why"]


def test_what_was_signed_waits_for_a_peer_that_is_away_and_goes_once(house: House) -> None:
    pacs, site = Pacs(house), house.site
    site.messaging.want([DICOM + "PACS"])
    study, version = _open(house)
    assert _one(house, study) == ("PACS", "DICOM", "at signing", "")
    assert site.deliver_signed(["PACS"]) == 0, "nothing is signed"
    site.sign(study, version=version, who=ITO)
    assert site.deliver_signed(["PACS"]) == 0
    assert _one(house, study) == ("PACS", "DICOM", "waits", "")
    pacs.mood = "takes"
    assert site.deliver_signed(["PACS"]) == 1
    assert pacs.came >= 1, "the report as an SR at least"
    assert _one(house, study) == ("PACS", "DICOM", "arrived", "")
    came = pacs.came
    assert site.deliver_signed(["PACS"]) == 0 and pacs.came == came, "and not again"
    (told,) = site.messaging.traffic(who=HOUSE, which="out")
    assert (told["kind"], told["peer"], told["fault"]) == ("C-STORE", "dicom:PACS", False)


def test_a_peer_that_takes_it_not_is_not_asked_again_and_its_words_are_shown(house: House) -> None:
    pacs, site = Pacs(house), house.site
    pacs.mood = "full"
    site.messaging.want([DICOM + "PACS"])
    study, version = _open(house)
    site.sign(study, version=version, who=ITO)
    assert site.deliver_signed(["PACS"]) == 0
    assert _one(house, study) == ("PACS", "DICOM", "refused", "0xA700: out of resources")
    came = pacs.came
    site.deliver_signed(["PACS"])
    assert pacs.came == came
    # An amendment is another report, and owed anew.
    pacs.mood = "takes"
    version = site.open(study, who=ITO).version
    version = site.word(study, "own", "No stone.", section="Findings", version=version, who=ITO).version
    site.sign(study, version=version, who=ITO)
    assert _one(house, study)[2] == "waits"
    assert site.deliver_signed(["PACS"]) == 1 and _one(house, study)[2] == "arrived"


def test_what_is_being_amended_waits_and_what_was_amended_is_replaced(house: House) -> None:
    pacs, site = Pacs(house), house.site
    site.messaging.want([DICOM + "PACS"])
    study, version = _open(house)
    site.sign(study, version=version, who=ITO)
    assert site.deliver_signed(["PACS"]) == 0
    pacs.mood = "takes"
    version = site.open(study, who=ITO).version
    assert site.deliver_signed(["PACS"]) == 0 and pacs.came == 0, "no draft leaves"
    assert _one(house, study)[2] == "waits"
    version = site.word(study, "own", "No stone.", section="Findings", version=version, who=ITO).version
    site.sign(study, version=version, who=ITO)
    assert site.deliver_signed(["PACS"]) == 1
    assert [row["code"] for row in site.messaging.traffic(who=HOUSE, which="out")] == ["AA", "replaced"]
    assert _one(house, study)[2] == "arrived"


def test_a_report_that_cannot_be_read_does_not_stand_in_the_way(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    pacs, site = Pacs(house), house.site
    pacs.mood = "takes"

    def lost(study: str, *, who: Person) -> list[bytes]:
        raise Damaged("a stored file", "it is changed", "mend it")

    site.messaging.want([DICOM + "PACS"])
    study, version = _open(house)
    site.sign(study, version=version, who=ITO)
    monkeypatch.setattr(site, "objects", lost)
    assert site.deliver_signed(["PACS"]) == 0 and pacs.came == 0
    assert _one(house, study)[2] == "refused" and "it is changed" in _one(house, study)[3]
    assert site.messaging.due([DICOM + "PACS"]) == []


def test_a_peer_that_refuses_the_association_is_asked_again(house: House) -> None:
    pacs, site = Pacs(house), house.site
    pacs.mood = "knows us not"
    site.messaging.want([DICOM + "PACS"])
    study, version = _open(house)
    site.sign(study, version=version, who=ITO)
    assert site.deliver_signed(["PACS"]) == 0 and _one(house, study)[2] == "waits"
    pacs.mood = "takes"
    assert site.deliver_signed(["PACS"]) == 1


def test_a_title_that_nobody_has_is_said(house: House) -> None:
    house.site.messaging.want([DICOM + "ELSE"])
    study, version = _open(house)
    house.site.sign(study, version=version, who=ITO)
    assert house.site.deliver_signed(["ELSE"]) == 0
    assert _one(house, study) == ("ELSE", "DICOM", "waits", "no peer of this title is known here")


def test_images_of_the_demonstration_stay(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    pacs, site = Pacs(house), house.site
    pacs.mood = "takes"

    def stays(study: str) -> None:
        raise Refused("this study", "it is of the demonstration", "send one of your own")

    monkeypatch.setattr(site.consents, "leaving", stays)
    site.messaging.want([DICOM + "PACS"])
    study, version = _open(house)
    site.sign(study, version=version, who=ITO)
    assert site.deliver_signed(["PACS"]) == 0 and pacs.came == 0
    assert _one(house, study)[2] == "refused" and "demonstration" in _one(house, study)[3]


def test_who_may_not_read_reports_is_not_told(house: House) -> None:
    study, _ = _open(house)
    with pytest.raises(Forbidden):
        house.site.gone(study, who=Person("gray", Role.RESEARCHER))


def test_the_server_owes_them_to_whom_the_settings_name(tmp_path: Path) -> None:
    chosen = Settings(folder=tmp_path / "archive", peers="PACS@127.0.0.1:1", dicom_results="PACS")
    house = open_house(chosen, apart=False)
    try:
        house.exchange.start_messaging()
        assert house.site.messaging.receivers() == [DICOM + "PACS"]
        assert [s.event.subject for s in house.site.journal.each(kinds=(Kind.RESULTS_WANTED,))] == [DICOM + "PACS"]
    finally:
        house.close()
