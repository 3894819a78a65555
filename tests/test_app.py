"""Composition: peers are read or refused; the first person is made once, with a secret for its owner's eyes only."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from isocenter.app import House, open_house, peers_of
from isocenter.errors import Forbidden, NotFound, Refused, Unavailable
from isocenter.govern.policy import HOUSE, Role
from isocenter.settings import Settings


@pytest.fixture
def house(tmp_path: Path):  # type: ignore[no-untyped-def]
    held = open_house(Settings(folder=tmp_path / "archive", peers="CT1@192.0.2.7:104"))
    yield held
    held.close()


@pytest.mark.parametrize("text", ["CT1", "CT1@host", "CT1@host:x", "@host:104", "CT1@:104", "CT1@host:70000"])
def test_a_peer_that_does_not_read_is_refused_with_the_right_form(text: str) -> None:
    with pytest.raises(Refused, match="AET@host:port"):
        list(peers_of(text))


def test_known_peers_are_added_once_and_others_are_refused_by_name(house: House) -> None:
    house.add_known_peers()
    house.add_known_peers()
    assert [p["aet"] for p in house.site.peers()] == ["CT1"]
    assert house._caller("CT1").role == "service"
    with pytest.raises(Forbidden, match="isocenter peer EVIL"):
        house._caller("EVIL")


def test_the_first_person_is_made_once(house: House) -> None:
    place = Path(house.first_person())
    assert place.stat().st_mode & 0o077 == 0
    assert house.first_person() == ""
    token = house.site.sign_in("admin", place.read_text().strip(), address="127.0.0.1")
    assert house.site.person_of(token).name == "admin"
    with pytest.raises(Forbidden):
        house.site.sign_in("admin", "admin", address="127.0.0.1")


def test_a_sign_in_link_works_once(house: House) -> None:
    house.first_person()
    secret = house.sign_in_link().partition("token=")[2]
    assert house.site.person_of(house.site.sign_in_by_link(secret, address="x")).name == "admin"
    with pytest.raises(Forbidden):
        house.site.sign_in_by_link(secret, address="x")


def test_the_sign_in_link_is_for_an_administrator_who_is_there(house: House) -> None:
    house.site.add_person("gray", "reader", "a long enough secret", who=HOUSE)  # type: ignore[arg-type]
    assert house.first_person(), "an archive whose first account is a reader's has an administrator all the same"
    house.site.add_person("chief", "admin", "a long enough secret", who=HOUSE)  # type: ignore[arg-type]

    def whom() -> str:
        token = house.sign_in_link().partition("token=")[2]
        return str(house.site.person_of(house.site.sign_in_by_link(token, address="x")).name)

    assert whom() == "admin"
    house.site.change_person("admin", closed=True, who=HOUSE)
    assert whom() == "chief" and house.first_person() == "", "nor is one made anew that was closed"


def test_a_person_is_added_once(house: House) -> None:
    house.site.add_person("ito", "reader", "a long enough secret", who=HOUSE)  # type: ignore[arg-type]
    with pytest.raises(Refused, match="exists already"):
        house.site.add_person("ito", "reader", "a long enough secret", who=HOUSE)  # type: ignore[arg-type]


def test_an_archive_is_not_made_by_looking(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="isocenter receive"):
        open_house(Settings(folder=tmp_path / "none"), make=False)


def test_a_second_server_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    first = open_house(Settings(folder=tmp_path / "a"), server=True)
    try:
        with pytest.raises(Unavailable):
            open_house(Settings(folder=tmp_path / "a"), server=True)
    finally:
        first.close()
    open_house(Settings(folder=tmp_path / "a"), server=True).close()


def test_a_command_beside_the_server_gives_links_to_where_it_listens(tmp_path: Path) -> None:
    settings = Settings(folder=tmp_path / "a", port=0)
    served = open_house(settings, server=True)
    try:
        served.start_web()
        beside = open_house(Settings(folder=tmp_path / "a"))
        assert beside.address == served.address == f"http://127.0.0.1:{served.web_port}"
        beside.close()
        named = open_house(Settings(folder=tmp_path / "a", address="https://images.example.org"))
        assert named.address == "https://images.example.org"
        named.close()
    finally:
        served.close()


def test_an_unknown_destination_is_refused_with_those_that_are_known(house: House) -> None:
    house.add_known_peers()
    with pytest.raises(NotFound, match="CT1"):
        house.site.send("1.2", "PACS2", who=HOUSE)


def test_who_is_signed_in_stays_so_when_the_house_is_opened_again(tmp_path: Path) -> None:
    settings = Settings(folder=tmp_path / "archive")
    first = open_house(settings, server=True)
    first.site.add_person("ito", "reader", "a long enough secret", who=HOUSE)  # type: ignore[arg-type]
    token = first.site.sign_in("ito", "a long enough secret", address="192.0.2.1")
    first.close()
    again = open_house(settings, server=True)
    try:
        assert again.site.person_of(token).name == "ito"
        again.site.sign_out(token)
        assert again.site.person_of(token).name == ""
    finally:
        again.close()


def test_no_password_rests_on_the_names_that_the_settings_tell(tmp_path: Path) -> None:
    said = {"password_words": "St Mary, Harbour", "names": "pacs.stmary.example", "aet": "MARYCT"}
    with contextlib.closing(open_house(Settings(folder=tmp_path / "a", **said))) as held:  # type: ignore[arg-type]
        for word in ("Harbour-2026!!", "stmary.example", "MaryCT-mary-42"):
            with pytest.raises(Refused, match="nothing to do with this place"):
                held.site.add_person("gray", Role.READER, word, who=HOUSE)
        held.site.add_person("gray", Role.READER, "the lung is a sponge", who=HOUSE)
