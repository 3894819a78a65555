"""Another calibration is another version: true on other people, the same network inside, its own digest and gate."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from isocenter.analysis.weights import models
from isocenter.cli import app
from isocenter.errors import Conflict, Refused
from isocenter.govern.gate import changed
from isocenter.learn.judge import judged
from isocenter.learn.recalibrate import network_digest, recalibrated
from isocenter.methods.calibration import sigmoid
from isocenter.record import Model, from_plain

HEART = "cleveland_heart"


def rows_of(folder: Path, n: int, seed: int) -> Path:
    """Made-up patients whose true risk is what the model states, bent: it is too sure, and states too much."""
    rng, inputs = np.random.default_rng(seed), models()[HEART][0].inputs
    known = [c["values"] or [c["low"], c["high"]] for c in inputs["columns"]]
    rows = [[f"{rng.choice(v):g}" for v in known] for _ in range(n)]
    file = folder / f"rows{seed}.csv"

    def write(ill: np.ndarray) -> None:
        told = [inputs["labels"][int(y)] for y in ill]
        file.write_text("\n".join(",".join([*row, f"{t:g}"]) for row, t in zip(rows, told, strict=True)))

    write(np.arange(n) % 2)
    stated = np.array([r["certainty"] for r in judged(HEART, file).predictions])
    write(rng.random(n) < sigmoid(0.5 * np.log(stated / (1 - stated)) - 1))
    return file


@pytest.mark.parametrize(
    "how",
    ["temperature", *(pytest.param(how, marks=pytest.mark.nightly) for how in ("platt", "isotonic"))],
)
def test_a_new_version_states_what_is_true_on_other_people(tmp_path: Path, how: str) -> None:
    data, other = rows_of(tmp_path, 800, 1), rows_of(tmp_path, 800, 2)
    made = recalibrated(HEART, data, tmp_path / "new", how)
    old, file = models()[HEART]
    assert (made.parent, made.version, made.state) == (old.digest, str(int(old.version) + 1), "candidate")
    assert made.digest != old.digest
    before, after = (judged(m, other).report for m in (HEART, tmp_path / "new"))
    assert after["calibration"]["ece"] < before["calibration"]["ece"] - 0.05
    assert after["calibration"]["brier"] < before["calibration"]["brier"]
    assert after["metrics"]["auc"]["value"] == pytest.approx(before["metrics"]["auc"]["value"], abs=1e-9)
    assert after["calibration"]["ece"] == pytest.approx(made.evidence["calibration"]["ece"], abs=0.06)
    # What the file answers is what the numbers on its record say.
    was = np.array([r["certainty"] for r in judged(HEART, other).predictions])
    now = np.array([r["certainty"] for r in judged(tmp_path / "new", other).predictions])
    x, told = np.log(was / (1 - was)), made.inputs["calibration"]
    said = np.interp(x, told["knots"], told["values"]) if how == "isotonic" else sigmoid(
        told["slope"] * x + told["offset"]
    )  # fmt: skip
    assert now == pytest.approx(said, abs=2e-5) and (how != "temperature" or told["offset"] == 0)
    assert changed(made, old) == ("calibration",)
    assert network_digest((tmp_path / "new" / "model.onnx").read_bytes()) == network_digest(file.read_bytes())
    if how == "platt":  # once more, on top of it
        again = recalibrated(tmp_path / "new", other, tmp_path / "third", "temperature")
        assert (again.version, again.parent) == (str(int(old.version) + 2), made.digest)
        assert changed(again, old) == ("calibration",)
        assert network_digest((tmp_path / "third" / "model.onnx").read_bytes()) == network_digest(file.read_bytes())


@pytest.mark.nightly
def test_many_classes_and_films_keep_their_other_answers(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    data = tmp_path / "many.npz"
    images = rng.integers(0, 255, (100, 28, 28, 3), dtype=np.uint8)
    np.savez(data, val_images=images, val_labels=(np.arange(100) % 5)[:, None])
    made = recalibrated("retinamnist", data, tmp_path / "new", "platt")
    old, file = models()["retinamnist"]
    assert len(made.inputs["calibration"]["offsets"]) == 5 and changed(made, old) == ("calibration",)
    rows = judged(tmp_path / "new", data).predictions
    certainty = np.array([[r[f"certainty {c}"] for c in old.inputs["classes"]] for r in rows])
    assert certainty.sum(1) == pytest.approx(np.ones(100), abs=1e-5)
    shares = certainty.mean(0)  # offsets of classes make the mean certainty of each its share, by maximum likelihood
    assert shares == pytest.approx(np.full(5, 0.2), abs=0.01)
    assert network_digest((tmp_path / "new" / "model.onnx").read_bytes()) == network_digest(file.read_bytes())
    for how, why in (("isotonic", "more than two classes"), ("magic", "there are temperature")):
        with pytest.raises(Refused, match=why):
            recalibrated("retinamnist", data, tmp_path / "x", how)


def test_what_must_not_be_is_refused_and_the_command_says_what_it_did(tmp_path: Path) -> None:
    data = rows_of(tmp_path, 100, 3)
    words = ["recalibrate", HEART, "--data", str(data), "--out", str(tmp_path / "new")]
    result = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    told: Model = from_plain(Model, json.loads(result.stdout))
    assert told.parent == models()[HEART][0].digest and told.card["recalibrated"]["how"] == "platt"
    with pytest.raises(Conflict, match="in place"):
        recalibrated(HEART, data, tmp_path / "new", "platt")
    few = tmp_path / "few.csv"
    few.write_text("\n".join(data.read_text().splitlines()[:30]))
    with pytest.raises(Refused, match="at least 20 of each"):
        recalibrated(HEART, few, tmp_path / "x", "platt")
    with pytest.raises(Refused, match=r"none of its classes has a certainty.*lays this border anew"):
        recalibrated("image_kind", _one_picture(tmp_path), tmp_path / "x", "platt")
    with pytest.raises(Refused, match="no ONNX"):
        network_digest(b"nothing")


def _one_picture(folder: Path) -> Path:
    file, inputs = folder / "kinds.npz", models()["image_kind"][0].inputs
    images = np.random.default_rng(0).integers(0, 255, (12, *inputs["shape"]), dtype=np.uint8)
    np.savez(file, val_images=images, val_labels=(np.arange(12) % 6)[:, None])
    return file
