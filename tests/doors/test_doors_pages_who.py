"""Who asks: programs that only know name and password, and what the pages take."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest
from browser_for_pages import Browser
from fastapi import APIRouter, Request
from house_for_pages import PASSWORD, House

from isocenter.doors.pages import application
from isocenter.doors.pages_who import person_of
from isocenter.errors import Forbidden, Unavailable


def app_of(house: House, **rest: Any) -> Any:
    return application(house, demo=False, clock=lambda: house.now, **rest)


def basic(text: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


def test_programs_sign_in_with_each_request_but_the_password_is_checked_once() -> None:
    house, router, asked = House(), APIRouter(), []
    real = house.sign_in

    def counted(name: str, password: str, *, address: str) -> str:
        asked.append(address)
        return real(name, password, address=address)

    house.sign_in = counted  # type: ignore[method-assign]

    @router.get("/who")
    def who(request: Request) -> str:
        return person_of(request).name

    app = app_of(house, dicomweb_router=router)
    browser = Browser(app)
    for _ in range(3):
        assert browser.get("/dicom-web/who", headers=basic(f"service:{PASSWORD}")).json() == "service"
    assert asked == ["192.0.2.1"]
    house.now += timedelta(hours=2)
    assert browser.get("/dicom-web/who", headers=basic(f"service:{PASSWORD}")).json() == "service"
    assert len(asked) == 2, "an expired session is begun anew"
    assert browser.get("/dicom-web/who", headers=basic("service:wrong wrong wrong")).status_code == 403
    for broken in ("Basic !!!", "Basic " + base64.b64encode(b"no colon").decode(), "Basic", "Digest x"):
        assert browser.get("/dicom-web/who", headers={"Authorization": broken}).json() == ""
    assert Browser(app, bearer=house.token("admin")).get("/dicom-web/who").json() == "admin"
    assert browser.get("/dicom-web/who").json() == ""


def test_basic_is_not_taken_by_the_pages_themselves() -> None:
    assert Browser(app_of(House())).get("/api/me", headers=basic(f"reader:{PASSWORD}")).status_code == 401


def test_what_a_role_may_not_is_told_to_the_house_and_a_stranger_is_nobody() -> None:
    house = House()
    app = app_of(house)
    assert Browser(app, bearer=house.token("researcher")).get("/api/worklist").status_code == 403
    assert Browser(app, bearer=house.token("reader")).get("/api/worklist").status_code == 200
    assert Browser(app).get("/api/worklist").status_code == 401
    assert house.denials == [("researcher", "rule 'worklist' refuses the role 'researcher'", "192.0.2.1")]


def test_what_the_house_itself_forbids_is_told_as_well_and_a_wrong_password_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A role may look through emergencies and nobody their own: that they tried is what an auditor asks for."""
    house = House()

    def refuse(*_: Any, **__: Any) -> None:
        raise Forbidden("one's own emergency", "another person looks through it (rule 'glass_review')")

    monkeypatch.setattr(house.projects, "review", refuse, raising=False)
    reader = Browser(app_of(house), bearer=house.token("reader"))
    assert reader.post("/api/glass/1234567890abcdef/review", json={"justified": True}).status_code == 403
    assert house.denials == [("reader", "one's own emergency", "192.0.2.1")]
    assert reader.post("/api/me/password", json={"old": "wrong", "new": "a long new pass phrase"}).status_code == 403
    assert len(house.denials) == 1


def test_a_refusal_that_cannot_be_told_says_that_the_journal_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House()

    def full(*_: Any, **__: Any) -> None:
        raise Unavailable("the journal", "the disk is full", "free some")

    monkeypatch.setattr(house, "denied", full)
    answer = Browser(app_of(house), bearer=house.token("researcher")).get("/api/worklist")
    assert answer.status_code == 507 and answer.json()["error"]["what"] == "the journal"
