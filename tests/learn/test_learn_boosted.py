"""LightGBM's trees in a model of a table: they answer as it does, on gaps and codes too, bit for bit again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'ml' is not installed")
pytest.importorskip("sklearn", reason="the extra 'ml' is not installed")
try:
    import lightgbm  # noqa: F401
except (ModuleNotFoundError, OSError) as e:  # the second where the machine has no OpenMP
    pytest.skip(f"LightGBM cannot be loaded: {e}", allow_module_level=True)

from isocenter.errors import MissingPart, Refused  # noqa: E402
from isocenter.learn import recipes  # noqa: E402
from isocenter.learn.boosted import Grown, grow, raw, within  # noqa: E402
from isocenter.learn.export import exported  # noqa: E402
from isocenter.learn.judge import judged  # noqa: E402
from isocenter.learn.kinds import Column, Table  # noqa: E402
from isocenter.learn.recipe_files import recipe_in, recipe_text  # noqa: E402
from isocenter.learn.train import train  # noqa: E402

COLUMNS = (
    Column("age", "number", low=-2, high=2), Column("pulse", "number"),
    Column("ward", "code", values=tuple(range(9))), Column("weight", "number"),
)  # fmt: skip
CARD = {"title": "T", "intended_use": "a test", "not_for": ["x"], "limits": ["y"], "source": "z", "licence": "none"}
WARDS = Table(
    "wards", ("well", "ill"), COLUMNS, ("outcome",), strengths=(0.1,), trees=(0, 7, 30), depth=4, outer=2, inner=2,
    repeats=1, card=CARD, booster="lightgbm",
)  # fmt: skip


def rows(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4))
    x[:, 2] = rng.integers(0, 9, n)
    x[rng.random(n) < 0.2, 0] = np.nan
    x[rng.random(n) < 0.1, 2] = np.nan
    ill = np.nan_to_num(x[:, 0], nan=1.0) + 2 * np.isin(x[:, 2], [1, 4, 8]) + x[:, 1] * x[:, 3] > 0.6
    return x, ill.astype(np.int64)


def written(path: Path, x: np.ndarray, ill: np.ndarray) -> Path:
    lines = [",".join(["" if np.isnan(v) else f"{v:g}" for v in row] + [str(y)]) for row, y in zip(x, ill, strict=True)]
    path.write_text("age,pulse,ward,weight,outcome\n" + "\n".join(lines) + "\n")
    return path


@pytest.fixture(autouse=True)
def _known() -> Iterator[None]:
    recipes.RECIPES["wards"] = WARDS
    yield
    recipes.RECIPES.pop("wards")


def _node(feature: int, asked: object, kind: str, left: object, right: object, **more: object) -> dict[str, object]:
    return {"split_feature": feature, "threshold": asked, "decision_type": kind, "default_left": False,
            "missing_type": "None", "left_child": left, "right_child": right, **more}  # fmt: skip


class _Dumped:
    """What LightGBM says of its trees, without LightGBM."""

    def dump_model(self, num_iteration: int) -> dict[str, object]:
        leaf = [{"leaf_value": value} for value in (1.0, 2.0, 4.0)]
        one = _node(2, "1||4", "==", leaf[0], _node(1, 0.5, "<=", leaf[1], leaf[2]))
        gap = _node(0, -1.0, "<=", {"leaf_value": 10.0}, {"leaf_value": 20.0}, missing_type="NaN", default_left=True)
        trees = [one, gap, {"leaf_value": 100.0}]
        return {"tree_info": [{"tree_structure": tree} for tree in trees[:num_iteration]]}


def test_questions_gaps_codes_and_a_tree_of_one_leaf_are_written_as_they_are_meant() -> None:
    gap = np.nan
    x = np.array([[0, 0.5, 4, 0], [0, 0.6, 2, 0], [gap, gap, 1, 0], [-1, gap, gap, 0]], np.float32)
    said = Grown(_Dumped(), 3, COLUMNS)(torch.from_numpy(x)).tolist()
    # A gap in a number without gaps counts as 0, a missing code is none of those asked for, as LightGBM has it.
    assert said == [1 + 20 + 100, 4 + 20 + 100, 1 + 10 + 100, 2 + 10 + 100]
    assert Grown(_Dumped(), 1, COLUMNS)(torch.from_numpy(x)).tolist() == [1, 4, 1, 2]


def test_its_trees_answer_as_lightgbm_does_on_gaps_codes_and_borders(tmp_path: Path) -> None:
    pytest.importorskip("lightgbm", reason="the extra 'ml' is not installed")
    x, ill = rows(900, 0)
    booster = grow(WARDS, x, ill, 3)
    assert grow(WARDS, x, ill, 3).model_to_string() == booster.model_to_string(), "the same whenever it is grown"
    dumped = booster.dump_model()["tree_info"]
    assert sum(tree["num_cat"] for tree in dumped) > 0, "codes are asked by sets"
    x[np.random.default_rng(1).random(x.shape) < 0.2] = np.nan
    waiting = [tree["tree_structure"] for tree in dumped]
    for row in x:  # a value of its own upon each border, or the next 32-bit number to it
        while waiting and (node := waiting.pop()):
            waiting += [node[side] for side in ("left_child", "right_child") if side in node]
            if node.get("decision_type") == "<=":
                row[node["split_feature"]] = node["threshold"]
                break
    seen = within(COLUMNS, x)
    for count in (7, 30):
        net = Grown(booster, count, COLUMNS).eval()
        with torch.inference_mode():
            assert np.abs(net(torch.from_numpy(seen)).numpy() - raw(booster, seen, count)).max() < 1e-5
    some = [torch.from_numpy(seen[k : k + 5]) for k in range(0, 100, 5)]
    assert exported(net, (4,), tmp_path / "m.onnx", ("logit",), inputs=some)[1] < 1e-5


def test_the_whole_way_bit_for_bit(tmp_path: Path) -> None:
    pytest.importorskip("lightgbm", reason="the extra 'ml' is not installed")
    data = written(tmp_path / "rows.csv", *rows(400, 0))
    model = train("wards", data, tmp_path / "one", seed=1)
    assert train("wards", data, tmp_path / "two", seed=1).digest == model.digest
    assert "of LightGBM 4." in model.card["training"]["chosen"] and model.evidence["parity"] < 1e-4
    report = judged(tmp_path / "one", written(tmp_path / "held.csv", *rows(300, 2))).report
    assert report["metrics"]["auc"]["value"] > 0.8


def test_a_booster_is_named_and_checked_in_a_file() -> None:
    text = recipe_text(WARDS)
    assert 'booster = "lightgbm"' in text and recipe_in(text, "own.toml") == WARDS
    assert "booster" not in recipe_text(replace(WARDS, booster="scikit-learn")), (
        "what was written before stays as it is"
    )
    for wrong, says in (
        (replace(WARDS, booster="xgboost"), "trees are of scikit-learn or lightgbm"),
        (replace(WARDS, depth=12), "1 to 8 questions"),
        (replace(WARDS, columns=(Column("ward", "code", values=(-1, 1)),)), "whole numbers"),
        (replace(WARDS, columns=(Column("ward", "code", values=(0.5, 1)),)), "whole numbers"),
    ):
        with pytest.raises(Refused, match=says):
            recipe_in(recipe_text(wrong), "own.toml")


def test_without_lightgbm_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    x, ill = rows(60, 0)
    with pytest.raises(MissingPart, match=r"isocenter\[ml\]"):
        grow(WARDS, x, ill, 0)
    with pytest.raises(MissingPart, match="lightgbm is not installed"):
        train("wards", written(tmp_path / "rows.csv", x, ill), tmp_path / "out")


def test_a_library_that_cannot_be_loaded_is_told_by_what_it_lacks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "lightgbm.py").write_text('raise OSError("Library not loaded: libomp.dylib")\n')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "lightgbm", raising=False)
    with pytest.raises(MissingPart, match=r"libomp\.dylib.*brew install libomp"):
        grow(WARDS, *rows(60, 0), 0)
