"""Edges of known width."""

import numpy as np
import pytest
from scipy import ndimage

from isocenter.methods.sharpness import edge_width


def disk(noise: float = 0.0) -> np.ndarray:
    y, x = np.indices((192, 192)) - 95.5
    image = np.where(np.hypot(x, y) < 60, 100.0, 0.0)
    return image + noise * np.random.default_rng(0).standard_normal(image.shape)


def test_an_edge_blurred_by_a_gaussian_has_its_width() -> None:
    # The slope of a step through a Gaussian is contrast / (sigma * sqrt(2 pi)).
    for sigma in (1.5, 2.0, 3.0):
        assert edge_width(ndimage.gaussian_filter(disk(), sigma)) == pytest.approx(sigma * np.sqrt(2 * np.pi), rel=0.1)


def test_more_blur_is_wider() -> None:
    widths = [edge_width(ndimage.gaussian_filter(disk(2.0), s), 0.1) for s in (0.8, 1.5, 3.0, 4.0)]
    assert all(w is not None for w in widths)
    assert widths == sorted(widths, key=lambda w: w or 0)


def test_noise_is_no_edge() -> None:
    noise = 10.0 * np.random.default_rng(0).standard_normal((128, 128))
    assert edge_width(noise, 10.0) is None


def test_noise_does_not_hide_an_edge() -> None:
    width = edge_width(disk(10.0), 10.0)
    assert width is not None
    assert width < 4.0


def test_without_edges_there_is_no_answer() -> None:
    assert edge_width(np.full((64, 64), 3.0)) is None
    assert edge_width(np.zeros((8, 200))) is None


def test_flipping_changes_nothing() -> None:
    image = ndimage.gaussian_filter(disk(3.0), 1.0)
    for turned in (image[::-1], image[:, ::-1], image.T):
        assert edge_width(turned) == pytest.approx(edge_width(image), rel=1e-6)
