"""A case that cannot be read is counted and named, and changes no figure of the others."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from isocenter.cli import app
from isocenter.errors import Refused
from isocenter.learn.kinds import Classes
from isocenter.learn.picture_tables import listed
from isocenter.learn.unread import without

pytest.importorskip("torch", reason="the extra 'ml' is not installed")


def _films(at: Path, model: str) -> Path:
    rng, side = np.random.default_rng(5), 224 if model == "chest_xray_opacity" else 28
    for name in ("normal", "pneumonia"):
        (at / name).mkdir(parents=True)
        for k in range(4):
            Image.fromarray(rng.integers(0, 255, (side, side), dtype=np.uint8)).save(at / name / f"{name}{k}.png")
    return at


@pytest.mark.parametrize("model", ["pneumoniamnist", "chest_xray_opacity"])
def test_an_unreadable_picture_is_declined_and_changes_no_figure(tmp_path: Path, model: str) -> None:
    from isocenter.learn.judge import judged

    films = _films(tmp_path / "films", model)
    whole = judged(model, films).report
    (films / "normal" / "torn.png").write_bytes((films / "normal" / "normal0.png").read_bytes()[:300])
    (films / "pneumonia" / "empty.png").touch()
    found = judged(model, films)
    assert found.report["metrics"] == whole["metrics"] and found.report["n"] == whole["n"] == 8
    assert found.report["declined"] == whole["declined"] + 2
    assert found.report["remarks"][0].startswith("2 of 10 images were not measured: they count as declined")
    assert len(found.cases) == 8 and [row["name"] for row in found.predictions[8:]] == [
        "normal/torn.png", "pneumonia/empty.png",
    ]  # fmt: skip
    found.write(tmp_path / "said.csv")
    with (tmp_path / "said.csv").open(newline="") as text:
        last = list(csv.DictReader(text))[-1]
    assert last["declined"] == "True" and "cannot read empty.png" in last["because"] and not last["label"]
    told = CliRunner().invoke(app, ["judge", model, "--data", str(films), "--json"])
    assert told.exit_code == 0 and json.loads(told.stdout)["declined"] == found.report["declined"]


def test_an_image_without_values_and_a_row_without_file_are_declined(tmp_path: Path) -> None:
    from isocenter.learn.judge import judged
    from isocenter.learn.recalibrate import recalibrated

    x = np.random.default_rng(6).random((6, 28, 28))
    x[3, 2, 2] = np.nan
    np.savez(tmp_path / "some.npz", test_images=x, test_labels=[0, 1, 0, 1, 0, 1])
    found = judged("pneumoniamnist", tmp_path / "some.npz")
    assert found.report["n"] == 5 and "test/00003: " in found.report["remarks"][0]
    with pytest.raises(Refused, match=r"'test/00003' cannot be used"):
        recalibrated("pneumoniamnist", tmp_path / "some.npz", tmp_path / "out", "platt")
    np.savez(tmp_path / "none.npz", test_images=np.full((2, 28, 28), np.nan), test_labels=[0, 1])
    with pytest.raises(Refused, match=r"none of 2 images in none\.npz can be used"):
        judged("pneumoniamnist", tmp_path / "none.npz")
    Image.fromarray(np.zeros((28, 28), np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "t.csv").write_text("file,label\na.png,0\ngone.png,1\na.png,0\n")
    how, aside = Classes(task="t", classes=("no", "yes"), shape=(28, 28)), list[tuple[str, str]]()
    some, again, _ = listed(tmp_path / "t.csv", how, aside=aside)
    assert [one.name for one in some] == ["a.png"] and again == 1 and [name for name, _ in aside] == ["gone.png"]
    with pytest.raises(Refused, match=r"gone\.png in row 2"):
        listed(tmp_path / "t.csv", how)


def test_where_all_can_be_read_nothing_is_said() -> None:
    assert without({"n": 1, "declined": 1, "remarks": []}, [{"name": "a"}], []) == (
        {"n": 1, "declined": 1, "remarks": []}, [{"name": "a"}],
    )  # fmt: skip


def test_torn_pictures_and_notes_of_boxes_are_declined_and_pictures_without_note_are_told(tmp_path: Path) -> None:
    from isocenter.learn.judge import judged

    rng, box = np.random.default_rng(7), "<xmin>{}</xmin><ymin>5</ymin><xmax>{}</xmax><ymax>60</ymax>"
    for name, left, right in (("a", 5, 60), ("b", 9, 50), ("turned", 60, 5), ("torn", 5, 60)):
        Image.fromarray(rng.integers(0, 255, (96, 128, 3), dtype=np.uint8)).save(tmp_path / f"{name}.png")
        note = f"<annotation><object><name>rbc</name><bndbox>{box.format(left, right)}</bndbox></object></annotation>"
        (tmp_path / f"{name}.xml").write_text(note)
    (tmp_path / "torn.png").write_bytes(b"no picture")
    (tmp_path / "half.xml").write_text("<annotation><obj")
    Image.fromarray(rng.integers(0, 255, (96, 128, 3), dtype=np.uint8)).save(tmp_path / "alone.png")
    found = judged("bccd", tmp_path)
    assert found.report["n"] == 2 == len(found.cases)
    first, last, *_ = found.report["remarks"]
    assert first.startswith("3 of 5 images were not measured") and "cannot read half.xml" in first
    assert last.startswith("1 pictures lie there of which nothing tells boxes, such as alone")
    told = {row["name"]: str(row["because"]) for row in found.predictions[-3:]}
    assert "ends before it begins" in told["turned"] and "cannot read torn.png" in told["torn"]
    found.write(tmp_path / "said.csv")
    for name in ("a", "b"):
        (tmp_path / f"{name}.png").write_bytes(b"no picture")
    with pytest.raises(Refused, match=r"none of 5 pictures in .* can be used"):
        judged("bccd", tmp_path)


def test_that_most_are_declined_is_said(tmp_path: Path) -> None:
    from isocenter.learn.judge import judged

    noise = np.random.default_rng(8).integers(0, 255, (6, 28, 28), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", test_images=noise, test_labels=[0, 1] * 3)
    report = judged("pneumoniamnist", tmp_path / "a.npz").report
    assert report["declined"] == 6
    assert any(line.startswith("6 of 6 cases are declined, such as test/00000: ") for line in report["remarks"])
