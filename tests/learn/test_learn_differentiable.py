"""A file's gradients are those of its whole answer: torch says what ONNX says, and the parts add up to the answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'ml' is not installed")

import torch
from scipy.ndimage import gaussian_filter, zoom

from isocenter.analysis.weights import model as shelved
from isocenter.errors import Refused
from isocenter.learn.cascade import session_of
from isocenter.learn.differentiable import Differentiable
from isocenter.learn.export import exported
from isocenter.learn.networks import GridNet, PlainGrid
from isocenter.learn.sensitivity import METHODS, Asked, odds


@pytest.mark.parametrize("name", ["pneumoniamnist", "breastmnist", "image_kind"])
def test_torch_answers_as_the_file_does(name: str) -> None:
    held, path = shelved(name)
    data = path.read_bytes()
    images = np.random.default_rng(0).random((2, held.inputs["channels"], *held.inputs["shape"]), np.float32)
    net, session = Differentiable(data), session_of(data, ("logits",))
    with torch.inference_mode():
        mine = net(torch.from_numpy(images)).numpy()
    assert mine == pytest.approx(session.run(None, {"image": images})[0], abs=1e-4)


@pytest.mark.parametrize(("axes", "make"), [(2, PlainGrid), (3, PlainGrid), (3, GridNet)])
def test_so_do_other_architectures_and_volumes(axes: int, make: type[GridNet], tmp_path: Path) -> None:
    torch.manual_seed(0)
    exported(make((4, 6, 8), 3, axes=axes).eval(), (1, *(13,) * axes), tmp_path / "net.onnx", ("logits",))
    asked = Asked((tmp_path / "net.onnx").read_bytes())
    images = np.random.default_rng(0).random((3, 1, *(13,) * axes), np.float32)
    net = asked.net
    with torch.inference_mode():
        mine = net(torch.from_numpy(images)).numpy()
    assert mine == pytest.approx(asked.run(None, {"image": images})[0], abs=1e-4)
    for method in METHODS.values():
        made = method(asked, images[0], 1)
        assert made.shape == images.shape[2:] and np.isfinite(made).all() and made.min() >= 0


def test_the_parts_of_a_picture_add_up_to_what_the_blurred_one_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    from isocenter.learn import sensitivity

    whole, parts_of = list[np.ndarray](), sensitivity.integrated_gradients

    def kept(*given: object, **how: object) -> np.ndarray:
        whole.append(parts_of(*given, **how))  # type: ignore[arg-type]
        return whole[-1]

    monkeypatch.setattr(sensitivity, "integrated_gradients", kept)
    asked = Asked(shelved("pneumoniamnist")[1].read_bytes())
    image = zoom(np.random.default_rng(1).random((1, 5, 5)), (1, 5.6, 5.6), order=1).astype(np.float32)
    METHODS["integrated gradients"](asked, image, 1)
    ends = odds(asked, np.stack([image, gaussian_filter(image, (0, 3.5, 3.5))]), 1)
    assert whole[0].sum() == pytest.approx(ends[0] - ends[1], abs=0.02 * abs(ends[0] - ends[1]) + 1e-2)


def test_other_operations_and_other_answers_are_refused() -> None:
    data = shelved("image_kind")[1].read_bytes()
    with pytest.raises(Refused, match="only those of our own networks"):
        Differentiable(data, "certainty")
    other = session_of(shelved("pneumoniamnist")[1].read_bytes(), ("logits",))
    net = Differentiable(shelved("pneumoniamnist")[1].read_bytes())
    name = next(n for n in net.known if n.endswith("head.weight"))
    net.known[name] = net.known[name] * 2
    with pytest.raises(Refused, match="those of another model"):
        net.must_answer_as(other, np.random.default_rng(0).random((2, 1, 28, 28), np.float32))
