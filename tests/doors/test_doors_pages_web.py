"""The built pages: one page for every address, files with their kinds, and nothing outside the folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser_for_pages import Browser
from house_for_pages import House

from isocenter.doors.pages import application
from isocenter.doors.pages_web import built


@pytest.fixture
def browser(tmp_path: Path) -> Browser:
    web = tmp_path / "web"
    (web / "assets").mkdir(parents=True)
    (web / "index.html").write_text("<!doctype html><title>the app</title>")
    (web / "assets" / "app-1a2b.js").write_text("export const x = 1;")
    (web / "assets" / "codec-9f.wasm").write_bytes(b"\0asm")
    (web / "mark.svg").write_text("<svg/>")
    (tmp_path / "secret.txt").write_text("not for the web")
    (web / "link.txt").symlink_to(tmp_path / "secret.txt")
    house = House()
    return Browser(application(house, demo=True, clock=lambda: house.now, web=web))


@pytest.mark.parametrize("path", ["/", "/worklist", "/studies/1.2.3", "/sign-in", "/index.html"])
def test_every_address_of_the_app_is_the_app(browser: Browser, path: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 200
    assert "the app" in answer.text
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/assets/app-1a2b.js", "text/javascript"),
        ("/assets/codec-9f.wasm", "application/wasm"),
        ("/mark.svg", "image/svg"),
    ],
)
def test_files_come_with_the_kind_that_browsers_insist_on(browser: Browser, path: str, kind: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(kind)
    wanted = "public, max-age=31536000, immutable" if "assets" in path else "no-cache"
    assert answer.headers["cache-control"] == wanted


@pytest.mark.parametrize(
    "path",
    ["/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/assets/..%2f..%2fsecret.txt", "/link.txt",
     "//secret.txt", "/secret.txt%00.js", "/%00"],
)  # fmt: skip
def test_nothing_outside_the_folder_is_served(browser: Browser, path: str) -> None:
    answer = browser.get(path)
    assert "not for the web" not in answer.text
    assert answer.status_code in (200, 404)


def test_where_the_app_is_not_built_a_plain_page_says_so(tmp_path: Path) -> None:
    house = House()
    answer = Browser(application(house, demo=True, clock=lambda: house.now, web=tmp_path)).get("/")
    assert answer.status_code == 200
    assert "not built" in answer.text
    assert "make web" in answer.text


def test_the_build_goes_into_the_package() -> None:
    assert built().name == "web"
    assert built().parent.name == "doors"
