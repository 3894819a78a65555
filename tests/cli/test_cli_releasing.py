"""A model goes its whole way by the command, and is suspended in one act; what is missing is named at every step."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from isocenter.analysis.weights import models
from isocenter.app import open_house
from isocenter.cli import app
from isocenter.errors import IsocenterError
from isocenter.learn.learnt import keep
from isocenter.record import Event, Kind
from isocenter.settings import Settings

NAME = "cleveland_heart"
CHANGE = {"may_change": ["weights"], "protocol": {"shadow_cases": 0, "looks": 2}, "impact": "none: a demonstration"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng, inputs = np.random.default_rng(0), models()[NAME][0].inputs
    known = [c["values"] or [c["low"], c["high"]] for c in inputs["columns"]]
    rows = [[f"{rng.choice(v):g}" for v in known] + [f"{inputs['labels'][i % 2]:g}"] for i in range(40)]
    (tmp_path / "test.csv").write_text("\n".join(map(",".join, rows)))
    (tmp_path / "groups.csv").write_text("sex\n" + "\n".join("FM"[i // 20] for i in range(40)))
    (tmp_path / "change.json").write_text(json.dumps(CHANGE))
    held = open_house(Settings(folder=tmp_path / "archive"), make=True)
    now = held.site.clock()
    for name, role in (("ito", "admin"), ("lee", "admin"), ("kim", "reader")):
        told = {"role": role, "credential": "none"}
        held.site.journal.append(Event(Kind.PERSON_ADDED, now, "isocenter", name, told))
    held.close()
    return tmp_path


def release(folder: Path, *said: str, name: str = NAME) -> Any:
    asked = ["release", name, "--json", "--folder", str(folder / "archive"), *said]
    result = CliRunner().invoke(app, asked, catch_exceptions=True)
    if isinstance(result.exception, IsocenterError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_whole_way(folder: Path) -> None:
    mine = ("--by", "ito", "--reason", "it is time")
    assert release(folder, "--show")["state"] == "candidate"
    for said, lacks in (
        ((), "takes"), (("--by", "kim", "--reason", "r"), "release"), (("--by", "nobody"), "nobody of that name"),
        ((*mine, "--step", "release"), "possible are"), (mine, "test"),
    ):  # fmt: skip
        with pytest.raises(IsocenterError, match=lacks):
            release(folder, *said)
    sealed = release(folder, *mine, "--change", str(folder / "change.json"), "--seal", str(folder / "test.csv"))
    assert sealed["missing"] == ["it was not measured on the sealed test set"]
    with pytest.raises(IsocenterError, match="another one"):
        release(folder, *mine, "--data", str(folder / "groups.csv"))
    look = ("--data", str(folder / "test.csv"), "--groups", str(folder / "groups.csv"))
    tested = release(folder, *mine, *look)
    assert tested["state"] == "tested" and tested["looks"] == 1 and tested["judged"]["metric"] == "auc"
    assert release(folder, *mine)["state"] == "compared"
    assert release(folder, *mine)["state"] == "shadow"
    assert release(folder, *mine)["released"]
    assert release(folder, *mine, "--step", "suspend")["state"] == "suspended"
    with pytest.raises(IsocenterError, match="two people"):
        release(folder, *mine)
    told = release(folder, "--by", "lee", "--reason", "it was the scanner")
    assert told["state"] == "released" and [s["by"] for s in told["steps"]][-2:] == ["ito", "lee"]


def test_a_sealed_test_of_what_it_learnt_from_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (40, 28, 28), dtype=np.uint8)
    np.savez(folder / "test.npz", test_images=pictures, test_labels=np.arange(40) % 2)
    shutil.copytree(models()["breastmnist"][1].parent, folder / "shelf" / "breastmnist")
    keep(folder / "shelf" / "breastmnist", pictures[:2])
    monkeypatch.setenv("ISOCENTER_MODELS", str(folder / "shelf"))
    mine = ("--by", "ito", "--reason", "it is time")
    change = ("--change", str(folder / "change.json"), "--seal", str(folder / "test.npz"))
    release(folder, *mine, *change, name="breastmnist")
    with pytest.raises(IsocenterError, match="2 of 40 cases of the sealed test: breastmnist has learnt from them"):
        release(folder, *mine, "--data", str(folder / "test.npz"), name="breastmnist")
    shown = release(folder, "--show", name="breastmnist")
    assert shown["state"] != "tested" and shown["looks"] == 0, "nothing was measured, so no look is used up"


def test_a_sealed_test_is_looked_at_by_release_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = ("--by", "ito", "--reason", "it is time", "--change", str(folder / "change.json"))
    release(folder, *mine, "--seal", str(folder / "test.csv"))
    monkeypatch.setenv("ISOCENTER_FOLDER", str(folder / "archive"))
    for said in (["judge", NAME], ["train", NAME], ["recalibrate", NAME, "--out", str(folder / "other")]):
        result = CliRunner().invoke(app, [*said, "--data", str(folder / "test.csv")])
        assert isinstance(result.exception, IsocenterError)
        assert f"they are the sealed test set of {NAME}" in str(result.exception)
    monkeypatch.setenv("ISOCENTER_FOLDER", str(folder / "none"))
    result = CliRunner().invoke(app, ["judge", NAME, "--data", str(folder / "test.csv"), "--json"])
    assert result.exit_code == 0, "who has no archive has sealed nothing"
