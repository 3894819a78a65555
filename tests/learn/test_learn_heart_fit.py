"""What is asked of the heart's network: the border where experts draw it, and not where one patient's lies."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'ml' is not installed")

import torch

from isocenter.learn.heart_fit import HeartRecipe, _loss, drawn_outward, fit_heart
from isocenter.learn.hearts import MARGIN, Hearts, examples_of
from isocenter.learn.taken_up import digest_of_weights

LINE = np.arange(MARGIN) - (MARGIN - 1) / 2
R = np.hypot(LINE[:, None], LINE[None])


def hearts(inner: float = 16.0, outer: float = 22.0) -> Hearts:
    cavity, whole = (np.clip(r - R + 0.5, 0, 1) for r in (inner, outer))
    masks = np.stack([np.stack([cavity, whole]), np.zeros((2, MARGIN, MARGIN))], axis=1)[None]
    pictures = np.stack([cavity + 0.3 * whole, 0.1 * np.ones_like(R)])[None]
    return examples_of("virtual 0", pictures, masks, [True])


def test_virtual_hearts_are_drawn_outward_within_the_epicardium() -> None:
    given = hearts()
    for part, radius in ((0.0, 16.0), (1 / 16, 17.0), (1 / 8, 18.0), (3.0, 22.0)):
        area = drawn_outward(given, part).masks[:, 0].sum((1, 2)) / 255
        assert np.sqrt(area[0] / np.pi) == pytest.approx(radius, abs=0.3) and area[1] == 0, part
    assert np.array_equal(given.masks, hearts().masks)


def test_where_a_patients_border_lies_weighs_little_and_whether_there_is_a_cavity_as_ever() -> None:
    wide, narrow = (torch.from_numpy(hearts(r).masks[:1].astype(np.float32) / 255) for r in (17.0, 16.0))
    logits, known = (narrow - 0.5) * 12, torch.tensor([True])
    none = torch.full_like(logits, -6.0)

    def off(weight: float, said: torch.Tensor) -> float:
        border = torch.tensor([weight])
        return float(_loss(said, wide, known, border) - _loss((wide - 0.5) * 12, wide, known, border))

    assert 0 < off(0.1, logits) < 0.4 * off(1.0, logits)
    assert off(0.1, none) > 0.8 * off(1.0, none)


@pytest.mark.nightly
def test_a_fit_goes_on_from_the_first_one_and_repeats(tmp_path: Path) -> None:
    recipe = replace(HeartRecipe(), widths=(4, 8), first=2, steps=2, batch=2)
    first = fit_heart(recipe, hearts(), 0)
    before = digest_of_weights(first)
    seen = Hearts.together([hearts(), replace(hearts(), names=("SC",) * 2)])
    one, two = (fit_heart(recipe, seen, 0, start=first, checkpoint=tmp_path / f"{k}") for k in (1, 2))
    assert digest_of_weights(one) == digest_of_weights(two) != before == digest_of_weights(first)
    assert digest_of_weights(fit_heart(recipe, hearts(), 0)) == before
    # What decides only how patients are learnt from does not make the first fit anew.
    said: list[str] = []
    for steps in (2, 3):
        file = tmp_path / "first"
        fit_heart(replace(recipe, steps=steps, first=50, batch=1), hearts(), 0, checkpoint=file, progress=said.append)
    assert said[-1] == "taken up after epoch 1"


def test_the_network_that_says_where_the_border_runs_is_fitted_apart() -> None:
    recipe = replace(HeartRecipe(), widths=(4, 8), first=1, deep=2, batch=2)
    one, two = (fit_heart(recipe, hearts(), 0, deep=True) for _ in range(2))
    assert digest_of_weights(one) == digest_of_weights(two)
    assert (one.head.out_channels, fit_heart(recipe, hearts(), 0).head.out_channels) == (3, 2)
