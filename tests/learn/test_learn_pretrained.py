"""Weights that learnt from photographs: one file alone is opened; a model that looks through them stands by itself."""

from __future__ import annotations

import importlib.util
import pickle
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'ml' is not installed")
pytest.importorskip("sklearn", reason="the extra 'ml' is not installed")

from torch.nn import functional  # noqa: E402

from isocenter.analysis.weights import models  # noqa: E402
from isocenter.errors import MissingPart, Refused  # noqa: E402
from isocenter.learn import pretrained, recipes, waves  # noqa: E402
from isocenter.learn.judge import judge  # noqa: E402
from isocenter.learn.kinds import Backbone, Classes  # noqa: E402
from isocenter.learn.pretrained import DIGEST, Photographs, eyes, read_weights  # noqa: E402
from isocenter.learn.train import train  # noqa: E402

CARD = {"title": "T", "intended_use": "a test", "not_for": ["x"], "limits": ["y"], "source": "z", "licence": "none"}
SMALL = Backbone(side=32, stages=(1, 2))
DOTS = Classes(
    task="dots", classes=("few", "many"), shape=(28, 28), widths=(4, 8), members=3, epochs=1, batch=8, dropout=0.0,
    backbone=SMALL, choose={"reach": (0.3, 1.0), "kept": (5, 20)}, card=CARD, goal={"auc": 0.9},
)  # fmt: skip


def made_up() -> Photographs:
    """Weights by chance instead of those of photographs."""
    torch.manual_seed(3)
    net: Photographs = Photographs(SMALL).eval().requires_grad_(False)
    return net


def dots(path: Path, n: int, seed: int) -> Path:
    """Bright points on noise: few or many."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % 2)
    points = rng.random((n, 28, 28)) < np.where(labels, 0.12, 0.02)[:, None, None]
    pictures = np.clip(100 + 30 * rng.normal(size=points.shape) + 100 * points, 0, 255).astype(np.uint8)
    np.savez(path, images=pictures, labels=labels)
    return path


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    recipes.RECIPES["dots"] = DOTS
    pretrained._seeing.cache_clear()
    yield
    recipes.RECIPES.pop("dots")
    pretrained._seeing.cache_clear()


class _Runs:
    """What a pickle can do when it is opened."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> object:
        return Path.touch, (self.place,)


def test_another_file_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package, told = tmp_path / pretrained._PACKAGE, tmp_path / "it ran"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text(f"open({str(told)!r}, 'w')")
    (package / pretrained._FILE).write_bytes(pickle.dumps(_Runs(told)))
    with pytest.raises(Refused, match="only the file with 579344248a93e230"):
        read_weights(package / pretrained._FILE)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    sys.modules.pop(pretrained._PACKAGE, None)
    importlib.invalidate_caches()
    with pytest.raises(Refused, match="pickle could run code"):
        eyes(Backbone())
    assert not told.exists() and pretrained._PACKAGE not in sys.modules, "neither the pickle nor the package ran"


def test_without_the_package_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    recipes.RECIPES["dots"] = replace(DOTS, backbone=Backbone())
    with pytest.raises(MissingPart, match=r"isocenter\[pretrained\]"):
        train("dots", dots(tmp_path / "a.npz", 48, 0), tmp_path / "out")


@pytest.mark.parametrize("how", [Backbone(side=100), Backbone(stages=(6,)), Backbone(stages=())])
def test_what_it_cannot_look_at_is_refused(how: Backbone) -> None:
    with pytest.raises(Refused, match="multiples of 16"):
        Photographs(how)


def test_norms_are_folded_and_padded_as_the_weights_were_learnt() -> None:
    random = torch.Generator().manual_seed(0)

    def some(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=random) - 0.3

    held = {"_conv_stem.weight": some(32, 3, 3, 3), "_blocks.0._depthwise_conv.weight": some(32, 1, 3, 3),
            "_blocks.0._project_conv.weight": some(16, 32, 1, 1)}  # fmt: skip
    for norm, n in (("_bn0", 32), ("_blocks.0._bn1", 32), ("_blocks.0._bn2", 16)):
        held |= {f"{norm}.{k}": some(n) for k in ("weight", "bias", "running_mean")}
        held[f"{norm}.running_var"] = some(n).abs() + 0.1
    x = torch.rand(2, 1, 32, 32, generator=random)

    def normed(y: torch.Tensor, name: str) -> torch.Tensor:
        mean, var, weight, bias = (held[f"{name}.{k}"] for k in ("running_mean", "running_var", "weight", "bias"))
        return functional.batch_norm(y, mean, var, weight, bias, eps=1e-3)

    y = (functional.pad(x, (0, 1, 0, 1), value=127 / 255) * 255 - 127) / 128  # padded with what becomes 0
    y = normed(functional.conv2d(y.expand(-1, 3, -1, -1), held["_conv_stem.weight"], stride=2), "_bn0").clamp(0, 6)
    y = functional.conv2d(y, held["_blocks.0._depthwise_conv.weight"], padding=1, groups=32)
    y = functional.conv2d(normed(y, "_blocks.0._bn1").clamp(0, 6), held["_blocks.0._project_conv.weight"])
    y = normed(y, "_blocks.0._bn2")
    wanted = torch.cat([y.mean((2, 3)), y.std((2, 3), unbiased=False)], 1)
    said = Photographs(Backbone(side=32, stages=(1,))).filled(held)(x)
    assert torch.allclose(said, wanted, atol=1e-4)


def test_the_file_stands_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = made_up()
    monkeypatch.setattr(waves, "eyes", lambda how: net)
    model = train("dots", dots(tmp_path / "a.npz", 72, 0), tmp_path / "out")
    assert model.evidence["parity"] <= 1e-4
    assert model.card["training"]["looks through weights with SHA-256"] == DIGEST
    monkeypatch.undo()
    found = judge(tmp_path / "out", dots(tmp_path / "b.npz", 60, 1))
    assert found["metrics"]["auc"]["value"] > 0.9, "the network learnt for one epoch; the support vectors know"


@pytest.mark.parametrize("name", ["breastmnist", "retinamnist"])
def test_what_ships_says_where_its_eyes_come_from(name: str) -> None:
    how = recipes.recipe(name)
    assert isinstance(how, Classes) and how.backbone is not None
    card = models()[name][0].card
    assert "ImageNet" in card["source"] and "Apache-2.0" in card["licence"]
    assert card["training"]["looks through weights with SHA-256"] == DIGEST


def test_the_weights_are_those_that_ship() -> None:
    if importlib.util.find_spec(pretrained._PACKAGE) is None:
        pytest.skip("the extra 'pretrained' is not installed")
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_model_from_string(models()["breastmnist"][1].read_bytes()).graph
    held = [numpy_helper.to_array(t) for t in graph.initializer]
    stem = eyes(Backbone()).stem.convolution.weight.numpy()
    assert any(a.shape == stem.shape and np.allclose(a, stem) for a in held)
