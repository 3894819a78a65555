"""What to label next, what a rule would have brought, and whose labels are doubted, on a shipped model's embedding."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("torch", reason="the extra 'ml' is not installed")
from PIL import Image

from isocenter.cli import app
from isocenter.errors import Refused
from isocenter.learn import examining
from isocenter.learn.examining import chosen_from, gained_in

MODEL = "breastmnist"


def picture(rng: np.random.Generator, ill: bool) -> np.ndarray:
    """A dark round spot or a bright one in speckle, which any embedding of images tells apart mostly."""
    y, x = np.mgrid[:28, :28]
    spot = np.exp(-((x - rng.uniform(8, 20)) ** 2 + (y - rng.uniform(8, 20)) ** 2) / 18.0)
    whole = 110 + (-90 if ill else 90) * spot + rng.normal(0, 22, (28, 28))
    return np.clip(whole, 0, 255).astype(np.uint8)


def said(*words: str) -> Any:
    result = CliRunner().invoke(app, ["examples", *words, "--model", MODEL, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """240 examples, read by one of four; lee exchanges one label in five."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("known")
    rows = []
    for n in range(240):
        truth, reader = bool(rng.integers(2)), ("ito", "lee", "kim", "ruiz")[n % 4]
        label = "malignant" if truth != (reader == "lee" and rng.random() < 0.2) else "normal or benign"
        file = folder / label / f"person{n:06d}_{n:06d}.png"
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(picture(rng, truth)).save(file)
        rows.append([file.relative_to(folder).as_posix(), label, "1", reader, "unaided", "", "0"])
    with (folder / "examples.csv").open("w", newline="") as text:
        table = csv.writer(text)
        table.writerow(["file", "label", "weight", "readers", "mode", "time", "machine"])
        table.writerows(rows)
    return folder


@pytest.fixture(scope="module")
def doubted(known: Path) -> Any:
    return said("doubt", str(known))


def test_who_exchanges_labels_is_named(known: Path, doubted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    told = doubted
    named = {r["reader"]: r["named"] for r in told["readers"]}
    assert named == {"ito": False, "kim": False, "ruiz": False, "lee": True}, told["readers"]
    wrong = [f for f in told["files"] if f["readers"] == ["lee"]]
    assert len(wrong) > len(told["files"]) / 3
    assert told["border"] == "asked" and len(told["because"]) > 200, "spots are no ultrasound"
    monkeypatch.setattr(examining, "doubted_in", lambda *given, **more: told)  # in words what was found above
    words = CliRunner().invoke(app, ["examples", "doubt", str(known), "--model", MODEL]).output
    assert words.count("is none for this model: it") == 20


def test_the_same_picture_under_another_person_or_label_is_named(known: Path, doubted: Any, tmp_path: Path) -> None:
    folder = shutil.copytree(known, tmp_path / "known")
    with (folder / "examples.csv").open(newline="") as text:
        rows = list(csv.reader(text))
    for row in rows[81:]:  # a third of them shows as much
        (folder / row[0]).unlink()
    del rows[81:]
    copied = []
    for k, other in ((1, "malignant"), (2, rows[2][1]), (3, "normal or benign")):
        name = f"{other}/person{900 + k:06d}_{900 + k:06d}.png"
        shutil.copy(folder / rows[k][0], folder / name)
        copied.append((rows[k][0], name, other != rows[k][1]))
        rows.append([name, other, "1", "lee", *rows[k][4:]])
    with (folder / "examples.csv").open("w", newline="") as text:
        csv.writer(text).writerows(rows)
    told = said("doubt", str(folder))["twins"]
    assert {(frozenset(t["files"]), t["apart"]) for t in told} == {(frozenset(c[:2]), c[2]) for c in copied}
    assert [t["apart"] for t in told] == sorted((t["apart"] for t in told), reverse=True)
    assert all("lee" in t["readers"] for t in told)
    assert doubted["twins"] == []


@pytest.mark.nightly
def test_what_to_label_next_and_what_a_rule_would_have_brought(known: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    images = np.stack([picture(rng, bool(n % 2)) for n in range(30)])
    np.savez(tmp_path / "new.npz", train_images=images)
    with pytest.raises(Refused, match="30 of 30 are like nothing that breastmnist learnt from"):
        chosen_from(tmp_path / "new.npz", known, MODEL, n=5)
    report = said("gain", str(known), "--draws", "2", "--rounds", "2", "--batch", "15")
    assert set(report["rules"]) >= {"uncertainty", "diversity", "change", "mixed", "chance"}
    for curve in report["rules"].values():
        assert [p["labels"] for p in curve] == [10, 25, 40]
        assert curve[-1]["auc"] > curve[0]["auc"] - 0.02 and all(p["low"] <= p["auc"] <= p["high"] for p in curve)
    with pytest.raises(Refused, match="labels of"):
        gained_in(known, MODEL, rounds=99)
    with pytest.raises(Refused, match="two nothing is known"):
        gained_in(known, MODEL, draws=1)


@pytest.mark.nightly
@pytest.mark.data
def test_the_unsure_of_real_images_are_chosen(data: Path, tmp_path: Path) -> None:
    whole = np.load(data / "medmnist" / "breastmnist.npz")
    np.savez(tmp_path / "new.npz", val_images=whole["val_images"][:60])
    images, labels = whole["train_images"][:120], whole["train_labels"][:120]
    np.savez(tmp_path / "known.npz", train_images=images, train_labels=labels)
    told = said("choose", str(tmp_path / "new.npz"), "--known", str(tmp_path / "known.npz"), "--n", "5", "--rule",
                "uncertainty")  # fmt: skip
    every = said("choose", str(tmp_path / "new.npz"), "--known", str(tmp_path / "known.npz"), "--n",
                 str(60 - len(told["strange"])), "--rule", "chance")  # fmt: skip
    unsure = sorted(every["chosen"], key=lambda c: abs(c["certainty"] - 0.5))[:5]
    assert {c["file"] for c in told["chosen"]} == {c["file"] for c in unsure} and len(told["strange"]) < 10
