"""A mask that is no mask of this image is refused in words by every method that takes one."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods import calcium, intensity, morphology_features

IMAGE = np.random.default_rng(0).normal(100.0, 20.0, (4, 6, 7))
MASK = np.zeros(IMAGE.shape, bool)
MASK[1:3, 2:5, 2:6] = True
SPACING = (3.0, 1.0, 1.0)


def _lacking(image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    out = image.copy()
    out[1, 2, 3] = np.nan
    return out


@pytest.mark.parametrize(
    "method",
    [
        lambda image, mask: intensity.local_peaks(image, mask, SPACING),
        lambda image, mask: morphology_features.shape_with_intensity(image, mask, mask, SPACING, 100.0),
        lambda image, mask: calcium.calcium(image, SPACING, mask),
    ],
)
def test_a_mask_that_does_not_fit_is_refused_and_one_that_fits_is_taken(method: Callable[[Any, Any], Any]) -> None:
    assert method(IMAGE, MASK)
    with pytest.raises(Refused, match="boolean"):
        method(IMAGE, MASK.astype(int))
    with pytest.raises(Refused, match=r"the images? ha(s|ve) \(4, 6, 7\)"):
        method(IMAGE, MASK[:3])
    with pytest.raises(Refused, match="not numbers"):
        method(_lacking(IMAGE), MASK)


def test_a_shape_of_labels_is_refused() -> None:
    with pytest.raises(Refused, match="labels == 1"):
        morphology_features.shape(2 * MASK.astype(int), SPACING)
