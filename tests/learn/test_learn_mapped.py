"""Maps over pictures: drawn only with a passed verdict for these very weights, only where the model calls, beside the
nearest cases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

pytest.importorskip("torch", reason="the extra 'ml' is not installed")

import torch

from isocenter.cli import app
from isocenter.errors import Refused
from isocenter.govern.showing import CHECKS, VERSION, against
from isocenter.learn import recipes
from isocenter.learn.export import exported
from isocenter.learn.kinds import Classes
from isocenter.learn.likeness import indexed
from isocenter.learn.mapped import SAYS, mapped
from isocenter.learn.model_folder import write_record
from isocenter.record import Model

BRIGHT = Classes(task="bright", classes=("dim", "bright"), shape=(16, 16), widths=(4,))


class Brightest(torch.nn.Module):  # type: ignore[misc]
    """Says bright where any patch of 3 × 3 is; what is white all over is strange to it."""

    def forward(self, image: Any) -> Any:
        seen = torch.nn.functional.avg_pool2d(image, 3, 1).amax((1, 2, 3))
        logits = torch.stack([torch.zeros_like(seen), 20 * (seen - 0.6)], 1)
        means = torch.nn.functional.avg_pool2d(image, 4).flatten(1)
        return logits, torch.softmax(logits, 1), means, means.mean(1) * 1.2


@pytest.fixture
def bright(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(recipes.RECIPES, "bright", BRIGHT)
    place = tmp_path / "bright"
    place.mkdir()
    digest, _ = exported(
        Brightest(), (1, 16, 16), place / "model.onnx", ("logits", "certainty", "embedding", "strangeness")
    )
    inputs = {"kind": "classes", "classes": ["dim", "bright"], "positive": 1, "shape": [16, 16], "channels": 1,
              "known_as": {}, "ordered": False, "threshold": 0.5, "rest": False}  # fmt: skip
    write_record(place, Model("bright", "3", digest, inputs=inputs), None)
    return place


def told(place: Path, failed: str = "", digest: str = "") -> None:
    """Lay a verdict into the evidence of the model."""
    record = json.loads((place / "model.json").read_text())
    checks = {name: {"passed": name != failed} for name in CHECKS}
    record["evidence"] = {"explanation": [
        {"map": "occlusion_sensitivity", "method": "occlusion", "version": VERSION,
         "passed": not failed, "checks": checks, "digest": digest or record["digest"]}
    ]}  # fmt: skip
    (place / "model.json").write_text(json.dumps(record))


def pictures(folder: Path) -> Path:
    for name, at in (("ann/spot.png", (10, 3)), ("spot.png", (2, 12)), ("dim.png", None)):
        grey = np.full((16, 16), 60, np.uint8)
        if at:
            grey[at[0] - 2 : at[0] + 3, at[1] - 2 : at[1] + 3] = 220
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(grey).save(folder / name)
    Image.fromarray(np.full((16, 16), 255, np.uint8)).save(folder / "white.png")
    return folder


def test_a_map_lies_on_what_the_model_answers_to(bright: Path, tmp_path: Path) -> None:
    told(bright)
    data, out = pictures(tmp_path / "data"), tmp_path / "maps"
    rows = {row["file"]: row for row in mapped(bright, data, out, against)}
    assert rows["dim.png"]["why_no_map"] == "the model does not say 'bright' of it"
    assert rows["white.png"]["why_no_map"] == "the model declines the picture" and rows["white.png"]["declined"]
    for name, at in (("ann/spot", (10, 3)), ("spot", (2, 12))):
        values = np.load(out / f"{name}.sensitivity.npy")
        assert (
            values.shape == (16, 16) and values.min() >= 0 and np.hypot(*(np.array(rows[f"{name}.png"]["at"]) - at)) < 3
        )
        with Image.open(out / f"{name}.sensitivity.png") as shown:
            assert shown.width > 2 * 250 and shown.mode == "RGB"
    kept = json.loads((out / "maps.json").read_text())
    assert kept["says"] == SAYS and "no explanation" in SAYS and len(kept["pictures"]) == 4
    assert sorted(p.name for p in data.rglob("*")) == ["ann", "dim.png", "spot.png", "spot.png", "white.png"]
    with pytest.raises(Refused, match="would lie among the pictures"):
        mapped(bright, data, data / "maps", against)


def test_without_a_passed_verdict_for_these_weights_there_is_none(bright: Path, tmp_path: Path) -> None:
    data, out = pictures(tmp_path / "data"), tmp_path / "maps"

    def refused(why: str, method: str = "occlusion") -> None:
        with pytest.raises(Refused, match=why):
            mapped(bright, data, out, against, method=method)

    refused("was not tested for the weights of bright.*isocenter sanity")
    told(bright, failed="localisation")
    refused("did not pass localisation for the weights of bright")
    told(bright, digest="f" * 64)
    refused("tested for other weights")
    refused("there are occlusion", method="tea leaves")
    with pytest.raises(Refused, match="isocenter analyse FOLDER --only chest_xray_opacity"):
        mapped("chest_xray_opacity", data, out, against)
    assert not out.exists()


def test_the_command_tells_the_nearest_cases_beside(bright: Path, tmp_path: Path) -> None:
    told(bright)
    rng = np.random.default_rng(0)
    known = rng.integers(0, 160, (24, 16, 16), dtype=np.uint8)
    known[1::2, 8:13, 1:6] = 220
    np.savez(tmp_path / "known.npz", train_images=known, train_labels=np.arange(24) % 2)
    indexed([("", tmp_path / "known.npz")], bright, refused=0.2).write(tmp_path / "index")
    data = pictures(tmp_path / "data")
    asked = ["saliency", str(bright), "--data", str(data), "--out", str(tmp_path / "maps"),
             "--index", str(tmp_path / "index"), "--k", "2"]  # fmt: skip
    said = CliRunner().invoke(app, [*asked, "--json"])
    assert said.exit_code == 0, said.output
    rows = {row["file"]: row for row in json.loads(said.stdout)["pictures"]}
    assert [one["label"] for one in rows["ann/spot.png"]["near"]] == ["bright", "bright"]
    shown = CliRunner().invoke(app, asked)
    assert "2 maps of 4 pictures" in shown.output and "no explanation of disease" in shown.output


def test_a_picture_that_cannot_be_read_keeps_no_other_from_its_map(bright: Path, tmp_path: Path) -> None:
    told(bright)
    data = pictures(tmp_path / "data")
    (data / "torn.png").write_bytes((data / "spot.png").read_bytes()[:40])
    Image.fromarray(np.full((5, 5), 90, np.uint8)).save(data / "coarse.png")
    rows = {row["file"]: row for row in mapped(bright, data, tmp_path / "maps", against)}
    assert rows["spot.png"]["map"] and len(rows) == 6
    assert "cannot read torn.png" in rows["torn.png"]["why_no_map"] and rows["torn.png"]["class"] is None
    assert "too coarse" in rows["coarse.png"]["why_no_map"]
    with pytest.raises(Refused, match=r"none of 1 images.*of the first: cannot read torn.png"):
        mapped(bright, data / "torn.png", tmp_path / "others", against)
