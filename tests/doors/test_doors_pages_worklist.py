"""The worklist, as a browser gets it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest
from browser_for_pages import Browser
from house_for_pages import CT, DX, House

from isocenter.doors.pages import application
from isocenter.doors.pages_machine import Machine


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def reader(house: House) -> Browser:
    return Browser(application(house, demo=True, clock=lambda: house.now), bearer=house.token("reader"))


def test_rows_say_who_what_when_and_why(reader: Browser) -> None:
    told = reader.get("/api/worklist").json()
    assert (told["total"], told["next"]) == (2, None)
    first, second = told["rows"]
    assert first == {
        "study": DX, "patient": {"id": "ISO-2", "name": "PHANTOM^Bert", "sex": "", "birth_date": None},
        "accession": "A2", "date": "2026-11-20", "description": "chest pa", "modalities": ["DX"], "instances": 1,
        "state": "waiting", "level": "now", "why": "AI: opacity, moved up 1", "due": "2026-11-20T12:25:00+00:00",
        "waits_s": 300, "moved_up": 1, "ai": {"state": "found", "words": "opacity"}, "reader": "", "assigned": "",
    }  # fmt: skip
    assert second["patient"]["birth_date"] == "1960-01-01"
    assert second["moved_up"] == -1


def test_without_ai_the_list_is_by_arrival_and_names_no_finding(reader: Browser) -> None:
    told = reader.get("/api/worklist?ai=off").json()
    assert [r["study"] for r in told["rows"]] == [CT, DX]
    assert "opacity" not in json.dumps(told)
    assert {r["ai"]["state"] for r in told["rows"]} == {"off"}


def test_pages_of_rows_follow_one_another(reader: Browser) -> None:
    first = reader.get("/api/worklist?limit=1").json()
    second = reader.get(f"/api/worklist?limit=1&cursor={first['next']}").json()
    assert [r["study"] for r in first["rows"] + second["rows"]] == [DX, CT]
    assert (first["total"], second["next"]) == (2, None)
    assert reader.get("/api/worklist?cursor=99").json()["rows"] == []


def test_a_filter_is_kept_by_the_server_and_a_wrong_one_is_explained(reader: Browser) -> None:
    assert [r["study"] for r in reader.get("/api/worklist?q=mod:CT anna").json()["rows"]] == [CT]
    assert reader.get("/api/worklist?q=is:lost").status_code == 400


def test_a_row_shows_who_has_the_study(reader: Browser) -> None:
    reader.post(f"/api/readings/{CT}/open")
    row = next(r for r in reader.get("/api/worklist").json()["rows"] if r["study"] == CT)
    assert (row["state"], row["reader"]) == ("open", "reader")


def test_a_study_is_asked_of_somebody_and_found_again_by_them(reader: Browser) -> None:
    assert reader.post(f"/api/readings/{CT}/assign", {"to": "reader"}).json()["assigned"] == "reader"
    for words in ("to:me", "to:reader", "is:mine"):
        assert [r["study"] for r in reader.get(f"/api/worklist?q={words}").json()["rows"]] == [CT], words
    assert [r["study"] for r in reader.get("/api/worklist?q=to:nobody").json()["rows"]] == [DX]


def test_a_filter_knows_days(reader: Browser) -> None:
    assert reader.get("/api/worklist?q=from:2026-11-20 until:2026-11-20").json()["total"] == 2
    assert reader.get("/api/worklist?q=from:2026-11-21").json()["total"] == 0
    assert reader.get("/api/worklist?q=from:yesterday").status_code == 400


def test_columns_are_the_same_rows_in_fewer_letters(reader: Browser) -> None:
    rows = reader.get("/api/worklist").json()
    told = reader.get("/api/worklist?form=columns").json()
    assert [dict(zip(told["columns"], row, strict=True)) for row in told["rows"]] == rows["rows"]
    assert (told["total"], told["next"]) == (2, None)
    assert reader.get("/api/worklist?form=columns&q=nobody").json()["columns"] == []


def test_the_list_says_when_nobody_looks(house: House) -> None:
    def line(machine: Machine, ai: str) -> str:
        app = application(house, demo=True, clock=lambda: house.now, machine=machine)
        told: str = Browser(app, bearer=house.token("reader")).get(f"/api/worklist?ai={ai}").json()["without"]
        return told

    assert "No worker listens" in line(Machine(), "on")
    assert line(Machine(), "off") == line(Machine(again=lambda study: None), "on") == ""


def test_whoever_may_not_see_the_list_hears_how_many_wait_in_each_class(house: House) -> None:
    app = application(house, demo=True, clock=lambda: house.now)
    researcher = Browser(app, bearer=house.token("researcher"))
    assert researcher.get("/api/worklist").status_code == 403
    told = researcher.get("/api/worklist/counts").json()
    assert told == {"few": 10, "classes": {"now": 12, "soon": None, "today": None, "routine": None}}
    assert Browser(app, bearer=house.token("planner")).get("/api/worklist/counts").status_code == 403


def test_a_row_says_how_far_its_analyses_have_come(house: House) -> None:
    app = application(house, demo=True, clock=lambda: house.now, machine=Machine(running=lambda: {CT: 0.4}))
    rows = Browser(app, bearer=house.token("reader")).get("/api/worklist").json()["rows"]
    assert {row["study"]: row["ai"].get("done") for row in rows} == {CT: 0.4, DX: None}


def test_a_preview_tells_what_was_asked_and_nothing_that_a_machine_made(house: House, reader: Browser) -> None:
    ct = house.studies[CT]
    pictures = [s for s in ct.series if s.modality == "CT"]
    asked = replace(pictures[0], facts={"ReasonForStudy": " cough ", "RequestedProcedureDescription": "CT chest"})
    prior = replace(ct, uid="1.2.3.7", accession="A0", date=date(2025, 1, 2), series=(pictures[0],))
    house.studies |= {CT: replace(ct, series=(*(s for s in ct.series if s.modality == "SEG"), asked)), "1.2.3.7": prior}
    reader.post(f"/api/readings/{CT}/assign", {"to": "admin"})
    told = reader.get(f"/api/worklist/{CT}/preview").json()
    assert (told["reason"], told["assigned"], told["by"]) == ("cough", "admin", "")
    assert [(s["modality"], s["images"]) for s in told["series"]] == [("CT", 8)]
    assert told["priors"] == [
        {"study": "1.2.3.7", "date": "2025-01-02", "description": "CT chest", "modalities": ["CT"]}
    ]
    assert reader.get(f"/api/worklist/{DX}/preview").json()["priors"] == []
    assert reader.get("/api/worklist/9.9/preview").status_code == 404
