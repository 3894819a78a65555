"""The network of lungs and heart is trained by one command, on films that are drawn."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'ml' is not installed")

import torch

from isocenter.learn import chest
from isocenter.learn.chest_fit import Changes, ChestRecipe, changed, films, fit_chest
from isocenter.learn.recipes import OWN_TRAINING

FEW = ChestRecipe(films=4, side=48, steps=3, batch=2, widths=(4, 8, 12))


def test_it_is_trained_exported_and_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert OWN_TRAINING["chest_xray_heart"] == "isocenter.learn.chest"
    monkeypatch.setattr(chest, "_HELD_OUT", 4)
    lines: list[str] = []
    model = chest.train(Path(), tmp_path, 3, lines.append, recipe=FEW)
    held = json.loads((tmp_path / "model.json").read_text("utf-8"))
    assert held["digest"] == model.digest and model.digest in (tmp_path / "card.md").read_text("utf-8")
    assert model.evidence["parity"] <= 1e-4 and 0 <= model.evidence["metrics"]["dice_heart"]["value"] <= 1
    assert lines and not list(tmp_path.glob("*.checkpoint"))


def test_the_same_seed_gives_the_same_weights_and_a_killed_run_goes_on(tmp_path: Path) -> None:
    drawn, how = films(2, 32, 3), ChestRecipe(films=2, side=32, steps=50, batch=1, widths=(4, 8))
    whole, lines = fit_chest(how, drawn, 1, checkpoint=tmp_path / "a"), []
    again = fit_chest(how, drawn, 1, checkpoint=tmp_path / "a", progress=lines.append)
    assert lines[0].startswith("taken up after")
    for one, other in zip(whole.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_a_mirrored_film_keeps_right_on_the_left_of_the_picture() -> None:
    drawn = films(1, 64, 3)
    x, masks = drawn.pictures[:, None].float() / 255, drawn.masks.float() / 255
    still = Changes(0, 0, 0, 0, 0, 0, 0, 0, 0, mirrored=1.0, inverted=0.0)
    seen, told = changed(x, masks, still, torch.Generator().manual_seed(0))
    assert np.allclose(seen.numpy(), x.flip(3).numpy(), atol=1e-5)
    assert np.allclose(told[:, 2].numpy(), masks[:, 2].flip(2).numpy(), atol=1e-5)
    assert np.allclose(told[:, 0].numpy(), masks[:, 1].flip(2).numpy(), atol=1e-5)
    dark = Changes(0, 0, 0, 0, 0, 0, 0, 0, 0, mirrored=0.0, inverted=1.0)
    inverted, same = changed(x, masks, dark, torch.Generator().manual_seed(0))
    assert np.allclose(inverted.numpy(), (x.max() - x).numpy(), atol=1e-5) and torch.allclose(same, masks, atol=1e-5)
