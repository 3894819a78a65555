"""Breast, muscle and density of pictures of known truth, and pictures that are none."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods import mammogram
from isocenter.testing.phantoms import breast


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other)))


@pytest.mark.parametrize(
    ("side", "view", "gland"), [("L", "CC", 0.45), ("R", "MLO", 0.3), ("L", "MLO", 0.5), ("R", "CC", 0.0)]
)
def test_density_is_that_which_was_built(side: str, view: str, gland: float) -> None:
    pixels, truth = breast.picture(seed=3, side=side, view=view, gland=gland)
    held = mammogram.outline(pixels.astype(np.float32), oblique=view == "MLO")
    assert held.side == side
    assert held.percent == pytest.approx(truth["percent_density"], abs=4.0)
    assert dice(held.breast, truth["breast"]) > 0.97
    if view == "MLO":
        assert dice(held.muscle, truth["muscle"]) > 0.95
    if gland:
        assert dice(held.dense, truth["dense"]) > 0.93


@pytest.mark.parametrize("gland_mm", [0.0, 14.0, 40.0])
def test_a_thinner_rim_is_no_fat_about_gland(gland_mm: float) -> None:
    """Thickness falls off over a fifth of the breast; without gland its middle was called dense (64 %)."""
    row, column = np.indices((400, 320))
    away = np.hypot(column / 260.0, (row - 200) / 170.0)
    thick = np.sqrt(np.clip((1.0 - away) / 0.22, 0.0, 1.0))
    gland = np.hypot(column - 90, row - 200) < 2.0 * gland_mm
    noise = 6.0 * np.random.default_rng(5).standard_normal(away.shape)
    picture = 150.0 + 2600.0 * thick * np.where(gland, 1.0, 0.55) + noise
    held = mammogram.outline(picture.astype(np.float32), oblique=False)
    built = 100.0 * np.count_nonzero(gland) / np.count_nonzero(away < 1.0)
    assert held.percent == pytest.approx(built, abs=1.0)


def test_muscle_is_looked_for_in_oblique_views_alone() -> None:
    pixels, _ = breast.picture(view="MLO")
    assert not mammogram.outline(pixels.astype(np.float32), oblique=False).muscle.any()
    plain, _ = breast.picture(view="CC")
    assert not mammogram.outline(plain.astype(np.float32), oblique=True).muscle.any()


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (np.zeros((40, 90), np.float32), "64 by 64"),
        (np.ones((100, 100), np.float32), "one value"),
        (np.full((100, 100), np.inf, np.float32), "not numbers"),
        (np.eye(100, dtype=np.float32), "no breast|fills"),
        (np.pad(np.ones((60, 60), np.float32), 30) + np.random.default_rng(0).random((120, 120)) * 0.01, "chest wall"),
    ],
)
def test_what_is_no_mammogram(picture: np.ndarray, words: str) -> None:
    with pytest.raises(Refused, match=words):
        mammogram.outline(np.asarray(picture, np.float32), oblique=False)
