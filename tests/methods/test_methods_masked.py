"""A mask that is no mask of this image is refused in words by every method that takes one."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods import calcium, filters, gabor, intensity, morphology_features, radiomics, riesz, wavelets

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
    for kind in (np.uint8, np.float64):  # as files hold them
        assert repr(method(IMAGE, MASK.astype(kind))) == repr(method(IMAGE, MASK))
    for wrong in (2 * MASK.astype(int), 0.5 * MASK, MASK.astype(object)):
        with pytest.raises(Refused, match="boolean"):
            method(IMAGE, wrong)
    with pytest.raises(Refused, match=r"the images? ha(s|ve) \(4, 6, 7\)"):
        method(IMAGE, MASK[:3])
    with pytest.raises(Refused, match="not numbers"):
        method(_lacking(IMAGE), MASK)


def test_a_shape_of_labels_is_refused() -> None:
    with pytest.raises(Refused, match="labels == 1"):
        morphology_features.shape(2 * MASK.astype(int), SPACING)


@pytest.mark.parametrize("wrong", [(1.0, 1.0), 1.0, None, (1.0, 0.0, 1.0), (1.0, -1.0, 1.0), (np.nan, 1.0, 1.0), "abc"])
@pytest.mark.parametrize(
    "method",
    [
        lambda s: calcium.calcium(IMAGE, s),
        lambda s: calcium.callister_volume_mm3(IMAGE, s),
        lambda s: radiomics.extract(IMAGE, MASK, s, "C"),
        lambda s: filters.laplacian_of_gaussian(IMAGE, 2.0, s),
        lambda s: gabor.gabor(IMAGE, 5.0, 2.0, 1.5, s),
        lambda s: intensity.local_peaks(IMAGE, MASK, s),
        lambda s: morphology_features.shape(MASK, s),
    ],
)
def test_what_is_no_spacing_is_refused(method: Callable[[Any], Any], wrong: Any) -> None:
    with pytest.raises(Refused, match="three positive numbers"):
        method(wrong)


@pytest.mark.parametrize(
    "method",
    [
        lambda image: filters.mean(image, 3),
        lambda image: gabor.gabor(image, 5.0, 2.0, 1.5, (1.0, 1.0, 1.0)),
        lambda image: wavelets.separable_wavelet(image, "haar", "LLH"),
        lambda image: wavelets.simoncelli(image),
        lambda image: riesz.riesz(image, (1, 0, 0)),
    ],
)
def test_a_filter_takes_volumes_of_numbers_only(method: Callable[[Any], Any]) -> None:
    assert method(IMAGE.astype(np.int16)).shape == IMAGE.shape
    with pytest.raises(Refused, match="not numbers"):
        method(_lacking(IMAGE))
    for wrong in (IMAGE[0], IMAGE[:0]):
        with pytest.raises(Refused, match="slices, rows, columns"):
            method(wrong)
