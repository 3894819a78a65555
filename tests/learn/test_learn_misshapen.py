"""Networks that know outlines made wrong on purpose: what is none of a kind is declined, and the file says the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from onnx import TensorProto, helper

from isocenter.errors import Refused
from isocenter.learn.likely import INPUT, fit_likely, with_likely
from isocenter.learn.misshapen import MISSHAPEN, Misshapen, fit_misshapen, misshapen, with_misshapen
from isocenter.learn.outline_measures import outline_measures
from isocenter.learn.strangers import taught_to_decline


def organ(rng: np.random.Generator) -> np.ndarray:
    """An ellipsoid with a smaller one on its side, so that no axis and no direction is like another."""
    at, found = np.indices((20, 20, 20)), np.zeros((20, 20, 20), bool)
    middle = rng.uniform(9, 10.5, 3)
    for off, radii in (((0, 0, 0), (7, 4, 2.5)), ((4, 3, 1), (3, 3, 2))):
        y = at - (middle + off)[:, None, None, None]
        found |= ((y / (np.array(radii) * rng.uniform(0.9, 1.1, 3))[:, None, None, None]) ** 2).sum(0) < 1
    return found.astype(np.uint8) * np.uint8(255)


@pytest.fixture(scope="module")
def learnt() -> tuple[Misshapen, list[np.ndarray], np.ndarray]:
    rng = np.random.default_rng(0)
    some = [organ(rng) for _ in range(180)]
    held = np.arange(180) >= 120
    return fit_misshapen(some, held, 0, given_up=0.05, wrong=350, steps=150), some, held


def test_each_way_makes_another_outline() -> None:
    rng = np.random.default_rng(3)
    x, y = (organ(rng) > 0 for _ in range(2))
    made = {kind: misshapen(x, y, kind, rng) for kind in MISSHAPEN}
    assert all(one.shape == x.shape and one.dtype == bool and one.any() for one in made.values())
    assert (made["swollen"] & x).sum() == x.sum() and made["swollen"].sum() > 1.3 * x.sum()
    assert (made["two at once"] & x).sum() == x.sum() < made["two at once"].sum()
    assert made["axes exchanged"].sum() == x.sum() and not np.array_equal(made["axes exchanged"], x)
    assert all(not np.array_equal(one, x) for one in made.values())
    with pytest.raises(Refused, match="made wrong by 'painted'"):
        misshapen(x, y, "painted", rng)


def test_what_is_made_wrong_of_fresh_ones_is_declined_and_a_right_one_is_not(
    learnt: tuple[Misshapen, list[np.ndarray], np.ndarray],
) -> None:
    known, some, held = learnt
    laid = known.strange(np.stack([outline_measures(one) for one, h in zip(some, held, strict=True) if h]))
    assert np.median(laid) == pytest.approx(0, abs=0.05) and np.sum(laid > 1 + 1e-9) <= 0.05 * held.sum()
    rng = np.random.default_rng(9)
    fresh = [organ(rng) for _ in range(60)]
    assert np.mean(known.strange(np.stack([outline_measures(one) for one in fresh])) > 1) <= 0.15
    for kind in ("swollen", "two at once", "axes exchanged"):
        wrong = [misshapen(fresh[k] > 0, fresh[k - 1] > 0, kind, rng) for k in range(20)]
        assert np.mean(known.strange(np.stack([outline_measures(one) for one in wrong])) > 1) >= 0.9, kind
    few = slice(20, 140)  # as few as will do
    one, again, other = (
        fit_misshapen(some[few], held[few], seed, given_up=0.05, wrong=60, steps=20).limit for seed in (0, 0, 1)
    )
    assert one == again != other, "the same seed gives the same networks"


def test_the_file_says_the_highest_of_all_three_and_asks_the_networks_once(
    learnt: tuple[Misshapen, list[np.ndarray], np.ndarray],
) -> None:
    import onnxruntime as ort

    known, _, _ = learnt
    rng = np.random.default_rng(1)
    seen = np.stack([outline_measures(organ(rng)) for _ in range(360)])
    likely = fit_likely(seen, np.arange(360) >= 310, given_up=0.05)
    graph = helper.make_graph(
        [helper.make_node("ReduceMax", ["canvas", "axis"], ["strangeness"], keepdims=0)], "border",
        [helper.make_tensor_value_info("canvas", TensorProto.FLOAT, ["n", 2])],
        [helper.make_tensor_value_info("strangeness", TensorProto.FLOAT, ["n"])],
        [helper.make_tensor("axis", TensorProto.INT64, [1], [1])],
    )  # fmt: skip
    plain = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    all_three = with_misshapen(with_likely(plain.SerializeToString(), likely), known)
    session = ort.InferenceSession(all_three, providers=["CPUExecutionProvider"])
    assert sorted(one.name for one in session.get_inputs()) == ["canvas", INPUT]
    wrong = np.stack([outline_measures(misshapen(organ(rng) > 0, organ(rng) > 0, k, rng)) for k in MISSHAPEN])
    measured = np.concatenate([seen[:60], wrong])
    for far in (-9.0, 0.9):
        asked = {"canvas": np.full((len(measured), 2), far, np.float32), INPUT: measured}
        expected = np.maximum(far, np.maximum(likely.off(measured), known.strange(measured)))
        assert session.run(["strangeness"], asked)[0] == pytest.approx(expected, rel=2e-3, abs=2e-3)
    assert (known.strange(measured) > likely.off(measured)).any(), "the networks decide somewhere"
    with pytest.raises(Refused, match="asks for misshapen"):
        with_misshapen(all_three, known)


def test_few_outlines_and_a_model_of_pictures_are_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    with pytest.raises(Refused, match=r"110 outlines and 40 held back: networks take 100, and a limit that 0\.02 lie"):
        fit_misshapen([organ(rng) for _ in range(150)], np.arange(150) >= 110, 0)
    np.savez(tmp_path / "a.npz", train_images=np.zeros((60, 28, 28), np.uint8), train_labels=np.arange(60) % 2)
    with pytest.raises(Refused, match="only outlined organs"):
        taught_to_decline("pneumoniamnist", tmp_path / "a.npz", tmp_path / "out", misshapen=True, kept_network=True)
