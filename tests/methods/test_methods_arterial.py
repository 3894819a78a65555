"""The artery and the vein of a planted head are found, shown, and can be overridden."""

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods import arterial

TIMES = np.arange(40) * 1.5


def curve(start: float, slow: float, height: float) -> np.ndarray:
    x = np.maximum(TIMES - start, 0) / slow
    return height * (x / 3) ** 3 * np.exp(3 - x)


@pytest.fixture
def head() -> np.ndarray:
    curves = np.zeros((40, 3, 40, 40))
    curves += curve(11, 2.5, 8.0)[:, None, None, None]
    curves[:, :, 10:13, 20:23] = curve(8, 1.3, 200.0)[:, None, None, None]  # artery
    curves[:, :, 5:8, 5:8] = curve(12, 1.3, 205.0)[:, None, None, None]  # a late artery behind a stenosis
    curves[:, :, 34:39, 18:24] = curve(12, 2.0, 240.0)[:, None, None, None]  # sinus
    return curves + np.random.default_rng(0).normal(0, 2.0, curves.shape)


INSIDE = np.ones((3, 40, 40), bool)


def test_the_early_narrow_one_is_the_artery_and_the_large_late_one_the_vein(head: np.ndarray) -> None:
    fed = arterial.artery(head, TIMES, INSIDE, 5)
    assert fed.where[:, 10:13, 20:23].sum() == fed.where.sum() >= 9
    assert fed.peak == pytest.approx(200.0, rel=0.03) and fed.peak_s == 12.0
    assert fed.width_s == pytest.approx(5.3, abs=0.6) and 0.8 < fed.score <= 1
    drained = arterial.vein(head, TIMES, INSIDE, 5, fed)
    assert drained is not None
    assert drained.where[:, 34:39, 18:24].sum() == drained.where.sum()
    areas = curve(12, 2.0, 240.0).sum() / curve(8, 1.3, 200.0).sum()
    assert arterial.venous_scale(fed, drained) == pytest.approx(areas, rel=0.04)


def test_a_person_overrides_the_choice(head: np.ndarray) -> None:
    mask = np.zeros_like(INSIDE)
    mask[1, 6, 6] = True
    chosen = arterial.given(head, TIMES, mask)
    assert chosen.drawn and chosen.score == 1 and chosen.peak_s == pytest.approx(15.0, abs=1.5)
    with pytest.raises(Refused, match="without voxels"):
        arterial.given(head, TIMES, np.zeros_like(INSIDE))


def test_no_vein_after_the_artery(head: np.ndarray) -> None:
    early = head.copy()
    early[:, :, 34:39, 18:24] = curve(8, 1.3, 150.0)[:, None, None, None]
    early[:, :, 5:8, 5:8] = 0
    fed = arterial.artery(early, TIMES, INSIDE, 5)
    drained = arterial.vein(early, TIMES, INSIDE, 5, fed)
    assert drained is None or arterial.venous_scale(fed, drained) is None


def test_noise_holds_no_artery() -> None:
    with pytest.raises(Refused, match="above the noise"):
        arterial.artery(np.random.default_rng(1).normal(0, 2.0, (40, 3, 40, 40)), TIMES, INSIDE, 5)
    with pytest.raises(Refused, match="to look in"):
        arterial.artery(np.zeros((40, 3, 40, 40)), TIMES, np.zeros_like(INSIDE), 5)
