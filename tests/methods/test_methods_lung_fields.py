"""Lung fields on chests of known widths, and pictures that are none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods import lung_fields
from isocenter.testing.phantoms import thorax


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other)))


@pytest.mark.parametrize(("heart", "width"), [(120.0, 300.0), (150.0, 270.0), (200.0, 320.0)])
def test_ratio_and_fields_are_those_that_were_built(heart: float, width: float) -> None:
    pixels, truth = thorax.picture(seed=int(heart), heart_mm=heart, thorax_mm=width)
    chest = lung_fields.outline(pixels.astype(np.float32))
    assert chest.ratio == pytest.approx(truth["cardiothoracic_ratio"], abs=0.015)
    assert chest.heart_px * 0.8 == pytest.approx(truth["heart_mm"], rel=0.03)
    assert dice(chest.right, truth["right"]) > 0.95 and dice(chest.left, truth["left"]) > 0.95
    assert not chest.cut and chest.unsure < 0.15 and abs(chest.turned) < 0.05


def test_a_width_that_does_not_hold_is_no_width_of_the_thorax() -> None:
    row, column = np.indices((256, 256))
    right, left = ((row > 60) & (row < 200) & (np.abs(column - c) < 30) for c in (70, 180))
    heart = (row > 120) & (row < 190) & (column > 101) & (column < 149)
    plain = lung_fields.measured(right, left, heart, right | left, 0.5, (512, 512))
    right[196:200, 20:70] = left[197:200, 180:240] = True  # an outline that runs into the chest wall at its foot
    flared = lung_fields.measured(right, left, heart, right | left, 0.5, (512, 512))
    assert flared.thorax_px == plain.thorax_px and flared.ratio == plain.ratio
    assert 120 < plain.thorax_ends[0][0] < 400 and plain.thorax_ends[0][1] == pytest.approx(81.5)
    right[170:200, 20:70] = True  # a tenth of the height and more: the thorax is wide
    assert lung_fields.measured(right, left, heart, right | left, 0.5, (512, 512)).thorax_px > plain.thorax_px


def test_a_foot_of_the_heart_under_a_lung_is_no_width_of_it() -> None:
    row, column = np.indices((256, 256))
    right, left = ((row > 60) & (row < 200) & (np.abs(column - c) < 30) for c in (70, 180))
    right &= (row < 170) | (column < 60)  # its base rises to the heart, as over the dome of the liver
    heart = (row > 120) & (row < 190) & (column > 99) & (column < 151)
    plain = lung_fields.measured(right, left, heart, right | left, 1.0, (256, 256))
    assert plain.heart_px == 51.0 and plain.heart_ends[1][1] == pytest.approx(150.5)
    foot = heart | ((row > 172) & (row < 190) & (column > 82) & (column < 151))
    seen = lung_fields.measured(right, left, foot, right | left, 1.0, (256, 256))
    assert (seen.heart_px, seen.ratio) == (plain.heart_px, plain.ratio)
    assert 120 < seen.heart_ends[0][0] < 173 and np.count_nonzero(seen.heart) > np.count_nonzero(plain.heart)
    wide = heart | ((row > 130) & (row < 170) & (column > 92) & (column < 151))  # against the lung: the heart is wide
    assert lung_fields.measured(right & ~wide, left, wide, right | left, 1.0, (256, 256)).heart_px == 58.0
    apart = lung_fields.measured(right & (column < 70), left & (column > 175), heart, right | left, 1.0, (256, 256))
    assert apart.heart_px == 51.0, "no lung borders on it: all rows count"


def test_the_right_hilum_drawn_as_heart_is_no_width_of_it() -> None:
    row, column = np.indices((256, 256))
    right, left = ((row > 60) & (row < 200) & (np.abs(column - c) < 30) for c in (70, 180))
    heart = (row > 120) & (row < 190) & (column > 99) & (column < 151)
    hilum = heart | ((row > 124) & (row < 145) & (column > 84) & (column < 151))
    seen = lung_fields.measured(right & ~hilum, left, hilum, right | left, 1.0, (256, 256))
    assert seen.heart_px == lung_fields.measured(right, left, heart, right | left, 1.0, (256, 256)).heart_px == 51.0
    only = right & (row < 150)  # where lung lies beside the upper part alone, it is taken there
    assert lung_fields.measured(only & ~hilum, left, hilum, only | left, 1.0, (256, 256)).heart_px == 66.0


def test_outlines_are_enlarged_as_a_general_interpolation_would() -> None:
    from scipy.ndimage import gaussian_filter, zoom

    small = gaussian_filter(np.random.default_rng(0).normal(size=(213, 256)), 9) > 0.02
    soft = gaussian_filter(small.astype(np.float32), 0.7)
    for shape in ((1704, 2048), (640, 769)):
        factors = (shape[0] / 213, shape[1] / 256)
        grown = zoom(soft, factors, order=1, grid_mode=True, mode="nearest") > 0.5
        fine = lung_fields._enlarged(small, shape)
        assert np.count_nonzero(fine != grown[: shape[0], : shape[1]]) <= 2


def test_an_outline_that_is_lost_on_a_coarser_picture_is_refused() -> None:
    right, left, thin = (np.zeros((256, 256), np.bool_) for _ in range(3))
    right[60:180, 40:100] = left[60:180, 150:210] = True
    thin[120:122, 122] = True  # two of 256 pixels, on a picture of 48
    with pytest.raises(Refused, match="thinner than a pixel"):
        lung_fields.measured(right, left, thin, right | left, 256 / 48, (48, 48))


def test_scale_and_range_of_values_do_not_matter() -> None:
    pixels, _ = thorax.picture(seed=2)
    held = lung_fields.outline(pixels.astype(np.float32))
    finer = lung_fields.outline(np.kron(pixels, np.ones((3, 3), np.uint16)).astype(np.float32) * 0.01 - 7.0)
    assert finer.ratio == pytest.approx(held.ratio, abs=0.01)
    assert finer.right.shape == (1536, 1536)
    assert finer.heart_px == pytest.approx(3 * held.heart_px, rel=0.02)
    assert held.heart[int(held.heart_ends[0][0]), int(held.heart_ends[0][1]) + 3]


def test_a_pulled_mediastinum_and_low_lungs_show() -> None:
    turned, _ = thorax.picture(seed=3, turned_mm=34.0)
    assert lung_fields.outline(turned.astype(np.float32)).turned > 0.15
    low, _ = thorax.picture(seed=4, height_mm=165.0)
    assert lung_fields.outline(low.astype(np.float32)).inspiration < 0.6


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (lambda: np.zeros((40, 40), np.float32), "48 by 48"),
        (lambda: np.zeros((100, 300), np.float32), "no film of one chest"),
        (lambda: np.ones((100, 100), np.float32), "one value"),
        (lambda: np.full((100, 100), np.nan, np.float32), "not numbers"),
        (lambda: np.random.default_rng(0).random((200, 200)).astype(np.float32), "no two lungs"),
        (lambda: 4095.0 - thorax.picture(seed=1)[0].astype(np.float32), "no two lungs"),
        (lambda: thorax.picture(seed=1)[0][:, :270].astype(np.float32), "no two lungs"),
    ],
)
def test_what_is_no_chest(picture: Callable[[], np.ndarray], words: str) -> None:
    with pytest.raises(Refused, match=words):
        lung_fields.outline(picture())
