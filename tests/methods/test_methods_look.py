"""A look does not change with the scale of an image, and does with its contrast, its noise and its sharpness."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from isocenter.methods.look import look

FILM = ndimage.gaussian_filter(np.random.default_rng(0).random((120, 160)), 3) ** 2


def test_scale_and_offset_change_nothing() -> None:
    assert look(FILM) == pytest.approx(look(40 * FILM - 1000), abs=0.002)
    volume = np.stack([FILM] * 40)
    assert look(volume) == pytest.approx(look(FILM), abs=0.01), "a large volume is looked at in part"


def test_contrast_noise_and_blur_change_it() -> None:
    middle, spread, rough = look(FILM)  # type: ignore[misc]
    darker = look(((FILM - FILM.min()) / np.ptp(FILM)) ** 2.2)
    noisy = look(FILM + np.random.default_rng(1).normal(0, FILM.std(), FILM.shape))
    blurred = look(ndimage.gaussian_filter(FILM, 4))
    assert darker and noisy and blurred
    assert darker[0] < middle - 0.1 and noisy[2] > 2 * rough and blurred[2] < rough / 1.3 and spread > 0


def test_what_has_no_look() -> None:
    for even in (np.zeros((5, 5)), np.full((3, 4, 5), np.nan), np.arange(5.0), np.ones((4, 1))):
        assert look(even) is None
    holed = FILM.copy()
    holed[:10] = np.nan
    assert look(holed) is not None
