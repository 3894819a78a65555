"""How the server does, and asking it to analyse a study again."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest
from browser_for_pages import Browser
from house_for_pages import CT, House

from isocenter.doors.pages import application
from isocenter.doors.pages_machine import Machine
from isocenter.errors import Refused
from isocenter.govern.policy import Person
from isocenter.settings import Settings


def admin(machine: Machine | None) -> Browser:
    house = House()
    return Browser(
        application(house, demo=False, clock=lambda: house.now, machine=machine), bearer=house.token("admin")
    )


def test_the_system_tells_queue_disk_and_archive(tmp_path: Path) -> None:
    told = admin(Machine(Settings(folder=tmp_path), lambda: 3, lambda study: None)).get("/api/system").json()
    assert (told["waiting"], told["works"], told["counts"]) == (3, True, {"studies": 2})
    assert 0 < told["disk"]["free"] <= told["disk"]["total"]
    assert told["backup"] == {"made": None, "tested": None}
    alone = admin(None).get("/api/system").json()
    assert (alone["works"], alone["disk"]) == (False, None)


def test_conformance_and_the_licences_of_what_runs_here_are_told() -> None:
    said = admin(None).get("/api/conformance")
    assert said.headers["content-type"].startswith("text/plain") and "1.2.840.10008.5.1.4.1.1.2" in said.text
    told = {one["name"].lower(): one for one in admin(None).get("/api/licences").json()["packages"]}
    assert (told["numpy"]["version"], "BSD" in told["numpy"]["licence"]) == (version("numpy"), True)
    assert "Apache" in told["isocenter"]["licence"] and "MIT" in told["pydicom"]["licence"]


def test_a_study_that_waits_says_how_many_go_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def ahead(study: str) -> int:
        asked.append(study)
        return 2

    one = admin(Machine(ahead=ahead))
    assert one.get(f"/api/studies/{CT}/plan").json()["ahead"] is None and not asked, "nothing of it waits"
    line = {"analysis": "pet_uptake", "about": "Uptake", "answer": "waiting", "reasons": []}
    monkeypatch.setattr(House, "why", lambda self, study, *, who: [line])
    assert one.get(f"/api/studies/{CT}/plan").json()["ahead"] == 2 and asked == [CT]


def test_a_study_is_promised_another_analysis() -> None:
    asked: list[str] = []
    one = admin(Machine(again=asked.append))
    assert one.post(f"/api/studies/{CT}/analyse").json() == {"study": CT, "promised": True}
    assert one.post("/api/studies/9.9/analyse").status_code == 404
    assert asked == [CT]
    assert "no worker" in admin(None).post(f"/api/studies/{CT}/analyse").json()["error"]["what"]


def test_a_person_is_promised_an_analysis_for_research(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []
    one = admin(Machine(research=lambda *about: asked.append(about)))
    assert one.post(f"/api/studies/{CT}/research/thin").json() == {"study": CT, "analysis": "thin", "promised": True}
    assert asked == [(CT, "thin", "admin")]
    assert one.post("/api/studies/9.9/research/thin").status_code == 404
    assert "no worker" in admin(None).post(f"/api/studies/{CT}/research/thin").json()["error"]["what"]

    def refused(self: House, study: str, analysis: str, *, who: Person) -> None:
        raise Refused("the analysis 'thin' for research", "it fits this study")

    monkeypatch.setattr(House, "researchable", refused)
    assert "it fits this study" in one.post(f"/api/studies/{CT}/research/thin").text and len(asked) == 1
