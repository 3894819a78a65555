"""From scans with a Segmentation to a model that outlines, in one archive: analysed, corrected, signed, frozen, learnt.

Every patient is a jar with a ball, bright in front and less bright behind, which somebody outlined beforehand.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

torch = pytest.importorskip("torch", reason="the extra 'ml' is not installed")

import highdicom as hd  # noqa: E402
from pydicom import dcmread  # noqa: E402
from pydicom.sr.codedict import codes as words  # noqa: E402

from isocenter.app import open_house  # noqa: E402
from isocenter.cli import app  # noqa: E402
from isocenter.errors import Refused  # noqa: E402
from isocenter.govern.consent import Purpose  # noqa: E402
from isocenter.govern.policy import HOUSE, Person, Role  # noqa: E402
from isocenter.learn.kinds import Masks, Movement  # noqa: E402
from isocenter.learn.outlined import pairs_in, people_of, read_case, weights_of  # noqa: E402
from isocenter.learn.recipe_files import recipe_text  # noqa: E402
from isocenter.learn.tested import digest_of_case  # noqa: E402
from isocenter.learn.tested import read as cases_of  # noqa: E402
from isocenter.reading.session import Correction  # noqa: E402
from isocenter.record import Kind, Model, Verdict, from_plain  # noqa: E402
from isocenter.settings import Settings  # noqa: E402
from isocenter.site.outlining import Edit  # noqa: E402
from isocenter.site.verbs import Site  # noqa: E402
from isocenter.testing.phantoms.patient import Person as Somebody  # noqa: E402
from isocenter.testing.phantoms.patient import new, put_pixels, uid, written  # noqa: E402

ITO = Person("ito", Role.READER)
SIDES, SPACING = (16, 20, 24), (2.0, 1.0, 1.5)
KEPT = ("P1", "P2", "P3", "P4", "P5")
PATIENTS = (*KEPT, "CHANGED", "STRUCK", "REFUSED")
HOW = Masks(
    task="halves", classes=("front", "rear"), known_as={"back": 2}, spacing_mm=(1.5, 1.0, 2.0), window=(32, 32, 32),
    widths=(6, 8), fine=4, members=2, epochs=2, rate=1e-2, average=0.8, precision="float32",
    movement=Movement(scale=(0.95, 1.05), rotate_deg=4.0, shift=0.02),
    card={"title": "T", "intended_use": "a test", "not_for": ["x"], "limits": ["y"], "source": "z", "licence": "none"},
)  # fmt: skip


def labels(seed: int) -> np.ndarray:
    """(slices, rows, columns): 1 in front, 2 behind; rows run to the back."""
    middle = np.array(SIDES) / 2 + np.random.default_rng(seed).uniform(-1.5, 1.5, 3)
    z, y, x = np.indices(SIDES)
    inside = sum(((i - m) * s) ** 2 for i, m, s in zip((z, y, x), middle, SPACING, strict=True)) < 64
    return np.where(inside, np.where(y < middle[1], 1, 2), 0)


def scan(seed: int, patient: str) -> list[bytes]:
    drawn, who = labels(seed), Somebody(patient, "PHANTOM^JAR", "O", "20000101", 1.0, 10.0)
    noise = np.random.default_rng(seed).normal(0, 20, SIDES)
    values = 1000 + noise + 300 * (drawn == 1) + 150 * (drawn == 2)
    files = []
    for n in range(SIDES[0]):
        ds = new("halves", who, seed=seed, sop_class="1.2.840.10008.5.1.4.1.1.2", modality="CT", study="Halves",
                 series="jar", at=datetime(2026, 3, 2, 12), series_number=1, body_part="PHANTOM")  # fmt: skip
        ds.Laterality, ds.FrameOfReferenceUID = "", uid("halves", seed, "frame")
        ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        ds.ImagePositionPatient, ds.PixelSpacing = [-10, -20, 30 + SPACING[0] * n], [SPACING[1], SPACING[2]]
        ds.SliceThickness, ds.KVP, ds.RescaleIntercept, ds.RescaleSlope = SPACING[0], 120, -1024, 1
        ds.RescaleType, ds.ImageType, ds.PatientPosition = "HU", ["ORIGINAL", "PRIMARY", "AXIAL"], "HFS"
        put_pixels(ds, np.round(values[n]).astype(np.uint16), bits=12)
        files.append(written(ds, n + 1))
    images = [dcmread(io.BytesIO(data)) for data in files]
    said = [
        hd.seg.SegmentDescription(k, name, words.SCT.Organ, words.SCT.Organ, hd.seg.SegmentAlgorithmTypeValues.MANUAL)
        for k, name in ((1, "Front"), (2, "Back"))
    ]
    seg = hd.seg.Segmentation(images, drawn.astype(np.uint8), "BINARY", said, uid("halves", seed, "seg"), 9,
                              uid("halves", seed, "outlines"), 1, "maker", "model", "1", "2")  # fmt: skip
    held = io.BytesIO()
    seg.save_as(held)
    return [*files, held.getvalue()]


def read(site: Site, study: str, patient: str) -> None:
    """One reading: everything is kept, but that a brush adds to the front, or that the front is struck."""
    version = site.open(study, who=ITO).version
    version = site.lock(study, version=version, line="a jar", who=ITO).version
    findings = {f.where.label: (held, f.tracking) for held, r in site.results(study, who=ITO) for f in r.findings}
    shown = [{"result": held, "tracking": tracking} for held, tracking in findings.values()]
    site.seen(study, shown, who=ITO)
    for label in ("Front", "Back"):
        held = {f.tracking: i for i, r in site.results(study, who=ITO) for f in r.findings}
        tracking = findings[label][1]
        if label == "Front" and patient == "CHANGED":
            series = next(s.uid for s in site.index.study(study).series if s.modality == "CT")
            edit = Edit("brush", series, points=np.array([[-10 + 1.5 * 3, -20 + 1.0 * 3, 30 + 2.0 * 5]]), radius=1.2,
                        normal=(0.0, 0.0, 1.0), tracking=tracking, result=held[tracking])  # fmt: skip
            version = site.segment(study, edit, version=version, who=ITO).version
            continue
        struck = label == "Front" and patient == "STRUCK"
        said = Correction(Verdict.STRUCK if struck else Verdict.KEPT, tracking, held[tracking],
                          label="wrong-place" if struck else "")  # fmt: skip
        version = site.correct(study, said, version=version, who=ITO).version
    site.sign(study, version=version, who=ITO)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    house = open_house(Settings(folder=tmp_path_factory.mktemp("halves") / "archive"), apart=False)
    for seed, patient in enumerate(PATIENTS):
        stored = list(house.site.receive(scan(seed, patient), sender="CT1", who=HOUSE))
        assert {one.status for one in stored} == {"stored"}, stored
        (study,) = house.site.index.studies({"PatientID": patient})
        house.site.analyse(study.uid, only="volumetry", who=HOUSE)
        read(house.site, study.uid, patient)
        house.site.consents.give({"GRU": ()}, patient=patient, who=HOUSE)
    house.site.cohorts.freeze("jars", "modality:CT", who=HOUSE)
    house.site.consents.give({}, patient="REFUSED", refuses=[Purpose.TRAINING], who=HOUSE)
    yield house.site
    house.close()


def archive_of(site: Site) -> str:
    return str(site.database.url).removeprefix("sqlite:///").rsplit("/", 1)[0]


def test_a_frozen_cohort_teaches_outlines_as_they_were_signed(site: Site, tmp_path: Path) -> None:
    (tmp_path / "halves.toml").write_text(recipe_text(HOW))
    command = ["train", str(tmp_path / "halves.toml"), "--data", "jars", "--analysis", "volumetry", "--out",
               str(tmp_path / "model"), "--folder", archive_of(site)]  # fmt: skip
    found = CliRunner().invoke(app, command)
    assert found.exit_code == 0, found.exception
    data = tmp_path / "model-examples"
    told = json.loads((data / "examples.json").read_text())
    assert (told["n"], told["people"], told["by_class"]) == (6, 6, {"front": 6, "rear": 6})
    assert told["by_mode"] == {"followed": 5, "overruled": 1} and told["left"] == {"no outline of 'front'": 1}
    assert sum(told["closed"].values()) == 1 and told["silent"] == 0
    pairs, alone = pairs_in(data)
    assert not alone and len(set(people_of(pairs, data))) == 6
    drawn = {w: [] for w in (1.0, 0.25)}
    for pair, weight in zip(pairs, weights_of(pairs, data), strict=True):
        case = read_case(*pair, HOW)
        drawn[weight].append(case.labels.transpose(2, 1, 0)[:, ::-1, ::-1])  # from RAS back to slices, rows, columns
        assert case.spacing_mm == (1.5, 1.0, 2.0) and 100 < case.image[case.labels == 1].mean() < 400
    seeds = {patient: seed for seed, patient in enumerate(PATIENTS)}
    for patient in KEPT:
        assert any(np.array_equal(labels(seeds[patient]), one) for one in drawn[0.25])
    (changed,) = drawn[1.0]
    before = labels(seeds["CHANGED"])
    assert changed[5, 3, 3] == 1 and before[5, 3, 3] == 0, "what the brush added"
    assert np.array_equal(np.where(changed != before, before, changed), before) and 1 <= (changed != before).sum() < 12
    names = " ".join(str(p) for p in data.rglob("*")) + (data / "examples.csv").read_text()
    assert not any(secret in names for secret in (*PATIENTS, "2.25."))
    told = json.loads((tmp_path / "model" / "model.json").read_text())
    assert len(told["card"]["learned_from"]) == 6 * SIDES[0] and told["card"]["readings"]["by_mode"]["followed"] == 5
    cases = {digest_of_case(line) for line in cases_of(tmp_path / "model", from_plain(Model, told))}
    assert cases < set(told["card"]["learned_from"]), "each case opens in the archive"
    learnt = site.journal.since(kinds=(Kind.MODEL_TRAINED,), limit=1, newest_first=True)[0].event
    assert learnt.subject == "halves"
    named = site.consents.withdraw(patient="CHANGED", reason="by letter", who=HOUSE)
    assert [m["model"] for m in named["models"]] == ["halves"]
    judged = CliRunner().invoke(app, ["judge", str(tmp_path / "model"), "--data", str(data), "--json"])
    assert judged.exit_code == 0, judged.exception
    said = json.loads(judged.stdout)
    assert said["n"] == 6 and set(said["metrics"]["dice"]) == {"front", "rear"}
    site.consents.give({"GRU": ()}, patient="CHANGED", who=HOUSE)


def test_what_was_learnt_before_is_mixed_in_and_asked_for_again(site: Site, tmp_path: Path) -> None:
    (tmp_path / "halves.toml").write_text(recipe_text(HOW))
    said = {"who": HOUSE, "task": str(tmp_path / "halves.toml")}
    site.teaching.examples("volumetry", tmp_path / "old", **said)
    report = site.teaching.examples("volumetry", tmp_path / "new", rehearse=tmp_path / "old", share=0.5, **said)
    pairs, alone = pairs_in(tmp_path / "new")
    assert (report["rehearsed"]["n"], len(pairs), len(alone), len(set(people_of(pairs, tmp_path)))) == (6, 12, 0, 12)
    site.consents.withdraw(patient="P1", reason="by letter", who=HOUSE)
    with pytest.raises(Refused, match="1 of 6 studies"):
        site.teaching.may_learn(tmp_path / "new", who=HOUSE)
    site.consents.give({"GRU": ()}, patient="P1", who=HOUSE)


def test_names_that_no_finding_has_are_refused_with_those_that_there_were(site: Site, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text(recipe_text(replace(HOW, task="other", classes=("liver",), known_as={})))
    with pytest.raises(Refused, match=r"is called liver: outlined are .*Structure: Back, .*Structure: Front"):
        site.teaching.examples("volumetry", tmp_path / "set", who=HOUSE, task=str(tmp_path / "other.toml"))
    assert not (tmp_path / "set").exists()
