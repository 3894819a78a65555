"""Peer learning, double reading and follow-ups as a browser gets them; what is blind is blind in every byte."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser_for_pages import Browser

from department_for_oversight import department, uid
from isocenter.doors.pages import application
from isocenter.site.verbs import Site


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with department(tmp_path_factory.mktemp("department"), read=8) as (site, _):
        yield site


@pytest.fixture
def people(site: Site) -> dict[str, Browser]:
    app = application(site, demo=False, clock=site.clock)
    return {
        name: Browser(app, bearer=site.sign_in_by_link(site.link(name), address="192.0.2.1"))
        for name in ("chief", "ito", "lee", "ruiz")
    }


def test_draw_score_and_settle(people: dict[str, Browser]) -> None:
    assert people["chief"].post("/api/peer/draw", {"seed": "november", "rate": 1.0}).json() == {"drawn": 8}
    assert people["ito"].post("/api/peer/draw", {"seed": "november"}).status_code == 403
    assert people["chief"].post("/api/peer/draw", {"seed": "november"}).status_code == 400
    case = people["chief"].get("/api/peer").json()["cases"][0]
    reviewer, author = case["reviewer"], case["authors"][0]
    mine = people[reviewer].get("/api/peer")
    assert case["id"] in [c["id"] for c in mine.json()["cases"]]
    assert "authors" not in mine.text and "reviewer" not in mine.text
    assert people[author].get(f"/api/peer/{case['id']}").status_code == 404
    assert people[reviewer].post(f"/api/peer/{case['id']}/score", {"score": "2b"}).status_code == 400
    scored = people[reviewer].post(f"/api/peer/{case['id']}/score", {"score": "2b", "words": "a second one"})
    assert scored.json()["state"] == "arbitration"
    again = people[reviewer].post(f"/api/peer/{case['id']}/score", {"score": "1"})
    assert again.status_code in (403, 409)
    third = next(c["arbiter"] for c in people["chief"].get("/api/peer").json()["cases"] if c["id"] == case["id"])
    asked = people[third].get(f"/api/peer/{case['id']}")
    assert "a second one" not in asked.text
    done = people[third].post(f"/api/peer/{case['id']}/score", {"score": "1"})
    assert done.json()["score"] == "1"


def test_two_readers_do_not_hear_of_one_another(people: dict[str, Browser]) -> None:
    asked = {"study": uid(1), "question": "Recall?", "readers": ["ito", "lee"]}
    id = people["chief"].post("/api/double", asked).json()["id"]
    before = people["lee"].get("/api/double").content
    about = people["lee"].get("/api/double").json()["pairs"][0]["about"]
    assert about["patient"] and about["accession"], "two of one question would look alike"
    assert people["ito"].post(f"/api/double/{id}/opinion", {"positive": True, "words": "mass"}).status_code == 200
    assert people["lee"].get("/api/double").content == before, "byte for byte"
    assert people["ruiz"].post(f"/api/double/{id}/opinion", {"positive": True, "words": "x"}).status_code == 404
    assert people["lee"].post(f"/api/double/{id}/opinion", {"positive": False}).json()["state"] == "discordant"
    ruiz = people["ruiz"]
    assert ruiz.get("/api/double").json()["pairs"][0]["opinions"] == []
    assert ruiz.post(f"/api/double/{id}/opinion", {"positive": False}).json()["state"] == "discordant"
    assert len(ruiz.get("/api/double").json()["pairs"][0]["opinions"]) == 3
    assert ruiz.post(f"/api/double/{id}/opinion", {"positive": False, "words": "skin"}).json()["answer"] is False
    assert people["ito"].post("/api/double", asked).status_code == 403


def test_follow_ups(people: dict[str, Browser]) -> None:
    asked = {"finding": "nodule", "due": "2027-05-20", "responsible": "Dr Ruiz", "modality": "CT"}
    id = people["ito"].post(f"/api/studies/{uid(1)}/followups", asked).json()["id"]
    rows = people["lee"].get("/api/followups").json()["rows"]
    assert [(r["id"], r["state"], r["responsible"]) for r in rows] == [(id, "open", "Dr Ruiz")]
    assert people["ito"].post("/api/followups/match").json() == {"matched": 0}
    assert people["ito"].post(f"/api/followups/{id}/match", {"study": uid(2)}).status_code == 404
    assert (
        people["ito"].post(f"/api/followups/{id}/close", {"reason": "declined"}).json()["rows"][0]["state"] == "closed"
    )
    assert people["ito"].get("/api/followups?state=open").json()["rows"] == []
    assert people["ito"].get("/api/followups?state=lost").status_code == 400
