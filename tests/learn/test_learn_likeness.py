"""A head and neighbours for a question that the model was never asked, on its embedding."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from isocenter.cli import app
from isocenter.errors import Refused
from isocenter.learn.likeness import found, indexed, worth

WHERE = ("left", "right")


@pytest.fixture
def sides(data: Path, tmp_path: Path) -> Path:
    """Real pictures of the breast; the labels say which half is brighter, which nobody asked the model."""
    pictures = np.load(data / "medmnist" / "breastmnist.npz")["val_images"]
    brighter = (pictures[:, :, 14:].mean((1, 2)) > pictures[:, :, :14].mean((1, 2))).astype(int)
    path = tmp_path / "sides.npz"
    np.savez(path, images=pictures, labels=np.array(WHERE)[brighter])
    return path


def test_another_question_has_its_own_names(sides: Path, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"label '(left|right)'"):
        worth(sides, "breastmnist", draws=2)
    told = worth(sides, "breastmnist", draws=5, classes=WHERE)
    assert told["n"] == 78 and 0 < told["shots"][0]["auc"] < 1
    indexed([("", sides)], "breastmnist", classes=WHERE, refused=0.1).write(tmp_path / "index")
    near = [one["near"] for one in found(tmp_path / "index", sides, "breastmnist", k=3)]
    assert {case["label"] for cases in near for case in cases} == set(WHERE)
    asked = [
        "similar",
        "few",
        str(sides),
        "--model",
        "breastmnist",
        "--draws",
        "5",
        "--classes",
        "left, right",
        "--json",
    ]
    assert json.loads(CliRunner().invoke(app, asked).stdout) == told


@pytest.mark.parametrize("classes", [("left",), ("left", "Left"), ("left", "right", "right ")])
def test_names_that_tell_nothing_apart_are_refused(sides: Path, classes: tuple[str, ...]) -> None:
    with pytest.raises(Refused, match="each with its own name"):
        worth(sides, "breastmnist", draws=2, classes=classes)
