"""The gate of the model of lungs and heart is taught beside its outlines, and changes none of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

pytest.importorskip("torch", reason="the extra 'ml' is not installed")

import torch

from isocenter.analysis.weights import read_file
from isocenter.errors import Refused
from isocenter.learn import chest_gate
from isocenter.learn.chest_gate import OUTPUT, with_chest_gate
from isocenter.learn.export import exported
from isocenter.learn.judge import folder_of, opened
from isocenter.learn.strangers import taught_to_decline
from isocenter.methods.virtual_chest import virtual_film

FILMS = np.stack([virtual_film(k, 128).picture for k in (3, 4)])[:, None].astype(np.float32)


def shipped() -> bytes:
    held, _ = opened("chest_xray_heart", None)
    return read_file(folder_of("chest_xray_heart", held, None) / "model.onnx")


def said(weights: bytes, name: str) -> np.ndarray:
    return onnxruntime.InferenceSession(weights).run([name], {"films": FILMS})[0]


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place, rng = tmp_path_factory.mktemp("gate"), np.random.default_rng(1)
    for k in range(24):
        folder = place / "children" / ("NORMAL" if k % 2 else "PNEUMONIA")
        folder.mkdir(parents=True, exist_ok=True)
        name = f"NORMAL2-IM-{k:04d}-0001.jpeg" if k % 2 else f"person{k}_bacteria_{k}.jpeg"
        Image.fromarray(np.round(virtual_film(200 + k, 96).picture * 255).astype(np.uint8)).save(folder / name)
    np.savez(
        place / "others.npz", images=rng.integers(0, 255, (40, 64, 64), dtype=np.uint8), labels=np.arange(40) % 2,
        classes=np.array(["CXR", "Hand"]),
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chest_gate, "_DRAWN", 6)
        whole = chest_gate.chest_gate_taught
        patch.setattr("isocenter.learn.strangers.chest_gate_taught", lambda *a, **k: whole(*a, **k, steps=2))
        made = taught_to_decline("chest_xray_heart", place / "children", place / "next", [place / "others.npz"])
    before = opened("chest_xray_heart", None)[0]
    assert made.parent == before.digest and int(made.version) == int(before.version) + 1
    assert set(made.evidence["out_of_scope"]) > {"children's chests (right)", "adults' chests (right)"}
    assert "called no upright chest" in (place / "next" / "card.md").read_text("utf-8")
    return place / "next"


def test_its_outlines_are_those_before_to_the_last_bit(taught: Path) -> None:
    after = (taught / "model.onnx").read_bytes()
    assert np.array_equal(said(shipped(), "logits"), said(after, "logits"))
    chances = said(after, OUTPUT)
    assert chances.shape == (2, 3) and np.allclose(chances.sum(1), 1, atol=1e-5)


def test_another_gate_takes_the_place_of_the_first(taught: Path, tmp_path: Path) -> None:
    class Sure(torch.nn.Module):
        def forward(self, films: torch.Tensor) -> torch.Tensor:
            return films.mean((2, 3)) * torch.tensor([[0.0, 0.0, 1.0]])

    def written(name: str) -> bytes:
        exported(Sure(), (1, 128, 128), tmp_path / "a.onnx", (OUTPUT,), name=name)
        return (tmp_path / "a.onnx").read_bytes()

    again = with_chest_gate((taught / "model.onnx").read_bytes(), written("films"))
    assert np.allclose(said(again, OUTPUT)[:, 2], FILMS.mean((1, 2, 3)), atol=1e-5)
    assert len(again) < len((taught / "model.onnx").read_bytes()) - 100_000  # nothing of the first is left
    with pytest.raises(Refused, match="files of other inputs"):
        with_chest_gate(shipped(), written("image"))
