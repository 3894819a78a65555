"""Records that were changed by hand, and weights from another program, are refused by what they lack."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.learn.fitting import must_fit
from isocenter.learn.judge import judged, kind_of, must_be_new, opened
from isocenter.record import Model

onnx = pytest.importorskip("onnx")
MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path / "films.npz"
    np.savez(path, test_images=rng.integers(0, 255, (24, 28, 28), np.uint8), test_labels=np.arange(24) % 2)
    return path


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MODELS / "pneumoniamnist", tmp_path / "own"))


def changed(folder: Path, **inputs: Any) -> None:
    told = json.loads((folder / "model.json").read_text("utf-8"))
    for name, value in inputs.items():
        told["inputs"][name] = value
        if value is None:
            del told["inputs"][name]
    (folder / "model.json").write_text(json.dumps(told), "utf-8")


@pytest.mark.parametrize("name", sorted(p.name for p in MODELS.iterdir() if (p / "model.json").is_file()))
def test_what_ships_fits(name: str) -> None:
    held, session = opened(str(MODELS / name), None)
    must_fit(held, session, kind_of(held))


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("threshold", "high", "threshold = 'high' in the record of pneumoniamnist: it is a number from 0 to 1"),
        ("threshold", None, "has no 'threshold'"),
        ("threshold", 7, "threshold = 7"),
        ("classes", ["a", "b", "c"], "weights that answer 2 logits: the record of pneumoniamnist names 3 classes"),
        ("classes", "ab", "a list of their names"),
        ("classes", None, "has no 'classes'"),
        ("known_as", None, "has no 'known_as'"),
        ("positive", 7, "the class 7 as positive"),
        ("shape", "28", "whole numbers of voxels"),
        ("shape", [14, 14], r"channels and shape \[1, 14, 14\]"),
        ("rest", True, "names 2 classes and the rest"),
        ("kind", "table", "has no 'columns': a model of table tells it"),
        ("kind", "masks", "has no 'spacing_mm'"),
        ("kind", "boxes", "has no 'shared'"),
    ],
)
def test_a_record_that_was_changed_by_hand(copy: Path, cases: Path, name: str, value: Any, why: str) -> None:
    changed(copy, **{name: value})
    with pytest.raises(Refused, match=why):
        judged(str(copy), cases)


def own_weights(
    taken: str = "image", of: int = onnx.TensorProto.FLOAT, shape: tuple[Any, ...] = ("n", 1, 28, 28),
    answers: tuple[str, ...] = ("logits", "certainty", "strangeness"),
) -> bytes:  # fmt: skip
    """A network of another program: two numbers for each picture, under these names."""
    helper = onnx.helper
    nodes = [helper.make_node("Cast", [taken], ["x"], to=onnx.TensorProto.FLOAT),
             helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1, 2, 3], keepdims=0),
             helper.make_node("Reshape", ["mean", "column"], ["one"]),
             *(helper.make_node("Concat", ["one", "one"], [name], axis=1) for name in answers)]  # fmt: skip
    graph = helper.make_graph(
        nodes, "own", [helper.make_tensor_value_info(taken, of, shape)],
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ("n", 2)) for name in answers],
        [helper.make_tensor("column", onnx.TensorProto.INT64, (2,), [-1, 1])],
    )  # fmt: skip
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(made.SerializeToString())


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"taken": "input"}, "weights with the inputs input: one is given, 'image'"),
        ({"of": onnx.TensorProto.UINT8}, r"weights that take tensor\(uint8\)"),
        ({"shape": ("n", 28, 28, 1)}, "channels first"),
        ({"shape": (1, 1, 28, 28)}, "weights that take 1 cases at once"),
        ({"answers": ("logits",)}, "with certainty and strangeness"),
        ({"answers": ("output",)}, "weights that answer output: a model of classes answers logits, certainty"),
    ],
)
def test_weights_of_another_program(copy: Path, cases: Path, how: dict[str, Any], why: str) -> None:
    told = json.loads((copy / "model.json").read_text("utf-8"))
    weights = own_weights(**how)
    (copy / "model.onnx").write_bytes(weights)
    told["digest"] = hashlib.sha256(weights).hexdigest()
    (copy / "model.json").write_text(json.dumps(told), "utf-8")
    with pytest.raises(Refused, match=why):
        judged(str(copy), cases)


def test_marks_of_what_was_learnt_that_are_gone_or_changed_are_no_new_cases(copy: Path, cases: Path) -> None:
    marks = copy / "learnt.bin"
    must_be_new(str(copy), cases)
    marks.write_bytes(marks.read_bytes()[:-4])
    for ask in (judged, must_be_new):
        with pytest.raises(Refused, match="what the model has learnt from is not known any more"):
            ask(str(copy), cases)
    marks.unlink()
    with pytest.raises(Refused, match="with digest none"):
        must_be_new(str(copy), cases)


def test_marks_that_no_card_names_are_whole_or_refused(copy: Path, cases: Path) -> None:
    told = json.loads((copy / "model.json").read_text("utf-8"))
    del told["card"]["training"]["SHA-256 of learnt.bin"]
    (copy / "model.json").write_text(json.dumps(told), "utf-8")
    (copy / "learnt.bin").write_bytes(b"xx")
    with pytest.raises(Refused, match="2 bytes in"):
        must_be_new(str(copy), cases)


def test_kinds_that_are_fitted_elsewhere_are_not_asked() -> None:
    held, session = opened(str(MODELS / "cardiac_cine"), None)
    must_fit(replace(held, inputs={}), session, "heart")
    assert isinstance(held, Model)
