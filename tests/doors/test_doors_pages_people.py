"""Signing in and out, as a browser does it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from browser_for_pages import Browser
from house_for_pages import PASSWORD, House

from isocenter.doors.pages import application


def app_of(house: House, **rest: Any) -> Any:
    return application(house, demo=False, clock=lambda: house.now, **rest)


def test_name_and_password_set_a_cookie_that_scripts_cannot_read() -> None:
    house = House()
    browser = Browser(app_of(house))
    answer = browser.post("/api/sign-in", {"name": "reader", "password": PASSWORD})
    assert answer.json() == {"name": "reader", "role": "reader", "demo": False}
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" not in cookie, "plain HTTP on loopback"
    assert browser.get("/api/me").json()["name"] == "reader"


def test_over_tls_the_cookie_is_secure() -> None:
    house = House()
    browser = Browser(app_of(house), scheme="https")
    answer = browser.post("/api/sign-in", {"name": "reader", "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-isocenter=") and "Secure" in cookie and "Path=/;" in cookie
    assert "Domain" not in cookie, "a browser takes __Host- for this very host alone"
    assert browser.get("/api/me").status_code == 200


def test_over_tls_a_cookie_that_a_neighbour_could_have_laid_in_opens_nothing() -> None:
    house = House()
    app, token = app_of(house), house.token("reader")
    browser = Browser(app, scheme="https")
    assert browser.get("/api/me", headers={"Cookie": f"isocenter={token}"}).status_code == 401
    assert browser.get("/api/me", headers={"Cookie": f"__Host-isocenter={token}"}).status_code == 200
    assert Browser(app).get("/api/me", headers={"Cookie": f"__Host-isocenter={token}"}).status_code == 401


def test_who_signs_in_again_leaves_no_older_session_behind() -> None:
    house = House()
    browser = Browser(app_of(house))
    browser.post("/api/sign-in", {"name": "reader", "password": PASSWORD})
    older = browser.cookies["isocenter"]
    browser.post("/api/sign-in", {"name": "reader", "password": PASSWORD})
    assert browser.get("/api/me").status_code == 200
    assert Browser(app_of(house), bearer=older).get("/api/me").status_code == 401


def test_a_wrong_password_and_a_wrong_name_sound_the_same() -> None:
    browser = Browser(app_of(House()))
    wrong = [
        browser.post("/api/sign-in", {"name": name, "password": "not this one at all"}) for name in ("reader", "ghost")
    ]
    assert [a.status_code for a in wrong] == [403, 403]
    assert wrong[0].json() == wrong[1].json()
    assert "set-cookie" not in wrong[0].headers


def test_too_many_tries_are_told_when_to_come_back() -> None:
    house = House()
    browser = Browser(app_of(house))
    for _ in range(5):
        browser.post("/api/sign-in", {"name": "reader", "password": "not this one at all"})
    answer = browser.post("/api/sign-in", {"name": "reader", "password": PASSWORD})
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "900"
    assert answer.json()["error"]["kind"] == "TooOften"
    house.now += timedelta(seconds=900)
    assert browser.post("/api/sign-in", {"name": "reader", "password": PASSWORD}).status_code == 200


def test_a_one_time_link_signs_in_once_and_goes_to_the_first_page() -> None:
    house = House()
    app = app_of(house)
    link = house.links.issue("admin", house.now)
    browser = Browser(app)
    answer = browser.get(f"/sign-in?token={link}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert browser.get("/api/me").json()["role"] == "admin"
    again = Browser(app).get(f"/sign-in?token={link}")
    assert again.status_code == 403
    assert "set-cookie" not in again.headers
    assert link not in again.text


OPENED = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "Sec-Fetch-Mode": "navigate"}


@pytest.mark.parametrize("late", [False, True], ids=["spent", "expired"])
def test_who_opens_a_dead_link_in_a_browser_sees_a_page_that_says_what_to_do(tmp_path: Path, late: bool) -> None:
    (tmp_path / "index.html").write_text('<link rel="stylesheet" crossorigin href="/assets/index-1a.css">')
    house = House()
    app = app_of(house, web=tmp_path)
    link = house.links.issue("admin", house.now)
    if late:
        house.now += timedelta(minutes=11)
    else:
        Browser(app).get(f"/sign-in?token={link}")
    page = Browser(app).get(f"/sign-in?token={link}", headers=OPENED)
    assert (page.status_code, page.headers["content-type"]) == (403, "text/html; charset=utf-8")
    assert (
        page.headers["cache-control"] == "no-store" and "default-src 'none'" in page.headers["content-security-policy"]
    )
    assert "This sign-in link is not valid" in page.text and "It was used, has expired" in page.text
    assert "Ask whoever gave it to you for a new one" in page.text and 'href="/sign-in"' in page.text
    assert 'href="/assets/index-1a.css"' in page.text and "<script" not in page.text
    assert link not in page.text and "admin" not in page.text and "{" not in page.text
    program = Browser(app).get(f"/sign-in?token={link}", headers={"Accept": "application/json"})
    assert (program.status_code, program.json()["error"]["kind"]) == (403, "Forbidden")
    fetched = Browser(app).get(f"/sign-in?token={link}", headers={**OPENED, "Sec-Fetch-Mode": "cors"})
    assert fetched.json() == program.json(), "what a page fetches is read by the page"


@pytest.mark.parametrize(
    ("path", "host", "status", "words"),
    [("/api/worklist", "localhost", 401, "Not signed in"), ("/api/nothing", "localhost", 404, "Nothing has this"),
     ("/worklist", "stranger.example", 421, "This server does not answer to that host name"),
     ("/api/shared/instances/1.2%3Cscript%3E", "localhost", 400, "The request does not fit"),
     ("/sign-in/oidc/back?state=x&code=y", "localhost", 303, "")],
)  # fmt: skip
def test_every_refusal_of_what_a_person_opens_is_a_page(path: str, host: str, status: int, words: str) -> None:
    page = Browser(app_of(House()), host=host).get(path, headers=OPENED)
    assert page.status_code == status
    assert words in page.text and "<script>" not in page.text
    assert status == 303 or page.headers["content-type"].startswith("text/html")


def test_the_doors_of_programs_answer_them_in_json_whoever_opens_them() -> None:
    answer = Browser(app_of(House())).get("/dicom-web/nothing", headers=OPENED)
    assert answer.headers["content-type"] == "application/json" and answer.status_code == 404


def test_without_a_token_the_address_is_the_sign_in_page() -> None:
    answer = Browser(app_of(House())).get("/sign-in")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")


def test_signing_out_ends_the_session_on_the_server() -> None:
    house = House()
    browser = Browser(app_of(house))
    browser.post("/api/sign-in", {"name": "reader", "password": PASSWORD})
    kept = browser.cookies["isocenter"]
    left = browser.post("/api/sign-out")
    assert left.status_code == 200
    assert left.headers["clear-site-data"] == '"cache", "storage"'
    assert "isocenter" not in browser.cookies
    nobody = browser.get("/api/me")
    assert nobody.status_code == 401
    assert "clear-site-data" not in nobody.headers, "there is nothing more to clear"
    assert Browser(app_of(house), bearer=kept).get("/api/me").status_code == 401


def test_a_silent_session_has_to_sign_in_again() -> None:
    house = House()
    browser = Browser(app_of(house))
    browser.post("/api/sign-in", {"name": "reader", "password": PASSWORD})
    house.now += timedelta(hours=2)
    answer = browser.get("/api/worklist")
    assert answer.status_code == 401
    assert answer.json()["error"]["kind"] == "NotSignedIn"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["clear-site-data"] == '"cache", "storage"', "it ended by itself, and nothing stays behind"


@pytest.mark.parametrize("token", ["", "x", "a b c", "é", "0" * 5000])
def test_a_made_up_token_is_nobody(token: str) -> None:
    browser = Browser(app_of(House()))
    browser.headers = {"Authorization": f"Bearer {token}".encode()}  # type: ignore[dict-item]
    assert browser.get("/api/me").status_code == 401


def test_one_gives_ones_own_account_another_password() -> None:
    house = House()
    app = app_of(house)
    browser = Browser(app)
    assert browser.post("/api/sign-in", {"name": "reader", "password": PASSWORD}).status_code == 200
    told = {"old": PASSWORD, "new": "another sentence to sign in"}
    assert Browser(app).post("/api/me/password", told).status_code == 401
    assert browser.post("/api/me/password", {**told, "old": "wrong wrong wrong"}).status_code == 403
    assert browser.post("/api/me/password", told).json() == {"changed": True}
    assert browser.get("/api/me").status_code == 200, "the new session came with the answer"


def test_one_sees_where_one_is_signed_in_and_ends_it_there() -> None:
    house = House()
    app = app_of(house)
    here, there = Browser(app, address="192.0.2.1"), Browser(app, address="192.0.2.9")
    for browser in (here, there):
        browser.post("/api/sign-in", {"name": "reader", "password": PASSWORD})
    told = here.get("/api/me/sessions").json()["sessions"]
    assert [one["here"] for one in told].count(True) == 1 and len(told) == 2
    assert set(told[0]) == {"id", "begun", "seen", "address", "here"}, "nothing that would open a door"
    (other,) = [one["id"] for one in told if not one["here"]]
    assert here.post("/api/me/sessions/end", {"sessions": [other], "password": PASSWORD}).json() == {"ended": 1}
    assert there.get("/api/me").status_code == 401
    assert len(here.get("/api/me/sessions").json()["sessions"]) == 1
    assert Browser(app).get("/api/me/sessions").status_code == 401
