"""The commands on examples, likeness and federation refuse with a sentence and exit code 2."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from isocenter.cli import app
from isocenter.errors import IsocenterError

RUN = CliRunner()


@pytest.mark.parametrize(
    "words",
    [
        ["examples", "take", "chest_xray_opacity", "--out", "{}/set", "--folder", "{}/archive"],
        ["examples", "doubt", "{}", "--model", "breastmnist"],
        ["similar", "find", "{}", "{}/none.npz", "--model", "breastmnist"],
        ["federate", "coordinate", "pneumoniamnist", "--identity", "{}", "--out", "{}/run"],
        ["federate", "join", "https://127.0.0.1:1", "--data", "{}", "--identity", "{}", "--out", "{}/run"],
        ["pretrain", "hippocampus", "--data", "{}", "--out", "{}/body"],
    ],
)
def test_what_is_not_there_is_refused(words: list[str], tmp_path: Path) -> None:
    found = RUN.invoke(app, [w.format(tmp_path) for w in words])
    assert isinstance(found.exception, IsocenterError), found.output


def test_papers_are_made_once(tmp_path: Path) -> None:
    assert RUN.invoke(app, ["federate", "authority", str(tmp_path / "ca")]).exit_code == 0
    words = ["federate", "identity", "st-anna", "--authority", str(tmp_path / "ca"), "--out", str(tmp_path / "a")]
    told = json.loads(RUN.invoke(app, [*words, "--json"]).stdout)
    assert (told["name"], told["coordinator"], told["days"]) == ("st-anna", False, 90)
    assert {p.name for p in (tmp_path / "a").iterdir()} == {"key.pem", "certificate.pem", "authority.pem"}
    assert isinstance(RUN.invoke(app, words).exception, IsocenterError)
