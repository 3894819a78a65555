"""Measures of outlined organs and how well they go together: what is off all right ones is declined."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from onnx import TensorProto, helper

from isocenter.errors import Refused
from isocenter.learn.likely import INPUT, fit_likely, with_likely
from isocenter.learn.outline_measures import COUNT, outline_measures
from isocenter.learn.strangers import taught_to_decline


def organ(rng: np.random.Generator, sides: tuple[float, float, float] = (9, 5, 3)) -> np.ndarray:
    """An ellipsoid, longest along the first axis, that lies about the middle."""
    y = np.indices((22, 22, 22)) - rng.uniform(9, 12, 3)[:, None, None, None]
    radii = np.array(sides) * rng.uniform(0.85, 1.15, 3)
    return (((y / radii[:, None, None, None]) ** 2).sum(0) < 1).astype(np.uint8) * np.uint8(255)


def test_measures_are_those_of_a_box_counted_by_hand() -> None:
    box = np.zeros((20, 20, 20))
    box[2:6, 4:10, 5:15] = 1
    found = outline_measures(box)
    assert found.shape == (COUNT,) and np.isfinite(found).all()
    n = 4 * 6 * 10
    assert found[0] == pytest.approx(np.log(n)) and found[1] == 0
    assert found[2:5] * n ** (2 / 3) == pytest.approx([2 * 60, 2 * 40, 2 * 24], rel=1e-4)  # faces across each axis
    assert found[5] == pytest.approx(2 * 4 * 8 / n) and found[12] == 0 == found[13]  # one layer less; one piece
    assert found[15:18] == pytest.approx([4.5, 7.5, 10.5])  # the centre, one voxel of margin counted
    assert found[27:30] == pytest.approx([4, 6, 10]) and found[36] == pytest.approx(1)
    assert not outline_measures(np.zeros((5, 5, 5))).any()
    two = box.copy()
    two[12:14, 12:14, 5:8] = 1
    assert outline_measures(two)[12] == pytest.approx(np.log(2)) and outline_measures(two)[13] > 0


def test_what_is_turned_swollen_or_two_is_off_and_a_right_one_is_not() -> None:
    rng = np.random.default_rng(0)
    seen = np.stack([outline_measures(organ(rng)) for _ in range(370)])
    held = np.arange(370) >= 310
    likely = fit_likely(seen, held, given_up=0.05)
    assert np.mean(likely.off(seen[held]) > 1) <= 0.05
    wrong = [organ(rng, (3, 9, 5)), np.rot90(organ(rng)), np.maximum(organ(rng), np.roll(organ(rng, (4, 4, 4)), 9, 1))]
    assert (likely.off(np.stack([outline_measures(one) for one in wrong])) > 1).all()


def test_the_file_says_the_higher_of_both_and_asks_for_measures_once() -> None:
    import onnxruntime as ort

    rng = np.random.default_rng(1)
    seen = rng.normal(size=(500, 40)) @ rng.normal(size=(40, 40))
    likely = fit_likely(seen, np.arange(500) >= 350)
    graph = helper.make_graph(
        [helper.make_node("ReduceMax", ["canvas", "axis"], ["strangeness"], keepdims=0)], "border",
        [helper.make_tensor_value_info("canvas", TensorProto.FLOAT, ["n", 2])],
        [helper.make_tensor_value_info("strangeness", TensorProto.FLOAT, ["n"])],
        [helper.make_tensor("axis", TensorProto.INT64, [1], [1])],
    )  # fmt: skip
    plain = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    both = with_likely(plain.SerializeToString(), likely)
    session = ort.InferenceSession(both, providers=["CPUExecutionProvider"])
    asked = {"canvas": np.tile(np.float32([[0.2, 0.9]]), (60, 1)), INPUT: seen[:60].astype(np.float32)}
    assert session.run(["strangeness"], asked)[0] == pytest.approx(np.maximum(0.9, likely.off(seen[:60])), rel=1e-3)
    with pytest.raises(Refused, match="cannot ask for them twice"):
        with_likely(both, likely)


def test_few_images_and_a_model_of_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"directions take 300, and a limit that 0\.02 lie beyond 49"):
        fit_likely(np.zeros((340, 40)), np.arange(340) >= 300)
    np.savez(tmp_path / "a.npz", train_images=np.zeros((60, 28, 28), np.uint8), train_labels=np.arange(60) % 2)
    with pytest.raises(Refused, match="only outlined organs"):
        taught_to_decline("pneumoniamnist", tmp_path / "a.npz", tmp_path / "out", measured=True, kept_network=True)
