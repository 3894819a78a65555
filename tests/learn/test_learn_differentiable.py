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
from isocenter.learn.gradients import grad_cam
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


def test_grad_cam_of_the_file_is_that_of_the_network(tmp_path: Path) -> None:
    torch.manual_seed(1)
    net = GridNet((4, 8), 2).eval()

    class Apart(torch.nn.Module):  # type: ignore[misc]
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            logits = net(image)
            return logits[:, 1:] - logits[:, :1]

    exported(net, (1, 16, 16), tmp_path / "net.onnx", ("logits",))
    image = np.random.default_rng(0).random((1, 16, 16), np.float32)
    made = METHODS["Grad-CAM"](Asked((tmp_path / "net.onnx").read_bytes()), image, 1)
    expected = grad_cam(Apart(), net.body[-1], image)
    if not expected.any():  # what speaks against one class speaks for the other
        made = METHODS["Grad-CAM"](Asked((tmp_path / "net.onnx").read_bytes()), image, 0)
        net.head.weight.data = net.head.weight.data.flip(0)
        expected = grad_cam(Apart(), net.body[-1], image)
    assert expected.max() > 0 and made == pytest.approx(expected, abs=1e-5)


def test_what_a_network_saw_mirrored_is_turned_back() -> None:
    asked = Asked(shelved("pneumoniamnist")[1].read_bytes())
    _, places = asked.net.with_places(torch.zeros(1, 1, 28, 28))
    assert [(tuple(one.shape[1:]), axes) for one, _, axes in places] == [((64, 7, 7), ()), ((64, 7, 7), (3,))]
    image = np.random.default_rng(2).random((1, 28, 28), np.float32)
    for kind in (0, 1):
        one, other = (METHODS["Grad-CAM"](asked, some, kind) for some in (image, image[..., ::-1].copy()))
        assert one[:, ::-1] == pytest.approx(other, abs=1e-5), "the model answers both alike"


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
