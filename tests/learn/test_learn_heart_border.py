"""The border is learnt as a depth, and one number says at which depth experts draw."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'ml' is not installed")

import torch
from torch import nn

from isocenter.learn.export import exported
from isocenter.learn.heart_border import DEPTH_MM, Outliner, cut_mm, depth_loss, depth_mm
from isocenter.learn.heart_network import HeartNet
from isocenter.learn.hearts import MARGIN, examples_of
from isocenter.methods.ventricle import STEP_MM, WINDOW, parts

LINE = np.arange(MARGIN) - (MARGIN - 1) / 2
R_MM = np.hypot(LINE[:, None], LINE[None]) * STEP_MM
DRAWN_MM = (24.0, 33.0)  # radii at end-systole, which comes first in the file, and at end-diastole


def disk(radius_mm: float) -> np.ndarray:
    return np.clip((radius_mm - R_MM) / STEP_MM + 0.5, 0, 1)


def test_depth_is_in_millimetres_and_negative_outside() -> None:
    depth = depth_mm(torch.from_numpy(np.stack([disk(30.0), np.zeros_like(R_MM)]))).numpy()
    near = np.abs(R_MM - 30.0) < 5.0
    assert np.abs(depth[0] - (30.0 - R_MM))[near].max() < 0.8
    assert depth[0].max() == DEPTH_MM and depth[0].min() == -DEPTH_MM == depth[1].max()


def test_the_loss_is_smallest_where_the_depth_is_right() -> None:
    masks = torch.from_numpy(disk(30.0))[None]
    right = depth_mm(masks) / 3.0
    losses = [float(depth_loss(right + mm / 3.0, masks)) for mm in (-2.0, -0.5, 0.0, 0.5, 2.0)]
    assert losses[0] > losses[1] > 0.01 > 1e-9 > losses[2] and losses[2] < losses[3] < losses[4]
    # A pixel that is off weighs more at the border than far away.
    far = (right.abs() * 3.0 >= DEPTH_MM).float()
    at_border, elsewhere = (float(depth_loss(right + where, masks) / where.sum()) for where in (1 - far, far))
    assert at_border > 10 * elsewhere


class Sees(nn.Module):
    """A network that sees the border of both disks where `at` says, whichever of the two it is shown."""

    def __init__(self, at: dict[float, float]) -> None:
        super().__init__()
        self.at = at

    def forward(self, slices: torch.Tensor) -> torch.Tensor:
        edge = (MARGIN - slices.shape[-1]) // 2
        r = torch.from_numpy(R_MM[edge : MARGIN - edge, edge : MARGIN - edge].astype(np.float32))
        said = torch.zeros(len(slices), 3, *r.shape)
        for one, middle in zip(said, slices[:, 1], strict=True):
            drawn = min(DRAWN_MM, key=lambda mm: abs(float(middle.sum()) - float((r < mm).sum())))
            one[2] = (self.at[drawn] - r) / 3.0
        return said


@pytest.mark.parametrize("off", [(0.0, 0.0), (2.0, 0.5), (-1.0, 3.0)])
def test_the_cut_is_how_far_outside_experts_drew(off: tuple[float, float]) -> None:
    systole, diastole = (np.stack([disk(mm), disk(mm), np.zeros_like(R_MM)]) for mm in DRAWN_MM)
    pictures = np.stack([systole, diastole])
    examples = examples_of("A", pictures, np.stack([pictures, pictures], 1), [False, True])
    net = Sees({DRAWN_MM[1]: DRAWN_MM[1] - off[0], DRAWN_MM[0]: DRAWN_MM[0] - off[1]})
    assert cut_mm(net, examples, 2) == pytest.approx(sum(off) / 2, abs=0.15)  # type: ignore[arg-type]


def test_what_ships_moves_the_border_and_is_asked_for_either_part_alone() -> None:
    torch.manual_seed(0)
    seen, lined = (HeartNet((4, 8), outward=k).eval() for k in (2, 3))
    net = Outliner(seen, lined, 1.5)
    places, border = torch.rand(2, 3, 72, 72), torch.rand(3, 3, WINDOW, WINDOW)
    with torch.inference_mode():
        truth = seen(places)[:, :2], lined(border)[:, 2:] * 3.0 + 1.5
        for said in (net(places, border), (net(places, border[:0])[0], net(places[:0], border)[1])):
            assert all(torch.allclose(one, other, atol=1e-5) for one, other in zip(said, truth, strict=True))
        assert [len(part) for part in net(places[:0], border[:0])] == [0, 0]


def test_its_file_has_an_input_for_either_part_and_answers_as_torch_does(tmp_path: Path) -> None:
    import onnxruntime as ort

    torch.manual_seed(0)
    net = Outliner(HeartNet((8, 8)).eval(), HeartNet((8, 8), outward=3).eval(), 1.5)
    sizes = [(0, 2, 72, 96), (3, 0, 96, 72), (1, 2, 72, 72)]
    given = [(torch.rand(a, 3, m, m), torch.rand(b, 3, k, k)) for a, b, m, k in sizes]
    _, worst = exported(
        net, (3, WINDOW, WINDOW), tmp_path / "m.onnx", ("logits", "depth_mm"), free=True, name=("places", "border"),
        inputs=given,
    )  # fmt: skip
    assert worst < 1e-4
    session = ort.InferenceSession((tmp_path / "m.onnx").read_bytes(), providers=["CPUExecutionProvider"])
    x = torch.rand(2, 3, 88, 88)
    for one, other in zip(parts(session), (net.seen(x)[:, :2], net.depth_mm(x)), strict=True):
        assert np.allclose(one(x.numpy()), other.detach().numpy(), atol=1e-4)
