"""Several findings on one picture: read in every layout, learnt, exported, and judged finding by finding."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from isocenter.cli import app
from isocenter.errors import Refused
from isocenter.learn import classify, recipes
from isocenter.learn.answers import answers_of
from isocenter.learn.findings import known_in, label_of, shown_in
from isocenter.learn.judge import judged
from isocenter.learn.kinds import Augmentation
from isocenter.learn.labelled import read_labelled
from isocenter.learn.recalibrate import recalibrated
from isocenter.learn.several import figures_of_findings
from isocenter.learn.tested import picked, read
from isocenter.learn.train import train
from isocenter.methods import roc

MARKS = replace(
    recipes.RECIPES["chestmnist"], task="marks", classes=("bar", "spot", "rim"), known_as={"line": 0}, batch=32,
    widths=(8, 16), epochs=6, rate=1e-2, average=0.9, augmentation=Augmentation(shift=0.02, erase=0.0),
)  # fmt: skip


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(recipes.RECIPES, "marks", MARKS)


def made(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise with a bar, a spot or a bright rim, any of them or none, each by a coin of its own."""
    rng = np.random.default_rng(seed)
    truth = rng.random((n, 3)) < (0.4, 0.3, 0.2)
    y, x = np.indices((28, 28))
    grey = rng.normal(90, 12, (n, 28, 28))
    for k in range(n):
        row, column = rng.integers(6, 22, 2)
        grey[k] += truth[k, 0] * 70 * (abs(y - row) < 2) + truth[k, 2] * 60 * ((x < 2) | (x > 25))
        grey[k] += truth[k, 1] * 90 * (((x - column) ** 2 + (y - row) ** 2) < 12)
    return np.clip(grey, 0, 255).astype(np.uint8), truth


def test_the_whole_way(tmp_path: Path) -> None:
    pictures, truth = made(400, 0)
    held, shown = made(150, 1)
    np.savez(tmp_path / "learn.npz", train_images=pictures, train_labels=truth.astype(np.uint8))
    np.savez(tmp_path / "held.npz", test_images=held, test_labels=shown.astype(np.int64))
    model = train("marks", tmp_path / "learn.npz", tmp_path / "marks")
    lines = read(tmp_path / "marks", model)
    for one in model.evidence["subgroups"]:
        if one["n"] >= 10:
            assert len(picked(lines, by="finding", group=one["name"])) == one["n"], "a picture is of each it shows"
    assert model.evidence["metrics"]["auc"]["value"] > 0.9 and model.evidence["parity"] < 1e-4
    assert "| finding rim |" in (tmp_path / "marks/card.md").read_text()
    asked = ["judge", str(tmp_path / "marks"), "--data", str(tmp_path / "held.npz"), "--json"]
    result = CliRunner().invoke(app, [*asked, "--out", str(tmp_path / "said.csv")])
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["metrics"]["auc"]["value"] > 0.9 and said["n"] == 150 and said["learnt_from"] == 0
    assert [row["name"] for row in said["subgroups"]] == ["bar", "spot", "rim"]
    assert [row["n"] for row in said["subgroups"]] == shown.sum(0).tolist()
    assert (tmp_path / "said.csv").read_text().splitlines()[0].split(",")[2] == "findings"
    found = judged(tmp_path / "marks", tmp_path / "learn.npz")
    assert found.report["learnt_from"] == 400 - model.evidence["n"], "all but the part that measured"
    with pytest.raises(Refused, match=r"each of its findings has a calibration of its own.*Train it"):
        recalibrated(tmp_path / "marks", tmp_path / "held.npz", tmp_path / "bent", "platt")
    given = answers_of(found.model, found.predictions)
    assert given.figure == "accuracy" and given.right.mean() == found.report["metrics"]["accuracy"]["value"]


def test_layouts_are_the_same_examples(tmp_path: Path) -> None:
    pictures, truth = made(6, 2)
    np.savez(tmp_path / "a.npz", images=pictures, labels=truth)
    lines = ["file,label"]
    for k, (grey, own) in enumerate(zip(pictures, truth, strict=True)):
        Image.fromarray(grey).save(tmp_path / f"{k}.png")
        lines.append(
            f"{k}.png,{'|'.join(n for n, o in zip(('Line', 'Spot', 'RIM'), own, strict=True) if o) or 'No Finding'}"
        )
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    one, other = read_labelled(tmp_path / "a.npz", MARKS), read_labelled(tmp_path / "a.csv", MARKS)
    assert np.array_equal(one.labels, other.labels) and np.array_equal(one.pictures, other.pictures)
    assert np.array_equal(shown_in(one.labels, 3), truth)
    columns = ["rim;image;Line;spot", *(f"{int(r)};{k}.png;{int(b)};{float(s)}" for k, (b, s, r) in enumerate(truth))]
    (tmp_path / "b.csv").write_text("\n".join(columns) + "\n")
    assert np.array_equal(read_labelled(tmp_path / "b.csv", MARKS).labels, one.labels)


def test_what_cannot_be_several_is_refused(tmp_path: Path) -> None:
    pictures, truth = made(8, 3)
    for name, labels, why in (
        ("one", truth[:, 0].astype(int), r"any of 3 findings"),
        ("more", truth.astype(int) * 2 + 1, r"any of 3 findings"),
        ("same", np.zeros((8, 3), int), "all show the same"),
    ):
        np.savez(tmp_path / f"{name}.npz", images=pictures, labels=labels)
        with pytest.raises(Refused, match=why):
            train("marks", tmp_path / f"{name}.npz", tmp_path / "out")
    (tmp_path / "folder/bar").mkdir(parents=True)
    Image.fromarray(pictures[0]).save(tmp_path / "folder/bar/1.png")
    with pytest.raises(Refused, match="may show several findings"):
        read_labelled(tmp_path / "folder", MARKS)
    (tmp_path / "folder/bar/t.csv").write_text("file,label\n1.png,bar|moon\n")
    with pytest.raises(Refused, match="label 'moon'"):
        read_labelled(tmp_path / "folder/bar/t.csv", MARKS)
    for text, why in (
        ("file,bar,spot,rim\n1.png,1,2,0\n", "spot is '2' in row 1 of t.csv: a finding is there, is not"),
        ("file,bar,spot,rim\n1.png,,-1,\n", "1 pictures in t.csv: of none is any finding known"),
        ("file,bar,spot\n1.png,1,0\n", "give a column for each finding"),
    ):
        (tmp_path / "folder/bar/t.csv").write_text(text)
        with pytest.raises(Refused, match=why):
            read_labelled(tmp_path / "folder/bar/t.csv", MARKS)


def test_what_nobody_knows_of_a_picture_teaches_nothing_and_counts_for_nothing(tmp_path: Path) -> None:
    pictures, truth = made(400, 0)
    rng = np.random.default_rng(5)
    told = np.where(rng.random(truth.shape) < 0.3, -1, truth.astype(int))
    told[0] = -1
    np.savez(tmp_path / "learn.npz", train_images=pictures, train_labels=told)
    lines: list[str] = []
    model = train("marks", tmp_path / "learn.npz", tmp_path / "marks", progress=lines.append)
    some = (told >= 0).any(1)
    assert any(f"{(~some).sum()} pictures of which no finding is known were left out" in line for line in lines)
    assert model.evidence["metrics"]["auc"]["value"] > 0.9
    counts = model.card["training"]["examples"]
    assert counts["bar"] == (told[some, 0] == 1).sum() and counts["bar, not known"] == (told[some, 0] == -1).sum()
    held, shown = made(150, 1)
    asked = np.where(rng.random(shown.shape) < 0.3, np.nan, shown.astype(float))
    asked[:, 2] = np.where(np.isnan(asked).all(1), 0, asked[:, 2])
    np.savez(tmp_path / "held.npz", test_images=held, test_labels=asked)
    found = judged(tmp_path / "marks", tmp_path / "held.npz")
    by = {row["name"]: row for row in found.predictions}
    for k, row in enumerate(found.report["subgroups"]):
        own = np.isfinite(asked[:, k])
        assert (row["n"], row["not_known"]) == (int(np.nansum(asked[:, k])), int((~own).sum()))
        said = np.array([by[f"test/{n:05d}"][f"certainty {row['name']}"] for n in np.flatnonzero(own)])
        assert row["metrics"]["auc"]["value"] == pytest.approx(roc.auc(asked[own, k].astype(int), said).value)
    assert any("not known, and left out of learning and figures: bar of" in one for one in found.report["remarks"])
    with pytest.raises(Refused, match="the loss focal of the recipe asks for all of them"):
        recipes.RECIPES["marks"] = replace(MARKS, loss="focal")
        train("marks", tmp_path / "learn.npz", tmp_path / "focal")


def test_a_table_says_by_an_empty_cell_or_minus_one_what_is_not_known(tmp_path: Path) -> None:
    pictures, truth = made(4, 2)
    told = truth.astype(float)
    told[0, 1], told[2, 0] = np.nan, np.nan
    np.savez(tmp_path / "a.npz", images=pictures, labels=told)
    lines = ["Path,Bar,Spot,Rim"]
    for k, row in enumerate(told):
        Image.fromarray(pictures[k]).save(tmp_path / f"{k}.png")
        cells = (("-1.0", "")[k > 0] if np.isnan(v) else str(v) for v in row)
        lines.append(",".join([f"{k}.png", *cells]))
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    one, other = read_labelled(tmp_path / "a.npz", MARKS), read_labelled(tmp_path / "a.csv", MARKS)
    assert np.array_equal(one.labels, other.labels)
    assert np.array_equal(known_in(one.labels, 3), np.isfinite(told))
    assert np.array_equal(shown_in(one.labels, 3), told == 1)
    assert one.remarks[-1].startswith("not known, and left out of learning and figures: bar of 1, spot of 1 of 4")
    with pytest.raises(Refused, match="31 is the most"):
        label_of([None, *[1] * 31], "row 1")


def test_ways_may_begin_with_the_folder_of_the_table_and_files_of_people_share_their_names(tmp_path: Path) -> None:
    """As CheXpert lays its pictures."""
    pictures, truth = made(6, 4)
    root, lines = tmp_path / "CheXpert-v1.0-small", ["Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Bar,Spot,Rim"]
    for k, (grey, row) in enumerate(zip(pictures, truth, strict=True)):
        way = Path(f"train/patient0000{k // 2}/study{k % 2}/view1_frontal.jpg")
        (root / way).parent.mkdir(parents=True)
        Image.fromarray(grey).save(root / way)
        cells = ["1.0" if one else "" for one in row]
        lines.append(f"CheXpert-v1.0-small/{way.as_posix()},Female,68,Frontal,AP,,{','.join(cells[:2])},0.0")
    (root / "train.csv").write_text("\n".join(lines) + "\n")
    read = read_labelled(root, MARKS)
    assert len(read) == 6 and len(set(read.groups)) == 3
    assert np.array_equal(shown_in(read.labels, 3)[:, :2], truth[:, :2])
    assert known_in(read.labels, 3)[:, 2].all() and np.array_equal(known_in(read.labels, 3)[:, :2], truth[:, :2])


def test_a_finding_that_is_not_known_pulls_at_no_weight() -> None:
    logits = torch.zeros(2, 3, requires_grad=True)
    labels = torch.tensor([label_of([1, None, 0]), label_of([None, None, 1])])
    classify._loss_of_several(logits, labels, torch.ones(2), 0.0).backward()
    assert logits.grad is not None and (logits.grad != 0).tolist() == [[True, False, True], [False, False, True]]
    whole = classify._loss_of_several(logits, torch.tensor([1, 4]), torch.ones(2), 0.0)
    assert float(whole.detach()) == pytest.approx(np.log(2))


def test_the_mean_area_is_that_of_each_and_its_error_knows_that_cases_are_shared() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random((400, 3)) < (0.5, 0.3, 0.2)
    score = truth + rng.normal(0, 1, truth.shape)
    each = [roc.auc(truth[:, k].astype(int), score[:, k]) for k in range(3)]
    area = roc.of_findings(truth, score)
    assert area.value == pytest.approx(np.mean([a.value for a in each]), abs=1e-12)
    assert area.error == pytest.approx(np.sqrt(sum(a.error**2 for a in each)) / 3, rel=0.2)
    copied = roc.of_findings(truth[:, [0, 0, 0]], score[:, [0, 0, 0]])
    assert copied.error == pytest.approx(each[0].error, rel=0.02), "three times the same question tells nothing more"
    with pytest.raises(Refused, match="no finding that some"):
        roc.of_findings(np.zeros((4, 2)), score[:4, :2])
    none = np.zeros(400, bool)
    told = figures_of_findings(np.stack([truth[:, 0], none], 1), score[:, :2], np.clip(score[:, :2], 0, 1), none, "ab")
    few = figures_of_findings(truth[:20, :1], score[:20, :1], np.clip(score[:20, :1], 0, 1), none[:20], "a")
    shown = int(truth[:20, 0].sum())
    assert shown < 10 and few["subgroups"][0]["insufficient"] == f"insufficient data: {shown} events, 10 are needed"
    assert told["subgroups"][1]["metrics"] == {} and told["metrics"]["auc"]["value"] == pytest.approx(each[0].value)
