"""From signed reports to a folder that `train` reads: consent asked, agreement with a seen AI weighed down."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from department_for_oversight import AI, MONDAY, Clock, keep
from isocenter.app import open_house
from isocenter.cli import app
from isocenter.cli.federating import _terms
from isocenter.dicom.wrap import wrap_image
from isocenter.errors import Conflict, Forbidden, NotFound, Refused
from isocenter.govern.consent import Purpose
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.learn.films import read_films
from isocenter.learn.from_readings import Said, YesOrNo
from isocenter.learn.kinds import Classifier2D
from isocenter.learn.recipes import recipe
from isocenter.learn.sealed import digest_of_data
from isocenter.record import Event, Finding, Kind, Model, Origin, Outcome, Receipt, Result, canonical, codes, to_plain
from isocenter.settings import Settings
from isocenter.site.verbs import Site

SHIPPED = Path(__file__).parents[2] / "models"
CASES = [  # patient, mode, machine, first, final
    ("P1", "unaided-first", True, True, True), ("P1", "concurrent", True, None, True),
    ("P2", "concurrent", True, None, False), ("P3", "unaided-first", False, False, False),
    ("P4", "shadow", False, None, True), ("P5", "unaided-first", True, False, True),
    ("P6", "concurrent", True, None, True),
]  # fmt: skip


def _picture(n: int) -> bytes:
    held = io.BytesIO()
    Image.fromarray(np.random.default_rng(n).integers(0, 200, (40, 32), dtype=np.uint8)).save(held, "PNG")
    return held.getvalue()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    house = open_house(Settings(folder=tmp_path_factory.mktemp("teaching") / "archive"), apart=False)
    here = replace(house.site, clock=Clock())
    for n, (patient, mode, machine, first, final) in enumerate(CASES):
        data = wrap_image(_picture(n), f"{n}.png", MONDAY, modality="DX", body_part="CHEST", view="PA",
                          patient_id=patient)  # fmt: skip
        here.receive([data], sender="DX1", who=HOUSE)
        study = next(s for s in here.index.studies({"PatientID": patient}) if not here.index.results(s.uid))
        whole = here.index.study(study.uid)
        found = (Finding(codes.OPACITY, 0.9, words="An opacity.", tracking=f"2.25.{n}"),) if machine else ()
        said = Result(study.uid, Outcome.FOUND if machine else Outcome.NONE, Origin("machine", AI, "1"), MONDAY,
                      findings=found, receipt=Receipt(series=(whole.series[0].uid,)))  # fmt: skip
        keep(here, said, "isocenter", MONDAY)
        at = MONDAY + timedelta(minutes=n)
        here.journal.append(Event(Kind.READING_OPENED, at, "ito", study.uid, {"by": "ito"}))
        report = here.blobs.put(canonical({"results": [said.id], "n": n}))
        call = {"analysis": AI, "version": "1", "mode": mode, "machine": machine, "final": final, "first": first}
        here.journal.append(Event(Kind.REPORT_SIGNED, at, "ito", study.uid, {"report": report, "calls": [call]}))
        if patient != "P6":
            here.consents.give({"GRU": ()}, patient=patient, who=HOUSE)
    here.consents.give({}, patient="P5", refuses=[Purpose.TRAINING], who=HOUSE)
    yield here
    house.close()


def said_of(site: Site) -> list[Said]:
    return YesOrNo(recipe(AI), AI, ()).said(site.teaching.reports.signed())[0]


def test_examples_are_weighed_and_those_without_consent_stay_out(site: Site, tmp_path: Path) -> None:
    report = site.teaching.examples(AI, tmp_path / "set", who=HOUSE)
    assert (report["n"], report["people"]) == (5, 4)
    assert report["by_class"] == {"NORMAL": 2, "PNEUMONIA": 3}
    assert report["by_mode"] == {"followed": 1, "overruled": 1, "unaided": 3}
    assert sum(report["closed"].values()) == 2  # P5 refused training, P6 was never asked
    with (tmp_path / "set" / "examples.csv").open() as text:
        rows = list(csv.DictReader(text))
    assert sorted(r["weight"] for r in rows) == ["0.25", "1", "1", "1", "1"]
    told = (tmp_path / "set" / "examples.csv").read_text() + " ".join(p.name for p in tmp_path.rglob("*"))
    assert not any(p in told for p in ("P1", "P2", "1.2.826"))
    read = read_films(tmp_path / "set", Classifier2D("t", "NORMAL", "PNEUMONIA"))
    assert read.weights is not None and sorted(read.weights.tolist()) == [0.25, 1, 1, 1, 1]
    assert len(set(read.groups.tolist())) == 4  # two studies of one patient are one person
    event = site.journal.since(kinds=(Kind.EXAMPLES_TAKEN,), limit=1)[0].event
    assert (event.subject, event.details["n"], event.details["digest"]) == (AI, 5, report["digest"])
    digests = {i.digest for s in site.index.studies({}) for x in site.index.study(s.uid).series for i in x.instances}
    assert set(json.loads((tmp_path / "set" / "examples.json").read_text())["learned_from"]) < digests
    with pytest.raises(Conflict, match="not empty"):
        site.teaching.examples(AI, tmp_path / "set", who=HOUSE)


def test_what_must_not_be_taken_is_refused(site: Site, tmp_path: Path) -> None:
    with pytest.raises(Forbidden):
        site.teaching.examples(AI, tmp_path / "a", who=Person("ito", Role.READER))
    with pytest.raises(NotFound, match=r"analysis 'lung_nodule': there are: .*chest_xray_opacity"):
        site.teaching.examples("lung_nodule", tmp_path / "a", who=HOUSE)
    with pytest.raises(NotFound, match=r"recipe of the analysis 'volumetry'.* own are chest_xray_opacity\. .*--task"):
        site.teaching.examples("volumetry", tmp_path / "a", who=HOUSE)
    with pytest.raises(Refused, match="no signed report on volumetry"):
        site.teaching.examples("volumetry", tmp_path / "a", who=HOUSE, task=AI)
    with pytest.raises(Refused, match="no signed report"):
        site.teaching.examples(AI, tmp_path / "a", who=HOUSE, not_by=["ito"])
    with pytest.raises(Refused, match=r"a finding called .*there are Opacity \(DCM:112001\)"):
        site.teaching.examples(AI, tmp_path / "a", who=HOUSE, task="retinamnist")
    positives = [s.study for s in said_of(site) if s.final]
    with pytest.raises(Refused, match="one class"):
        site.teaching.examples(AI, tmp_path / "b", who=HOUSE, without=positives)


def test_weights_of_ones_own_teach_by_the_recipe_on_their_card(site: Site, tmp_path: Path) -> None:
    told = json.loads((SHIPPED / "breastmnist" / "model.json").read_text())
    told |= {"name": "mine", "card": told["card"] | {"developer": "a hospital"}}
    (tmp_path / "shelf" / "mine").mkdir(parents=True)
    (tmp_path / "shelf" / "mine" / "model.json").write_text(json.dumps(told))
    analyses = SimpleNamespace(analyses={AI: SimpleNamespace(weights="mine")})
    here = replace(site.teaching, shelf=str(tmp_path / "shelf"), registry=analyses)
    report = here.examples(AI, tmp_path / "set", who=HOUSE)
    how = recipe(report["task"])
    assert (how.task, how.card["developer"]) == ("mine", "a hospital")
    assert report["by_class"] == {"malignant": 3, "normal or benign": 2}
    told["card"]["training"].pop("recipe")
    (tmp_path / "shelf" / "mine" / "model.json").write_text(json.dumps(told))
    with pytest.raises(NotFound, match="--task"):
        here.examples(AI, tmp_path / "other", who=HOUSE)


def test_a_withdrawal_names_every_model_that_learnt_and_ends_what_would(site: Site, tmp_path: Path) -> None:
    teaching = site.teaching
    teaching.examples(AI, tmp_path / "old", who=HOUSE)
    mixed = teaching.examples(AI, tmp_path / "set", who=HOUSE, rehearse=tmp_path / "old", not_by=["lee"])
    first = json.loads((tmp_path / "old" / "examples.json").read_text())["learned_from"]
    assert set(first) <= set(mixed["learned_from"]), "a card must name what was rehearsed"
    assert teaching.taught(AI, "7", "d" * 64, tmp_path / "set", who=HOUSE) == 5
    for folder, who, why in (
        (tmp_path, HOUSE, NotFound), (tmp_path / "set", Person("ito", Role.READER), Forbidden),
    ):  # fmt: skip
        with pytest.raises(why):
            teaching.may_learn(folder, who=who)
    with pytest.raises(Refused, match="nobody was asked about federation"):
        teaching.may_learn(tmp_path / "set", who=HOUSE, purpose=Purpose.FEDERATION)
    strange = tmp_path / "strange"
    strange.mkdir()
    (strange / "examples.json").write_text(json.dumps({"digest": "0" * 64}))
    with pytest.raises(Refused, match="does not know of which studies"):
        teaching.may_learn(strange, who=HOUSE)
    told = site.consents.withdraw(patient="P1", reason="by letter", who=HOUSE)
    assert [(m["model"], m["version"]) for m in told["models"]] == [(AI, "7")], "also one that is not installed here"
    digests = [json.loads((tmp_path / one / "examples.json").read_text())["digest"] for one in ("old", "set")]
    assert [row["digest"] for row in told["examples"]][-2:] == digests, "its images lie there"
    for act in (
        lambda: teaching.may_learn(tmp_path / "set", who=HOUSE),
        lambda: teaching.taught(AI, "8", "e" * 64, tmp_path / "set", who=HOUSE),
        lambda: teaching.examples(AI, tmp_path / "new", who=HOUSE, rehearse=tmp_path / "old"),
    ):  # fmt: skip
        with pytest.raises(Refused, match="2 of 5 studies"):
            act()
    command = ["train", AI, "--data", str(tmp_path / "set"), "--out", str(tmp_path / "m"), "--folder"]
    result = CliRunner().invoke(app, [*command, str(site.blobs.path(first[0])).split("/archive/")[0] + "/archive"])
    assert isinstance(result.exception, Refused) and not (tmp_path / "m").exists()


def test_a_withdrawal_ends_a_federation_at_its_next_step_and_names_what_it_learnt(site: Site, tmp_path: Path) -> None:
    of = site.consents.use(Purpose.FEDERATION, who=HOUSE)
    site.teaching.examples(AI, tmp_path / "set", who=HOUSE, use=of)
    archive = Path(str(site.database.url).removeprefix("sqlite:///")).parent
    with _terms(archive, tmp_path / "set", "") as (_, learnt):
        for step in ("offer", "deal", "send", "reveal", "send"):
            learnt(AI, "r1", step)
        told = site.consents.withdraw(patient="P4", reason="by letter", who=HOUSE)
        assert "federation r1" in [m["version"] for m in told["models"]]
        for step in ("offer", "deal", "send", "reveal", "done"):
            with pytest.raises(Refused, match="withdrawn"):
                learnt(AI, "r1", step)
    with pytest.raises(Refused, match="withdrawn"), _terms(archive, tmp_path / "set", ""):
        pass
    assert len([s for s in site.journal.since(kinds=(Kind.MODEL_TRAINED,)) if "r1" in str(s.event.details)]) == 1


def recorded(out: Path, model: Model) -> Model:
    (out / "model.json").write_text(json.dumps(to_plain(model)), "utf-8")
    return model


def test_what_was_withdrawn_while_it_was_learnt_from_leaves_no_model(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import isocenter.learn.train as learning

    site.consents.give({"GRU": ()}, patient="P4", who=HOUSE)
    site.teaching.examples(AI, tmp_path / "set", who=HOUSE)
    out = tmp_path / "m"

    def hours(task: str, data: Path, out: Path, **_: object) -> object:
        for name in ("model.onnx", "model.json", "card.md", "learnt.bin", "recipe.toml"):
            (out / name).write_text("learnt")
        site.consents.withdraw(patient="P4", reason="by letter", who=HOUSE)
        return recorded(out, Model(task, "9", "f" * 64))

    monkeypatch.setattr(learning, "train", hours)
    archive = str(site.database.url).removeprefix("sqlite:///").rsplit("/", 1)[0]
    result = CliRunner().invoke(
        app, ["train", AI, "--data", str(tmp_path / "set"), "--out", str(out), "--folder", archive]
    )
    assert isinstance(result.exception, Refused) and not out.exists()


def test_a_frozen_cohort_is_trained_on_by_its_name(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import isocenter.learn.train as learning

    for patient in ("P1", "P4"):
        site.consents.give({"GRU": ()}, patient=patient, who=HOUSE)
    seen = []

    def kept(task: str, data: Path, out: Path, **_: object) -> object:
        seen.append(data)
        out.mkdir(exist_ok=True)
        return recorded(out, Model(AI, "1", "c" * 64))

    monkeypatch.setattr(learning, "train", kept)
    site.cohorts.freeze("films", "modality:DX", who=HOUSE)
    few = [s.study for s in said_of(site)][1:4]
    archive = str(site.database.url).removeprefix("sqlite:///").rsplit("/", 1)[0]
    command = ["train", AI, "--out", str(tmp_path / "m"), "--folder", archive, "--data"]
    for more in ([], ["--replace"]):  # the second time goes on with the examples that are there
        found = CliRunner().invoke(app, [*command, "films", *more])
        assert found.exit_code == 0, found.exception
    assert seen == [tmp_path / "m-examples"] * 2  # not within what is handed on
    taken = site.journal.since(kinds=(Kind.EXAMPLES_TAKEN,), limit=9, newest_first=True)
    assert [t.event.details.get("cohort") for t in taken].count("films") == 1
    assert taken[0].event.details["n"] == 5
    found = CliRunner().invoke(app, [*command, "nobody", "--replace"])
    assert isinstance(found.exception, Conflict) and "examples of 'films'" in str(found.exception)
    command[3] = str(tmp_path / "other")
    found = CliRunner().invoke(app, [*command, "nobody", "--replace"])
    assert isinstance(found.exception, NotFound) and "there are 'films'" in str(found.exception)
    found = CliRunner().invoke(app, ["train", "cardiac_cine", *command[2:], "films"])
    said = "no signed report on cardiac_cine in the cohort 'films'"
    assert isinstance(found.exception, Refused) and said in str(found.exception)
    only = replace(site.cohorts.made("films", who=HOUSE), members=tuple(few))
    assert site.teaching.examples(AI, tmp_path / "few", who=HOUSE, cohort=only)["n"] == 3
    with pytest.raises(Refused, match="in the cohort 'films'"):
        site.teaching.examples(AI, tmp_path / "none", who=HOUSE, cohort=replace(only, members=()))


def test_a_sealed_test_out_of_the_archive_opens_its_cases_in_the_archive(site: Site, tmp_path: Path) -> None:
    """From signed films to a sealed folder, a look at it, and back to the studies; also of the DICOM files."""
    from isocenter.cli.releasing import _test

    pytest.importorskip("onnxruntime", reason="the extra 'ml' is not installed")
    for patient in ("P1", "P4"):
        site.consents.give({"GRU": ()}, patient=patient, who=HOUSE)
    site.teaching.examples(AI, tmp_path / "set", who=HOUSE)
    chief = Person("chief", Role.ADMIN)
    said: dict[str, object] = {"reason": "it is time", "who": chief}
    site.gating.declare(AI, {"may_change": ["weights"], "protocol": {"looks": 9}, "impact": "earlier"}, **said)
    for number, label in enumerate(("NORMAL", "PNEUMONIA")):
        (tmp_path / "files" / label).mkdir(parents=True)
        uid = next(s.study for s in said_of(site) if s.final == bool(number))
        image = site.index.study(uid).series[0].instances[0]
        (tmp_path / "files" / label / "film.dcm").write_bytes(site.blobs.get(image.digest))
    for folder, n in (("set", 5), ("files", 2)):
        site.gating.seal(AI, digest_of_data(tmp_path / folder), **said)
        _test(site, AI, tmp_path / folder, None, None, said)
        judged = site.gating.told(AI, who=chief)["judged"]
        told = site.evidencing.cases(AI, who=chief)
        assert (told["n"], told["elsewhere"], len(told["cases"])) == (n, 0, n) and judged["n"] == n
        finals = {s.study: s.final for s in said_of(site)}
        assert all((case["truth"] == "yes") == finals[case["study"]] for case in told["cases"]), told["cases"]
        assert len({case["study"] for case in told["cases"]}) == n
        right = round(judged["metrics"]["sensitivity"]["value"] * site.evidencing.cases(AI, "ill", who=chief)["n"])
        assert right == site.evidencing.cases(AI, "ill", who=chief)["n"] - judged["errors"]["missed"]
        for k, row in enumerate(judged["calibration"]["bins"]):
            assert site.evidencing.cases(AI, bin=k, who=chief)["n"] == row["n"]


def test_studies_of_which_nothing_is_told_are_counted(site: Site, tmp_path: Path) -> None:
    """One that the analysis declined, and one that it was never asked about."""
    for n, asked in ((90, True), (91, False)):
        data = wrap_image(_picture(n), f"{n}.png", MONDAY, modality="DX", patient_id=f"Q{n}")
        site.receive([data], sender="DX1", who=HOUSE)
        (study,) = site.index.studies({"PatientID": f"Q{n}"})
        said = Result(study.uid, Outcome.DECLINED, Origin("machine", AI, "1"), MONDAY, reasons=("too small",))
        if asked:
            keep(site, said, "isocenter", MONDAY)
        site.journal.append(Event(Kind.READING_OPENED, MONDAY, "ito", study.uid, {"by": "ito"}))
        site.journal.append(Event(Kind.REPORT_SIGNED, MONDAY, "ito", study.uid, {"report": "0" * 64, "calls": []}))
    assert site.teaching.examples(AI, tmp_path / "set", who=HOUSE)["silent"] == 1
