"""The phase between odd and even echoes: found to its last digit without noise, near it with noise, or refused."""

from typing import Any

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods import bipolar
from isocenter.testing.phantoms.abdomen_mr import ECHOES_MS, images

MADE: dict[str, Any] = {"size": 64, "slices": 3}
SPACING = (8.0, 6.25, 6.25)


@pytest.mark.parametrize(
    ("field_t", "radians", "mirrored", "snr"),
    [(1.5, 0.1, False, np.inf), (3.0, -0.3, True, 60.0), (1.5, 0.6, False, 80.0), (3.0, 0.0, False, 60.0)],
)
def test_the_planted_phase_is_found_and_fat_and_decay_are_those_of_straight_readouts(
    field_t: float, radians: float, mirrored: bool, snr: float
) -> None:
    times = np.array(ECHOES_MS[field_t]) / 1000.0
    made, truth = images(field_t=field_t, alternate_rad=radians, mirrored=mirrored, snr=snr, **MADE)
    before = made.copy()
    found, phase = bipolar.separate_alternate(made, times, field_t, SPACING)
    assert np.array_equal(made, before), "images are left as they were"
    assert phase.there == (radians != 0.0)
    planted = (-radians if mirrored else radians) * (1 + np.linspace(-1.96875, 1.96875, 64))
    off = np.abs(phase.over((48, 64)) - planted)
    assert off.max() < (1e-4 if np.isinf(snr) else 0.03)
    liver = truth["liver"]
    assert float(np.mean(found.pdff[liver])) == pytest.approx(14.0, abs=0.001 if np.isinf(snr) else 0.6)
    assert float(np.mean(found.r2_star[liver])) == pytest.approx(60.0, abs=1.0)


@pytest.mark.parametrize(("r2_star", "snr"), [(300.0, np.inf), (500.0, np.inf), (400.0, 60.0)])
def test_iron_is_not_taken_for_the_phase_of_readouts(r2_star: float, snr: float) -> None:
    """The first guess sees a phase in a liver full of iron; the images are separated as they are."""
    made, truth = images(r2_star=r2_star, snr=snr, **MADE)
    found, phase = bipolar.separate_alternate(made, np.array(ECHOES_MS[1.5]) / 1000.0, 1.5, SPACING)
    assert not phase.there
    within = truth["liver"]
    assert float(np.median(found.pdff[within])) == pytest.approx(14.0, abs=1e-3 if np.isinf(snr) else 1.0)
    assert float(np.median(found.r2_star[within])) == pytest.approx(r2_star, rel=1e-4 if np.isinf(snr) else 0.02)


@pytest.mark.parametrize(
    ("mirrored", "radians"),
    [
        (False, 0.0), (True, 0.15),
        *(pytest.param(*one, marks=pytest.mark.nightly) for one in ((False, 0.15), (True, 0.0))),
    ],
)  # fmt: skip
def test_echoes_half_a_turn_of_fat_apart_hold_no_phase_but_their_own(mirrored: bool, radians: float) -> None:
    """Liver of 18 % in a body of 60 %: the first guess sees 0.26 rad, without which the turning is taken wrongly."""
    times, hertz = 0.0013 + 0.002 * np.arange(6), 42.577 * 1.5 * np.array([-3.80, -3.40, -2.60, -1.94, -0.39, 0.60])
    _, y, x = np.indices((6, 64, 64)) - np.array([0, 32, 32])[:, None, None, None]
    inside = (y / 26) ** 2 + (x / 28) ** 2 <= 1
    liver = inside & (x < 0)
    share, decay = np.where(liver, 0.18, 0.6), np.where(liver, 60.0, 30.0)
    weights = np.array([0.087, 0.693, 0.128, 0.004, 0.039, 0.048])
    fat = np.exp(2j * np.pi * np.outer(times, hertz)) @ weights / weights.sum()
    turn = np.exp((2j * np.pi * (1.25 * x + 0.6 * y) - decay) * times[:, None, None, None])
    made = 1000.0 * inside * (1 - share + share * fat[:, None, None, None]) * turn
    made = (made.conj() if mirrored else made) * np.exp(1j * radians * (-1.0) ** np.arange(6))[:, None, None, None]
    rng = np.random.default_rng(2)
    made += rng.normal(0, 3.0, (*made.shape, 2)) @ np.array([1, 1j])
    found, phase = bipolar.separate_alternate(made, times, 1.5, (4.0, 3.0, 3.0))
    assert (found.conjugated, phase.there) == (mirrored, radians != 0.0)
    assert float(np.median(found.pdff[liver])) == pytest.approx(18.0, abs=0.1)


def test_echoes_that_do_not_tell_it_are_refused() -> None:
    made, _ = images(**MADE)
    times = np.array(ECHOES_MS[1.5]) / 1000.0
    with pytest.raises(Refused, match="3 echoes"):
        bipolar.separate_alternate(made[:3], times[:3], 1.5, SPACING)
    uneven = times * np.array([1.0, 1.0, 1.0, 1.1, 1.0, 1.0])
    with pytest.raises(Refused, match="unevenly"):
        bipolar.separate_alternate(made, uneven, 1.5, SPACING)
    faint, _ = images(snr=2.5, alternate_rad=0.3, **MADE)
    with pytest.raises(Refused, match=r"known to 0\.\d+ only|voxels with signal"):
        bipolar.separate_alternate(faint, times, 1.5, SPACING)
