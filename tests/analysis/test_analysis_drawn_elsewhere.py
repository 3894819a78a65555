"""Outlines under another Study Instance UID are taken to the images that they name, and the answer tells of it."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pydicom
from typer.testing import CliRunner

from isocenter.analysis.drawn_elsewhere import told_of_outlines, with_outlines
from isocenter.cli import app
from isocenter.record import Patient, Series, Study
from isocenter.testing.phantoms import pet_ct

JANE = Patient("7", "Doe^Jane", date(1970, 1, 1), "F")
CT = Study("1.1", JANE, series=(Series("1.1.1", "CT", 2),))
DRAWN = Series("2.1.1", "RTSTRUCT", 9, facts={"ReferencedSeriesUIDs": ["1.1.1"]})


def test_outlines_come_only_from_the_same_person_and_only_to_their_images() -> None:
    other = Study("2.1", JANE, series=(DRAWN,))
    joined = with_outlines(CT, [CT, other])
    assert [s.uid for s in joined.series] == ["1.1.1", "2.1.1"]
    (word,) = told_of_outlines([joined], ["1.1.1", "2.1.1"])
    assert word.startswith("the outlines of series 9 stand in another study (2.1) of this patient")
    assert told_of_outlines([joined], ["1.1.1"]) == () and told_of_outlines([CT], ["1.1.1"]) == ()
    for patient in (
        replace(JANE, id="8"), replace(JANE, sex="M"), replace(JANE, birth_date=date(1971, 1, 1)),
        replace(JANE, issuer="elsewhere"),
    ):  # fmt: skip
        assert with_outlines(CT, [replace(other, patient=patient)]) == CT
    nobody = replace(CT, patient=Patient(""))
    assert with_outlines(nobody, [replace(other, patient=Patient(""))]) == nobody
    both = replace(other, series=(replace(DRAWN, facts={"ReferencedSeriesUIDs": ["1.1.1", "2.1.5"]}),
                                  Series("2.1.5", "CT")))  # fmt: skip
    assert with_outlines(CT, [both]) == CT, "what names images of its own study stays"
    image = replace(other, series=(replace(DRAWN, modality="MR"),))
    assert with_outlines(CT, [image]) == CT


def test_a_structure_set_of_a_study_of_its_own_is_measured_as_before(tmp_path: Path) -> None:
    answers = []
    for folder, elsewhere in (("one", False), ("two", True)):
        (tmp_path / folder).mkdir()
        for number, data in enumerate(pet_ct.patient().files):
            held = pydicom.dcmread(io.BytesIO(data))
            if elsewhere and held.Modality == "RTSTRUCT":
                held.StudyInstanceUID = "2.25.99"
            held.save_as(tmp_path / folder / str(number))
        asked = ["analyse", str(tmp_path / folder), "--only", "body_composition", "--json"]
        rows = json.loads(CliRunner().invoke(app, asked).stdout)
        answers.append(next(row for row in rows if row["answer"] != "declined"))
    assert answers[0]["measurements"] == answers[1]["measurements"]
    assert any("stand in another study (2.25.99)" in reason for reason in answers[1]["reasons"])
    assert not any("stand in another study" in reason for reason in answers[0]["reasons"])
    told = CliRunner().invoke(app, ["why", str(tmp_path / "two")]).stdout
    assert "with" in told and "RTSTRUCT" in told
