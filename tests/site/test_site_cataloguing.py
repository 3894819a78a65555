"""What became of an analysis here, counted by hand; and what a stop does everywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_file

from department_for_oversight import AI, CHIEF, FOUND, ITO, LEE, STRUCK, at, department, uid
from isocenter.analysis import weights
from isocenter.errors import Forbidden, NotFound, Refused
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.reading.disclosure import Mode, Use
from isocenter.record import Event, Kind, to_plain
from isocenter.site.verbs import Site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with department(tmp_path_factory.mktemp("department")) as (site, _):
        for n in FOUND:
            verdict = "struck" if n in STRUCK else "kept"
            said = {"analysis": AI, "version": "1", "certainty": 0.9, "verdict": verdict, "finding": f"2.25.{n}"}
            site.journal.append(Event(Kind.READING_OPENED, at(n, 50), "ito", uid(n), {"by": "ito"}))
            told = {"report": "0", "decisions": [said]}
            site.journal.append(Event(Kind.REPORT_AMENDED, at(n, 60), "ito", uid(n), told))
        yield site


def test_runs_on_signed_studies_are_counted_by_hand(site: Site) -> None:
    told = site.cataloguing.analysis(AI, who=ITO)
    assert told["runs"]["studies"] == 30 and told["runs"]["answers"] == {"found": 10, "none": 20}
    (month,) = told["runs"]["months"]
    assert (month["month"], month["n"], round(month["share"], 3)) == ("2026-11", 30, 0.333)
    assert told["needs"] and told["modes"] == {"worklist": "shadow", "reading": "unaided-first"}
    assert told["evidence"]["n"] and told["stopped"] is None
    with pytest.raises(NotFound):
        site.cataloguing.analysis("nonsense", who=ITO)
    with pytest.raises(Forbidden):
        site.cataloguing.analyses(who=Person("sender", Role.SERVICE))


def test_limits_are_told_with_the_version_that_states_them_and_with_no_other(site: Site) -> None:
    analysis = site.registry.get(AI)
    stated = analysis.about["limits"]
    assert site.cataloguing.limits(AI, analysis.version) == ((stated,) if isinstance(stated, str) else tuple(stated))
    assert site.cataloguing.limits(AI, analysis.version)
    assert site.cataloguing.limits(AI, "0.0") == site.cataloguing.limits("nonsense", "1") == ()


def test_runs_in_a_project_in_which_one_has_no_part_are_not_counted(tmp_path: Path) -> None:
    with department(tmp_path, read=6) as (site, _):
        site.projects.found("trial", "a trial", keeper="chief", who=CHIEF)
        site.projects.join("trial", "chief", Role.ADMIN, who=CHIEF)
        site.projects.move(uid(3), "trial", reason="enrolled", who=CHIEF)
        (mine, theirs) = (site.cataloguing.analysis(AI, who=who)["runs"] for who in (ITO, CHIEF))
        model = site.cataloguing.model(AI, who=ITO)["runs"]
    assert (mine["studies"], mine["answers"]) == (5, {"found": 1, "none": 4}) and model == mine
    assert sum(month["n"] or 0 for month in mine["months"]) == sum(month["n"] or 0 for month in theirs["months"]) == 0
    assert (theirs["studies"], theirs["answers"]) == (6, {"found": 2, "none": 4}), "who is in the project"


def test_what_readers_confirmed_is_withheld_while_it_is_little(site: Site) -> None:
    told = site.cataloguing.model(AI, who=ITO)
    assert (told["confirmed"]["n"], told["confirmed"]["share"], told["confirmed"]["needed"]) == (None, None, 10)
    (band,) = told["confirmed"]["bands"]
    assert (band["from"], band["n"], band["share"]) == (0.8, 10, 0.8), "8 of 10 with a certainty of 0.9"
    assert told["analyses"] == [AI] and told["card"]
    with pytest.raises(NotFound):
        site.cataloguing.model("nonsense", who=ITO)


def test_figures_of_a_group_of_few_events_do_not_leave_the_server(site: Site, tmp_path: Path) -> None:
    told: dict[str, Any] = dict(to_plain(weights.models()[AI][0]))
    figures = {"metrics": {"auc": {"value": 0.8125, "low": 0.5, "high": 0.9}}, "gaps": {"auc": 0.8125}}
    told["evidence"]["subgroups"] = [
        {"by": "age", "name": name, "n": n, kind: events, **figures}
        for name, n, kind, events in (("80+", 64, "events", 9), ("old", 64, "positives", 9), ("all", 64, "events", 10))
    ]
    (tmp_path / "shelf/own").mkdir(parents=True)
    (tmp_path / "shelf/own/model.json").write_text(json.dumps(told), "utf-8")
    here = replace(site.cataloguing, shelf=str(tmp_path / "shelf"))
    for evidence in (here.model(AI, who=ITO)["evidence"], here.analysis(AI, who=ITO)["evidence"]):
        few, other, many = evidence["subgroups"]
        assert many["metrics"]["auc"]["value"] == 0.8125 and "insufficient" not in many
        assert few == {"by": "age", "name": "80+", "n": 64, "events": 9, "metrics": {},
                       "insufficient": "insufficient data: 9 events, 10 are needed"}  # fmt: skip
        assert "0.8125" not in json.dumps(other)


def test_a_stop_ends_raises_runs_and_what_leaves_the_house(tmp_path: Path) -> None:
    with department(tmp_path, read=3) as (site, _):
        file = Path(str(get_testdata_file("CT_small.dcm", download=False)))
        site.receive([file.read_bytes()], sender="CT", who=HOUSE)
        study = next(s.uid for s in site.studies(who=HOUSE) if not s.uid.startswith("1.2.3") and len(s.uid) > 8)
        site.halting.stop("image_quality", reason="it sees ghosts", who=ITO)
        assert [one["analysis"] for one in site.halting.stops(who=LEE)] == ["image_quality"]
        (line,) = (w for w in site.why(study, who=HOUSE) if w["analysis"] == "image_quality")
        assert line["answer"] == "declined" and "stopped by ito" in line["reasons"][0]
        site.analyse(study, who=HOUSE)
        assert "image_quality" not in {r.origin.name for _, r in site.results(study, who=HOUSE)}
        with pytest.raises(Refused, match="image_quality"):
            site.analyse(study, only="image_quality", who=HOUSE)
        with pytest.raises(Refused, match="image_quality"):
            site.guests.begin(who=ITO, analysis="image_quality")
        with pytest.raises(Refused):
            site.halting.resume("image_quality", reason="they were real", who=ITO)
        site.halting.resume("image_quality", reason="they were real", who=LEE)
        site.analyse(study, who=HOUSE)
        assert "image_quality" in {r.origin.name for _, r in site.results(study, who=HOUSE)}
        kinds = [c["kind"] for c in site.cataloguing.analysis("image_quality", who=ITO)["changes"]]
        assert kinds == ["AnalysisResumed", "AnalysisStopped"]


def test_a_stopped_model_stops_what_runs_on_it_and_raises_nothing(tmp_path: Path) -> None:
    with department(tmp_path, read=3) as (site, _):
        site.set_mode(AI, Use.WORKLIST, Mode.TRIAGE, reason="test")
        site.journal.append(Event(Kind.READING_OPENED, at(4), "ito", uid(3), {"by": "ito"}))  # amended: it waits again

        def raised() -> list[int]:
            return [len(e.waiting.raises) for e in site.worklist(who=HOUSE) if e.waiting.study.uid == uid(3)]

        held = [len(r.findings) for _, r in site.results(uid(3), who=HOUSE)]
        before = raised()
        site.halting.stop_model(AI, reason="drift", who=CHIEF)
        assert before == [1] and raised() == [0]
        assert [len(r.findings) for _, r in site.results(uid(3), who=HOUSE)] == held, "what was said stays, marked"
        (model,) = (m for m in site.cataloguing.models(who=ITO) if m["name"] == AI)
        assert [one["reason"] for one in model["stopped"]] == ["drift"]
        shown = {name: not why for name, why in model["withheld"].items()}
        assert shown == {v["map"]: v["passed"] for v in model["evidence"].get("explanation", ())}
        with pytest.raises(NotFound):
            site.halting.stop_model("nonsense", reason="x", who=CHIEF)
        site.halting.resume_model(AI, reason="trained anew", who=LEE)
        assert raised() == [1]
