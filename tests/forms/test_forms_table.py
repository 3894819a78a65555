"""Rows keep every number, and no cell becomes a formula."""

import csv
import io
from dataclasses import replace

import pyarrow.parquet
import pytest
from forms_samples import STUDY_UID, WHEN, ball, found

from isocenter.forms import table
from isocenter.record import Measurement, Origin, Outcome, Result, Verdict, codes
from isocenter.space import Geometry


def test_a_row_for_each_measurement(axial: Geometry) -> None:
    result = replace(found(ball(axial), ball(axial, 2.0)), measurements=(Measurement(codes.COUNT, 2, "{counts}"),))
    made = table.rows([result])
    assert [r["measure"] for r in made] == ["Volume", "Volume", "Quantity"]
    assert made[0]["finding_code"] == "52988006" and made[0]["laterality"] == "Left" and made[2]["finding"] is None
    assert all(list(r) == list(table.COLUMNS) for r in made)


def test_an_answer_without_numbers_keeps_its_row(axial: Geometry) -> None:
    declined = Result(STUDY_UID, Outcome.DECLINED, Origin("machine", "x"), WHEN, reasons=("no PET", "no CT"))
    (row,) = table.rows([declined])
    assert row["answer"] == "declined" and row["reasons"] == "no PET; no CT" and row["value"] is None
    bare = found(ball(axial))
    (row,) = table.rows([replace(bare, findings=(replace(bare.findings[0], measurements=()),))])
    assert row["finding"] == "Lesion" and row["value"] is None


def test_what_is_all_struck_answers_none_and_keeps_its_rows(axial: Geometry) -> None:
    both = found(ball(axial), ball(axial, 2.0))
    struck = tuple(replace(f, verdict=Verdict.STRUCK) for f in both.findings)
    for findings, answer in (((struck[0], both.findings[1]), "found"), (struck, "none")):
        made = table.rows([replace(both, origin=Origin("person", "ito"), findings=findings)])
        assert {r["answer"] for r in made} == {answer}
        assert [r["verdict"] for r in made] == [f.verdict.value for f in findings], "learning needs what was struck"


def test_parquet_comes_back_with_fixed_types(axial: Geometry) -> None:
    made = table.rows([found(ball(axial))])
    back = pyarrow.parquet.read_table(io.BytesIO(table.parquet(made)))
    assert back.to_pylist() == made
    assert back.schema == table.arrow([]).schema


@pytest.mark.parametrize("evil", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\r=2"])
def test_no_text_becomes_a_formula(evil: str, axial: Geometry) -> None:
    made = table.rows([found(ball(axial, 4.0, evil))])
    (row,) = csv.DictReader(io.StringIO(table.csv(made).decode(), newline=""))
    assert row["label"] == "'" + evil


def test_numbers_keep_every_digit_and_sign(axial: Geometry) -> None:
    result = replace(found(ball(axial)), measurements=(Measurement(codes.MEAN, -1 / 3, "[hnsf'U]"),))
    rows = list(csv.DictReader(io.StringIO(table.csv(table.rows([result])).decode(), newline="")))
    assert rows[1]["value"] == repr(-1 / 3)
