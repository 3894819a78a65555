"""Rows of another range, unit or column are declined, rows as those learnt from are not; records agree with files."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from isocenter.analysis.weights import models
from isocenter.errors import Refused
from isocenter.learn.judge import judged, opened
from isocenter.learn.kinds import Column
from isocenter.learn.outside import USUAL, digest_of_usual, must_name
from isocenter.learn.plausible import doubtful, implausible, naming, usual_of
from isocenter.learn.rows import read_rows
from isocenter.learn.strangers import taught_to_decline
from isocenter.learn.tabulate import _asked

COLUMNS = (
    Column("pressure", "number", low=80, high=220, unit="mm[Hg]"), Column("pulse", "number", low=40, high=200),
    Column("sex", "code", values=(0, 1)), Column("grade", "grade", values=(1, 2, 3)),
    Column("depth", "number", low=0, high=6), Column("alarm", "code", values=(0, 1)),
)  # fmt: skip


def people(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    found = np.stack([
        rng.normal(135, 15, n), rng.normal(75, 10, n), rng.random(n) < 0.5, rng.integers(1, 4, n),
        rng.lognormal(0, 0.4, n).clip(0, 6), rng.random(n) < 0.1,
    ], 1)  # fmt: skip
    found[::7, 0] = np.nan
    return found


USUAL_HERE = usual_of(people(400, 0), COLUMNS)


def test_right_rows_are_answered_alone_and_together() -> None:
    right = people(200, 1)
    assert not any(implausible(right, USUAL_HERE))
    assert not any(implausible(row[None], USUAL_HERE)[0] for row in right)
    assert implausible(np.full((2, 6), np.nan), USUAL_HERE) == ["", ""]


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [(0, 17.3, "pressure is 17.3; the model knows 64 to 275 mm[Hg]: another unit"), (1, -1.0, "pulse is -1"),
     (3, 2.5, "grade is 2.5; the model knows 1, 2, 3"), (4, 99.0, "depth is 99")],
)  # fmt: skip
def test_a_value_out_of_range_declines_its_row_alone(column: int, value: float, said: str) -> None:
    rows = people(9, 2)
    rows[4, column] = value
    why = implausible(rows, USUAL_HERE)
    assert why[4].startswith(said) and not any(why[:4] + why[5:])


@pytest.mark.parametrize(("one", "other", "names"), [(0, 1, "pressure and pulse"), (2, 5, "sex and alarm")])
def test_columns_exchanged_are_seen_in_many_rows(one: int, other: int, names: str) -> None:
    rows = people(60, 3)
    rows[:, [one, other]] = rows[:, [other, one]]
    why = set(implausible(rows, USUAL_HERE))
    assert f"{names} look exchanged in this table" in why
    assert "" not in why


def test_a_tenth_is_seen_in_many_rows_and_noughts_say_nothing() -> None:
    rows = people(60, 4)
    rows[:, 4] /= 10
    assert set(implausible(rows, USUAL_HERE)) == {"depth looks ten times too small in this table: another unit?"}
    rows[:, 4] = 0
    assert not any(implausible(rows, USUAL_HERE))
    few = usual_of(np.full((3, 6), np.nan), COLUMNS)
    assert not any(implausible(people(60, 4), few)), "of nothing learnt nothing is told but the range"


def test_no_value_of_a_person_is_kept() -> None:
    rows = people(400, 0)
    rows[0, 0], rows[1, 2] = 219.123, np.nan
    assert "219.1" not in str(usual_of(rows, COLUMNS))


@pytest.mark.parametrize("name", ["cleveland_heart", "mammographic_mass"])
def test_what_ships_declines_a_row_in_another_unit_and_says_why(name: str, tmp_path: Path) -> None:
    held = opened(name, None)[0]
    how, age = _asked(held), "age" if name == "cleveland_heart" else "Age"
    heads = [c.name for c in how.columns]
    often = [one["usual"][0] if "usual" in one else one["values"][np.argmax(one["shares"])] for one in
             held.inputs["usual"]]  # fmt: skip
    rows = [[f"{value:g}" for value in often] for _ in range(8)]
    rows[2][heads.index(age)] = "612"
    text = [",".join([*heads, how.label[0]])] + [",".join([*row, str(k % 2)]) for k, row in enumerate(rows)]
    (tmp_path / "rows.csv").write_text("\n".join(text) + "\n")
    found = judged(name, tmp_path / "rows.csv")
    assert [row["declined"] for row in found.predictions] == [k == 2 for k in range(8)]
    assert found.predictions[2]["because"].startswith(f"{age} is 612") and found.report["border"] == "asked"
    # what is most usual in each column of masses, an irregular one with a sharp margin, is not usual together
    assert {row["because"][:31] for row in found.predictions if not row["declined"]} <= {
        "", "its values seldom go together a"}  # fmt: skip


def test_a_record_that_lets_more_through_than_the_weights_name_is_refused() -> None:
    held, file = models()["cleveland_heart"]
    wider = [dict(one) | ({"high": 1e9} if "high" in one else {}) for one in held.inputs["usual"]]
    named = opened("cleveland_heart", None)[1]
    must_name(named, held.inputs)
    for inputs in (held.inputs | {"usual": wider}, {k: v for k, v in held.inputs.items() if k != "usual"}):
        with pytest.raises(Refused, match="Restore the record"):
            must_name(named, replace(held, inputs=inputs).inputs)
    import onnx

    again = onnx.load_model_from_string(naming(file.read_bytes(), wider))
    told = {one.key: one.value for one in again.metadata_props}
    assert told[USUAL] == digest_of_usual(wider)
    must_name(SimpleNamespace(get_modelmeta=lambda: SimpleNamespace(custom_metadata_map=told)), {"usual": wider})


def test_a_tenth_of_one_row_is_declined_where_it_is_written_finer_and_else_doubted() -> None:
    rows = people(400, 0)
    rows[:, 4] = rows[:, 4].round(1).clip(0.1, 6)
    usual = usual_of(rows, COLUMNS)
    assert [told.get("step") for told in usual] == [0.0, 0.0, None, None, 0.1, None]
    one = np.repeat(rows[1:2], 4, 0)
    one[:, 4] = [0.12, 0.3, 1.0, 1.25]  # a tenth of 1.2 and of 3.0; right ones, the last finer than others
    assert implausible(one[:1], usual) == ["depth is 0.12: ten times as much would be more usual. Another unit?"]
    assert [implausible(row[None], usual)[0] for row in one[1:]] == ["", "", ""]
    words = doubtful(one[1:], usual)
    assert words[0].startswith("depth is 0.3: ten times as much") and "unit" not in words[1] + words[2]


def test_a_column_of_no_grades_declines_the_table_and_a_slip_its_row() -> None:
    rows = people(60, 6)
    rows[5, 3] = 0.7
    assert sum(map(bool, implausible(rows, USUAL_HERE))) == 1
    rows[:, [3, 4]] = rows[:, [4, 3]]
    rows[:20, 3] = 2.0  # which are grades by chance
    why = implausible(rows, USUAL_HERE)
    assert all(why) and "in this table are none of its grades: another column?" in why[0]


def test_values_that_seldom_go_together_are_doubted_not_declined() -> None:
    rng = np.random.default_rng(7)
    rows = people(400, 0)
    rows[:, 1] = 75 + (rows[:, 0] - 135) * 0.6 + rng.normal(0, 2, 400)  # the pulse follows the pressure
    usual = usual_of(rows, COLUMNS)
    odd = rows[1:2].copy()
    odd[0, :2] = 150, 66  # each usual by itself
    assert implausible(odd, usual) == [""] and "seldom go together" in doubtful(odd, usual)[0]
    odd[0, 0] = np.nan
    assert doubtful(odd, usual) == [""]
    assert np.mean([bool(word) for word in doubtful(rows, usual)]) < 0.25
    before = [{k: v for k, v in told.items() if k not in ("step", "together")} for told in usual]
    assert doubtful(rows[1:2], before) == [""], "a record of before knows nothing of it"


def test_scope_teaches_a_table_what_is_usual_and_only_by_its_own_rows(tmp_path: Path) -> None:
    held, place = models()["cleveland_heart"]
    heads = [c.name for c in _asked(held).columns]
    rows = [[f"{one['usual'][0] if 'usual' in one else one['values'][0]:g}" for one in held.inputs["usual"]]] * 3
    (tmp_path / "rows.csv").write_text("\n".join(",".join([*row, "num" if row is heads else "0"])
                                                 for row in [heads, *rows]))  # fmt: skip
    with pytest.raises(Refused, match="has not learnt from them"):
        taught_to_decline("cleveland_heart", tmp_path / "rows.csv", tmp_path / "no")
    with pytest.raises(Refused, match="only what is usual in its columns"):
        taught_to_decline("cleveland_heart", tmp_path / "rows.csv", tmp_path / "no", shown=[tmp_path])
    own = tmp_path / "cleveland_heart"
    shutil.copytree(place.parent, own)
    told = json.loads((own / "model.json").read_text())
    told["examples"] = read_rows(tmp_path / "rows.csv", _asked(held)).digest
    (own / "model.json").write_text(json.dumps(told))
    made = taught_to_decline(own, tmp_path / "rows.csv", tmp_path / "next" / "cleveland_heart")
    assert (made.version, made.parent, made.state) == ("4", held.digest, "candidate")
    assert made.evidence["out_of_scope"]["rows learnt from, for comparison"] == {"n": 3, "declined": 0}
    must_name(opened(tmp_path / "next" / "cleveland_heart", None)[1], made.inputs)
