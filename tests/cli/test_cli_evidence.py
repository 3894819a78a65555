"""`isocenter cases`: what a model's figures are made of, page by page, and whom it asks for a name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from isocenter.cli import app
from isocenter.errors import Refused
from isocenter.learn.tested import laid
from isocenter.record import Model, to_plain

RISK = Model("risk", "1", "a" * 64, inputs={"threshold": 0.5, "positive": 1, "classes": ["no", "yes"]})


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model in a folder whose training kept 40 cases: half are ill, and every fifth of them was missed."""
    (tmp_path / "set.csv").write_text("age,ill\n1,0\n")
    rows = [
        {"name": f"MEIER {k}", "label": k % 2, "certainty": 0.1 if k % 2 == 0 or k % 10 == 1 else 0.9}
        for k in range(40)
    ]
    told = laid(tmp_path, RISK.inputs, rows, tmp_path / "set.csv", {"sex": ["F", "F", "M", "M"] * 10})
    held = replace(RISK, evidence=told)
    (tmp_path / "model.json").write_text(json.dumps(to_plain(held)))
    return tmp_path


def asked(*words: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["cases", *words, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    said: dict[str, Any] = json.loads(done.output)
    return said


def test_a_figure_is_opened_by_its_name_and_in_pages(model: Path) -> None:
    said = asked(str(model), "--metric", "sensitivity", "--limit", "3")
    assert (said["n"], said["of"], len(said["cases"])) == (20, "ill", 3)
    assert [c["right"] for c in said["cases"]] == [0.0, 0.0, 0.0], "the most wrong first"
    assert len(asked(str(model), "--metric", "sensitivity", "--limit", "30", "--offset", "15")["cases"]) == 5
    assert asked(str(model), "--of", "missed", "--division", "sex", "--group", "F")["n"] == 2
    assert "MEIER" not in str(said) and "case" not in said["cases"][0]
    words = CliRunner().invoke(app, ["cases", str(model), "--of", "missed"]).output
    assert "4 of them are not in this archive" in words and "missed" in words


def test_what_cannot_be_meant_is_refused(model: Path, tmp_path: Path) -> None:
    unknown = CliRunner().invoke(app, ["cases", str(model), "--of", "everything"])
    assert unknown.exit_code == 2 and "false alarms" in unknown.output
    for words, why in (
        (["--of", "missed", "--metric", "auc"], "Give one of them"),
        (["--group", "X", "--division", "sex"], "fewer than 10"),
    ):
        with pytest.raises(Refused, match=why):
            CliRunner().invoke(app, ["cases", str(model), *words], catch_exceptions=False)
    with pytest.raises(Refused, match="Name one: --by"):
        CliRunner().invoke(app, ["cases", "risk", "--on", "sealed"], catch_exceptions=False)
