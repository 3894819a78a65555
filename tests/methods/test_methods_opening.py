"""What is opened, closed, filled and reached is what `scipy.ndimage` says, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from isocenter.methods.opening import closed, filled, opened, reached


def disc(down: int, right: int) -> np.ndarray:
    y, x = np.mgrid[-down : down + 1, -right : right + 1]
    return np.asarray((y / max(down, 1)) ** 2 + (x / max(right, 1)) ** 2 <= 1.0)


@pytest.mark.parametrize("smooth", [0.0, 1.5])
def test_masks_of_every_kind_are_opened_and_closed_as_by_scipy_also_at_their_borders(smooth: float) -> None:
    rng = np.random.default_rng(20)
    changed = 0
    for _ in range(60):
        noise = ndimage.gaussian_filter(rng.random(rng.integers(1, 50, 2)), smooth)
        mask, with_ = noise > np.quantile(noise, rng.random()), disc(*rng.integers(0, 9, 2))
        given = mask.copy()
        assert (opened(mask, with_) == ndimage.binary_opening(mask, with_)).all()
        assert (closed(mask, with_) == ndimage.binary_closing(mask, with_)).all()
        assert (mask == given).all()
        changed += int((opened(mask, with_) != mask).any()) + int((closed(mask, with_) != mask).any())
    assert changed > 60


@pytest.mark.parametrize("axes", [2, 3])
def test_holes_and_what_a_start_reaches_are_those_of_scipy(axes: int) -> None:
    rng = np.random.default_rng(21)
    holes = left = 0
    for _ in range(60):
        noise = ndimage.gaussian_filter(rng.random(rng.integers(1, 40 if axes == 2 else 15, axes)), rng.choice([0, 1]))
        mask = noise > np.quantile(noise, 0.7 * rng.random())
        start = mask & (rng.random(mask.shape) > 0.97)
        assert (filled(mask) == ndimage.binary_fill_holes(mask)).all()
        assert (reached(mask, start) == ndimage.binary_propagation(start, mask=mask)).all()
        holes += int((filled(mask) != mask).any())
        left += int((reached(mask, start) != mask).any())
    assert min(holes, left) > 10
