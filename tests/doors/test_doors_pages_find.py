"""What is typed into a search field travels in the body, and names are searched only by who may."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from browser_for_pages import Browser
from house_for_pages import CT, DX, House

from isocenter.doors import pages_find
from isocenter.doors.pages import application


def browser(role: str) -> Browser:
    house = House()
    return Browser(application(house, demo=False, clock=lambda: house.now), bearer=house.token(role))


def test_studies_by_accession_and_patients_only_with_the_right() -> None:
    told = browser("reader").post("/api/palette", {"words": "A1"}).json()
    assert [one["study"] for one in told["studies"]] == [CT]
    assert browser("reader").post("/api/palette", {"words": "anna"}).json()["patients"][0]["latest"] == CT
    told = browser("researcher").post("/api/palette", {"words": "anna"}).json()
    assert (told["studies"], told["patients"]) == ([], [])
    assert browser("reader").post("/api/palette", {"words": "  "}).json() == {
        "studies": [], "cohorts": [], "patients": [],
    }  # fmt: skip


def test_frozen_cohorts_by_the_words_of_their_name_and_only_with_the_right() -> None:
    house = House()
    frozen = [
        {"id": "a" * 64, "name": "Chest CT of 2026", "q": "", "n": 12, "by": "ito", "when": "2026-11-20T10:00:00"},
        {"id": "b" * 64, "name": "Knees", "q": "", "n": 40, "by": "ito", "when": "2026-11-19T10:00:00"},
    ]
    house.cohorts = SimpleNamespace(frozen=lambda who: frozen)

    def ask(role: str, words: str) -> list[dict[str, Any]]:
        asker = Browser(application(house, demo=False, clock=lambda: house.now), bearer=house.token(role))
        told: list[dict[str, Any]] = asker.post("/api/palette", {"words": words}).json()["cohorts"]
        return told

    assert ask("reader", "ct chest") == [{"id": "a" * 64, "name": "Chest CT of 2026", "when": "2026-11-20T10:00:00"}]
    assert ask("researcher", "knee")[0]["id"] == "b" * 64
    assert ask("reader", "chest knees") == [] and ask("service", "knee") == []


def test_each_patient_once_with_their_newest_study() -> None:
    told = browser("reader").post("/api/patients", {"words": ""}).json()["patients"]
    assert [(one["patient"]["id"], one["studies"], one["latest"]) for one in told] == [
        ("ISO-1", 1, CT),
        ("ISO-2", 1, DX),
    ]
    assert told[0]["patient"]["birth_date"] == "1960-01-01"
    assert (told[0]["latest_date"], told[1]["patient"]["birth_date"]) == ("2026-11-20", None)
    assert browser("researcher").post("/api/patients", {"words": "anna"}).status_code == 403


def test_studies_beyond_those_that_were_looked_at_count_and_more_patients_are_told() -> None:
    whole = browser("reader").post("/api/patients", {"words": ""}).json()
    assert whole["more"] is False
    asked: list[dict[str, str]] = []
    row = {"PatientID": "P", "PatientName": "A", "PatientSex": "", "PatientBirthDate": "", "StudyDate": "20260101"}

    class Many:
        def find(self, level: str, keys: dict[str, str], **how: Any) -> list[dict[str, Any]]:
            asked.append(keys)
            rows = [row | {"StudyInstanceUID": f"1.{n}", "StudyDate": f"202601{n:02d}"} for n in range(1, 10)]
            return rows[: how.get("limit")]

    found, more = pages_find._people(Many(), "", 1, None)  # type: ignore[arg-type]
    assert more and asked == [{}, {"PatientID": "P"}]
    assert (found[0]["studies"], found[0]["latest"]) == (9, "1.9"), "the newest lay beyond the first four"


def test_a_wildcard_that_was_typed_is_a_letter() -> None:
    assert browser("reader").post("/api/palette", {"words": "*"}).json()["studies"] == []
