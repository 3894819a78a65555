"""Enlarged parts of a picture hold no detail of their grid, pictures made smaller do; a border asks for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

torch = pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from isocenter.errors import Refused  # noqa: E402
from isocenter.learn.detail import detail, limit_of, with_detail  # noqa: E402
from isocenter.learn.export import exported  # noqa: E402
from isocenter.learn.likely import Likely, with_likely  # noqa: E402
from isocenter.learn.strangers import taught_to_decline  # noqa: E402
from isocenter.methods.picture import resampled  # noqa: E402


def organ(seed: int, side: int = 224) -> np.ndarray:
    """Soft shapes and speckle, as an ultrasound picture has at any size."""
    rng = np.random.default_rng(seed)
    soft = ndimage.gaussian_filter(rng.normal(size=(side, side)), side / 12)
    speckle = ndimage.gaussian_filter(rng.normal(size=(side, side)), 2)
    x = soft / soft.std() + 0.7 * speckle / speckle.std()
    return np.asarray((x - x.min()) / np.ptp(x) * 255, np.uint8)


def small(x: np.ndarray, how: Image.Resampling) -> np.ndarray:
    return np.asarray(Image.fromarray(x).resize((28, 28), how))


def test_crops_that_are_enlarged_lie_below_right_pictures_however_they_were_made() -> None:
    ours = [np.floor(resampled(organ(k).astype(np.float32), 28, 28) + 0.5) for k in range(120)]
    limit, spread = limit_of([detail(one) for one in ours], 0.02)
    assert spread > 0
    for how in (Image.Resampling.BICUBIC, Image.Resampling.LANCZOS, Image.Resampling.BOX):
        others = [detail(small(organ(500 + k), how)) for k in range(40)]
        assert sum(one < limit for one in others) <= 2, "made smaller by others, they are as good"
    for order in (0, 1, 2, 3):
        cut = [ndimage.zoom(one[4:18, 6:20], 2, order=order, mode="nearest", grid_mode=True) for one in ours[:40]]
        assert sum(detail(one) < limit for one in cut) >= 38, f"enlarged by splines of order {order}"


def test_dark_corners_repeat_nothing_and_one_grey_has_no_detail() -> None:
    x = small(organ(1), Image.Resampling.BICUBIC)
    before = detail(x)
    x = x.copy()
    x[:6], x[:, 22:] = 0, 0
    assert detail(x) > before - 3 and detail(np.stack([x] * 3, -1)) == pytest.approx(detail(x))
    assert detail(np.full((28, 28), 7)) == detail(np.kron(x[:14, :14], np.ones((2, 2)))) == -20.0


def test_a_limit_takes_as_many_pictures_as_the_part_given_up_wants() -> None:
    assert limit_of(np.arange(99), 0.01)[0] == 0.0 and limit_of(np.arange(199), 0.01)[0] == 1.0
    with pytest.raises(Refused, match="takes 99"):
        limit_of(np.arange(98), 0.01)


class _Still(torch.nn.Module):
    def forward(self, canvas: torch.Tensor) -> torch.Tensor:
        return canvas.mean((1, 2, 3))


def test_the_strangeness_of_a_border_is_the_higher_of_both(tmp_path: Path) -> None:
    import onnxruntime as ort

    exported(_Still(), (1, 40, 40), tmp_path / "scope.onnx", ("strangeness",), name="canvas")
    data = with_detail((tmp_path / "scope.onnx").read_bytes(), -6.0, 0.5)
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    asked = {"canvas": np.full((3, 1, 40, 40), 0.6, np.float32), "detail": np.array([-5, -6.0, -7], np.float32)}
    assert np.allclose(session.run(["strangeness"], asked)[0], [0.6, 1.0, 3.0])
    with pytest.raises(Refused, match="ask for them twice"):
        with_detail(data, -6.0, 0.5)


@pytest.mark.parametrize("first", ["detail", "measures"])
def test_a_border_may_ask_for_detail_and_for_measures_in_any_order(tmp_path: Path, first: str) -> None:
    import onnxruntime as ort

    exported(_Still(), (1, 40, 40), tmp_path / "scope.onnx", ("strangeness",), name="canvas")
    likely = Likely(np.zeros(4), np.ones(4), np.eye(4)[:, :1], 2.0)
    both = (tmp_path / "scope.onnx").read_bytes()
    for name in (first, "measures" if first == "detail" else "detail"):
        both = with_detail(both, -6.0, 0.5) if name == "detail" else with_likely(both, likely)
    session = ort.InferenceSession(both, providers=["CPUExecutionProvider"])
    asked = {"canvas": np.full((3, 1, 40, 40), 0.6, np.float32), "detail": np.array([-5, -7, -5], np.float32),
             "measures": np.array([[9, 0, 0, 0], [0, 0, 0, 0], [0, 0, 6, 8]], np.float32)}  # fmt: skip
    assert np.allclose(session.run(["strangeness"], asked)[0], [0.6, 3.0, 5.0])


def test_volumes_and_tables_are_not_asked_for_detail(tmp_path: Path) -> None:
    for name in ("cleveland_heart", "chest_xray_opacity"):
        with pytest.raises(Refused, match="a border of"):
            taught_to_decline(name, tmp_path, tmp_path / "no", detailed=True)
