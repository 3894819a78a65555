"""Residue functions, and curves of tissue made from them."""

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.residue import gamma_residue, tissue_curves


@pytest.mark.parametrize("shape", [1.0, 2.0, 5.0, np.inf])
def test_the_area_is_the_mean_transit_time(shape: float) -> None:
    times = np.arange(0, 200, 0.01)
    assert gamma_residue(times, [3.0, 8.0], shape).sum(axis=1) * 0.01 == pytest.approx([3.0, 8.0], abs=0.02)


def test_a_step_through_an_exponential_is_known() -> None:
    # An artery that stays at 1 fills an exponential tissue as tau (1 - exp(-t / tau)).
    curve = tissue_curves(np.ones(20), 1.0, [4.0], 1.0, fine=64)[0]
    assert curve == pytest.approx(4.0 * (1 - np.exp(-np.arange(20) / 4.0)), abs=2e-4)


def test_a_delay_moves_the_curve() -> None:
    artery = np.exp(-(((np.arange(60) - 15) / 3.0) ** 2))
    now, later = (tissue_curves(artery, 1.0, [4.0], 2.0, delay_s=d)[0] for d in (0.0, 5.0))
    assert later[5:] == pytest.approx(now[:-5], abs=1e-9)


@pytest.mark.parametrize(("mtt", "shape"), [(0.0, 1.0), (4.0, 0.0)])
def test_what_has_no_residue_is_refused(mtt: float, shape: float) -> None:
    with pytest.raises(Refused, match="above zero"):
        gamma_residue([0.0, 1.0], [mtt], shape)


def test_boxes_that_end_within_one_step_differ() -> None:
    steady = np.ones(20)
    found = tissue_curves(steady, 2.8, [4.0, 4.01], np.inf)
    assert found[:, -1] == pytest.approx([4.0, 4.01], abs=1e-9)
