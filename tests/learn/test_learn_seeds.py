"""Figures of other seeds get onto the card of a model; other recipes, examples and its own seed are refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from isocenter.cli import app
from isocenter.errors import NotFound, Refused
from isocenter.learn.seeds import listed

MODELS = Path(__file__).parents[2] / "models"
Change = Callable[[dict[str, Any]], None]


def again(folder: Path, seed: int, auc: float, change: Change = lambda told: None) -> Path:
    """The record of a training of PneumoniaMNIST from another seed."""
    told = json.loads((MODELS / "pneumoniamnist/model.json").read_text())
    training = told["card"]["training"]
    training["seed"], told["parent"] = seed, ""  # from nothing, not another version of the one that ships
    recipe = json.loads(training["recipe"])
    training["recipe"] = json.dumps(recipe | {"added_since": 1, "ordered": []})  # 0 on the card: neither is ordered
    told["evidence"]["metrics"]["auc"] = {"value": auc, "low": auc - 0.01, "high": auc + 0.005}
    change(told)
    out = folder / f"again{seed}"
    out.mkdir(exist_ok=True)
    (out / "model.json").write_text(json.dumps(told))
    return out


def test_each_seed_is_on_the_card_once_and_the_weights_stay(tmp_path: Path) -> None:
    place = tmp_path / "pneumoniamnist"
    shutil.copytree(MODELS / "pneumoniamnist", place)
    before = json.loads((place / "model.json").read_text())
    before["evidence"].pop("seeds", None)
    (place / "model.json").write_text(json.dumps(before))
    asked = ["seeds", str(place), str(again(tmp_path, 9, 0.97)), str(again(tmp_path, 7, 0.98))]
    result = CliRunner().invoke(app, [*asked, "--json"])
    assert result.exit_code == 0, result.output
    assert [one["seed"] for one in json.loads(result.stdout)] == [7, 9]
    listed(place, [again(tmp_path, 9, 0.96)])
    after = json.loads((place / "model.json").read_text())
    assert [(s["seed"], s["auc"]["value"], s["n"]) for s in after["evidence"].pop("seeds")] == [
        (7, 0.98, 1750), (9, 0.96, 1750),
    ]  # fmt: skip
    assert after == before, "all else stays"
    page = (place / "card.md").read_text()
    assert "| auc, trained again with --seed 9 | 0.960 | 0.950 to 0.965 |  |" in page and "0.970 |" not in page


def _other(told: dict[str, Any], **fields: Any) -> None:
    recipe = json.loads(told["card"]["training"]["recipe"])
    recipe["augmentation"] |= fields
    told["card"]["training"]["recipe"] = json.dumps(recipe)


@pytest.mark.parametrize(
    ("seed", "change", "why"),
    [
        (0, lambda told: None, "seed of the model itself"),
        (1, lambda told: told.update(name="breastmnist"), "card is that of pneumoniamnist"),
        (1, lambda told: told.update(examples="0" * 64), "did not learn from the examples"),
        (1, lambda told: _other(told, erase=0.9), r"augmentation\.erase in its recipe"),
        (1, lambda told: _other(told, ordered=True), r"augmentation\.ordered in its recipe"),  # stands where it is used
        (1, lambda told: told["card"]["training"].pop("recipe"), "names no seed, recipe, AUC"),
    ],
)
def test_what_is_not_another_seed_of_it_is_refused(tmp_path: Path, seed: int, change: Change, why: str) -> None:
    place = tmp_path / "pneumoniamnist"
    shutil.copytree(MODELS / "pneumoniamnist", place)
    before = (place / "model.json").read_bytes()
    with pytest.raises(Refused, match=why):
        listed(place, [again(tmp_path, 5, 0.98), again(tmp_path, seed, 0.98, change)])
    assert (place / "model.json").read_bytes() == before
    with pytest.raises(NotFound, match="a model in"):
        listed(tmp_path, [again(tmp_path, 5, 0.98)])


@pytest.mark.parametrize(
    ("name", "told"),
    [("bccd", ["map50 0.900 (0.800 to 0.950)"]),
     ("image_kind", ["accuracy 0.900 (0.800 to 0.950)"]),
     ("hippocampus", ["dice_anterior 0.900 (0.800 to 0.950)", "dice_posterior 0.900 (0.800 to 0.950)"])],
)  # fmt: skip
def test_what_has_no_auc_is_listed_by_its_own_figures(tmp_path: Path, name: str, told: list[str]) -> None:
    place, out = tmp_path / name, tmp_path / "again"
    shutil.copytree(MODELS / name, place)
    record = json.loads((place / "model.json").read_text())
    record["card"]["training"]["seed"] = 9
    record["parent"] = ""  # a training from nothing, not another version of the one that ships
    record["evidence"]["metrics"] |= {
        line.split()[0]: {"value": 0.9, "low": 0.8, "high": 0.95, "n": 1} for line in told
    }
    out.mkdir()
    (out / "model.json").write_text(json.dumps(record))
    result = CliRunner().invoke(app, ["seeds", str(place), str(out)])
    assert result.exit_code == 0 and "seed 9: " + "; ".join(told) in result.output, result.output
    page = (place / "card.md").read_text()
    for line in told:
        heading = line.split()[0].replace("_", " ")
        assert f"| {heading}, trained again with --seed 9 | 0.900 | 0.800 to 0.950 |  |" in page
