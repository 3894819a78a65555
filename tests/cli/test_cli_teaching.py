"""The commands on examples, likeness and federation refuse with a sentence and exit code 2."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from isocenter.analysis.weights import models
from isocenter.cli import app
from isocenter.cli.learning import _placed
from isocenter.errors import Conflict, IsocenterError, Refused
from isocenter.learn.card import plain_page
from isocenter.record import to_plain

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


# What is started in the background of a shell, as tests may be, ignores Ctrl-C, and so do its children.
_AT_A_TERMINAL = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("isocenter", run_name="__main__")
"""


def test_a_coordinator_makes_nothing_where_its_archive_is_not_and_ends_in_words_when_it_is_stopped(
    tmp_path: Path,
) -> None:
    for words in (["authority", "{}/ca"], ["identity", "c", "--authority", "{}/ca", "--host", "127.0.0.1"]):
        more = ["--out", str(tmp_path / "c")] if words[0] == "identity" else []
        assert RUN.invoke(app, ["federate", *(w.format(tmp_path) for w in words), *more]).exit_code == 0
    words = ["federate", "coordinate", "pneumoniamnist", "--port", "0"]
    words += ["--identity", str(tmp_path / "c"), "--out", str(tmp_path / "run")]
    found = RUN.invoke(app, [*words, "--archive", str(tmp_path / "none")])
    assert isinstance(found.exception, IsocenterError) and "isocenter receive PATH" in str(found.exception)
    found = RUN.invoke(app, [*words, "--carried", "2"])
    assert isinstance(found.exception, IsocenterError) and "a part below 1" in str(found.exception)
    assert not (tmp_path / "run").exists()
    with subprocess.Popen(
        [sys.executable, "-c", _AT_A_TERMINAL, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as coordinator:
        try:
            assert coordinator.stdout is not None and "listens at" in coordinator.stdout.readline()
            coordinator.send_signal(signal.SIGINT)
            _, told = coordinator.communicate(timeout=20)
        finally:
            coordinator.kill()
    assert coordinator.returncode == 130
    assert told.startswith("stopped after 0 of 20 rounds") and "goes on" in told and "Traceback" not in told


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


def test_a_training_goes_on_from_a_model_by_its_name_or_from_a_folder(tmp_path: Path) -> None:
    assert _placed(Path("breastmnist")) == models()["breastmnist"][1].parent
    assert _placed(tmp_path) == tmp_path and _placed(None) is None
    assert _placed(Path("no such model")) == Path("no such model"), "whoever reads it refuses it"


def test_a_model_that_is_trained_again_is_the_next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped, weights = models()["cleveland_heart"]

    def fit(task: str, data: Path, out: Path, **_: Any) -> Any:  # as a training leaves it, with weights of the data
        shutil.copytree(weights.parent, out, dirs_exist_ok=True)
        made = replace(shipped, version="1", digest=hashlib.sha256(data.read_bytes()).hexdigest())
        (out / "model.json").write_text(json.dumps(to_plain(made)))
        (out / "card.md").write_text(plain_page(made))
        return made

    monkeypatch.setattr("isocenter.learn.train.train", fit)
    for name in "ab":
        (tmp_path / f"{name}.csv").write_text(name)

    def trained(data: str, out: str) -> Any:
        said = ["train", "cleveland_heart", "--data", str(tmp_path / f"{data}.csv"), "--out", str(tmp_path / out)]
        done = RUN.invoke(app, [*said, "--json", "--replace"])
        assert done.exit_code == 0, done.exception
        return json.loads(done.stdout)

    first = trained("a", "shelf/lung")
    assert first["version"] == str(int(shipped.version) + 1) and first["digest"] != shipped.digest
    record = json.loads((tmp_path / "shelf/lung/model.json").read_text())
    page = (tmp_path / "shelf/lung/card.md").read_text()
    assert record["version"] == first["version"] and f"version {first['version']}, SHA-256" in page
    assert trained("a", "again")["version"] == first["version"], "nobody has heard of the other folder"
    monkeypatch.setenv("ISOCENTER_MODELS", str(tmp_path / "shelf"))
    assert trained("b", "next")["version"] == str(int(shipped.version) + 2)
    assert trained("a", "next")["version"] == first["version"], "the same weights are the same version"
    assert trained("b", "shelf/lung")["version"] == str(int(shipped.version) + 2), "what lay there was one version less"


def test_no_model_is_lost_to_a_training_unless_it_was_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped, weights = models()["cleveland_heart"]
    begun: list[Path] = []

    def fit(task: str, data: Path, out: Path, **_: Any) -> Any:
        begun.append(out)
        return shipped

    monkeypatch.setattr("isocenter.learn.train.train", fit)
    out = tmp_path / "mine"
    shutil.copytree(weights.parent, out)
    (tmp_path / "a.csv").write_text("a")
    said = ["train", "cleveland_heart", "--data", str(tmp_path / "a.csv"), "--out", str(out)]
    refused = RUN.invoke(app, said).exception
    assert isinstance(refused, Conflict) and "--replace" in refused.do and not begun
    assert f"cleveland_heart {shipped.version} in {out}" in str(refused)
    assert RUN.invoke(app, [*said, "--replace"]).exit_code == 0
    (out / "member0.checkpoint").write_bytes(b"kept")
    assert RUN.invoke(app, said).exit_code == 0, "a run that was ended goes on where it was"
    assert begun == [out, out]


@pytest.mark.parametrize(("kept", "words"), [(True, "goes on from what it kept in"), (False, "begins anew in")])
def test_a_training_that_is_stopped_says_what_the_same_command_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: bool, words: str
) -> None:
    out = tmp_path / "model"

    def stopped(*_: object, **__: object) -> None:
        out.mkdir(exist_ok=True)
        if kept:
            (out / "member0.checkpoint").write_bytes(b"kept")
        raise KeyboardInterrupt

    monkeypatch.setattr("isocenter.learn.train.train", stopped)
    (tmp_path / "films").mkdir()
    done = RUN.invoke(app, ["train", "breastmnist", "--data", str(tmp_path / "films"), "--out", str(out)])
    assert done.exit_code != 0 and f"stopped: the same command {words} {out}" in done.stderr
