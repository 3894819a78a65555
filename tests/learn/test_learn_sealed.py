"""Test sets by digest, groups of cases as people hand them over, and what two models are compared by."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from isocenter.cli import app
from isocenter.errors import NotFound, Refused
from isocenter.learn.answers import answers_of
from isocenter.learn.sealed import digest_of_data, measured, of_groups, read_groups
from isocenter.record import Model

TWO = Model("m", "1", "a" * 64, inputs={"threshold": 0.5, "positive": 1, "classes": ["no", "yes"]})


def rows(label: np.ndarray, score: np.ndarray) -> list[dict[str, object]]:
    return [
        {"name": f"{n}", "label": int(y), "certainty no": 1 - s, "certainty yes": float(s)}
        for n, (y, s) in enumerate(zip(label, score, strict=True))
    ]


def test_a_changed_file_is_another_test_set(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_text("1")
    before = digest_of_data(tmp_path / "a")
    assert digest_of_data(tmp_path / "a" / "x") != before
    (tmp_path / "a" / "x").write_text("2")
    assert digest_of_data(tmp_path / "a") != before
    with pytest.raises(NotFound):
        digest_of_data(tmp_path / "b")


def test_groups_are_found_by_name_and_holes_are_named(tmp_path: Path) -> None:
    path = tmp_path / "groups.csv"
    path.write_text("name,sex,age\ndir/a.png,F,40\nb,,51\n")
    told = read_groups(path, ["a.png", "b.nii"])
    assert told["sex"].tolist() == ["F", "unknown"] and told["age"].tolist() == ["40 to 64"] * 2
    path.write_text("sex\nF\nM\n")
    assert read_groups(path, ["a", "b"])["sex"].tolist() == ["F", "M"]
    for text, names in (
        ("sex\nF\n", ["a", "b"]), ("name,sex\na,F\n", ["a", "b"]), ("name,sex\na,F\na,M\n", ["a"]),
        ("name\na\n", ["a"]), ("name,sex\na\n", ["a"]), ("", ["a"]),
    ):  # fmt: skip
        path.write_text(text)
        with pytest.raises(Refused):
            read_groups(path, names)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Refused, match="no text"):
        read_groups(path, ["a"])
    with pytest.raises(NotFound):
        read_groups(tmp_path / "none.csv", [])


def test_the_table_of_the_pictures_themselves_tells_the_groups(tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    path.write_text(
        ";id;filename;label;patient_id;Sex;age;site\n0;7;a.png;1;P1;F;43,5;A\n1;8;b.png;0;P2;f;NA;?\n"
        "2;9;c.png;0;P3;female;90+;A\n"
    )
    told = read_groups(path, ["a", "b", "c"])
    assert set(told) == {"Sex", "age", "site"}, "no groups of patients, labels or rows"
    assert len(set(told["Sex"].tolist())) == 1
    assert told["age"].tolist() == ["40 to 64", "unknown", "80 and above"] and told["site"][1] == "unknown"
    path.write_text("filename,label,patient\na,1,P1\n")
    with pytest.raises(Refused, match="names no group"):
        read_groups(path, ["a"])


def test_a_row_is_of_one_case_and_numbers_are_those_of_an_array(tmp_path: Path) -> None:
    path = tmp_path / "g.csv"
    path.write_text("id,site\n1,B\n0,A\n")
    assert read_groups(path, ["test/00000", "test/00001"])["site"].tolist() == ["A", "B"]
    with pytest.raises(Refused, match=r"one row of g\.csv for several cases, such as 'test/00000' and 'val/00000'"):
        read_groups(path, ["test/00000", "test/00001", "val/00000"])
    path.write_text("image,site\ncase_1,A\ncase_2.nii.gz,B\n")
    assert read_groups(path, ["case_1.nii.gz", "case_2.nii.gz"])["site"].tolist() == ["A", "B"]
    path.write_text("file,site\nwell/1.png,A\nill/1.png,B\n")
    assert read_groups(path, ["ill/1.png", "well/1.png"])["site"].tolist() == ["B", "A"]
    with pytest.raises(Refused, match="does not say to which group"):
        read_groups(path, ["other/1.png"])


def test_a_planted_loss_shows_overall_and_in_its_group() -> None:
    rng = np.random.default_rng(0)
    label, sex = rng.integers(0, 2, 800), rng.choice(["F", "M"], 800)
    old = np.clip(label * 0.5 + rng.normal(0.25, 0.15, 800), 0, 1)
    new = np.where((sex == "F") & (label == 1), np.clip(old - 0.3, 0, 1), old)
    told = measured(
        answers_of(TWO, rows(label, new)), answers_of(TWO, rows(label, old)), {"sex": sex}, least_events=10,
        against="b" * 64,
    )  # fmt: skip
    overall, f, m = told["gaps"]
    assert overall["high"] < 0 and f["group"] == "sex F" and f["high"] < -0.1 and m["value"] == 0
    few = measured(answers_of(TWO, rows(label, new)), answers_of(TWO, rows(label, old)), {"sex": sex}, least_events=900)
    assert all("insufficient" in gap for gap in few["gaps"][1:])
    with pytest.raises(Refused, match="other cases"):
        measured(answers_of(TWO, rows(label, new)), answers_of(TWO, rows(label[:9], old[:9])), {}, least_events=1)


def test_outlines_and_many_classes_are_compared_too() -> None:
    cases = [{"name": f"{n}", "dice a": 0.9, "dice b": np.nan if n else 0.7, "declined": ""} for n in range(12)]
    outlined = answers_of(TWO, [*cases, {"name": "lost", "dice a": "", "dice b": "", "declined": "no outline"}])
    assert outlined.figure == "dice" and len(outlined) == 12 and outlined.right[0] == pytest.approx(0.8)
    told = measured(outlined, outlined, {"site": np.array(["A"] * 11 + ["B"])}, least_events=10)
    assert told["gaps"][0]["value"] == 0 and "insufficient" in told["gaps"][2]
    groups = {"site": np.array(["A"] * 11 + ["B"])}
    alone = measured(outlined, outlined, groups, least_events=0)["gaps"][2]
    assert alone["insufficient"] == "insufficient data: 1 event, 2 are needed", "and the look is not lost by it"
    shown = of_groups(outlined, groups)
    assert [row["n"] for row in shown] == [11, 1] and "insufficient" in shown[1] and shown[0]["metrics"]
    three = Model("m", "1", "a" * 64, inputs={"classes": ["a", "b", "c"]})
    many = answers_of(three, [{"name": "x", "label": 2, "said": 2}, {"name": "y", "label": -1, "said": 0}])
    assert many.names == ("x",) and many.right.tolist() == [1.0]
    with pytest.raises(Refused):
        answers_of(three, [])


def test_judge_tells_groups_gaps_and_probes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (60, 28, 28), dtype=np.uint8)
    np.savez(tmp_path / "t.npz", test_images=images, test_labels=np.arange(60) % 2)
    (tmp_path / "g.csv").write_text("site,age\n" + "\n".join(f"{'AB'[n // 30]},{n + 0.5}" for n in range(60)))
    asked = ["--data", str(tmp_path / "t.npz"), "--groups", str(tmp_path / "g.csv"), "--json"]
    done = CliRunner().invoke(app, ["judge", "pneumoniamnist", *asked])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    rows = {(r["by"], r["name"], r["events"]) for r in told["subgroups"]}
    assert {row for row in rows if row[0] == "site"} == {("site", "A", 15), ("site", "B", 15)}
    assert told["fairness"]["probes"][0]["by"] == "site" and "age" in {p["by"] for p in told["fairness"]["probes"]}
    of_ages = {p["group"] for p in told["conformal"]["promises"] if p["by"] == "age"}
    assert of_ages == {"0 to 17", "18 to 39", "40 to 64"}, "a promise for a band, and none for each age"
    assert 0 < told["fairness"]["probes"][0]["p"] <= 1
