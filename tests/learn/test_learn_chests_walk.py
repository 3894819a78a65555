"""Outlines of lungs and heart that readers signed teach `chest_xray_heart`, and so does a folder of outlined films."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

torch = pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from isocenter.app import open_house  # noqa: E402
from isocenter.cli import app  # noqa: E402
from isocenter.errors import NotFound, Refused  # noqa: E402
from isocenter.govern.consent import Purpose  # noqa: E402
from isocenter.govern.policy import HOUSE, Person, Role  # noqa: E402
from isocenter.learn import chest  # noqa: E402
from isocenter.learn.chest_fit import ChestRecipe, films, fit_chest  # noqa: E402
from isocenter.learn.films_of_people import films_of_people  # noqa: E402
from isocenter.reading.session import Correction  # noqa: E402
from isocenter.record import Kind, Verdict, codes  # noqa: E402
from isocenter.settings import Settings  # noqa: E402
from isocenter.site.marking import Drawn  # noqa: E402
from isocenter.site.verbs import Site  # noqa: E402
from isocenter.testing.phantoms import thorax  # noqa: E402
from isocenter.testing.phantoms.patient import Person as Somebody  # noqa: E402

AI, ITO = "chest_xray_heart", Person("ito", Role.READER)
FEW = ChestRecipe(films=4, side=48, steps=3, batch=4, widths=(4, 8, 12))
PATIENTS = {"KEPT": "PA", "DRAWN": "PA", "LUNG": "PA", "REFUSED": "PA", "SIDE": "LL"}


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chest, "ChestRecipe", lambda: FEW)
    monkeypatch.setattr(chest, "_HELD_OUT", 2)


def read(site: Site, study: str, patient: str) -> None:
    """All is kept; of one the heart is struck and drawn anew, of one it is struck and a lung, one has a mark alone."""
    version = site.open(study, who=ITO).version
    version = site.lock(study, version=version, line="a chest", who=ITO).version
    shown = [(held, f) for held, r in site.results(study, who=ITO) for f in r.findings]
    site.seen(study, [{"result": held, "tracking": f.tracking} for held, f in shown], who=ITO)
    for _, f in shown:
        held = next(i for i, r in site.results(study, who=ITO) if any(g.tracking == f.tracking for g in r.findings))
        struck = f.what == codes.HEART and patient in ("DRAWN", "LUNG")
        struck |= patient == "LUNG" and f.where is not None and f.where.label == "left lung"
        said = Correction(Verdict.STRUCK if struck else Verdict.KEPT, f.tracking, held,
                          label="wrong-place" if struck else "")  # fmt: skip
        version = site.correct(study, said, version=version, who=ITO).version
    if patient in ("DRAWN", "SIDE"):
        (image,) = site.index.study(study).series[0].instances
        corners = np.array([[200.0, 300], [330, 300], [330, 420], [200, 420]])
        mark = Drawn("freehand", corners, site.index.study(study).series[0].uid, image.sop_uid, words="Heart")
        version = site.measure(study, mark, version=version, who=ITO).version
    site.sign(study, version=version, who=ITO)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    house = open_house(Settings(folder=tmp_path_factory.mktemp("chests") / "archive"), apart=False)
    for seed, (patient, view) in enumerate(PATIENTS.items(), start=1):
        who = Somebody(patient, "PHANTOM^THORAX", "M", "19640809", 1.78, 80.0)
        made = thorax.patient(seed=seed, person=who, view=view)
        list(house.site.receive(made.files, sender="DX1", who=HOUSE))
        (study,) = house.site.index.studies({"PatientID": patient})
        house.site.analyse(study.uid, only=AI, who=HOUSE)
        read(house.site, study.uid, patient)
        house.site.consents.give({"GRU": ()}, patient=patient, who=HOUSE)
    house.site.cohorts.freeze("chests", "modality:DX", who=HOUSE)
    house.site.consents.give({}, patient="REFUSED", refuses=[Purpose.TRAINING], who=HOUSE)
    yield house.site
    house.close()


def archive_of(site: Site) -> str:
    return str(site.database.url).removeprefix("sqlite:///").rsplit("/", 1)[0]


def test_a_frozen_cohort_teaches_lungs_and_heart_as_they_were_signed(site: Site, tmp_path: Path) -> None:
    command = ["train", AI, "--data", "chests", "--out", str(tmp_path / "model"), "--folder", archive_of(site)]
    found = CliRunner().invoke(app, command)
    assert found.exit_code == 0, found.exception
    data = tmp_path / "model-examples"
    told = json.loads((data / "examples.json").read_text())
    assert (told["n"], told["people"]) == (2, 3)
    assert told["by_class"] == {"right lung": 2, "left lung": 2, "heart": 2}
    assert told["left"] == {"neither both lungs nor the heart are outlined": 1, "a film of the view 'LL'": 1}
    assert sum(told["closed"].values()) == 1
    rows = list(csv.DictReader((data / "examples.csv").open()))
    assert sorted((row["mode"], row["weight"]) for row in rows) == [("followed", "0.25"), ("overruled", "1")]
    drawn = next(row["file"] for row in rows if row["mode"] == "overruled")
    heart = np.asarray(Image.open(data / "heart" / Path(drawn).name)) > 0
    rows_, columns = np.nonzero(heart)
    assert (rows_.min(), columns.min()) == pytest.approx((300, 200), abs=1) and heart.sum() == pytest.approx(
        130 * 120, rel=0.02
    )
    names = " ".join(str(p) for p in data.rglob("*")) + (data / "examples.csv").read_text()
    assert not any(secret in names for secret in (*PATIENTS, "2.25."))
    card = json.loads((tmp_path / "model" / "model.json").read_text())["card"]
    assert len(card["learned_from"]) == 2 and card["people"] == {"training": 1, "validation": 1}
    assert "1 outlined radiographs of 1 people of what readers signed" in card["source"]
    learnt = site.journal.since(kinds=(Kind.MODEL_TRAINED,), limit=1, newest_first=True)[0].event
    named = site.consents.withdraw(patient="KEPT", reason="by letter", who=HOUSE)
    assert learnt.subject == AI and [m["model"] for m in named["models"]] == [AI]
    site.consents.give({"GRU": ()}, patient="KEPT", who=HOUSE)


def test_what_cannot_teach_is_refused_with_the_reason(site: Site, tmp_path: Path) -> None:
    others = [s.uid for p in PATIENTS if p != "KEPT" for s in site.index.studies({"PatientID": p})]
    site.teaching.examples(AI, tmp_path / "one", who=HOUSE, without=others)
    with pytest.raises(Refused, match="outlined films of one person only in one: nobody would be left"):
        chest.train(tmp_path / "one", tmp_path / "model", 0, lambda line: None)
    frontal = [s.uid for p in PATIENTS if p != "SIDE" for s in site.index.studies({"PatientID": p})]
    with pytest.raises(Refused, match="none of 1 examples can be kept: 1: a film of the view 'LL'"):
        site.teaching.examples(AI, tmp_path / "side", who=HOUSE, without=frontal)
    open_ = [s.uid for p in PATIENTS if p != "LUNG" for s in site.index.studies({"PatientID": p})]
    with pytest.raises(Refused, match="neither both lungs nor the heart are outlined"):
        site.teaching.examples(AI, tmp_path / "open", who=HOUSE, without=open_)


def test_earlier_films_are_mixed_in_and_one_that_comes_again_is_of_one_person(site: Site, tmp_path: Path) -> None:
    apart = {p: [s.uid for q in PATIENTS if q != p for s in site.index.studies({"PatientID": q})] for p in PATIENTS}
    site.teaching.examples(AI, tmp_path / "old", who=HOUSE, without=apart["KEPT"])
    said = {"who": HOUSE, "rehearse": tmp_path / "old", "share": 0.5}
    mixed = site.teaching.examples(AI, tmp_path / "both", without=apart["DRAWN"], **said)
    taught = films_of_people(tmp_path / "both", 48, 0)
    assert mixed["rehearsed"]["n"] == 1 and (taught.people, taught.people_held) == (1, 1)
    site.teaching.examples(AI, tmp_path / "again", without=apart["KEPT"], **said)
    with pytest.raises(Refused, match="one person only in again"):
        films_of_people(tmp_path / "again", 48, 0)


def outlined(folder: Path, *parts: str, seeds: tuple[int, ...] = (1, 2, 3)) -> Path:
    for seed in seeds:
        pixels, truth = thorax.picture(seed=seed, heart_mm=110.0 + 10 * seed)
        y, x = np.indices(pixels.shape)
        heart = ((x - 270) / 80) ** 2 + ((y - 340) / 70) ** 2 < 1
        planes = {
            "images": pixels // 16,
            "right": truth["right"] * 255,
            "left": truth["left"] * 255,
            "heart": heart * 255,
        }
        for part in ("images", *parts):
            (folder / part).mkdir(parents=True, exist_ok=True)
            Image.fromarray(planes[part].astype(np.uint8)).save(folder / part / f"{seed}.png")
    return folder


def test_a_folder_of_outlined_films_is_shown_beside_those_that_are_drawn(tmp_path: Path) -> None:
    data = outlined(tmp_path / "mine", "right", "left", "heart")
    found = CliRunner().invoke(app, ["train", AI, "--data", str(data), "--out", str(tmp_path / "model"), "--json"])
    assert found.exit_code == 0, found.exception
    told = json.loads(found.stdout)
    assert told["card"]["people"] == {"training": 2, "validation": 1} and "the folder 'mine'" in told["card"]["source"]
    assert {"dice_heart", "dice_heart_people_held_back"} <= told["evidence"]["metrics"].keys()
    assert "1 radiographs of 1 people held back" in (tmp_path / "model" / "card.md").read_text()
    assert "learned_from" not in told["card"]
    with pytest.raises(Refused, match=r"no outlined lungs or hearts in .*--data \.` to learn from virtual films alone"):
        chest.train(outlined(tmp_path / "bare"), tmp_path / "none", 0, lambda line: None)
    with pytest.raises(NotFound, match="no folder at"):
        chest.train(tmp_path / "nowhere", tmp_path / "none", 0, lambda line: None)


def test_an_outline_that_nobody_drew_teaches_nothing(tmp_path: Path) -> None:
    """With the heart alone the lungs of a film weigh nothing, whatever the network says of them."""
    taught = films_of_people(outlined(tmp_path, "heart"), 48, 0).taught
    assert taught.known is not None and taught.known.tolist() == [[False, False, True]] * 2
    still = replace(FEW, of_people=1.0, batch=2)
    drawn = films(1, 48, 0)
    lungs = taught.masks.clone()
    lungs[:, :2] = 255
    one, other = (fit_chest(still, drawn, 0, of_people=replace(taught, masks=masks)) for masks in (taught.masks, lungs))
    for mine, theirs in zip(one.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(mine, theirs)
