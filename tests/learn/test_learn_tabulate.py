"""Tables: read with their gaps, measured by rows that no choice had seen, exported as they were fitted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'ml' is not installed")
pytest.importorskip("sklearn", reason="the extra 'ml' is not installed")

from isocenter.errors import Refused  # noqa: E402
from isocenter.learn import recipes  # noqa: E402
from isocenter.learn.judge import judge, judged, opened  # noqa: E402
from isocenter.learn.kinds import Column, Table  # noqa: E402
from isocenter.learn.rows import read_rows  # noqa: E402
from isocenter.learn.tabulate import Trees, _fit, _parts, _targets, _unknown_in  # noqa: E402
from isocenter.learn.tested import picked, read  # noqa: E402
from isocenter.learn.train import train  # noqa: E402

RISK = Table(
    task="risk", classes=("well", "ill"), label=("outcome", "num"), labels=(0, 1, 2), strengths=(0.1, 1.0),
    trees=(0, 8),
    columns=(
        Column("age", "number", ("years",), low=20, high=90, knots=(50,), unit="a"),
        Column("sex", "code", values=(0, 1), unit="female | male"),
        Column("grade", "grade", values=(1, 2, 3)),
    ),
    outer=3, inner=2, repeats=1, subgroups=("sex", "age"), goal={"auc": 0.8},
    card={"title": "T", "intended_use": "a test", "not_for": ["x"], "limits": ["y"], "source": "z", "licence": "none"},
)  # fmt: skip


def table(n: int, seed: int) -> list[tuple[object, ...]]:
    rng = np.random.default_rng(seed)
    age, sex, grade = rng.integers(25, 85, n), rng.integers(0, 2, n), rng.integers(1, 4, n)
    risk = 1 / (1 + np.exp(-(0.12 * (age - 55) + 1.2 * sex + 1.3 * (grade - 2))))
    ill = rng.random(n) < risk
    return [(a if i % 9 else "?", s, g, int(y) * (1 + i % 2)) for i, (a, s, g, y) in enumerate(zip(age, sex, grade, ill, strict=True))]  # noqa: E501  # fmt: skip


def text(rows: list[tuple[object, ...]], header: str = "", mark: str = ",") -> str:
    return "\n".join(([header] if header else []) + [mark.join(map(str, r)) for r in rows]) + "\n"


@pytest.fixture(autouse=True)
def _known() -> Iterator[None]:
    recipes.RECIPES["risk"] = RISK
    yield
    recipes.RECIPES.pop("risk")


def test_the_whole_way(tmp_path: Path) -> None:
    (tmp_path / "rows.data").write_text(text(table(240, 0)))
    model = train("risk", tmp_path / "rows.data", tmp_path / "risk")
    assert model.evidence["parity"] < 1e-5 and model.evidence["n"] == 240
    held = table(120, 1)
    turned = [(y, g, "-", s, a) for a, s, g, y in held]
    (tmp_path / "held.csv").write_text(text(turned, "Outcome;Grade;Note;Sex;Years", ";"))
    found = judged(tmp_path / "risk", tmp_path / "held.csv")
    assert found.report["metrics"]["auc"]["value"] > 0.8 and found.report["calibration"]["ece"] < 0.15
    assert {(g["by"], g["name"]) for g in found.report["subgroups"]} >= {("sex", "male"), ("age", "unknown")}
    assert any("insufficient" in g for g in found.report["subgroups"]) or all(
        g["events"] >= 10 for g in found.report["subgroups"]
    )
    again = train("risk", tmp_path / "rows.data", tmp_path / "again")
    assert again.digest == model.digest, "bit for bit"
    assert again.evidence["cases"] == model.evidence["cases"], "and the cases behind its figures"
    lines = read(tmp_path / "risk", model)
    for group in (g for g in model.evidence["subgroups"] if g["by"] == "sex" and g["n"] >= 10):
        assert len(picked(lines, by="sex", group=group["name"])) == group["n"]
        assert len(picked(lines, "ill", by="sex", group=group["name"])) == group["events"]
    for k, one in enumerate(model.evidence["calibration"]["bins"]):
        assert len(picked(lines, bin=k)) == one["n"], "each bin opens as many cases as it counts"


def test_grades_of_a_disease_teach_beside_its_presence(tmp_path: Path) -> None:
    from sklearn.linear_model import LogisticRegression

    from isocenter.learn.tabulate import Encoding

    rows, how = table(240, 0), replace(RISK, graded=(1.0,), strengths=(0.1,), trees=(0,), goal={})
    recipes.RECIPES["risk"] = how
    (tmp_path / "rows.data").write_text(text(rows))
    model = train("risk", tmp_path / "rows.data", tmp_path / "out")
    read = read_rows(tmp_path / "rows.data", how)
    x = torch.tensor(read.values, dtype=torch.float32)
    encoded = Encoding(how.columns, read.values)(x).numpy()
    lines = [LogisticRegression(C=0.1, max_iter=2000, tol=1e-8).fit(encoded, read.grades > k) for k in (0, 1)]
    said = opened(tmp_path / "out", None)[1].run(["logits"], {"image": x.numpy()})[0]
    theirs = np.mean([line.decision_function(encoded) for line in lines], 0)
    assert np.abs(said[:, 1] * 2 - theirs).max() < 1e-4 and "mean of 2" in model.card["training"]["lines"]
    assert judge(tmp_path / "out", tmp_path / "rows.data")["learnt_from"] == 240
    (tmp_path / "flat.data").write_text(text([(*row[:3], min(int(str(row[3])), 1)) for row in rows]))
    flat = read_rows(tmp_path / "flat.data", how)
    assert flat.digest != read.digest and flat.digest == read_rows(tmp_path / "rows.data", RISK).digest
    alone = train("risk", tmp_path / "flat.data", tmp_path / "flat")
    assert "lines" not in alone.card["training"], "nobody is above the grade, so that only presence is learnt"


def test_trees_as_products_answer_as_the_trees_do() -> None:
    from sklearn.ensemble import GradientBoostingClassifier

    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 4)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] + x[:, 2] > 0).astype(int)
    fitted = GradientBoostingClassifier(n_estimators=12, max_depth=3, random_state=0).fit(x, y)
    mine = Trees(fitted, 12)(torch.from_numpy(x)).numpy()
    assert np.abs(mine - fitted.decision_function(x)).max() < 1e-5
    edge = x[np.abs(x[:, :1] - fitted.estimators_[0, 0].tree_.threshold[0]).argmin()][None].copy()
    edge[0, fitted.estimators_[0, 0].tree_.feature[0]] = fitted.estimators_[0, 0].tree_.threshold[0]
    assert np.abs(Trees(fitted, 12)(torch.from_numpy(edge)).numpy() - fitted.decision_function(edge)).max() < 1e-5


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("age,sex,grade\n50,1,2\n", "no outcome"),
        ("age,grade,num\n50,1,2\n", "no column 'sex'"),
        ("50,1,2\n", "3 columns and no header"),
        ("50,1,2,7\n", "label '7'"),
        ("50,1,2,?\n", r"no row of t.csv has a label: .* leave the row out"),
        ("50,1,2,\n50,1,2,1\n", "row 1 of t.csv has no label"),
        ("50,1,2,1\n50,1,2,NA\n50,1,2,?\n", "row 2 of t.csv and 1 more have no label"),
        ("50,1,2,7\n", r"label '7' in row 1.* Write one of these"),
        ("50,x,2,1\n", "no column 'age'"),
        ("age,sex,grade,num\n50,x,2,1\n", "sex is 'x' in row 1.*one of 0 female, 1 male. Write these"),
        ("50,1,inf,1\n", "not finite"),
        ("50,1,2,1\n50,1,2\n", "3 cells"),
        ("50,2,2,1\n", "sex is 2 in row 1.*its codes are 0, 1"),
        ("", "is empty"),
        ("age,sex,grade,Age,num\n50,1,2,7,1\n", "the column 'age' stands 2 times"),
        ("Age (months),sex,grade,num\n50,1,2,1\n", r"'Age \(months\)' in t.csv: 'age' is in a here"),
        ("age (log),sex,grade,num\n50,1,2,1\n", r"'age \(log\)' in t.csv"),
        ("age,sex,grade,num,Outcome\n50,1,2,1,1\n51,1,2,1,0\n", "'Outcome' and 'num'.*1 of 2 rows differ"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path: Path, said: str, why: str) -> None:
    (tmp_path / "t.csv").write_text(said)
    with pytest.raises(Refused, match=why):
        read_rows(tmp_path / "t.csv", RISK)


def test_a_column_may_say_its_unit_in_brackets(tmp_path: Path) -> None:
    for head in ("Age (years)", "AGE [a]", "years (a)"):
        (tmp_path / "t.csv").write_text(f"{head},sex,grade,num\n50,1,2,1\n51,0,2,0\n")
        assert read_rows(tmp_path / "t.csv", RISK).values[:, 0].tolist() == [50, 51], head


def test_words_for_labels_gaps_and_one_class(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("age sex grade num\n50 1 NA ill\n? 0 2 well\n")
    rows = read_rows(tmp_path, RISK)
    assert rows.labels.tolist() == [1, 0] and np.isnan(rows.values).sum() == 2
    (tmp_path / "t.csv").write_text("num;age;grade;sex\n1;50,5;2,0;1\n0;?;2,0;0\n")
    commas = read_rows(tmp_path, RISK)
    assert commas.values[0].tolist() == [50.5, 1, 2] and commas.labels.tolist() == [1, 0]
    (tmp_path / "t.csv").write_text('num,age,grade,sex\n1,"50,125","2,0",1\n0,"49,250",2,0\n')  # Google's, in German
    assert read_rows(tmp_path, RISK).values[:, 0].tolist() == [50.125, 49.25]
    (tmp_path / "t.csv").write_text('num,age,grade,sex\n1,"50,125",2,1\n0,?,2,0\n')  # 50125, or 50.125?
    with pytest.raises(Refused, match="age is '50,125'"):
        read_rows(tmp_path, RISK)
    (tmp_path / "t.csv").write_text(text([(50, 1, 2, 1)] * 40))
    with pytest.raises(Refused, match="rows of one class"):
        train("risk", tmp_path / "t.csv", tmp_path / "out")


def test_bars_may_separate_a_table(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("num|age|grade|sex\n1|50,5|2|1\n0|?|2|0\n")
    rows = read_rows(tmp_path / "t.csv", RISK)
    assert rows.values[0].tolist() == [50.5, 1, 2] and rows.labels.tolist() == [1, 0]


def test_of_an_empty_column_nothing_is_learnt(tmp_path: Path) -> None:
    rows = [(*row[:2], "", row[3]) for row in table(240, 4)]
    (tmp_path / "t.csv").write_text(text(rows, "age,sex,grade,num"))
    with pytest.raises(Refused, match="'grade' is empty in all 240 rows: nothing is learnt of it"):
        train("risk", tmp_path / "t.csv", tmp_path / "out")


def test_an_empty_column_and_answers_against_the_labels_are_said(tmp_path: Path) -> None:
    rows = [(4, 35 + k, 1, 1, "", 0) if k % 2 else (5, 70 + k % 9, 4, 5, "", 1) for k in range(40)]
    head = "BI-RADS,Age,Shape,Margin,Density,Severity"
    (tmp_path / "t.csv").write_text(text(rows, head))
    (said,) = judged("mammographic_mass", tmp_path / "t.csv").report["remarks"]
    assert said.startswith("'Density' is empty in 40 of 40 rows")
    (tmp_path / "t.csv").write_text(text([(*row[:4], 3, 1 - row[5]) for row in rows], head))
    (said,) = judged("mammographic_mass", tmp_path / "t.csv").report["remarks"]
    assert said.startswith("AUC 0.") and "the answers run against the labels" in said
    (tmp_path / "t.csv").write_text(text([(*row[:4], 3, row[5]) for row in rows], head))
    assert "remarks" not in judged("mammographic_mass", tmp_path / "t.csv").report


def test_a_second_outcome_that_agrees_or_tells_something_else_is_passed_over(tmp_path: Path) -> None:
    for second in ("0", "seen twice"):
        (tmp_path / "t.csv").write_text(f"age,sex,grade,outcome,num\n50,1,2,0,{second}\n")
        assert read_rows(tmp_path / "t.csv", RISK).labels.tolist() == [0]


def test_true_and_false_and_the_names_of_codes_are_read(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("age,sex,grade,num\n50,Male,2,TRUE\n51,female,2,False\n52,true,1,yes\n53,No,1,no\n")
    rows = read_rows(tmp_path / "t.csv", RISK)
    assert rows.values[:, 1].tolist() == [1, 0, 1, 0] and rows.labels.tolist() == [1, 0, 1, 0]
    (tmp_path / "t.csv").write_text("age,sex,grade,num\n50,1,true,1\n")
    with pytest.raises(Refused, match="grade is 'true' in row 1"):
        read_rows(tmp_path / "t.csv", RISK)


def test_nobody_is_on_both_sides_of_a_fold(tmp_path: Path) -> None:
    rows = [(f"p{i // 3}", *row) for i, row in enumerate(table(240, 4))]
    rows[5] = ("", *rows[5][1:])
    (tmp_path / "rows.csv").write_text(text(rows, "Patient ID,age,sex,grade,outcome"))
    read_ = read_rows(tmp_path / "rows.csv", RISK)
    assert len(np.unique(read_.people)) == 81, "who is not named is somebody of their own"
    for learn, held in _parts(read_.labels, read_.people, 3, 0):
        assert not set(read_.people[learn]) & set(read_.people[held]) and len(learn) + len(held) == 240
    model = train("risk", tmp_path / "rows.csv", tmp_path / "risk")
    assert model.card["training"]["people"] == 81
    few = [("one" if row[-1] else f"p{i}", *row[1:]) for i, row in enumerate(rows)]
    (tmp_path / "few.csv").write_text(text(few, "Patient ID,age,sex,grade,outcome"))
    with pytest.raises(Refused, match="1 people's rows of one class: 3 folds need 6 of each"):
        train("risk", tmp_path / "few.csv", tmp_path / "few")


@pytest.mark.parametrize(
    ("ill", "well"), [("present", "Absent"), ("Positive", "negative"), ("Y", "N"), ("I", "W"), ("ILL", "healthy")]
)
@pytest.mark.parametrize("outcome", ["Diagnosis", "num", "y", "ill", "Outcome"])
def test_outcomes_are_read_in_the_words_of_the_clinic(tmp_path: Path, ill: str, well: str, outcome: str) -> None:
    (tmp_path / "t.csv").write_text(f"sep=;\nage;sex;grade;{outcome}\n50;F;2;{ill}\n51;M;2;{well}\n52;male;1;{well}\n")
    rows = read_rows(tmp_path / "t.csv", RISK)
    assert rows.labels.tolist() == [1, 0, 0] and rows.values[:, 1].tolist() == [0, 1, 1]
    assert rows.values[:, 0].tolist() == [50, 51, 52] and not rows.unknown


def test_a_word_that_may_be_two_classes_or_codes_is_refused(tmp_path: Path) -> None:
    for said, why in (("age,sex,grade,num\n50,m,2,maybe\n", "label 'maybe'"), ("age,sex,grade,num\n50,e,2,1\n", "'e'")):
        (tmp_path / "t.csv").write_text(said)
        with pytest.raises(Refused, match=why):
            read_rows(tmp_path / "t.csv", RISK)


def test_minus_nine_is_not_known_where_no_such_value_can_be(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("age,sex,grade,num\n-9,1,Grade 2,1\n50,-9.0,-99,0\n51,0,#N/A,0\n")
    rows = read_rows(tmp_path / "t.csv", RISK)
    assert np.isnan(rows.values).tolist() == [[True, False, False], [False, True, True], [False, False, True]]
    assert rows.unknown == {"age": 1, "sex": 1, "grade": 1} and rows.values[0, 2] == 2
    gaps = [(-9 if k % 40 == 0 else row[0], *row[1:]) for k, row in enumerate(table(120, 0))]
    (tmp_path / "train.csv").write_text(text(gaps, "age,sex,grade,num"))
    told = list[str]()
    train("risk", tmp_path / "train.csv", tmp_path / "out", progress=told.append)
    assert any("read as not known in 3 of 'age'" in line for line in told)
    assert _unknown_in(rows.unknown) == [
        "-9, -99 or -999 was read as not known in 1 of 'age', 1 of 'sex', 1 of 'grade': no such value can be there"
    ]
    (tmp_path / "t.csv").write_text("age,sex,grade,num\n50,-1,2,1\n")
    with pytest.raises(Refused, match="sex is -1 in row 1"):
        read_rows(tmp_path / "t.csv", RISK)


@pytest.mark.parametrize("booster", ["scikit-learn", "lightgbm"])
def test_rows_count_what_the_examples_beside_them_say(tmp_path: Path, booster: str) -> None:
    """A third of the rows says the contrary: of less weight than the others they turn less round."""
    pytest.importorskip("lightgbm")
    how = replace(RISK, booster=booster, trees=(0, 20))
    rows = [*table(240, 0), *((a, s, g, 0 if y else 1) for a, s, g, y in table(120, 5))]
    (tmp_path / "rows.csv").write_text(text(rows, "age,sex,grade,outcome"))
    truth = read_rows(tmp_path / "rows.csv", how)
    ill = np.where(np.arange(360) < 240, truth.labels, 1 - truth.labels)
    sure = []
    for weight in (1.0, 0.05):
        lines = [f"row {k + 1},{1.0 if k < 240 else weight}" for k in range(360)]
        (tmp_path / "examples.csv").write_text("file,weight\n" + "\n".join(lines) + "\n")
        read = read_rows(tmp_path, how)
        assert read.weights is not None and read.digest != truth.digest, "what rows count is part of what was learnt"
        logits = _fit(read.values, _targets(read, how), read.weights, how, 0).logits(read.values, how)
        sure.append(np.where(ill == 1, logits, -logits).mean(2))  # of each penalty, without and with trees
    assert (sure[1] > 1.5 * sure[0]).all() and (sure[0] > 0).all(), sure
    recipes.RECIPES["risk"] = how
    assert train("risk", tmp_path, tmp_path / "out").evidence["n"] == 360
    (tmp_path / "examples.csv").write_text("file,weight\nrow 1,7\n")
    with pytest.raises(Refused, match="between 0 and 1"):
        read_rows(tmp_path, how)
