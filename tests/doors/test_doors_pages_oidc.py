"""A person signs in through another house's door, in memory: the whole way, and what may be put in its way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from browser_for_pages import Browser

from isocenter.app import open_house
from isocenter.doors.oidc_client import Provider
from isocenter.doors.pages import application
from isocenter.doors.pages_oidc import Way
from isocenter.errors import Forbidden, Refused, Unavailable
from isocenter.govern.oidc import read_table
from isocenter.govern.policy import HOUSE, Role
from isocenter.record import Kind
from isocenter.settings import Settings
from isocenter.site.verbs import Site
from issuer_for_sign_in import CLIENT, ISSUER, NOW, Issuer

TABLE = read_table("it=admin,radiologists=reader", claim="groups", name="preferred_username")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[tuple[Site, Issuer, Any]]:
    house = open_house(Settings(folder=tmp_path / "archive"), make=True)
    site, issuer = house.site, Issuer()
    site._entrance.clock = lambda: NOW
    site.add_person("lee", Role.READER, "a long enough password", who=HOUSE)
    way = Way(Provider(ISSUER, CLIENT, "", TABLE, httpx.Client(transport=issuer)))
    yield site, issuer, application(site, demo=False, clock=lambda: NOW, way=way)
    house.close()


def _out(browser: Browser) -> tuple[str, str]:
    """The way out, and its state."""
    answer = browser.get("/sign-in/oidc")
    assert answer.status_code == 303
    out = answer.headers["location"]
    return out, parse_qs(urlsplit(out).query)["state"][0]


def _in(browser: Browser, issuer: Issuer, **more: str) -> httpx.Response:
    out, state = _out(browser)
    told = {"code": issuer.visit(out), "state": state, **more}
    return browser.get(f"/sign-in/oidc/back?{httpx.QueryParams(told)}")


def test_the_whole_way_in_and_the_account_follows_the_service(world: tuple[Site, Issuer, Any]) -> None:
    site, issuer, app = world
    browser = Browser(app)
    assert browser.get("/api/sign-in/ways").json()["service"]["issuer"] == ISSUER
    answer = _in(browser, issuer)
    assert answer.status_code == 303 and answer.headers["location"] == "/"
    me = browser.get("/api/me").json()
    assert (me["name"], me["role"]) == ("ito", "reader")
    issuer.says = {"groups": ["it"], "preferred_username": "ito-renamed"}
    again = Browser(app)
    assert _in(again, issuer).status_code == 303
    assert (again.get("/api/me").json()["name"], again.get("/api/me").json()["role"]) == ("ito", "admin")
    assert browser.get("/api/me").status_code == 401, "sessions with the old role have ended"
    assert [p["name"] for p in site.index.people() if p["name"].startswith("ito")] == ["ito"]
    wrong = Browser(app).post("/api/sign-in", {"name": "ito", "password": "oidc:anything at all"})
    assert wrong.status_code == 403, "the account has no password here"


def test_a_name_that_another_account_has_and_a_group_without_a_role_are_refused(
    world: tuple[Site, Issuer, Any],
) -> None:
    site, issuer, app = world
    for says in ({"preferred_username": "lee"}, {"groups": ["visitors"]}, {"groups": []}):
        issuer.says = says
        browser = Browser(app)
        assert _in(browser, issuer).status_code == 403 and browser.get("/api/me").status_code == 401
    assert [p["name"] for p in site.index.people()] == ["lee"], "nobody was made"


def test_nobody_comes_in_under_a_name_of_the_house_and_every_refusal_is_told(world: tuple[Site, Issuer, Any]) -> None:
    site, issuer, app = world
    site.add_peer("CT1", "*", 104, who=HOUSE)
    for says in ({"preferred_username": " Isocenter"}, {"preferred_username": "ct1"}, {"groups": ["visitors"]}):
        issuer.says = says
        before = len(site.journal.since(kinds=(Kind.SIGN_IN_REFUSED,)))
        assert _in(Browser(app), issuer).status_code == 403, says
        assert len(site.journal.since(kinds=(Kind.SIGN_IN_REFUSED,))) == before + 1, says
    with pytest.raises(Forbidden, match="house or a device"):
        site.add_person("isocenter", Role.ADMIN, "a long enough password", who=HOUSE)


def test_who_signed_out_is_asked_anew_by_the_service(world: tuple[Site, Issuer, Any]) -> None:
    _, issuer, app = world
    browser = Browser(app)
    assert "prompt=" not in _out(browser)[0]
    assert _in(browser, issuer).status_code == 303
    assert browser.post("/api/sign-out", {}).status_code == 200 and browser.get("/api/me").status_code == 401
    assert "prompt=login" in _out(browser)[0], "the next at this screen is not let in as the last"
    assert _in(browser, issuer).status_code == 303 and "prompt=" not in _out(browser)[0]


def test_what_is_put_in_the_way_is_refused_and_told_to_the_journal_alone(world: tuple[Site, Issuer, Any]) -> None:
    site, issuer, app = world
    mine, other = Browser(app), Browser(app)
    out, state = _out(mine)
    code = issuer.visit(out)
    attacks = {
        "no state": f"code={code}",
        "a state that was made up": f"code={code}&state=abc",
        "an error of the service": "error=access_denied&state=FRESH",
        "no code": "state=FRESH",
        "the answer of another service": f"code={code}&state=FRESH&iss=https://evil.example",
        "a code of another sign-in": f"code={code}&state=FRESH",
    }
    said = set()
    for name, query in attacks.items():
        answer = mine.get(f"/sign-in/oidc/back?{query.replace('FRESH', _out(mine)[1])}")
        assert answer.status_code == 403 and mine.get("/api/me").status_code == 401, name
        said.add(answer.text)
    assert len(said) == 1, "one answer for every cause"
    out, state = _out(mine)
    stolen = other.get(f"/sign-in/oidc/back?code={issuer.visit(out)}&state={state}")
    assert stolen.status_code == 403, "another browser cannot bring the answer"
    out, state = _out(mine)
    back = f"/sign-in/oidc/back?code={issuer.visit(out)}&state={state}"
    assert mine.get(back).status_code == 303 and other.get(back).status_code == mine.get(back).status_code == 403
    issuer.says = {"nonce": "another"}
    assert _in(other, issuer).status_code == 403
    causes = {s.event.details["cause"] for s in site.journal.since(kinds=(Kind.SIGN_IN_REFUSED,))}
    assert len(causes) >= 6 and all(s.event.who == "" for s in site.journal.since(kinds=(Kind.SIGN_IN_REFUSED,)))


def test_keys_are_changed_without_a_stop_and_strangers_do_not_make_us_ask(world: tuple[Site, Issuer, Any]) -> None:
    _, issuer, app = world
    way = app.state.way.provider
    issuer.keys = issuer.keys[1:]
    assert _in(Browser(app), issuer).status_code == 403
    issuer.keys = Issuer().keys
    way._asked -= 31
    assert _in(Browser(app), issuer).status_code == 303
    before = len(issuer.asked)
    for _ in range(5):
        way.keys("made up")
    assert len(issuer.asked) == before


def test_services_that_are_not_to_be_trusted_are_not_asked(world: tuple[Site, Issuer, Any]) -> None:
    _, issuer, app = world
    issuer.named = "https://another.example"
    assert Browser(app).get("/sign-in/oidc").status_code == 507
    with pytest.raises(Refused, match="not under https"):
        Provider("http://id.example.org", CLIENT, "", TABLE)
    gone = Provider(
        ISSUER, CLIENT, "", TABLE, httpx.Client(transport=httpx.MockTransport(lambda r: httpx.Response(500)))
    )
    with pytest.raises(Unavailable):
        gone.keys("r1")
