"""Forms of the hearts of Cleveland that number kinds otherwise are read by proof, or refused; never turned round."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from isocenter.errors import Refused
from isocenter.learn.judge import judge
from isocenter.learn.recipes import recipe
from isocenter.learn.rows import read_rows

NAMES = ["age", "sex", "cp", "trestbps", "chol", "fbs", "restecg", "thalach", "exang", "oldpeak", "slope", "ca", "thal"]


@pytest.fixture
def hearts(data: Path) -> list[list[str]]:
    with (data / "uci_cleveland_heart" / "processed.cleveland.303.data").open() as text:
        return [row for row in csv.reader(text) if row]


def written(path: Path, names: list[str], rows: list[list[str]]) -> Path:
    with path.open("w", newline="") as text:
        csv.writer(text).writerows([names, *rows])
    return path


def kaggle(row: list[str], *, ill: int = 0) -> list[str]:
    """As the table with ``target`` has it; by itself 0 is disease there."""
    made = list(row)
    made[2] = {1: "3", 2: "1", 3: "2", 4: "0"}[int(float(row[2]))]
    made[6] = {0: "1", 1: "2", 2: "0"}[int(float(row[6]))]
    made[10] = {1: "2", 2: "1", 3: "0"}[int(float(row[10]))]
    made[11] = "4" if row[11] == "?" else row[11]
    made[12] = {"3.0": "2", "6.0": "1", "7.0": "3", "?": "0"}[row[12]]
    return [*made[:13], str(ill if float(row[13]) > 0 else 1 - ill)]


def upload(row: list[str]) -> list[str]:
    """As the table with ``condition`` has it."""
    made = list(row)
    made[2], made[10] = str(int(float(row[2])) - 1), str(int(float(row[10])) - 1)
    made[12] = {"3.0": "0", "6.0": "1", "7.0": "2", "?": ""}[row[12]]
    return [*made[:13], str(int(float(row[13]) > 0))]


def told(path: Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    rows = read_rows(path, recipe("cleveland_heart"))  # type: ignore[arg-type]
    return rows.values, rows.labels, rows.remarks


def test_tables_of_kaggle_hold_what_uci_published_and_that_is_said(hearts: list[list[str]], tmp_path: Path) -> None:
    values, labels, said = told(written(tmp_path / "uci.csv", [*NAMES, "num"], hearts))
    assert not said
    rng = np.random.default_rng(3)
    for name, rows, outcome in (
        ("a", [kaggle(r) for r in hearts], "0 as disease"), ("b", [kaggle(r, ill=1) for r in hearts], "1 as disease"),
        ("c", [upload(r) for r in hearts], "1 as disease"),
    ):  # fmt: skip
        label = "condition" if name == "c" else "target"
        for part in (np.arange(303), rng.permutation(303)[:120]):
            file = written(tmp_path / f"{name}.csv", [*NAMES, label], [rows[k] for k in part])
            found, kinds, remarks = told(file)
            assert np.array_equal(found, values[part], equal_nan=True) and np.array_equal(kinds, labels[part])
            assert len(remarks) == 1 and outcome in remarks[0]
        report = judge("cleveland_heart", file)
        assert report["metrics"]["auc"]["value"] > 0.85 and remarks[0] in report["remarks"]


def test_what_does_not_prove_its_codes_is_refused_with_those_it_holds(hearts: list[list[str]], tmp_path: Path) -> None:
    rng, rows = np.random.default_rng(1), [kaggle(r) for r in hearts]
    few = written(tmp_path / "few.csv", [*NAMES, "target"], rows[:12])
    with pytest.raises(
        Refused, match=r"few.csv holds cp 0 1 2 3; .* 12 rows do not prove .* as UCI does: cp 1 typical"
    ):
        told(few)
    drawn = [[*row[:13], str(rng.integers(2))] for row in rows]
    with pytest.raises(Refused, match="303 rows do not prove which way the outcome runs"):
        told(written(tmp_path / "drawn.csv", [*NAMES, "target"], drawn))
    mixed = [kaggle(r) if k % 2 else upload(r) for k, r in enumerate(hearts)]
    with pytest.raises(Refused, match="303 rows do not prove which"):
        told(written(tmp_path / "mixed.csv", [*NAMES, "target"], mixed))
    odd = [*rows[:-1], [*rows[-1][:2], "9", *rows[-1][3:]]]
    with pytest.raises(Refused, match="cp 0 1 2 3 9"):
        told(written(tmp_path / "odd.csv", [*NAMES, "target"], odd))


def test_codes_in_words_are_read_without_the_columns_that_the_table_lacks(
    hearts: list[list[str]], tmp_path: Path
) -> None:
    names = "Age,Sex,ChestPainType,RestingBP,Cholesterol,FastingBS,RestingECG,MaxHR,ExerciseAngina,Oldpeak,ST_Slope"
    rows = []
    for r in hearts:
        n = [float(x) if x != "?" else 0 for x in r]
        rows.append([r[0], "FM"[int(n[1])], ["", "TA", "ATA", "NAP", "ASY"][int(n[2])], r[3], r[4], str(int(n[5])),
                     ["Normal", "ST", "LVH"][int(n[6])], r[7], "NY"[int(n[8])], r[9],
                     ["", "Up", "Flat", "Down"][int(n[10])], str(int(n[13] > 0))])  # fmt: skip
    rows[0][4] = "0"
    values, labels, _ = told(written(tmp_path / "uci.csv", [*NAMES, "num"], hearts))
    values[:, 11:] = np.nan
    values[0, 4] = np.nan
    file = written(tmp_path / "heart.csv", [*names.split(","), "HeartDisease"], rows)
    found, kinds, said = told(file)
    assert np.array_equal(found, values, equal_nan=True) and np.array_equal(kinds, labels)
    assert "has no ca and no thal" in said[0]
    report = judge("cleveland_heart", file)
    assert report["metrics"]["auc"]["value"] > 0.85
    assert sum("is empty in 303 of 303 rows" in remark for remark in report["remarks"]) == 2
    with pytest.raises(Refused, match="has no column 'maxhr'"):
        told(written(tmp_path / "h.csv", [*names.replace("MaxHR", "Rate").split(","), "HeartDisease"], rows))


LONG = [
    "Age", "Sex", "Chest pain type", "BP", "Cholesterol", "FBS over 120", "EKG results", "Max HR", "Exercise angina",
    "ST depression", "Slope of ST", "Number of vessels fluro", "Thallium", "Heart Disease",
]  # fmt: skip
ATTACK = [
    "age", "sex", "cp", "trtbps", "chol", "fbs", "restecg", "thalachh", "exng", "oldpeak", "slp", "caa", "thall",
    "output",
]  # fmt: skip


def test_columns_with_other_names_are_read_by_their_meaning(hearts: list[list[str]], tmp_path: Path) -> None:
    values, labels, _ = told(written(tmp_path / "uci.csv", [*NAMES, "num"], hearts))
    words = [[*row[:13], "Presence" if float(row[13]) > 0 else "Absence"] for row in hearts]
    found, ill, said = told(written(tmp_path / "long.csv", LONG, words))
    np.testing.assert_array_equal(found, values)
    np.testing.assert_array_equal(ill, labels)
    assert "'BP' as trestbps" in said[0] and "'Heart Disease' as num" in said[0]
    found, ill, said = told(written(tmp_path / "attack.csv", ATTACK, [kaggle(row) for row in hearts]))
    np.testing.assert_array_equal(found, values)
    np.testing.assert_array_equal(ill, labels)
    assert "'slp' as slope" in said[0] and "numbers the kinds from 0 on" in said[1]
    with pytest.raises(Refused, match="no column 'trestbps'"):
        told(written(tmp_path / "twice.csv", [*LONG, "trtbps"], [[*row, row[3]] for row in words]))
