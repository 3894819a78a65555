"""The first answer of a page is made of what the addresses of its parts give, and of no more than they would."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser_for_pages import Browser
from house_for_pages import House

from isocenter.doors.pages import application
from isocenter.errors import Refused


@pytest.fixture
def house() -> House:
    return House()


def browser(house: House, name: str, web: Path | None = None) -> Browser:
    app = application(house, demo=True, clock=lambda: house.now, web=web)
    return Browser(app, bearer=house.token(name) if name else "")


@pytest.mark.parametrize("name", ["reader", "admin", "researcher"])
def test_law_each_part_is_what_its_own_address_gives(house: House, name: str) -> None:
    asks = browser(house, name)
    told = asks.get("/api/begin?limit=1&q=is:waiting&ai=off").json()
    assert set(told) == {"me", "settings", "glass", "views", "critical", "stops", "list"}
    alone = {
        "me": "/api/me", "settings": "/api/settings/me", "critical": "/api/critical", "stops": "/api/stops",
        "glass": "/api/glass/reviews",
        "list": "/api/worklist?limit=1&q=is:waiting&ai=off&form=columns",
    }  # fmt: skip
    refused = 0
    for part, path in alone.items():
        answer = asks.get(path)
        refused += answer.status_code != 200
        assert told[part] == (answer.json() if answer.status_code == 200 else None), part
    assert (told["views"] is None) == (asks.get("/api/views").status_code != 200)
    assert (refused > 0) == (name == "researcher")


def test_nobody_is_told_nothing_and_other_pages_ask_for_no_list(house: House) -> None:
    assert browser(house, "").get("/api/begin").status_code == 401
    assert set(browser(house, "reader").get("/api/begin?limit=0").json()) == {"me", "settings", "glass"}


def test_a_part_that_fails_leaves_the_others(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    asks = browser(house, "reader")
    assert asks.get("/api/begin").json()["list"]["total"] == 2

    def fails(**_: object) -> None:
        raise Refused("no list", "it cannot be ordered")

    monkeypatch.setattr(house, "worklist", fails)
    told = asks.get("/api/begin").json()
    assert told["list"] is None and told["me"]["name"] == "reader" and told["views"] is not None


@pytest.mark.parametrize(
    ("path", "first"),
    [
        ("/", "limit=60"), ("/worklist", "limit=60"), ("/study/1.2.3", "limit=0"), ("/settings/site", "limit=0"),
        ("/worklist?q=mod:CT", ""), ("/sign-in", ""), ("/shared", ""),
    ],
)  # fmt: skip
def test_a_page_names_what_it_will_ask_first_in_its_own_answer(
    house: House, tmp_path: Path, path: str, first: str
) -> None:
    (tmp_path / "index.html").write_text("<!doctype html>")
    asks = browser(house, "reader", tmp_path)
    link = asks.get(path).headers.get("link", "")
    assert (first in link and "as=fetch" in link) if first else not link
    if first:
        assert asks.get(link[1:].split(">")[0]).status_code == 200
