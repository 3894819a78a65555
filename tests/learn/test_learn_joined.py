"""Pictures and a table learnt from together: better than either alone, by one command, and only with the same eyes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

pytest.importorskip("torch", reason="the extra 'ml' is not installed")
pytest.importorskip("sklearn", reason="the extra 'ml' is not installed")

from isocenter.analysis.weights import models
from isocenter.cli import app
from isocenter.errors import MissingPart, NotFound, Refused
from isocenter.learn import recipes
from isocenter.learn.joined import read_joined
from isocenter.learn.judge import judge

BOTH = replace(
    recipes.RECIPES["breast_lesion_and_age"], through="pneumoniamnist", strengths=(0.03, 0.3), outer=3, inner=2
)  # the recipe, through smaller eyes
PICTURE_ALONE = replace(BOTH, task="picture_alone", columns=BOTH.columns[1:], subgroups=())
TABLE_ALONE = replace(BOTH, task="table_alone", through="")


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for how in (BOTH, PICTURE_ALONE, TABLE_ALONE):
        monkeypatch.setitem(recipes.RECIPES, how.task, how)
    yield


def written(folder: Path, n: int, seed: int) -> Path:
    """Dark bodies, wide or round, of women of an age: half of what makes ill is in the picture, half in the table."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    rows, (y, x) = ["image,Age,palpable,class"], np.indices((28, 28)) - 13.5
    for k in range(n):
        wide, age = rng.integers(0, 2), rng.uniform(25, 80)
        ill = rng.random() < 1 / (1 + np.exp(-(3 * (wide - 0.5) + 0.1 * (age - 52))))
        body = np.exp(-(((x / (9 if wide else 5)) ** 2 + (y / 5) ** 2) ** 2))
        grey = np.clip(150 - 110 * body + rng.normal(0, 12, (28, 28)), 0, 255)
        Image.fromarray(grey.astype(np.uint8)).save(folder / f"{k}.png")
        rows.append(f"{k}.png,{age:.0f},{'' if k % 7 == 0 else int(rng.random() < 0.5)},{int(ill)}")
    (folder / "rows.csv").write_text("\n".join(rows) + "\n")
    return folder / "rows.csv"


@pytest.mark.nightly
def test_both_together_know_more_than_either_alone(tmp_path: Path) -> None:
    data, held = written(tmp_path / "learn", 240, 0), written(tmp_path / "held", 120, 1)
    told = {}
    for task in ("breast_lesion_and_age", "picture_alone", "table_alone"):
        out = tmp_path / task
        asked = ["train", task, "--data", str(data), "--out", str(out)]
        result = CliRunner().invoke(app, asked)
        assert result.exit_code == 0, result.output
        told[task] = judge(out, held)["metrics"]["auc"]["value"]
    assert told["breast_lesion_and_age"] > max(told["picture_alone"], told["table_alone"]) + 0.04, told
    record = json.loads((tmp_path / "breast_lesion_and_age/model.json").read_text())
    eyes = record["inputs"]["through"]
    assert eyes["model"] == "pneumoniamnist" and len(record["inputs"]["columns"]) == 2 + eyes["columns"]
    assert record["evidence"]["parity"] < 1e-4
    told_recipe = json.loads(record["card"]["training"]["recipe"])
    assert len(told_recipe["columns"]) == 2, (
        "what repeats it looks through the same eyes, and does not list what they saw"
    )
    assert record["card"]["training"]["pictures that its eyes had learnt from"] == 0
    said = judge(tmp_path / "breast_lesion_and_age", data)
    assert said["learnt_from"] == 240 and said["n"] == 240, "the table that it learnt from is known again"


def test_the_eyes_may_be_a_model_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = written(tmp_path / "learn", 12, 0)
    own = replace(BOTH, through="own_eyes")
    with pytest.raises(MissingPart, match="ISOCENTER_MODELS"):
        read_joined(data, own)
    record, file = models()["pneumoniamnist"]
    shutil.copytree(file.parent, tmp_path / "shelf" / "own_eyes")
    told = json.loads((file.parent / "model.json").read_text()) | {"name": "own_eyes"}
    (tmp_path / "shelf" / "own_eyes" / "model.json").write_text(json.dumps(told))
    monkeypatch.setenv("ISOCENTER_MODELS", str(tmp_path / "shelf"))
    seen = read_joined(data, own)
    assert seen.eyes["model"] == "own_eyes" and seen.eyes["digest"] == record.digest
    assert np.array_equal(seen.rows.values, read_joined(data, BOTH).rows.values, equal_nan=True)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    data = written(tmp_path / "learn", 12, 0)
    with pytest.raises(Refused, match=r"looked through 000.*here is"):
        read_joined(data, BOTH, digest="0" * 64)
    plain = tmp_path / "learn" / "plain.csv"
    plain.write_text(data.read_text().replace("image,", "nothing,"))
    with pytest.raises(Refused, match="no column 'file'"):
        read_joined(plain, BOTH)
    with pytest.raises(Refused, match="only classifiers of pictures"):
        read_joined(data, replace(BOTH, through="hippocampus"))
    (tmp_path / "learn/3.png").write_bytes(b"no picture")
    with pytest.raises(Refused, match=r"cannot read 3\.png"):
        read_joined(data, BOTH)
    (tmp_path / "learn/3.png").unlink()
    with pytest.raises(NotFound, match=r"no picture at .*3\.png.*row 4 names it"):
        read_joined(data, BOTH)
    unread: list[tuple[str, str]] = []
    some = read_joined(data, BOTH, aside=unread)
    assert len(some.rows.labels) == len(some.strange) == 11 and "row 4" not in some.rows.names
    assert [name for name, _ in unread] == ["row 4"] and "no picture" in unread[0][1]
    for file in data.parent.glob("*.png"):
        file.unlink()
    with pytest.raises(Refused, match="none of 12 rows"):
        read_joined(data, BOTH, aside=[])


def test_a_picture_is_found_as_other_tables_name_it(tmp_path: Path) -> None:
    data = written(tmp_path / "learn", 12, 0)
    wanted = read_joined(data, BOTH).rows
    (tmp_path / "learn" / "img").mkdir()
    for file in data.parent.glob("*.png"):
        file.rename(data.parent / "img" / file.name)
    plain, text = tmp_path / "learn" / "rows.csv", data.read_text()
    for name, way in (("image", "img\\"), ("filename", ""), ("Image ID", "")):
        lines = [way + line for line in text.replace(".png", ".png" if way else "").splitlines()[1:]]
        plain.write_text("\n".join([text.splitlines()[0].replace("image", name), *lines]))
        assert np.array_equal(read_joined(plain, BOTH).rows.values, wanted.values, equal_nan=True), name
