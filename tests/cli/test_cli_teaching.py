"""The commands on examples, likeness and federation refuse with a sentence and exit code 2."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from isocenter.cli import app
from isocenter.errors import IsocenterError, Refused

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


def test_nobody_joins_with_images_of_which_nobody_was_asked(tmp_path: Path) -> None:
    for words in (["authority", "{}/ca"], ["identity", "a", "--authority", "{}/ca", "--out", "{}/a"]):
        assert RUN.invoke(app, ["federate", *(w.format(tmp_path) for w in words)]).exit_code == 0
    (tmp_path / "set").mkdir()
    words = ["federate", "join", "https://127.0.0.1:1", "--data", "{}/set", "--identity", "{}/a", "--out", "{}/run"]
    asked = [w.format(tmp_path) for w in words]
    found = RUN.invoke(app, asked)
    assert isinstance(found.exception, Refused) and "nobody was asked" in str(found.exception)
    (tmp_path / "set" / "examples.json").write_text("{}")
    found = RUN.invoke(app, [*asked, "--ground", "EC-12"])
    assert isinstance(found.exception, Refused) and "--archive" in str(found.exception)
