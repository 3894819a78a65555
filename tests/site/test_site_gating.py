"""On a real archive: in shadow nobody sees it, what is seen there counts, and one act suspends it everywhere."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest
from pydicom.data import get_testdata_file

import commands
from department_for_oversight import AI, CHIEF, ITO, department, uid
from isocenter.analysis.weights import models
from isocenter.app import open_house
from isocenter.errors import Forbidden, IsocenterError, NotFound, Refused, WrongState
from isocenter.govern.passwords import hash_password
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.reading.disclosure import Mode, Use
from isocenter.record import Event, Kind
from isocenter.settings import Settings
from isocenter.site import analysing
from isocenter.site.gating import Gating

CHANGE = {
    "may_change": ["weights"],
    "protocol": {"shadow_cases": 3, "shadow_agreement": 0.3},
    "impact": "earlier reads",
}
FOUND = {"value": 0.8, "low": 0.6, "high": 1.0}
OTHER = Person("second", Role.ADMIN)


def test_the_way_of_a_model_on_an_archive(tmp_path: Path) -> None:
    with department(tmp_path, read=3) as (site, clock):
        gating: Gating = site.gating
        said = {"reason": "it is time", "who": CHIEF}
        gating.declare(AI, CHANGE, **said)
        gating.seal(AI, "t" * 64, **said)
        assert gating.look(AI, "t" * 64, **said) == 1
        figures = {
            "metric": "auc",
            "n": 90,
            "against": "",
            "primary": {"value": 0.9, "low": 0.8, "high": 1},
            "gaps": [],
            "subgroups": [{"by": "sex", "name": "F", "n": 40, "events": 20, "metrics": {"sensitivity": FOUND}}],
        }
        gating.judged(AI, figures, **said)
        with pytest.raises(Refused, match="looked at"):
            gating.declare(AI, CHANGE, **said)
        assert gating.step(AI, "compare", **said) == "compared"
        assert gating.step(AI, "shadow", **said) == "shadow"
        assert {site.modes(who=HOUSE).of(AI, use) for use in Use} == {Mode.SHADOW}
        with pytest.raises(Refused, match="in shadow"):
            site.propose_mode(AI, Use.READING, Mode.SECOND, reason="I want to see it", who=ITO)
        assert not [r for _, r in site.results(uid(3), who=ITO) if r.origin.name == AI]
        with pytest.raises(Refused, match="of 0 people; 3 are asked for"):
            gating.step(AI, "release", **said)
        clock.now += timedelta(days=30)
        call = {"analysis": AI, "mode": "shadow", "machine": True, "final": True, "first": None}
        for n in range(12):  # what the weights before had said of a study is no answer of these
            of = gating.model(AI).digest if n % 2 else "b" * 64
            told = {"report": "0", "decisions": [], "calls": [{**call, "model": of}]}
            if n == 5:
                (lacks, *_) = gating.told(AI, who=ITO)["missing"]
                assert lacks.startswith("it ran in shadow on signed studies of 2 people; 3 are")
            if n == 4:  # signed again and again, one study is one
                site.journal.append(Event(Kind.READING_OPENED, clock.now, "ito", uid(1), {"by": "ito"}))
                again = {**told, "calls": [{**call, "model": gating.model(AI).digest}]}
                site.journal.append(Event(Kind.REPORT_SIGNED, clock.now, "ito", uid(1), again))
            site.journal.append(Event(Kind.READING_OPENED, clock.now, "ito", uid(n % 3 + 1), {"by": "ito"}))
            site.journal.append(Event(Kind.REPORT_SIGNED, clock.now, "ito", uid(n % 3 + 1), told))
        assert gating.step(AI, "release", **said) == "released" and gating.told(AI, who=ITO)["released"]
        (model,) = (m for m in site.cataloguing.models(who=ITO) if m["name"] == AI)
        assert model["state"] == "released" == gating.states(who=ITO)[model["digest"]]
        begun = time.monotonic()
        site.halting.stop_model(AI, reason="it calls every film", who=ITO)
        assert [one["analysis"] for one in site.halting.stops(who=ITO)] == [AI]
        assert gating.told(AI, who=ITO)["state"] == "suspended" and time.monotonic() - begun < 5
        with pytest.raises(Refused, match="by the gate"):
            site.halting.resume_model(AI, reason="it was the detector", who=CHIEF)
        with pytest.raises(Refused, match="no new cases were sealed since it was suspended"):
            gating.step(AI, "release", reason="it was the detector", who=OTHER)
        wide = {"margin": 0.3, "group_margin": 0.4, "shadow_cases": 3}
        gating.declare(AI, {**CHANGE, "protocol": wide}, reason="what is accepted of the new cases", who=OTHER)
        gating.seal(AI, "u" * 64, reason="after the repair", who=OTHER)
        assert gating.may_look(AI, "u" * 64, who=OTHER) == gating.look(AI, "u" * 64, reason="a look", who=OTHER) == 1
        gating.judged(AI, figures, reason="a look", who=OTHER)
        told = gating.told(AI, who=ITO)
        assert told["state"] == "suspended" and not told["missing"] and told["judged"]["test"] == "u" * 64
        lows = {g.get("group"): round(g["low"], 2) for g in told["judged"]["gaps"]}
        assert lows == {None: -0.14, "sex F": -0.28} and told["judged"]["itself"]
        with pytest.raises(Refused, match="comes back by the gate alone"):
            site.halting.resume(AI, reason="it looks well", who=OTHER)
        site.journal.append(Event(Kind.ANALYSIS_RESUMED, clock(), "second", AI, {"reason": "r"}))
        assert "were suspended" in gating.stops()[AI].sentence(), "whoever starts the analysis alone starts nothing"
        site.journal.append(Event(Kind.ANALYSIS_STOPPED, clock(), "chief", AI, {"reason": "r"}))
        assert [one["analysis"] for one in site.halting.stops(who=ITO)] == [AI], "a look starts nothing"
        with pytest.raises(Refused, match=r"looked at by the one that stands\. Retire the model first"):
            gating.declare(AI, CHANGE, reason="a narrower one", who=OTHER)
        assert gating.step(AI, "release", reason="it was the detector", who=OTHER) == "released"
        assert not site.halting.stops(who=ITO)
        # Somebody suspends it in another process: this one has it stopped the next time that it is asked.
        word = tmp_path / "word"
        word.touch(0o600)
        word.write_text("four quiet herons wade\n")
        told = {"role": "admin", "credential": hash_password(word.read_text().strip())}
        site.journal.append(Event(Kind.PERSON_ADDED, clock(), "isocenter", "chief", told))
        done = commands.run(
            "release", AI, "--step", "suspend", "--by", "chief", "--reason", "it calls again",
            "--folder", str(tmp_path / "archive"), ISOCENTER_PASSWORD_FILE=str(word),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        begun = time.monotonic()
        assert [one["analysis"] for one in site.halting.stops(who=ITO)] == [AI]
        assert gating.told(AI, who=ITO)["state"] == "suspended" and time.monotonic() - begun < 5
        kinds = [s.event.kind for s in site.journal.since(subject=AI)]
        assert kinds.count(Kind.TEST_LOOKED) == 2 and kinds.count(Kind.MODEL_STEPPED) == 8


def _released(gating: Gating, digest: str = "t" * 64) -> None:
    """The model that is on the shelf, brought to its release."""
    said = {"reason": "it is time", "who": CHIEF}
    gating.declare(AI, {**CHANGE, "protocol": {"shadow_cases": 0, "fresh_test": False}}, **said)
    gating.seal(AI, digest, **said)
    gating.look(AI, digest, **said)
    primary = {"value": 0.9, "low": 0.8, "high": 1}
    gating.judged(AI, {"metric": "auc", "n": 90, "against": "", "primary": primary, "gaps": []}, **said)
    for step in ("compare", "shadow", "release"):
        gating.step(AI, step, **said)


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    shutil.copytree(models()[AI][1].parent, tmp_path / "shelf" / AI)
    return tmp_path / "shelf"


def test_a_folder_that_is_called_otherwise_than_its_model_leads_to_its_name(tmp_path: Path, shelf: Path) -> None:
    (shelf / AI).rename(shelf / "lung")
    with department(tmp_path, read=1) as (whole, _):
        gating: Gating = replace(whole, shelf=str(shelf)).gating
        with pytest.raises(NotFound, match=f"the folder 'lung' is called '{AI}'"):
            gating.model("lung")
        with pytest.raises(NotFound, match="`isocenter models`"):
            gating.model("nothing")


def _changed(shelf: Path, **parts: object) -> None:
    card = shelf / AI / "model.json"
    told = json.loads(card.read_text())
    for name, value in parts.items():
        told[name] = {**told[name], **value} if isinstance(value, dict) else value
    card.write_text(json.dumps(told))


@pytest.mark.parametrize(
    "change", [{"inputs": {"threshold": 0.9}}, {"card": {"intended_use": "adults"}}, {"evidence": {"n": 10_000}}]
)
def test_a_record_that_was_changed_answers_nothing_and_takes_no_step(
    tmp_path: Path, shelf: Path, change: dict[str, object]
) -> None:
    with department(tmp_path, read=1) as (whole, _):
        site = replace(whole, shelf=str(shelf))
        gating: Gating = site.gating
        _released(gating)
        assert not gating.stops(), "as it was released"
        _changed(shelf, evidence={"seeds": []}, **{k: v for k, v in change.items() if k != "evidence"})
        if "evidence" not in change:
            assert "changed since the step 'release'" in gating.stops()[AI].sentence()
        else:
            assert not gating.stops(), "trainings from other seeds may be listed later"
            _changed(shelf, **change)
        with pytest.raises(
            Refused, match=rf"the analysis '{AI}'.*by the gate.*record was changed.*isocenter release \w+ --show"
        ):
            site.analyse(uid(1), only=AI, who=ITO)
        gating.step(AI, "suspend", reason="it says other things", who=CHIEF)
        with pytest.raises(Refused, match="was changed since it was measured"):
            gating.step(AI, "release", reason="it is fine", who=OTHER)


def test_weights_that_were_exchanged_after_their_test_take_no_step(tmp_path: Path, shelf: Path) -> None:
    with department(tmp_path, read=1) as (whole, _):
        site, file = replace(whole, shelf=str(shelf)), shelf / AI / "model.onnx"
        gating: Gating = site.gating
        _released(gating)
        gating.step(AI, "suspend", reason="it says other things", who=CHIEF)
        right = file.read_bytes()
        file.write_bytes(right[:-1] + bytes([right[-1] ^ 1]))
        (said,) = gating.told(AI, who=CHIEF)["missing"]
        assert said.startswith("its file has digest") and said.endswith("it is not what was tested")
        with pytest.raises(Refused, match=r"the step 'release'.*it is not what was tested.*Restore the file"):
            gating.step(AI, "release", reason="it is fine", who=OTHER)
        file.unlink()
        with pytest.raises(Refused, match=r"its record is there without model\.onnx"):
            gating.step(AI, "release", reason="it is fine", who=OTHER)
        file.write_bytes(right)
        assert gating.step(AI, "release", reason="it is back", who=OTHER) == "released"


def test_of_many_at_once_one_takes_the_last_look_and_one_the_step(tmp_path: Path) -> None:
    with department(tmp_path, read=1) as (site, _):
        gating: Gating = site.gating
        said = {"reason": "it is time", "who": CHIEF}
        gating.declare(AI, {**CHANGE, "protocol": {"looks": 1, "shadow_cases": 0}}, **said)
        gating.seal(AI, "t" * 64, **said)

        def at_once(act: Callable[[], object]) -> list[str]:
            begun, refusals = Barrier(6), list[str]()

            def one() -> None:
                begun.wait()
                try:
                    act()
                except IsocenterError as refused:
                    refusals.append(str(refused))

            with ThreadPoolExecutor(6) as people:
                for done in [people.submit(one) for _ in range(6)]:
                    done.result()
            return refusals

        refusals = at_once(lambda: gating.look(AI, "t" * 64, **said))
        assert len(refusals) == 5 and all("look 2 at the sealed test set" in one for one in refusals), refusals
        primary = {"value": 0.9, "low": 0.8, "high": 1}
        gating.judged(AI, {"metric": "auc", "n": 90, "against": "", "primary": primary, "gaps": []}, **said)
        assert len(at_once(lambda: gating.step(AI, "compare", **said))) == 5
        kinds = [s.event.kind for s in site.journal.since(subject=AI)]
        assert kinds.count(Kind.TEST_LOOKED) == 1
        assert [s["step"] for s in gating.told(AI, who=ITO)["steps"]] == ["test", "compare"]


def test_only_the_gate_replaces_what_was_released(tmp_path: Path, shelf: Path) -> None:
    with department(tmp_path, read=1) as (whole, _):
        site = replace(whole, shelf=str(shelf))
        gating: Gating = site.gating
        assert not gating.stops(), "what ships is a candidate, and shown as one"
        _released(gating)
        first = gating.model(AI).digest
        _changed(shelf, digest="b" * 64)
        assert f"and {first[:12]} were released" in gating.stops()[AI].sentence()
        _changed(shelf, digest=first)
        assert not gating.stops(), "put back"
        gating.step(AI, "retire", reason="never again", who=CHIEF)
        assert gating.stops()[AI].by == "chief"


def test_what_was_declared_stays_until_the_candidate_is_decided_on(tmp_path: Path) -> None:
    with department(tmp_path, read=1) as (site, _):
        said = {"reason": "it is time", "who": CHIEF}
        gating: Gating = site.gating
        gating.declare(AI, CHANGE, **said)
        gating.seal(AI, "t" * 64, **said)
        gating.look(AI, "t" * 64, **said)
        primary = {"value": 0.9, "low": 0.8, "high": 1}
        gating.judged(AI, {"metric": "auc", "n": 90, "against": "", "primary": primary, "gaps": []}, **said)
        for state in ("tested", "compared", "shadow"):
            assert gating.told(AI, who=ITO)["state"] == state
            with pytest.raises(Refused, match="another change record"):
                gating.declare(AI, {**CHANGE, "protocol": {"shadow_cases": 0}}, **said)
            if state != "shadow":
                gating.step(AI, {"tested": "compare", "compared": "shadow"}[state], **said)


def test_an_analysis_that_is_stopped_while_it_runs_leaves_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = Path(str(get_testdata_file("CT_small.dcm", download=False)))
    house = open_house(Settings(folder=tmp_path / "archive"), apart=False)
    try:
        site = house.site
        site.receive([file.read_bytes()], sender="test", who=HOUSE)
        (study,) = (s.uid for s in site.studies(who=HOUSE))
        whole = analysing.run

        def slow(request: object, analysis: object) -> object:
            site.halting.stop("image_quality", reason="it is wrong", who=ITO)
            return whole(request, analysis)

        monkeypatch.setattr(analysing, "run", slow)
        assert site.analyse(study, only="image_quality", who=HOUSE) == []
        assert not site.index.results(study)
    finally:
        house.close()


def test_nothing_is_released_over_a_broken_journal_and_everything_can_be_stopped(tmp_path: Path) -> None:
    with department(tmp_path, read=3) as (site, _):
        with pytest.raises(WrongState):  # the journal is whole: it is the way of the model that is not
            site.gating.step(AI, "release", reason="r", who=CHIEF)
        with sqlite3.connect(tmp_path / "archive/archive.sqlite") as raw:
            for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                raw.execute(f"DROP TRIGGER {name}")
            raw.execute("UPDATE event SET who = 'itp' WHERE number = 7")
        with pytest.raises(Refused, match="while the journal is broken at entry 7"):
            site.gating.step(AI, "release", reason="r", who=CHIEF)
        assert site.gating.step(AI, "reject", reason="r", who=CHIEF) == "rejected"


def test_who_may_not_and_what_is_not_there(tmp_path: Path) -> None:
    with department(tmp_path, read=1) as (site, _):
        gating: Gating = site.gating
        with pytest.raises(Refused, match="by itself"):
            gating.step(AI, "reject", reason="r", who=HOUSE)
        with pytest.raises(Forbidden):
            gating.step(AI, "reject", reason="r", who=ITO)
        with pytest.raises(NotFound):
            gating.told("nonsense", who=ITO)
        with pytest.raises(Refused, match="without a reason"):
            gating.seal(AI, "t", reason=" ", who=CHIEF)
