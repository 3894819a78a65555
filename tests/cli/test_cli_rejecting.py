"""The commands on what was wrong, as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file
from test_cli_trust import asked
from typer.testing import CliRunner

from isocenter.app import open_house
from isocenter.cli import app
from isocenter.errors import NotFound
from isocenter.govern.policy import HOUSE, Role
from isocenter.settings import Settings

_PASSWORD = "a long sentence to sign in"


def test_from_a_bad_image_to_its_end_and_a_patient_registered_twice(tmp_path: Path) -> None:
    at = ("--folder", str(tmp_path / "archive"))
    for name in ("CT_small.dcm", "MR_small.dcm"):
        asked("receive", str(get_testdata_file(name)), *at)
    rows = {row["ModalitiesInStudy"][0]: row for row in asked("studies", *at)["studies"]}
    ct, mr = rows["CT"], rows["MR"]

    told = asked("reject", ct["StudyInstanceUID"], "--reason", "she moved", *at)
    assert asked("take-back", ct["StudyInstanceUID"], str(told["number"]), "--reason", "good enough", *at)
    told = asked("reject", ct["StudyInstanceUID"], "--code", "113039", "--reason", "ten years", *at)
    assert asked("studies", *at)["total"] == 1
    held = open_house(Settings(folder=tmp_path / "archive"))
    for name in ("anna", "bert"):
        held.site.add_person(name, Role.ADMIN, _PASSWORD, who=HOUSE)
    held.close()
    for name, more in (("anna", ["--reason", "ten years"]), ("bert", [])):
        words = ["purge", ct["StudyInstanceUID"], str(told["number"]), "--name", name, *more, *at, "--json"]
        done = CliRunner().invoke(app, words, input=f"{_PASSWORD}\n")
        assert done.exit_code == 0, done.output
        state = json.loads(done.stdout)["state"]
    assert state == "erased"
    states = [row["state"] for row in asked("rejections", ct["StudyInstanceUID"], *at)["rejections"]]
    assert states == ["erased", "taken back"]
    assert asked("rejections", mr["StudyInstanceUID"], *at)["rejections"] == []
    with pytest.raises(NotFound, match=r"study 1\.2\.3"):
        asked("rejections", "1.2.3", *at)
    assert asked("verify", *at)["broken"] == []

    other = ("--patient", "NEW@HOSPITAL", "--patient-name", "New^One")
    moved = asked("move", mr["StudyInstanceUID"], *other, "--reason", "wrong entry", *at)
    asked("receive", str(get_testdata_file("CT_small.dcm")), *at)
    merged = asked("merge", "NEW@HOSPITAL", ct["PatientID"], "--reason", "registered twice", *at)
    assert merged["studies"] == [mr["StudyInstanceUID"]]
    for change in (merged, moved):
        asked("undo", str(change["number"]), "--reason", "all wrong", *at)
    changes = asked("identities", *at)
    assert all(row["undone"] for row in changes["changes"])
    second = asked("identities", "--limit", "1", "--offset", "1", *at)
    assert second["changes"] == changes["changes"][1:2] and second["total"] == len(changes["changes"])
