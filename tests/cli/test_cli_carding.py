"""Whoever has no archive gets the card of a model, too: as JSON, as a page and on paper; of other weights none."""

from __future__ import annotations

import json
import shutil
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from isocenter.analysis.weights import models
from isocenter.cli import app
from isocenter.errors import IsocenterError
from isocenter.govern.card import ASKED


def card(*said: str) -> Any:
    result = CliRunner().invoke(app, ["card", *said, "--json"], catch_exceptions=True)
    if isinstance(result.exception, IsocenterError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ISOCENTER_FOLDER", str(tmp_path / "none"))
    shutil.copytree(models()["cleveland_heart"][1].parent, tmp_path / "mine")
    return tmp_path / "mine"


class Cells(HTMLParser):
    """The text of every cell of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.inside = False

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        assert tag not in ("script", "img", "link"), "the page needs nothing beside it"
        self.inside = tag in ("td", "th")
        if self.inside:
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.cells[-1] += data


def test_a_model_in_a_folder_has_a_card_without_an_archive(folder: Path, tmp_path: Path) -> None:
    told = json.loads((folder / "model.json").read_text())
    told["card"]["funding"] = "<script>alert(1)</script> & nobody"
    (folder / "model.json").write_text(json.dumps(told))
    made = card(str(folder), "--out", str(tmp_path / "card.json"))
    assert json.loads((tmp_path / "card.json").read_text())["model"] == made["model"]
    asked = made["source_attributes"]
    assert made["model"]["state"] == "candidate" and set(asked) == set(ASKED)
    assert asked["7.i"]["says"]["metrics"]["auc"]["low"] > 0.5
    for local in ("8.i", "8.ii", "9.i"):
        assert asked[local]["says"] == "not known: no archive was asked"
    card(str(folder), "--out", str(tmp_path / "card.pdf"))
    assert (tmp_path / "card.pdf").read_bytes().startswith(b"%PDF-")
    card(str(folder), "--out", str(tmp_path / "card.html"))
    cells = Cells()
    cells.feed((tmp_path / "card.html").read_text())
    assert "<script>alert(1)</script> & nobody" in cells.cells
    assert sum(cell.startswith(tuple(f"{k} " for k in ASKED)) for cell in cells.cells) == len(ASKED)


def test_the_recipe_is_a_table_of_its_settings_and_a_size_stands_on_one_line(folder: Path, tmp_path: Path) -> None:
    told = json.loads((folder / "model.json").read_text())
    recipe = json.loads(told["card"]["training"]["recipe"]) | {"shape": [48, 32], "balanced": True, "waves": None}
    told["card"]["training"]["recipe"] = json.dumps(recipe)
    told["inputs"]["shape"] = [48, 32]
    (folder / "model.json").write_text(json.dumps(told))
    card(str(folder), "--out", str(tmp_path / "card.html"))
    cells = Cells()
    cells.feed((tmp_path / "card.html").read_text())
    assert not [cell for cell in cells.cells if '{"' in cell or '["' in cell]
    rows = dict(pairwise(map(str.strip, cells.cells)))
    assert {name.replace("_", " ") for name in recipe} <= set(rows)
    assert (rows["shape"], rows["balanced"], rows["waves"]) == ("48 × 32", "yes", "none")
    assert "shape: 48 × 32" in rows["input data"].split("\n")
    card(str(folder), "--out", str(tmp_path / "card.pdf"))
    assert (tmp_path / "card.pdf").read_bytes().startswith(b"%PDF-")


def test_weights_of_another_card_and_what_is_no_model_have_none(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(IsocenterError, match=r"written as \.pdf, \.html or \.json"):
        card(str(folder), "--out", str(tmp_path / "card.txt"))
    with pytest.raises(IsocenterError, match="archive"):
        card("cleveland_heart")
    weights = folder / "model.onnx"
    kept = weights.read_bytes()
    weights.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    with pytest.raises(IsocenterError, match="not the model whose evidence is shown"):
        card(str(folder))
    weights.write_bytes(b"\x80\x04" + kept)
    with pytest.raises(IsocenterError, match="is a pickle"):
        card(str(weights))
    weights.unlink()
    with pytest.raises(IsocenterError, match=r"no model\.onnx"):
        card(str(folder))
    (tmp_path / "weights.pt").write_bytes(b"PK")
    with pytest.raises(IsocenterError, match="no model: it is not opened"):
        card(str(tmp_path / "weights.pt"))
