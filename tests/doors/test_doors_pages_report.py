"""The report over the wire: template, headings, what is doubted in place, and what each sentence leads back to."""

from __future__ import annotations

from typing import Any

import pytest
from browser_for_pages import Browser
from house_for_pages import CT, CT_SERIES, House

from isocenter.doors.pages import application


@pytest.fixture
def reader() -> Browser:
    house = House()
    made = Browser(application(house, demo=True, clock=lambda: house.now), bearer=house.token("reader"))
    assert made.post(f"/api/readings/{CT}/open").status_code == 200
    return made


def report(reader: Browser) -> Any:
    return reader.get(f"/api/readings/{CT}/report").json()


def test_the_template_and_its_sections_are_told(reader: Browser) -> None:
    told = report(reader)
    form = told["template"]
    assert (form["name"], form["title"], form["version"]) == ("ct_chest", "CT of the chest", "2")
    assert [s["name"] for s in form["sections"]][:3] == ["Clinical information", "Technique", "Comparison"]
    findings = next(s for s in form["sections"] if s["name"] == "Findings")
    assert (findings["radlex"], findings["loinc"]) == ("RID28486", "59776-5")
    assert "Pleura" in [h["name"] for h in findings["headings"]]
    assert next(s for s in told["sentences"] if s["section"] == "Findings")["heading"] == "Lungs and airways"
    names = [one["name"] for one in reader.get("/api/templates").json()["templates"]]
    assert {"ct_chest", "general"} <= set(names)


def test_every_sentence_leads_back_to_series_and_slice(reader: Browser) -> None:
    told = report(reader)
    tied = {t for s in told["sentences"] for t in s["findings"]}
    (one,) = (e for e in told["evidence"] if e["finding"] in tied)
    assert (one["number"], one["series_uid"], one["series"]) == (1, CT_SERIES, 2)
    assert (one["slice"], one["slices"]) == (5, 8) and one["where"] == "series 2, slice 5 of 8"


def test_a_doubt_names_the_characters(reader: Browser) -> None:
    before = report(reader)
    id = next(s["id"] for s in before["sentences"] if s["findings"])
    text = "Lesion of 9 mm in the right lung."
    told = reader.put(f"/api/readings/{CT}/sentences/{id}", {"version": before["version"], "text": text}).json()
    marked: dict[str, list[str]] = {s["id"]: [] for s in told["sentences"] if s["text"] == text}
    for d in told["disagreements"]:
        marked[d["sentence"]].append(text[d["start"] : d["end"]])
    assert len(marked) == 2, "the impression says it in the same words, and is marked too"
    assert all(words == ["9 mm", "right"] for words in marked.values())


def test_a_sentence_of_one_s_own_is_tied_to_a_finding_and_held_against_it(reader: Browser) -> None:
    before = report(reader)
    finding = next(s["findings"][0] for s in before["sentences"] if s["findings"])
    body = {"text": "Lesion of 9 mm on the right.", "section": "Findings", "findings": [finding]}

    def put(version: int, **more: object) -> tuple[int, dict[str, object], list[str]]:
        told = reader.put(f"/api/readings/{CT}/sentences/own-1", {**body, **more, "version": version}).json()
        own = next(s for s in told["sentences"] if s["id"] == "own-1")
        marks = [own["text"][d["start"] : d["end"]] for d in told["disagreements"] if d["sentence"] == "own-1"]
        return told["version"], own, marks

    version, own, marks = put(before["version"])
    assert own["findings"] == [finding] and marks == ["9 mm", "right"]
    version, own, _ = put(version, text="Lesion of 9 mm.", findings=None)
    assert own["findings"] == [finding], "other words keep what they speak of"
    _, own, marks = put(version, text="On the right.", findings=[])
    assert own["findings"] == [] and marks == []


def test_another_template_is_chosen_and_a_heading_of_it_written_to(reader: Browser) -> None:
    version = report(reader)["version"]
    chosen = reader.put(f"/api/readings/{CT}/template", {"version": version, "name": "ct_abdomen"})
    assert chosen.status_code == 200 and chosen.json()["template"]["name"] == "ct_abdomen"
    body = {"version": chosen.json()["version"], "text": "A stone.", "section": "Findings"}
    refused = reader.put(f"/api/readings/{CT}/sentences/own", {**body, "heading": "Pleura"})
    assert refused.status_code == 400 and "no such heading" in refused.text
    told = reader.put(f"/api/readings/{CT}/sentences/own", {**body, "heading": "Lung bases"}).json()
    assert next(s["heading"] for s in told["sentences"] if s["id"] == "own") == "Lung bases"
    stale = reader.put(f"/api/readings/{CT}/template", {"version": version, "name": "general"})
    assert stale.status_code == 409
    assert reader.put(f"/api/readings/{CT}/template", {"version": 0, "name": "haiku"}).status_code in (404, 409)
