"""The command analyse: several names, paths that are not there, and the study that an answer is about."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from isocenter.cli import app
from isocenter.errors import NotFound
from isocenter.testing.phantoms import balls


def test_two_names_give_two_answers_each_of_its_study(tmp_path: Path) -> None:
    made = balls.patient()
    for number, data in enumerate(made.files):
        (tmp_path / f"{number}").write_bytes(data)
    told = CliRunner().invoke(app, ["analyse", str(tmp_path), "--only", "pet_uptake", "--only", "volumetry", "--json"])
    rows = json.loads(told.stdout)
    assert [(r["analysis"], r["answer"]) for r in rows] == [("pet_uptake", "declined"), ("volumetry", "declined")]
    assert {r["study_uid"] for r in rows} == {made.truth["study_uid"]}
    told = CliRunner().invoke(app, ["analyse", str(tmp_path), "--only", "volumetry,pet_uptake,volumetry", "--json"])
    assert [r["analysis"] for r in json.loads(told.stdout)] == ["volumetry", "pet_uptake"]


def test_a_path_that_is_not_there_is_not_taken_for_a_study() -> None:
    for command in ("analyse", "why"):
        with pytest.raises(NotFound, match="no such file or folder"):
            CliRunner().invoke(app, [command, "no such folder"], catch_exceptions=False)
