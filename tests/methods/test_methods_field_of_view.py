"""What of a picture was measured: the circle within padding, whatever its value and however large the picture is."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.field_of_view import border, imaged, must_be_measured

N = 96
Y, X = np.ogrid[:N, :N]
AWAY = np.hypot(Y - (N - 1) / 2, X - (N - 1) / 2)


def picture(radius: float, padding: float, *, noise: float = 15.0) -> np.ndarray:
    """A body of 30 pixels in noisy air, seen in a circle."""
    rng = np.random.default_rng(5)
    plane = np.where(AWAY < 30, 40.0, -1000.0) + noise * rng.standard_normal((N, N))
    return np.where(radius >= AWAY, np.maximum(np.round(plane), -1024), padding)[None].astype(np.float32)


@pytest.mark.parametrize("radius", [47.0, 40.0, 26.0, 20.0])
@pytest.mark.parametrize("padding", [-3024.0, -2000.0, -1024.0, 0.0])
def test_the_circle_is_found_by_what_lies_around_it(radius: float, padding: float) -> None:
    seen = imaged(picture(radius, padding))
    assert np.count_nonzero(seen[0] != (radius >= AWAY)) <= 0.01 * N * N


def test_a_drawn_cylinder_in_air_is_no_field_of_view() -> None:
    plane = np.where(AWAY < 30, 40.0, -1000.0)[None]
    assert not (border(imaged(plane))[0] & (plane[0] > 0)).any()


def test_a_body_in_air_of_one_value_is_no_field_of_view() -> None:
    plane = np.where(np.hypot((Y - 47.5) / 20.0, (X - 47.5) / 34.0) < 1, 40.0, -1024.0)[None]
    assert imaged(plane)[0][plane[0] > 0].all()
    assert not (border(imaged(plane))[0] & (plane[0] > 0)).any()


def test_a_picture_without_padding_is_all_seen() -> None:
    assert imaged(picture(200.0, -2000.0)).all()
    assert border(np.ones((1, 5, 5), bool)).sum() == 16


def test_an_outline_in_the_padding_is_refused() -> None:
    mask = np.zeros((1, N, N), bool)
    mask[0, 40:56, 60:80] = True  # to 32 pixels from the middle
    must_be_measured(picture(47.0, -1024.0), mask, "region")
    must_be_measured(picture(47.0, -1024.0), np.zeros_like(mask), "region")
    with pytest.raises(Refused, match=r"a region of which 3\d % lie outside the field of view"):
        must_be_measured(picture(26.0, -1024.0), mask, "region")
    with pytest.raises(Refused, match="outside the field of view"):
        must_be_measured(picture(31.5, -1024.0), mask, "liver", most=0.0)


@pytest.mark.parametrize("padding", [-1024.0, -2000.0, -3024.0])
def test_an_outline_in_padding_of_any_form_is_refused(padding: float) -> None:
    """Of a turned volume a fifth of a region was a wedge of -1024 HU: its mean was 6 HU for 60, without a word."""
    mask = np.zeros((1, N, N), bool)
    mask[0, 30:60, 30:60] = True
    turned = np.where((Y + X < 75)[None], padding, np.maximum(picture(200.0, 0.0), -1000.0))
    with pytest.raises(Refused, match=r"a region of which 1\d % lie outside the field of view"):
        must_be_measured(turned, mask, "region")
    must_be_measured(turned, np.roll(mask, 25, axis=1), "region")


def test_air_that_is_cut_off_at_the_lowest_value_was_measured() -> None:
    air = np.maximum(np.random.default_rng(4).normal(-1000.0, 25.0, (3, N, N)).round(), -1024.0)
    air[:, 20:70, 20:70] += 60.0
    mask = np.zeros(air.shape, bool)
    mask[:, 10:80, 10:80] = True
    must_be_measured(air, mask, "region")
