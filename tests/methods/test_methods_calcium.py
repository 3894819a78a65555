"""Agatston's score on blocks that can be counted by hand, in both conventions."""

from typing import Any

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.calcium import agatston_class, cac_drs, calcium, callister_volume_mm3, is_sharp

HALF = (0.5, 0.5, 0.5)


def block(value: float = 400.0) -> np.ndarray:
    image = np.full((6, 10, 10), 30.0, np.float32)
    image[2:4, 3:7, 4:6] = value
    return image


def test_the_toy_of_the_reference_in_both_conventions() -> None:
    # CalciumScoring.jl: 4 x 2 x 2 voxels of 400 HU, 0.5 mm apart, score 16; times 0.5 / 3 by the other convention.
    for image, spacing in ((block(), HALF), (block().transpose(1, 0, 2), HALF)):
        assert calcium(image, spacing, convention="area").score == 16.0
        assert calcium(image, spacing, convention="spacing").score == pytest.approx(16.0 * 0.5 / 3.0, abs=1e-12)
    found = calcium(block(), HALF, mg_per_mm3_hu=0.0008)
    assert found.convention == "spacing"
    assert found.volume_mm3 == 16 * 0.125
    assert found.mass_mg == pytest.approx(0.0008 * 400.0 * 2.0)
    assert found.density == 4.0 and found.peak_hu == 400.0 and len(found.lesions) == 2
    assert int(found.mask.sum()) == 16
    assert calcium(block(), HALF).mass_mg is None


@pytest.mark.parametrize(
    ("peak", "weighs"), [(130, 1), (199, 1), (200, 2), (299, 2), (300, 3), (399, 3), (400, 4), (1500, 4)]
)
def test_weights(peak: float, weighs: int) -> None:
    assert calcium(block(peak), HALF, convention="area").score == 4.0 * weighs


def test_the_peak_of_each_slice_counts_for_that_slice() -> None:
    image = block(150.0)
    image[2, 4, 4] = 450.0
    assert calcium(image, HALF, convention="area").score == 2.0 * 4 + 2.0 * 1


def test_nothing_below_the_threshold_or_smaller_than_a_square_millimetre() -> None:
    assert calcium(block(129.9), HALF).score == 0.0
    image = np.zeros((3, 10, 10), np.float32)
    image[1, 2, 2:5] = 500.0  # three pixels of 0.25 mm²
    assert calcium(image, HALF).score == 0.0
    assert not calcium(image, HALF).mask.any()
    image[1, 2, 5] = 500.0
    assert calcium(image, HALF, convention="area").score == 4.0


def test_corners_join_pixels_only_when_eight_neighbours_are_asked() -> None:
    image = np.zeros((1, 10, 10), np.float32)
    image[0, 2:4, 2] = image[0, 4:6, 3] = 300.0  # two and two pixels that meet at a corner
    assert calcium(image, HALF, convention="area", neighbours=8).score == 3.0
    assert calcium(image, HALF, convention="area", neighbours=4).score == 0.0


def test_only_what_lies_in_the_region() -> None:
    where = np.zeros((6, 10, 10), bool)
    where[2] = True
    assert calcium(block(), HALF, where, convention="area").score == 8.0


def test_a_spot_on_the_border_of_two_arteries_is_one_spot() -> None:
    """Cut at the border, two parts below 1 mm² were none, and the duller part had a weight of its own."""
    image = np.zeros((2, 8, 10), np.float32)
    image[0, 2, 2:8] = 150.0  # 1.5 mm² in two arteries of 0.75 mm²
    image[1, 2:6, 2:8] = 150.0
    image[1, 3, 7] = 450.0  # 4 mm² in one, 2 mm² in the other
    left, right = np.zeros(image.shape, bool), np.zeros(image.shape, bool)
    left[0, :, :5], left[1, :, :6], right[0, :, 5:], right[1, :, 6:] = True, True, True, True
    both = [calcium(image, HALF, m, convention="area", together=left | right) for m in (left, right)]
    assert [c.score for c in both] == [0.75 + 4.0 * 4, 0.75 + 2.0 * 4]
    assert sum(c.score for c in both) == calcium(image, HALF, left | right, convention="area").score
    assert [c.is_there for c in both] == [True, True]
    # One pixel of a neighbour's spot is calcium of the neighbour.
    rim = np.zeros(image.shape, bool)
    rim[1, 2, 2] = True
    assert not calcium(image, HALF, rim, together=rim | right | left).is_there
    with pytest.raises(Refused, match="an artery that is none of them together"):
        calcium(image, HALF, left, together=right)


def test_thin_slices_do_not_count_double_by_spacing() -> None:
    thick = np.full((4, 20, 20), 250.0, np.float32)
    thin = np.repeat(thick, 2, axis=0)
    one, two = calcium(thick, (3.0, 0.5, 0.5)), calcium(thin, (1.5, 0.5, 0.5))
    assert one.score == pytest.approx(two.score) == pytest.approx(4 * 100 * 2)
    assert calcium(thin, (1.5, 0.5, 0.5), convention="area").score == pytest.approx(2 * one.score)


def test_isotropic_volume() -> None:
    image = np.zeros((7, 20, 20), np.float32)
    image[2:5, 5:15, 5:15] = 600.0
    found = callister_volume_mm3(image, (3.0, 0.5, 0.5))
    # Interpolated from 600 to 0, the border of 130 lies 0.78 of a slice outside each end.
    assert found == pytest.approx(25.0 * (2 + 2 * (1 - 130 / 600)) * 3.0, rel=0.06)
    assert callister_volume_mm3(image * 0, (3.0, 0.5, 0.5)) == 0.0


def test_classes() -> None:
    assert [agatston_class(s) for s in (0, 1, 10, 11, 100, 101, 400, 400.6)] == [
        "0", "1 to 10", "1 to 10", "11 to 100", "11 to 100", "101 to 400", "101 to 400", "above 400",
    ]  # fmt: skip
    assert [cac_drs(s) for s in (0, 0.3, 99, 100, 299, 300)] == [
        "CAC-DRS A0", "CAC-DRS A1", "CAC-DRS A1", "CAC-DRS A2", "CAC-DRS A2", "CAC-DRS A3",
    ]  # fmt: skip
    with pytest.raises(Refused, match="5 vessels"):
        cac_drs(10, 5)


@pytest.mark.parametrize(
    "kernel",
    ["B60f", "Br64", "I70f", "Qr54", "BONE", "LUNG", "EDGE", "DETAIL", "FC30", "FC86", "YB\\YC", "['B70f', '3']"],
)
def test_sharp_kernels(kernel: str) -> None:
    assert is_sharp(kernel)


@pytest.mark.parametrize(
    "kernel", ["", "STANDARD", "SOFT", "B35f", "B30f", "Qr36", "Sa36", "I26f", "FC12", "FC03", "XCA", "B"]
)
def test_soft_kernels(kernel: str) -> None:
    assert not is_sharp(kernel)


@pytest.mark.parametrize(
    ("image", "more", "words"),
    [
        (np.zeros((4, 4)), {}, "slices of rows"),
        (block(), {"where": np.zeros((1, 1, 1), bool)}, "region of shape"),
        (block(), {"spacing_mm": (0.0, 1.0, 1.0)}, "spacing"),
        (block(), {"convention": "siemens"}, "convention 'siemens'"),
        (block(), {"neighbours": 6}, "6 neighbours"),
        (block(), {"mg_per_mm3_hu": 0.8}, "calibration"),
        (block(np.nan), {}, "not numbers"),
    ],
)
def test_what_is_refused(image: np.ndarray, more: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        calcium(image, **{"spacing_mm": HALF, **more})
