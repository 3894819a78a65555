"""From signed grades to a model: studies, an analysis, a person who changes one, a frozen cohort, a training."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from typer.testing import CliRunner

pytest.importorskip("torch", reason="the extra 'ml' is not installed")
pytest.importorskip("onnxruntime", reason="the extra 'ml' is not installed")

from department_for_oversight import MONDAY, keep
from isocenter.app import open_house
from isocenter.catalogue.thyroid_nodule import LEVEL, NODULE
from isocenter.cli import app
from isocenter.dicom.wrap import wrap_image
from isocenter.errors import NotFound, Refused
from isocenter.govern.consent import Purpose
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.reading.disclosure import Mode, Use
from isocenter.reading.session import Correction
from isocenter.record import (
    Code,
    Finding,
    Kind,
    Measurement,
    Origin,
    Outcome,
    Receipt,
    Result,
    Verdict,
    codes,
)
from isocenter.settings import Settings
from isocenter.site.verbs import Site

OF, ITO = "thyroid_nodule", Person("ito", Role.READER)
N, CHANGED, SHUT = 36, 0, 2
STRUCK, LABELLED = {1, 5}, 30  # people; and studies whose grade is signed and may be learnt from
HALO = Code("halo", "99TEST", "Halo")
CARD = """
[card]
title = "Nodules"
intended_use = "Show how signed grades teach."
not_for = ["patients"]
limits = ["pictures made by a formula"]
source = "made"
licence = "CC0"
"""
PICTURES = (
    'kind = "classes"\ntask = "nodules"\nclasses = ["TR2", "TR3", "TR4"]\nshape = [16, 16]\nordered = 0.5\n'
    "widths = [4, 8]\nmembers = 2\nepochs = 12\nbatch = 4\nrate = 0.02\n[augmentation]\nmirror = 0.0\n"
    '[read_from]\nmeasurement = "ACR TI-RADS level"\n'
)
SEVERAL = (
    'kind = "classes"\ntask = "signs"\nclasses = ["Thyroid nodule", "halo"]\nshape = [16, 16]\nseveral = true\n'
    'widths = [4, 8]\nmembers = 2\nepochs = 2\nbatch = 4\n[known_as]\n"99TEST:halo" = 1\n'
)
ROWS = (
    'kind = "table"\ntask = "nodule_risk"\nclasses = ["benign", "suspicious"]\nlabel = ["outcome"]\n'
    "strengths = [1.0]\ntrees = [0]\nouter = 3\ninner = 2\nrepeats = 1\n"
    '[read_from]\nmeasurement = "99ISO:tirads-level"\nunit = "1"\ncuts = [3.0]\n'
    '[[columns]]\nname = "age"\nkind = "number"\nlow = 0\nhigh = 120\nunit = "a"\n'
    '[[columns]]\nname = "sex"\nkind = "code"\nvalues = [0, 1]\nunit = "female | male"\n'
    '[[columns]]\nname = "size"\nknown_as = ["Long axis"]\nkind = "number"\nunit = "cm"\n'
)


def level_of(n: int) -> int:
    return 2 + n % 3


def whose(n: int) -> int:
    """Of two studies each, of one level."""
    return n // 6 * 3 + n % 3


def picture(n: int) -> bytes:
    """Rough ground with a bright part, which lies the lower the higher the level."""
    grey = np.kron(np.random.default_rng(n).integers(0, 120, (8, 8)), np.ones((4, 4)))
    grey[10 * level_of(n) - 18 : 10 * level_of(n) - 10] += 120
    held = io.BytesIO()
    Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(held, "PNG")
    ds = dcmread(io.BytesIO(wrap_image(held.getvalue(), f"{n}.png", MONDAY, modality="US", patient_id=f"P{whose(n)}")))
    ds.PatientBirthDate, ds.PatientSex, ds.StudyDate = f"{1950 + whose(n)}0101", "FMO"[n // 6 % 3], "20260601"
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


def nodule(n: int, level: int) -> Finding:
    said = [Measurement(LEVEL, level, "1", definition="ACR TI-RADS 2017")]
    if n % 5:
        said.append(Measurement(codes.LONG_AXIS, 5.0 * level_of(n) + n / 100, "mm"))
    return Finding(NODULE, measurements=tuple(said), words=f"TR{level}.", tracking=f"2.25.{n + 1}")


def signed(site: Site, n: int) -> str:
    """One study: a picture, the machine's answer, a person who keeps, changes or strikes it, and the signature."""
    before = {s.uid for s in site.index.studies({})}
    site.receive([picture(n)], sender="US1", who=HOUSE)
    (uid,) = {s.uid for s in site.index.studies({})} - before
    series = tuple(s.uid for s in site.index.study(uid).series)
    said = level_of(n) if n != CHANGED else 4
    machine = Result(uid, Outcome.FOUND, Origin("machine", OF, "8"), site.clock(), findings=(nodule(n, said),),
                     receipt=Receipt(series=series))  # fmt: skip
    keep(site, machine, "isocenter", site.clock())
    version = site.open(uid, who=ITO).version
    version = site.lock(uid, version=version, nothing=True, who=ITO).version
    (digest, _), *_ = site.results(uid, who=ITO)
    site.seen(uid, [{"result": digest, "tracking": f"2.25.{n + 1}"}], who=ITO)
    answer = Correction(Verdict.KEPT, f"2.25.{n + 1}")
    if n == CHANGED:
        answer = Correction(Verdict.CHANGED, answer.tracking, measurements=nodule(n, level_of(n)).measurements)
    if whose(n) in STRUCK:
        answer = Correction(Verdict.STRUCK, answer.tracking, label="artefact")
    version = site.correct(uid, answer, version=version, who=ITO).version
    if whose(n) % 4 == 0:
        version = site.correct(uid, Correction(Verdict.ADDED, "", what=HALO), version=version, who=ITO).version
    site.sign(uid, version=version, who=ITO)
    return uid


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, list[str], Path]]:
    folder = tmp_path_factory.mktemp("grades") / "archive"
    house = open_house(Settings(folder=folder), apart=False)
    house.site.set_mode(OF, Use.READING, Mode.CONCURRENT, reason="a walk")
    uids = [signed(house.site, n) for n in range(N)]
    for person in {whose(n) for n in range(N)}:
        house.site.consents.give({"GRU": ()}, patient=f"P{person}", who=HOUSE)
    house.site.cohorts.freeze("nodules", "modality:US", who=HOUSE)
    house.site.consents.give({}, patient=f"P{SHUT}", refuses=[Purpose.TRAINING], who=HOUSE)
    yield house.site, uids, folder
    house.close()


def told(*words: str) -> dict[str, Any]:
    found = CliRunner().invoke(app, [*words, "--json"])
    assert found.exit_code == 0, (found.output, found.exception)
    answer: dict[str, Any] = json.loads(found.stdout)
    return answer


def recipe_at(folder: Path, text: str) -> str:
    (folder / "recipe.toml").write_text(text + CARD)
    return str(folder / "recipe.toml")


def rows_in(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as text:
        return list(csv.DictReader(text))


def test_grades_that_a_reader_left_or_changed_teach_by_the_name_of_a_cohort(
    archive: tuple[Site, list[str], Path], tmp_path: Path
) -> None:
    site, uids, folder = archive
    made = told("train", recipe_at(tmp_path, PICTURES), "--data", "nodules", "--analysis", OF, "--out",
                str(tmp_path / "m"), "--folder", str(folder))  # fmt: skip
    report = json.loads((tmp_path / "m-examples" / "examples.json").read_text())
    assert report["n"] == LABELLED and sum(report["closed"].values()) == 2 and report["silent"] == 4  # those struck
    assert report["by_class"] == {"TR2": 12, "TR3": 10, "TR4": 8}
    assert report["by_mode"] == {"followed": LABELLED - 1, "overruled": 1}
    (changed,) = [r for r in rows_in(tmp_path / "m-examples" / "examples.csv") if r["mode"] == "overruled"]
    assert (changed["label"], changed["weight"], changed["machine"]) == ("TR2", "1", "2"), "as the reader left it"
    assert not any("P1" in p.name for p in (tmp_path / "m-examples").rglob("*"))
    taken = site.journal.since(kinds=(Kind.EXAMPLES_TAKEN,), limit=1, newest_first=True)[0].event
    assert uids[CHANGED] in taken.details["studies"] and uids[SHUT] not in taken.details["studies"]
    assert made["card"]["readings"]["by_mode"]["followed"] == LABELLED - 1
    judged = told("judge", str(tmp_path / "m"), "--data", str(tmp_path / "m-examples"))
    assert judged["n"] == LABELLED and judged["metrics"]["auc"]["value"] > 0.8, judged["metrics"]
    withdrawn = site.consents.withdraw(patient="P7", reason="by letter", who=HOUSE)
    assert [m["model"] for m in withdrawn["models"]] == ["nodules"]
    site.consents.give({"GRU": ()}, patient="P7", who=HOUSE)


def test_several_findings_of_a_report_teach_at_once(archive: tuple[Site, list[str], Path], tmp_path: Path) -> None:
    _, _, folder = archive
    told("train", recipe_at(tmp_path, SEVERAL), "--data", "nodules", "--analysis", OF, "--out", str(tmp_path / "m"),
         "--folder", str(folder))  # fmt: skip
    shown = rows_in(tmp_path / "m-examples" / "labels.csv")
    assert len(shown) == N - 2 and len({r["person"] for r in shown}) == N // 2 - 1
    kinds = [r["label"] for r in shown]
    assert kinds.count("Thyroid nodule|halo") == 10 and kinds.count("No Finding") == 4, "where it was struck is none"
    modes = json.loads((tmp_path / "m-examples" / "examples.json").read_text())["by_mode"]
    assert modes == {"followed": N - 2 - 14, "overruled": 14}, "a halo was said by no machine"
    assert told("judge", str(tmp_path / "m"), "--data", str(tmp_path / "m-examples"))["n"] == N - 2


def test_rows_of_what_was_signed_teach_a_table(archive: tuple[Site, list[str], Path], tmp_path: Path) -> None:
    _, _, folder = archive
    told("train", recipe_at(tmp_path, ROWS), "--data", "nodules", "--analysis", OF, "--out", str(tmp_path / "m"),
         "--folder", str(folder))  # fmt: skip
    rows = rows_in(tmp_path / "m-examples" / "rows.csv")
    assert len(rows) == LABELLED
    first = rows[0]
    assert {r["age"] for r in rows} <= {str(a) for a in range(50, 80)} and {r["sex"] for r in rows} == {
        "female", "male", "",
    }  # fmt: skip
    assert sum(r["size"] == "" for r in rows) == 7, "what was not measured is a gap"
    sizes = sorted(float(r["size"]) for r in rows if r["size"])
    assert 1.0 < sizes[0] < 1.2 and 2.0 < sizes[-1] < 2.4, "millimetres, brought to the centimetres of the column"
    assert {r["outcome"] for r in rows} == {"benign", "suspicious"} and first["person"].startswith("person")
    report = json.loads((tmp_path / "m-examples" / "examples.json").read_text())
    assert report["columns"]["size"] == ["thyroid-nodule.thyroid-nodule.long-axis"]
    assert told("judge", str(tmp_path / "m"), "--data", str(tmp_path / "m-examples"))["n"] == LABELLED
    weights = {r["weight"] for r in rows_in(tmp_path / "m-examples" / "examples.csv")}
    assert weights == {"0.25", "1"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (PICTURES.replace("ACR TI-RADS level", "BI-RADS"), r"ACR TI-RADS level \(99ISO:tirads-level\), Long axis"),
        (PICTURES.replace("TR2", "A7").replace("TR3", "A8").replace("TR4", "A9"), r"is 2 1, 3 1, 4 1.*none of A7"),
        (PICTURES.split("[read_from]")[0], r"called TR2 or TR3 or TR4.*Thyroid nodule \(SCT:237495005\)"),
        (ROWS.replace('"cm"', '"mL"'), "'size' is measured in mm, and the column is in mL"),
        (ROWS.replace("Long axis", "weight"), r"anything for the column 'size'.*Long axis \(thyroid-nodule\."),
        (ROWS.replace('"a"', '"mo"'), "the age of a study is in years"),
        (ROWS.replace("female | male", "one | two"), "which of them is which sex"),
    ],
)
def test_what_reports_do_not_say_is_refused_with_what_they_do(
    archive: tuple[Site, list[str], Path], tmp_path: Path, text: str, says: str
) -> None:
    site, _, _ = archive
    with pytest.raises(Refused, match=says):
        site.teaching.examples(OF, tmp_path / "set", who=HOUSE, task=recipe_at(tmp_path, text))


@pytest.mark.parametrize(("text", "table"), [(SEVERAL, "labels.csv"), (ROWS, "rows.csv")])
def test_earlier_rows_and_several_findings_are_mixed_in(
    archive: tuple[Site, list[str], Path], tmp_path: Path, text: str, table: str
) -> None:
    site, _, folder = archive
    said: dict[str, Any] = {"who": HOUSE, "task": recipe_at(tmp_path, text)}
    site.teaching.examples(OF, tmp_path / "old", **said)
    report = site.teaching.examples(OF, tmp_path / "new", rehearse=tmp_path / "old", share=0.25, **said)
    before, rows = rows_in(tmp_path / "old" / table), rows_in(tmp_path / "new" / table)
    counted = rows_in(tmp_path / "new" / "examples.csv")
    added, n = report["rehearsed"]["n"], report["n"]
    assert added == round(n / 3) and len(rows) == len(counted) == n + added
    whose = ("file", "person")
    plain = [{k: v for k, v in row.items() if k not in whose} for row in before]
    assert all({k: v for k, v in row.items() if k not in whose} in plain for row in rows[n:])
    assert not {r["person"] for r in rows[:n]} & {r["person"] for r in rows[n:]}
    assert [r["mode"] for r in counted[n:]] == ["earlier"] * added and {r["weight"] for r in counted[n:]} <= {
        "0.25",
        "1",
    }
    assert all(r["file"] == (rows[k]["file"] if text == SEVERAL else f"row {k + 1}") for k, r in enumerate(counted))
    told("train", said["task"], "--data", str(tmp_path / "new"), "--out", str(tmp_path / "m"), "--folder", str(folder))
    assert told("judge", str(tmp_path / "m"), "--data", str(tmp_path / "new"))["n"] == n + added
    (tmp_path / "old" / table).unlink()
    with pytest.raises(Refused, match=f"has no {table} of the same columns"):
        site.teaching.examples(OF, tmp_path / "none", rehearse=tmp_path / "old", **said)


def test_a_training_by_a_cohort_asks_for_the_analysis_where_the_recipe_does_not_tell_it(
    archive: tuple[Site, list[str], Path], tmp_path: Path
) -> None:
    _, _, folder = archive
    words = ["train", recipe_at(tmp_path, PICTURES), "--data", "nodules", "--out", str(tmp_path / "m")]
    found = CliRunner().invoke(app, [*words, "--folder", str(folder)])
    assert isinstance(found.exception, NotFound) and "--analysis thyroid_nodule" in str(found.exception)
    assert not (tmp_path / "m-examples").exists()
