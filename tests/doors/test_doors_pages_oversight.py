"""The figures of a department as JSON, from a real archive of thirty studies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from browser_for_pages import Browser

from department_for_oversight import AI, department, uid
from isocenter.doors.pages import application
from isocenter.record import Kind, digest_of
from isocenter.site.verbs import Site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with department(tmp_path_factory.mktemp("department")) as (site, _):
        yield site


def browser(site: Site, name: str) -> Browser:
    app = application(site, demo=False, clock=site.clock)
    return Browser(app, bearer=site.sign_in_by_link(site.link(name), address="192.0.2.1"))


@pytest.fixture(scope="module")
def chief(site: Site) -> Browser:
    return browser(site, "chief")


@pytest.fixture(scope="module")
def ito(site: Site) -> Browser:
    return browser(site, "ito")


def test_turnaround(ito: Browser) -> None:
    told = ito.get("/api/turnaround?span=waiting&by=site&target_min=20&zone=UTC").json()
    assert (told["from"], told["to"], told["all"]["n"]) == ("available", "opened", 30)
    assert told["all"]["median"] == {"value": 15.5, "low": 10, "high": 21, "n": 30}
    assert [(r["group"], r["median"]["value"]) for r in told["rows"]] == [("north", 10.5), ("south", 25.5)]
    for wrong in ("zone=Mars", "hours=18-8", "hours=x", "by=moon", "span=moon", "since=yesterday"):
        assert ito.get(f"/api/turnaround?{wrong}").status_code == 400, wrong


@pytest.mark.parametrize(
    "path",
    ["turnaround?by=site", f"triage/{AI}?zone=UTC", "readers?by=mode", "peer", "double", "followups?state=overdue"],
)
def test_every_part_is_taken_as_a_file_and_written_down(ito: Browser, site: Site, path: str) -> None:
    shown, head = ito.get(f"/api/{path}").json(), site.head()
    answer = ito.get(f"/api/{path}{'&' if '?' in path else '?'}take=true")
    assert answer.headers["content-disposition"].startswith('attachment; filename="')
    assert answer.json()["figures"] == shown
    (entry,) = [s.event for s in site.journal.since(head) if s.event.kind is Kind.FIGURES_TAKEN]
    assert entry.details["file"] == answer.json()["receipt"]["sha256"] == digest_of(shown)
    assert entry.details["asked"] == dict(part.split("=") for part in path.partition("?")[2].split("&") if part)


def test_the_journal_is_taken_whole_by_whoever_may_read_it(chief: Browser, ito: Browser) -> None:
    answer = chief.get("/api/audit?q=what:reportsigned&take=true")
    assert answer.headers["content-type"] == "application/x-ndjson" and "journal.jsonl" in str(answer.headers)
    assert json.loads(answer.text.splitlines()[-1])["receipt"]["rows"] == len(answer.text.splitlines()) - 1 == 30
    assert ito.get("/api/audit?take=true").status_code == 403


def test_a_stamp_and_a_truth_are_told(ito: Browser, site: Site) -> None:
    head = site.head()
    answer = ito.post(f"/api/studies/{uid(2)}/stamps", {"stamp": "ordered", "at": "2026-11-16T07:00:00+01:00"})
    assert answer.status_code == 200
    answer = ito.post(f"/api/studies/{uid(2)}/outcome", {"analysis": AI, "present": False, "source": "pathology"})
    assert answer.status_code == 200
    told = [s.event for s in site.journal.since(head) if s.event.subject == uid(2)]
    assert [(e.who, dict(e.details).get("at"), e.details.get("source")) for e in told] == [
        ("ito", "2026-11-16T06:00:00+00:00", None), ("ito", None, "pathology"),
    ]  # fmt: skip
    assert ito.post("/api/studies/9.9/stamps", {"stamp": "ordered", "at": "2026-11-16T07:00:00Z"}).status_code == 404


def test_triage_and_the_line_beneath_the_worklist(ito: Browser) -> None:
    told = ito.get(f"/api/triage/{AI}?on_since=2026-11-16T00:00:00Z").json()
    assert (told["studies"], told["enough"], told["splits"][0]["needed"]) == (30, 60, 30)
    assert ito.get(f"/api/triage/{AI}?on_since=2026-11-16T00:00:00").status_code == 400
    assert ito.get("/api/triage/palm_reading").status_code == 404
    assert AI in [a["analysis"] for a in ito.get("/api/triage").json()["analyses"]]
    assert ito.get("/api/worklist/effect").json()["needed"] == 33


def test_what_if_gives_the_golden_table(ito: Browser) -> None:
    told = ito.get("/api/queue").json()
    assert told["formula"]["saving"] == pytest.approx(26.92, abs=0.01)
    rows: dict[str, Any] = {row["group"]: row for row in told["rows"]}
    assert rows["flagged"]["with_ai"] == pytest.approx(9.35, rel=0.1)
    assert rows["missed by AI"]["with_ai"] > rows["missed by AI"]["without"]
    assert ito.get("/api/queue?readers=2&discipline=preemptive&per_hour=9.6").json()["formula"] is None
    assert ito.get("/api/queue?per_hour=6").status_code == 400


def test_readers_names_are_for_the_owner_alone(chief: Browser, ito: Browser) -> None:
    assert [r["group"] for r in chief.get("/api/readers?by=reader").json()["rows"]] == [["ito"], ["lee"]]
    told = ito.get("/api/readers?by=reader")
    assert [r["group"] for r in told.json()["rows"]] == [["others"], ["you"]]
    assert "lee" not in told.text
    assert ito.get("/api/readers?by=age").status_code == 400


def test_the_journal_in_pages_and_its_chain(chief: Browser, ito: Browser) -> None:
    told = chief.get("/api/audit?q=what:reportsigned&limit=20").json()
    assert len(told["rows"]) == 20
    older = chief.get(f"/api/audit?q=what:reportsigned&limit=20&before={told['next']}").json()
    assert (len(older["rows"]), older["next"]) == (10, None)
    counts = ito.get("/api/audit").json()
    assert (counts["rows"], counts["counts"]["ReportSigned"]) == ([], 30)
    assert ito.get("/api/audit/chain").json()["whole"]
    assert chief.get("/api/audit?q=colour:red").status_code == 400


def test_from_a_printed_number_back_to_the_sender(chief: Browser) -> None:
    row = chief.get(f"/api/audit?q=on:{uid(3)} what:reportsigned").json()["rows"][0]
    assert row["explains"]
    told = chief.get(f"/api/explain/{row['subject']}").json()
    assert told["study"]["uid"] == uid(3)
    assert [e["who"] for e in told["events"] if e["kind"] == "InstancesReceived"] == ["CT1"]


def test_no_name_of_a_patient_leaves_with_a_figure(chief: Browser) -> None:
    for path in ("turnaround", f"triage/{AI}", "readers", "audit?limit=1000", "peer", "double", "worklist/effect"):
        assert "PHANTOM" not in json.dumps(chief.get(f"/api/{path}").json()), path
