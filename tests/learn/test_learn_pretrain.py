"""Pretraining: the losses are their formulas, a run repeats bit for bit, and a body fits its own network only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from isocenter.dicom import confining  # noqa: E402
from isocenter.errors import LimitReached, NotFound, Refused  # noqa: E402
from isocenter.learn.classify import fit_classes_net  # noqa: E402
from isocenter.learn.examples import Examples  # noqa: E402
from isocenter.learn.networks import GridNet  # noqa: E402
from isocenter.learn.pretrain import Pretraining, _mask, beginning, contrast, pretrain, trained_body  # noqa: E402
from isocenter.learn.recipes import recipe  # noqa: E402
from isocenter.learn.taken_up import read_back  # noqa: E402
from isocenter.learn.tensors import packed  # noqa: E402
from isocenter.learn.train import train  # noqa: E402

OWN = replace(recipe("breastmnist"), widths=(4, 8, 8), batch=8, epochs=1)


def _stripes(n: int) -> np.ndarray:
    """Pictures of stripes, each with its own direction and width."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:28, :28]
    angle, width = rng.uniform(0, np.pi, (n, 1, 1)), rng.uniform(0.3, 1.2, (n, 1, 1))
    return np.asarray(127 + 100 * np.sin(width * (x * np.cos(angle) + y * np.sin(angle))), np.uint8)


def test_the_contrast_is_its_formula() -> None:
    one, other = (torch.randn(3, 5, generator=torch.Generator().manual_seed(k)) for k in (0, 1))
    rows = torch.nn.functional.normalize(torch.cat([one, other]), dim=1).double()
    expected = 0.0
    for i in range(6):
        weights = torch.exp(rows @ rows[i] / 0.2)
        expected -= float(torch.log(weights[(i + 3) % 6] / (weights.sum() - weights[i]))) / 6
    assert float(contrast(one, other, 0.2)) == pytest.approx(expected, rel=1e-5)
    assert float(contrast(one * 9, one, 0.05)) < 0.05 < float(contrast(one, other, 0.05))


def test_three_quarters_are_hidden_in_whole_squares() -> None:
    hidden = _mask(200, (28, 28), Pretraining("breastmnist", "masking"), torch.Generator().manual_seed(0))
    assert hidden.shape == (200, 1, 28, 28)
    assert float(hidden.mean()) == pytest.approx(0.75, abs=0.01)
    squares = hidden.reshape(200, 7, 4, 7, 4)
    assert bool((squares.amax((2, 4)) == squares.amin((2, 4))).all())
    assert _mask(1, (30, 26, 28), Pretraining("x"), torch.Generator()).shape == (1, 1, 30, 26, 28)


@pytest.mark.parametrize("method", ["contrast", "masking"])
def test_a_run_repeats_bit_for_bit(method: str) -> None:
    how = Pretraining("breastmnist", method, steps=5, batch=16, rate=5e-3)
    one = trained_body(how, OWN, _stripes(64), 3)
    other = trained_body(how, OWN, _stripes(64), 3)
    state = one.state_dict()
    assert all(torch.equal(v, state[n]) for n, v in other.state_dict().items())
    third = trained_body(replace(how, steps=1), OWN, _stripes(64), 3)
    assert not torch.equal(third.state_dict()["body.0.weight"], state["body.0.weight"])
    with pytest.raises(Refused, match="a batch has 16"):
        trained_body(how, OWN, _stripes(8), 3)


def test_a_body_is_where_a_training_begins_and_fits_its_network_only(tmp_path: Path) -> None:
    pictures, labels = _stripes(24), np.arange(24) % 2
    np.savez(tmp_path / "all.npz", train_images=pictures)
    told = pretrain(Pretraining("breastmnist", steps=2, batch=8), tmp_path / "all.npz", tmp_path / "body")
    assert told["pictures"] == 24
    body = beginning(tmp_path / "body")
    own = recipe("breastmnist")
    net = GridNet(own.widths, 2, softened=True).begun(body)
    assert all(np.array_equal(net.body.state_dict()[n].numpy(), v) for n, v in body.items())
    with pytest.raises(Refused, match="another network"):
        GridNet((4, 8), 2).begun(body)
    cases = Examples(pictures, labels, np.full(24, -1), tuple(map(str, range(24))), np.arange(24), "d")
    how = replace(own, batch=24, epochs=1, rate=1e-9)
    at = fit_classes_net(how, cases, 0, begin=body).body.state_dict()
    assert all(np.allclose(at[n].numpy(), v, atol=1e-5) for n, v in body.items() if "running" not in n)
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "body.safetensors").write_bytes(
        (tmp_path / "body" / "body.safetensors").read_bytes()[:-4] + np.float32("nan").tobytes()
    )
    with pytest.raises(Refused, match="numbers that are not finite"):
        beginning(tmp_path / "torn")
    with pytest.raises(NotFound):
        beginning(tmp_path)
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(Refused, match=r"only films \(chest_xray_opacity\) go on from a model.*--rehearse OLD"):
        beginning(tmp_path)
    with pytest.raises(Refused, match="only classes"):
        train("mammographic_mass", tmp_path, tmp_path / "out", begin=tmp_path / "body")
    with pytest.raises(Refused, match="without labels"):
        pretrain(Pretraining("hippocampus"), tmp_path / "all.npz", tmp_path / "x")
    for bad in ({"method": "jigsaw"}, {"steps": 0}, {"hidden": 1.0}, {"temperature": 0.0}):
        with pytest.raises(Refused):
            Pretraining("breastmnist", **bad)


def test_a_beginning_that_needs_more_memory_than_there_is_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "body.safetensors").write_bytes(packed({"body.0.weight": np.zeros(40_000_000, np.float32)}))
    (tmp_path / "model.onnx").write_bytes(bytes(160_000_000))
    monkeypatch.setattr(confining, "_available", lambda: 64 << 20)  # a machine that has 64 MiB to give
    for read in (
        lambda: beginning(tmp_path),
        lambda: read_back(tmp_path, recipe("chest_xray_opacity"), torch.zeros(1, 1, 32, 32)),
    ):
        with pytest.raises(LimitReached, match="more memory than there is"):
            read()
    monkeypatch.undo()
    assert beginning(tmp_path)["body.0.weight"].size == 40_000_000, "the bound ends with the reading"
