"""A cohort by command, as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file
from typer.testing import CliRunner

from isocenter.app import open_house
from isocenter.cli import app
from isocenter.errors import NotFound, Refused
from isocenter.govern.policy import HOUSE
from isocenter.settings import Settings


def asked(*words: str) -> dict:  # type: ignore[type-arg]
    done = CliRunner().invoke(app, [*words, "--json"])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def test_one_command_from_a_question_to_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOCENTER_FOLDER", str(tmp_path / "archive"))
    house = open_house(Settings(folder=tmp_path / "archive"), make=True)
    list(house.site.receive([Path(str(get_testdata_file("CT_small.dcm"))).read_bytes()], sender="CT1", who=HOUSE))
    study = house.site.studies(who=HOUSE)[0]
    house.close()
    words = ["cohort", "lungs", str(tmp_path / "out"), "--workers", "1"]
    with pytest.raises(NotFound, match="a cohort called 'lungs'"):
        asked(*words)
    with pytest.raises(Refused, match="nothing is known"):
        asked(*words, "--ask", "modality:CT")
    asked("consent", "give", "GRU", "IRB", "--patient", study.patient.id)
    say = ["--say", "ethics=EC-12"]
    with pytest.raises(Refused, match="a group of 1 patient:"):
        asked(*words, *say, "--ask", "modality:CT")
    told = asked(*words, *say, "--reason", "a test")  # the cohort was frozen by the question before
    assert told["written"] == 1 and told["cohort"]["name"] == "lungs" and told["stayed"] == []
    assert "1 group of fewer than 5 patients" in told["warnings"][0], "as `deidentify` warns"
    assert (tmp_path / "out" / "studies.parquet").exists() and (tmp_path / "out" / "report.json").exists()
    withdrawn = asked("consent", "withdraw", "--patient", study.patient.id)
    assert withdrawn["exports"][0]["objects"] == 1 and withdrawn["tables"][0]["rows"] == 1
