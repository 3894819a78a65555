"""What is typed into a search field travels in the body, and names are searched only by who may."""

from __future__ import annotations

from browser_for_pages import Browser
from house_for_pages import CT, DX, House

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
    assert browser("reader").post("/api/palette", {"words": "  "}).json() == {"studies": [], "patients": []}


def test_each_patient_once_with_their_newest_study() -> None:
    told = browser("reader").post("/api/patients", {"words": ""}).json()["patients"]
    assert [(one["patient"]["id"], one["studies"], one["latest"]) for one in told] == [
        ("ISO-1", 1, CT),
        ("ISO-2", 1, DX),
    ]
    assert told[0]["patient"]["birth_date"] == "1960-01-01"
    assert (told[0]["latest_date"], told[1]["patient"]["birth_date"]) == ("2026-11-20", None)
    assert browser("researcher").post("/api/patients", {"words": "anna"}).status_code == 403


def test_a_wildcard_that_was_typed_is_a_letter() -> None:
    assert browser("reader").post("/api/palette", {"words": "*"}).json()["studies"] == []
