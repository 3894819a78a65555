"""Stripes, and the filter that is made for them."""

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.gabor import gabor

ONE = (1.0, 1.0, 1.0)


def stripes(wavelength: float, theta_deg: float) -> np.ndarray:
    _, y, x = np.indices((1, 48, 48))
    theta = np.deg2rad(theta_deg)
    return np.cos(2 * np.pi * (x * np.cos(theta) + y * np.sin(theta)) / wavelength)


def test_it_answers_to_its_own_direction_and_wavelength() -> None:
    image = stripes(6.0, 30.0)
    answers = {t: gabor(image, 4.0, 6.0, 1.0, ONE, theta_deg=t)[0, 24, 24] for t in (30.0, 90.0, 210.0)}
    assert answers[30.0] > 100 * answers[90.0] and answers[210.0] == pytest.approx(answers[30.0])
    # Half of a cosine is a wave in this direction: the window's integral, 2 pi sigma squared, halved.
    assert answers[30.0] == pytest.approx(np.pi * 16.0, rel=0.01)
    assert gabor(image, 4.0, 3.0, 1.0, ONE, theta_deg=30.0)[0, 24, 24] < 0.01 * answers[30.0]


def test_pooled_over_directions_and_planes() -> None:
    one, other = (gabor(stripes(6.0, t), 4.0, 6.0, 1.5, ONE, step_deg=45.0)[0, 24, 24] for t in (0.0, 45.0))
    assert one == pytest.approx(other, rel=0.01)
    image = np.random.default_rng(0).normal(size=(12, 12, 12))
    pooled = gabor(image, 1.0, 3.0, 1.0, ONE, step_deg=45.0, orthogonal=True)
    turned = gabor(image.transpose(1, 2, 0), 1.0, 3.0, 1.0, ONE, step_deg=45.0, orthogonal=True)
    assert turned == pytest.approx(pooled.transpose(1, 2, 0))


def test_refusals() -> None:
    with pytest.raises(Refused, match="square"):
        gabor(np.zeros((2, 4, 4)), 1.0, 2.0, 1.0, (1.0, 1.0, 2.0))
    with pytest.raises(Refused, match="all are positive"):
        gabor(np.zeros((2, 4, 4)), 1.0, 0.0, 1.0, ONE)
