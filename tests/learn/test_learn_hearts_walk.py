"""Outlines of the left ventricle that readers signed teach `cardiac_cine`: from cines with contours to a model."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

torch = pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from isocenter.app import open_house  # noqa: E402
from isocenter.cli import app  # noqa: E402
from isocenter.errors import Refused  # noqa: E402
from isocenter.govern.consent import Purpose  # noqa: E402
from isocenter.govern.policy import HOUSE, Person, Role  # noqa: E402
from isocenter.learn import heart  # noqa: E402
from isocenter.learn.from_readings import Example  # noqa: E402
from isocenter.learn.heart_fit import HeartRecipe  # noqa: E402
from isocenter.learn.hearts import OPEN, Heart, stacked  # noqa: E402
from isocenter.learn.labelled_cines import read_labelled_cines  # noqa: E402
from isocenter.learn.recipes import taught_by  # noqa: E402
from isocenter.learn.signed_reports import Signed  # noqa: E402
from isocenter.learn.ventricles_from_readings import Ventricles, labels_of  # noqa: E402
from isocenter.reading.session import Correction  # noqa: E402
from isocenter.record import Finding, Kind, Origin, Outcome, Result, Verdict, codes  # noqa: E402
from isocenter.settings import Settings  # noqa: E402
from isocenter.site.marking import Drawn  # noqa: E402
from isocenter.site.verbs import Site  # noqa: E402
from isocenter.space import Axis, Geometry, Region, Volume  # noqa: E402
from isocenter.testing.phantoms import heart as phantom  # noqa: E402
from isocenter.testing.phantoms.patient import Person as Somebody  # noqa: E402

AI, ITO = "cardiac_cine", Person("ito", Role.READER)
FEW = HeartRecipe(widths=(4, 8), virtual=2, first=1, deep=1, steps=1, batch=2)
PATIENTS = ("KEPT", "DRAWN", "OPEN", "REFUSED")
MARKED = 4  # the slice of the mark
MONDAY = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heart, "HeartRecipe", lambda: FEW)
    monkeypatch.setattr(
        heart, "_virtual", lambda seed, net: {"name": "virtual", "truth": {}, "found": None, "why": "not asked"}
    )


def read(site: Site, study: str, patient: str, es: int) -> None:
    """All is kept; of one end-systole is struck and drawn anew on one slice, of one both cavities are struck."""
    version = site.open(study, who=ITO).version
    version = site.lock(study, version=version, line="a heart", who=ITO).version
    shown = [(held, f) for held, r in site.results(study, who=ITO) for f in r.findings]
    site.seen(study, [{"result": held, "tracking": f.tracking} for held, f in shown], who=ITO)
    for _, f in shown:
        held = next(i for i, r in site.results(study, who=ITO) if any(g.tracking == f.tracking for g in r.findings))
        name = f.where.label if f.where is not None else ""
        struck = (patient == "DRAWN" and name == "LV endo ES") or (patient == "OPEN" and "endo" in name)
        said = Correction(Verdict.STRUCK if struck else Verdict.KEPT, f.tracking, held,
                          label="wrong-place" if struck else "")  # fmt: skip
        version = site.correct(study, said, version=version, who=ITO).version
    if patient == "DRAWN":
        series = next(s for s in site.index.study(study).series if s.modality == "MR")
        image = next(i for i in series.instances if i.number == MARKED * 8 + es + 1)
        square = np.array([[30.0, 30], [42, 30], [42, 44], [30, 44]])
        mark = Drawn("freehand", square, series.uid, image.sop_uid, words="LV endo")
        version = site.measure(study, mark, version=version, who=ITO).version
    site.sign(study, version=version, who=ITO)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, dict[str, dict[str, object]]]]:
    house = open_house(Settings(folder=tmp_path_factory.mktemp("hearts") / "archive"), apart=False)
    truths = {}
    for seed, patient in enumerate(PATIENTS, start=1):
        who = Somebody(patient, "PHANTOM^HEART", "F", "19650322", 1.68, 71.0)
        one = phantom.patient(seed=seed, phases=8, size=80, slices=9, gap_mm=12.0, outlines=True, person=who)
        list(house.site.receive(one.files, sender="MR1", who=HOUSE))
        (study,) = house.site.index.studies({"PatientID": patient})
        house.site.analyse(study.uid, only=AI, who=HOUSE)
        truths[patient] = one.truth
        read(house.site, study.uid, patient, int(np.argmin(one.truth["volumes_ml"])))
        house.site.consents.give({"GRU": ()}, patient=patient, who=HOUSE)
    house.site.cohorts.freeze("hearts", "modality:MR", who=HOUSE)
    house.site.consents.give({}, patient="REFUSED", refuses=[Purpose.TRAINING], who=HOUSE)
    yield house.site, truths
    house.close()


def archive_of(site: Site) -> str:
    return str(site.database.url).removeprefix("sqlite:///").rsplit("/", 1)[0]


def test_a_frozen_cohort_teaches_the_left_ventricle_as_it_was_signed(
    made: tuple[Site, dict[str, dict[str, object]]], tmp_path: Path
) -> None:
    site, truths = made
    command = ["train", AI, "--data", "hearts", "--out", str(tmp_path / "model"), "--folder", archive_of(site)]
    found = CliRunner().invoke(app, command)
    assert found.exit_code == 0, found.exception
    data = tmp_path / "model-examples"
    told = json.loads((data / "examples.json").read_text())
    assert (told["n"], told["people"], told["by_class"]) == (2, 2, {"endocardium": 2, "epicardium": 2})
    assert told["left"] == {"no outline of the cavity of the left ventricle": 1} and sum(told["closed"].values()) == 1
    weights = {row["mode"]: float(row["weight"]) for row in csv.DictReader((data / "examples.csv").open())}
    assert weights == {"followed": 0.25, "overruled": 1.0}
    cases = {case.heart.weight: case for case in read_labelled_cines(data)}
    kept, drawn = cases[0.25], cases[1.0]
    truth = truths["KEPT"]
    assert kept.truth["edv_ml"] == pytest.approx(truth["edv_ml"], rel=0.03)
    assert kept.truth["esv_ml"] == pytest.approx(truth["esv_ml"], rel=0.03)
    assert kept.truth["mass_g"] == pytest.approx(truth["mass_g"], rel=0.06)
    ends = sorted(int(end(truths["KEPT"]["volumes_ml"])) for end in (np.argmax, np.argmin))
    assert sorted(kept.heart.labels) == ends
    assert not (kept.heart.labels[ends[0]] == OPEN).any()
    es = int(np.argmin(truths["DRAWN"]["volumes_ml"]))
    marked = drawn.heart.labels[es]
    assert drawn.truth == {} and (marked[[k for k in range(9) if k != MARKED]] == OPEN).all()
    assert (marked[MARKED] == 1).sum() == 13 * 15 and not (marked[MARKED] == 2).any()
    slices = stacked(drawn.heart)
    assert sorted(set(slices.weights.tolist())) == [0.0, 1.0] and (slices.weights == 0).sum() == 8
    names = " ".join(str(p) for p in data.rglob("*")) + (data / "examples.csv").read_text()
    assert not any(secret in names for secret in (*PATIENTS, "2.25."))
    card = json.loads((tmp_path / "model" / "model.json").read_text())["card"]
    assert len(card["learned_from"]) == 2 * 72
    assert "2 cines of 2 people of what readers signed, in the place of the Sunnybrook" in card["source"]
    learnt = site.journal.since(kinds=(Kind.MODEL_TRAINED,), limit=1, newest_first=True)[0].event
    named = site.consents.withdraw(patient="KEPT", reason="by letter", who=HOUSE)
    assert learnt.subject == AI and [m["model"] for m in named["models"]] == [AI]
    site.consents.give({"GRU": ()}, patient="KEPT", who=HOUSE)


def test_one_person_alone_does_not_teach(made: tuple[Site, dict[str, dict[str, object]]], tmp_path: Path) -> None:
    site, _ = made
    others = [s.uid for p in PATIENTS if p != "KEPT" for s in site.index.studies({"PatientID": p})]
    site.teaching.examples(AI, tmp_path / "one", who=HOUSE, without=others)
    with pytest.raises(Refused, match="signed outlines of one person only: nobody would be left"):
        heart.train(tmp_path / "one", tmp_path / "model", 0, lambda line: None)
    site.teaching.examples(AI, tmp_path / "again", who=HOUSE, without=others, rehearse=tmp_path / "one", share=0.5)
    assert len(list(read_labelled_cines(tmp_path / "again"))) == 2, "the same cine twice"
    with pytest.raises(Refused, match="signed outlines of one person only"):
        heart.train(tmp_path / "again", tmp_path / "model", 0, lambda line: None)
    open_ = [s.uid for p in PATIENTS if p != "OPEN" for s in site.index.studies({"PatientID": p})]
    with pytest.raises(Refused, match="1: no outline of the cavity of the left ventricle"):
        site.teaching.examples(AI, tmp_path / "open", who=HOUSE, without=open_)


# ---- by hand: what the network of the analysis says, and what cannot be placed

SHAPE = (5, 24, 24)
TURN = np.array([[0.62, -0.15, 0.77], [-0.67, 0.41, 0.62], [-0.41, -0.90, 0.16]])


def cine(turn: np.ndarray = TURN) -> Volume:
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([9.0, 1.5, 1.5])
    uids = tuple(f"1.{n}" for n in range(6 * SHAPE[0]))
    axes = (Axis("trigger", tuple(range(6)), "ms"),)
    array = np.random.default_rng(0).normal(100, 5, (6, *SHAPE)).astype(np.float32)
    return Volume(array, Geometry(affine, SHAPE), axes=axes, instance_uids=uids, series_uid="1.2")


def outlined(
    label: str, words: str, slices: slice = slice(1, 4), size: int = 4, volume: Volume | None = None
) -> Finding:
    mask = np.zeros(SHAPE, bool)
    mask[slices, 12 - size : 12 + size, 12 - size : 12 + size] = True
    geometry = (volume or cine()).geometry
    return Finding(codes.LEFT_VENTRICLE, where=Region(geometry, mask=mask, series_uid="1.2", label=label), words=words,
                   verdict=Verdict.KEPT, tracking=f"2.25.{abs(hash((label, words))) % 10**9}")  # fmt: skip


def signed(*findings: Finding) -> Signed:
    result = Result("1.9", Outcome.FOUND, Origin("machine", AI, "12"), MONDAY, findings=findings)
    call = {"analysis": AI, "version": "12", "mode": "concurrent", "machine": True, "final": True, "first": None}
    return Signed("1.9", "p", "ito", "2026", (call,), lambda: [result], lambda: [result])


def teacher() -> Ventricles:
    return Ventricles(taught_by(AI), AI, ())


def test_phases_are_those_that_the_analysis_names() -> None:
    """The muscle has no phase of its own in the words: it is that of the cavity of the same end."""
    said, left = teacher().said([signed(
        outlined("LV cavity, end-diastole", "Left ventricular cavity, end-diastole (phase 2): 100 mL."),
        outlined("LV cavity, end-systole", "Left ventricular cavity, end-systole (phase 5): 40 mL.", slice(1, 3), 2),
        outlined("LV myocardium, end-diastole", "Left ventricular muscle, end-diastole: 90 g.", slice(1, 4), 6),
    )])  # fmt: skip
    assert not left
    labels = labels_of(said[0].answer, cine())
    assert [k for k in range(6) if labels[k].any()] == [1, 4]
    assert (labels[1] == 1).sum() == 3 * 64 and (labels[1] == 2).sum() == 3 * (144 - 64) and not (labels[4] == 2).any()


def test_what_cannot_be_placed_is_left_out_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="'LV endo ED' does not say on which phase it lies"):
        teacher().said([signed(outlined("LV endo ED", "Left ventricular cavity, ED, as drawn: 9.0 mL."))])
    with pytest.raises(Refused, match=r"no finding of 1 signed reports is called endocardium or epicardium: .*RV endo"):
        teacher().said([signed(outlined("RV endo ED", "Right ventricle (phase 1): 9.0 mL."))])
    long_axis = cine(TURN[:, [1, 0, 2]])
    one = outlined("LV endo phase 1", "", volume=long_axis)
    said, _ = teacher().said([signed(one)])
    example = Example("1.9", "p", 1, 1.0, ("ito",), "unaided", "", 1, said[0].answer)
    with pytest.raises(
        Refused, match=r"none of 1 examples can be kept: 1: outlines on slices \d+° off the usual short"
    ):
        teacher().written(tmp_path / "a", [example], lambda study, on=None, image="": (long_axis, ["d"]), {})
    still = replace(cine(), array=cine().array[0], axes=(), instance_uids=())
    with pytest.raises(Refused, match="1: outlines on images that are no cine"):
        teacher().written(tmp_path / "b", [example], lambda study, on=None, image="": (still, ["d"]), {})
    alone = replace(cine(), array=cine().array[:, :1], geometry=Geometry(cine().geometry.affine, (1, *SHAPE[1:])),
                    instance_uids=())  # fmt: skip
    with pytest.raises(Refused, match="1: outlines on a cine of 1 slices"):
        teacher().written(tmp_path / "c", [example], lambda study, on=None, image="": (alone, ["d"]), {})
    with pytest.raises(Refused, match="an outline at phase 9: the cine has 6"):
        labels_of({1: [(one.where, 8)]}, cine())


def test_slices_between_two_that_show_it_are_left_open() -> None:
    region = outlined("LV endo phase 1", "", slice(0, 5, 2)).where
    labels = labels_of({1: [(region, 0)]}, cine())
    assert (labels[0, [1, 3]] == OPEN).all() and (labels[0, 0] == 1).any() and not labels[1:].any()


def test_a_cavity_that_covers_hardly_a_pixel_teaches_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.zeros(SHAPE, np.uint8)
    labels[2, 12, 12] = 1
    said: list[str] = []
    monkeypatch.setattr(heart, "_cases", lambda data: [Heart("speck", cine(), labels={0: labels})])
    with pytest.raises(Refused, match=r"no cine in .* shows a cavity"):
        heart.train(tmp_path, tmp_path / "model", 0, said.append)
    assert said == ["speck teaches nothing: its cavity covers hardly a pixel of 1.5 mm"]
