"""Orders, performed steps and work items over HTTP: placed, found, taken back; claimed, asked to be cancelled."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser_for_pages import Browser

from isocenter.doors.pages import application
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.record.order import read_order
from isocenter.site.verbs import Site

sys.path.insert(0, str(Path(__file__).parents[1] / "site"))
from rejecting_samples import files, given, link_in, opened

SCANNER = Person("CT1", Role.SERVICE)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path) as one:
        for name, role in (("anna", Role.ADMIN), ("ito", Role.READER), ("gray", Role.RESEARCHER)):
            link_in(one, name, role)
        yield one


def browser(site: Site, name: str) -> Browser:
    app = application(site, demo=False, clock=site.clock)
    return Browser(app, bearer=site.sign_in_by_link(site.link(name), address="192.0.2.1"))


def order(number: int) -> dict[str, object]:
    return {
        "patient": {"id": f"P{number}", "name": f"PHANTOM^{number}"}, "accession": f"A{number}", "modality": "CT",
        "procedure": "CT chest", "date": f"2026-12-{1 + number % 28:02d}", "time": "0830",
    }  # fmt: skip


def test_orders_by_a_person_paged_found_and_taken_back(site: Site) -> None:
    anna, ito = browser(site, "anna"), browser(site, "ito")
    assert anna.post("/api/orders", order(42)).status_code == 200
    more = [read_order(order(number)) for number in range(103) if number != 42]
    site.ordering.place(more, source="file", who=HOUSE)
    first = ito.get("/api/orders").json()
    assert (first["total"], len(first["rows"]), first["next"]) == (103, 100, 100)
    assert len(ito.get("/api/orders?offset=100").json()["rows"]) == 3
    (one,) = ito.get("/api/orders?q=phantom^42").json()["rows"]
    assert (one["id"], one["state"], one["source"]) == ("A42", "scheduled", "person")
    cancel = {"id": "A42", "reason": "not needed"}
    assert ito.post("/api/orders/cancel", cancel).status_code == 403
    assert anna.post("/api/orders/cancel", cancel).status_code == 200
    assert anna.post("/api/orders/cancel", cancel).status_code == 409
    (gone,) = ito.get("/api/orders?state=cancelled").json()["rows"]
    assert gone["reason_cancelled"] == "not needed"
    assert browser(site, "gray").get("/api/orders").status_code == 403


def test_a_step_that_a_scanner_begins_and_breaks_off(site: Site) -> None:
    anna = browser(site, "anna")
    study = anna.post("/api/orders", order(1)).json()["orders"][0]["study_uid"]
    scheduled = {"0020000D": {"vr": "UI", "Value": [study]}, "00080050": {"vr": "SH", "Value": ["A1"]}}
    told = {
        "00080060": "CT", "00400253": "S1", "00400241": "CT1", "00400244": "20261201", "00400245": "0831",
        "00400252": "IN PROGRESS", "00100020": "P1", "00400254": "Chest",
    }  # fmt: skip
    model = {tag: {"vr": "LO", "Value": [value]} for tag, value in told.items()}
    site.ordering.begin("1.2.9", {**model, "00400270": {"vr": "SQ", "Value": [scheduled]}}, who=SCANNER)
    (step,) = anna.get("/api/steps").json()["rows"]
    assert (step["state"], step["station"], step["orders"], step["studies"]) == ("IN PROGRESS", "CT1", ["A1"], [study])
    why = {"vr": "SQ", "Value": [{"00080104": {"vr": "LO", "Value": ["Patient moved"]}}]}
    ended = {"00400250": {"vr": "DA", "Value": ["20261201"]}, "00400251": {"vr": "TM", "Value": ["0840"]}}
    broken = {"00400252": {"vr": "CS", "Value": ["DISCONTINUED"]}, "00400281": why, **ended}
    site.ordering.perform("1.2.9", broken, who=SCANNER)
    (step,) = anna.get("/api/steps?state=DISCONTINUED").json()["rows"]
    assert (step["why"], step["ended"]) == ("Patient moved", "202612010840")
    assert [o["state"] for o in anna.get("/api/orders").json()["rows"]] == ["discontinued"]


def test_a_work_item_of_a_study_is_claimed_and_asked_to_be_cancelled(site: Site) -> None:
    study = given(site, files(1, patient="P1"))
    anna = browser(site, "anna")
    made = anna.post("/api/workitems", {"label": "Outline", "priority": "HIGH", "study": study}).json()["uid"]
    (item,) = anna.get("/api/workitems").json()["rows"]
    assert (item["state"], item["patient"], item["studies"], item["performer"]) == ("SCHEDULED", "P1", [study], "")
    site.working.change_state(made, "IN PROGRESS", "1.2.3.4", who=SCANNER)
    assert anna.post(f"/api/workitems/{made}/cancel", {"reason": "patient left"}).status_code == 200
    (item,) = anna.get("/api/workitems?state=IN+PROGRESS").json()["rows"]
    assert (item["performer"], item["cancel_asked"]) == ("CT1", "anna")
    site.projects.found("trial", "a trial", who=HOUSE)
    site.projects.move(study, "trial", reason="a trial", who=HOUSE)
    assert browser(site, "ito").get("/api/workitems").json()["total"] == 0, "it works on a study of another project"
    other = anna.post("/api/workitems", {"label": "Triage"}).json()["uid"]
    anna.post(f"/api/workitems/{other}/cancel", {"reason": "not needed"})
    (item,) = anna.get("/api/workitems?state=CANCELED").json()["rows"]
    assert (item["label"], item["progress"]) == ("Triage", "not needed")
