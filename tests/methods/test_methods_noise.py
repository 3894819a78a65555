"""The noise that was planted is the noise that is found."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.methods.noise import noise_of, otsu, signal_to_noise


@settings(max_examples=30, deadline=None)
@given(st.floats(0.01, 1000.0), st.integers(0, 1000))
def test_planted_noise_is_found(sigma: float, seed: int) -> None:
    image = 500.0 + sigma * np.random.default_rng(seed).standard_normal((128, 128))
    assert noise_of(image) == pytest.approx(sigma, rel=0.06)


def test_edges_are_not_noise() -> None:
    image = np.zeros((128, 128))
    image[:, 64:] = 1000.0
    image[40:90, 20:100] += 300.0
    assert noise_of(image) == 0.0


def test_only_what_counts_is_looked_at() -> None:
    rng = np.random.default_rng(0)
    image = np.zeros((128, 128))
    image[32:96, 32:96] = 100.0 + 5.0 * rng.standard_normal((64, 64))
    inside = np.zeros(image.shape, bool)
    inside[32:96, 32:96] = True
    assert noise_of(image) == 0.0  # flat padding hides it
    assert noise_of(image, inside) == pytest.approx(5.0, rel=0.08)
    assert noise_of(image, np.zeros(image.shape, bool)) == 0.0


def test_a_line_of_pixels_has_no_noise() -> None:
    assert noise_of(np.arange(10.0)[None]) == 0.0


@pytest.mark.parametrize("side", [64, 65])
def test_flipping_changes_nothing(side: int) -> None:
    image = np.random.default_rng(2).random((side, side + 1))
    for turned in (image[::-1], image[:, ::-1], image.T):
        assert noise_of(turned) == noise_of(image)


def test_otsu_lies_between_two_peaks() -> None:
    rng = np.random.default_rng(0)
    image = np.concatenate([rng.normal(10, 2, 5000), rng.normal(90, 5, 2000)]).reshape(70, 100)
    assert 20 < otsu(image) < 75
    assert otsu(np.full((4, 4), 3.0)) == 3.0


def test_otsu_takes_the_middle_of_an_empty_range() -> None:
    image = np.r_[np.zeros(500), np.full(500, 100.0)].reshape(20, 50)
    assert otsu(image) == pytest.approx(50.0, abs=1.0)


def test_signal_to_noise_of_a_ball() -> None:
    rng = np.random.default_rng(0)
    image = np.zeros((128, 128))
    image[32:96, 32:96] = 200.0
    ratio, noise, contrast = signal_to_noise(image + 10.0 * rng.standard_normal(image.shape))
    assert (ratio, noise, contrast) == (
        pytest.approx(20.0, rel=0.1),
        pytest.approx(10.0, rel=0.1),
        pytest.approx(200.0, rel=0.02),
    )
    assert signal_to_noise(image)[0] == float("inf")
    assert signal_to_noise(np.ones((16, 16))) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("values", [[[5, 6]], [[0, 100], [3, 7]], [[1], [2]]])
def test_a_handful_of_pixels_has_a_threshold(values: list[list[int]]) -> None:
    image = np.array(values, dtype=np.uint16)
    assert image.min() < otsu(image) < image.max()
