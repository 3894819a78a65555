"""A person signs in through another house's door, in memory: the whole way, and what may be put in its way."""

from __future__ import annotations

import contextlib
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
from isocenter.govern.oidc import Strength, read_table
from isocenter.govern.policy import HOUSE, Role
from isocenter.record import Kind
from isocenter.settings import Settings
from isocenter.site.verbs import Site
from issuer_for_sign_in import CLIENT, ISSUER, NOW, Issuer, claims, notice, signed

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
    assert Browser(app).get("/sign-in/oidc").status_code == 502
    with pytest.raises(Refused, match="not under https"):
        Provider("http://id.example.org", CLIENT, "", TABLE)
    gone = Provider(
        ISSUER, CLIENT, "", TABLE, httpx.Client(transport=httpx.MockTransport(lambda r: httpx.Response(500)))
    )
    with pytest.raises(Unavailable):
        gone.keys("r1")


def _end(browser: Browser, token: str, **rest: Any) -> httpx.Response:
    form = {"logout_token": token}
    return browser.ask("POST", "/sign-in/oidc/ended", origin=None, **{"data": form, **rest})


def test_who_is_signed_out_there_is_signed_out_here_at_once_and_a_notice_is_heard_once(
    world: tuple[Site, Issuer, Any],
) -> None:
    site, issuer, app = world
    service, browsers = Browser(app, address="198.51.100.7"), []
    for session in ("s-1", "s-2", "s-3"):
        issuer.says = {"sid": session}
        browsers.append(Browser(app))
        assert _in(browsers[-1], issuer).status_code == 303
    other = Browser(app)
    issuer.says = {"sub": "u-2", "preferred_username": "eva", "sid": "s-9"}
    _in(other, issuer)
    lee = Browser(app)
    assert lee.post("/api/sign-in", {"name": "lee", "password": "a long enough password"}).status_code == 200

    def here() -> list[int]:
        return [b.get("/api/me").status_code for b in (*browsers, other, lee)]

    one = signed(notice(sid="s-1", sub=None))
    answer = _end(service, one)
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    assert here() == [401, 200, 200, 200, 200]
    issuer.says = {"sid": "s-1"}
    assert _in(browsers[0], issuer).status_code == 303
    assert _end(service, one).status_code == 400 and here() == [200] * 5, "it was heard before"
    # After a restart, too: what is remembered stands in the journal.
    site._entrance.__post_init__()
    assert _end(service, one).status_code == 400 and here() == [200] * 5
    assert _end(service, signed(notice(jti="n-2", sid="s-2", sub="u-2"))).status_code == 200
    assert here() == [200] * 5, "a session and a person that do not belong together end nothing"
    assert _end(service, signed(notice(jti="n-3"))).status_code == 200
    assert here() == [401, 401, 401, 200, 200], "all of one person, and of nobody else"
    assert _end(service, signed(notice(jti="n-4", sub="lee"))).status_code == 200
    assert here()[-1] == 200, "whoever came by password is not the service's to sign out"
    site._entrance.__post_init__()
    assert here() == [401, 401, 401, 200, 200], "who has left stays out after a restart"
    left = [s.event for s in site.journal.since(kinds=(Kind.SIGNED_OUT,))]
    assert [e.who for e in left if e.details.get("session")] == ["ito"] * 4
    assert {e.details["by"] for e in left} == {"sign-in service"}


def test_a_notice_that_proves_nothing_ends_nothing_and_is_told_to_the_journal(world: tuple[Site, Issuer, Any]) -> None:
    site, issuer, app = world
    browser, service = Browser(app), Browser(app)
    _in(browser, issuer)
    good = signed(notice())
    for bad in (
        _end(service, signed(notice(aud="pacs"))), _end(service, signed(claims("n"))), _end(service, "x"),
        _end(service, "", data={}), _end(service, "", data={"logout_token": [good, good]}),
        _end(service, "", content=b"logout_token=" + b"x" * 70_000, data=None),
        _end(service, "", content=b"&".join([b"a=1"] * 50), data=None),
    ):  # fmt: skip
        assert bad.status_code == 400 and bad.json()["error"] == "invalid_request", bad.text
    assert browser.ask("POST", "/sign-in/oidc/ended", origin="https://evil.example", data={"logout_token": good}
                       ).status_code == 403, "a page of a stranger cannot bring it"  # fmt: skip
    assert browser.get("/api/me").status_code == 200
    causes = [s.event.details["cause"] for s in site.journal.since(kinds=(Kind.SIGN_IN_REFUSED,))]
    assert len(causes) == 7 and all(c.startswith("back-channel logout: ") for c in causes)
    plain = application(site, demo=False, clock=lambda: NOW)
    assert _end(Browser(plain), good).status_code == 400, "no service is set up"


def test_a_weak_sign_in_at_the_service_opens_nothing_here_where_the_site_asks_for_a_strong_one(
    world: tuple[Site, Issuer, Any],
) -> None:
    site, issuer, app = world
    app.state.way.provider.asks = Strength(methods=("mfa",))
    issuer.says = {"amr": ["pwd"]}
    assert _in(Browser(app), issuer).status_code == 403
    refused = site.journal.since(kinds=(Kind.SIGN_IN_REFUSED,), limit=1, newest_first=True)[0]
    assert "methods ['pwd']" in refused.event.details["cause"]
    issuer.says = {"amr": ["pwd", "mfa"]}
    assert _in(Browser(app), issuer).status_code == 303


def test_what_the_settings_ask_of_the_service_goes_out_with_the_question(tmp_path: Path) -> None:
    said = {"oidc_issuer": ISSUER, "oidc_roles": "rad=reader", "oidc_acr": "urn:two, urn:three", "oidc_age_min": 5}
    with contextlib.closing(open_house(Settings(folder=tmp_path / "a", **said))) as house:  # type: ignore[arg-type]
        way = house._way()
        assert way is not None
        way.provider.http = httpx.Client(transport=Issuer())
        out = way.provider.way_out(way.waiting.begin(NOW), "https://pacs.example.org/back")
    asked = parse_qs(urlsplit(out).query)
    assert (asked["acr_values"], asked["max_age"]) == (["urn:two urn:three"], ["300"])
