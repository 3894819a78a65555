"""Speckle: simulated Rayleigh and Nakagami envelopes give what theory says; log compression is undone or refused."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods import speckle


def rayleigh(shape: tuple[int, ...], seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.abs(rng.standard_normal(shape) + 1j * rng.standard_normal(shape))


def test_fully_developed_speckle() -> None:
    echo = rayleigh((1000, 1000))
    assert pytest.approx(1.913, abs=5e-4) == speckle.RAYLEIGH_RATIO
    assert speckle.signal_ratio(echo) == pytest.approx(1.913, abs=0.01)
    assert speckle.looks(echo) == pytest.approx(1.0, abs=0.01)
    assert speckle.nakagami(echo).m == pytest.approx(1.0, abs=0.005)


@pytest.mark.parametrize("m", [0.4, 0.7, 1.6, 3.0])
def test_a_planted_shape_is_found(m: float) -> None:
    echo = np.sqrt(np.random.default_rng(2).gamma(m, 2.5 / m, 200_000))
    found = speckle.nakagami(echo)
    assert found.m == pytest.approx(m, rel=0.02) and found.omega == pytest.approx(2.5, rel=0.02)
    local = speckle.nakagami_map(echo.reshape(400, 500).astype(np.float32), (21, 21))
    assert np.nanmedian(local) == pytest.approx(m, rel=0.08)


@pytest.mark.parametrize("m", [0.8, 1.0, 1.5])
def test_black_pixels_do_not_lift_the_shape(m: float) -> None:
    rng = np.random.default_rng(7)
    echo = np.sqrt(rng.gamma(m, 1.0 / m, 40_000))
    grey = np.clip(np.round((0.3 + 20.0 * np.log10(echo) / 60.0) * 255.0), 0, 255)
    seen = speckle.envelope(grey, 60.0)
    black = 10.0 ** ((0.5 / 255.0 - 1.0) * 60.0 / 20.0)
    assert speckle.nakagami(seen, black=black).m == pytest.approx(m, rel=0.02)
    assert speckle.nakagami(seen).m > speckle.nakagami(seen, black=black).m


def test_the_compression_is_undone() -> None:
    echo = rayleigh((300, 300))
    decibel = 20 * np.log10(echo / echo.max())
    grey = np.round(np.clip((decibel + 80) / 80 * 255, 0, 255))
    back = speckle.envelope(grey, 80.0)
    assert np.median(back / (echo / echo.max())) == pytest.approx(1.0, abs=0.01)
    assert speckle.signal_ratio(back) == pytest.approx(1.913, abs=0.02)
    assert abs(speckle.signal_ratio(grey) - 1.913) > 1.0  # what is shown is no Rayleigh variable
    assert speckle.envelope(np.zeros((2, 2)), 60.0).max() == 0.0


@pytest.mark.parametrize("decibel", [0.0, 19.0, 121.0, float("nan")])
def test_without_the_dynamic_range_nothing_is_computed(decibel: float) -> None:
    with pytest.raises(Refused, match="dynamic range"):
        speckle.envelope(np.ones((4, 4)), decibel)


def test_contrast() -> None:
    one, other = rayleigh((200, 200), 1), 3.0 * rayleigh((200, 200), 2)
    assert speckle.generalised_contrast(one, one) == 0.0
    apart = speckle.generalised_contrast(one, other)
    # Two Rayleigh laws of scale 1 and 3 cross at x2 = 9 ln 9 / 4: the overlap is known.
    crossing = 9 * np.log(9) / 4
    truth = np.exp(-crossing / 18) - np.exp(-crossing / 2)
    assert apart == pytest.approx(truth, abs=0.02)
    assert speckle.generalised_contrast(np.log(one + 1), np.log(other + 1)) == pytest.approx(apart, abs=1e-12)
    assert speckle.contrast_to_noise(one, other) == pytest.approx(
        2 * np.sqrt(np.pi / 2) / np.sqrt((1 + 9) * (2 - np.pi / 2)), rel=0.02
    )


@pytest.mark.parametrize(("pixels", "most"), [(500, 0.12), (2000, 0.06), (10_000, 0.03)])
def test_few_pixels_of_one_tissue_are_no_contrast(pixels: int, most: float) -> None:
    said = [speckle.generalised_contrast(rayleigh((pixels,), k), rayleigh((pixels,), 100 + k)) for k in range(20)]
    assert np.mean(said) < most


@pytest.mark.parametrize("m", [0.4, 3.0])
def test_tissues_of_one_power_and_another_shape_part_in_two_places(m: float) -> None:
    from scipy.stats import gamma

    power = np.linspace(0.0, 30.0, 3_000_001)[1:]
    truth = np.abs(gamma(m, scale=1 / m).pdf(power) - gamma(1.0).pdf(power)).sum() * (power[1] - power[0]) / 2
    rng = np.random.default_rng(4)
    echo = np.sqrt(rng.gamma(m, 1 / m, 40_000))
    assert speckle.generalised_contrast(echo, rayleigh((40_000,)) / np.sqrt(2)) == pytest.approx(truth, abs=0.02)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.ones(199), "statistics of speckle need 200"),
        (np.ones(300), "one value everywhere"),
        (np.r_[np.ones(300), -1.0], "zero and up"),
        (np.r_[np.ones(300), np.nan], "zero and up"),
    ],
)
def test_what_is_no_envelope(values: np.ndarray, words: str) -> None:
    with pytest.raises(Refused, match=words):
        speckle.signal_ratio(values)
    with pytest.raises(Refused, match="positive samples"):
        speckle.nakagami(np.r_[np.zeros(300), np.ones(5)])


@pytest.mark.parametrize("window", [(4, 5), (3, 3), (501, 5)])
def test_windows_that_do_not_serve(window: tuple[int, int]) -> None:
    with pytest.raises(Refused, match="a window of"):
        speckle.nakagami_map(rayleigh((100, 100)), window)
