"""A picture is prepared alike whatever its grey scale and matrix."""

from __future__ import annotations

from fractions import Fraction
from math import lcm

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.picture import enlarged, prepared, resampled


@pytest.fixture
def picture() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.kron(rng.random((14, 14)), np.ones((16, 16))) * 200 + rng.random((224, 224)) * 30


def test_pillow_agrees(picture: np.ndarray) -> None:
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    theirs = np.asarray(image.fromarray(picture.astype(np.float32)).resize((160, 120), image.Resampling.BILINEAR))
    assert np.abs(resampled(picture, 120, 160) - theirs).max() < 1e-2
    up = np.asarray(image.fromarray(picture.astype(np.float32)).resize((500, 400), image.Resampling.BILINEAR))
    assert np.abs(resampled(picture, 400, 500) - up).max() < 1e-2


def _whole(wanted: int, given: int) -> tuple[np.ndarray, int]:
    """The triangle filter of a line that shrinks in whole numbers, and what they are to be divided by."""
    scale, half = Fraction(given, wanted), Fraction(1, 2)
    rows = [
        [max(1 - abs(i + half - (k + half) * scale) / scale, Fraction(0)) for i in range(given)] for k in range(wanted)
    ]
    shares = [[v / sum(row) for v in row] for row in rows]
    under = lcm(*(v.denominator for row in shares for v in row))
    return np.array([[int(v * under) for v in row] for row in shares]), under


def test_half_a_grey_level_is_the_same_whole_one_on_every_processor() -> None:
    grey = np.random.default_rng(5).integers(0, 256, (100, 32, 32))
    weights, under = _whole(24, 32)
    exact = weights @ grey @ weights.T
    assert np.array_equal(resampled(grey, 24, 24), (exact / under**2).astype(np.float32))
    halves = np.count_nonzero(2 * exact % (2 * under**2) == under**2)
    assert halves > 100, "pictures in which nothing lies between two levels would show nothing"


def test_grey_scale_and_offset_make_no_difference(picture: np.ndarray) -> None:
    one = prepared(picture, 160)
    assert one.shape == (160, 160) and one.dtype == np.float32
    assert one.min() >= 0 and one.max() <= 1 and one.std() > 0.1
    assert np.abs(prepared(picture * 13.7 - 400, 160) - one).max() < 1.5 / 255


def test_a_finer_matrix_makes_little_difference(picture: np.ndarray) -> None:
    fine = np.kron(picture, np.ones((3, 3)))
    assert np.abs(prepared(fine, 160) - prepared(picture, 160)).mean() < 0.02


def test_a_stripe_that_is_too_fine_becomes_grey_and_no_other_stripe() -> None:
    stripes = np.tile([0.0, 1.0], (64, 128))
    assert np.abs(resampled(stripes, 16, 16) - 0.5).max() < 0.05


def test_a_map_is_enlarged_within_its_range() -> None:
    coarse = np.array([[0.0, 1.0], [0.0, 0.0]])
    fine = enlarged(coarse, 40, 60)
    assert fine.shape == (40, 60) and fine.max() <= 1.0 and fine.min() >= 0.0
    assert fine[0, -1] == fine.max()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (np.zeros((50, 50)), "one grey"),
        (np.zeros((3, 50, 50)), "shape"),
        (np.full((50, 50), np.nan), "not finite"),
    ],
)
def test_what_shows_nothing_is_refused(wrong: np.ndarray, says: str) -> None:
    with pytest.raises(Refused, match=says):
        prepared(wrong, 32)
